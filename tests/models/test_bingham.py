"""The Bingham distribution against an inverse Laplace transform, quadrature on the sphere and the Numba sampler."""

import math
import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import ks_2samp, special_ortho_group
from torch.autograd import gradcheck, gradgradcheck

from vae_mf.models.directors import bingham_normaliser
from vae_mf.models.directors.bingham import (
    Bingham,
    log_normaliser,
    matrix_log_normaliser,
    moments,
    sample,
    symmetric_eigenvalues,
)
from vae_mf.models.directors.bingham_draws import Envelope, envelope_parameter
from vae_mf.samplers.kernels import bingham as compiled
from vae_mf.systems.maier_saupe import log_bingham_normaliser

SIGMAS = 5.0
"""Below 1e-3 for the family of all tests by chance of this file: some 260 z-scores and 6 distances at p = 1e-5."""
SETS = [(0, 0, 0), (1.3, -0.7, 2.1), (0, 0, -2), (-2, 0, -2), (0, -3, -3.0001), (-400, 0, -1), (-5000, -4000, 0)]
"""Eigenvalues of a ball, a generic case, a disc, a rod, nearly a rod, a thin disc and a sharp peak."""
every_set = pytest.mark.parametrize("eigenvalues", SETS)


def gaps(largest: float = 1e4, count: int = 58) -> np.ndarray:
    """Eigenvalues (count^2, 3) with all pairs of gaps between 0 and the largest, rounded to single precision."""
    line = np.concatenate([[0], np.geomspace(1e-3, largest, count - 1)])
    upper, lower = (part.ravel() for part in np.meshgrid(line, line))
    return np.stack([-upper - lower, -upper, np.zeros(count**2)], -1).astype(np.float32).astype(np.float64)


