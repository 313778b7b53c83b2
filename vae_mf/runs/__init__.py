"""Run folders, and the machinery of commands and sweeps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "models": ["load"],
        "sweeps": ["FailedJobs"],
    },
)
