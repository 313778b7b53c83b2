"""The Hopfield network as a memory: lines between its phases beside networks, and basins of attraction."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from vae_mf.checks import require_integer
from vae_mf.rng import integer
from vae_mf.samplers.retrieval import load_curve
from vae_mf.systems.hopfield_theory import retrieval_loads, spin_glass_temperature

BELOW_ONE = 0.995
"""Highest temperature of the lines of retrieval, which end at 1."""
COLDEST = 0.005


def phase_tables(
    sites: int, loads: Sequence[float], temperatures: Sequence[float], points: int, largest_load: float, **options: int
) -> dict[str, pd.DataFrame]:
    """Return the lines between phases of the infinite network, and the overlaps that finite ones keep.

    Args:
        sites: number of spins N of the networks.
        loads: values of P / N.
        temperatures: temperatures of their dynamics, which starts at a pattern.
        points: number of points of a line.
        largest_load: load at which the line of freezing ends.
        options: options of `load_curve`.
    """
    lines = pd.concat([retrieval_lines(points), freezing_line(points, largest_load)], ignore_index=True)
    kept = [
        pd.DataFrame(
            {"temperature": temperature, "load": curve.loads, "overlap": curve.overlaps, "error": curve.errors}
        )
        for temperature in temperatures
        for curve in [load_curve(sites, loads, corruption=0.0, temperature=temperature, **options)]
    ]
    return {"phase_lines": lines, "phase_overlaps": pd.concat(kept, ignore_index=True).assign(sites=sites)}


def retrieval_lines(points: int) -> pd.DataFrame:
    """Return the lines at which retrieval states end, give way to the spin glass, and break replica symmetry."""
    temperatures = np.linspace(COLDEST, BELOW_ONE, require_integer("points", points, minimum=2))
    # The third line lies in the cold, where it needs points of its own.
    temperatures = np.union1d(temperatures, np.linspace(COLDEST, 0.08, points // 2))
    rows = [
        {"temperature": temperature} | retrieval_loads(temperature)._asdict() for temperature in temperatures.tolist()
    ]
    wide = pd.DataFrame(rows)
    wide.loc[wide.symmetric == wide.largest, "symmetric"] = np.nan
    return wide.melt("temperature", var_name="line", value_name="load").dropna(ignore_index=True)


def freezing_line(points: int, largest_load: float) -> pd.DataFrame:
    """Return the line at which the network freezes without a condensed pattern."""
    loads = largest_load * np.linspace(0, 1, points)[1:] ** 2  # close where the line is steep
    glass = [spin_glass_temperature(load) for load in loads.tolist()]
    return pd.DataFrame({"temperature": glass, "line": "freezing", "load": loads})


def basin_tables(
    sizes: Sequence[int], loads: Sequence[float], overlaps: Sequence[float], seed: int, **options: int
) -> dict[str, pd.DataFrame]:
    """Return the overlap with a pattern at the end of the dynamics without noise, by that at its start.

    Args:
        sizes: numbers of spins N.
        loads: values of P / N.
        overlaps: overlaps m_0 at the start; (1 - m_0) / 2 of the spins are turned.
        seed: seed of patterns and starts.
        options: options of `load_curve`.
    """
    parts = []
    for sites, start in product(sizes, overlaps):
        own = integer(seed, "basins", sites, round(1000 * start))
        curve = load_curve(sites, loads, corruption=(1 - start) / 2, seed=own, **options)
        found = {"load": curve.loads, "overlap": curve.overlaps, "error": curve.errors}
        parts.append(pd.DataFrame({"sites": sites, "start": start} | found))
    return {"basins": pd.concat(parts, ignore_index=True)}
