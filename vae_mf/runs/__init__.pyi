"""Public names of the room, read by `__init__.py` and by editors."""

from .models import load
from .sweeps import FailedJobs

__all__ = [
    "FailedJobs",
    "load",
]
