"""Energy and entropy of random formulas against temperature, by parallel tempering and thermodynamic integration."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.rng import integer
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.k_sat import KSatMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.satisfiability.population_dynamics import Sizes, replica_symmetric_entropy
from vae_mf.systems.k_sat import KSat

DRAWS = 100
"""Records of a chain."""
FINE = 200
"""Temperatures of a curve of theory."""
NAMES = ("energy", "entropy")


def energy_tables(
    length: int,
    sites: int,
    ratios: Sequence[float],
    satisfiable: float,
    temperatures: Sequence[float],
    formulas: int,
    chains: int,
    sweeps: int,
    sizes: Mapping[str, int],
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return energy and entropy per variable of each ratio at each temperature, and the entropy of its solutions.

    Errors are those over formulas. Beside them are the annealed averages of both at all temperatures, and by
    belief propagation in infinite formulas the entropy of the solutions, exact below the condensation threshold.

    Args:
        length: number of literals K in a clause.
        sites: number of variables N.
        ratios: clauses per variable.
        satisfiable: threshold, below which there are solutions whose entropy is computed.
        temperatures: ladder of temperatures in violated clauses, in any order.
        formulas: random formulas at each ratio.
        chains: ladders for each of them.
        sweeps: sweeps of every ladder to equilibrate, and as many to measure.
        sizes: sizes of the population dynamics for the entropy of the solutions.
        seed: seed of formulas, chains and populations.
    """
    levels = np.sort(np.asarray(temperatures, float))
    rows = []
    for ratio in ratios:
        seeds = [integer(seed, "formula", round(1e6 * ratio), number) for number in range(formulas)]
        systems = [KSat.random(sites, length, own, clauses_per_site=float(ratio)) for own in seeds]
        found = np.array([measured(system, levels, chains, sweeps, seed) for system in systems]) / sites
        means = found.mean(0)
        errors = found.std(0, ddof=1) / np.sqrt(formulas)
        rows.append(ratio_table(ratio, levels, means, errors))
    below = [float(ratio) for ratio in ratios if ratio < satisfiable]
    dense = [replica_symmetric_entropy(length, ratio, Sizes(**sizes), seed)._asdict() for ratio in below]
    solutions = pd.DataFrame({"ratio": below}).join(pd.DataFrame(dense))
    energy = pd.concat(rows, ignore_index=True)
    return {"energy": energy, "annealed": annealed_table(length, ratios, levels), "solutions": solutions}


def ratio_table(ratio: float, levels: np.ndarray, means: np.ndarray, errors: np.ndarray) -> pd.DataFrame:
    """Return the rows of one ratio."""
    columns = {name: means[number] for number, name in enumerate(NAMES)}
    columns |= {f"{name}_error": errors[number] for number, name in enumerate(NAMES)}
    return pd.DataFrame({"ratio": ratio, "temperature": levels} | columns)


def annealed_table(length: int, ratios: Sequence[float], levels: Float[np.ndarray, " levels"]) -> pd.DataFrame:
    """Return annealed energy and entropy of each ratio at many temperatures between the lowest and the highest."""
    fine = np.geomspace(levels.min(), levels.max(), FINE)
    averages = [annealed(length, ratio, 1 / fine) for ratio in ratios]
    columns = {name: np.concatenate([own[number] for own in averages]) for number, name in enumerate(NAMES)}
    return pd.DataFrame({"ratio": np.repeat(ratios, FINE), "temperature": np.tile(fine, len(ratios))} | columns)


def measured(
    system: KSat, temperatures: Float[np.ndarray, " levels"], chains: int, sweeps: int, seed: int
) -> Float[np.ndarray, "2 levels"]:
    """Return mean energy and entropy of one formula at each temperature, in rising order."""
    schedule = Schedule(DRAWS, sweeps, -(-sweeps // DRAWS))
    tempering = ParallelTempering(KSatMetropolis(system))
    drawn = sample_chains(tempering, temperatures, chains, schedule, seed)
    energies = np.array([system.energy(spins) for spins in drawn])
    means = energies.mean((1, 2))
    return np.array([means, integrated_entropy(system, temperatures, means, energies.var((1, 2)))])


def integrated_entropy(
    system: KSat,
    temperatures: Float[np.ndarray, " levels"],
    energies: Float[np.ndarray, " levels"],
    variances: Float[np.ndarray, " levels"],
) -> Float[np.ndarray, " levels"]:
    """Return S = N ln 2 + beta U - int_0^beta U, from the mean and variance of the energy at rising temperatures.

    Between neighbours U is the cubic with dU/dbeta = -variance at both. At beta = 0 a clause of K literals is violated
    with probability 2^-K, and the variance is taken for that of independent clauses.
    """
    beta = np.concatenate([[0.0], 1 / temperatures[::-1]])
    hot, hot_variance = infinite_temperature(system)
    means = np.concatenate([[hot], energies[::-1]])
    slopes = -np.concatenate([[hot_variance], variances[::-1]])
    steps = np.diff(beta)
    pieces = steps * (means[1:] + means[:-1]) / 2 + steps**2 * (slopes[:-1] - slopes[1:]) / 12
    entropies = system.sites * np.log(2) + beta[1:] * means[1:] - np.cumsum(pieces)
    return entropies[::-1]


def infinite_temperature(system: KSat) -> tuple[float, float]:
    """Return the mean energy of random assignments, and its variance if no two clauses shared a variable."""
    violated = 2.0 ** -np.diff(system.offsets)
    return float(violated.sum()), float((violated * (1 - violated)).sum())


def annealed(length: int, ratio: float, beta: Float[np.ndarray, " levels"]) -> Float[np.ndarray, "2 levels"]:
    """Return energy and entropy per variable from the average of Z, near the typical ones at high temperature.

    ln <Z> / N = ln 2 + alpha ln(1 - 2^-K (1 - exp(-beta))).

    >>> annealed(3, 4.0, np.array([0.0])).ravel().round(4).tolist()
    [0.5, 0.6931]
    """
    share = 2.0**-length
    kept = 1 - share * (1 - np.exp(-beta))
    energy = ratio * share * np.exp(-beta) / kept
    return np.array([energy, np.log(2) + ratio * np.log(kept) + beta * energy])
