"""The ferromagnetic Ising model on an L x L torus, solved exactly at finite L (Kaufman) and infinite L (Onsager)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import require_energy_scale, require_integer, require_reduced_temperature
from vae_mf.packing import all_configurations
from vae_mf.systems.base import CutInformation, Magnet, OrderParameterLaw, Thermodynamics
from vae_mf.systems.canonical import canonical
from vae_mf.systems.ising2d_correlations import infinite_correlations, torus_correlations
from vae_mf.systems.ising2d_information import (
    EXTRAPOLATED_FROM,
    LARGEST_SIDE,
    area_law_information,
    sublattice_entropies,
    torus_information,
)
from vae_mf.systems.kaufman import kaufman

LAW_SIDE = 4
COLDEST, HOTTEST = 0.003, 1e6
"""Bounds of T / J of the exact solution: sinh(2 J / T) overflows below, and beyond rounding takes the energy away."""


@dataclass(frozen=True)
class Ising2D(Magnet):
    """Nearest-neighbour ferromagnet on a periodic L x L lattice, L = ``side``, H = -J sum_<ij> s_i s_j.

    Every site has a bond to its right and one to its lower neighbour, 2 L^2 in all; with L = 2 the same pair is joined
    by two bonds, as in Kaufman's formula. Site (y, x) is number y L + x. The order parameter is the magnetisation.

    Source: Kaufman, Physical Review 76 (1949) 1232, eq. 72.

    >>> system = Ising2D(side=32)
    >>> round(system.thermodynamics(2.269185).energy / system.sites, 4)
    -1.4337

    Args:
        side: side L of the lattice, at least two.
        coupling: strength J > 0.

    Raises:
        ValueError: if a number is out of range.
    """

    side: int
    coupling: float = 1.0
    name = "ising2d"
    default_sampler = "vae_mf.samplers.Ising2DAuto"
    symmetries = ("spin_flip", "translation")

    def __post_init__(self) -> None:
        require_integer("side", self.side, minimum=2)
        require_energy_scale("coupling", self.coupling)

    @property
    def sites(self) -> int:
        """Number of spins N = L^2."""
        return self.side**2

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return -J sum_<ij> s_i s_j of each configuration (..., N)."""
        lattice = spins.reshape(*spins.shape[:-1], self.side, self.side)
        bonds = lattice * (np.roll(lattice, -1, -1) + np.roll(lattice, -1, -2))
        return -self.coupling * bonds.sum((-2, -1), dtype=np.int64).astype(np.float64)

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S at any L from Kaufman's sum and its analytic derivatives.

        U = -J d ln Z / dK, C = K^2 d^2 ln Z / dK^2, S = U / T + ln Z with K = J / T. Rounding leaves C an absolute
        error of about 1e-13 N max(1, K^2).

        Raises:
            ValueError: if T / J is not from 0.003 to 1e6.
        """
        beta = self._beta(temperature)
        log_partition, slope, curvature = kaufman(self.side, beta)
        energy, heat_capacity = -self.coupling * slope, curvature * beta**2
        return Thermodynamics(temperature, log_partition, energy, heat_capacity, energy / temperature + log_partition)

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the exact law of m by summing over all 2^N states.

        Raises:
            ValueError: for L above 4, where no such sum is feasible.
        """
        if self.side > LAW_SIDE:
            raise ValueError(f"order_parameter_law: expected side <= {LAW_SIDE}, got {self.side}")
        spins = all_configurations(self.sites)
        probabilities = canonical(self.energy(spins), temperature).probabilities
        values = 2 * np.arange(self.sites + 1) / self.sites - 1
        return OrderParameterLaw(values, np.bincount((spins > 0).sum(1), probabilities))

    def infinite_order_parameter(self, temperature: float) -> float:
        """Return Yang's spontaneous magnetisation."""
        return spontaneous_magnetisation(temperature, self.coupling)

    def row_correlations(self, temperature: float) -> Float[np.ndarray, " distances"]:
        """Return <s_0 s_r>, r = 0 ... L // 2, along a row of the torus.

        >>> Ising2D(4).row_correlations(2.0).round(3).tolist()
        [1.0, 0.878, 0.858]
        """
        return torus_correlations(self.side, self._correlating(temperature))

    def infinite_row_correlations(self, temperature: float) -> Float[np.ndarray, " distances"]:
        """Return <s_0 s_r>, r = 0 ... L // 2, along a row of the infinite lattice."""
        return infinite_correlations(self._correlating(temperature), self.side // 2)

    def cut_information(self, spins: Spins, temperature: float) -> dict[str, CutInformation]:
        """Return the information between the upper and the lower half and, for even L, between the sublattices.

        The halves are exact up to L = 12 ("half") and beyond lie on the area law ("area_law_half"). "sublattice" has
        one number for each of the equilibrium configurations ``spins``. No cut is known where T / J is not from 0.003
        to 1e6.
        """
        cuts: dict[str, CutInformation] = {**self._cut_into_halves(temperature)}
        if cuts and self.side % 2 == 0:
            cuts["sublattice"] = self.sublattice_information(spins, temperature)
        return cuts

    def quick_cuts(self, temperature: float) -> dict[str, float]:
        """Return the information between the halves but of sides 11 and 12, where it takes a second."""
        slow = max(EXTRAPOLATED_FROM) < self.side <= LARGEST_SIDE
        return {} if slow else self._cut_into_halves(temperature)

    def _cut_into_halves(self, temperature: float) -> dict[str, float]:
        """Return the information between the upper and the lower half by the name of its theory."""
        if not COLDEST <= require_energy_scale("temperature", temperature) / self.coupling <= HOTTEST:
            return {}
        if self.side > LARGEST_SIDE:
            return {"area_law_half": area_law_information(self.side, self._beta(temperature))}
        return {"half": torus_information(self.side, self._beta(temperature))}

    def sublattice_information(self, spins: Spins, temperature: float) -> Float[np.ndarray, " rows"]:
        """Return numbers whose thermal average is I(x_A; x_B), A and B the two colours of a chessboard.

        I = S - H(B|A) - H(A|B), see `sublattice_entropies`. It grows as N: no cut of small area is in its way.
        """
        conditional = sublattice_entropies(spins, self.side, self._beta(temperature))
        return self.thermodynamics(temperature).entropy - conditional

    def _correlating(self, temperature: float) -> float:
        """Return K = J / T, or in the cold one at which all spins agree to the last digit as well."""
        return 1 / max(COLDEST, require_energy_scale("temperature", temperature) / self.coupling)

    def _beta(self, temperature: float) -> float:
        """Return K = J / T, or raise ValueError where Kaufman's sum has no digits left."""
        return 1 / require_reduced_temperature(temperature, self.coupling, COLDEST, HOTTEST)


def critical_temperature(coupling: float = 1.0) -> float:
    """Return T_c = 2 J / ln(1 + sqrt 2) of the infinite lattice.

    >>> round(critical_temperature(), 6)
    2.269185
    """
    return 2 * require_energy_scale("coupling", coupling) / float(np.log(1 + np.sqrt(2)))


def spontaneous_magnetisation(temperature: float, coupling: float = 1.0) -> float:
    """Return m = (1 - sinh(2 J / T)^-4)^(1/8) of the infinite lattice below T_c, and 0 above (Yang 1952, eq. 96).

    >>> round(spontaneous_magnetisation(2.0), 5), spontaneous_magnetisation(2.5)
    (0.91132, 0.0)
    """
    k = require_energy_scale("coupling", coupling) / require_energy_scale("temperature", temperature)
    # 1 / sinh(x) = 2 e^-x / (1 - e^-2x) does not overflow in the cold.
    inverse = -2 * np.exp(-2 * k) / np.expm1(-4 * k)
    return float(max(0.0, 1 - inverse**4) ** 0.125)
