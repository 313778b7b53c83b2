"""Estimators of Ising couplings and fields from configurations of spins."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Estimator", "InverseIsing"],
        "boltzmann": ["BoltzmannLearning"],
        "cluster_expansion": ["AdaptiveClusterExpansion"],
        "erasure": ["ErasureMachine"],
        "interaction_screening": ["InteractionScreening"],
        "kinetic.hidden_spins": ["HiddenKineticIsing", "HiddenKineticIsingCV"],
        "kinetic.likelihood": ["KineticMaximumLikelihood"],
        "kinetic.mean_field": ["KineticExactMeanField", "KineticNaiveMeanField", "KineticTAP"],
        "lattice": ["GraphPseudoLikelihood", "LatticeIsing"],
        "low_temperature": ["LowTemperature"],
        "mean_field": ["TAP", "Bethe", "IndependentPair", "NaiveMeanField", "SessakMonasson"],
        "missing": ["MissingSpins"],
        "probability_flow": ["ProbabilityFlow"],
        "pseudolikelihood": ["DecimatedPseudoLikelihood", "PseudoLikelihood"],
        "susceptibility_propagation": ["SusceptibilityPropagation"],
    },
)
