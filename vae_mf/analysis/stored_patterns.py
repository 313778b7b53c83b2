"""Stored patterns read off a trained decoder, and off the raw samples by the classical route, matched to the truth."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int8
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from torch.func import jacfwd, vmap

from vae_mf.analysis.generation import model_generator
from vae_mf.arrays import Patterns, Spins
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE
from vae_mf.statistics.sign_vectors import recover, unmix

JACOBIAN_BATCH = 64


class PatternMatch(NamedTuple):
    """Recovered patterns put in the order and signs of the true ones."""

    patterns: Patterns
    """Recovered patterns, shape (P, N), aligned with the truth."""
    overlaps: Float[np.ndarray, "patterns patterns"]
    """Overlap of every aligned recovered pattern (row) with every true one (column)."""

    @property
    def matched(self) -> Float[np.ndarray, " patterns"]:
        """Overlap of each recovered pattern with its own true pattern, in [0, 1]."""
        return np.diagonal(self.overlaps)


def logit_jacobian(vae: VAE, temperature: float, draws: int, seed: int) -> Float[np.ndarray, "sites latents"]:
    """Return G = <d log-odds / d z> averaged over z ~ p(z|T), whose columns span the patterns (paper, eq. 43)."""
    like = next(vae.parameters())
    with torch.no_grad():
        z = vae.sample_latents(constant_condition(temperature, draws, like), model_generator(vae, seed))

    def log_odds(point: torch.Tensor) -> torch.Tensor:
        return 2 * vae.decoder(point[None]).natural_parameters[0, :, 0]

    parts = [vmap(jacfwd(log_odds))(part).mean(0) * len(part) for part in z.split(JACOBIAN_BATCH)]
    return (torch.stack(parts).sum(0) / draws).detach().double().cpu().numpy()


def decoder_patterns(vae: VAE, temperature: float, draws: int, restarts: int, seed: int) -> Patterns:
    """Return the patterns (at most d, N) stored in the decoder at ``temperature``, see `unmixing.recover`."""
    return recover(logit_jacobian(vae, temperature, draws, seed), restarts, seed)


def classical_patterns(spins: Spins, count: int, restarts: int, seed: int) -> Patterns:
    """Return ``count`` patterns from the leading principal components of samples (rows, N), unmixed by FastICA."""
    return unmix(principal_directions(spins, count, seed), restarts, seed)


def principal_directions(spins: Spins, count: int, seed: int) -> Float[np.ndarray, "sites count"]:
    """Return the ``count`` leading principal components of samples (rows, N) as columns."""
    return PCA(count, random_state=seed % 2**32).fit(spins.astype(np.float32)).components_.T.astype(np.float64)


def match_patterns(recovered: Int8[np.ndarray, "recovered sites"], truth: Patterns) -> PatternMatch:
    """Align recovered patterns with the true ones by the assignment of largest total |overlap| and a sign each.

    Recovered patterns beyond P are left out; a true pattern for which none is left gets a row of zeros, overlap 0.

    >>> match_patterns(np.array([[-1, -1, 1, 1]], np.int8), np.array([[1, 1, -1, -1], [1, -1, 1, -1]], np.int8)).matched
    array([1., 0.])
    """
    missing = max(0, len(truth) - len(recovered))
    candidates = np.pad(recovered, ((0, missing), (0, 0)))
    overlaps = candidates.astype(np.float64) @ truth.T.astype(np.float64) / truth.shape[1]
    rows, columns = linear_sum_assignment(-np.abs(overlaps))
    order = rows[np.argsort(columns)]
    signs = np.where(overlaps[order, np.arange(len(truth))] >= 0, 1, -1)
    aligned = (signs[:, None] * candidates[order]).astype(np.int8)
    return PatternMatch(aligned, signs[:, None] * overlaps[order])


def coupling_error(recovered: Float[np.ndarray, "n n"], truth: Float[np.ndarray, "n n"]) -> float:
    """Return |J - J_true| / |J_true| in the Frobenius norm.

    >>> coupling_error(1.5 * np.eye(3), np.eye(3))
    0.5
    """
    return float(np.linalg.norm(recovered - truth) / np.linalg.norm(truth))


def overlap_table(matches: dict[str, PatternMatch]) -> pd.DataFrame:
    """Return every overlap of recovered and true patterns, per route ("vae", "classical")."""
    frames = []
    for route, match in matches.items():
        recovered, true = np.indices(match.overlaps.shape)
        frames.append(
            pd.DataFrame(
                {
                    "route": route,
                    "recovered": recovered.ravel(),
                    "true": true.ravel(),
                    "overlap": match.overlaps.ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
