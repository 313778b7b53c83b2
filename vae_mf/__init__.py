"""Latent mean-field structure of binary data: samples, models, verdicts, and anybody's own recordings.

>>> import vae_mf
>>> spins = vae_mf.sample(vae_mf.systems.CurieWeiss(64), temperatures=[0.8, 1.2], count=100, seed=1)
>>> spins.shape
(2, 100, 64)
>>> report = vae_mf.discover(rows, quick=True)  # doctest: +SKIP
>>> model = vae_mf.load("outputs/hopfield_quick-0123456789")  # doctest: +SKIP

The public names stand in ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
