"""Reference in which variables are independent given z: p(x_i|z) of every variable, and residuals from it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Shaped
from scipy.special import logit

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.regression import fitted
from vae_mf.rng import generator

FITTED = 2 / 3
"""Share of the rows that is fitted to, the first ones."""
UNITS = 24
"""Random units that stand for functions of latent variables."""
STEEPEST, PLACES = 8.0, 1.4
"""Largest slope of a unit and spread of the places of units, in the spread of their inputs."""
COLLINEAR = 1e-5
"""Variance of a combination of summaries, each of variance 1, below which it is nothing."""
Summaries = Float32[np.ndarray, "rows summaries"]


class Reference(NamedTuple):
    """Law of independent signs given z."""

    log_odds: Float32[np.ndarray, "rows variables"]
    """Log-odds of +1."""
    training: int
    """Number of the first rows, which it was fitted to."""


def training_rows(rows: Shaped[np.ndarray, "rows *axes"]) -> int:
    """Return the number of first rows that are fitted to."""
    return round(FITTED * len(rows))


def reference(rows: Spins, given: Float[np.ndarray, "rows latents"] | None, seed: int = 0) -> Reference:
    """Return the reference that the first rows suggest; a marginal has one more row, of half a count of either sign."""
    count = training_rows(rows)
    ups = rows > 0
    marginal = logit((ups[:count].sum(0) + 0.5) / (count + 1)).astype(np.float32)
    log_odds = np.broadcast_to(marginal, rows.shape)
    if given is None:
        return Reference(log_odds, count)
    known = functions_of(in_units_of_spread(given, count), count, UNITS, seed)
    fits = [fitted(known[:count], ups[:count, i], log_odds[:count, i]) for i in range(rows.shape[1])]
    found = [fit.coefficients for fit in fits]
    return Reference(log_odds + known @ np.array(found, np.float32).T, count)


def in_units_of_spread(given: Shaped[np.ndarray, "rows latents"], training: int) -> Summaries:
    """Return latent variables less their means on the first rows, in units of their spreads there.

    In single precision a small difference of large numbers, such as times, would be lost.
    """
    centred = given.astype(np.float64) - given[:training].mean(0, dtype=np.float64)
    spread = centred[:training].std(0)
    return (centred / np.where(spread > 0, spread, 1)).astype(np.float32)


def functions_of(summaries: Summaries, training: int, units: int, seed: int) -> Float32[np.ndarray, "rows functions"]:
    """Return the summaries without correlations among them, and random units tanh(a (w.u - c)) of these.

    Beyond the values of the first rows the functions go on as constants: a sum that did not vary there may be large.
    """
    scaled = uncorrelated(summaries, training)
    if len(scaled):
        scaled = scaled.clip(scaled[:training].min(0), scaled[:training].max(0))
    random = generator(seed, "units")
    directions = random.normal(size=(scaled.shape[1], units))
    directions /= np.linalg.norm(directions, axis=0)
    slopes = np.exp(random.uniform(0, np.log(STEEPEST), units)).astype(np.float32)
    places = random.normal(0, PLACES, units).astype(np.float32)
    return np.hstack([scaled, np.tanh(slopes * (scaled @ directions.astype(np.float32) - places))])


def uncorrelated(summaries: Summaries, training: int) -> Float32[np.ndarray, "rows combinations"]:
    """Return combinations of the summaries that the first rows show uncorrelated and of variance 1.

    A small difference of two of them, as of an order parameter and one that is seen with noise, may tell the most.
    """
    centred = summaries - summaries[:training].mean(0)
    spread = centred[:training].std(0)
    scaled = centred / np.where(spread > 0, spread, 1)
    values, vectors = np.linalg.eigh(np.cov(scaled[:training].T, bias=True).reshape(2 * (len(spread),)))
    kept = values > COLLINEAR
    return scaled @ (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
