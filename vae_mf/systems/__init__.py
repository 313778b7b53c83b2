"""Hamiltonians and their exact theory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["System", "Thermodynamics", "OrderParameterLaw"],
        "curie_weiss": ["CurieWeiss"],
        "hopfield": ["Hopfield"],
        "ising2d": ["Ising2D"],
        "maier_saupe": ["MaierSaupe"],
        "spin_glass": ["EdwardsAnderson", "Ising", "SherringtonKirkpatrick"],
    },
)
