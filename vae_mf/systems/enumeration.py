"""Exact theory of any small system of spins, from all of its 2^N configurations."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import xlogy

from vae_mf.arrays import Spins
from vae_mf.checks import require_energy_scale
from vae_mf.packing import all_configurations
from vae_mf.systems.base import (
    CutInformation,
    HasCutInformation,
    HasOrderParameter,
    HasOrderParameterLaw,
    HasThermodynamics,
    OrderParameterLaw,
    System,
    Thermodynamics,
)
from vae_mf.systems.canonical import canonical


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
    """Return the exact Boltzmann distribution of a system of at most 20 spins at ``temperature``.

    >>> from vae_mf.systems import Ising2D
    >>> round(enumerate_system(Ising2D(2), 2.0).thermodynamics.log_partition, 3)
    4.798

    Raises:
        ValueError: for more spins, and for directors.
    """
    require_energy_scale("temperature", temperature)
    if system.kind != "spins":
        raise ValueError(f"enumeration: expected a system of spins, got {system.name}")
    spins = all_configurations(system.sites)
    energies = system.energy(spins)
    return Enumeration(spins, energies, *canonical(energies, temperature))


def enumerated_information(system: System, temperature: float) -> float:
    """Return I(x_A; x_B) from all 2^N probabilities; with an odd number of sites B has one more.

    >>> from vae_mf.systems import Ising2D
    >>> round(enumerated_information(Ising2D(2), 0.3), 4)
    0.6931
    """
    # Bit i of a row number is spin i, so that the last axis runs over the first half of the sites.
    joint = enumerate_system(system, temperature).probabilities.reshape(-1, 2 ** (system.sites // 2))
    rows = joint.sum(1)
    columns = joint.sum(0)
    return float(xlogy(joint, joint).sum() - xlogy(rows, rows).sum() - xlogy(columns, columns).sum())


def exact_thermodynamics(system: System, temperature: float) -> Thermodynamics:
    """Return exact thermodynamics, by the system's own theory or else by enumeration.

    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> round(exact_thermodynamics(SherringtonKirkpatrick.random(10, seed=1), 1.0).entropy, 2)
    5.35

    Raises:
        ValueError: where no exact sum is feasible.
    """
    if isinstance(system, HasThermodynamics):
        return system.thermodynamics(temperature)
    return enumerate_system(system, temperature).thermodynamics


def feasible_thermodynamics(system: System, temperature: float) -> Thermodynamics | None:
    """Return exact thermodynamics, None where no exact sum is feasible."""
    require_energy_scale("temperature", temperature)
    try:
        return exact_thermodynamics(system, temperature)
    except ValueError:
        return None


def feasible_law(system: HasOrderParameter, temperature: float) -> OrderParameterLaw | None:
    """Return the exact law of the order parameter, None where the system knows none or no exact sum is feasible.

    >>> from vae_mf.systems import MaierSaupe
    >>> feasible_law(MaierSaupe(16), 0.2) is None
    True
    """
    require_energy_scale("temperature", temperature)
    if not isinstance(system, HasOrderParameterLaw):
        return None
    try:
        return system.order_parameter_law(temperature)
    except ValueError:
        return None


def feasible_cuts(system: System, configurations: Any, temperature: float) -> dict[str, CutInformation]:
    """Return the information of the cuts that theory knows, "half" by enumeration where the system knows none.

    >>> from vae_mf.systems import CurieWeiss
    >>> list(feasible_cuts(CurieWeiss(64), np.ones((1, 64), np.int8), 0.1))
    ['half']
    """
    if isinstance(system, HasCutInformation):
        return system.cut_information(configurations, temperature)
    try:
        return {"half": enumerated_information(system, temperature)}
    except ValueError:
        return {}
