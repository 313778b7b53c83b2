"""Public names of the room, read by `__init__.py` and by editors."""

from .assessment import AssessmentSettings
from .settings import EquilibriumSettings, PredictiveCheckSettings, RecordingSettings

__all__ = [
    "AssessmentSettings",
    "EquilibriumSettings",
    "PredictiveCheckSettings",
    "RecordingSettings",
]
