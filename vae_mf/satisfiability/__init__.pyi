"""Public names of the room, read by `__init__.py` and by editors."""

__all__ = []
