"""Latent mean-field structure of binary data: samples, models, verdicts, and anybody's own recordings.

>>> import vae_mf
>>> spins = vae_mf.sample(vae_mf.systems.CurieWeiss(64), temperatures=[0.8, 1.2], count=100, seed=1)  # doctest: +SKIP
>>> report = vae_mf.discover(rows, quick=True)                                                        # doctest: +SKIP
>>> model = vae_mf.load("outputs/hopfield_quick-0123456789")                                          # doctest: +SKIP
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["density_models", "inverse_ising", "samplers", "systems"],
    submod_attrs={
        "analysis.trained_model": ["TrainedModel"],
        "discovery.report": ["Report", "discover"],
        "runs.build": ["load"],
        "simulation": ["simulate"],
        "store.sample_store": ["open_store"],
    },
)
