"""Exact laws of the nematic, and draws of its samplers against them."""

import numpy as np

from helpers.chains import z_scores
from vae_mf.systems.maier_saupe import tensor_eigenvalues

SIGMAS = 5.0
"""Below 1e-3 for the family of all z-tests of the samplers, some 350, of which 150 on means of 64 chains."""


def bingham_moments(exponents):
    """Exact <x^2>, <y^2>, <x^4>, <y^4>, <x^2 y^2> by Gauss-Legendre in z and the trapezium rule in phi."""
    z, weight = np.polynomial.legendre.leggauss(400)
    phi = 2 * np.pi * np.arange(400) / 400
    ring = np.sqrt(1 - z**2)[:, None]
    squares = np.stack(np.broadcast_arrays((ring * np.cos(phi)) ** 2, (ring * np.sin(phi)) ** 2, z[:, None] ** 2))
    exponent = np.tensordot(exponents, squares, 1)
    density = np.exp(exponent - exponent.max()) * weight[:, None]
    x, y, _ = squares
    return [(density * f).sum() / density.sum() for f in (x, y, x * x, y * y, x * y)]


def moments(directors):
    wide = directors.astype(np.float64)
    return np.swapaxes(wide, -1, -2) @ wide / wide.shape[-2] - np.eye(3) / 3


def noisy_eigenvalues(system, temperature, tensors, seed=0):
    """Eigenvalues of A drawn from A | n, whose law is exact, for tensors (..., 3, 3)."""
    noise = np.random.default_rng(seed).normal(size=tensors.shape) * np.sqrt(system.field_variance(temperature))
    # The symmetric part of white noise has unit variance along orthonormal components; then project out the trace.
    noise = (noise + np.swapaxes(noise, -1, -2)) / 2
    noise -= np.trace(noise, axis1=-2, axis2=-1)[..., None, None] * np.eye(3) / 3
    return np.linalg.eigvalsh(tensors + noise)[..., ::-1]


def exact_order(system, temperature):
    """Exact averages over A of its largest eigenvalue (times 3/2: S of the field), Tr A^3 and its square."""
    law = system.tensor_law(temperature)
    largest = tensor_eigenvalues(law.radius, ((1 - law.shape) / 2) ** 0.25)[:, 0]
    return law.probabilities @ (1.5 * largest), law.probabilities @ (law.shape * law.radius**3 / np.sqrt(6))


def check_against_theory(system, temperatures, tensors):
    """Energy, its fluctuation, Tr Q^3 and S of the tensor with its known noise, each at every temperature."""
    exact = [system.thermodynamics(t) for t in temperatures]
    square = (tensors**2).sum((-2, -1))
    energy = -0.75 * system.coupling * system.sites * square
    mean = np.array([one.energy for one in exact])
    assert np.abs(z_scores(energy, mean)).max() < SIGMAS
    variance = [one.heat_capacity * t**2 for one, t in zip(exact, temperatures, strict=True)]
    assert np.abs(z_scores((energy - mean[:, None, None]) ** 2, variance)).max() < SIGMAS
    order, cube = zip(*(exact_order(system, t) for t in temperatures), strict=True)
    # The noise has no third moment and no first one, so that <Tr A^3> = <Tr (Q / N)^3>.
    assert np.abs(z_scores(np.trace(tensors @ tensors @ tensors, axis1=-2, axis2=-1), cube)).max() < SIGMAS
    fields = [noisy_eigenvalues(system, t, q) for t, q in zip(temperatures, tensors, strict=True)]
    assert np.abs(z_scores(1.5 * np.stack(fields)[..., 0], order)).max() < SIGMAS
    largest = np.linalg.eigvalsh(tensors)[..., -1]
    assert np.abs(largest * 1.5).max() <= 1 + 1e-6
