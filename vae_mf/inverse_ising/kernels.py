"""How the inner loops of the estimators are compiled."""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

from numba import njit


def kernel(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator that compiles a function to run outside the GIL, cached on disk; ``options`` go to Numba.

    A run-time checker of annotations wraps every function of the package, which Numba cannot compile: unwrap it first.
    """
    return lambda function: njit(nogil=True, cache=True, **options)(unwrap(function))
