"""Divergence of the model from the truth, KL(p || p_model), exact wherever ln Z is known."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.analysis.generation import score
from vae_mf.arrays import States
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average, average
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import exact_thermodynamics

EQUILIBRIUM = "equilibrium"
"""Tag of samples that may be taken for draws from the Boltzmann distribution (see `samplers.diagnostics.diagnose`)."""
UNKNOWN = Average(float("nan"), float("nan"))


def log_truth(system: System, configurations: States, temperature: float) -> Float[np.ndarray, " rows"]:
    """Return ln p(x) = -E(x) / T - ln Z per sample: unlike -S it carries no noise of its own into a difference.

    Raises:
        ValueError: where ln Z is not known.
    """
    return -system.energy(configurations) / temperature - exact_thermodynamics(system, temperature).log_partition


def known_log_truth(
    system: System | None, configurations: States, temperature: float, ensemble: str
) -> Float[np.ndarray, " rows"]:
    """Return ln p(x|T) of every configuration, NaN where p is not known.

    That is where no exact sum for ln Z is feasible, and where the samples are not in equilibrium: chains that stay in
    their valleys follow a restricted law, of which the exact ln Z is not the normalisation, and the divergence from it
    could even come out negative.
    """
    unknown = np.full(len(configurations), np.nan)
    if system is None or ensemble != EQUILIBRIUM:
        return unknown
    try:
        return log_truth(system, configurations, temperature)
    except ValueError:
        return unknown


def likelihood_table(
    vae: VAE,
    system: System | None,
    samples: Mapping[float, States],
    chains: int,
    ensembles: dict[float, str],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return per temperature: ensemble, mean ELBO, importance-weighted log-likelihood, KL(p || p_model), its error.

    Args:
        ensembles: ensemble of the samples at each temperature; the KL is NaN unless it is "equilibrium".
        draws: number of importance draws; the KL is overestimated by the gap of the bound.
    """
    rows = []
    for temperature, configurations in samples.items():
        elbo, importance = score(vae, configurations, temperature, draws, integer(seed, "score"))
        ensemble = ensembles[temperature]
        truth = known_log_truth(system, configurations, temperature, ensemble)
        divergence = average(truth - importance, chains)
        rows.append(
            {
                "temperature": temperature,
                "ensemble": ensemble,
                "elbo": elbo.mean(),
                "log_likelihood": importance.mean(),
                "kl": divergence.value,
                "kl_error": divergence.error,
            }
        )
    return pd.DataFrame(rows)
