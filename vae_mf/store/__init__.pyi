"""Public names of the room, read by `__init__.py` and by editors."""

from .sample_store import SampleStore, is_sealed, open_store

__all__ = [
    "SampleStore",
    "is_sealed",
    "open_store",
]
