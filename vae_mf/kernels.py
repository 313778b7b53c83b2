"""Compilation of inner loops."""

import os
import warnings
from collections.abc import Callable
from functools import cache
from inspect import getfile, unwrap
from tempfile import TemporaryDirectory
from typing import Any

from numba import config, njit

from vae_mf.paths import without_home

FAST = {"contract", "nsz", "arcp"}
"""Floating-point licences of SIMD loops. Never add "reassoc" near exp32 or log32: it deletes the rounding in them."""
CACHE = "NUMBA_CACHE_DIR"
"""Environment variable with the folder of compiled code, which by default is beside the source or the user's."""
LANES = 16
"""float32 numbers in the widest SIMD register, and in a line of the cache."""


def kernel(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator that compiles a function to run outside the GIL, cached on disk; ``options`` go to Numba.

    A run-time checker of annotations wraps every function of the package, which Numba cannot compile: unwrap it first.
    """

    def compiled(function: Callable) -> Callable:
        plain = unwrap(function)
        beside = os.path.dirname(getfile(plain))
        if without_home() and not (os.environ.get(CACHE) or os.access(beside, os.W_OK)):
            keep_for_now()  # Numba would make a folder called ~ where the process runs
        try:
            return njit(nogil=True, cache=True, **options)(plain)
        except RuntimeError:  # there is no folder that Numba may write into
            keep_for_now()
            return njit(nogil=True, cache=True, **options)(plain)

    return compiled


@cache
def keep_for_now() -> TemporaryDirectory:
    """Keep compiled code in a temporary folder, for this process and those that it starts."""
    folder = TemporaryDirectory(prefix="vae_mf-", ignore_cleanup_errors=True)
    os.environ[CACHE] = config.CACHE_DIR = folder.name  # pyright: ignore[reportAttributeAccessIssue]
    warnings.warn(
        "compiled code will not be kept, as no folder for it can be written, and compiling it again takes seconds: "
        f"name a folder in the environment variable {CACHE}",
        stacklevel=1,  # that of a caller would show it once a caller
    )
    return folder


def padded(sites: int) -> int:
    """Return the row length that holds ``sites`` float32 in whole SIMD registers."""
    return LANES * -(-sites // LANES)
