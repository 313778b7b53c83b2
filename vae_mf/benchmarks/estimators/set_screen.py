"""Screen of sets of three to seven variables for products that a chain of regressions leaves unexplained.

Where a chain is right the residual of a variable has mean zero given those before it, whatever function of these it is
multiplied with. The score of a set is the sum of the residual of its last variable times the product of the others. A
first look takes as many rows as `PRODUCTS_OF_ROWS` affords, and scores that few sets pass by chance are taken from all
rows. Half of the sets with a correlation of √(2 ln(sets / `PASSING`) / rows) pass the first look.
"""

from itertools import combinations
from math import comb, log
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from vae_mf.statistics.averages import evenly_spaced

ORDERS = (3, 4, 5, 6, 7)
"""Numbers of variables in a set."""
PRODUCTS_OF_ROWS = 6e10
"""Sets of one order times rows of their first look."""
FEWEST_ROWS = 150
"""Rows of a first look below which there is none: at order seven beyond 60 variables, at three beyond 1300."""
PASSING, MOST_PASSING = 2000, 20_000
"""Sets that pass a first look if nothing is left, about, and those that may at most."""
BEYOND_CHANCE = 4.0
"""Excess of a squared score over 2 ln(sets) that makes it count: one set of an order counts by chance in 50 tries."""
Centred = Float32[np.ndarray, "rows variables"]
"""Signs less their means, which are nearly products of signs where means are small."""
Left = Float32[np.ndarray, "rows variables"]
"""Residuals of every variable given those before it."""


class Candidate(NamedTuple):
    """Set of variables that passed a first look."""

    members: tuple[int, ...]
    """Variables before the last one."""
    least: float
    """Squared score from which on it counts."""


def affordable_rows(variables: int, rows: int) -> dict[int, int]:
    """Return the rows of the first look at every order that is affordable.

    >>> affordable_rows(60, 20_000)
    {3: 20000, 4: 20000, 5: 10985, 6: 1198, 7: 155}
    >>> affordable_rows(1000, 20_000)
    {3: 361}
    """
    affordable = {order: int(PRODUCTS_OF_ROWS / max(comb(variables, order), 1)) for order in ORDERS}
    least = min(FEWEST_ROWS, rows)
    return {k: min(each, rows) for k, each in affordable.items() if each >= least and k <= variables}


def candidates(before: Centred, left: Left) -> dict[int, list[Candidate]]:
    """Return the sets that pass the first look, by their last variable."""
    spread = before.std(0)
    unit = before / np.where(spread > 0, spread, 1)
    found: dict[int, list[Candidate]] = {}
    for order, rows in affordable_rows(before.shape[1], len(left)).items():
        kept = evenly_spaced(len(left), rows)
        least = 2 * log(comb(before.shape[1], order)) + BEYOND_CHANCE
        for members in passing(unit[kept], left[kept], order):
            found.setdefault(int(members[-1]), []).append(Candidate(tuple(members[:-1].tolist()), least))
    return found


def passing(before: Centred, left: Left, order: int) -> Int[np.ndarray, "sets order"]:
    """Return the sets, in rising order, whose scores pass a first look; none of a variable with nothing left.

    A set is members before a middle one, that one, and a tail that ends with the variable whose residual it is: the
    scores of all sets with one middle are a product of matrices.
    """
    count = before.shape[1]
    size = order // 2
    heads = rising_sets(count, order - size - 1)
    tails = count - 1 - rising_sets(count, size)[:, ::-1]
    asked = np.flatnonzero((left != 0).any(axis=0)[tails[:, -1]])
    tails = tails[asked]
    head = products_of(before, heads)
    tail = products_of(before, tails[:, :-1]) * left[:, tails[:, -1]]
    noise = (left**2).sum(0)[tails[:, -1]]
    least = max(2 * log(max(comb(count, order) / PASSING, 1)), 1.0)
    found = [np.zeros((0, order), np.int64)]
    scores = [np.zeros(0)]
    for middle in range(heads.shape[1], count - size):
        first = comb(middle, heads.shape[1])
        rest = int(np.searchsorted(asked, comb(count - 1 - middle, size)))
        sums = (head[:, :first] * before[:, middle : middle + 1]).T @ tail[:, :rest]
        squares = sums**2
        own, other = np.nonzero(squares > least * noise[:rest])
        found.append(np.column_stack([heads[own], np.full(len(own), middle), tails[other]]))
        scores.append(squares[own, other] / noise[other])
    best = np.argsort(-np.concatenate(scores), kind="stable")[:MOST_PASSING]
    return np.concatenate(found)[best]


def rising_sets(variables: int, size: int) -> Int[np.ndarray, "sets size"]:
    """Return all sets in rising order, those of the first variables first.

    >>> rising_sets(4, 2).tolist()
    [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]
    """
    sets = np.array(list(combinations(range(variables), size)), np.int64).reshape(-1, size)
    return sets[np.lexsort(sets.T)]


def products_of(before: Centred, sets: Int[np.ndarray, "sets members"]) -> Float32[np.ndarray, "rows sets"]:
    """Return the products of the variables of every set, ones for sets without a member."""
    products = np.ones((len(before), len(sets)), np.float32)
    for members in sets.T:
        products *= before[:, members]
    return products
