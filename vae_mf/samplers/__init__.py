"""Markov chains and direct draws of equilibrium configurations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "auto": ["automatic_sampler"],
        "base": ["Sampler", "Schedule", "SystemSampler", "sample_chains"],
        "curie_weiss": ["CurieWeissDirect"],
        "draw": ["sample"],
        "hopfield": ["HopfieldGibbs"],
        "ising2d": ["Ising2DAuto"],
        "maier_saupe": ["MaierSaupeDirect", "MaierSaupeGibbs"],
        "multispin": ["MultispinMetropolis"],
        "plan": ["Sampling", "plan"],
        "spin_glass": ["IsingMetropolis"],
        "tempering": ["ParallelTempering"],
        "wolff": ["Wolff"],
    },
)
