"""Couplings with their scale, beta J, read off the prior of a linear decoder.

With log-odds 2 (W z + b), p(x|T) is proportional to e^{b.x} int dz exp( phi(z) + (W^T x).z ), with the latent potential
    phi(z) = ln p(z|T) - sum_i ln 2cosh(W_i.z + b_i).
By Hubbard and Stratonovich it is quadratic for a mean-field system, phi = const + l.z - z^T A z / 2, and the couplings
are beta J_ij = (W A^-1 W^T)_ij, the fields b + W A^-1 l, whatever the scale of the latents.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import model_generator
from vae_mf.arrays import Couplings, Fields
from vae_mf.checks import require_energy_scale, require_integer
from vae_mf.models.base import LinearLogOdds
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average
from vae_mf.systems.base import HasMeanFieldCouplings

ROWS = 2**16
"""Latent vectors whose densities are computed at a time."""
LatentRows = Float[np.ndarray, "rows latents"]


@dataclass(frozen=True, eq=False)
class LinearMeanField:
    """A linear decoder with its prior at one temperature, as arrays.

    Args:
        weights: W, shape (N, d), half the decoder's.
        field: b, shape (N,), half the decoder's.
        log_prior: ln p(z|T) of rows (rows, d).
    """

    weights: Float[np.ndarray, "sites latents"]
    field: Fields
    log_prior: Callable[[LatentRows], Float[np.ndarray, " rows"]]

    def potential(self, z: LatentRows) -> Float[np.ndarray, " rows"]:
        """Return phi(z) = ln p(z|T) - sum_i ln 2cosh(W_i.z + b_i) of every row."""
        fields = np.abs(z @ self.weights.T + self.field)
        return self.log_prior(z) - (fields + np.log1p(np.exp(-2 * fields))).sum(1)


class QuadraticFit(NamedTuple):
    """Least-squares fit phi(z) = constant + l.z - z^T A z / 2."""

    constant: float
    linear: Float[np.ndarray, " latents"]
    """l."""
    precision: Float[np.ndarray, "latents latents"]
    """A."""
    residual: float
    """Root mean square of the residuals, in nats."""
    r2: float
    """Share of the variance that it explains."""


class PotentialCouplings(NamedTuple):
    """Reduced couplings and fields, p(x) ~ exp(sum_{i<j} beta J_ij x_i x_j + sum_i h_i x_i)."""

    couplings: Couplings
    fields: Fields
    fit: QuadraticFit


def linear_mean_field(vae: VAE, temperature: float) -> LinearMeanField:
    """Return W, b and ln p(z|T) of a VAE.

    Raises:
        ValueError: if its decoder is not linear in the log-odds or the temperature not positive.
    """
    require_energy_scale("temperature", temperature)
    decoder = vae.decoder
    if not isinstance(decoder, LinearLogOdds):
        raise ValueError(
            f"vae: expected a decoder with log-odds linear in z, such as LinearDecoder, got {type(decoder).__name__}"
        )
    like = decoder.weights.detach()

    @torch.no_grad()
    def log_prior(z: LatentRows) -> Float[np.ndarray, " rows"]:
        parts = torch.as_tensor(z, dtype=like.dtype, device=like.device).split(ROWS)
        densities = [vae.prior(constant_condition(temperature, len(part), like)).log_prob(part) for part in parts]
        return torch.cat(densities).double().cpu().numpy()

    return LinearMeanField(like.double().cpu().numpy(), decoder.fields.detach().double().cpu().numpy(), log_prior)


@torch.no_grad()
def prior_draws(vae: VAE, temperature: float, count: int, seed: int) -> LatentRows:
    """Return ``count`` draws of z from p(z|T)."""
    condition = constant_condition(temperature, require_integer("count", count), next(vae.parameters()))
    return vae.sample_latents(condition, model_generator(vae, seed)).double().cpu().numpy()


def fit_quadratic(z: LatentRows, values: Float[np.ndarray, " rows"]) -> QuadraticFit:
    """Fit values at points z by a quadratic form, without weights.

    Raises:
        ValueError: if there are fewer points than coefficients.
    """
    rows, latents = z.shape
    first, second = np.triu_indices(latents)
    if rows < 1 + latents + len(first):
        raise ValueError(f"z: expected at least {1 + latents + len(first)} points, got {rows}")
    # Standardised, or the squares of narrow distributions would be lost beside the constant.
    centre = z.mean(0)
    scale = z.std(0)
    y = (z - centre) / scale
    features = np.concatenate((np.ones((rows, 1)), y, y[:, first] * y[:, second]), axis=1)
    coefficients = np.linalg.lstsq(features, values, rcond=None)[0]
    left = values - features @ coefficients
    upper = np.zeros((latents, latents))
    upper[first, second] = coefficients[1 + latents :]
    precision = -(upper + upper.T) / np.outer(scale, scale)
    slope = coefficients[1 : 1 + latents] / scale
    linear = slope + precision @ centre
    constant = coefficients[0] - slope @ centre - 0.5 * centre @ precision @ centre
    return QuadraticFit(
        float(constant), linear, precision, float(np.sqrt(np.mean(left**2))), float(1 - left.var() / values.var())
    )


def potential_couplings(vae: VAE, temperature: float, draws: int, seed: int) -> PotentialCouplings:
    """Return beta J_ij = (W A^-1 W^T)_ij and fields from the potential, fitted where the prior has its mass."""
    model = linear_mean_field(vae, temperature)
    z = prior_draws(vae, temperature, draws, seed)
    fit = fit_quadratic(z, model.potential(z))
    mixed = np.linalg.solve(fit.precision, np.column_stack((model.weights.T, fit.linear)))
    couplings = model.weights @ mixed[:, :-1]
    np.fill_diagonal(couplings, 0.0)
    return PotentialCouplings((couplings + couplings.T) / 2, model.field + model.weights @ mixed[:, -1], fit)


def least_error(energies: Float[np.ndarray, " rows"], coupling: float, chains: int, rows: int) -> float:
    """Return the least error of beta J that an unbiased estimate from so many rows can have (Cramér and Rao).

    The mean of -E / J moves with beta J by its own variance, so that the error of this mean, over chains, is that of
    beta J times the variance. NaN where all energies are alike.

    Args:
        energies: energies of other configurations, those of one chain next to each other.
        coupling: J.
        chains: number of chains, equally long.
        rows: number of configurations that the estimate is from.
    """
    conjugate = energies / coupling
    variance = conjugate.var()
    if variance == 0:
        return float("nan")
    return float(average(conjugate, chains).error * np.sqrt(len(energies) / rows) / variance)


def coupling_table(
    vae: VAE, system: HasMeanFieldCouplings, temperatures: Iterable[float], draws: int, seed: int
) -> pd.DataFrame:
    """Return the couplings of a mean-field system per temperature, beside the truth.

    Columns: temperature; ``beta_j``, the slope of the couplings found against those of J = T = 1; ``exact``, J / T;
    ``relative_error`` of that slope; ``matrix_error``, |found - true| / |true| over all pairs; ``residual`` (nats) and
    ``r2``, which say how quadratic the potential is.
    """
    unit = system.couplings / system.coupling
    rows = []
    for t, temperature in enumerate(temperatures):
        found = potential_couplings(vae, temperature, draws, integer(seed, "potential", t))
        beta_j = float((found.couplings * unit).sum() / (unit**2).sum())
        exact = system.coupling / temperature
        rows.append(
            {
                "temperature": temperature,
                "beta_j": beta_j,
                "exact": exact,
                "relative_error": beta_j / exact - 1,
                "matrix_error": float(np.linalg.norm(found.couplings / exact - unit) / np.linalg.norm(unit)),
                "residual": found.fit.residual,
                "r2": found.fit.r2,
            }
        )
    return pd.DataFrame(rows)
