"""Contract of a physical system, and the capabilities that it may have besides."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from vae_mf.arrays import Couplings, Patterns, Spins


class Thermodynamics(NamedTuple):
    """Exact averages of one system at one temperature (J = k_B = 1, extensive quantities for all N sites).

    >>> from vae_mf.systems import CurieWeiss
    >>> exact = CurieWeiss(100).thermodynamics(temperature=1e6)
    >>> round(exact.entropy / 100, 4)  # ln 2
    0.6931
    """

    temperature: float
    """T."""
    log_partition: float
    """ln Z."""
    energy: float
    """U = <E>."""
    heat_capacity: float
    """C = dU / dT."""
    entropy: float
    """Gibbs entropy in nats."""


class OrderParameterLaw(NamedTuple):
    """Exact distribution of the signed order parameter m at one temperature.

    >>> from vae_mf.systems import CurieWeiss
    >>> law = CurieWeiss(2).order_parameter_law(temperature=1e6)
    >>> law.values, law.probabilities.round(3)
    (array([-1.,  0.,  1.]), array([0.25, 0.5 , 0.25]))
    """

    values: Float[np.ndarray, " values"]
    """Possible values of m, ascending."""
    probabilities: Float[np.ndarray, " values"]
    """Probability of each."""


class OrderStatistics(NamedTuple):
    """Moments of the order parameter m that locate and characterise a transition."""

    order_parameter: float
    """<|m|>."""
    susceptibility: float
    """beta N (<m^2> - <|m|>^2)."""
    binder: float
    """1 - <m^4> / (3 <m^2>^2)."""


class FieldInformation(NamedTuple):
    """Information I(x; field) in nats that a Hubbard-Stratonovich field has of its configurations."""

    value: float
    source: str
    """"exact", or "sampled" for an upper bound from sampled configurations."""


CutInformation = float | Float[np.ndarray, " rows"]
"""Information between two parts in nats, or one number for every configuration, of which it is the average."""


@runtime_checkable
class HasOrderParameter(Protocol):
    """Sites with an order parameter; `UnknownSpins` have nothing else, not even an energy.

    >>> from vae_mf.systems import CurieWeiss
    >>> system = CurieWeiss(4)
    >>> isinstance(system, HasOrderParameter), system.order_parameter(np.array([[1, 1, 1, -1]], np.int8))
    (True, array([0.5]))
    """

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

    def order_parameter(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the signed order parameter of each configuration, in [-1, 1]."""
        ...


