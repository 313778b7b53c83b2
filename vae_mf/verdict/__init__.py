"""The verdict on a trained model: evidence, decision and report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "assessment": ["AssessmentSettings"],
        "settings": ["EquilibriumSettings", "PredictiveCheckSettings", "RecordingSettings"],
    },
)
