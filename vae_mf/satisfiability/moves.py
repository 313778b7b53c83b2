"""Kernels of local search: draws of a violated clause, clauses that one literal alone satisfies, flips, the best."""

import numpy as np

from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import U64, random_word
from vae_mf.satisfiability.records import CLAUSE_HEADER, HEADER, LINE, U32, prefetch

NEAR, FAR = 2, 4
"""Moves ahead that the record of a variable, and before it that of its clause, are asked for."""
LINES = 3
"""Lines that are asked for of the record of a variable."""
CACHED = 2**21
"""Words of the records of variables that need not be asked for, as caches hold most of them."""
VIOLATED, BEST, LOGGED, FLIPS, COUNTER, MASK = range(6)
"""Entries of the numbers of a walk."""


@kernel()
def collect_violated(clauses, bits, violated, breaks, numbers, literals, offsets):
    """List the violated clauses of an assignment, and count those that every variable alone satisfies."""
    record = 0
    for clause in range(offsets.shape[0] - 1):
        trues = only = 0
        for place in range(offsets[clause], offsets[clause + 1]):
            variable = abs(literals[place]) - 1
            if ((bits[variable >> 5] >> (variable & 31)) & 1) == (literals[place] > 0):
                trues += 1
                only = variable
        if trues == 0:
            add_violated(clauses, violated, numbers, record)
        elif trues == 1:
            breaks[only] += 1
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
def is_true(bits, word):
    """Return one if the literal of a word is true, else zero."""
    return (U64(bits[word >> U64(7)] >> U32((word >> U64(2)) & U64(31))) ^ (word >> U64(1))) & U64(1)


@kernel(inline="always")
def breaks_of(variables, breaks, code):
    """Return the number of clauses that a flip of the variable of a literal violates."""
    return np.int64(breaks[variables[code >> U32(1)]])


@kernel(inline="always")
def makes_of(variables, bits, code):
    """Return the number of clauses that the literal of a code satisfies once it is true."""
    record = U64(code >> U32(1))
    words = U64(variables[record + U64(1)])
    first = record + U64(HEADER)
    if code & U32(1):
        first += words
        words = U64(variables[record + U64(2)])
    others = makes = U64(0)
    for place in range(first, first + words):
        word = U64(variables[place])
        last = word & U64(1)
        others |= is_true(bits, word)
        makes += last & ~others
        others &= last - U64(1)
    return np.int64(makes)


@kernel()
def flip(clauses, variables, bits, violated, breaks, numbers, code):
    """Make the literal of a code true, which has been false, and return its variable."""
    record = U64(code >> U32(1))
    variable = variables[record]
    literal = record + U64(HEADER)
    negation = literal + U64(variables[record + U64(1)])
    owners = negation + U64(variables[record + U64(2)])
    owners_of_negation = owners + U64(variables[record + U64(3)])
    falling, rising = (negation, owners, owners_of_negation), (literal, negation, owners)
    if code & U32(1):
        falling, rising = rising, falling
    turn(clauses, variables, bits, violated, breaks, numbers, falling[0], falling[1], falling[2], False)
    made = turn(clauses, variables, bits, violated, breaks, numbers, rising[0], rising[1], rising[2], True)
    breaks[variable] = made
    bits[variable >> U32(5)] ^= U32(1) << (variable & U32(31))
    return variable


@kernel()
def turn(clauses, variables, bits, violated, breaks, numbers, first, end, owner, gained):
    """Let clauses gain or lose a true literal, and return the number of those that have no other one."""
    alone = 0
    trues = only = U64(0)
    step = -1 if gained else 1
    for place in range(first, end):
        word = U64(variables[place])
        true = is_true(bits, word)
        trues += true
        only ^= (word >> U64(2)) & (U64(0) - true)
        if word & U64(1):
            # The flip of a variable whose literal alone is true breaks the clause; the last entry is of none.
            breaks[only if trues == U64(1) else U64(breaks.shape[0] - 1)] += step
            if trues == U64(0):
                alone += 1
                if gained:
                    remove_violated(clauses, violated, numbers, np.int64(variables[owner]))
                else:
                    add_violated(clauses, violated, numbers, np.int64(variables[owner]))
            owner += U64(1)
            trues = only = U64(0)
    return alone


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
