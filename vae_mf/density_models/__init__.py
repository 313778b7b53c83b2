"""Normalised laws of binary rows, exact where they can be, to compare a latent model with."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["DensityModel"],
        "independent": ["Independent"],
        "k_pairwise": ["KPairwise"],
        "mixture": ["BernoulliMixture"],
        "pairwise": ["PairwiseIsing"],
        "restricted_boltzmann": ["RestrictedBoltzmann"],
    },
)
