"""WalkSAT: in a random violated clause the literal turns true that breaks fewest clauses, or now and then any."""

from collections.abc import Callable, Sequence

import numpy as np

from vae_mf.arrays import Spins
from vae_mf.checks import require_fraction
from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import U64, double_uniform, random_index, random_word
from vae_mf.satisfiability.local_search import Search, longest_clause, run_search
from vae_mf.satisfiability.moves import (
    CACHED,
    COUNTER,
    VIOLATED,
    ask_ahead,
    breaks_of,
    clause_codes,
    drawn_clause,
    drawn_code,
    fit_mask,
    flip,
    note,
)
from vae_mf.systems.base import HasClauses


def walk_sat(
    formula: HasClauses,
    seed: int,
    steps: int,
    noise: float = 0.567,
    start: Spins | Sequence[int] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Search:
    """Return the best assignment that WalkSAT meets, in the form of Selman, Kautz and Cohen 1994.

    A literal that breaks no clause is taken for certain, so every step turns a variable.

    >>> from vae_mf.systems import KSat
    >>> formula = KSat.random(sites=10_000, length=3, seed=1, clauses_per_site=3.8)
    >>> walk_sat(formula, seed=1, steps=5_000_000).solved
    True

    Args:
        formula: formula to satisfy.
        seed: seed of the start and of all moves.
        steps: moves to make at most.
        noise: probability of any literal of the clause where each of them breaks another clause, 0 < noise < 1.
        start: assignment to start from, shape (N,); None for a random one.
        progress: function that is called with the steps made and the clauses violated, a few times a second.

    Raises:
        ValueError: if a number is out of range, the start is no assignment, or the formula takes too much memory.
    """
    parameters = require_fraction("noise", noise), np.empty(longest_clause(formula), np.int64)
    return run_search(formula, advance, parameters, seed, steps, start, progress)


@kernel()
def advance(laid, walk, key, steps, noise, counts):
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
        word = random_word(key, counter)
        clause = drawn_clause(violated, numbers, word)
        if clause >= 0:
            tried += 1
            codes = clause_codes(clauses, clause)
            for place in range(codes.shape[0]):
                counts[place] = breaks_of(variables, breaks, codes[place])
            other = random_word(~key, counter)
            place = least_place(counts[: codes.shape[0]], other)
            code = codes[place]
            if counts[place] and double_uniform(other) < noise:
                code = drawn_code(clauses, clause, word)
            variable = flip(clauses, variables, bits, violated, breaks, numbers, code)
            note(bits, log, best, numbers, variable)
    return tried


@kernel(inline="always")
def least_place(counts, word):
    """Return a place of the smallest count, by the low half of a random word if there are several."""
    least = counts[0]
    ties = U64(0)
    for count in counts:
        if count < least:
            least = count
            ties = U64(0)
        ties += U64(count == least)
    rank = random_index(word << U64(32), ties)
    place = 0
    while counts[place] > least or rank:
        rank -= U64(counts[place] == least)
        place += 1
    return place
