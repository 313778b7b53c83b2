"""The Maier-Saupe nematic, solved exactly at any size by quadrature over its Hubbard-Stratonovich tensor.

With Q = sum_i (n_i n_i^T - I/3) and A symmetric and traceless, H = -(3J / 4N) Tr Q^2 and
    A | n ~ Normal(Q / N, 2 / (3 beta J N) per orthonormal component),
    p(A) proportional to exp(-(3 beta J N / 4) Tr A^2) c(3 beta J A / 2)^N,
where c is the normaliser of the Bingham distribution that every director follows given A. The eigenvalues of A are
    x_k = sqrt(2/3) r cos(theta - 2 pi k / 3), k = 0, 1, 2,   r^2 = Tr A^2,   w = cos(3 theta) = sqrt(6) Tr A^3 / r^3,
theta from 0 (a rod) to pi/3 (a disc). The measure dA, with its |prod(x_a - x_b)|, is (4 pi^2 / 3) r^4 dr dw in them.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq, minimize_scalar
from scipy.special import dawsn, i0e, logsumexp

from vae_mf.arrays import Directors
from vae_mf.checks import require_energy_scale, require_integer, require_reduced_temperature
from vae_mf.systems.base import FieldInformation, Thermodynamics
from vae_mf.systems.field_information import HOTTEST_FIELD, gaussian_entropy, require_points

AT_ONCE = 4096
"""Configurations of which sums are taken in double precision together."""
COLDEST, HOTTEST = 1e-4, HOTTEST_FIELD
"""Bounds of T / J of the exact law: the Bingham normaliser is not sharp below."""
TENSOR_POINTS = 2 * 10**8
"""Largest number of points of the quadrature over r and w in terms of `require_points`, 1 GB."""
LARGEST_RADIUS = np.sqrt(2 / 3)
"""Largest r of a tensor Q / N, that of aligned directors."""
UNIT_NODES, UNIT_WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(64))
UNIT_NODES = UNIT_NODES + 0.5
POLAR_ANGLES, POLAR_WEIGHTS = 0.5 * np.pi * UNIT_NODES**2, np.pi * UNIT_NODES * UNIT_WEIGHTS
"""Quadrature on [0, pi/2], graded towards 0: there the Bingham integrand varies over angles of 1 / sqrt(lambda).

