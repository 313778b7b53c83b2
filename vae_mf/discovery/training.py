"""One model of binary words, trained and kept: what is in its folder is not computed again."""

import shutil
from pathlib import Path

import torch
from pytorch_lightning import Callback

from vae_mf.arrays import Spins
from vae_mf.datamodule import DataSplit
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import MLPEncoder
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.training.critic_module import quiet_lightning
from vae_mf.training.recipe import Recipe
from vae_mf.training.start import start_at_components
from vae_mf.training.train import train
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import WEIGHTS, load_weights

WORK = "training"
"""Folder of checkpoints and logs, which goes when the weights are written."""
PRIOR_WIDTH = 16
"""Of the network of temperature, of which words have one value only."""
TRAINER = {"accelerator": "auto", "devices": 1, "log_every_n_steps": 1}


def new_vae(words: Spins, latents: int, settings: DiscoverySettings, seed: int) -> VAE:
    """Return a model with a linear decoder, whose weights are the patterns, and a prior of many modes."""
    sites = words.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        encoder, decoder = MLPEncoder(sites, latents, settings.hidden), LinearDecoder(sites, latents)
        prior = MixturePrior(latents, settings.components, PRIOR_WIDTH)
    start_at_components(decoder, words)
    return VAE(encoder, decoder, prior)


def schedule(rows: int, settings: DiscoverySettings) -> tuple[int, float]:
    """Return the number of epochs for so many rows, and the factor on the learning rate after each."""
    steps_per_epoch = max(1, rows // settings.batch_size)
    epochs = max(settings.epochs, -(-settings.steps // steps_per_epoch))
    return epochs, (settings.last_learning_rate / settings.learning_rate) ** (1 / max(1, epochs - 1))


def trained(
    data: DataSplit,
    latents: int,
    settings: DiscoverySettings,
    seed: int,
    folder: Path,
    callbacks: list[Callback],
) -> VAE:
    """Return the model in ``folder``, in evaluation mode, trained and written if it is not yet there.

    A training that was interrupted goes on from its last epoch.

    Args:
        data: to fit to, to choose the epoch on, and to leave alone.
        latents: dimension d of z.
        settings: of architecture and training.
        seed: of weights, order and noise.
        folder: of this one model.
        callbacks: of the trainer.
    """
    vae = new_vae(data.train.states(), latents, settings, seed)
    if (folder / WEIGHTS).exists():
        load_weights(vae, folder / WEIGHTS)
        keep_weights_only(folder)
        return vae.eval()
    epochs, decay = schedule(len(data.train), settings)
    recipe = Recipe(
        epochs,
        settings.batch_size,
        VAEModule,
        encoder_refit_steps=settings.refit_steps,
        encoder_refit_learning_rate=settings.refit_learning_rate,
    )
    draws = settings.training_draws
    module = VAEModule(vae, settings.learning_rate, settings.weight_decay, decay, seed, draws=draws)
    checkpoints = folder / WORK / "checkpoints"
    with quiet_lightning():
        train(
            module,
            data,
            recipe,
            checkpoints=checkpoints,
            weights=folder / WEIGHTS,
            trainer=TRAINER,
            callbacks=callbacks,
        )
    keep_weights_only(folder)
    return vae.eval()


def keep_weights_only(folder: Path) -> None:
    """Remove checkpoints, logs and what a process that was killed has left of half a file."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != WEIGHTS:
            path.unlink()
