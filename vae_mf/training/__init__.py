"""Training of VAEs and critics in Lightning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "critic_module": ["fit_critic"],
        "recipe": ["Recipe"],
        "vae_module": ["VAEModule"],
    },
)
