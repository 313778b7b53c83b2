"""Solvers of satisfiability problems: the ground states of `vae_mf.systems.KSat`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
