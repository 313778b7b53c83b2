"""Public names of the room, read by `__init__.py` and by editors."""

from .report import Report, discover

__all__ = [
    "Report",
    "discover",
]
