"""Public names of the room, read by `__init__.py` and by editors."""

from .critic_module import fit_critic
from .recipe import Recipe
from .vae_module import VAEModule

__all__ = [
    "Recipe",
    "VAEModule",
    "fit_critic",
]
