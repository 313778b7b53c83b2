"""Kernels of local search: draws of a violated clause, clauses that one literal alone satisfies, flips, the best."""

import numpy as np

from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import U64, random_word
from vae_mf.satisfiability.records import CLAUSE_HEADER, HEADER, LINE, U32, prefetch

NEAR, FAR = 2, 4
"""Moves ahead that the record of a variable, and before it that of its clause, are asked for."""
LINES = 3
"""Lines that are asked for of the record of a variable."""
VIOLATED, BEST, LOGGED, FLIPS, COUNTER, MASK = range(6)
"""Entries of the numbers of a walk."""


@kernel()
def collect_violated(clauses, bits, violated, numbers, literals, offsets):
    """List the violated clauses of an assignment."""
    record = 0
    for clause in range(offsets.shape[0] - 1):
        satisfied = False
        for place in range(offsets[clause], offsets[clause + 1]):
            variable = abs(literals[place]) - 1
            satisfied |= ((bits[variable >> 5] >> (variable & 31)) & 1) == (literals[place] > 0)
        if not satisfied:
            add_violated(clauses, violated, numbers, record)
        record += CLAUSE_HEADER + offsets[clause + 1] - offsets[clause]


@kernel(inline="always")
def add_violated(clauses, violated, numbers, record):
    """Add a clause to the violated ones."""
    violated[numbers[VIOLATED]] = record
    clauses[record] = numbers[VIOLATED]
    numbers[VIOLATED] += 1


@kernel(inline="always")
def remove_violated(clauses, violated, numbers, record):
    """Take a clause out of the violated ones."""
    numbers[VIOLATED] -= 1
    last = violated[numbers[VIOLATED]]
    violated[clauses[record]] = last
    clauses[last] = clauses[record]


@kernel(inline="always")
def drawn_clause(violated, numbers, word):
    """Return the record of the violated clause that a random word draws, -1 if it draws none.

    All of them are equally likely. The one that a word will draw some moves later is known by now, but for few.
    """
    place = np.int64(word & U64(0xFFFFFFFF)) & numbers[MASK]
    return np.int64(violated[place]) if place < numbers[VIOLATED] else -1


@kernel(inline="always")
def fit_mask(numbers):
    """Bring the mask to the number of violated clauses."""
    while numbers[MASK] + 1 < numbers[VIOLATED]:
        numbers[MASK] = 2 * numbers[MASK] + 1
    while numbers[MASK] >> 1 >= numbers[VIOLATED]:
        numbers[MASK] >>= 1


@kernel(inline="always")
def clause_codes(clauses, record):
    """Return the codes of the literals of a clause."""
    return clauses[record + CLAUSE_HEADER : record + CLAUSE_HEADER + np.int64(clauses[record + 1])]


@kernel(inline="always")
def drawn_code(clauses, record, word):
    """Return the code of the literal that a random word draws from a clause, all equally likely."""
    place = ((word >> U64(32)) * U64(clauses[record + 1])) >> U64(32)
    return clauses[record + CLAUSE_HEADER + np.int64(place)]


@kernel(inline="always")
def ask_ahead(clauses, variables, violated, numbers, key, counter, whole):
    """Ask for the records that later words will probably draw: of one variable, or of a ``whole`` clause."""
    later = drawn_clause(violated, numbers, random_word(key, counter + U64(FAR)))
    if later >= 0:
        prefetch(clauses, later)
    word = random_word(key, counter + U64(NEAR))
    clause = drawn_clause(violated, numbers, word)
    if clause >= 0 and whole:
        for place in range(np.int64(clauses[clause + 1])):
            ask_for(variables, np.int64(clauses[clause + CLAUSE_HEADER + place] >> U32(1)))
    elif clause >= 0:
        ask_for(variables, np.int64(drawn_code(clauses, clause, word) >> U32(1)))


@kernel(inline="always")
def ask_for(variables, record):
    """Ask for the first lines of the record of a variable, after which the processor reads on by itself."""
    for line in range(LINES):
        prefetch(variables, record + line * LINE)


@kernel(inline="always")
def lonely(variables, bits, code, found):
    """Return the number of clauses with a literal that no other literal satisfies, and list them in ``found``."""
    negated = U64(code & U32(1))
    record = U64(code >> U32(1))
    words = U64(variables[record + U64(1)]), U64(variables[record + U64(2)])
    first = record + U64(HEADER) + negated * words[0]
    owner = record + U64(HEADER) + words[0] + words[1] + negated * U64(variables[record + U64(3)])
    others = count = U64(0)
    for place in range(first, first + (words[1] if negated else words[0])):
        word = U64(variables[place])
        last = word & U64(1)
        others |= is_true(bits, word)
        # Written whether or not it counts, as a branch would cost more.
        found[count] = owner
        count += last & ~others
        owner += last
        others &= last - U64(1)
    return np.int64(count)


@kernel(inline="always")
def is_true(bits, word):
    """Return a number whose lowest bit is one if the literal of a word is true."""
    return U64(bits[word >> U64(7)] >> U32((word >> U64(2)) & U64(31))) ^ (word >> U64(1))


@kernel(inline="always")
def flip(clauses, variables, bits, violated, numbers, code, broken, made):
    """Make the literal of a code true, which violates and satisfies the clauses at two lists of places."""
    for entry in range(broken.shape[0]):
        add_violated(clauses, violated, numbers, np.int64(variables[broken[entry]]))
    for entry in range(made.shape[0]):
        remove_violated(clauses, violated, numbers, np.int64(variables[made[entry]]))
    variable = variables[code >> U32(1)]
    bits[variable >> U32(5)] ^= U32(1) << (variable & U32(31))


@kernel(inline="always")
def note(bits, log, best, numbers, variable):
    """Begin a new log at a best assignment, else add a flip to it, and keep the best one before it runs over."""
    numbers[FLIPS] += 1
    if numbers[VIOLATED] < numbers[BEST]:
        numbers[BEST] = numbers[VIOLATED]
        numbers[LOGGED] = 0
    elif numbers[LOGGED] >= 0:
        log[numbers[LOGGED]] = variable
        numbers[LOGGED] += 1
        if numbers[LOGGED] == log.shape[0]:
            keep_best(bits, log, best, numbers)


@kernel()
def keep_best(bits, log, best, numbers):
    """Write the best assignment down, unless it has been already."""
    if numbers[LOGGED] < 0:
        return
    best[:] = bits
    for entry in range(numbers[LOGGED]):
        variable = log[entry]
        best[variable >> U32(5)] ^= U32(1) << (variable & U32(31))
    numbers[LOGGED] = -1
