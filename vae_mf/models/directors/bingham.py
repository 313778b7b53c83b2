"""The Bingham distribution on the sphere, p(x) = exp(xᵀ B x) / c(B) with B symmetric: x and -x are equally likely.

Functions of the eigenvalues λ of B, in any order (`log_normaliser`, `moments`, `sample`), of B itself
(`matrix_log_normaliser`), and a class. A number added to all λ changes nothing but c. Half precision is raised to
float32.

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

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch.nn.functional import normalize

from vae_mf.models.directors.bingham_normaliser import Eigenvalues, Numbers, at_least_single, log_normaliser, moments
from vae_mf.models.directors.symmetric_tensors import Matrices, conjugate, symmetric_eigenvalues

NEWTON_STEPS = 8
"""Steps towards the best envelope; after any number of them draws are exact."""
ROUNDS = 48
"""Candidates of every row where nothing is to wait; all are refused once in 10^17 rows, whose draw is NaN."""


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
        ValueError: if an eigenvalue is not finite; on CUDA, where nothing waits to see it, its draw is NaN.
    """
    rates = -_below_largest(eigenvalues).reshape(-1, 3)
    envelope = Envelope.of(rates)
    if rates.is_cuda:
        return envelope.draw_without_waiting(generator).view(eigenvalues.shape)
    if not torch.isfinite(eigenvalues).all():
        raise ValueError("eigenvalues: expected finite numbers, got NaN or infinity")
    return envelope.draw(generator).view(eigenvalues.shape)


class Envelope(NamedTuple):
    """Law of the candidates of every row, see `sample`."""

    b: Float[torch.Tensor, "rows 1"]
    scales: Eigenvalues
    """Diagonal of Ω^{-1/2}."""
    log_bound: Float[torch.Tensor, "rows 1"]
    """ln M."""

    @staticmethod
    def of(rates: Eigenvalues) -> "Envelope":
        """Return the envelopes of rows of Λ, shape (rows, 3)."""
        b = _envelope_parameter(rates)
        return Envelope(b, (1 + 2 * rates / b).rsqrt(), 1.5 * torch.log(3 / b) - (3 - b) / 2)

    def candidates(self, generator: torch.Generator | None) -> tuple[Eigenvalues, Bool[torch.Tensor, " rows"]]:
        """Return a candidate for every row, and whether it is accepted."""
        normals = self.scales.new_empty(self.scales.shape).normal_(generator=generator)
        uniforms = self.b.new_empty(self.b.shape).uniform_(generator=generator)
        w = self.scales * normalize(normals, dim=-1)
        length = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
        t = length.pow(-2)
        log_ratio = self.b / 2 * (1 - t) + 1.5 * t.log() - self.log_bound
        return w / length, (uniforms.log() < log_ratio)[:, 0]

    def draw(self, generator: torch.Generator | None) -> Eigenvalues:
        """Return draws; a row that has one takes part no longer, which the processor has to know."""
        draws = torch.empty_like(self.scales)
        pending = torch.arange(len(draws), device=draws.device)
        while len(pending):
            found, accepted = Envelope(*(part[pending] for part in self)).candidates(generator)
            draws[pending[accepted]] = found[accepted]
            pending = pending[~accepted]
        return draws

    def draw_without_waiting(self, generator: torch.Generator | None) -> Eigenvalues:
        """Return draws after `ROUNDS` candidates of every row; NaN where eigenvalues are not finite."""
        draws = torch.full_like(self.scales, torch.nan)
        for _ in range(ROUNDS):
            found, accepted = self.candidates(generator)
            draws = torch.where(draws.isnan() & accepted[:, None], found, draws)
        return draws


class Bingham:
    """Bingham distributions, density exp(xᵀ B x) / c(B) with respect to the area of the sphere.

    Made from ``matrix``, their log-density has exact gradients at any B; draws and `second_moment` use eigenvectors,
    whose gradient exists for distinct eigenvalues only.

    Args:
        matrix: B, symmetric, shape (..., 3, 3); None if its axes and eigenvalues are given.
        rotation: principal axes of B as columns, shape (..., 3, 3); None if B is given.
        eigenvalues: eigenvalues of B along these axes, shape (..., 3); None if B is given.

    Raises:
        ValueError: unless one of the two ways is chosen.
    """

    def __init__(
        self,
        matrix: Float[torch.Tensor, "..."] | None = None,
        *,
        rotation: Float[torch.Tensor, "..."] | None = None,
        eigenvalues: Float[torch.Tensor, "..."] | None = None,
    ) -> None:
        self._by_matrix = matrix is not None
        if matrix is not None and rotation is None and eigenvalues is None:
            _require_shape("matrix", matrix, 3, 3)
            self._given = at_least_single(matrix)
            self.eigenvalues = symmetric_eigenvalues(self._given)
        elif matrix is None and rotation is not None and eigenvalues is not None:
            _require_shape("rotation", rotation, 3, 3)
            _require_shape("eigenvalues", eigenvalues, 3)
            batch = torch.broadcast_shapes(rotation.shape[:-2], eigenvalues.shape[:-1])
            self._given = at_least_single(rotation).expand(*batch, 3, 3)
            self.eigenvalues = at_least_single(eigenvalues).expand(*batch, 3)
        else:
            arguments = {"matrix": matrix, "rotation": rotation, "eigenvalues": eigenvalues}
            given = ", ".join(name for name, value in arguments.items() if value is not None)
            raise ValueError(
                f"Bingham: expected matrix alone, or rotation and eigenvalues, got {given or 'none of them'}"
            )
        self._largest = self.eigenvalues.detach().amax(-1)
        self._log_normaliser = log_normaliser(_below_largest(self.eigenvalues))

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
    def second_moment(self) -> Matrices:
        """<x xᵀ>, the covariance matrix, shape (..., 3, 3)."""
        return conjugate(self.rotation, moments(self.eigenvalues))

    def log_prob(self, value: Eigenvalues) -> Numbers:
        """Return the log-density of unit vectors (..., 3) with respect to the area."""
        return self._exponent(value) - self._log_normaliser

    @torch.no_grad()
    def sample(self, sample_shape: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Eigenvalues:
        """Return draws of shape (*sample_shape, ..., 3), without gradient."""
        components = sample(self.eigenvalues.expand(*sample_shape, *self.eigenvalues.shape), generator)
        return (self.rotation * components[..., None, :]).sum(-1)

    def _exponent(self, value: torch.Tensor) -> torch.Tensor:
        """Return xᵀ B x - max λ."""
        if self._by_matrix:
            return ((self._given * value[..., None, :]).sum(-1) * value).sum(-1) - self._largest
        components = (self._given * value[..., :, None]).sum(-2)
        return (_below_largest(self.eigenvalues) * components**2).sum(-1)


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
