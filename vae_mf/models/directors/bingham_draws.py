"""Draws from Bingham distributions by rejection, each distribution prepared once for all of its draws.

Source: Kent, Ganeiban and Mardia, JCGS 27 (2018) 291.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float

from vae_mf.models.directors.bingham_normaliser import Eigenvalues
from vae_mf.models.directors.symmetric_tensors import Matrices
from vae_mf.models.temperature import full_precision

NEWTON_STEPS = 8
"""Steps towards the best envelope; after any number of them draws are exact."""
ROUNDS = 48
"""Candidates of every draw where nothing is to wait; all are refused once in 10^17 draws, which is then NaN."""
ROUNDING = 8
"""Units of rounding by which Ω is kept positive definite; t grows by a constant, and draws stay exact."""
LARGEST_GAP = 0.05
"""Gap of the eigenvalues, times the unit of rounding, up to which candidates by a Cholesky factor are good ones."""

Vectors = Float[torch.Tensor, "draws distributions 3"]


class Envelope(NamedTuple):
    """Law of the candidates of every distribution, an angular central Gaussian with Ω = I + 2 (max λ - B) / b.

    A candidate is y = w / |w|, w = R v, R Rᵀ = Ω⁻¹, v uniform on the sphere. With t = yᵀ Ω y = 1 / |w|² one is accepted
    with probability e^{(b/2)(1 - t)} t^{3/2} / M, M = e^{-(3 - b)/2} (3/b)^{3/2}; Tr (b Ω)⁻¹ = 1 makes that most
    frequent, 0.57 to 1.
    """

    b: Float[torch.Tensor, "distributions 1"]
    root: Float[torch.Tensor, "distributions 3 3"]
    """R."""
    log_bound: Float[torch.Tensor, "distributions 1"]
    """ln M."""

    @staticmethod
    def along_axes(rotation: Matrices, rates: Eigenvalues) -> "Envelope":
        """Return the envelopes of distributions with given axes, as columns, and max λ - λ along them."""
        b = envelope_parameter(rates)
        return Envelope(b, rotation * (1 + 2 * rates / b).rsqrt()[:, None], _log_bound(b))

    @staticmethod
    def of_matrices(matrix: Matrices, largest: Float[torch.Tensor, " distributions"], rates: Eigenvalues) -> "Envelope":
        """Return the envelopes of distributions with given B, their largest λ, and max λ - λ; no axis is computed.

        R is the inverse transpose of the Cholesky factor of Ω, another root of Ω⁻¹ than that along the axes. It is NaN
        beyond `LARGEST_GAP`.
        """
        b = envelope_parameter(torch.where(few_digits(rates), rates, torch.nan))
        identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
        kept = ROUNDING * torch.finfo(matrix.dtype).eps * (1 + 2 * rates.sum(-1, keepdim=True) / b)
        omega = (1 + kept)[..., None] * identity + 2 * (largest[:, None, None] * identity - matrix) / b[..., None]
        factor = torch.linalg.cholesky_ex(omega).L
        root = torch.linalg.solve_triangular(factor.mT, identity.expand_as(omega), upper=True)
        return Envelope(b, root, _log_bound(b))

    def select(self, rows: torch.Tensor) -> "Envelope":
        """Return some of the envelopes."""
        return Envelope(*(part[rows] for part in self))

    def candidates(
        self, draws: int, generator: torch.Generator | None
    ) -> tuple[Vectors, Bool[torch.Tensor, "draws distributions"]]:
        """Return candidates of every distribution, and which of them are accepted."""
        shape = (draws, *self.b.shape)
        v = self.root.new_empty((*shape[:2], 3)).normal_(generator=generator)
        uniforms = self.b.new_empty(shape).uniform_(generator=generator)
        with full_precision(v):
            w = torch.einsum("dij,ndj->ndi", self.root, v)
        squares = w.square().sum(-1, keepdim=True)
        t = v.square().sum(-1, keepdim=True) / squares
        log_ratio = self.b / 2 * (1 - t) + 1.5 * t.log() - self.log_bound
        return w * squares.rsqrt(), (uniforms.log() < log_ratio)[..., 0]

    def draw(self, draws: int, generator: torch.Generator | None) -> Vectors:
        """Return draws; one that is accepted takes part no longer, which the processor has to know."""
        found, accepted = self.candidates(draws, generator)
        flat = found.reshape(-1, 3)
        pending = (~accepted).flatten().nonzero()[:, 0]
        while len(pending):
            again, accepted = self.select(pending % len(self.b)).candidates(1, generator)
            flat[pending[accepted[0]]] = again[0, accepted[0]]
            pending = pending[~accepted[0]]
        return flat.view(found.shape)

    def draw_without_waiting(self, draws: int, generator: torch.Generator | None) -> Vectors:
        """Return draws after `ROUNDS` candidates of each; NaN where eigenvalues are not finite."""
        found = self.root.new_full((draws, len(self.b), 3), torch.nan)
        for _ in range(ROUNDS):
            again, accepted = self.candidates(draws, generator)
            found = torch.where(found.isnan() & accepted[..., None], again, found)
        return found


def few_digits(rates: Eigenvalues) -> Bool[torch.Tensor, "distributions 1"]:
    """Return which distributions have eigenvalues that are no further apart than `LARGEST_GAP` allows."""
    return rates.amax(-1, keepdim=True) * torch.finfo(rates.dtype).eps < LARGEST_GAP


def envelope_parameter(rates: Eigenvalues) -> torch.Tensor:
    """Return b in [1, 3] with Σ_k 1 / (b + 2 Λ_k) = 1, shape (..., 1), by Newton's method, monotone from b = 1."""
    b = torch.ones_like(rates[..., :1])
    for _ in range(NEWTON_STEPS):
        terms = 1 / (b + 2 * rates)
        b = b + (terms.sum(-1, keepdim=True) - 1) / terms.square().sum(-1, keepdim=True)
    return b


def _log_bound(b: torch.Tensor) -> torch.Tensor:
    return 1.5 * torch.log(3 / b) - (3 - b) / 2