def contour(eigenvalues: np.ndarray, nodes: int = 28):
    """Log c and second moments as inverse Laplace transforms, whose integrands are algebraic.

    c = 2 π^{3/2} e^{max λ} L⁻¹[F](1), <x_i²> c = 2 π^{3/2} e^{max λ} L⁻¹[F / (2 (t + Λ_i))](1), Λ_i = max λ - λ_i,
    F = Π_i (t + Λ_i)^{-1/2}. Source: Kume and Wood, Biometrika 92 (2005) 465; contour: Weideman, SIAM J. Numer. Anal.
    44 (2006) 2342.
    """
    angle = np.pi * (2 * np.arange(nodes // 2) + 1) / nodes
    t = nodes * (0.5017 * angle / np.tan(0.6407 * angle) - 0.6122 + 0.2645j * angle)
    slope = 0.5017 / np.tan(0.6407 * angle) - 0.5017 * 0.6407 * angle / np.sin(0.6407 * angle) ** 2 + 0.2645j
    largest = eigenvalues.max(-1, keepdims=True)
    factors = t + (largest - eigenvalues)[..., None]
    terms = 2 * np.exp(t) * slope / 1j / np.prod(np.sqrt(factors), axis=-2)
    total = terms.real.sum(-1)
    mean = (terms[..., None, :] / (2 * factors)).real.sum(-1) / total[..., None]
    return largest[..., 0] + np.log(2 * np.pi**1.5 * total), mean


def sphere(nodes: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (nodes^2, 3) and weights of a quadrature over the area."""
    height, weight = np.polynomial.legendre.leggauss(nodes)
    azimuth = 2 * np.pi * (np.arange(nodes) + 0.5) / nodes
    ring = np.sqrt(1 - height**2)[:, None]
    x, y, z = ring * np.cos(azimuth), ring * np.sin(azimuth), np.broadcast_to(height[:, None], (nodes, nodes))
    points = torch.from_numpy(np.stack([x, y, z], -1).reshape(-1, 3))
    return points, torch.from_numpy(np.repeat(weight * 2 * np.pi / nodes, nodes))


def double(*values, **options) -> torch.Tensor:
    return torch.tensor(*values, dtype=torch.float64, **options)


def rotations(count: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(special_ortho_group.rvs(3, count, np.random.default_rng(seed)).reshape(count, 3, 3))


def matrices(eigenvalues: torch.Tensor, seed: int = 1) -> torch.Tensor:
    axes = rotations(len(eigenvalues), seed)
    matrix = axes @ torch.diag_embed(eigenvalues.double()) @ axes.mT
    return (matrix + matrix.mT) / 2


def some_matrices(count: int = 6, scale: float = 4.0, seed: int = 2) -> torch.Tensor:
    raw = scale * torch.randn(count, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (raw + raw.mT) / 2


@pytest.mark.parametrize("eigenvalues", [(0, 0, 0), (1.3, -0.7, 2.1), (5, 5, 0), (0, -30, -31), (-300, 0, -3)])
def test_the_oracle_is_the_integral_over_the_sphere(eigenvalues):
    a, b, c = (value - max(eigenvalues) for value in eigenvalues)

    def integral(power):
        return dblquad(
            lambda phi, t: (
                np.cos(t) ** power
                * np.sin(t)
                * np.exp(np.sin(t) ** 2 * (a * np.cos(phi) ** 2 + b * np.sin(phi) ** 2) + c * np.cos(t) ** 2)
            ),
            *(0, np.pi / 2, 0, np.pi / 2),
            epsabs=1e-14,
            epsrel=1e-12,
        )[0]

    log_c, mean = contour(np.array(eigenvalues, float))
    assert log_c == pytest.approx(max(eigenvalues) + math.log(8 * integral(0)), abs=1e-11)
    assert mean[2] == pytest.approx(integral(2) / integral(0), rel=1e-9)
    assert mean.sum() == pytest.approx(1, rel=1e-11)


def test_normaliser_of_the_published_case():
    assert log_normaliser(double([1.3, -0.7, 2.1])).exp().item() == pytest.approx(39.350529084532, rel=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_normaliser_and_moments_over_the_whole_range_of_gaps(dtype, tolerance):
    """Relative errors, also of the smallest moment, which is near 1 / 40,000."""
    eigenvalues = gaps()
    given = torch.from_numpy(eigenvalues).to(dtype)
    log_c, mean = contour(eigenvalues)
    assert log_normaliser(given).dtype == moments(given).dtype == dtype
    np.testing.assert_allclose(np.expm1(log_normaliser(given).double().numpy() - log_c), 0, atol=tolerance)
    np.testing.assert_allclose(moments(given).double().numpy(), mean, rtol=10 * tolerance)


def test_the_normaliser_is_that_of_the_exact_theory():
    eigenvalues = np.random.default_rng(0).normal(size=(200, 3)) * np.geomspace(0.1, 300, 200)[:, None]
    theory = log_bingham_normaliser(eigenvalues)
    np.testing.assert_allclose(log_normaliser(torch.from_numpy(eigenvalues)).numpy(), theory, atol=1e-11)


@pytest.mark.parametrize("concentration", [1e6, 1e9])
def test_rods_and_discs_far_beyond_the_range_are_gaussian(concentration):
    rod, disc = log_normaliser(double([[-concentration, 0, -concentration], [0, 0, -concentration]])).tolist()
    assert rod == pytest.approx(math.log(2 * math.pi / concentration), abs=2 / concentration + 1e-13)
    assert disc == pytest.approx(math.log(2 * math.pi * math.sqrt(math.pi / concentration)), abs=2 / concentration)


@pytest.mark.parametrize("shift", [-30.0, 0.0, 7.5])
def test_order_does_not_matter_and_a_shift_changes_the_normaliser_only(shift):
    eigenvalues = double([1.3, -0.7, 2.1])
    for order in permutations(range(3)):
        moved = eigenvalues[list(order)] + shift
        torch.testing.assert_close(log_normaliser(moved), log_normaliser(eigenvalues) + shift, rtol=0, atol=1e-13)
        torch.testing.assert_close(moments(moved), moments(eigenvalues)[list(order)], rtol=0, atol=1e-13)


@every_set
def test_two_derivatives_of_the_normaliser_and_one_of_the_moments(eigenvalues):
    point = double([eigenvalues, eigenvalues[::-1]], requires_grad=True)
    assert gradcheck(log_normaliser, point)
    assert gradgradcheck(log_normaliser, point)
    assert gradcheck(moments, point)


def test_the_gradient_of_the_normaliser_is_the_moments_to_all_digits():
    for dtype in (torch.float32, torch.float64):
        given = torch.from_numpy(gaps(count=12)).to(dtype).requires_grad_()
        (gradient,) = torch.autograd.grad(log_normaliser(given).sum(), given)
        assert torch.equal(gradient, moments(given.detach()))


def test_a_third_derivative_is_refused():
    point = double([1.3, -0.7, 2.1], requires_grad=True)
    (first,) = torch.autograd.grad(log_normaliser(point), point, create_graph=True)
    (second,) = torch.autograd.grad(first[0], point, create_graph=True)
    with pytest.raises(NotImplementedError, match="at most two derivatives, got a third"):
        torch.autograd.grad(second[0], point)


def test_function_transforms_give_the_same_derivatives():
    given = double([[1.3, -0.7, 2.1], [0, 0, -5.0]])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(log_normaliser))(given), moments(given))
    hessian = torch.func.jacrev(torch.func.jacrev(log_normaliser))(given[0])
    torch.testing.assert_close(hessian, torch.autograd.functional.jacobian(moments, given[0]))


COMPILED = """
import torch
from vae_mf.models.directors.bingham import matrix_log_normaliser, log_normaliser
raw = torch.randn(64, 3, 3, generator=torch.Generator().manual_seed(0))
for function, given in ((log_normaliser, raw[0]), (matrix_log_normaliser, raw + raw.mT)):
    given.requires_grad_()
    value = torch.compile(lambda x: function(x).sum(), fullgraph=True)(given)
    torch.testing.assert_close(value, function(given).sum())
    found, expected = (torch.autograd.grad(one, given)[0] for one in (value, function(given).sum()))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
"""


@pytest.mark.slow
def test_the_compiled_normaliser_has_no_graph_break():
    """In a process of its own, as the checks of types under pytest cannot be compiled."""
    run = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_first_call_in_inference_mode_leaves_training_possible():
    bingham_normaliser._gauss_legendre.cache_clear()
    given = double([1.3, -0.7, 2.1], requires_grad=True)
    with torch.inference_mode():
        inferred = log_normaliser(given)
    value = log_normaliser(given)
    value.backward()
    assert value.item() == inferred.item()
    torch.testing.assert_close(given.grad, moments(given.detach()))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(half):
    given = double([1.25, -0.75, 2.0])
    for function in (log_normaliser, moments):
        assert function(given.to(half)).dtype == torch.float32
        torch.testing.assert_close(function(given.to(half)), function(given.float()))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_closed_form_eigenvalues(dtype, tolerance):
    """Errors relative to the norm, with gaps down to nothing."""
    matrix = torch.cat([matrices(torch.from_numpy(gaps(count=20))), some_matrices(200)]).to(dtype)
    found = symmetric_eigenvalues(matrix)
    assert found.dtype == dtype
    assert (found.diff(dim=-1) >= -tolerance * matrix.flatten(1).norm(dim=1)[:, None]).all()
    error = (found.double() - torch.linalg.eigvalsh(matrix.double())).abs().amax(-1)
    assert (error <= tolerance * matrix.double().flatten(1).norm(dim=1) + 1e-300).all()


@every_set
def test_the_gradient_by_a_matrix_is_the_second_moment(eigenvalues):
    axes = torch.cat([torch.eye(3, dtype=torch.float64)[None], rotations(3)])
    matrix = (axes * double(eigenvalues)) @ axes.mT
    matrix = ((matrix + matrix.mT) / 2).requires_grad_()
    (gradient,) = torch.autograd.grad(matrix_log_normaliser(matrix).sum(), matrix)
    expected = (axes * moments(double(eigenvalues))) @ axes.mT
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)
    assert gradcheck(lambda b: matrix_log_normaliser((b + b.mT) / 2), matrix)


def test_a_second_derivative_by_a_matrix_with_distinct_eigenvalues():
    assert gradgradcheck(lambda b: matrix_log_normaliser((b + b.mT) / 2), some_matrices(3).requires_grad_())


@pytest.mark.parametrize("way", ["matrix", "axes"])
def test_density_and_moments_by_quadrature_on_the_sphere(way):
    points, weights = sphere()
    matrix = some_matrices()
    values, vectors = torch.linalg.eigh(matrix)
    law = Bingham(matrix) if way == "matrix" else Bingham(rotation=vectors, eigenvalues=values)
    log_density = law.log_prob(points[:, None])
    density = log_density.exp() * weights[:, None]
    exponents = torch.einsum("na,bac,nc->nb", points, matrix, points)
    torch.testing.assert_close(log_density, exponents - law.log_normaliser, rtol=0, atol=1e-12)
    torch.testing.assert_close(density.sum(0), torch.ones(6, dtype=torch.float64), rtol=1e-11, atol=0)
    second = torch.einsum("nb,na,nc->bac", density, points, points)
    torch.testing.assert_close(law.second_moment, second, rtol=0, atol=1e-11)
    torch.testing.assert_close(law.matrix, matrix, rtol=0, atol=1e-12)


def test_single_precision_log_densities_of_sharp_peaks_keep_their_digits():
    values = torch.tensor([-1e4, -3e3, 0.0])
    law = Bingham(rotation=rotations(1)[0].float(), eigenvalues=values)
    points = law.sample((500,), torch.Generator().manual_seed(0))
    exact = Bingham(rotation=law.rotation.double(), eigenvalues=values.double())
    torch.testing.assert_close(law.log_prob(points).double(), exact.log_prob(points.double()), rtol=0, atol=1e-3)


def scores_of_means(draws: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Of the means over the first axis."""
    return (draws.mean(0) - exact) / (draws.std(0) / len(draws) ** 0.5)


@every_set
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize("way", ["axes", "matrix"])
def test_draws_have_the_moments_of_the_distribution(eigenvalues, dtype, waiting, way):
    """In the frame of the axes, which the matrix hides from the draws."""
    given, axes = double(eigenvalues), rotations(1, 4)[0]
    largest, rates = given.amax()[None].to(dtype), (given.amax() - given)[None].to(dtype)
    matrix = ((axes * given) @ axes.mT)[None].to(dtype)
    envelope = (
        Envelope.along_axes(axes[None].to(dtype), rates)
        if way == "axes"
        else Envelope.of_matrices(matrix, largest, rates)
    )
    generator = torch.Generator().manual_seed(5)
    draws = (envelope.draw if waiting else envelope.draw_without_waiting)(40_000, generator)[:, 0]
    assert draws.dtype == dtype
    torch.testing.assert_close(draws.norm(dim=-1), torch.ones(40_000, dtype=dtype))
    draws, mean = draws.double() @ axes, moments(given)
    fourth = torch.autograd.functional.jacobian(moments, given) + mean[:, None] * mean
    assert scores_of_means(draws, torch.zeros(3)).abs().max() < SIGMAS
    assert scores_of_means(draws**2, mean).abs().max() < SIGMAS
    assert scores_of_means(draws[:, :, None] ** 2 * draws[:, None] ** 2, fourth).abs().max() < SIGMAS


@pytest.mark.parametrize("gap", [1e5, 1e7, 1e9, 1e12])
@pytest.mark.parametrize("eigenvalues", [(-1.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (-1.0, -1e-3, 0.0)])
def test_draws_of_gaps_beyond_single_precision_lie_on_the_sphere(eigenvalues, gap):
    matrix = matrices(gap * double([eigenvalues])).float()
    draws = Bingham(matrix).sample((2000,), torch.Generator().manual_seed(3))
    torch.testing.assert_close(draws.norm(dim=-1), torch.ones(2000, 1))
    along = (draws[:, 0] @ torch.linalg.eigh(matrix[0].double()).eigenvectors.float())[:, 0]
    assert along.abs().mean() < 2 * gap**-0.5 + 1e-3


def test_draws_compute_no_axes_and_no_normaliser(monkeypatch):
    law = Bingham(some_matrices())
    monkeypatch.setattr(torch.linalg, "eigh", None)
    monkeypatch.setattr(bingham_normaliser, "_quadrature", None)
    assert law.sample((3,)).shape == (3, 6, 3)


@pytest.mark.parametrize("eigenvalues", [(0.0, 0.0, -6.0), (3.0, -1.0, -9.0)])
def test_draws_are_distributed_as_those_of_the_compiled_sampler(eigenvalues):
    draws = sample(torch.tensor(eigenvalues).expand(20_000, 3), torch.Generator().manual_seed(6)).numpy()
    other, work = np.empty((3, 20_000), np.float32), np.empty((3, 20_000 + compiled.BLOCK), np.float32)
    exponents, counters = np.array(eigenvalues, float), np.zeros(1, np.uint64)
    compiled.fill_bingham(other, exponents, np.eye(3), work, np.uint64(7), counters, 0)
    assert min(ks_2samp(draws[:, axis], other[axis]).pvalue for axis in range(3)) > 1e-5


def test_draws_without_waiting_are_nan_where_there_is_no_distribution():
    draws = Envelope.along_axes(
        torch.eye(3).expand(2, 3, 3), torch.tensor([[0.0, 1.0, 2.0], [0.0, torch.nan, 0.0]])
    ).draw_without_waiting(1, None)
    assert torch.isfinite(draws[0]).all(1).tolist() == [True, False]


def test_the_envelope_is_the_best_one():
    rates = gaps(count=20).max(-1, keepdims=True) - gaps(count=20)
    expected = [compiled.envelope_parameter(row) for row in rates]
    found = envelope_parameter(torch.from_numpy(rates))[:, 0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_draws_of_a_batch_follow_their_own_row_and_its_axes():
    law = Bingham(some_matrices())
    draws = law.sample((20_000,), torch.Generator().manual_seed(8))
    assert draws.shape == (20_000, 6, 3)
    outer = draws[..., :, None] * draws[..., None, :]
    assert scores_of_means(outer, law.second_moment).abs().max() < SIGMAS


def test_draws_follow_the_generator_and_leave_the_global_one_alone():
    law, state = Bingham(some_matrices()), torch.get_rng_state()
    first, again, other = (law.sample((50,), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert not law.sample().requires_grad


def test_axes_and_eigenvalues_are_broadcast():
    law = Bingham(rotation=rotations(4), eigenvalues=double([[[0, -1, -2.0]], [[0, 0, 0]]]))
    assert law.second_moment.shape == (2, 4, 3, 3)
    assert law.log_prob(double([0, 0, 1])).shape == (2, 4)


def test_the_log_density_sees_no_head_and_reaches_the_matrix():
    matrix = torch.stack([torch.zeros(3, 3), torch.diag(torch.tensor([1.0, 1.0, -2.0]))]).double().requires_grad_()
    points = sphere(5)[0]
    log_prob = Bingham(matrix).log_prob(points[:, None])
    assert torch.equal(log_prob, Bingham(matrix).log_prob(-points[:, None]))
    (gradient,) = torch.autograd.grad(log_prob[7].sum(), matrix)
    expected = points[7, :, None] * points[7] - Bingham(matrix.detach()).second_moment
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bingham(), "expected matrix alone, or rotation and eigenvalues, got none of them"),
        (lambda: Bingham(rotation=torch.eye(3)), "got rotation"),
        (lambda: Bingham(torch.eye(3), rotation=torch.eye(3), eigenvalues=torch.zeros(3)), "got matrix, rotation, eig"),
        (lambda: Bingham(torch.zeros(2, 2)), r"matrix: expected a shape that ends in \(3, 3\), got \(2, 2\)"),
        (lambda: Bingham(rotation=torch.eye(3), eigenvalues=torch.zeros(2)), r"eigenvalues: .* got \(2,\)"),
        (lambda: sample(torch.tensor([0.0, torch.nan, 0.0])), "eigenvalues: expected finite numbers"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
