"""Anybody's binary files as recordings, and their splits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fetching": ["fetch", "read_mnist"],
        "recording": ["Recording", "make_recording", "read_recording"],
        "splits": ["Split", "split_rows"],
    },
)
