"""Law of the Potts model: gauge, exponents, conditional probabilities.

p(x) is proportional to exp(sum_{i<j} J_ij(x_i, x_j) + sum_i h_i(x_i)), each x_i one of q states.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.kernels import add_picked, picked_sums
from vae_mf.inverse_ising.potts.rows import ColumnMatrix, ColumnVector, Picks, States, picked

StateCouplings = Float[np.ndarray, "sites sites states states"]
StateFields = Float[np.ndarray, "sites states"]
WIDTH = 128
"""Number of one-hot columns in a tile, unless one site has more."""
ROWS = 1024
"""Number of rows whose local fields are held at once."""
LANES = 16


class PottsParameters(NamedTuple):
    """Couplings and fields over the one-hot columns."""

    couplings: ColumnMatrix
    """J, symmetric, zero between the states of one site."""
    fields: ColumnVector
    """h."""


class Tile(NamedTuple):
    """Neighbouring sites and the rows for which their local fields are computed."""

    sites: slice
    columns: slice
    rows: slice
    local: Float[np.ndarray, "rows sites states"]
    """Logits of the states of the sites given all other sites."""


def over_columns(couplings: StateCouplings, fields: StateFields) -> PottsParameters:
    """Return a model over the one-hot columns."""
    columns = fields.size
    return PottsParameters(couplings.transpose(0, 2, 1, 3).reshape(columns, columns), fields.ravel())


def over_sites(model: PottsParameters, states: int) -> tuple[StateCouplings, StateFields]:
    """Return J, shape (N, N, q, q), and h, shape (N, q)."""
    sites = len(model.fields) // states
    couplings = model.couplings.reshape(sites, states, sites, states).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(couplings), model.fields.reshape(sites, states)


def zero_sum_gauge(couplings: StateCouplings, fields: StateFields) -> tuple[StateCouplings, StateFields]:
    """Return the J and h of the same law whose sums over any state are zero: what one site can do, h does.

    >>> J, h = zero_sum_gauge(np.zeros((2, 2, 2, 2)), np.array([[1.0, 0.0], [0.0, 0.0]]))
    >>> h
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """
    first = couplings.mean(axis=3)
    both = first.mean(axis=2)
    result = couplings - first[..., None] - couplings.mean(axis=2)[:, :, None] + both[..., None, None]
    moved = fields + (first - both[..., None]).sum(axis=1)
    return result, moved - moved.mean(axis=1, keepdims=True)


def exponents(picks: Picks, model: PottsParameters) -> Float[np.ndarray, " rows"]:
    """Return ln p(x) + ln Z of each row."""
    return picked_sums(picks, model.couplings, model.fields)


def local_fields(picks: Picks, model: PottsParameters, states: int, dtype: type) -> Iterator[Tile]:
    """Yield the local fields of all sites and rows, computed in ``dtype``, a tile at a time."""
    together = max(1, WIDTH // states)
    columns = len(model.fields)
    for first in range(0, columns, together * states):
        chosen = slice(first, min(first + together * states, columns))
        width = chosen.stop - first
        tile = np.zeros((columns, LANES * -(-width // LANES)), dtype)
        tile[:, :width] = model.couplings[:, chosen]
        for row in range(0, len(picks), ROWS):
            part = picks[row : row + ROWS]
            local = np.zeros((len(part), tile.shape[1]), dtype)
            local[:, :width] = model.fields[chosen]
            add_picked(part, tile, local)
            sites = slice(first // states, chosen.stop // states)
            logits = local[:, :width].reshape(len(part), -1, states)
            yield Tile(sites, chosen, slice(row, row + len(part)), logits)


def normalised(logits: Float[np.ndarray, "rows sites states"]) -> Float[np.ndarray, "rows sites"]:
    """Turn logits into probabilities in place and return the logarithms of their normalisations."""
    peaks = logits.max(axis=2)
    logits -= peaks[:, :, None]
    np.exp(logits, out=logits)
    sums = logits.sum(axis=2)
    logits /= sums[:, :, None]
    return peaks + np.log(sums)


def own_entries(tile: Tile, picks: Picks, states: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the index of the entries of a tile's local fields that belong to the states of the rows."""
    own = picks[tile.rows, tile.sites] - states * np.arange(tile.sites.start, tile.sites.stop)
    rows, sites = np.indices(own.shape, sparse=True)
    return rows, sites, own


def log_pseudo_likelihood(rows: States, model: PottsParameters, states: int) -> Weights:
    """Return sum_i ln p(x_i | all other states) of each row."""
    picks = picked(rows, states)
    result = np.zeros(len(rows))
    for tile in local_fields(picks, model, states, np.float64):
        own = tile.local[own_entries(tile, picks, states)]
        result[tile.rows] += (own - normalised(tile.local)).sum(axis=1)
    return result
