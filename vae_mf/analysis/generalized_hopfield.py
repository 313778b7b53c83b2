"""The Hamiltonian of a linear decoder: a Hopfield model with a general function of the overlaps in place of a square.

With log-odds 2 (W z + b), p(x|T) = exp(-H(x)) Z, H(x) = -b.x - K(W^T x), where
    K(u) = ln E_p~[e^{u.z}],   p~(z) = p(z|T) / (Z prod_i 2cosh(W_i.z + b_i)),   Z = int dz p(z|T) / prod_i 2cosh(...),
is the cumulant generating function of p~. A Gaussian p~ gives back the quadratic energy of Hopfield.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8
from scipy.special import gammaln, logsumexp

from vae_mf.analysis.latent_potential import (
    LatentRows,
    LinearMeanField,
    QuadraticFit,
    fit_quadratic,
    linear_mean_field,
    prior_draws,
)
from vae_mf.checks import require_integer
from vae_mf.models.vae import VAE
from vae_mf.rng import generator

GRID_NODES = {1: 4001, 2: 301}
"""Nodes of the grid along each latent, where there are few enough for one."""
MARGIN = 0.5
"""The grid reaches beyond the draws of the prior by this share of their range."""
ROUNDS = 4
"""Rounds of adaptive importance sampling, all but the last with a quarter of the draws."""
ORIGIN_DRAWS = 2**15
"""Draws at u = 0, at least: all values of K share this point."""
DEGREES = 8.0
"""Degrees of freedom of the proposals, whose tails are heavier than Gaussian."""
CHUNK = 2**16
"""Latent vectors at a time."""
Tilts = Float[np.ndarray, "rows latents"]
"""u = W^T x."""
SpinRows = Int8[np.ndarray, "rows sites"]


class Integral(NamedTuple):
    """The law p~(z) e^{u.z}, not normalised, of every tilt u."""

    log_integral: Float[np.ndarray, " rows"]
    """ln int dz p(z|T) e^{u.z} / prod_i 2cosh(W_i.z + b_i)."""
    error: Float[np.ndarray, " rows"]
    """Its standard error, 0 on a grid."""


class Cumulant(NamedTuple):
    """K(u) of every tilt beside its value for a Gaussian p~."""

    value: Float[np.ndarray, " rows"]
    error: Float[np.ndarray, " rows"]
    """Standard error of the importance sampling, 0 on a grid."""
    gaussian: Float[np.ndarray, " rows"]
    """The same with a Gaussian in place of p~, fitted to its logarithm where the prior has its mass."""


@dataclass(frozen=True, eq=False)
class GeneralizedHopfield:
    """H(x) = -b.x - K(W^T x) of a linear decoder at one temperature, see `generalized_hopfield`.

    Integrals are sums on a grid for one or two latents, and adaptive importance sampling for more: Student proposals
    around the Gaussian that the latent potential suggests, their means and covariances adapted for every tilt.
    """

    model: LinearMeanField
    fit: QuadraticFit
    lowest: Float[np.ndarray, " latents"]
    highest: Float[np.ndarray, " latents"]
    draws: int
    seed: int

    def energy(self, spins: SpinRows) -> Float[np.ndarray, " rows"]:
        """Return H(x) of configurations (rows, N), in units of the temperature."""
        x = spins.astype(np.float64)
        return -x @ self.model.field - self.cumulant(x @ self.model.weights).value

    def log_likelihood(self, spins: SpinRows) -> Float[np.ndarray, " rows"]:
        """Return ln p(x|T) = -H(x) + ln Z of configurations (rows, N), in nats."""
        return -self.energy(spins) + self._origin.log_integral[0]

    def cumulant(self, tilts: Tilts) -> Cumulant:
        """Return K(u) of every row, its error, and its Gaussian baseline."""
        law = self.integral(tilts)
        origin = self._origin
        shifted = self.fit.linear + tilts
        volume = np.linalg.slogdet(2 * np.pi * self._proposal)[1]
        gaussian = self.fit.constant + 0.5 * volume + 0.5 * ((shifted @ self._proposal) * shifted).sum(1)
        return Cumulant(
            law.log_integral - origin.log_integral, np.hypot(law.error, origin.error), gaussian - origin.log_integral
        )

    def integral(self, tilts: Tilts) -> Integral:
        """Return the tilted law p~(z) e^{u.z} of every row u."""
        latents = tilts.shape[1]
        nodes = GRID_NODES[latents] ** latents if latents in GRID_NODES else self.draws
        summed = self._on_grid if latents in GRID_NODES else partial(self._by_importance, draws=self.draws)
        rows = max(1, CHUNK * 32 // nodes) if latents in GRID_NODES else max(1, CHUNK // nodes)
        parts = [summed(tilts[start : start + rows], start) for start in range(0, len(tilts), rows)]
        return Integral(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    @cached_property
    def _origin(self) -> Integral:
        """p~ itself."""
        nothing = np.zeros((1, len(self.lowest)))
        if len(self.lowest) in GRID_NODES:
            return self._on_grid(nothing, 0)
        return self._by_importance(nothing, 0, max(self.draws, ORIGIN_DRAWS))

    @cached_property
    def _proposal(self) -> Float[np.ndarray, "latents latents"]:
        """A^-1, with A kept above the precision that the range of the prior's draws has."""
        values, vectors = np.linalg.eigh(self.fit.precision)
        least = 1 / np.max(self.highest - self.lowest) ** 2
        return (vectors / np.maximum(values, least)) @ vectors.T

    @cached_property
    def _grid(self) -> tuple[LatentRows, Float[np.ndarray, " nodes"]]:
        """Nodes, and ln of the integrand without a tilt times the volume of a cell."""
        margin = MARGIN * (self.highest - self.lowest)
        count = GRID_NODES[len(self.lowest)]
        axes = np.linspace(self.lowest - margin, self.highest + margin, count).T
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        return nodes, self.model.potential(nodes) + np.log(axes[:, 1] - axes[:, 0]).sum()

    def _on_grid(self, tilts: Tilts, start: int) -> Integral:
        nodes, log_cells = self._grid
        log_weights = log_cells + tilts @ nodes.T
        return Integral(logsumexp(log_weights, axis=1), np.zeros(len(tilts)))

    def _by_importance(self, tilts: Tilts, start: int, draws: int) -> Integral:
        random = generator(self.seed, "cumulant", start)
        (rows, latents) = tilts.shape
        mean = (self.fit.linear + tilts) @ self._proposal
        covariance = np.repeat(self._proposal[None], rows, axis=0)
        for count in [-(-draws // 4)] * (ROUNDS - 1) + [draws]:
            factor = np.linalg.cholesky(covariance)
            noise = random.standard_normal((rows, count, latents))
            noise /= np.sqrt(random.chisquare(DEGREES, (rows, count, 1)) / DEGREES)
            z = mean[:, None] + noise @ factor.swapaxes(1, 2)
            log_weights = self.model.potential(z.reshape(-1, latents)).reshape(rows, -1)
            log_weights += (z * tilts[:, None]).sum(-1) - log_student(noise, factor)
            total = logsumexp(log_weights, axis=1)
            weights = np.exp(log_weights - total[:, None])
            effective = 1 / (weights**2).sum(1)
            # Of too few effective draws nothing is learned.
            learned = effective > 4 * latents
            new_mean, new_covariance = moments(weights, z)
            mean = np.where(learned[:, None], new_mean, mean)
            covariance = np.where(learned[:, None, None], new_covariance, covariance)
        error = np.sqrt(np.maximum(1 / effective - 1 / draws, 0))
        return Integral(total - np.log(draws), error)


def moments(
    weights: Float[np.ndarray, "rows draws"], z: Float[np.ndarray, "rows draws latents"]
) -> tuple[LatentRows, Float[np.ndarray, "rows latents latents"]]:
    """Return weighted means and covariances of the draws of every row."""
    weighted = weights[:, :, None] * z
    mean = weighted.sum(1)
    return mean, weighted.swapaxes(1, 2) @ z - mean[:, :, None] * mean[:, None]


def log_student(
    noise: Float[np.ndarray, "rows draws latents"], factor: Float[np.ndarray, "rows latents latents"]
) -> Float[np.ndarray, "rows draws"]:
    """Return the logarithm of the density of mean + factor noise, noise following Student's law."""
    latents = noise.shape[-1]
    volume = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
    constant = gammaln((DEGREES + latents) / 2) - gammaln(DEGREES / 2) - latents / 2 * np.log(DEGREES * np.pi)
    return constant - volume[:, None] - (DEGREES + latents) / 2 * np.log1p((noise**2).sum(-1) / DEGREES)


def generalized_hopfield(vae: VAE, temperature: float, draws: int = 2048, seed: int = 0) -> GeneralizedHopfield:
    """Return the Hamiltonian of a VAE with a linear decoder at one temperature.

    Args:
        draws: importance draws per configuration; as many draws of the prior say where it has its mass.
    """
    return from_mean_field(linear_mean_field(vae, temperature), prior_draws(vae, temperature, draws, seed), draws, seed)


def from_mean_field(model: LinearMeanField, z: LatentRows, draws: int, seed: int) -> GeneralizedHopfield:
    """Return the Hamiltonian of a linear decoder and a prior, of which ``z`` are draws."""
    fit = fit_quadratic(z, model.potential(z))
    return GeneralizedHopfield(model, fit, z.min(0), z.max(0), require_integer("draws", draws), seed)


def cumulant_table(hamiltonian: GeneralizedHopfield, spins: SpinRows, points: int = 41) -> pd.DataFrame:
    """Return K and its Gaussian baseline along the principal axes of the tilts u = W^T x of configurations (rows, N).

    Columns: axis (from 1, that of the largest variance first; all run through the mean tilt), tilt (from there, as far
    as the configurations reach), cumulant, error, gaussian.
    """
    tilts = spins.astype(np.float64) @ hamiltonian.model.weights
    centre = tilts.mean(0)
    frames = []
    for k, axis in enumerate(np.linalg.svd(tilts - centre, full_matrices=False)[2]):
        reached = (tilts - centre) @ axis
        along = np.linspace(reached.min(), reached.max(), require_integer("points", points))
        found = hamiltonian.cumulant(centre + along[:, None] * axis)
        columns = {"cumulant": found.value, "error": found.error, "gaussian": found.gaussian}
        frames.append(pd.DataFrame({"axis": k + 1, "tilt": along} | columns))
    return pd.concat(frames, ignore_index=True)
