"""Products of a matrix of signs with a real matrix, several times faster than a general matrix product.

A product of row i of the signs with 16 columns of reals is a sum of +-rows of the reals. Six signs have 64 states: the
64 sums of every six rows are tabulated, and a row of signs then adds one table entry in place of six products (the
method of four Russians: Arlazarov, Dinic, Kronrod and Faradzhev 1970). Four tables of 16 float32 a row stay in the
first-level cache, and their 24 signs make one word. Sums always round alike: results depend on no library, no number of
threads and no other row.
"""

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.np import arrayobj

from vae_mf.kernels import LANES, kernel

intrinsic: Any = extending.intrinsic
"""Untyped, for its result takes one argument less than the function it decorates."""
U64 = np.uint64
U32 = np.uint32
F32 = np.float32
SIGNS, TABLES = 6, 4
"""Signs to a table and tables to a word; 16 kB of tables."""
WORD = SIGNS * TABLES
STATES = 2**SIGNS
INDEX = ir.IntType(64)
ROW = ir.VectorType(ir.FloatType(), LANES)


def sign_words(sites: int) -> int:
    """Return the number of words that hold ``sites`` signs."""
    return -(-sites // WORD)


@kernel()
def row_stride(width):
    """Return the length of rows of at least ``width`` float32 for a fast sum: an odd number of SIMD registers.

    Were it even, as at every power of two, the same few columns of all rows would compete for a few lines of the cache.
    """
    return LANES * (-(-width // LANES) | 1)


@kernel()
def aligned_rows(rows, width):
    """Return an empty float32 matrix that starts at a line of the cache: to read across two takes twice as long."""
    raw = np.empty(rows * width + LANES, F32)
    start = (-raw.ctypes.data // 4) % LANES
    return raw[start : start + rows * width].reshape(rows, width)


@kernel(inline="always")
def eight_signs(spins):
    """Return a word whose bit j is set unless byte j of ``spins``, from the lowest, is negative."""
    return (((~spins >> U64(7)) & U64(0x0101010101010101)) * U64(0x0102040810204080)) >> U64(56)


@kernel()
def pack_signs(words, spins):
    """Write the signs of ``spins`` (items, 24 W), int8 in the order of C, into ``words`` (items, W); +1 sets a bit."""
    eights = spins.reshape(-1).view(np.uint64)
    flat = words.reshape(-1)
    for w in range(U64(flat.shape[0])):
        first = eights[U64(3) * w]
        second = eights[U64(3) * w + U64(1)]
        third = eights[U64(3) * w + U64(2)]
        flat[w] = U32(eight_signs(first) | (eight_signs(second) << U64(8)) | (eight_signs(third) << U64(16)))


@kernel()
def add_sign_products(out, first, rows, words):
    """Add signs @ rows to out[:, first : first + 16].

    ``out`` is float32 (items, stride) in the order of C, ``rows`` (24 W, 16) and ``words`` (items, W).
    """
    tables = aligned_rows(TABLES * STATES, LANES).reshape(-1)
    stride = U64(out.shape[1])
    flat = out.reshape(-1)
    reals = rows.reshape(-1)
    first = U64(first)
    items, count = words.shape
    for w in range(U64(count)):
        fill_tables(tables, reals, w * U64(WORD * LANES))
        for i in range(U64(items)):
            add_entries(flat, i * stride + first, tables, words[i, w])


# Two steps are spelled out for LLVM, which would not turn a loop over 16 columns into SIMD: it cannot know that tables
# and sums never overlap.


def row_pointer(context, builder, signature, args, number, index):
    """Return a pointer to the 16 float32 from ``index`` on of the array that is argument ``number`` of an intrinsic."""
    data = arrayobj.make_array(signature.args[number])(context, builder, args[number]).data
    return builder.bitcast(builder.gep(data, [index]), ROW.as_pointer())


@intrinsic
def fill_tables(typingctx, tables, reals, start):
    """Set entry s of table t to the sum of the rows 6 t + b, b = 0, ..., 5, negative where bit b of s is zero.

    Row k begins at ``start`` + 16 k of ``reals``, entry s of table t at 16 (64 t + s) of ``tables``, both flat.
    """

    def code(context, builder, signature, args):
        def row(k):
            place = builder.add(args[2], INDEX(LANES * k))
            return builder.load(row_pointer(context, builder, signature, args, 1, place), align=4)

        def branch(total, doubles, state):
            if doubles:
                branch(total, doubles[:-1], state)
                branch(builder.fadd(total, doubles[-1]), doubles[:-1], state + 2 ** (len(doubles) - 1))
            else:
                place = INDEX(LANES * state)
                builder.store(total, row_pointer(context, builder, signature, args, 0, place), align=4)

        for table in range(TABLES):
            rows = [row(SIGNS * table + bit) for bit in range(SIGNS)]
            branch(builder.fneg(reduce(builder.fadd, rows)), [builder.fadd(x, x) for x in rows], STATES * table)
        return context.get_dummy_value()

    return types.void(tables, reals, types.uint64), code


@intrinsic
def add_entries(typingctx, out, start, tables, word):
    """Add to the 16 numbers from ``start`` on of ``out`` one entry of each table, numbered by six bits of ``word``."""

    def code(context, builder, signature, args):
        bits = builder.zext(args[3], INDEX)
        entries = []
        for table in range(TABLES):
            state = builder.and_(builder.lshr(bits, INDEX(SIGNS * table)), INDEX(STATES - 1))
            place = builder.mul(INDEX(LANES), builder.add(state, INDEX(STATES * table)))
            entries.append(builder.load(row_pointer(context, builder, signature, args, 2, place), align=4))
        pairs = [builder.fadd(*entries[k : k + 2]) for k in range(0, TABLES, 2)]
        pointer = row_pointer(context, builder, signature, args, 0, args[1])
        total = builder.fadd(builder.load(pointer, align=4), reduce(builder.fadd, pairs))
        builder.store(total, pointer, align=4)
        return context.get_dummy_value()

    return types.void(out, types.uint64, tables, types.uint32), code
