"""Public names of the room, read by `__init__.py` and by editors."""

from .base import Estimator, InverseIsing
from .boltzmann import BoltzmannLearning
from .cluster_expansion import AdaptiveClusterExpansion
from .erasure import ErasureMachine
from .interaction_screening import InteractionScreening
from .kinetic.hidden_spins import HiddenKineticIsing, HiddenKineticIsingCV
from .kinetic.likelihood import KineticMaximumLikelihood
from .kinetic.mean_field import KineticExactMeanField, KineticNaiveMeanField, KineticTAP
from .lattice import GraphPseudoLikelihood, LatticeIsing
from .low_temperature import LowTemperature
from .mean_field import TAP, Bethe, IndependentPair, NaiveMeanField, SessakMonasson
from .missing import MissingSpins
from .probability_flow import ProbabilityFlow
from .pseudolikelihood import DecimatedPseudoLikelihood, PseudoLikelihood
from .susceptibility_propagation import SusceptibilityPropagation

__all__ = [
    "TAP",
    "AdaptiveClusterExpansion",
    "Bethe",
    "BoltzmannLearning",
    "DecimatedPseudoLikelihood",
    "ErasureMachine",
    "Estimator",
    "GraphPseudoLikelihood",
    "HiddenKineticIsing",
    "HiddenKineticIsingCV",
    "IndependentPair",
    "InteractionScreening",
    "InverseIsing",
    "KineticExactMeanField",
    "KineticMaximumLikelihood",
    "KineticNaiveMeanField",
    "KineticTAP",
    "LatticeIsing",
    "LowTemperature",
    "MissingSpins",
    "NaiveMeanField",
    "ProbabilityFlow",
    "PseudoLikelihood",
    "SessakMonasson",
    "SusceptibilityPropagation",
]
