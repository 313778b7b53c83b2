"""Public names of the room, read by `__init__.py` and by editors."""

from .autoregressive import LogisticAutoregression
from .autoregressive_network import AutoregressiveNetwork
from .base import DensityModel
from .hidden_markov import HiddenMarkov
from .independent import Independent
from .k_pairwise import KPairwise
from .lagged_autoregression import LaggedAutoregression
from .mixture import BernoulliMixture
from .pairwise import PairwiseIsing
from .population_tracking import PopulationTracking
from .random_projections import RandomProjections
from .restricted_boltzmann import RestrictedBoltzmann, SemiRestrictedBoltzmann
from .semiparametric_pairwise import SemiparametricPairwise
from .trees import ChowLiuTree, TreeMixture

__all__ = [
    "AutoregressiveNetwork",
    "BernoulliMixture",
    "ChowLiuTree",
    "DensityModel",
    "HiddenMarkov",
    "Independent",
    "KPairwise",
    "LaggedAutoregression",
    "LogisticAutoregression",
    "PairwiseIsing",
    "PopulationTracking",
    "RandomProjections",
    "RestrictedBoltzmann",
    "SemiRestrictedBoltzmann",
    "SemiparametricPairwise",
    "TreeMixture",
]
