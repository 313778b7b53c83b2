"""The Curie-Weiss model, solved exactly at any size by one sum over the magnetisation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, logsumexp, xlogy

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.checks import require_energy_scale, require_integer
from vae_mf.systems.base import CutInformation, FieldInformation, Magnet, OrderParameterLaw, Thermodynamics
from vae_mf.systems.canonical import Canonical, canonical
from vae_mf.systems.field_information import overlap_field_information
from vae_mf.systems.mean_field import mean_field_magnetisation

NEGLIGIBLE = 1e-12
"""Probability of a magnetisation that the sum over pairs of configurations leaves out."""


@dataclass(frozen=True)
class CurieWeiss(Magnet):
    """Fully connected ferromagnet of N = ``sites`` spins, H = -(J / 2N) (sum_i s_i)^2, with its transition at T_c = J.

    Source: Biroli, Welling and Vitelli 2026, eqs. 13 to 18.

    >>> system = CurieWeiss(sites=100)
    >>> round(system.thermodynamics(0.5).energy / system.sites, 3)
    -0.457

    Args:
        sites: number N of spins.
        coupling: strength J > 0.

    Raises:
        ValueError: if a number is out of range.
    """

    sites: int
    coupling: float = 1.0
    name = "curie_weiss"
    default_sampler = "vae_mf.samplers.CurieWeissDirect"
    symmetries = ("spin_flip",)

    def __post_init__(self) -> None:
        require_integer("sites", self.sites)
        require_energy_scale("coupling", self.coupling)

    @property
    def couplings(self) -> Couplings:
        """J_ij = J / N with zero diagonal, shape (N, N)."""
        return self.coupling * (1 - np.eye(self.sites)) / self.sites

    @property
    def fields(self) -> Fields:
        """No fields: zeros, shape (N,)."""
        return np.zeros(self.sites)

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return -(J / 2N) M^2 of each configuration (..., N)."""
        return -self.coupling / (2 * self.sites) * spins.sum(-1, dtype=np.float64) ** 2

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return P(m) on the N + 1 values of m: P(M) proportional to C(N, (N+M)/2) exp(beta J M^2 / 2N)."""
        magnetisation = 2 * np.arange(self.sites + 1) / self.sites - 1
        return OrderParameterLaw(magnetisation, self._canonical(temperature).probabilities)

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S from the sum over the magnetisation."""
        return self._canonical(temperature).thermodynamics

    def half_information(self, temperature: float) -> float:
        """Return the mutual information (nats) of two halves, an exact double sum over their magnetisations.

        >>> round(CurieWeiss(64).half_information(0.1), 4)
        0.6931

        Raises:
            ValueError: if the number of sites is odd or the temperature not positive.
        """
        require_energy_scale("temperature", temperature)
        if self.sites % 2:
            raise ValueError(f"half_information: expected an even number of sites, got {self.sites}")
        half = self.sites // 2
        magnetisation = 2 * np.arange(half + 1) - half
        log_states = log_binomial(half)
        total = magnetisation[:, None] + magnetisation
        above = self.coupling * (self.sites**2 - total**2) / (2 * self.sites * temperature)
        joint = log_states[:, None] + log_states - above
        joint = np.exp(joint - logsumexp(joint))
        marginal = joint.sum(1)
        return float(xlogy(joint, joint).sum() - 2 * xlogy(marginal, marginal).sum())

    def cut_information(self, spins: Spins, temperature: float) -> dict[str, CutInformation]:
        """Return the information of two halves, "half", for an even number of sites."""
        return {**self.quick_cuts(temperature)}

    def quick_cuts(self, temperature: float) -> dict[str, float]:
        """Return the information of two halves, which takes milliseconds."""
        return {} if self.sites % 2 else {"half": self.half_information(temperature)}

    def overlap_law(self, temperature: float) -> OrderParameterLaw:
        """Return P(q) of two independent configurations, from the law of m: all arrangements are equally likely.

        >>> CurieWeiss(2).overlap_law(1e6).probabilities.round(2).tolist()
        [0.25, 0.5, 0.25]
        """
        values, probabilities = self.order_parameter_law(temperature)
        return OrderParameterLaw(values, exchangeable_overlap_law(probabilities))

    def infinite_order_parameter(self, temperature: float) -> float:
        """Return the solution of m = tanh(J m / T)."""
        return mean_field_magnetisation(temperature, self.coupling)

    def field_information(self, temperature: float, spins: Spins | None = None) -> FieldInformation:
        """Return I(s; phi) of phi = m + Normal(0, T / (J N)), exact at any size."""
        uniform = np.ones((1, self.sites), np.int8)
        return FieldInformation(overlap_field_information(uniform, self.coupling, temperature), "exact")

    def log_field_weight(self, field: Float[np.ndarray, " points"], temperature: float) -> Float[np.ndarray, " points"]:
        """Return N (ln 2cosh h - T h^2 / 2J), the logarithm of the density of h = J phi / T up to a constant."""
        return self.sites * (np.logaddexp(field, -field) - temperature / (2 * self.coupling) * field**2)

    def _canonical(self, temperature: float) -> Canonical:
        """Return the Boltzmann distribution of the N + 1 magnetisations."""
        magnetisation = 2.0 * np.arange(self.sites + 1) - self.sites
        energies = -self.coupling / (2 * self.sites) * magnetisation**2
        return canonical(energies, temperature, log_binomial(self.sites))


def exchangeable_overlap_law(law: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
    """Return P(q), q = -1 + 2 k / N, of two configurations whose numbers of up spins follow ``law``.

    With k and k' spins up in random places, j of them in common, N - k - k' + 2 j places agree, j hypergeometric.
    """
    sites = len(law) - 1
    log_factorial = gammaln(np.arange(sites + 1) + 1)
    likely = np.flatnonzero(law > NEGLIGIBLE)
    found = np.zeros(sites + 1)
    common = np.arange(sites + 1)
    for up in likely:
        other = likely[:, None]
        possible = (common <= up) & (common <= other) & (common >= up + other - sites)
        j = np.where(possible, common, 0)
        outside = np.where(possible, other - j, 0)
        log_ways = (
            log_factorial[up] - log_factorial[j] - log_factorial[np.where(possible, up - j, 0)]
            + log_factorial[sites - up] - log_factorial[outside]
            - log_factorial[np.where(possible, sites - up - outside, 0)]
            - log_factorial[sites] + log_factorial[other] + log_factorial[sites - other]
        )  # fmt: skip
        probability = np.exp(np.where(possible, log_ways, -np.inf)) * law[likely][:, None] * law[up]
        agreeing = np.where(possible, sites - up - other + 2 * j, 0)
        found += np.bincount(agreeing.ravel(), probability.ravel(), minlength=sites + 1)
    return found / found.sum()


def log_binomial(n: int) -> Float[np.ndarray, " values"]:
    """Return ln C(n, k) for k = 0 ... n.

    >>> np.exp(log_binomial(4)).round().tolist()
    [1.0, 4.0, 6.0, 4.0, 1.0]
    """
    k = np.arange(n + 1)
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
