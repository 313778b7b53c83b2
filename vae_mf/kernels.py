"""Compilation of inner loops."""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

from numba import njit

FAST = {"contract", "nsz", "arcp"}
"""Floating-point licences of SIMD loops. Never add "reassoc" near exp32 or log32: it deletes the rounding in them."""
LANES = 16
"""float32 numbers in the widest SIMD register, and in a line of the cache."""


def kernel(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator that compiles a function to run outside the GIL, cached on disk; ``options`` go to Numba.

    A run-time checker of annotations wraps every function of the package, which Numba cannot compile: unwrap it first.
    """
    return lambda function: njit(nogil=True, cache=True, **options)(unwrap(function))


def padded(sites: int) -> int:
    """Return the row length that holds ``sites`` float32 in whole SIMD registers."""
    return LANES * -(-sites // LANES)
