"""Public names of the room, read by `__init__.py` and by editors."""

from .assessment import AssessmentSettings
from .readings import ReadingSettings
from .settings import EquilibriumSettings, PredictiveCheckSettings, RecordingSettings, Thresholds

__all__ = [
    "AssessmentSettings",
    "EquilibriumSettings",
    "PredictiveCheckSettings",
    "ReadingSettings",
    "RecordingSettings",
    "Thresholds",
]
