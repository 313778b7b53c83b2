"""Start of a decoder at the principal components of the data instead of random weights."""

import numpy as np
import torch
from scipy.linalg import eigh

from vae_mf.arrays import Spins
from vae_mf.models.base import Decoder, LinearStart

LARGEST_MEAN = 0.99
"""Largest mean of a site, in size: beyond, first order in the weights says nothing."""


def start_at_components(decoder: Decoder, spins: Spins) -> None:
    """Start a decoder with a linear part at the principal components of the data; others stay as they are.

    Log-odds 2 (h_i + w_i.z) with z of variance 1 give, to first order in w, means m_i = tanh h_i and covariances
    (1 - m_i^2) (1 - m_j^2) w_i.w_j beyond the diagonal, so that w = sqrt(lambda) v / (1 - m^2) of the leading pairs
    (lambda, v) of the covariance. Random weights leave latents unused, and silent sites take epochs to become so.
    Weights of latents beyond the number of sites stay as they are.

    Args:
        decoder: changed in place if it offers `vae_mf.models.base.LinearStart`.
        spins: training rows, shape (rows, sites).
    """
    if isinstance(decoder, LinearStart):
        means, weights = first_order(spins, min(decoder.sites, decoder.latents))
        decoder.start_at(torch.from_numpy(np.clip(weights, -1, 1)), torch.from_numpy(np.arctanh(means)))


def first_order(rows: Spins, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the clipped means (sites,) of rows and the weights w (sites, count) of their leading components."""
    spins = rows.astype(np.float32)
    sites = rows.shape[1]
    means = spins.mean(axis=0, dtype=np.float64)
    covariance = (spins.T @ spins).astype(np.float64) / len(spins) - np.outer(means, means)
    values, vectors = eigh(covariance, subset_by_index=(sites - count, sites - 1))
    means = np.clip(means, -LARGEST_MEAN, LARGEST_MEAN)
    return means, np.sqrt(np.maximum(values, 0)) * vectors / (1 - means**2)[:, None]
