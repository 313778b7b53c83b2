"""Focused Metropolis search: Metropolis moves of the energy at random variables of random violated clauses."""

from collections.abc import Callable, Sequence

import numpy as np

from vae_mf.arrays import Spins
from vae_mf.checks import require_fraction
from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import U64, double_uniform, random_word
from vae_mf.satisfiability.local_search import Search, run_search
from vae_mf.satisfiability.moves import (
    CACHED,
    COUNTER,
    VIOLATED,
    ask_ahead,
    breaks_of,
    drawn_clause,
    drawn_code,
    fit_mask,
    flip,
    makes_of,
    note,
)
from vae_mf.systems.base import HasClauses

WORST = 64
"""Rise of the energy from which on the probability of a move is that of this one."""


def focused_metropolis(
    formula: HasClauses,
    seed: int,
    steps: int,
    eta: float = 0.33,
    start: Spins | Sequence[int] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Search:
    """Return the best assignment that the search meets (Seitz, Alava and Orponen 2005).

    It does not keep detailed balance: a variable of no violated clause never turns.

    >>> from vae_mf.systems import KSat
    >>> formula = KSat.random(sites=10_000, length=3, seed=1, clauses_per_site=3.8)
    >>> focused_metropolis(formula, seed=1, steps=5_000_000).solved
    True

    Args:
        formula: formula to satisfy.
        seed: seed of the start and of all moves.
        steps: moves to try at most.
        eta: probability that a move which violates one clause more is taken, 0 < eta < 1.
        start: assignment to start from, shape (N,); None for a random one.
        progress: function that is called with the steps made and the clauses violated, a few times a second.

    Raises:
        ValueError: if a number is out of range, the start is no assignment, or the formula takes too much memory.
    """
    accept = require_fraction("eta", eta) ** np.arange(WORST + 1)
    return run_search(formula, advance, (accept,), seed, steps, start, progress)


@kernel()
def advance(laid, walk, key, steps, accept):
    """Try so many moves, fewer if a solution is found, and return their number."""
    clauses, variables = laid
    # Taken apart here, as every use of a tuple counts references to its arrays.
    bits, violated, log, best, breaks, numbers = walk
    tried = 0
    while tried < steps and numbers[VIOLATED]:
        fit_mask(numbers)
        counter = U64(numbers[COUNTER])
        numbers[COUNTER] += 1
        if variables.shape[0] > CACHED:
            ask_ahead(clauses, variables, violated, numbers, key, counter, False)
        word = random_word(key, counter)
        clause = drawn_clause(violated, numbers, word)
        if clause >= 0:
            tried += 1
            code = drawn_code(clauses, clause, word)
            rise = breaks_of(variables, breaks, code) - makes_of(variables, bits, code)
            if rise <= 0 or double_uniform(random_word(~key, counter)) < accept[min(rise, WORST)]:
                variable = flip(clauses, variables, bits, violated, breaks, numbers, code)
                note(bits, log, best, numbers, variable)
    return tried
