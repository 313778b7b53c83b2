"""The Bingham distribution on the sphere, p(x) = exp(xᵀ B x) / c(B) with B symmetric: x and -x are equally likely.

Functions of the eigenvalues λ of B, in any order (`log_normaliser`, `moments`, `entropy`, `kl_divergence`, `sample`),
of B itself (`matrix_log_normaliser`), and a class in the style of `torch.distributions`. A number added to all λ
changes nothing but c. Half precision is raised to float32.

Source: Bingham, Annals of Statistics 2 (1974) 1201; draws: Kent, Ganeiban and Mardia, JCGS 27 (2018) 291.

>>> eigenvalues = torch.tensor([1.3, -0.7, 2.1], dtype=torch.float64)
>>> round(log_normaliser(eigenvalues).exp().item(), 9)
39.350529085
>>> director = Bingham(matrix=torch.diag(eigenvalues))
>>> director.second_moment.diagonal().allclose(moments(eigenvalues))
True
>>> director.sample((1000,)).shape
torch.Size([1000, 3])
"""

from typing import Any

import torch
from jaxtyping import Float
from torch.distributions import Distribution, constraints, register_kl
from torch.nn.functional import normalize

from vae_mf.models.directors.bingham_normaliser import Eigenvalues, Numbers, at_least_single, log_normaliser, moments
from vae_mf.models.directors.symmetric_tensors import Matrices, conjugate, symmetric_eigenvalues

NEWTON_STEPS = 8
"""Steps towards the best envelope; after any number of them draws are exact."""

TOLERANCE = 4e-3
"""Error that is accepted of unit vectors and rotations, that of half precision."""


def entropy(eigenvalues: Eigenvalues) -> Numbers:
    """Return the differential entropy log c - Σ_k λ_k <x_k²>, in nats with respect to the area; at most log 4π."""
    below = _below_largest(eigenvalues)
    return log_normaliser(below) - (below * moments(below)).sum(-1)


def kl_divergence(
    rotation: Matrices, eigenvalues: Eigenvalues, other_rotation: Matrices, other_eigenvalues: Eigenvalues
) -> Numbers:
    """Return the Kullback-Leibler divergence KL(first ‖ other) of two Bingham distributions, in nats.

    KL = log c' - Σ_ij λ'_i <x_j²> (r'_i · r_j)² - entropy, with primes on the other one and axes r.
    """
    below = _below_largest(other_eigenvalues)
    cosines = (other_rotation[..., :, :, None] * rotation[..., :, None, :]).sum(-3)
    expected = (below[..., :, None] * cosines**2 * moments(eigenvalues)[..., None, :]).sum((-2, -1))
    return log_normaliser(below) - expected - entropy(eigenvalues)


def matrix_log_normaliser(matrix: Matrices) -> Numbers:
    """Return log c(B), whose gradient is the matrix <x xᵀ>; no eigenvector is computed or differentiated.

    It can be differentiated a second time where no two eigenvalues coincide.
    """
    return log_normaliser(symmetric_eigenvalues(at_least_single(matrix)))


@torch.no_grad()
def sample(eigenvalues: Eigenvalues, generator: torch.Generator | None = None) -> Eigenvalues:
    """Return one draw for each row of eigenvalues, in the frame of the principal axes.

    Candidates follow the angular central Gaussian with Ω = I + 2 Λ / b, Λ = diag(max λ - λ): y = w / |w|,
    w = Ω^{-1/2} v, v uniform on the sphere. With t = yᵀ Ω y = 1 / |w|² one is accepted with probability
    e^{(b/2)(1 - t)} t^{3/2} / M, M = e^{-(3 - b)/2} (3/b)^{3/2}; Tr (b Ω)⁻¹ = 1 makes that most frequent, 0.57 to 1.

    Args:
        generator: source of randomness on the device of the eigenvalues; None for torch's own.

    Raises:
        ValueError: if an eigenvalue is not finite.
    """
    if not torch.isfinite(eigenvalues).all():
        raise ValueError("eigenvalues: expected finite numbers, got NaN or infinity")
    rates = -_below_largest(eigenvalues).reshape(-1, 3)
    b = _envelope_parameter(rates)
    scales = (1 + 2 * rates / b).rsqrt()
    log_bound = 1.5 * torch.log(3 / b) - (3 - b) / 2
    draws = torch.empty_like(rates)
    pending = torch.arange(len(rates), device=rates.device)
    while len(pending):
        normals = rates.new_empty(len(pending), 3).normal_(generator=generator)
        uniforms = rates.new_empty(len(pending), 1).uniform_(generator=generator)
        w = scales[pending] * normalize(normals, dim=-1)
        length = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
        t = length.pow(-2)
        log_ratio = b[pending] / 2 * (1 - t) + 1.5 * t.log() - log_bound[pending]
        accepted = (uniforms.log() < log_ratio)[:, 0]
        draws[pending[accepted]] = (w / length)[accepted]
        pending = pending[~accepted]
    return draws.view(eigenvalues.shape)


