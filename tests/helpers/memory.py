"""Memory of arrays that a function takes beside its arguments."""

import tracemalloc
from collections.abc import Callable
from typing import Any


def peak_bytes(function: Callable[[], Any]) -> int:
    """Return the most bytes that are held at once during a call, its result among them."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
