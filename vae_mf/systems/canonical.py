"""Boltzmann distributions of listed energies, whose digits no temperature takes away."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.checks import require_energy_scale
from vae_mf.systems.base import Thermodynamics

ROUNDING = 1e-13
"""Share of the largest energy by which energies that are equal may differ after rounding."""


class Canonical(NamedTuple):
    """Boltzmann probabilities of listed energies at one temperature."""

    probabilities: Float[np.ndarray, " energies"]
    thermodynamics: Thermodynamics


def canonical(
    energies: Float[np.ndarray, " energies"],
    temperature: float,
    log_number: Float[np.ndarray, " energies"] | float = 0.0,
) -> Canonical:
    """Return the Boltzmann distribution of energies, of which exp(``log_number``) configurations each have one.

    Energies count from that of the ground state: their multiples of 1 / T would lose the digits of ``log_number``.

    >>> cold = canonical(np.array([-3.0, 1.0]), temperature=1e-20, log_number=np.log([2, 6]))
    >>> cold.probabilities.tolist(), round(cold.thermodynamics.entropy, 4)
    ([1.0, 0.0], 0.6931)
    """
    require_energy_scale("temperature", temperature)
    ground = energies.min()
    above = energies - ground
    above[above < ROUNDING * np.abs(energies).max()] = 0.0
    scaled = above / temperature
    log_weights = log_number - scaled
    log_sum = float(logsumexp(log_weights))
    probabilities = np.exp(log_weights - log_sum)
    probabilities /= probabilities.sum()
    mean = float(probabilities @ scaled)
    exact = Thermodynamics(
        temperature=temperature,
        log_partition=log_sum - float(ground) / temperature,
        energy=float(ground + probabilities @ above),
        heat_capacity=float(probabilities @ (scaled - mean) ** 2),
        entropy=mean + log_sum,
    )
    return Canonical(probabilities, exact)