class _UnitVector(constraints.Constraint):
    event_dim = 1

    def check(self, value: torch.Tensor) -> torch.Tensor:
        return (value.float().square().sum(-1) - 1).abs() < TOLERANCE


class _Orthogonal(constraints.Constraint):
    event_dim = 2

    def check(self, value: torch.Tensor) -> torch.Tensor:
        products = (value[..., :, :, None] * value[..., :, None, :]).sum(-3)
        return ((products - torch.eye(3, device=value.device)).abs() < TOLERANCE).flatten(-2).all(-1)


class Bingham(Distribution):
    """Bingham distribution, density exp(xᵀ B x) / c(B) with respect to the area of the sphere.

    Made from ``matrix``, its log-density and entropy have exact gradients at any B; draws, `second_moment` and the
    divergence use eigenvectors, whose gradient exists for distinct eigenvalues only.

    Args:
        matrix: B, symmetric, shape (..., 3, 3); None if its axes and eigenvalues are given.
        rotation: principal axes of B as columns, shape (..., 3, 3); None if B is given.
        eigenvalues: eigenvalues of B along these axes, shape (..., 3); None if B is given.
        validate_args: true to check arguments and values, which waits for the device.

    Raises:
        ValueError: unless one of the two ways is chosen; with ``validate_args`` also for a matrix that is not
            symmetric, a rotation that is not orthogonal or eigenvalues that are NaN.
    """

    def __init__(
        self,
        matrix: Float[torch.Tensor, "..."] | None = None,
        *,
        rotation: Float[torch.Tensor, "..."] | None = None,
        eigenvalues: Float[torch.Tensor, "..."] | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if matrix is not None and rotation is None and eigenvalues is None:
            _require_shape("matrix", matrix, 3, 3)
            self._given = at_least_single(matrix)
            self._by_matrix = True
            self.eigenvalues = symmetric_eigenvalues(self._given)
        elif matrix is None and rotation is not None and eigenvalues is not None:
            _require_shape("rotation", rotation, 3, 3)
            _require_shape("eigenvalues", eigenvalues, 3)
            batch = torch.broadcast_shapes(rotation.shape[:-2], eigenvalues.shape[:-1])
            self._given = at_least_single(rotation).expand(*batch, 3, 3)
            self._by_matrix = False
            self.eigenvalues = at_least_single(eigenvalues).expand(*batch, 3)
        else:
            arguments = {"matrix": matrix, "rotation": rotation, "eigenvalues": eigenvalues}
            given = ", ".join(name for name, value in arguments.items() if value is not None)
            raise ValueError(
                f"Bingham: expected matrix alone, or rotation and eigenvalues, got {given or 'none of them'}"
            )
        super().__init__(self.eigenvalues.shape[:-1], torch.Size([3]), validate_args=validate_args)
        self._largest = self.eigenvalues.detach().amax(-1)
        self._log_normaliser = log_normaliser(_below_largest(self.eigenvalues))

    def expand(self, batch_shape: torch.Size | tuple[int, ...], _instance: "Bingham | None" = None) -> "Bingham":
        """Return the distribution with its batch expanded; nothing is computed again."""
        new: Any = self._get_checked_instance(Bingham, _instance)
        batch_shape = torch.Size(batch_shape)
        new._given = self._given.expand(*batch_shape, 3, 3)
        new._by_matrix = self._by_matrix
        new.eigenvalues = self.eigenvalues.expand(*batch_shape, 3)
        new._largest = self._largest.expand(batch_shape)
        new._log_normaliser = self._log_normaliser.expand(batch_shape)
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Constraints that `torch.distributions` checks."""
        if self._by_matrix:
            return {"matrix": constraints.symmetric, "eigenvalues": constraints.real_vector}
        return {"rotation": _Orthogonal(), "eigenvalues": constraints.real_vector}

    @property
    def support(self) -> constraints.Constraint:
        """Unit vectors."""
        return _UnitVector()

    @property
    def matrix(self) -> Matrices:
        """B, shape (..., 3, 3)."""
        return self._given if self._by_matrix else conjugate(self._given, self.eigenvalues)

    @property
    def rotation(self) -> Matrices:
        """Principal axes as columns, in the order of ``eigenvalues``, shape (..., 3, 3)."""
        return torch.linalg.eigh(self._given).eigenvectors if self._by_matrix else self._given

    @property
    def log_normaliser(self) -> Numbers:
        """Log c(B)."""
        return self._largest + self._log_normaliser

    @property
    def mean(self) -> Eigenvalues:
        """Zero, by symmetry."""
        return torch.zeros_like(self.eigenvalues)

    @property
    def mode(self) -> Eigenvalues:
        """Axis of the largest eigenvalue; its negative is as likely."""
        column = self.eigenvalues.argmax(-1)[..., None, None].expand(*self.batch_shape, 3, 1)
        return self.rotation.gather(-1, column)[..., 0]

    @property
    def second_moment(self) -> Matrices:
        """<x xᵀ>, the covariance matrix, shape (..., 3, 3)."""
        return conjugate(self.rotation, moments(self.eigenvalues))

    @property
    def variance(self) -> Eigenvalues:
        """Diagonal of the covariance matrix, shape (..., 3)."""
        return self.second_moment.diagonal(dim1=-2, dim2=-1)

    def log_prob(self, value: Eigenvalues) -> Numbers:
        """Return the log-density of unit vectors (..., 3) with respect to the area."""
        if self._validate_args:
            self._validate_sample(value)
        return self._exponent(value) - self._log_normaliser

    def entropy(self) -> Numbers:
        """Return the differential entropy in nats with respect to the area, at most log 4π."""
        return entropy(self.eigenvalues)

    @torch.no_grad()
    def sample(
        self, sample_shape: torch.Size | tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Eigenvalues:
        """Return draws of shape (*sample_shape, *batch_shape, 3), without gradient."""
        components = sample(self.eigenvalues.expand(self._extended_shape(torch.Size(sample_shape))), generator)
        return (self.rotation * components[..., None, :]).sum(-1)

    def _exponent(self, value: torch.Tensor) -> torch.Tensor:
        """Return xᵀ B x - max λ."""
        if self._by_matrix:
            return ((self._given * value[..., None, :]).sum(-1) * value).sum(-1) - self._largest
        components = (self._given * value[..., :, None]).sum(-2)
        return (_below_largest(self.eigenvalues) * components**2).sum(-1)


@register_kl(Bingham, Bingham)
def _kl_bingham_bingham(p: Bingham, q: Bingham) -> torch.Tensor:
    return kl_divergence(p.rotation, p.eigenvalues, q.rotation, q.eigenvalues)


def _below_largest(eigenvalues: torch.Tensor) -> torch.Tensor:
    """Return λ - max λ in float32 at least; the shift has no gradient, since it changes no distribution."""
    return at_least_single(eigenvalues) - at_least_single(eigenvalues.detach()).amax(-1, keepdim=True)


def _envelope_parameter(rates: torch.Tensor) -> torch.Tensor:
    """Return b in [1, 3] with Σ_k 1 / (b + 2 Λ_k) = 1, shape (..., 1), by Newton's method, monotone from b = 1."""
    b = torch.ones_like(rates[..., :1])
    for _ in range(NEWTON_STEPS):
        terms = 1 / (b + 2 * rates)
        b = b + (terms.sum(-1, keepdim=True) - 1) / terms.square().sum(-1, keepdim=True)
    return b


def _require_shape(name: str, values: torch.Tensor, *trailing: int) -> None:
    if values.shape[-len(trailing) :] != trailing:
        raise ValueError(f"{name}: expected a shape that ends in {trailing}, got {tuple(values.shape)}")
