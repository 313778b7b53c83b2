"""Estimators of Ising couplings and fields from configurations of spins."""

from vae_mf.inverse_ising.boltzmann import BoltzmannLearning
from vae_mf.inverse_ising.cluster_expansion import AdaptiveClusterExpansion
from vae_mf.inverse_ising.erasure import ErasureMachine
from vae_mf.inverse_ising.interaction_screening import InteractionScreening
from vae_mf.inverse_ising.kinetic.hidden_spins import HiddenKineticIsing, HiddenKineticIsingCV
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.kinetic.mean_field import KineticExactMeanField, KineticNaiveMeanField, KineticTAP
from vae_mf.inverse_ising.lattice import GraphPseudoLikelihood, LatticeIsing
from vae_mf.inverse_ising.low_temperature import LowTemperature
from vae_mf.inverse_ising.mean_field import TAP, Bethe, IndependentPair, NaiveMeanField, SessakMonasson
from vae_mf.inverse_ising.missing import MissingSpins
from vae_mf.inverse_ising.probability_flow import ProbabilityFlow
from vae_mf.inverse_ising.pseudolikelihood import DecimatedPseudoLikelihood, PseudoLikelihood
from vae_mf.inverse_ising.susceptibility_propagation import SusceptibilityPropagation

__all__ = [
    "TAP",
    "AdaptiveClusterExpansion",
    "Bethe",
    "BoltzmannLearning",
    "DecimatedPseudoLikelihood",
    "ErasureMachine",
    "GraphPseudoLikelihood",
    "HiddenKineticIsing",
    "HiddenKineticIsingCV",
    "IndependentPair",
    "InteractionScreening",
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
