"""Samplers in plain torch, for many chains at once on a GPU; on the processor those of `vae_mf.samplers` are faster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
