"""Run folders, commands and sweeps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["load"],
        "sweeps": ["FailedJobs"],
    },
)
