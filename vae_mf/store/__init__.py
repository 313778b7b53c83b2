"""Sealed stores of samples, in Zarr."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "sample_store": ["SampleStore", "open_store", "is_sealed"],
    },
)