@runtime_checkable
class System(HasOrderParameter, Protocol):
    """A system in the canonical ensemble, p(x) proportional to exp(-E(x) / T).

    This is all that sampling and training ask for. Whatever else theory knows of a system is a capability, one of the
    protocols below, which its class fulfils by having the methods; every report uses those that are there.

    >>> from vae_mf.systems import Ising2D
    >>> system = Ising2D(4)
    >>> isinstance(system, System), system.name, system.kind, system.energy(np.ones((1, 16), np.int8))
    (True, 'ising2d', 'spins', array([-32.]))
    """

    def energy(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the energy of each configuration."""
        ...

    def basin(self, configurations: Any, /) -> Int[np.ndarray, "*batch"]:
        """Return the signed label of the free-energy valley nearest to each configuration: +-1, +-2, ..."""
        ...


@runtime_checkable
class HasSampler(Protocol):
    """A system that names a sampler of its own.

    >>> from vae_mf.systems import Ising2D
    >>> isinstance(Ising2D(4), HasSampler), Ising2D(4).default_sampler
    (True, 'vae_mf.samplers.Ising2DAuto')
    """

    default_sampler: str
    """Import path of the class that samples it fastest, such as "vae_mf.samplers.Wolff"."""


@runtime_checkable
class HasThermodynamics(Protocol):
    """A system with exact thermodynamics at finite size.

    >>> from vae_mf.systems import CurieWeiss
    >>> isinstance(CurieWeiss(4), HasThermodynamics), round(CurieWeiss(4).thermodynamics(1.0).energy, 3)
    (True, -1.064)
    """

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return exact thermodynamics at ``temperature``; raises ValueError where no exact sum is feasible."""
        ...


@runtime_checkable
class HasOrderParameterLaw(Protocol):
    """A system with an exact law of its order parameter at finite size.

    >>> from vae_mf.systems import CurieWeiss
    >>> isinstance(CurieWeiss(4), HasOrderParameterLaw), CurieWeiss(4).order_parameter_law(1.0).values
    (True, array([-1. , -0.5,  0. ,  0.5,  1. ]))
    """

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the exact law of the order parameter; raises ValueError where no exact sum is feasible."""
        ...


@runtime_checkable
class HasInfiniteLimit(Protocol):
    """A system whose order parameter is known in the limit of infinitely many sites.

    >>> from vae_mf.systems import CurieWeiss
    >>> isinstance(CurieWeiss(4), HasInfiniteLimit), round(CurieWeiss(4).infinite_order_parameter(0.5), 3)
    (True, 0.958)
    """

    def infinite_order_parameter(self, temperature: float) -> float:
        """Return <|m|> of the infinite system."""
        ...


@runtime_checkable
class HasOverlapLaw(Protocol):
    """A system with an exact law of the overlap q = sum_i s_i s'_i / N of two independent configurations.

    >>> from vae_mf.systems import CurieWeiss
    >>> isinstance(CurieWeiss(4), HasOverlapLaw), CurieWeiss(4).overlap_law(1e6).probabilities.round(4)
    (True, array([0.0625, 0.25  , 0.375 , 0.25  , 0.0625]))
    """

    def overlap_law(self, temperature: float) -> OrderParameterLaw:
        """Return P(q) on its N + 1 values."""
        ...


@runtime_checkable
class HasCutInformation(Protocol):
    """A system in which theory knows the information between two parts of the sites.

    >>> from vae_mf.systems import CurieWeiss
    >>> system = CurieWeiss(4)
    >>> found = system.cut_information(np.ones((1, 4), np.int8), temperature=1.0)
    >>> isinstance(system, HasCutInformation), {cut: round(value, 3) for cut, value in found.items()}
    (True, {'half': 0.166})
    """

    def cut_information(self, configurations: Any, temperature: float) -> dict[str, CutInformation]:
        """Return I(x_A; x_B) in nats by the name of the cut, "half", "area_law_half" or "sublattice".

        It is one number, or one for each of the ``configurations``, of which it is the thermal average.
        """
        ...


@runtime_checkable
class HasCutCurve(Protocol):
    """A system of which some cuts follow from the temperature alone, so quickly that they are drawn as curves.

    >>> from vae_mf.systems import CurieWeiss
    >>> cuts = CurieWeiss(4).quick_cuts(temperature=1.0)
    >>> isinstance(CurieWeiss(4), HasCutCurve), {cut: round(value, 3) for cut, value in cuts.items()}
    (True, {'half': 0.166})
    """

    def quick_cuts(self, temperature: float) -> dict[str, float]:
        """Return those numbers of `HasCutInformation.cut_information` that need no configurations and little time."""
        ...


@runtime_checkable
class HasFieldInformation(Protocol):
    """A mean-field system: its sites are independent given a Hubbard-Stratonovich field.

    >>> from vae_mf.systems import CurieWeiss
    >>> found = CurieWeiss(100).field_information(temperature=1.0)
    >>> isinstance(CurieWeiss(100), HasFieldInformation), round(found.value, 2), found.source
    (True, 1.23, 'exact')
    """

    def field_information(self, temperature: float, configurations: Any = None) -> FieldInformation:
        """Return I(x; field), exact or, where no sum is feasible, bounded by means of sampled ``configurations``."""
        ...


@runtime_checkable
class HasFieldWeight(Protocol):
    """A mean-field system of spins whose field is one number for all sites.

    >>> from vae_mf.systems import CurieWeiss
    >>> system = CurieWeiss(100)
    >>> weight = system.log_field_weight(np.array([0.0, 1.0]), temperature=1.0)
    >>> isinstance(system, HasFieldWeight), weight.round(1)
    (True, array([69.3, 62.7]))
    """

    def log_field_weight(self, field: Float[np.ndarray, " points"], temperature: float) -> Float[np.ndarray, " points"]:
        """Return ln p(h) of the reduced field h = beta J phi, up to a constant."""
        ...


@runtime_checkable
class HasTensorField(Protocol):
    """A mean-field system of directors whose field is a symmetric traceless tensor A.

    >>> from vae_mf.systems import MaierSaupe
    >>> isinstance(MaierSaupe(30), HasTensorField), round(MaierSaupe(30).field_variance(0.9), 3)  # 2 T / (3 J N)
    (True, 0.02)
    """

    def field_variance(self, temperature: float) -> float:
        """Return the variance of each of the five components of A given the directors."""
        ...


@runtime_checkable
class HasCouplings(Protocol):
    """A system of spins with E = -sum_{i<j} J_ij s_i s_j - sum_i h_i s_i + constant.

    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> glass = SherringtonKirkpatrick.random(sites=8, seed=1)
    >>> isinstance(glass, HasCouplings), glass.couplings.shape, glass.fields.shape
    (True, (8, 8), (8,))
    """

    @property
    def couplings(self) -> Any:
        """J, shape (N, N), an array or a SciPy sparse one, symmetric with zero diagonal."""
        ...

    @property
    def fields(self) -> Any:
        """h, shape (N,)."""
        ...


@runtime_checkable
class HasClauses(Protocol):
    """A system of spins whose energy is the number of violated clauses, as `KSat` describes them.

    >>> from vae_mf.systems import KSat
    >>> formula = KSat.from_clauses([[1, -2], [2, 3]], sites=3)
    >>> isinstance(formula, HasClauses), formula.literals, formula.offsets
    (True, array([ 1, -2,  2,  3], dtype=int32), array([0, 2, 4]))
    """

    @property
    def sites(self) -> int:
        """Number of variables N."""
        ...

    @property
    def literals(self) -> Any:
        """Literals +-(1 + i) of all clauses, int32."""
        ...

    @property
    def offsets(self) -> Any:
        """Bounds of the clauses among the literals, int64."""
        ...


@runtime_checkable
class HasMeanFieldCouplings(Protocol):
    """A mean-field system of spins, its couplings a few patterns times one strength J.

    >>> from vae_mf.systems import CurieWeiss
    >>> system = CurieWeiss(4)
    >>> isinstance(system, HasMeanFieldCouplings), system.coupling, system.couplings[0]
    (True, 1.0, array([0.  , 0.25, 0.25, 0.25]))
    """

    @property
    def coupling(self) -> float:
        """Strength J > 0."""
        ...

    @property
    def couplings(self) -> Couplings:
        """J_ij, shape (N, N), proportional to J, with zero diagonal."""
        ...


@runtime_checkable
class HasPatterns(HasMeanFieldCouplings, Protocol):
    """A network with stored patterns.

    >>> from vae_mf.systems import Hopfield
    >>> memory = Hopfield.random(sites=20, patterns=3, seed=1)
    >>> isinstance(memory, HasPatterns), memory.patterns.shape
    (True, (3, 20))
    """

    @property
    def patterns(self) -> Patterns:
        """xi, shape (P, N)."""
        ...


@runtime_checkable
class HasRowCorrelations(Protocol):
    """A lattice whose correlations along a row are known.

    >>> from vae_mf.systems import Ising2D
    >>> system = Ising2D(4)
    >>> isinstance(system, HasRowCorrelations), system.row_correlations(2.0).round(3)
    (True, array([1.   , 0.878, 0.858]))
    """

    @property
    def side(self) -> int:
        """Linear size L, N = L^2."""
        ...

    def row_correlations(self, temperature: float) -> Float[np.ndarray, " distances"]:
        """Return <s_0 s_r>, r = 0 ... L // 2."""
        ...

    def infinite_row_correlations(self, temperature: float) -> Float[np.ndarray, " distances"]:
        """Return <s_0 s_r> of the infinite lattice at the same distances."""
        ...


class Magnet:
    """Spins whose order parameter is the magnetisation per site, and whose basin is its sign."""

    order_name = "magnetisation m"
    kind = "spins"

    def order_parameter(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the magnetisation per site m of each configuration (..., N)."""
        return spins.mean(-1, dtype=np.float64)

    def basin(self, spins: Spins) -> Int[np.ndarray, "*batch"]:
        """Return the sign of the magnetisation, +1 where it vanishes."""
        return np.where(spins.sum(-1, dtype=np.int64) >= 0, 1, -1)


@dataclass(frozen=True)
class UnknownSpins(Magnet):
    """Spins of which nothing is known but samples: no energy and no theory.

    >>> from vae_mf.systems import System
    >>> spins = UnknownSpins(4)
    >>> isinstance(spins, System), spins.order_parameter(np.array([[1, 1, 1, -1]], np.int8))
    (False, array([0.5]))

    Args:
        sites: number N of spins.
    """

    sites: int
    name = "samples"
    symmetries = ()


def order_statistics(law: OrderParameterLaw, sites: int, temperature: float) -> OrderStatistics:
    """Return <|m|>, susceptibility and Binder cumulant of an exact law of the order parameter.

    >>> law = OrderParameterLaw(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    >>> order_statistics(law, sites=10, temperature=0.5).order_parameter
    1.0
    """
    size = np.abs(law.values)
    absolute, second, fourth = (float(size**power @ law.probabilities) for power in (1, 2, 4))
    found = statistics_from_moments(absolute, second, fourth, sites, temperature)
    # Not the difference of moments, of which 1 / T would make something of nothing in the cold.
    variance = float((size - absolute) ** 2 @ law.probabilities)
    return found._replace(susceptibility=sites / temperature * variance)


def statistics_from_moments(
    absolute: float, second: float, fourth: float, sites: int, temperature: float
) -> OrderStatistics:
    """Return order statistics from <|m|>, <m^2> and <m^4>.

    >>> statistics_from_moments(1.0, 1.0, 1.0, sites=10, temperature=0.5)
    OrderStatistics(order_parameter=1.0, susceptibility=0.0, binder=0.6666666666666667)
    """
    return OrderStatistics(absolute, sites / temperature * (second - absolute**2), 1 - fourth / (3 * second**2))
