"""Public names of the room, read by `__init__.py` and by editors."""

from .sign_vectors import Search

__all__ = [
    "Search",
]
