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
UNITS = 16
"""Random units that stand for functions of latent variables."""
STEEPEST = 8.0
"""Largest slope of a unit, in the spread of its inputs."""
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
    known = functions_of(given.astype(np.float32), count, UNITS, seed)
    found = [fitted(known[:count], ups[:count, i], log_odds[:count, i]) for i in range(rows.shape[1])]
    return Reference(log_odds + known @ np.array(found, np.float32).T, count)


def functions_of(summaries: Summaries, training: int, units: int, seed: int) -> Float32[np.ndarray, "rows functions"]:
    """Return the summaries, each in units of its spread, and random units tanh(a (w.u - c)) of them."""
    spread = summaries[:training].std(0).clip(min=np.finfo(np.float32).tiny)
    scaled = (summaries - summaries[:training].mean(0)) / spread
    random = generator(seed, "units")
    directions = random.normal(size=(summaries.shape[1], units))
    directions /= np.linalg.norm(directions, axis=0)
    slopes = np.exp(random.uniform(0, np.log(STEEPEST), units)).astype(np.float32)
    places = random.normal(0, 0.7, units).astype(np.float32)
    return np.hstack([scaled, np.tanh(slopes * (scaled @ directions.astype(np.float32) - places))])
