"""Layout in memory of a formula for local search: one record for every clause and one for every variable.

A flip turns a clause violated or satisfied exactly if no other literal of it is true. All that it reads are therefore
the other literals of the variable's clauses, which lie one after the other in its record, and the bits of an
assignment, which stay in the cache up to millions of variables. Records are asked for some moves ahead (`prefetch`).
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt32
from llvmlite import ir
from numba import extending, types

from vae_mf.checks import require_memory
from vae_mf.kernels import kernel
from vae_mf.systems.base import HasClauses

intrinsic: Any = extending.intrinsic
U64, U32 = np.uint64, np.uint32
HEADER = 4
"""Words at the beginning of the record of a variable."""
CLAUSE_HEADER = 2
LARGEST = 2**29 - 1
"""Largest number of variables whose literals have room in a word beside two flags."""
LARGEST_RECORDS = 2**31 - 1
"""Largest number of words of all records whose places have room in a word beside a flag."""
LINE = 16
"""Words in a line of the cache."""


class Records(NamedTuple):
    """Formula as local search reads it.

    The code of a literal is twice the place of its variable's record, plus 1 for a negation.
    """

    clauses: UInt32[np.ndarray, " clause_words"]
    """For each clause its place among the violated ones, its length, and the codes of its literals."""
    variables: UInt32[np.ndarray, " variable_words"]
    """For each variable its number, the words of its literal and of its negation, the clauses of its literal; then, for
    the literal and for its negation, the other literals of the clauses that hold it, and then these clauses.

    Another literal is 4 v, plus 2 for a negation, plus 1 for the last one of a clause; a clause of one literal has a
    literal that is never true besides. A clause is the place of its record.
    """


def records(formula: HasClauses) -> Records:
    """Return the records of a formula.

    Raises:
        ValueError: if it has more variables or clauses than words can name, or takes more memory than there is.
    """
    lengths = np.diff(formula.offsets)
    clause_words = int((lengths + CLAUSE_HEADER).sum())
    words = int((lengths * (np.maximum(lengths - 1, 1) + 1)).sum()) + HEADER * formula.sites
    if formula.sites > LARGEST or max(words, clause_words) > LARGEST_RECORDS:
        raise ValueError(
            f"formula: expected at most {LARGEST} variables and {LARGEST_RECORDS} words of records for a local search, "
            f"got {formula.sites} and {words}: take a smaller one"
        )
    require_memory("formula", 4 * (words + clause_words) + 48 * formula.sites, "take a smaller formula")
    sizes = np.zeros((formula.sites, 2, 2), np.int64)
    count_words(sizes, formula.literals, formula.offsets)
    starts = np.cumsum(HEADER + sizes.sum((1, 2))) - HEADER - sizes.sum((1, 2))
    laid = Records(np.empty(clause_words, np.uint32), np.empty(words, np.uint32))
    write_headers(laid.variables, starts, sizes)
    write_clauses(laid, starts, sizes, formula.literals, formula.offsets)
    return laid


@kernel()
def count_words(sizes, literals, offsets):
    """Count, for every variable and sign, the words of other literals and the clauses."""
    for clause in range(offsets.shape[0] - 1):
        others = max(offsets[clause + 1] - offsets[clause] - 1, 1)
        for place in range(offsets[clause], offsets[clause + 1]):
            variable = abs(literals[place]) - 1
            negated = 1 if literals[place] < 0 else 0
            sizes[variable, negated, 0] += others
            sizes[variable, negated, 1] += 1


@kernel()
def write_headers(variables, starts, sizes):
    """Write the beginning of every variable's record, and turn the sizes into its first free places."""
    for variable in range(starts.shape[0]):
        start = starts[variable]
        literal, negation = sizes[variable, 0, 0], sizes[variable, 1, 0]
        variables[start] = variable
        variables[start + 1] = literal
        variables[start + 2] = negation
        variables[start + 3] = sizes[variable, 0, 1]
        sizes[variable, 1, 1] = start + HEADER + literal + negation + sizes[variable, 0, 1]
        sizes[variable, 0, 1] = start + HEADER + literal + negation
        sizes[variable, 1, 0] = start + HEADER + literal
        sizes[variable, 0, 0] = start + HEADER


@kernel()
def write_clauses(laid, starts, following, literals, offsets):
    """Write the records of the clauses and, at the places that follow, those of the variables, in place."""
    record = 0
    for clause in range(offsets.shape[0] - 1):
        first, last = offsets[clause], offsets[clause + 1]
        laid.clauses[record + 1] = last - first
        for place in range(first, last):
            variable = abs(literals[place]) - 1
            negated = 1 if literals[place] < 0 else 0
            laid.clauses[record + CLAUSE_HEADER + place - first] = 2 * starts[variable] + negated
            laid.variables[following[variable, negated, 1]] = record
            following[variable, negated, 1] += 1
            following[variable, negated, 0] = write_others(
                laid.variables, following[variable, negated, 0], literals, first, last, place, 4 * starts.shape[0]
            )
        record += CLAUSE_HEADER + last - first


@kernel(inline="always")
def write_others(variables, word, literals, first, last, place, never):
    """Write the literals of a clause but that of a place, ``never`` if there is no other, and return the next word."""
    variables[word] = never
    end = max(word + last - first - 1, word + 1)
    for other in range(first, last):
        if other != place:
            variables[word] = 4 * (abs(literals[other]) - 1) + (2 if literals[other] < 0 else 0)
            word += 1
    variables[end - 1] |= U32(1)
    return end


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the line of the cache that holds an entry of an array, and do not wait for it."""

    def code(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.gep(data, [args[1]])
        word = context.get_value_type(types.int32)
        signature = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], signature)
        builder.call(function, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), code
