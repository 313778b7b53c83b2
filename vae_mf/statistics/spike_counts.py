"""Laws of the number of variables that are +1."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.arrays import Spins


def spike_count_law(words: Spins) -> Float[np.ndarray, " counts"]:
    """Return P(K), K = 0 ... N, of the number of active cells in words (rows, N) of +-1.

    >>> spike_count_law(np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]], np.int8)).tolist()
    [0.25, 0.5, 0.25]
    """
    counts = (words > 0).sum(-1)
    return np.bincount(counts, minlength=words.shape[1] + 1) / len(words)


def total_variation(first: Float[np.ndarray, " values"], second: Float[np.ndarray, " values"]) -> float:
    """Return half the summed distance of two distributions.

    >>> total_variation(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    0.5
    """
    return float(0.5 * np.abs(first - second).sum())


def count_table(laws: dict[str, Float[np.ndarray, " counts"]]) -> pd.DataFrame:
    """Return P(K) per source in one long table."""
    frames = [
        pd.DataFrame({"source": source, "count": np.arange(len(law)), "probability": law})
        for source, law in laws.items()
    ]
    return pd.concat(frames, ignore_index=True)
