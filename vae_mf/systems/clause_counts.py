"""Exact thermodynamics of small formulas, from a count of all 2^N configurations by energy and magnetisation."""

import numpy as np
from jaxtyping import Int, Int64

from vae_mf.checks import require_energy_scale
from vae_mf.kernels import kernel
from vae_mf.systems.base import OrderParameterLaw, Thermodynamics
from vae_mf.systems.canonical import canonical

MAXIMUM_SITES = 24
"""Largest number of variables whose configurations are counted."""


def require_countable(sites: int) -> None:
    """Raise ValueError above 24 variables."""
    if sites > MAXIMUM_SITES:
        raise ValueError(f"counting: expected at most {MAXIMUM_SITES} variables, got {sites}")


def count_configurations(
    literals: Int[np.ndarray, " literals"], offsets: Int64[np.ndarray, " bounds"], sites: int
) -> Int64[np.ndarray, "energies ups"]:
    """Return the number of configurations by violated clauses, 0 ... M, and by variables that are true, 0 ... N."""
    bits = np.left_shift(1, np.abs(literals) - 1)
    clauses = offsets.size - 1
    clause = np.repeat(np.arange(clauses), np.diff(offsets))
    # Bit v of a configuration is variable v: a clause is violated where its negated variables alone are true.
    masks = np.bincount(clause, bits, clauses).astype(np.int32)
    violating = np.bincount(clause, np.where(literals < 0, bits, 0), clauses).astype(np.int32)
    counts = np.zeros((clauses + 1, sites + 1), np.int64)
    add_counts(counts, masks, violating, 2**sites)
    return counts


@kernel()
def add_counts(counts, masks, violating, configurations):
    """Add one to the count of every configuration, by energy and number of set bits."""
    for configuration in range(configurations):
        bits = np.int32(configuration)
        energy = np.int32(0)
        for clause in range(masks.shape[0]):
            energy += (bits & masks[clause]) == violating[clause]
        ups = 0
        while bits:
            bits &= bits - np.int32(1)
            ups += 1
        counts[energy, ups] += 1


def thermodynamics_of_counts(counts: Int64[np.ndarray, " energies"], temperature: float) -> Thermodynamics:
    """Return exact thermodynamics from the number of configurations with energy 0, 1, 2, ...

    >>> round(thermodynamics_of_counts(np.array([3, 1]), 1.0).log_partition, 4)
    1.2143
    """
    energies = np.flatnonzero(counts)
    return canonical(energies.astype(np.float64), temperature, np.log(counts[energies])).thermodynamics


def law_of_counts(counts: Int64[np.ndarray, "energies ups"], temperature: float) -> OrderParameterLaw:
    """Return the exact law of the magnetisation from the counts by energy and by variables that are true."""
    energies = np.flatnonzero(counts.any(1))
    weights = np.exp(-(energies - energies[0]) / require_energy_scale("temperature", temperature))
    probabilities = weights @ counts[energies]
    sites = counts.shape[1] - 1
    return OrderParameterLaw(2 * np.arange(sites + 1) / sites - 1, probabilities / probabilities.sum())
