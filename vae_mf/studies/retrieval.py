"""Overlaps that a Hopfield network recalls at each load, beside the theory of the infinite network."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.samplers.retrieval import LoadCurve, load_curve
from vae_mf.systems.hopfield_theory import retrieval_overlap

COLD = 0.005
"""Temperature that stands for zero in the theory, whose overlaps it changes by 0.001 at most."""


def retrieval_tables(
    sizes: Sequence[int], loads: Sequence[float], temperatures: Sequence[float], theory_loads: int, **options: Any
) -> dict[str, pd.DataFrame]:
    """Return one table of simulated overlaps, at every temperature, size and load, and of those of theory."""
    grid = np.linspace(min(loads), max(loads), theory_loads)
    parts = [infinite_overlaps(grid, temperature) for temperature in temperatures]
    for temperature, sites in product(temperatures, sizes):
        curve = load_curve(sites, list(loads), temperature=temperature, **options)
        parts.append(simulated_overlaps(curve, sites, temperature))
    return {"retrieval": pd.concat(parts, ignore_index=True)}


def simulated_overlaps(curve: LoadCurve, sites: int, temperature: float) -> pd.DataFrame:
    """Return one row per load of a simulated curve."""
    rows = {"load": curve.loads, "overlap": curve.overlaps, "error": curve.errors, "settled": curve.settled}
    return pd.DataFrame({"source": "samples", "temperature": temperature, "sites": sites} | rows)


def infinite_overlaps(loads: Float[np.ndarray, " loads"], temperature: float) -> pd.DataFrame:
    """Return the overlap of the retrieval state for N to infinity, zero beyond the load where it ceases to exist."""
    overlaps = [retrieval_overlap(max(temperature, COLD), load) for load in loads.tolist()]
    return pd.DataFrame({"source": "infinite", "temperature": temperature, "load": loads, "overlap": overlaps})
