"""Rational-quadratic splines: parity with nflows, exactness at the edges, and the defects of nflows that stay out."""

import pytest
import torch

from vae_mf.models.priors.splines import UNIT_DERIVATIVE, inverse_spline, knot_table, reference_spline, spline

LEVELS, LATENTS, BINS, BATCH = 4, 3, 9, 500


def unconstrained(seed: int, scale: float, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(LEVELS, LATENTS, bins) for bins in (BINS, BINS, BINS - 1)]
    raw = [scale * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [each.to(dtype).requires_grad_() for each in raw]


def points(seed: int, bound: float, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Points inside and outside the interval, both edges included, and the level of each row."""
    generator = torch.Generator().manual_seed(100 + seed)
    x = 2.4 * bound * (torch.rand(BATCH, LATENTS, generator=generator, dtype=torch.float64) - 0.5)
    x[0], x[1] = bound, -bound
    return x.to(dtype).requires_grad_(), torch.randint(0, LEVELS, (BATCH,), generator=generator)


def assert_close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bound", [1.0, 8.0, 32.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forward_equals_nflows(seed, scale, bound):
    raw, (x, index) = unconstrained(seed, scale), points(seed, bound)
    actual = spline(x, knot_table(*raw, bound), index, bound)
    expected = reference_spline(x, *raw, index, bound)
    assert_close(actual.value, expected.value, 1e-12)
    assert_close(actual.log_derivative, expected.log_derivative, 1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("scale", "tolerance"), [(0.5, 1e-12), (1.0, 1e-11), (5.0, 1e-7)])
def test_inverse_equals_nflows(seed, scale, tolerance):
    """At large scales nflows loses digits in its quadratic; the next test shows that ours keeps them."""
    raw, (y, index) = unconstrained(seed, scale), points(seed, 8.0)
    actual = inverse_spline(y, knot_table(*raw, 8.0), index, 8.0)
    expected = reference_spline(y, *raw, index, 8.0, inverse=True)
    assert_close(actual.value, expected.value, tolerance)
    assert_close(actual.log_derivative, expected.log_derivative, tolerance)


@pytest.mark.parametrize("scale", [1.0, 5.0, 20.0])
def test_inverse_is_solved_to_float64(scale):
    raw, (y, index) = unconstrained(3, scale), points(3, 8.0)
    table = knot_table(*raw, 8.0)
    back = inverse_spline(y, table, index, 8.0)
    again = spline(back.value, table, index, 8.0)
    assert_close(again.value, y, 1e-11)
    # At edges the inverse may land in the neighbouring bin, where only the value is continuous to all digits.
    assert_close(again.log_derivative, -back.log_derivative, 1e-7)


def test_round_trip():
    raw, (x, index) = unconstrained(4, 1.0), points(4, 8.0)
    table = knot_table(*raw, 8.0)
    forth = spline(x, table, index, 8.0)
    back = inverse_spline(forth.value, table, index, 8.0)
    assert_close(back.value, x, 1e-9)
    assert_close(back.log_derivative, -forth.log_derivative, 1e-9)


@pytest.mark.parametrize("inverse", [False, True])
def test_gradients_equal_nflows(inverse):
    raw, (x, index) = unconstrained(5, 1.0), points(5, 8.0)
    x = x.detach()[2:].requires_grad_()  # at an edge the derivative of log dy/dx jumps
    index = index[2:]
    generator = torch.Generator().manual_seed(6)
    weights = torch.randn(2, *x.shape, generator=generator, dtype=torch.float64)
    fast = (inverse_spline if inverse else spline)(x, knot_table(*raw, 8.0), index, 8.0)
    reference = reference_spline(x, *raw, index, 8.0, inverse=inverse)
    actual, expected = (
        torch.autograd.grad((weights * torch.stack(output)).sum(), (x, *raw)) for output in (fast, reference)
    )
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, 1e-9 if inverse else 1e-12)


def test_log_derivative_is_the_derivative():
    raw, (x, index) = unconstrained(7, 2.0), points(7, 8.0)
    for function in (spline, inverse_spline):
        output = function(x, knot_table(*raw, 8.0), index, 8.0)
        (derivative,) = torch.autograd.grad(output.value.sum(), x, retain_graph=True)
        assert_close(output.log_derivative, derivative.log(), 1e-8)


@pytest.mark.parametrize("function", [spline, inverse_spline])
def test_monotone_and_identity_outside(function):
    raw = unconstrained(8, 3.0)
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None].expand(-1, LATENTS)
    output = function(x, knot_table(*raw, 8.0), torch.zeros(len(x), dtype=torch.int64), 8.0)
    assert (output.value.diff(dim=0) > 0).all()
    outside = x.abs() > 8
    assert_close(output.value[outside], x[outside], 1e-14)
    assert (output.log_derivative[outside] == 0).all()
    assert (output.log_derivative[~outside] != 0).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_bins_and_unit_derivatives_are_the_identity(dtype):
    flat = torch.zeros(1, LATENTS, BINS, dtype=dtype)
    table = knot_table(flat, flat, flat[..., 1:] + UNIT_DERIVATIVE, 8.0)
    x = points(9, 8.0, dtype)[0]
    output = spline(x, table, torch.zeros(BATCH, dtype=torch.int64), 8.0)
    precision = 8 * torch.finfo(dtype).eps
    assert_close(output.value, x, precision)
    assert_close(output.log_derivative, torch.zeros_like(x), precision)


def test_density_integrates_to_one():
    raw = unconstrained(10, 2.0)
    z = torch.linspace(-12, 12, 400_001, dtype=torch.float64)[:, None].expand(-1, LATENTS)
    u, log_derivative = spline(z, knot_table(*raw, 8.0), torch.ones(len(z), dtype=torch.int64), 8.0)
    density = torch.exp(torch.distributions.Normal(0.0, 1.0).log_prob(u) + log_derivative)
    assert_close(torch.trapezoid(density, z, dim=0), torch.ones(LATENTS, dtype=torch.float64), 1e-6)


@pytest.mark.parametrize("bound", [8.0, 32.0])
@pytest.mark.parametrize("function", [spline, inverse_spline])
def test_float32_stays_finite_where_nflows_fails(function, bound):
    """Raw parameters of scale 20, and bound 32 with inputs on the edge, where nflows indexes out of bounds."""
    raw = unconstrained(11, 20.0, torch.float32)
    generator = torch.Generator().manual_seed(12)
    x = 2 * bound * (torch.rand(200_000, LATENTS, generator=generator) - 0.5)
    x[0], x[1] = bound, -bound
    index = torch.randint(0, LEVELS, (len(x),), generator=generator)
    output = function(x, knot_table(*raw, bound), index, bound)
    assert output.value.isfinite().all()
    assert output.log_derivative.isfinite().all()
    assert_close(output.value[:2], x[:2], 1e-6)


def test_float32_inverse_is_accurate():
    raw = unconstrained(13, 5.0, torch.float32)
    y, index = points(13, 8.0, torch.float32)
    table = knot_table(*raw, 8.0)
    again = spline(inverse_spline(y, table, index, 8.0).value, table, index, 8.0).value
    assert (again - y).abs().max() < 1e-3


def test_not_a_number_stays_in_its_own_element():
    raw, (x, index) = unconstrained(14, 1.0), points(14, 8.0)
    x = x.detach()
    x[5, 1] = torch.nan
    for function in (spline, inverse_spline):
        output = function(x, knot_table(*raw, 8.0), index, 8.0)
        assert torch.equal(output.value.isnan(), x.isnan())
        assert torch.equal(output.log_derivative.isnan(), x.isnan())
