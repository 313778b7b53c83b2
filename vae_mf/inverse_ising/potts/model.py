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
LARGEST = {np.float32: 80.0, np.float64: 700.0}
"""Logarithms of odds whose sums do not overflow."""


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
        tile = np.zeros((columns, whole_lanes(width)), dtype)
        tile[:, :width] = model.couplings[:, chosen]
        for row in range(0, len(picks), ROWS):
            part = picks[row : row + ROWS]
            local = np.zeros((len(part), tile.shape[1]), dtype)
            local[:, :width] = model.fields[chosen]
            add_picked(part, tile, local)
            sites = slice(first // states, chosen.stop // states)
            logits = local[:, :width].reshape(len(part), -1, states)
            yield Tile(sites, chosen, slice(row, row + len(part)), logits)


def whole_lanes(width: int) -> int:
    """Return the number of columns of whole SIMD registers that hold so many.

    >>> whole_lanes(105)
    112
    """
    return LANES * -(-width // LANES)


class Conditionals(NamedTuple):
    """Probabilities of the states of sites given all other sites."""

    probabilities: Float[np.ndarray, "rows sites states"]
    losses: Float[np.ndarray, "rows sites"]
    """Minus their logarithms at the states of the rows."""
    own: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Index of the entries that belong to the states of the rows."""


def conditionals(tile: Tile, picks: Picks) -> Conditionals:
    """Return the probabilities of a tile, in the place of its local fields."""
    logits = tile.local
    chosen = picks[tile.rows, tile.sites] - logits.shape[2] * np.arange(tile.sites.start, tile.sites.stop)
    own = (*np.indices(chosen.shape, sparse=True), chosen)
    # Less their own logit, not the largest, whose search takes longer than all the rest.
    logits -= logits[own][:, :, None]
    np.minimum(logits, LARGEST[logits.dtype.type], out=logits)
    np.exp(logits, out=logits)
    sums = logits @ np.ones(logits.shape[2], logits.dtype)
    logits /= sums[:, :, None]
    return Conditionals(logits, np.log(sums, out=sums), own)


def log_pseudo_likelihood(rows: States, model: PottsParameters, states: int) -> Weights:
    """Return sum_i ln p(x_i | all other states) of each row."""
    picks = picked(rows, states)
    result = np.zeros(len(rows))
    for tile in local_fields(picks, model, states, np.float64):
        result[tile.rows] -= conditionals(tile, picks).losses.sum(axis=1)
    return result
