"""The Bingham distribution on the sphere, p(x) = exp(xᵀ B x) / c(B) with B symmetric: x and -x are equally likely.

Functions of the eigenvalues λ of B, in any order (`log_normaliser`, `moments`, `sample`), of B itself
(`matrix_log_normaliser`), and a class. A number added to all λ changes nothing but c. Half precision is raised to
float32.

Source: Bingham, Annals of Statistics 2 (1974) 1201; draws: `vae_mf.models.directors.bingham_draws`.

>>> eigenvalues = torch.tensor([1.3, -0.7, 2.1], dtype=torch.float64)
>>> round(log_normaliser(eigenvalues).exp().item(), 9)
39.350529085
>>> director = Bingham(matrix=torch.diag(eigenvalues))
>>> director.second_moment.diagonal().allclose(moments(eigenvalues))
True
>>> director.sample((1000,)).shape
torch.Size([1000, 3])
"""

import math

import torch
from jaxtyping import Float

from vae_mf.models.directors.bingham_draws import Envelope, few_digits
from vae_mf.models.directors.bingham_normaliser import Eigenvalues, Numbers, at_least_single, log_normaliser, moments
from vae_mf.models.directors.symmetric_tensors import Matrices, conjugate, symmetric_eigenvalues


def matrix_log_normaliser(matrix: Matrices) -> Numbers:
    """Return log c(B), whose gradient is the matrix <x xᵀ>; no eigenvector is computed or differentiated.

    It can be differentiated a second time where no two eigenvalues coincide.
    """
    return log_normaliser(symmetric_eigenvalues(at_least_single(matrix)))


@torch.no_grad()
def sample(eigenvalues: Eigenvalues, generator: torch.Generator | None = None) -> Eigenvalues:
    """Return one draw for each row of eigenvalues, in the frame of the principal axes.

    Args:
        generator: source of randomness on the device of the eigenvalues; None for torch's own.

    Raises:
        ValueError: if an eigenvalue is not finite; on CUDA, where nothing waits to see it, its draw is NaN.
    """
    axes = torch.eye(3, dtype=at_least_single(eigenvalues).dtype, device=eigenvalues.device)
    return Bingham(rotation=axes, eigenvalues=eigenvalues).sample((), generator)


class Bingham:
    """Bingham distributions, density exp(xᵀ B x) / c(B) with respect to the area of the sphere.

    Made from ``matrix``, their log-density has exact gradients at any B; `second_moment` uses eigenvectors, whose
    gradient exists for distinct eigenvalues only.

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
        self._kept: Numbers | None = None

    @property
    def _log_normaliser(self) -> Numbers:
        """Log c(B) - max λ, which draws do not need."""
        if self._kept is None:  # functools.cached_property takes a lock, which breaks a compiled graph
            self._kept = log_normaliser(_below_largest(self.eigenvalues))
        return self._kept

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
        """Return draws of shape (*sample_shape, ..., 3), without gradient; neither normaliser nor axes are computed.

        Raises:
            ValueError: if an eigenvalue is not finite; on CUDA, where nothing waits to see it, its draw is NaN.
        """
        if not self.eigenvalues.is_cuda and not torch.isfinite(self.eigenvalues).all():
            raise ValueError("eigenvalues: expected finite numbers, got NaN or infinity")
        envelope = self._envelope()
        draw = envelope.draw_without_waiting if self.eigenvalues.is_cuda else envelope.draw
        return draw(math.prod(sample_shape), generator).view(*sample_shape, *self.eigenvalues.shape)

    def _envelope(self) -> Envelope:
        rates = -_below_largest(self.eigenvalues).reshape(-1, 3)
        # A device is not asked for axes, which it would have to wait for.
        if self._by_matrix and (rates.is_cuda or few_digits(rates).all()):
            return Envelope.of_matrices(self._given.reshape(-1, 3, 3), self._largest.reshape(-1), rates)
        return Envelope.along_axes(self.rotation.reshape(-1, 3, 3), rates)

    def _exponent(self, value: torch.Tensor) -> torch.Tensor:
        """Return xᵀ B x - max λ."""
        if self._by_matrix:
            return ((self._given * value[..., None, :]).sum(-1) * value).sum(-1) - self._largest
        components = (self._given * value[..., :, None]).sum(-2)
        return (_below_largest(self.eigenvalues) * components**2).sum(-1)


def _below_largest(eigenvalues: torch.Tensor) -> torch.Tensor:
    """Return λ - max λ in float32 at least; the shift has no gradient, since it changes no distribution."""
    return at_least_single(eigenvalues) - at_least_single(eigenvalues.detach()).amax(-1, keepdim=True)


def _require_shape(name: str, values: torch.Tensor, *trailing: int) -> None:
    if values.shape[-len(trailing) :] != trailing:
        raise ValueError(f"{name}: expected a shape that ends in {trailing}, got {tuple(values.shape)}")