Its error in ln c is 2e-13 up to lambda = 1000, 3e-9 at 10^4 and 5e-6 at 10^5.
"""
SHAPE_NODES, SHAPE_WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(96))
SHAPE_NODES = SHAPE_NODES + 0.5
"""Quadrature on [0, 1] for v in w = 1 - 2 v^4, which resolves nematics, where 1 - w is of order 1 / N."""


class TensorLaw(NamedTuple):
    """Exact law of the eigenvalues of the Hubbard-Stratonovich tensor A, on the nodes of a quadrature."""

    radius: Float[np.ndarray, " nodes"]
    """r = sqrt(Tr A^2)."""
    shape: Float[np.ndarray, " nodes"]
    """w = sqrt(6) Tr A^3 / r^3, in [-1, 1]."""
    probabilities: Float[np.ndarray, " nodes"]
    log_partition: float


class Transition(NamedTuple):
    """Mean-field temperatures of the nematic-isotropic transition, and the order it starts with."""

    temperature: float
    order_parameter: float
    isotropic_spinodal: float
    """Temperature below which the isotropic phase is unstable."""
    nematic_spinodal: float
    """Temperature above which the nematic phase is unstable."""


@dataclass(frozen=True)
class MaierSaupe:
    """Fully connected nematic of N = ``sites`` directors, H = -(J / 2N) sum_ij P2(n_i . n_j), P2(x) = (3 x^2 - 1) / 2.

    The order parameter S is the largest eigenvalue of the mean of (3 n n^T - I) / 2. Partition function and entropy are
    those of the area on the sphere: ln Z tends to N ln(4 pi) when hot.

    Source: Biroli, Welling and Vitelli 2026, eqs. 32 and 33; Maier and Saupe 1959.

    >>> system = MaierSaupe(sites=64)
    >>> round(system.thermodynamics(0.1).energy / system.sites, 2)
    -0.39

    Args:
        sites: number N of directors.
        coupling: strength J > 0.

    Raises:
        ValueError: if a number is out of range.
    """

    sites: int
    coupling: float = 1.0
    name = "maier_saupe"
    order_name = "nematic order S"
    kind = "directors"
    default_sampler = "vae_mf.samplers.MaierSaupeDirect"
    symmetries = ("rotation",)

    def __post_init__(self) -> None:
        require_integer("sites", self.sites)
        require_energy_scale("coupling", self.coupling)

    def energy(self, directors: Directors) -> Float[np.ndarray, "*batch"]:
        """Return -(J N / 3) Tr of the square of the order tensor of each configuration (..., N, 3)."""
        return -self.coupling * self.sites / 3 * (order_tensor(directors) ** 2).sum((-2, -1))

    def order_parameter(self, directors: Directors) -> Float[np.ndarray, "*batch"]:
        """Return S of each configuration (..., N, 3), in [0, 1]."""
        return np.linalg.eigvalsh(order_tensor(directors))[..., -1]

    def basin(self, directors: Directors) -> Int[np.ndarray, "*batch"]:
        """Return 1: all directions of the axis are one valley."""
        return np.ones(directors.shape[:-2], dtype=np.int64)

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S by quadrature over the eigenvalues of A.

        With t = Tr (Q/N)^2 and v the variance of a component of A given n, <r^2> = <t> + 5 v and
        Var(r^2) = Var(t) + 4 v <t> + 10 v^2; U = -(3 J N / 4) <t> and C = (3 J N / 4)^2 Var(t) / T^2.
        """
        law = self.tensor_law(temperature)
        variance = self.field_variance(temperature)
        mean = float(law.probabilities @ law.radius**2)
        square = mean - 5 * variance
        spread = float(law.probabilities @ (law.radius**2 - mean) ** 2) - 4 * variance * square - 10 * variance**2
        scale = 0.75 * self.coupling * self.sites
        energy, heat_capacity = -scale * square, scale**2 * spread / temperature**2
        return Thermodynamics(
            temperature, law.log_partition, energy, heat_capacity, energy / temperature + law.log_partition
        )

    def tensor_law(self, temperature: float) -> TensorLaw:
        """Return the exact law of the invariants of A, and ln Z, by quadrature over r and w.

        Raises:
            ValueError: if T / J is not from 1e-4 to 1e6, or the quadrature takes too many points.
        """
        require_reduced_temperature(temperature, self.coupling, COLDEST, HOTTEST)
        width = np.sqrt(self.field_variance(temperature))
        # Even in r, and a mixture of Gaussians of this width: the trapezium rule at 0.6 of it errs by 1e-17.
        step = 0.6 * width
        require_points("tensor_law", LARGEST_RADIUS / step, len(SHAPE_NODES), TENSOR_POINTS)
        radius, node = np.meshgrid(np.arange(step, LARGEST_RADIUS + 12 * width, step), SHAPE_NODES, indexing="ij")
        measure = 4 * np.pi**2 / 3 * step * radius**4 * 8 * node**3 * SHAPE_WEIGHTS
        log_weights = np.log(measure) + self.log_field_density(radius, node, temperature)
        total = float(logsumexp(log_weights))
        probabilities = np.exp(log_weights - total).ravel()
        log_partition = float(total - 2.5 * np.log(2 * np.pi * width**2))
        return TensorLaw(radius.ravel(), 1 - 2 * node.ravel() ** 4, probabilities, log_partition)

    def infinite_order_parameter(self, temperature: float) -> float:
        """Return S of the infinite system, see `mean_field_order`."""
        return mean_field_order(temperature, self.coupling)

    def field_information(self, temperature: float, directors: Directors | None = None) -> FieldInformation:
        """Return I(n; A) of A = Q / N + Normal(0, 2 T / (3 J N)) per component, exact at any size."""
        law = self.tensor_law(temperature)
        log_weights = self.log_field_density(law.radius, ((1 - law.shape) / 2) ** 0.25, temperature)
        width = np.sqrt(self.field_variance(temperature))
        log_volume = law.log_partition + 2.5 * np.log(2 * np.pi * width**2)
        entropy = float(log_volume - law.probabilities @ log_weights)
        return FieldInformation(entropy - gaussian_entropy(width, 5), "exact")

    def field_variance(self, temperature: float) -> float:
        """Return the variance 2 / (3 beta J N) of each of the five components of A given the directors."""
        return 2 * require_energy_scale("temperature", temperature) / (3 * self.coupling * self.sites)

    def log_field_density(
        self, radius: Float[np.ndarray, "*grid"], node: Float[np.ndarray, "*grid"], temperature: float
    ) -> Float[np.ndarray, "*grid"]:
        """Return -(3 beta J N / 4) r^2 + N ln c(3 beta J A / 2), for w = 1 - 2 node^4."""
        slope = 1.5 * self.coupling / require_energy_scale("temperature", temperature)
        log_normaliser = log_bingham_normaliser(slope * tensor_eigenvalues(radius, node))
        return self.sites * (log_normaliser - 0.5 * slope * radius**2)


def order_tensor(directors: Directors) -> Float[np.ndarray, "*batch 3 3"]:
    """Return the mean of (3 n n^T - I) / 2 over the sites of each configuration (..., N, 3).

    >>> order_tensor(np.array([[0.0, 0.0, 1.0]])).diagonal().tolist()
    [-0.5, -0.5, 1.0]
    """
    if directors.ndim > 2 and len(directors) > AT_ONCE:  # of all of them a copy would be large
        parts = range(0, len(directors), AT_ONCE)
        return np.concatenate([order_tensor(directors[first : first + AT_ONCE]) for first in parts])
    wide = directors.astype(np.float64)
    return 1.5 * np.swapaxes(wide, -1, -2) @ wide / directors.shape[-2] - 0.5 * np.eye(3)


