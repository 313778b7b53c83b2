"""Numbers of a trained model and rows: likelihoods, total correlations, capacity, decoded parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "total_correlation": ["CriticSettings"],
        "trained_model": ["TrainedModel"],
    },
)
