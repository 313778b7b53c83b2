"""Held-out log-likelihoods of trained VAEs, beside those of density models."""

import time

from vae_mf.analysis.free_prior import fit_free_prior
from vae_mf.analysis.generation import score
from vae_mf.density_models.comparison import VAE as FAMILY
from vae_mf.density_models.comparison import ModelScores, Part
from vae_mf.discovery.settings import DensityModelSettings
from vae_mf.models.base import free_parameters
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.statistics.averages import evenly_spaced


def score_vae(
    name: str, vae: VAE, validation: Part, test: Part, *, draws: int, seed: int, seconds: float
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


def score_free_prior(
    name: str, vae: VAE, train: Part, validation: Part, test: Part, settings: DensityModelSettings, seed: int
) -> ModelScores:
    """Score held-out rows by the decoder of a trained model, the law of its latent variables being free.

    Args:
        name: name of the model in tables.
        vae: model of data without a condition.
        train: rows that the law is fitted to.
        validation: rows that models are chosen on.
        test: rows that they are compared on.
        settings: number of points, of rows and of steps.
        seed: seed of the points.
    """
    start = time.process_time()
    rows = train[evenly_spaced(len(train), settings.free_rows)]
    model = fit_free_prior(vae, rows, settings.free_points, settings.free_steps, UNCONDITIONED, seed=seed)
    return ModelScores(
        model=name,
        family=FAMILY,
        parameters=free_parameters(vae.decoder) + len(model.weights) - 1,
        validation=model.log_likelihood(validation),
        test=model.log_likelihood(test),
        log_partition_error=0.0,
        seconds=time.process_time() - start,
    )
