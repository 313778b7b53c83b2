"""How far the model is from the truth: KL(p || p_model), exact wherever ln Z is known."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.evaluation.generation import score
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.systems.base import System


class Divergence(NamedTuple):
    """A divergence in nats per configuration with its standard error."""

    value: float
    error: float


def divergence_from_truth(
    log_truth: Float[np.ndarray, " rows"], log_model: Float[np.ndarray, " rows"], chains: int
) -> Divergence:
    """Return KL(p || p_model) = <ln p(s) - ln p_model(s)> over samples of p, the error from ``chains`` means.

    Args:
        chains: independent groups of neighbouring rows (Markov chains); the error of a single one is unknown, NaN.
    """
    difference = log_truth - log_model
    chains = min(chains, len(difference))
    if chains < 2:
        return Divergence(float(difference.mean()), float("nan"))
    means = np.array([part.mean() for part in np.array_split(difference, chains)])
    return Divergence(float(difference.mean()), float(means.std(ddof=1) / np.sqrt(len(means))))


def log_truth(system: System, spins: Spins, temperature: float) -> Float[np.ndarray, " rows"]:
    """Return ln p(s) = -E(s) / T - ln Z per sample: unlike -S it carries no noise of its own into a difference.

    Raises:
        ValueError: where ln Z is not known.
    """
    return -system.energy(spins) / temperature - system.thermodynamics(temperature).log_partition


def likelihood_table(
    vae: VAE, system: System, samples: dict[float, Spins], chains: int, draws: int, seed: int
) -> pd.DataFrame:
    """Return per temperature: mean ELBO, importance-weighted log-likelihood, and KL(p || p_model) with its error.

    Args:
        samples: held-out configurations at each temperature, rows of one chain next to each other.
        chains: number of chains among them.
        draws: importance draws; the KL is overestimated by what the bound still misses.
    """
    rows = []
    for temperature, spins in samples.items():
        elbo, importance = score(vae, spins, temperature, draws, integer(seed, "score"))
        try:
            divergence = divergence_from_truth(log_truth(system, spins, temperature), importance, chains)
        except ValueError:
            divergence = Divergence(float("nan"), float("nan"))
        rows.append(
            {
                "temperature": temperature,
                "elbo": elbo.mean(),
                "log_likelihood": importance.mean(),
                "kl": divergence.value,
                "kl_error": divergence.error,
            }
        )
    return pd.DataFrame(rows)
