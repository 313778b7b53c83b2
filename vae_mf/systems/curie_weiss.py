"""The Curie-Weiss model, solved exactly at any size by one sum over the magnetisation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln, logsumexp, xlogy

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.systems.base import OrderParameterLaw, Thermodynamics


@dataclass(frozen=True)
class CurieWeiss:
    """Fully connected ferromagnet, H = -(J / 2N) (sum_i s_i)^2, with its transition at T_c = J.

    Args:
        sites: number of spins N.
        coupling: J > 0.

    Raises:
        ValueError: if ``sites`` is not a positive integer or ``coupling`` not positive.
    """

    sites: int
    coupling: float = 1.0
    name = "curie_weiss"
    order_name = "magnetisation m"
    kind = "spins"
    default_sampler = "vae_mf.samplers.CurieWeissDirect"
    symmetries = ("spin_flip",)

    def __post_init__(self) -> None:
        require_integer("sites", self.sites)
        require_positive("coupling", self.coupling)

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return -(J / 2N) M^2 of each configuration (..., N)."""
        return -self.coupling / (2 * self.sites) * spins.sum(-1, dtype=np.float64) ** 2

    def order_parameter(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the magnetisation per site m of each configuration (..., N)."""
        return spins.mean(-1, dtype=np.float64)

    def basin(self, spins: Spins) -> Int[np.ndarray, "*batch"]:
        """Return the sign of the magnetisation, +1 where it vanishes."""
        return np.where(spins.sum(-1, dtype=np.int64) >= 0, 1, -1)

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return P(m) on the N + 1 values of m: P(M) proportional to C(N, (N+M)/2) exp(beta J M^2 / 2N)."""
        log_weights = self._log_weights(temperature)
        magnetisation = 2 * np.arange(self.sites + 1) / self.sites - 1
        return OrderParameterLaw(magnetisation, np.exp(log_weights - logsumexp(log_weights)))

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S from the sum over the magnetisation."""
        log_partition = float(logsumexp(self._log_weights(temperature)))
        values, probabilities = self.order_parameter_law(temperature)
        energies = -0.5 * self.coupling * self.sites * values**2
        energy = float(energies @ probabilities)
        heat_capacity = float((energies - energy) ** 2 @ probabilities) / temperature**2
        return Thermodynamics(temperature, log_partition, energy, heat_capacity, energy / temperature + log_partition)

    def total_correlation(self, temperature: float) -> float:
        """Return sum_i H(s_i) - H(s) in nats; <s_i> = 0 by symmetry, so every marginal entropy is ln 2."""
        return self.sites * np.log(2) - self.thermodynamics(temperature).entropy

    def half_system_information(self, temperature: float) -> float:
        """Return the mutual information (nats) of two halves, an exact double sum over their magnetisations.

        Raises:
            ValueError: if the number of sites is odd or the temperature not positive.
        """
        require_positive("temperature", temperature)
        if self.sites % 2:
            raise ValueError(f"half_system_information: expected an even number of sites, got {self.sites}")
        half = self.sites // 2
        magnetisation = 2 * np.arange(half + 1) - half
        log_states = log_binomial(half)
        total = magnetisation[:, None] + magnetisation
        joint = log_states[:, None] + log_states + self.coupling * total**2 / (2 * self.sites * temperature)
        joint = np.exp(joint - logsumexp(joint))
        marginal = joint.sum(1)
        return float(xlogy(joint, joint).sum() - 2 * xlogy(marginal, marginal).sum())

    def _log_weights(self, temperature: float) -> Float[np.ndarray, " values"]:
        require_positive("temperature", temperature)
        magnetisation = 2 * np.arange(self.sites + 1) - self.sites
        return log_binomial(self.sites) + self.coupling * magnetisation**2 / (2 * self.sites * temperature)


def log_binomial(n: int) -> Float[np.ndarray, " values"]:
    """Return ln C(n, k) for k = 0 ... n."""
    k = np.arange(n + 1)
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