def tensor_eigenvalues(
    radius: Float[np.ndarray, "*grid"], node: Float[np.ndarray, "*grid"]
) -> Float[np.ndarray, "*grid 3"]:
    """Return the eigenvalues, largest first, of a traceless tensor with Tr A^2 = r^2 and w = 1 - 2 node^4."""
    angle = 2 / 3 * np.arcsin(node**2)
    thirds = 2 * np.pi / 3 * np.array([0, 1, -1])
    return LARGEST_RADIUS * radius[..., None] * np.cos(angle[..., None] - thirds)


def log_bingham_normaliser(eigenvalues: Float[np.ndarray, "*grid 3"]) -> Float[np.ndarray, "*grid"]:
    """Return ln c of the Bingham distribution exp(x^T B x) / c on the sphere from the eigenvalues of B, in any order.

    About the axis of the largest eigenvalue a, with the others b >= d below it,
        c = 4 pi e^a int_0^{pi/2} sin(t) exp(-(a - b) sin^2 t) i0e((b - d) sin^2(t) / 2) dt,   i0e(x) = exp(-x) I_0(x).

    >>> np.exp(log_bingham_normaliser(np.zeros((1, 3)))).round(4).tolist()  # the area 4 pi
    [12.5664]
    """
    low, middle, high = np.moveaxis(np.sort(eigenvalues, axis=-1), -1, 0)
    total = np.zeros(high.shape)
    for angle, weight in zip(POLAR_ANGLES, POLAR_WEIGHTS, strict=True):
        square = np.sin(angle) ** 2
        total += weight * np.sin(angle) * np.exp((middle - high) * square) * i0e((middle - low) * square / 2)
    return high + np.log(4 * np.pi * total)


def nematic_branch(temperature: float, coupling: float = 1.0) -> float:
    """Return the largest S with S = <P2> under weight exp(J S P2(u) / T), 0 above the nematic spinodal."""
    reduced = require_energy_scale("temperature", temperature) / require_energy_scale("coupling", coupling)
    if reduced > mean_field_transition().nematic_spinodal:
        return 0.0
    # S < 1, hence J S / T < J / T.
    field = brentq(lambda x: axial_order(x) - reduced * x, _spinodal_field(), 1 / reduced, xtol=1e-14, rtol=1e-14)
    return float(axial_order(field))


def mean_field_order(temperature: float, coupling: float = 1.0) -> float:
    """Return S of the infinite system: the nematic branch up to T_NI, 0 above.

    >>> round(mean_field_order(0.2), 3), mean_field_order(0.3)
    (0.615, 0.0)
    """
    order = nematic_branch(temperature, coupling)
    return order if temperature <= mean_field_transition(coupling).temperature else 0.0


@cache
def mean_field_transition(coupling: float = 1.0) -> Transition:
    """Return T_NI, S there, and the spinodals, all temperatures in proportion to J.

    Per site F(S) / T = J S^2 / (2T) - ln Z_1(J S / T), with Z_1(x) the mean of exp(x P2(u)). With x = J S / T,
    solutions lie at T = J S(x) / x, the phases are in balance where x S(x) / 2 = ln Z_1(x), and the nematic one ends
    where T is largest. The isotropic one ends at T = J / 5, since <P2^2> = 1/5.

    >>> transition = mean_field_transition()
    >>> round(transition.temperature, 4), round(transition.order_parameter, 4)
    (0.2202, 0.429)
    """
    require_energy_scale("coupling", coupling)
    spinodal = _spinodal_field()
    field = brentq(lambda x: x * axial_order(x) / 2 - _log_axial_partition(x), spinodal, 10.0, xtol=1e-14, rtol=1e-14)
    order = float(axial_order(field))
    return Transition(coupling * order / field, order, coupling / 5, coupling * axial_order(spinodal) / spinodal)


@cache
def _spinodal_field() -> float:
    return float(minimize_scalar(lambda x: -axial_order(x) / x, bounds=(0.5, 5), options={"xatol": 1e-10}).x)


def _log_axial_partition(field: float) -> float:
    """Return ln of the mean of exp(x P2(u)) over u uniform on [0, 1], by Dawson's integral."""
    root = np.sqrt(1.5 * field)
    return float(field + np.log(dawsn(root) / root))


def axial_order(field: float) -> float:
    """Return <P2(u)> under weight exp(x P2(u)), u uniform on [0, 1], for x of at least about 0.01: d ln Z_1 / dx."""
    root = np.sqrt(1.5 * field)
    return float(0.75 / (root * dawsn(root)) - 0.75 / root**2 - 0.5)
