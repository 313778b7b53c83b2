"""The Hopfield model and its exact finite-size theory for a few patterns.

Two independent exact routes: quadrature over the Hubbard-Stratonovich field (P <= 3, any N) gives thermodynamics;
a sum over the magnetisations of the classes of equivalent sites gives the law of the leading overlap and, where a table
of its energies is small (P = 3 to N of about 300), thermodynamics too, at any temperature in a millisecond.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

from vae_mf.arrays import Couplings, Fields, Patterns, Spins
from vae_mf.checks import (
    plain_array,
    require_energy_scale,
    require_integer,
    require_reduced_temperature,
    require_spins,
)
from vae_mf.rng import generator
from vae_mf.systems.base import FieldInformation, OrderParameterLaw, Thermodynamics
from vae_mf.systems.canonical import canonical
from vae_mf.systems.curie_weiss import log_binomial
from vae_mf.systems.field_information import (
    HOTTEST_FIELD,
    QUADRATURE_PATTERNS,
    overlap_field_information,
    require_points,
    sampled_field_bound,
)
from vae_mf.systems.mean_field import mean_field_magnetisation

CLASS_STATES = 40_000_000
"""Largest number of states of the site classes that are summed over."""
FIELD_POINTS = 10**9
"""Largest number of points of a quadrature over the field, minutes."""
TABLE = 12_000_000
"""Largest number of pairs of a leading overlap and an energy that a table is kept of, 100 MB."""


class States(NamedTuple):
    """States by their leading overlap times N, sum_mu (xi^mu . s)^2, and ln of their number."""

    leading: Int[np.ndarray, " states"]
    squares: Int[np.ndarray, " states"]
    log_number: Float[np.ndarray, " states"]


@dataclass(frozen=True, eq=False)
class Hopfield:
    """Associative memory, H = -(J / 2N) sum_mu (xi^mu . s)^2, with overlaps m_mu = xi^mu . s / N.

    The order parameter is the leading overlap: the m_mu of largest magnitude, with its sign.

    Source: Biroli, Welling and Vitelli 2026, eqs. 29, 30 and 38 to 41; Hopfield 1982.

    >>> memory = Hopfield(np.array([[1, 1, 1, 1], [1, -1, 1, -1]], np.int8))
    >>> memory.overlaps(np.array([1, 1, 1, -1], np.int8)), memory.couplings[0]
    (array([0.5, 0.5]), array([0. , 0. , 0.5, 0. ]))

    Args:
        patterns: xi, shape (P, N), entries in {-1, +1}.
        coupling: strength J > 0.

    Raises:
        ValueError: if the patterns are not a (P, N) array of +-1 with 1 <= P <= N.
    """

    patterns: Patterns
    coupling: float = 1.0
    name = "hopfield"
    order_name = "leading overlap m"
    kind = "spins"
    default_sampler = "vae_mf.samplers.HopfieldGibbs"
    symmetries = ("spin_flip",)

    def __post_init__(self) -> None:
        require_energy_scale("coupling", self.coupling)
        patterns = np.asarray(plain_array(self.patterns))
        if patterns.ndim != 2 or not 1 <= patterns.shape[0] <= patterns.shape[1]:
            raise ValueError(f"patterns: expected shape (P, N) with 1 <= P <= N, got {patterns.shape}")
        require_spins("patterns", patterns)
        object.__setattr__(self, "patterns", np.ascontiguousarray(patterns, dtype=np.int8))

    @classmethod
    def random(cls, sites: int, patterns: int, seed: int, coupling: float = 1.0) -> "Hopfield":
        """Return a network of ``sites`` spins storing ``patterns`` independent unbiased random patterns.

        >>> Hopfield.random(sites=256, patterns=3, seed=1).patterns.shape
        (3, 256)

        Raises:
            ValueError: if a count is not a positive integer or there are more patterns than sites.
        """
        require_integer("sites", sites)
        require_integer("patterns", patterns)
        if patterns > sites:
            raise ValueError(f"patterns: expected at most as many as sites = {sites}, got {patterns}")
        draws = generator(require_integer("seed", seed, minimum=0), "patterns").choice([-1, 1], (patterns, sites))
        return cls(draws.astype(np.int8), coupling)

    @property
    def sites(self) -> int:
        """Number of spins N."""
        return self.patterns.shape[1]

    @property
    def couplings(self) -> Couplings:
        """Hebbian couplings J_ij = (J / N) sum_mu xi_i^mu xi_j^mu with zero diagonal, shape (N, N)."""
        return hebbian_couplings(self.patterns, self.coupling)

    @property
    def fields(self) -> Fields:
        """No fields: zeros, shape (N,)."""
        return np.zeros(self.sites)

    def overlaps(self, spins: Spins) -> Float[np.ndarray, "*batch patterns"]:
        """Return the overlaps m_mu of each configuration (..., N) with every pattern.

        >>> network = Hopfield(np.array([[1, 1, -1, -1]], np.int8))
        >>> network.overlaps(np.array([[1, 1, -1, 1]], np.int8)).tolist()
        [[0.5]]
        """
        # float32 holds these integers exactly and reaches the fast matrix product that integers do not have.
        return (spins.astype(np.float32) @ self.patterns.T.astype(np.float32)).astype(np.float64) / self.sites

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return -(J N / 2) sum_mu m_mu^2 of each configuration (..., N)."""
        return -0.5 * self.coupling * self.sites * (self.overlaps(spins) ** 2).sum(-1)

    def order_parameter(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the overlap of largest magnitude, with its sign."""
        overlaps = self.overlaps(spins)
        leading = np.abs(overlaps).argmax(-1)
        return np.take_along_axis(overlaps, leading[..., None], axis=-1)[..., 0]

    def basin(self, spins: Spins) -> Int[np.ndarray, "*batch"]:
        """Return +-(mu + 1): the pattern with the leading overlap, negative on the side of its mirror image.

        >>> network = Hopfield.random(64, 3, seed=1)
        >>> network.basin(-network.patterns).tolist()
        [-1, -2, -3]
        """
        overlaps = self.overlaps(spins)
        leading = np.abs(overlaps).argmax(-1)
        sign = np.take_along_axis(overlaps, leading[..., None], axis=-1)[..., 0] >= 0
        return np.where(sign, 1, -1) * (leading + 1)

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S by a sum over energies or, of many spins, by quadrature over phi.

        p(phi) ~ exp(-beta J N phi^2 / 2) prod_i 2cosh(beta J xi_i.phi), and phi = m + Normal(0, I / (beta J N)) gives
        U = -(J N / 2) <m^2> and C = (J N / 2)^2 Var(m^2) / T^2.

        Raises:
            ValueError: for more than three patterns, and where the quadrature loses all digits or takes hours.
        """
        if len(self.patterns) <= QUADRATURE_PATTERNS and self._few_energies:
            return self._summed_thermodynamics(require_energy_scale("temperature", temperature))
        log_partition, square, fourth = self._field_moments(temperature)
        count = len(self.patterns)
        variance = temperature / (self.coupling * self.sites)
        overlap_square = square - count * variance
        overlap_fourth = fourth - (4 + 2 * count) * variance * overlap_square - count * (count + 2) * variance**2
        scale = 0.5 * self.coupling * self.sites
        energy = -scale * overlap_square
        heat_capacity = scale**2 * (overlap_fourth - overlap_square**2) / temperature**2
        return Thermodynamics(temperature, log_partition, energy, heat_capacity, energy / temperature + log_partition)

    def _summed_thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S by the sum over all energies -J / (2N) sum_mu (xi^mu . s)^2."""
        states = self._distinct_states
        energies = -self.coupling / (2 * self.sites) * states.squares
        # Of each state and its mirror image one is there.
        return canonical(energies, temperature, states.log_number + np.log(2)).thermodynamics

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the exact law of the leading overlap, by summing over the magnetisations of all site classes.

        Raises:
            ValueError: if there are too many classes and sites for the sum (P = 3 reaches N of about 300).
        """
        require_energy_scale("temperature", temperature)
        states = np.prod(self._site_classes[1] + 1.0)
        if states > CLASS_STATES:
            raise ValueError(
                f"order_parameter_law: expected a sum of at most {CLASS_STATES:.0e} terms, "
                f"got {states:.1e} for N = {self.sites}, P = {len(self.patterns)}"
            )
        log_weights = np.full(2 * self.sites + 1, -np.inf)
        largest = max(states.squares.max() for states in self._all_states())
        for states in self._all_states():
            # Relative to the ground state: in the cold the digits of the numbers of states would go otherwise.
            above = self.coupling / (2 * self.sites * temperature) * (largest - states.squares)
            weights = states.log_number - above
            shift = weights.max()
            counts = np.bincount(states.leading + self.sites, np.exp(weights - shift), minlength=log_weights.size)
            with np.errstate(divide="ignore"):
                log_weights = np.logaddexp(log_weights, np.log(counts) + shift)
        log_weights = np.logaddexp(log_weights, log_weights[::-1])
        values = np.arange(-self.sites, self.sites + 1) / self.sites
        weights = np.exp(log_weights - log_weights.max())
        return OrderParameterLaw(values, weights / weights.sum())

    def infinite_order_parameter(self, temperature: float) -> float:
        """Return the solution of m = tanh(J m / T), for the number of patterns stays fixed as N grows."""
        return mean_field_magnetisation(temperature, self.coupling)

    def field_information(self, temperature: float, spins: Spins | None = None) -> FieldInformation:
        """Return I(s; phi) of phi = m + Normal(0, T / (J N)), exact up to three patterns.

        Beyond, it is the upper bound of `sampled_field_bound` from the overlaps of sampled ``spins`` (rows, N).

        Raises:
            ValueError: for more than three patterns without ``spins``.
        """
        if len(self.patterns) <= QUADRATURE_PATTERNS or spins is None:
            return FieldInformation(overlap_field_information(self.patterns, self.coupling, temperature), "exact")
        variance = temperature / (self.coupling * self.sites)
        return FieldInformation(sampled_field_bound(self.overlaps(spins), variance), "sampled")

    @property
    def _few_energies(self) -> bool:
        """True if a table of all leading overlaps and energies is small enough to be made and kept."""
        states = np.prod(self._site_classes[1] + 1.0)
        return bool(states <= CLASS_STATES) and (self.sites // 2 + 1) * self._squares <= TABLE

    @property
    def _squares(self) -> int:
        """Number of values that sum_mu (xi^mu . s)^2, whose rest of 4 is one and the same, may have."""
        return len(self.patterns) * self.sites**2 // 4 + 1

    @cached_property
    def _distinct_states(self) -> States:
        """All states, those of one energy and leading overlap, up to its sign, together: the same at any T."""
        number = np.zeros((self.sites // 2 + 1) * self._squares)
        for states in self._state_slices():
            places = np.abs(states.leading) // 2 * self._squares + states.squares // 4
            np.add.at(number, places, np.exp(states.log_number - self.sites * np.log(2)))
        (places,) = number.nonzero()
        odd = self.sites % 2
        squares = places % self._squares * 4 + len(self.patterns) * odd % 4
        log_number = np.log(number[places]) + self.sites * np.log(2)
        return States(places // self._squares * 2 + odd, squares, log_number)

    def _all_states(self) -> Iterable[States]:
        """Return all states up to their mirror images, at once if they are few."""
        return [self._distinct_states] if self._few_energies else self._state_slices()

    def _state_slices(self) -> Iterator[States]:
        """Yield states one by one, a slice for each magnetisation of class 0."""
        for log_states, overlaps in self._class_slices():
            squares = np.einsum("ps,ps->s", overlaps, overlaps)
            yield States(leading_of(overlaps).astype(np.int64), squares.astype(np.int64), log_states)

    @cached_property
    def _site_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct columns of the patterns up to a sign, shape (P, classes), and the number of sites in each."""
        return np.unique(self.patterns * self.patterns[0], axis=1, return_counts=True)

    def _class_slices(self):
        """Yield ln(number of states) and overlaps xi^mu . s (P, states), one slice per magnetisation of class 0.

        Of a state and its mirror image one is there; those whose class 0 has no magnetisation have half their number.
        """
        signs, sizes = self._site_classes
        log_states = np.zeros(1)
        overlaps = np.zeros((len(signs), 1))
        for column, size in zip(signs.T[1:], sizes[1:], strict=True):
            magnetisation = 2.0 * np.arange(size + 1) - size
            log_states = (log_states[:, None] + log_binomial(int(size))).ravel()
            overlaps = (overlaps[:, :, None] + column[:, None, None] * magnetisation).reshape(len(signs), -1)
        log_counts = log_binomial(int(sizes[0]))
        if sizes[0] % 2 == 0:
            log_counts[sizes[0] // 2] -= np.log(2)
        for up in range((sizes[0] + 1) // 2, sizes[0] + 1):
            yield log_states + log_counts[up], overlaps + signs[:, :1] * (2.0 * up - sizes[0])

    def _field_moments(self, temperature: float) -> tuple[float, float, float]:
        """Return ln Z and the averages of |phi|^2 and |phi|^4 over the Hubbard-Stratonovich field."""
        require_reduced_temperature(temperature, self.coupling, 0.0, HOTTEST_FIELD)
        count = len(self.patterns)
        if count > QUADRATURE_PATTERNS:
            raise ValueError(f"thermodynamics: expected at most {QUADRATURE_PATTERNS} patterns, got {count}")
        beta = self.coupling / temperature
        width = 1 / np.sqrt(beta * self.sites)
        # The integrand is a mixture of Gaussians of this width, where the trapezium rule at 3/4 of it errs by 1e-15.
        reach = 1 + 9 * width
        intervals = 2 * reach / (0.75 * width)
        require_points("thermodynamics", intervals, intervals ** (count - 1), FIELD_POINTS)
        grid = np.linspace(-reach, reach, int(intervals) + 1)
        points = grid.size ** (count - 1)
        plane = grid[np.indices((grid.size,) * (count - 1), dtype=np.int64).reshape(count - 1, points)].T
        slices = [self._field_slice(beta, first, plane) for first in grid]
        log_weight, square, fourth = np.array(slices).T
        total = logsumexp(log_weight)
        share = np.exp(log_weight - total)
        log_measure = count * (np.log(grid[1] - grid[0]) + 0.5 * np.log(beta * self.sites / (2 * np.pi)))
        return float(total + log_measure), float(share @ square), float(share @ fourth)

    def _field_slice(self, beta: float, first: float, plane: np.ndarray) -> tuple[float, float, float]:
        """Return ln of the summed weight, and averages of |phi|^2 and |phi|^4, where phi_1 = first."""
        signs, sizes = self._site_classes
        square = first**2 + (plane**2).sum(1)
        fields = np.abs(beta * (first * signs[0] + plane @ signs[1:]))
        log_weights = (fields + np.log1p(np.exp(-2 * fields))) @ sizes - 0.5 * beta * self.sites * square
        total = logsumexp(log_weights)
        share = np.exp(log_weights - total)
        return float(total), float(share @ square), float(share @ square**2)


def leading_of(overlaps: Float[np.ndarray, "patterns states"]) -> Float[np.ndarray, " states"]:
    """Return the overlap of largest magnitude of every state, with its sign; of equal ones the first.

    >>> leading_of(np.array([[0.5, 0.25], [-0.5, -0.75]])).tolist()
    [0.5, -0.75]
    """
    leading = overlaps[0]
    for other in overlaps[1:]:
        leading = np.where(np.abs(other) > np.abs(leading), other, leading)
    return leading


def hebbian_couplings(patterns: Patterns, coupling: float = 1.0) -> Couplings:
    """Return J_ij = (J / N) sum_mu xi_i^mu xi_j^mu with zero diagonal from patterns of shape (P, N).

    >>> hebbian_couplings(np.array([[1, -1]], np.int8)).tolist()
    [[0.0, -0.5], [-0.5, 0.0]]
    """
    xi = patterns.astype(np.float64)
    couplings = coupling / xi.shape[1] * xi.T @ xi
    np.fill_diagonal(couplings, 0.0)
    return couplings
