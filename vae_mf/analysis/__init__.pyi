"""Public names of the room, read by `__init__.py` and by editors."""

from .total_correlation import CriticSettings
from .trained_model import TrainedModel

__all__ = [
    "CriticSettings",
    "TrainedModel",
]
