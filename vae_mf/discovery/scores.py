"""Held-out log-likelihoods of trained VAEs, beside those of density models."""

from vae_mf.analysis.generation import score
from vae_mf.arrays import Spins
from vae_mf.density_models.comparison import VAE as FAMILY
from vae_mf.density_models.comparison import ModelScores
from vae_mf.models.vae import VAE
from vae_mf.verdict.evidence import UNCONDITIONED


def score_vae(
    name: str, vae: VAE, validation: Spins, test: Spins, *, draws: int, seed: int, seconds: float
) -> ModelScores:
    """Score held-out rows by a trained model.

    Args:
        name: name of the model in tables.
        vae: model of data without a condition.
        validation: rows that models are chosen on.
        test: rows that they are compared on.
        draws: number of importance draws of z per row.
        seed: seed of these draws, the same for both parts.
        seconds: time of its training.
    """
    return ModelScores(
        model=name,
        family=FAMILY,
        parameters=vae.free_parameters(),
        validation=score(vae, validation, UNCONDITIONED, draws, seed).importance,
        test=score(vae, test, UNCONDITIONED, draws, seed).importance,
        log_partition_error=0.0,
        seconds=seconds,
    )
