"""Correlations along the rows of a lattice and their length, of samples, of the model and of exact theory."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8

from vae_mf.statistics.averages import Average, average
from vae_mf.statistics.observables import GROUPS, Chains, jackknife, statistics_rows
from vae_mf.systems.base import HasRowCorrelations

BLOCK = 1000
"""Configurations at a time."""
ROUNDING = 1e-20
"""Share of S(0) below which S(k) is zero but for rounding; a single turned spin of a billion rows has more."""
Lattices = Int8[np.ndarray, "rows sites"]


class CorrelationLength(NamedTuple):
    """Extent of correlations in lattice constants."""

    correlation_length: float
    """Second-moment length, see `correlation_length`."""


class LatticeStatistics(NamedTuple):
    """Estimates of two-point correlations from single configurations of a lattice."""

    correlations: Float[np.ndarray, "rows distances"]
    """s_i s_j averaged over all pairs at distance r = 0 ... L // 2 along rows and columns."""
    structure: Float[np.ndarray, "rows 2"]
    """|sum_i s_i e^{ik.r_i}|^2 / N at k = 0 and, the mean of both axes, at |k| = 2 pi / L."""


def lattice_statistics(spins: Lattices, side: int) -> LatticeStatistics:
    """Return correlations and structure factors of configurations (rows, L^2)."""
    parts = [block_statistics(spins[start : start + BLOCK], side) for start in range(0, len(spins), BLOCK)]
    return LatticeStatistics(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def block_statistics(spins: Lattices, side: int) -> LatticeStatistics:
    """Return the statistics of some configurations, by the Wiener-Khinchin theorem."""
    lattice = spins.reshape(-1, side, side).astype(np.float32)
    along = [(np.abs(np.fft.fft(lattice, axis=axis)) ** 2).mean(axis=3 - axis) for axis in (1, 2)]
    correlations = np.fft.ifft((along[0] + along[1]) / 2, axis=1).real[:, : side // 2 + 1] / side
    sums = [np.abs(np.fft.fft(lattice.sum(axis, dtype=np.float64), axis=1)[:, :2]) ** 2 for axis in (1, 2)]
    structure = (sums[0] + sums[1]) / (2 * side**2)
    return LatticeStatistics(correlations.astype(np.float64), structure.astype(np.float64))


def correlation_length(zero: float, smallest: float, side: int) -> CorrelationLength:
    """Return xi = sqrt(S(0) / S(k) - 1) / (2 sin(k / 2)), k = 2 pi / L, zero without correlations.

    It is unknown, NaN, of configurations whose spins are all alike: S(k) = 0, up to rounding. Below T_c, where
    <s_0 s_r> does not decay, it grows with L (Cooper, Freedman and Preston 1982, eq. 2.6).

    >>> round(correlation_length(5.0, 1.0, side=16).correlation_length, 3)
    5.126
    """
    if smallest <= ROUNDING * zero:
        return CorrelationLength(np.nan)
    return CorrelationLength(float(np.sqrt(max(0.0, zero / smallest - 1)) / (2 * np.sin(np.pi / side))))


class CorrelationTables(NamedTuple):
    """Correlations per source and temperature."""

    functions: pd.DataFrame
    """Columns source, temperature, distance (lattice constants), value <s_0 s_r>, error."""
    lengths: pd.DataFrame
    """Rows of the table of observables: the second-moment correlation length."""


def compare_correlations(
    system: HasRowCorrelations, configurations: Mapping[str, Mapping[float, Lattices]], chains: Chains
) -> CorrelationTables:
    """Return the correlation function and length of every source, the function beside exact theory."""
    functions, lengths = [], []
    for source, by_temperature in configurations.items():
        for temperature, spins in by_temperature.items():
            found = lattice_statistics(spins, system.side)
            groups = min(GROUPS, chains[source])
            averages = [average(values, groups) for values in found.correlations.T]
            functions.append(function_table(source, temperature, averages))
            length = jackknife(
                found.structure, lambda zero, smallest: correlation_length(zero, smallest, system.side), chains[source]
            )
            lengths += statistics_rows(source, temperature, *length)
    for temperature in next(iter(configurations.values())):
        exact = system.row_correlations(temperature)
        infinite = system.infinite_row_correlations(temperature)
        for source, values in (("exact", exact), ("infinite", infinite)):
            functions.append(function_table(source, temperature, [Average(value, 0.0) for value in values]))
    return CorrelationTables(pd.concat(functions, ignore_index=True), pd.DataFrame(lengths))


def function_table(source: str, temperature: float, averages: list[Average]) -> pd.DataFrame:
    """Return C(r), r = 0, 1, ..., of one source at one temperature."""
    table = pd.DataFrame(averages)
    table.insert(0, "distance", range(len(table)))
    return table.assign(source=source, temperature=temperature)
