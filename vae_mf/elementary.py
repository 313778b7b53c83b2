"""Exponential, logarithm, cosine and sine in float32, without branches, so that LLVM turns loops over them into SIMD.

They have no interpreted form, for they read and write the bits of a float32.
"""

from typing import Any

import numpy as np
from numba import extending, types

from vae_mf.kernels import FAST, kernel

intrinsic: Any = extending.intrinsic
"""Untyped, for its result takes one argument less than the function it decorates."""
F32 = np.float32
I32 = np.int32


@intrinsic
def float_as_int(typingctx, value):
    """Reinterpret the bits of a float32 as an int32."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), code


@intrinsic
def int_as_float(typingctx, value):
    """Reinterpret the bits of an int32 as a float32."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), code


@kernel(inline="always", fastmath=FAST)
def exp32(x):
    """Return exp(x) in float32, relative error below 2e-7 (Cephes expf: powers of two, degree-5 polynomial)."""
    x = min(max(x, F32(-87.0)), F32(88.0))
    # Adding 1.5 * 2^23 rounds to the nearest integer without a branch.
    t = x * F32(1.4426950408889634) + F32(12582912.0)
    n = float_as_int(t) - I32(0x4B400000)
    whole = t - F32(12582912.0)
    r = x - whole * F32(0.693359375) + whole * F32(2.12194440e-4)
    p = F32(1.9875691500e-4)
    p = p * r + F32(1.3981999507e-3)
    p = p * r + F32(8.3334519073e-3)
    p = p * r + F32(4.1665795894e-2)
    p = p * r + F32(1.6666665459e-1)
    p = p * r + F32(5.0000001201e-1)
    p = p * r * r + r + F32(1.0)
    return int_as_float(float_as_int(p) + (n << I32(23)))


@kernel(inline="always", fastmath=FAST)
def log32(x):
    """Return ln(x) in float32 for positive normal x, absolute error below 2e-7 (Cephes logf)."""
    i = float_as_int(x) - I32(0x3F3504F3)
    exponent = i >> I32(23)
    m = int_as_float((i & I32(0x007FFFFF)) + I32(0x3F3504F3)) - F32(1.0)
    p = F32(7.0376836292e-2)
    p = p * m - F32(1.1514610310e-1)
    p = p * m + F32(1.1676998740e-1)
    p = p * m - F32(1.2420140846e-1)
    p = p * m + F32(1.4249322787e-1)
    p = p * m - F32(1.6668057665e-1)
    p = p * m + F32(2.0000714765e-1)
    p = p * m - F32(2.4999993993e-1)
    p = p * m + F32(3.3333331174e-1)
    z = m * m
    return m + (p * m * z - F32(0.5) * z) + F32(exponent) * F32(0.6931471805599453)


@kernel(inline="always", fastmath=FAST)
def cos_sin_turn(u):
    """Return cos(2 pi u) and sin(2 pi u) in float32 for u in [0, 1) (Cephes sinf and cosf on one octant)."""
    t = u * F32(4.0)
    quarter = I32(t + F32(0.5))
    r = (t - F32(quarter)) * F32(1.5707963267948966)
    z = r * r
    s = r + r * z * (F32(-1.6666654611e-1) + z * (F32(8.3321608736e-3) + z * F32(-1.9515295891e-4)))
    c = F32(1.0) - F32(0.5) * z
    c = c + z * z * (F32(4.166664568298827e-2) + z * (F32(-1.388731625493765e-3) + z * F32(2.443315711809948e-5)))
    odd = (quarter & I32(1)) != I32(0)
    cosine = s if odd else c
    sine = c if odd else s
    cosine = -cosine if ((quarter + I32(1)) & I32(2)) != I32(0) else cosine
    sine = -sine if (quarter & I32(2)) != I32(0) else sine
    return cosine, sine
