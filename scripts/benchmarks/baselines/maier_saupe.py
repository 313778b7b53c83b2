"""Nematic directors against Kent's method as a scalar Numba loop, and how much the direct sampler remembers.

Bingham draws at the exponents of each phase: the usual loop works in float64 with NumPy's normals and small arrays; the
other one has everything unrolled by hand.
"""

# ruff: noqa: NPY002 -- inside Numba the legacy generator is the usual one, and these loops are the usual way.

from collections.abc import Iterator

import numpy as np
from numba import njit

from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP, Group
from vae_mf.samplers.kernels.bingham import BLOCK, envelope_parameter, fill_bingham
from vae_mf.samplers.maier_saupe import MaierSaupeDirect, MaierSaupeGibbs
from vae_mf.statistics.row_order import autocorrelation_time
from vae_mf.systems.maier_saupe import MaierSaupe, mean_field_transition

from .timing import SEED, Baseline, Row, Run, race, sweeps

SITES, DRAWS, CHAINS = 1024, 2000, 16
NEMATIC = 0.15
TRANSITION = mean_field_transition().temperature
ISOTROPIC = 0.3


@njit
def usual_kent(matrix, out):
    """Fill ``out`` (N, 3) from exp(n^T B n) one director at a time, every vector an array."""
    values, axes = np.linalg.eigh(-matrix)
    rates = values - values[0]
    b = envelope_parameter(rates)
    omega = 1 + 2 * rates / b
    log_bound = 1.5 * np.log(3 / b) - (3 - b) / 2
    for i in range(out.shape[0]):
        while True:
            y = np.empty(3)
            for k in range(3):
                y[k] = np.random.normal() / np.sqrt(omega[k])
            y /= np.sqrt((y * y).sum())
            t = (omega * y * y).sum()
            if np.log(np.random.random()) < 1.5 * np.log(t) - (rates * y * y).sum() - log_bound:
                out[i] = axes @ y
                break
    return out.shape[0]


@njit
def unrolled_kent(matrix, out):
    """Fill ``out`` as `usual_kent` does, without a temporary array and with the square roots taken once."""
    values, axes = np.linalg.eigh(-matrix)
    rates = values - values[0]
    b = envelope_parameter(rates)
    p, q, r = 1 / np.sqrt(1 + 2 * rates / b)
    log_bound = 1.5 * np.log(3 / b) - (3 - b) / 2
    for i in range(out.shape[0]):
        while True:
            x = p * np.random.normal()
            y = q * np.random.normal()
            z = r * np.random.normal()
            length = x * x + y * y + z * z
            t = ((x / p) ** 2 + (y / q) ** 2 + (z / r) ** 2) / length
            if np.log(np.random.random()) < 0.5 * b * (1 - t) + 1.5 * np.log(t) - log_bound:
                x = x / np.sqrt(length)
                y = y / np.sqrt(length)
                z = z / np.sqrt(length)
                out[i, 0] = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
                out[i, 1] = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
                out[i, 2] = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
                break
    return out.shape[0]


def typical_exponents(system: MaierSaupe, temperature: float) -> np.ndarray:
    """Return 3 beta J / 2 times the eigenvalues of a rod of average size."""
    law = system.tensor_law(temperature)
    size = float(law.probabilities @ law.radius)
    return 1.5 * system.coupling / temperature * size * np.sqrt(2 / 3) * np.array([1, -0.5, -0.5])


def bingham(exponents: np.ndarray, calls: int = 20) -> Run:
    """Return Bingham draws of this package."""
    directors = np.empty((3, SITES), np.float32)
    work = np.empty((3, SITES + BLOCK), np.float32)
    counters = np.zeros(1, np.uint64)
    key = np.uint64(SEED)
    axes = np.eye(3)

    def run() -> int:
        for _ in range(calls):
            fill_bingham(directors, exponents, axes, work, key, counters, 0)
        return calls * SITES

    return run


def order_time(sampler: MaierSaupeDirect | MaierSaupeGibbs, temperature: float) -> float:
    """Return the integrated autocorrelation time of S in sweeps."""
    state = sampler.initial(Group(np.full(CHAINS, temperature), keys(SEED, count=CHAINS), np.arange(CHAINS)), "random")
    draws = []
    for _ in range(DRAWS):
        sampler.sweep(state, 1)
        draws.append(sampler.system.order_parameter(sampler.configurations(state)))
    return autocorrelation_time(np.stack(draws, axis=1))


def rows(repeats: int) -> Iterator[Row]:
    """Time draws and whole sweeps in each phase, and find tau_int around the transition."""
    system = MaierSaupe(SITES)
    out = np.empty((SITES, 3))
    for temperature in (NEMATIC, TRANSITION, ISOTROPIC):
        exponents = typical_exponents(system, temperature)
        matrix = np.diag(exponents)
        usual = Baseline("scalar Kent, usual Numba", lambda matrix=matrix: usual_kent(matrix, out), 30)
        unrolled = Baseline("scalar Kent, unrolled", lambda matrix=matrix: unrolled_kent(matrix, out))
        yield from race(f"Bingham, T={temperature:.4g}", f"N={SITES}", bingham(exponents), [usual, unrolled], repeats)
    for sampler in (MaierSaupeDirect(system), MaierSaupeGibbs(system)):
        whole = Baseline("its Bingham draws alone", bingham(typical_exponents(system, TRANSITION)))
        yield from race(f"{sampler.name}, T_NI", f"N={SITES}", sweeps(sampler, TRANSITION, GROUP), [whole], repeats)
    for temperature in (NEMATIC, 0.21, TRANSITION, 0.222, 0.2255, ISOTROPIC):
        tau = order_time(MaierSaupeDirect(system), temperature)
        yield Row(f"direct, tau_int of S, T={temperature:.4g}", f"N={SITES}", tau, target=0.6, unit="", at_most=True)
