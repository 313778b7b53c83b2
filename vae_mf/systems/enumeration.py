"""The oracle for small systems: every one of the 2^N configurations, weighed exactly."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_positive
from vae_mf.packing import all_configurations
from vae_mf.systems.base import System, Thermodynamics


class Enumeration(NamedTuple):
    """All configurations of a system with their Boltzmann probabilities at one temperature."""

    spins: Spins
    """Configurations, shape (2^N, N)."""
    energies: Float[np.ndarray, " states"]
    probabilities: Float[np.ndarray, " states"]
    thermodynamics: Thermodynamics

    def mean(self, values: Float[np.ndarray, "states *shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the thermal average of values given per configuration."""
        return np.tensordot(self.probabilities, values, axes=1)


def enumerate_system(system: System, temperature: float) -> Enumeration:
    """Return the exact Boltzmann distribution of a system of at most 20 sites at ``temperature``."""
    require_positive("temperature", temperature)
    spins = all_configurations(system.sites)
    energies = system.energy(spins)
    log_partition = float(logsumexp(-energies / temperature))
    probabilities = np.exp(-energies / temperature - log_partition)
    energy = float(probabilities @ energies)
    heat_capacity = float(probabilities @ (energies - energy) ** 2) / temperature**2
    entropy = energy / temperature + log_partition
    exact = Thermodynamics(temperature, log_partition, energy, heat_capacity, entropy)
    return Enumeration(spins, energies, probabilities, exact)
