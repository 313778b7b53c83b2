"""Public names of the room, read by `__init__.py` and by editors."""

from .base import Estimator, InverseIsing
from .boltzmann import BoltzmannLearning
from .cluster_expansion import AdaptiveClusterExpansion
from .correlated_rows import bootstrap_errors, effective_weights
from .erasure import ErasureMachine
from .group_comparison import CouplingsChange, compare_couplings
from .interaction_screening import InteractionScreening
from .kinetic.hidden_spins import HiddenKineticIsing, HiddenKineticIsingCV
from .kinetic.likelihood import KineticMaximumLikelihood
from .kinetic.mean_field import KineticExactMeanField, KineticNaiveMeanField, KineticTAP
from .lattice import GraphPseudoLikelihood, LatticeIsing
from .low_temperature import LowTemperature
from .mean_field import TAP, Bethe, IndependentPair, NaiveMeanField, SessakMonasson
from .missing import MissingSpins
from .missing_entries import MissingEntries
from .potts.base import PottsModel
from .potts.boltzmann import PottsBoltzmannLearning
from .potts.contacts import contact_scores, strongest_contacts
from .potts.pseudolikelihood import PottsPseudoLikelihood
from .potts.sequence_weights import identity_weights, position_weights
from .probability_flow import ProbabilityFlow
from .pseudolikelihood import DecimatedPseudoLikelihood, PseudoLikelihood
from .susceptibility_propagation import SusceptibilityPropagation
from .triplets import TripletPseudoLikelihood

__all__ = [
    "TAP",
    "AdaptiveClusterExpansion",
    "Bethe",
    "BoltzmannLearning",
    "CouplingsChange",
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
    "MissingEntries",
    "MissingSpins",
    "NaiveMeanField",
    "PottsBoltzmannLearning",
    "PottsModel",
    "PottsPseudoLikelihood",
    "ProbabilityFlow",
    "PseudoLikelihood",
    "SessakMonasson",
    "SusceptibilityPropagation",
    "TripletPseudoLikelihood",
    "bootstrap_errors",
    "compare_couplings",
    "contact_scores",
    "effective_weights",
    "identity_weights",
    "position_weights",
    "strongest_contacts",
]
