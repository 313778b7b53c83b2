"""Exact answers on spin glasses in the average over disorder: Nishimori line, random energies, replica symmetry.

Units J = k_B = 1. Conventions: Edwards-Anderson bonds are +-1, those of Sherrington and Kirkpatrick Normal(0, 1 / N),
and the 2^N levels of the random energy model Normal(0, N / 2), Derrida's.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from vae_mf.checks import require_energy_scale, require_fraction, require_integer

PARISI_ENERGY = -0.763166727
"""Ground-state energy per spin of Sherrington and Kirkpatrick (Parisi 1980), quoted; T > 0: `vae_mf.systems.parisi`."""
RANDOM_ENERGY_CRITICAL = float(1 / (2 * np.sqrt(np.log(2))))
"""Freezing temperature of the random energy model."""
SMOOTH = 0.25
"""Step of sums over functions that are analytic within pi / 2 of the real axis: exact to e^(-2 pi (pi / 2) / step)."""
MOST_TERMS = 1e9
"""Terms of such double sums at most, which take a minute."""
NODES = np.linspace(-12, 12, 20_001)
WEIGHTS = np.exp(-(NODES**2) / 2)
WEIGHTS /= WEIGHTS.sum()
"""Nodes and weights of averages over a standard normal number, sharp enough from `COLDEST` on."""
COLDEST = 0.005
SMALLEST_FIELD = 1e-6
"""Smallest field of the line of de Almeida and Thouless; it is zero within some 1e-4 of T = 1."""


def nishimori_temperature(positive: float) -> float:
    """Return T on the Nishimori line, tanh(1 / T) = 2 p - 1, for bonds that are +1 with probability p > 1/2.

    >>> round(nishimori_temperature(0.9), 4)
    0.9102

    Raises:
        ValueError: unless 1/2 < p < 1.
    """
    if require_fraction("positive", positive) <= 0.5:
        raise ValueError(f"positive: expected a number above 0.5 for a Nishimori temperature, got {positive:g}")
    return float(1 / np.arctanh(2 * positive - 1))


def nishimori_energy(positive: float) -> float:
    """Return the mean energy per bond on the Nishimori line, -tanh(1 / T) = 1 - 2 p, exact on every graph.

    There too the law of the magnetisation is that of the overlap of two replicas, in the average over disorder
    (Nishimori 1981).
    """
    nishimori_temperature(positive)
    return 1 - 2 * positive


class ReplicaSymmetric(NamedTuple):
    """Replica-symmetric solution of the Sherrington-Kirkpatrick model, per spin."""

    overlap: float
    """q = <tanh^2 beta (sqrt(q) z + h)> over a normal z."""
    free_energy: float
    energy: float
    entropy: float
    """In nats; below zero at low T, where the solution is wrong."""
    stability: float
    """1 - beta^2 <sech^4 beta (sqrt(q) z + h)>, negative below the line of de Almeida and Thouless."""


def replica_symmetric(temperature: float, field: float = 0.0) -> ReplicaSymmetric:
    """Return the replica-symmetric solution at T and a uniform field h (Sherrington and Kirkpatrick 1975).

    >>> solution = replica_symmetric(0.05)
    >>> round(solution.energy, 2), solution.entropy < 0 > solution.stability
    (-0.8, True)

    Raises:
        ValueError: if the temperature is below 0.005, or the field not finite.
    """
    if require_energy_scale("temperature", temperature) < COLDEST:
        raise ValueError(
            f"temperature: expected at least {COLDEST:g}, got {temperature:g}: averages are not sharp there"
        )
    if not np.isfinite(field):
        raise ValueError(f"field: expected a finite number, got {field!r}")
    beta = 1 / temperature
    overlap = replica_overlap(beta, field)
    local = beta * (np.sqrt(overlap) * NODES + field)
    log_cosh = np.logaddexp(local, -local) - np.log(2)
    free_energy = -beta * (1 - overlap) ** 2 / 4 - temperature * float(WEIGHTS @ (np.log(2) + log_cosh))
    magnetisation = float(WEIGHTS @ np.tanh(local))
    energy = -beta * (1 - overlap**2) / 2 - field * magnetisation
    stability = 1 - beta**2 * float(WEIGHTS @ np.cosh(np.clip(local, -300, 300)) ** -4.0)
    return ReplicaSymmetric(overlap, free_energy, energy, beta * (energy - free_energy), stability)


def replica_overlap(beta: float, field: float) -> float:
    """Return the largest solution q of q = <tanh^2 beta (sqrt(q) z + h)>; without a field it vanishes from T = 1 on."""

    def excess(overlap: float) -> float:
        return float(WEIGHTS @ np.tanh(beta * (np.sqrt(overlap) * NODES + field)) ** 2) - overlap

    if field == 0 and beta <= 1:
        return 0.0
    smallest = 1e-14 if field else max(1e-12, (1 - 1 / beta) / 100)
    return float(brentq(excess, smallest, 1.0, xtol=1e-14))


def almeida_thouless_field(temperature: float) -> float:
    """Return the field h >= 0 on the line below which replica symmetry is broken (de Almeida and Thouless 1978).

    >>> almeida_thouless_field(1.2)
    0.0
    """
    if require_energy_scale("temperature", temperature) >= 1:
        return 0.0

    def stability(field: float) -> float:
        return replica_symmetric(temperature, field).stability

    if stability(SMALLEST_FIELD) >= 0:
        return 0.0
    highest = 1.0
    while stability(highest) < 0:
        highest *= 2
    return float(brentq(stability, SMALLEST_FIELD, highest, xtol=1e-10))


def paramagnet_energy(sites: int, temperature: float) -> float:
    """Return the mean energy per spin of the Sherrington-Kirkpatrick model above T = 1, to the order 1 / N.

    U = -N beta / 2 + beta / (2 (1 - beta^2)), from E ln Z = N (ln 2 + beta^2 / 4) + ln(1 - beta^2) / 4, the log-normal
    law of Z of Aizenman, Lebowitz and Ruelle (1987).

    >>> round(paramagnet_energy(512, 2.0), 5)
    -0.24935

    Raises:
        ValueError: at T <= 1, where the correction diverges.
    """
    if require_energy_scale("temperature", temperature) <= 1:
        raise ValueError(f"temperature: expected one above T_c = 1, got {temperature:g}")
    beta = 1 / temperature
    return -beta / 2 + beta / (2 * (1 - beta**2)) / require_integer("sites", sites, minimum=2)


class RandomEnergies(NamedTuple):
    """Random energy model at one temperature in the average over disorder, per spin but for the overlap."""

    log_partition: float
    """E ln Z / N."""
    energy: float
    entropy: float
    """In nats."""
    overlap: float
    """Probability that two replicas are in the same level, E sum_levels p^2; otherwise their overlap is 0."""


def random_energies(temperature: float) -> RandomEnergies:
    """Return the random energy model in the limit of many spins (Derrida 1981).

    >>> random_energies(0.3).entropy, round(random_energies(0.3).overlap, 4)
    (0.0, 0.5005)
    """
    beta = 1 / require_energy_scale("temperature", temperature)
    critical = 1 / RANDOM_ENERGY_CRITICAL
    if beta <= critical:
        return RandomEnergies(float(np.log(2)) + beta**2 / 4, -beta / 2, float(np.log(2)) - beta**2 / 4, 0.0)
    return RandomEnergies(beta * critical / 2, -critical / 2, 0.0, 1 - critical / beta)


def finite_random_energies(sites: int, temperature: float) -> RandomEnergies:
    """Return the random energy model of N spins, its averages over disorder exact at every size.

    With phi(t) = E exp(-t e^(-beta E)) of one level, E ln Z = int (e^(-t) - phi(t)^(2^N)) dt / t, and two replicas are
    in one level with probability Y = 2^N int t phi''(t) phi(t)^(2^N - 1) dt. For Gaussian levels, by parts,
    U = -(N beta / 2) (1 - Y).

    >>> round(finite_random_energies(20, 2.0).energy, 3), random_energies(2.0).energy
    (-0.25, -0.25)

    Raises:
        ValueError: if N is not an integer from 2 to 100, or T not positive or so low that sums take hours.
    """
    if require_integer("sites", sites, minimum=2) > 100:
        raise ValueError(f"sites: expected at most 100, got {sites}")
    beta = 1 / require_energy_scale("temperature", temperature)
    spread = beta * np.sqrt(sites / 2)
    levels = sites * np.log(2)
    farthest = np.sqrt(2 * levels) + 10
    if spread * farthest > MOST_TERMS:
        raise ValueError(f"temperature: expected a higher one for {sites} spins, got {temperature:g}")
    normal = np.arange(-farthest, farthest, SMOOTH / max(1, spread))
    log_weights = -(normal**2) / 2 - np.log(np.sum(np.exp(-(normal**2) / 2)))
    # x = ln t from where no sample of the disorder has Z t of order one to where all have.
    first = -max(levels + spread**2 / 2, spread * farthest) - 40 * max(1, beta)
    if (terms := len(normal) * (45.0 - first) / SMOOTH) > MOST_TERMS:
        raise ValueError(
            f"temperature: expected a higher one for {sites} spins, got {temperature:g}: {terms:.1g} terms to sum"
        )
    logs = np.arange(first, 45.0, SMOOTH)
    survival, same = np.empty((2, len(logs)))
    for k, log_t in enumerate(logs):
        arguments = np.clip(log_t - spread * normal, -700, 100)
        decided = np.exp(logsumexp(log_weights + np.log(-np.expm1(-np.exp(arguments)))))
        log_phi = np.log1p(-min(decided, 1 - 1e-15))
        survival[k] = np.exp(np.exp(levels) * log_phi)
        same[k] = np.exp(
            levels + logsumexp(log_weights + 2 * arguments - np.exp(arguments)) + np.expm1(levels) * log_phi
        )
    log_partition = float((np.exp(-np.exp(logs)) - survival).sum() * SMOOTH)
    overlap = float(same.sum() * SMOOTH)
    energy = -beta / 2 * (1 - overlap)
    return RandomEnergies(log_partition / sites, energy, log_partition / sites + beta * energy, overlap)
