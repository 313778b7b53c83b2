"""Public names of the room, read by `__init__.py` and by editors."""

from .auto import automatic_sampler
from .base import Sampler, Schedule, SystemSampler, sample_chains
from .cluster_tempering import ClusterTempering
from .curie_weiss import CurieWeissDirect
from .draw import sample
from .hopfield import HopfieldGibbs
from .ising2d import Ising2DAuto
from .k_sat import KSatMetropolis
from .ladders import feedback_ladder
from .maier_saupe import MaierSaupeDirect, MaierSaupeGibbs
from .multispin import MultispinMetropolis
from .multispin_glass import MultispinGlass
from .plan import Sampling, plan
from .population_annealing import population_annealing
from .spin_glass import IsingMetropolis
from .tempering import ParallelTempering
from .wolff import Wolff

__all__ = [
    "ClusterTempering",
    "CurieWeissDirect",
    "HopfieldGibbs",
    "Ising2DAuto",
    "IsingMetropolis",
    "KSatMetropolis",
    "MaierSaupeDirect",
    "MaierSaupeGibbs",
    "MultispinGlass",
    "MultispinMetropolis",
    "ParallelTempering",
    "Sampler",
    "Sampling",
    "Schedule",
    "SystemSampler",
    "Wolff",
    "automatic_sampler",
    "feedback_ladder",
    "plan",
    "population_annealing",
    "sample",
    "sample_chains",
]
