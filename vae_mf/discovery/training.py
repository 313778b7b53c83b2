"""One model of binary words, trained and kept: what is in its folder is not computed again."""

import shutil
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning import Callback
from scipy.linalg import eigh
from torch import nn

from vae_mf.arrays import Spins
from vae_mf.datamodule import DataSplit, EpochBatches, SpinDataModule
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import MLPEncoder
from vae_mf.models.mixture import MixturePrior
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.training.critic_module import quiet_lightning
from vae_mf.training.fit import fit
from vae_mf.training.prior_refit import refit_prior
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import load_checkpoint, load_weights, save_weights

WEIGHTS = "model.safetensors"
WORK = "training"
"""Folder of checkpoints and logs, which goes when the weights are written."""
PRIOR_WIDTH = 16
"""Of the network of temperature, of which words have one value only."""
REFIT_BATCH = 4096
LARGEST_MEAN = 0.99
"""Of a site at the start, in size: beyond, first order in the weights says nothing."""
TRAINER = {"accelerator": "auto", "devices": 1, "log_every_n_steps": 1}


def new_vae(words: Spins, latents: int, settings: DiscoverySettings, seed: int) -> VAE:
    """Return a model with a linear decoder, whose weights are the patterns, and a prior of many modes."""
    sites = words.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        encoder, decoder = MLPEncoder(sites, latents, settings.hidden), LinearDecoder(sites, latents)
        prior = MixturePrior(latents, settings.components, PRIOR_WIDTH)
    start_at_components(decoder.log_odds, words)
    return VAE(encoder, decoder, prior)


@torch.no_grad()
def start_at_components(log_odds: nn.Linear, words: Spins) -> None:
    """Start a linear decoder with the principal components of words, where random weights leave latents unused.

    Log-odds 2 (h_i + w_i.z) with z of variance 1 give, to first order in w, means m_i = tanh h_i and covariances
    (1 - m_i^2) (1 - m_j^2) w_i.w_j beyond the diagonal, so that w = sqrt(lambda) v / (1 - m^2) of the leading pairs
    (lambda, v) of the covariance.
    """
    spins, latents = words.astype(np.float32), log_odds.in_features
    means, sites = spins.mean(axis=0, dtype=np.float64), spins.shape[1]
    covariance = (spins.T @ spins).astype(np.float64) / len(spins) - np.outer(means, means)
    values, vectors = eigh(covariance, subset_by_index=(sites - latents, sites - 1))
    means = np.clip(means, -LARGEST_MEAN, LARGEST_MEAN)
    weights = np.sqrt(np.maximum(values, 0)) * vectors / (1 - means**2)[:, None]
    log_odds.weight.copy_(torch.from_numpy(2 * np.clip(weights, -1, 1)))
    log_odds.bias.copy_(torch.from_numpy(2 * np.arctanh(means)))


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
        return vae.eval()
    module = VAEModule(vae, settings.learning_rate, settings.weight_decay, settings.decay, seed)
    feed = SpinDataModule(data, settings.batch_size, seed)
    with quiet_lightning():
        best = fit(module, feed, folder / WORK / "checkpoints", settings.epochs, TRAINER, callbacks)
    load_checkpoint(module.cpu(), best.checkpoint)
    if settings.refit_steps:
        batches = (EpochBatches(part, REFIT_BATCH) for part in data[:2])
        refit_prior(vae, *batches, steps=settings.refit_steps, seed=seed)
    save_weights(vae, folder / WEIGHTS)
    shutil.rmtree(folder / WORK)
    return vae.eval()
