"""Numbers of rows alone, without a model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "sign_vectors": ["Search"],
    },
)
