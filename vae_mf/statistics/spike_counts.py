"""Statistics of binary population words: spike counts, and the model in which cells fire independently."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.arrays import Spins


def spike_count_law(words: Spins) -> Float[np.ndarray, " counts"]:
    """Return P(K), K = 0 ... N, of the number of active cells in words (rows, N) of +-1."""
    counts = (words > 0).sum(-1)
    return np.bincount(counts, minlength=words.shape[1] + 1) / len(words)


def firing_probabilities(words: Spins) -> Float[np.ndarray, " cells"]:
    """Return the probability that each cell is active, with half a count of each kind added (Jeffreys)."""
    return ((words > 0).sum(0) + 0.5) / (len(words) + 1)


def independent_count_law(probabilities: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " counts"]:
    """Return the exact P(K) of independent cells, the convolution of their Bernoulli laws."""
    law = np.ones(1)
    for p in probabilities:
        law = np.convolve(law, [1 - p, p])
    return law


def independent_log_likelihood(words: Spins, probabilities: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " rows"]:
    """Return ln P(word) of each word (rows, N) under independent cells, in nats."""
    active = (words > 0).astype(np.float64)
    return active @ np.log(probabilities) + (1 - active) @ np.log1p(-probabilities)


def total_variation(first: Float[np.ndarray, " values"], second: Float[np.ndarray, " values"]) -> float:
    """Return half the summed distance of two distributions."""
    return float(0.5 * np.abs(first - second).sum())


def count_table(laws: dict[str, Float[np.ndarray, " counts"]]) -> pd.DataFrame:
    """Return P(K) per source in one long table."""
    frames = [
        pd.DataFrame({"source": source, "count": np.arange(len(law)), "probability": law})
        for source, law in laws.items()
    ]
    return pd.concat(frames, ignore_index=True)
