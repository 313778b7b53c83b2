"""Joint statistics of binary words: frequencies of the words of a few cells, and moments up to the third order."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int8
from scipy.spatial.distance import jensenshannon

from vae_mf.checks import require_integer
from vae_mf.rng import generator

MOST_CELLS = 16
"""Largest group of cells whose 2^n words are counted."""
ROWS, TRIPLETS = 4096, 64
"""Rows and triplets at a time, few enough for the cache."""
Words = Int8[np.ndarray, "rows cells"]
Sources = Mapping[str, Int8[np.ndarray, "_rows cells"]]
"""Words of every source, +-1."""


def word_table(sources: Sources, cells: int, groups: int, seed: int) -> pd.DataFrame:
    """Return the frequency of each of the 2^cells words of some random groups of cells, per source.

    Columns: group, word (cell k of the group is bit k), active (cells that fire in it), and a frequency for every
    source.
    """
    if require_integer("cells", cells) > MOST_CELLS:
        raise ValueError(f"cells: expected at most {MOST_CELLS}, got {cells}")
    total = next(iter(sources.values())).shape[1]
    random = generator(seed, "word groups")
    frames = []
    count = min(cells, total)
    words = np.arange(2**count)
    for group in range(require_integer("groups", groups)):
        chosen = np.sort(random.choice(total, count, replace=False))
        columns = {name: word_frequencies(rows[:, chosen]) for name, rows in sources.items()}
        frames.append(pd.DataFrame({"group": group, "word": words, "active": np.bitwise_count(words), **columns}))
    return pd.concat(frames, ignore_index=True)


def word_frequencies(words: Words) -> Float[np.ndarray, " words"]:
    """Return the frequency of each of the 2^n words of n cells.

    >>> word_frequencies(np.array([[1, -1], [1, 1]], np.int8)).tolist()
    [0.0, 0.5, 0.0, 0.5]
    """
    cells = words.shape[1]
    codes = (words > 0) @ (1 << np.arange(cells))
    return np.bincount(codes, minlength=2**cells) / len(words)


def word_divergences(table: pd.DataFrame, reference: str) -> dict[str, float]:
    """Return the Jensen-Shannon divergence of every source from the reference in nats, averaged over groups."""
    sources = [str(name) for name in table.columns if name not in ("group", "word", "active", reference)]
    groups = [rows for _, rows in table.groupby("group")]
    return {s: float(np.mean([jensenshannon(rows[s], rows[reference]) ** 2 for rows in groups])) for s in sources}


def moment_table(sources: Sources, triplets: int, seed: int) -> pd.DataFrame:
    """Return means, pair covariances and third central moments of every source.

    Columns: order (1, 2 or 3), first, second and third cell (-1 where there is none), and a moment for every source.
    """
    total = next(iter(sources.values())).shape[1]
    pairs = np.stack(np.triu_indices(total, 1), axis=1)
    chosen = random_triplets(total, require_integer("triplets", triplets), seed)
    keys = np.full((total + len(pairs) + len(chosen), 3), -1)
    keys[:total, 0] = np.arange(total)
    keys[total : total + len(pairs), :2] = pairs
    keys[total + len(pairs) :] = chosen
    columns = {name: moments(words, chosen) for name, words in sources.items()}
    table = pd.DataFrame(keys, columns=["first", "second", "third"]).assign(order=(keys >= 0).sum(1), **columns)
    return table[["order", "first", "second", "third", *sources]]


def random_triplets(cells: int, count: int, seed: int) -> Int[np.ndarray, "triplets 3"]:
    """Return different triplets i < j < k, all of them if there are no more than ``count``.

    >>> random_triplets(4, 10, seed=1).tolist()
    [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    """
    if cells * (cells - 1) * (cells - 2) // 6 <= count:
        return np.array(list(combinations(range(cells), 3)), dtype=np.int64).reshape(-1, 3)
    random = generator(seed, "triplets")
    drawn = np.sort(random.integers(cells, size=(3 * count, 3)), axis=1)
    different = np.unique(drawn[(np.diff(drawn, axis=1) > 0).all(1)], axis=0)
    return different[np.sort(random.permutation(len(different))[:count])]


def moments(words: Words, triplets: Int[np.ndarray, "triplets 3"]) -> Float[np.ndarray, " moments"]:
    """Return the means, the covariances of all pairs i < j and <ds_i ds_j ds_k> of the triplets."""
    spins = words.astype(np.float32)
    mean = spins.mean(0, dtype=np.float64)
    spins -= mean.astype(np.float32)
    covariance = (spins.T @ spins).astype(np.float64) / len(words)
    third = sum(triplet_sums(spins[start : start + ROWS], triplets) for start in range(0, len(words), ROWS))
    return np.concatenate([mean, covariance[np.triu_indices(words.shape[1], 1)], third / len(words)])


def triplet_sums(
    centred: Float[np.ndarray, "rows cells"], triplets: Int[np.ndarray, "triplets 3"]
) -> Float[np.ndarray, " triplets"]:
    """Return the sum over rows of the products of the three columns of every triplet."""
    columns = np.ascontiguousarray(centred.T)
    sums = np.empty(len(triplets))
    for start in range(0, len(triplets), TRIPLETS):
        first, second, third = triplets[start : start + TRIPLETS].T
        sums[start : start + TRIPLETS] = np.vecdot(columns[first] * columns[second], columns[third])
    return sums
