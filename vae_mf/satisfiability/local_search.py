"""Local search on a formula: an assignment in bits, its violated clauses, and the best one that has been met."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int8, Int32, Int64, UInt32

from vae_mf.checks import require_integer, spin_array
from vae_mf.rng import generator, keys
from vae_mf.satisfiability.moves import BEST, FLIPS, VIOLATED, collect_violated, keep_best
from vae_mf.satisfiability.records import Records, records
from vae_mf.systems.base import HasClauses
from vae_mf.systems.k_sat import require_formula

CHUNK = 500_000
"""Steps between two looks at an interrupt and two reports of the progress, a fraction of a second."""


class Search(NamedTuple):
    """Best assignment that a search has met.

    >>> from vae_mf.satisfiability import walk_sat
    >>> from vae_mf.systems import KSat
    >>> found = walk_sat(KSat.random(sites=100, length=3, seed=1, clauses_per_site=3.0), seed=1, steps=10_000)
    >>> found.solved, found.violated, found.assignment.shape
    (True, 0, (100,))
    """

    assignment: Int8[np.ndarray, " sites"]
    """Spins, +1 for a variable that is true."""
    violated: int
    """Number of clauses that it violates."""
    flips: int
    """Variables turned, in all."""
    steps: int
    """Moves tried, of which those that were refused turned nothing."""
    solved: bool
    """True if it violates no clause; False says that the budget ended, not that the formula has no solution."""


class Walk(NamedTuple):
    """Assignment in bits, with its violated clauses and the way back to the best one so far."""

    bits: UInt32[np.ndarray, " bit_words"]
    violated: UInt32[np.ndarray, " clauses"]
    """Records of the violated clauses, in no order."""
    log: UInt32[np.ndarray, " log"]
    """Variables turned since the best assignment."""
    best: UInt32[np.ndarray, " bit_words"]
    """Best assignment, if the log ran over since then."""
    breaks: Int32[np.ndarray, " sites_plus_one"]
    """Number of clauses that the flip of every variable violates; the last entry is of no variable."""
    numbers: Int64[np.ndarray, " numbers"]
    """Violated clauses now; those of the best assignment; length of the log, -1 once it ran over; flips so far; number
    of the next random word; a mask of ones, at least as large as the violated clauses, less one, and not twice."""


def run_search(
    formula: Any,
    advance: Callable[..., int],
    parameters: tuple[Any, ...],
    seed: int,
    steps: int,
    start: Any = None,
    progress: Callable[[int, int], object] | None = None,
) -> Search:
    """Return the best assignment after at most so many steps of a rule, which ends at a solution.

    Args:
        formula: formula to satisfy.
        advance: kernel of the rule, called with the records, the walk, the key of the random words, the number of steps
            and the parameters; it returns the number of steps that it made.
        parameters: numbers of the rule.
        seed: seed of the start and of all moves.
        steps: moves to try at most.
        start: assignment to start from, shape (N,); None for a random one.
        progress: function that is called with the steps made and the clauses violated, a few times a second.

    Raises:
        ValueError: if a number is out of range, the start is no assignment, or the formula takes too much memory.
    """
    require_formula(formula)
    require_integer("steps", steps, minimum=0)
    key = keys(require_integer("seed", seed, minimum=0), "local_search", count=1)[0]
    laid = records(formula)
    walk = begin(laid, formula, start_bits(formula.sites, seed, start))
    made = 0
    while made < steps and walk.numbers[VIOLATED]:
        made += advance(laid, walk, key, min(CHUNK, steps - made), *parameters)
        if progress is not None:
            progress(made, int(walk.numbers[VIOLATED]))
    return finished(formula, walk, made)


def longest_clause(formula: Any) -> int:
    """Return the number of literals of the longest clause, 0 if there is none."""
    require_formula(formula)
    return int(np.diff(formula.offsets).max(initial=0))


def start_bits(sites: int, seed: int, start: Any) -> UInt32[np.ndarray, " bit_words"]:
    """Return an assignment in bits, of which those beyond the variables are zero."""
    if start is None:
        up = generator(seed, "local_search", "start").integers(0, 2, sites, np.int8)
    else:
        spins = spin_array("start", start)
        if spins.shape != (sites,):
            raise ValueError(f"start: expected one spin for each of {sites} variables, got shape {spins.shape}")
        up = spins > 0
    bits = np.zeros(sites // 32 + 1, np.uint32)
    packed = np.packbits(up, bitorder="little")
    bits.view(np.uint8)[: packed.size] = packed
    return bits


def begin(laid: Records, formula: HasClauses, bits: UInt32[np.ndarray, " bit_words"]) -> Walk:
    """Return a walk that begins at an assignment."""
    clauses = formula.offsets.size - 1
    log = np.empty(formula.sites, np.uint32)
    breaks = np.zeros(formula.sites + 1, np.int32)
    walk = Walk(bits, np.empty(clauses, np.uint32), log, bits.copy(), breaks, np.zeros(6, np.int64))
    collect_violated(
        laid.clauses, walk.bits, walk.violated, walk.breaks, walk.numbers, formula.literals, formula.offsets
    )
    walk.numbers[BEST] = walk.numbers[VIOLATED]
    return walk


def finished(formula: HasClauses, walk: Walk, steps: int) -> Search:
    """Return the best assignment of a walk."""
    keep_best(walk.bits, walk.log, walk.best, walk.numbers)
    up = np.unpackbits(walk.best.view(np.uint8), count=formula.sites, bitorder="little")
    violated = int(walk.numbers[BEST])
    assignment = (2 * up.astype(np.int8) - 1).astype(np.int8)
    return Search(assignment, violated, int(walk.numbers[FLIPS]), steps, violated == 0)
