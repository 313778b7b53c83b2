"""Public names of the room, read by `__init__.py` and by editors."""

from .imported import from_arrays
from .sample_store import SampleStore, is_sealed, open_store

__all__ = [
    "SampleStore",
    "from_arrays",
    "is_sealed",
    "open_store",
]
