"""Public names of the room, read by `__init__.py` and by editors."""

from .autoregressive import LogisticAutoregression
from .base import DensityModel
from .independent import Independent
from .k_pairwise import KPairwise
from .mixture import BernoulliMixture
from .pairwise import PairwiseIsing
from .restricted_boltzmann import RestrictedBoltzmann
from .trees import ChowLiuTree, TreeMixture

__all__ = [
    "BernoulliMixture",
    "ChowLiuTree",
    "DensityModel",
    "Independent",
    "KPairwise",
    "LogisticAutoregression",
    "PairwiseIsing",
    "RestrictedBoltzmann",
    "TreeMixture",
]
