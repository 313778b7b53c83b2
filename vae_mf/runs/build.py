"""From a configuration to samplers, models and modules, and from a run folder to its trained model."""

import json
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.checks import require_integer
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.runs.folder import RECORD, find_run
from vae_mf.samplers.base import Sampler
from vae_mf.samplers.plan import configuration_kind
from vae_mf.systems.base import System
from vae_mf.training.augmentation import augmentation
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import load_weights


def build_sampler(config: DictConfig, system: System) -> Sampler:
    """Build the sampler of a configuration, inside parallel tempering if that is asked for."""
    sampler = hydra.utils.instantiate(config.sampler)(system)
    wrapper = config.get("tempering")
    return sampler if wrapper is None else hydra.utils.instantiate(wrapper)(sampler)


def build_vae(model: DictConfig, sites: int, seed: int) -> VAE:
    """Build a model for ``sites`` spins with weights drawn from ``seed``; torch's global generator stays as it was."""
    latents = require_integer("model.latents", model.latents)
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        return VAE(
            hydra.utils.instantiate(model.encoder, sites=sites, latents=latents),
            hydra.utils.instantiate(model.decoder, sites=sites, latents=latents),
            hydra.utils.instantiate(model.prior, latents=latents),
        )


def build_module(config: DictConfig, sites: int, system: System | None = None) -> VAEModule:
    """Build the Lightning module of a configuration.

    Args:
        config: of the run.
        sites: number of sites N.
        system: what the data are samples of, to check that the model fits it; None for a recording.

    Raises:
        ValueError: if the model is for other configurations than those of the system, or the system has no such
            symmetry as the training is to use.
    """
    vae = build_vae(config.model, sites, config.seed)
    recipe = hydra.utils.instantiate(config.training)
    if system is not None:
        require_fit(config.model, vae, system)
    augment = augmentation(recipe.symmetries, getattr(system, "symmetries", ()))
    return recipe.module(vae=vae, seed=config.seed, augment=augment)


def require_fit(model: DictConfig, vae: VAE, system: System) -> None:
    """Raise ValueError unless encoder and decoder are for the configurations (spins or directors) of the system."""
    kind = configuration_kind(system)
    for part in ("encoder", "decoder"):
        found = configuration_kind(getattr(vae, part))
        if found != kind:
            name = model[part]._target_.rpartition(".")[2]
            raise ValueError(f"model/{part}: expected one for the {kind} of {system.name}, got {name} for {found}")


def load(folder: str | Path) -> TrainedModel:
    """Return the trained model of a run folder, ready for evaluation.

    Raises:
        FileNotFoundError: if the folder holds no run or its training is not finished.
    """
    run = find_run(Path(folder))
    sites = json.loads((run.folder / RECORD).read_text())["sites"]
    vae = build_vae(run.config.model, sites, run.config.seed)
    load_weights(vae, run.weights)
    return TrainedModel(vae.eval())
