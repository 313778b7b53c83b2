"""ProbSAT: in a random violated clause that literal turns true which a law of the clauses that it would break draws."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import plain_number, shown
from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import U64, double_uniform, random_word
from vae_mf.satisfiability.local_search import Search, longest_clause, run_search
from vae_mf.satisfiability.moves import (
    CACHED,
    COUNTER,
    VIOLATED,
    ask_ahead,
    breaks_of,
    clause_codes,
    drawn_clause,
    fit_mask,
    flip,
    note,
)
from vae_mf.systems.base import HasClauses

LARGEST_BREAK = 64
"""Number of broken clauses from which on the weights are the same."""
BASES = {4: 3.0, 5: 3.7, 6: 5.0, 7: 5.4}
"""Base of exponential weights by the length of the longest clause; 7 stands for longer ones."""
POWER, OFFSET = 2.06, 0.9
"""Exponent and offset of the weights of clauses of up to three literals."""


def prob_sat(
    formula: HasClauses,
    seed: int,
    steps: int,
    base: float | None = None,
    start: Spins | Sequence[int] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Search:
    """Return the best assignment that ProbSAT meets (Balint and Schöning 2012).

    A literal that would break b clauses has weight base^-b, or (0.9 + b)^-2.06 by default if no clause is longer than
    three literals; every step turns a variable.

    >>> from vae_mf.systems import KSat
    >>> formula = KSat.random(sites=10_000, length=3, seed=1, clauses_per_site=3.8)
    >>> prob_sat(formula, seed=1, steps=5_000_000).solved
    True

    Args:
        formula: formula to satisfy.
        seed: seed of the start and of all moves.
        steps: moves to make at most.
        base: base of the weights, above 1; None for that of the source.
        start: assignment to start from, shape (N,); None for a random one.
        progress: function that is called with the steps made and the clauses violated, a few times a second.

    Raises:
        ValueError: if a number is out of range, the start is no assignment, or the formula takes too much memory.
    """
    longest = longest_clause(formula)
    return run_search(formula, advance, (break_weights(longest, base), np.empty(longest)), seed, steps, start, progress)


def break_weights(longest: int, base: Any) -> Float[np.ndarray, " breaks"]:
    """Return the weight of a literal by the number of clauses that it breaks."""
    breaks = np.arange(LARGEST_BREAK + 1.0)
    if base is None and longest <= 3:
        return (OFFSET + breaks) ** -POWER
    chosen = plain_number(BASES[min(longest, max(BASES))] if base is None else base)
    if isinstance(chosen, bool) or not isinstance(chosen, int | float) or not 1 < chosen < np.inf:
        raise ValueError(f"base: expected a finite number > 1, got {shown(base)}")
    return float(chosen) ** -breaks


@kernel()
def advance(laid, walk, key, steps, weights, summed):
    """Make so many moves, fewer if a solution is found, and return their number."""
    clauses, variables = laid
    # Taken apart here, as every use of a tuple counts references to its arrays.
    bits, violated, log, best, breaks, numbers = walk
    tried = 0
    while tried < steps and numbers[VIOLATED]:
        fit_mask(numbers)
        counter = U64(numbers[COUNTER])
        numbers[COUNTER] += 1
        if variables.shape[0] > CACHED:
            ask_ahead(clauses, variables, violated, numbers, key, counter, True)
        clause = drawn_clause(violated, numbers, random_word(key, counter))
        if clause >= 0:
            tried += 1
            codes = clause_codes(clauses, clause)
            total = 0.0
            for place in range(codes.shape[0]):
                total += weights[min(breaks_of(variables, breaks, codes[place]), LARGEST_BREAK)]
                summed[place] = total
            drawn = double_uniform(random_word(~key, counter)) * total
            place = 0
            while place < codes.shape[0] - 1 and summed[place] <= drawn:
                place += 1
            code = codes[place]
            variable = flip(clauses, variables, bits, violated, breaks, numbers, code)
            note(bits, log, best, numbers, variable)
    return tried
