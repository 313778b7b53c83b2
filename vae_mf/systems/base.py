"""Contract of a physical system: an energy, an order parameter, and exact answers at finite size."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int


class Thermodynamics(NamedTuple):
    """Exact averages of one system at one temperature (J = k_B = 1, extensive quantities for all N sites)."""

    temperature: float
    log_partition: float
    energy: float
    heat_capacity: float
    entropy: float
    """Gibbs entropy in nats."""


class OrderParameterLaw(NamedTuple):
    """Exact distribution of the signed order parameter m at one temperature."""

    values: Float[np.ndarray, " values"]
    probabilities: Float[np.ndarray, " values"]


class OrderStatistics(NamedTuple):
    """Moments of the order parameter m that locate and characterise a transition."""

    order_parameter: float
    """<|m|>."""
    susceptibility: float
    """beta N (<m^2> - <|m|>^2)."""
    binder: float
    """1 - <m^4> / (3 <m^2>^2)."""


@runtime_checkable
class System(Protocol):
    """A spin system in the canonical ensemble, p(s) proportional to exp(-E(s) / T)."""

    name: str
    order_name: str
    """Name of the order parameter, its symbol last: "magnetisation m"."""
    kind: str
    """Sort of the N elements: "spins", -1 and +1, or "directors", unit vectors without a sign."""

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of the moves of all sites at once that change no energy: "spin_flip", "translation", "rotation"."""
        ...

    @property
    def sites(self) -> int:
        """Number of sites N."""
        ...

    def energy(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the energy of each configuration."""
        ...

    def order_parameter(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the signed order parameter of each configuration, in [-1, 1]."""
        ...

    def basin(self, configurations: Any, /) -> Int[np.ndarray, "*batch"]:
        """Return the signed label of the free-energy valley nearest to each configuration: +-1, +-2, ..."""
        ...

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return exact thermodynamics at ``temperature``; raises ValueError where no exact sum is feasible."""
        ...

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the exact law of the order parameter; raises ValueError where no exact sum is feasible."""
        ...


@runtime_checkable
class HasSampler(Protocol):
    """A system that names a sampler of its own."""

    default_sampler: str
    """Import path of the class that samples it fastest, such as "vae_mf.samplers.Wolff"."""


def order_statistics(law: OrderParameterLaw, sites: int, temperature: float) -> OrderStatistics:
    """Return <|m|>, susceptibility and Binder cumulant of an exact law of the order parameter."""

    def moment(power: int) -> float:
        return float(np.abs(law.values) ** power @ law.probabilities)

    return statistics_from_moments(moment(1), moment(2), moment(4), sites, temperature)


def statistics_from_moments(
    absolute: float, second: float, fourth: float, sites: int, temperature: float
) -> OrderStatistics:
    """Return order statistics from <|m|>, <m^2> and <m^4>."""
    return OrderStatistics(absolute, sites / temperature * (second - absolute**2), 1 - fourth / (3 * second**2))
