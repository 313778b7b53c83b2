"""Training modules, callbacks and loggers of configurations."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from vae_mf.models.vae import VAE
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.models import build_vae
from vae_mf.systems.base import HasOrderParameter
from vae_mf.training.augmentation import augmentation
from vae_mf.training.vae_module import VAEModule

LOGGER_EXTRAS = ("wandb", "mlflow")
"""Loggers that need an extra of this package, which has their name."""


def build_module(config: DictConfig, sites: int, system: HasOrderParameter | None = None) -> VAEModule:
    """Build the Lightning module of a configuration.

    Args:
        config: configuration of the run.
        sites: number of sites N.
        system: system that the model must fit; None for a recording.

    Raises:
        ValueError: if the model is for other configurations than those of the system, or the system has no such
            symmetry as the training is to use.
    """
    vae = build_vae(config.model, sites, config.seed)
    recipe = instantiate(config.training)
    if system is not None:
        require_fit(vae, system)
    augment = augmentation(recipe.symmetries, () if system is None else system.symmetries)
    return recipe.module(vae=vae, seed=config.seed, augment=augment)


def require_fit(vae: VAE, system: HasOrderParameter) -> None:
    """Raise ValueError unless the model is for configurations of the system's kind, spins or directors."""
    if vae.kind != system.kind:
        found = f"{type(vae.encoder).__name__} for {vae.kind}, and a decoder for these"
        raise ValueError(f"model/encoder: expected one for the {system.kind} of {system.name}, got {found}")


def build_callbacks(config: DictConfig) -> list[Callback]:
    """Build the further callbacks of the trainer that a configuration asks for."""
    return [instantiate(node) for node in (config.get("callbacks") or {}).values()]


def build_loggers(config: DictConfig, folder: Path) -> list[Logger]:
    """Build the loggers of a configuration, which write into a folder.

    Raises:
        ImportError: if the package of one of them is not installed.
    """
    return [build_logger(name, node, folder) for name, node in (config.get("logger") or {}).items()]


def build_logger(name: Any, node: DictConfig, folder: Path) -> Logger:
    """Build one logger."""
    try:
        return instantiate(node, save_dir=str(folder))
    except ModuleNotFoundError as error:
        if name not in LOGGER_EXTRAS:
            raise
        raise ImportError(
            f"logger={name}: expected its package, got none; install it with pip install 'vae_mf[{name}]'"
        ) from error
