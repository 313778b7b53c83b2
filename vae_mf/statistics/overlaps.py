"""The distribution P(q) of the overlap of two independent configurations, of samples, of the model and exact."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from vae_mf.checks import require_integer
from vae_mf.rng import generator
from vae_mf.statistics.averages import average, draws_per_chain
from vae_mf.statistics.observables import GROUPS, Chains, lattice_bins
from vae_mf.systems.base import OrderParameterLaw

BINS = 60
"""Bins of q, at most about."""
States = Shaped[np.ndarray, "rows *site"]
"""Spins (rows, sites) or directors (rows, sites, 3)."""


def overlaps(first: States, second: Shaped[np.ndarray, "rows *site"]) -> Float[np.ndarray, " rows"]:
    """Return q = sum_i s_i s'_i / N of spins, or sum_i P_2(n_i . n'_i) / N of directors, row by row.

    >>> overlaps(np.array([[1, 1, -1, 1]]), np.array([[1, 1, 1, 1]])).tolist()
    [0.5]
    """
    if first.ndim == 2:
        return np.einsum("ij,ij->i", first, second, dtype=np.float64) / first.shape[1]
    cosines = np.einsum("ijk,ijk->ij", first, second, dtype=np.float64)
    return (3 * (cosines**2).mean(1) - 1) / 2


def independent_overlaps(configurations: States, chains: int) -> Float[np.ndarray, " pairs"]:
    """Return the overlaps of the first half of the chains with the second, so that no chain appears in two pairs.

    The two halves of a single chain are compared, its last row left out if their number is odd.

    >>> independent_overlaps(np.array([[1, 1], [1, -1], [1, 1], [-1, 1]]), chains=2).tolist()
    [1.0, -1.0]

    Raises:
        ValueError: unless ``chains`` divides the number of rows and there are at least two rows.
    """
    draws = draws_per_chain(len(configurations), chains)
    require_integer("configurations", len(configurations), minimum=2)
    half = chains // 2 * draws or draws // 2
    return overlaps(configurations[:half], configurations[half : 2 * half])


def random_overlaps(configurations: States, seed: int) -> Float[np.ndarray, " rows"]:
    """Return the overlap of every row with another one, drawn by a random permutation."""
    rows = len(configurations)
    require_integer("configurations", rows, minimum=2)
    order = generator(seed, "pairs").permutation(rows)
    # A cycle through all rows pairs none with itself.
    partner = np.empty(rows, np.int64)
    partner[order] = np.roll(order, 1)
    return overlaps(configurations, configurations[partner])


def overlap_law_table(
    configurations: Mapping[str, Mapping[float, States]],
    chains: Chains,
    exact: Mapping[float, OrderParameterLaw] | None = None,
    shuffle: int | None = None,
) -> pd.DataFrame:
    """Return P(q) per source and temperature as densities on equal bins, with errors over chains.

    For spins the bins hold whole numbers of the values that q can take, as those of the order parameter. Columns
    source, temperature, q, density, error.

    Args:
        exact: exact P(q) of the system at each temperature; None if it is not known.
        shuffle: seed of random pairs among all rows, for chains that do not sample the same law, such as blocks of a
            recording; their errors are twice those over chains, as for the mean over all pairs. None to pair chains.
    """
    frames = []
    for source, by_temperature in configurations.items():
        for temperature, states in by_temperature.items():
            shape = states.shape[1], states.ndim == 2
            if shuffle is None:
                table = histogram(independent_overlaps(states, chains[source]), max(1, chains[source] // 2), *shape)
            else:
                table = histogram(random_overlaps(states, shuffle), chains[source], *shape)
                table["error"] *= 2
            frames.append(table.assign(source=source, temperature=temperature))
    for temperature, law in (exact or {}).items():
        table = histogram(law.values, 1, len(law.values) - 1, True, law.probabilities)
        frames.append(table.assign(source="exact", temperature=temperature, error=0.0))
    return pd.concat(frames, ignore_index=True)


def histogram(
    overlaps: Float[np.ndarray, " pairs"],
    chains: int,
    sites: int,
    spins: bool,
    weights: Float[np.ndarray, " pairs"] | None = None,
) -> pd.DataFrame:
    """Return the density of q with the error of every bin."""
    if spins:
        first, width, count = lattice_bins(sites, BINS)
        index = (np.rint((overlaps + 1) * sites / 2).astype(np.int64) - first) // width
        step, lowest = 2 * width / sites, 2 * (first - 0.5) / sites - 1
    else:
        count, step, lowest = BINS, 1.5 / BINS, -0.5
        index = np.clip(((overlaps - lowest) / step).astype(np.int64), 0, count - 1)
    rows = []
    for k in range(count):
        inside = (index == k).astype(np.float64)
        mass = average(inside, min(GROUPS, chains)) if weights is None else (float(weights @ inside), 0.0)
        rows.append({"q": lowest + (k + 0.5) * step, "density": mass[0] / step, "error": mass[1] / step})
    return pd.DataFrame(rows)
