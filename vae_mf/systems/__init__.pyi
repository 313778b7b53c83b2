"""Public names of the room, read by `__init__.py` and by editors."""

from .base import (
    HasClauses,
    HasCouplings,
    HasCutCurve,
    HasCutInformation,
    HasFieldInformation,
    HasFieldWeight,
    HasInfiniteLimit,
    HasMeanFieldCouplings,
    HasOrderParameter,
    HasOrderParameterLaw,
    HasOverlapLaw,
    HasPatterns,
    HasRowCorrelations,
    HasSampler,
    HasTensorField,
    HasThermodynamics,
    OrderParameterLaw,
    System,
    Thermodynamics,
    UnknownSpins,
)
from .curie_weiss import CurieWeiss
from .forward_mean_field import MeanField, response_correlations, solve_mean_field
from .hopfield import Hopfield
from .hopfield_theory import RetrievalLoads, retrieval_loads
from .ising2d import Ising2D
from .k_sat import KSat
from .kinetic_plefka import KineticMoments, kinetic_moments
from .maier_saupe import MaierSaupe
from .spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

__all__ = [
    "CurieWeiss",
    "EdwardsAnderson",
    "HasClauses",
    "HasCouplings",
    "HasCutCurve",
    "HasCutInformation",
    "HasFieldInformation",
    "HasFieldWeight",
    "HasInfiniteLimit",
    "HasMeanFieldCouplings",
    "HasOrderParameter",
    "HasOrderParameterLaw",
    "HasOverlapLaw",
    "HasPatterns",
    "HasRowCorrelations",
    "HasSampler",
    "HasTensorField",
    "HasThermodynamics",
    "Hopfield",
    "Ising",
    "Ising2D",
    "KSat",
    "KineticMoments",
    "MaierSaupe",
    "MeanField",
    "OrderParameterLaw",
    "RetrievalLoads",
    "SherringtonKirkpatrick",
    "System",
    "Thermodynamics",
    "UnknownSpins",
    "kinetic_moments",
    "response_correlations",
    "retrieval_loads",
    "solve_mean_field",
]
