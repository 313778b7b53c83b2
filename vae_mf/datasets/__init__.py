"""Anybody's binary files as recordings, and their splits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fetching": ["fetch", "read_mnist"],
        "file_formats": ["Reader", "read_array", "register_reader"],
        "files": ["DataError", "Options", "Raster"],
        "recording": ["Recording", "make_recording", "read_recording"],
        "splits": ["Split", "split_rows"],
    },
)
