"""Spin-glass transitions: where correlation lengths of cubes cross, and the approach to Parisi's energy.

At a transition the correlation length xi grows with the side L, and xi / L does not depend on L but for corrections
that fall with it: curves of two sides cross near T_c. With sides of 4 to 8 these corrections are as large as the
errors, and crossings drift with L; they are told pair by pair, and nothing is extrapolated.
"""

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from vae_mf.rng import generator
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.studies.disorder import disorder_tables, reduced_length
from vae_mf.systems.glass_theory import PARISI_ENERGY, replica_symmetric
from vae_mf.systems.parisi import parisi
from vae_mf.systems.spin_glass import EdwardsAnderson, SherringtonKirkpatrick

DEGREE = 2
"""Degree of the polynomials in T through ln(xi / L) of every side."""
RESAMPLES = 300


def transition_tables(cubes: dict[str, Any], full: dict[str, Any], seed: int) -> dict[str, pd.DataFrame]:
    """Return averages of cubes by side and temperature, their crossings, and energies of full couplings by size.

    Args:
        cubes: arguments of `cube_tables`.
        full: arguments of `approach_table`.
        seed: seed of all disorder and chains.
    """
    return cube_tables(seed=seed, **cubes) | {"approach": approach_table(seed=seed, **full)}


def cube_tables(
    sides: Sequence[int],
    samples: Sequence[int],
    sweeps: Sequence[int],
    temperatures: Sequence[float],
    window: tuple[float, float],
    draws: int,
    chains: int,
    swap_every: int,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return averages over disorder of Edwards-Anderson cubes with bonds +-1, and the crossings of all pairs of sides.

    Args:
        sides: linear sizes L.
        samples: number of samples of the disorder for each of them.
        sweeps: sweeps to equilibrate, and as many again to measure, for each of them.
        temperatures: ladder of tempering.
        window: temperatures between which crossings are looked for.
    """
    tempering = partial(ParallelTempering, swap_every=swap_every)
    means, rows = [], {}
    for side, count, length in zip(sides, samples, sweeps, strict=True):
        system = partial(EdwardsAnderson.random, side=side, dimension=3, disorder="pm")
        run = {"temperatures": list(temperatures), "sweeps": length, "draws": draws, "chains": chains}
        tables = disorder_tables(system, MultispinGlass, count, seed, run, tempering, (side, 3))
        means.append(tables["disorder"].assign(side=side))
        rows[side] = tables["samples"]
    crossings = [crossing(rows[a], rows[b], (a, b), window, seed) for a, b in combinations(sides, 2)]
    return {"transition": pd.concat(means, ignore_index=True), "crossings": pd.DataFrame(crossings)}


def crossing(
    small: pd.DataFrame, large: pd.DataFrame, sides: tuple[int, int], window: tuple[float, float], seed: int
) -> dict[str, Any]:
    """Return the temperature at which xi / L of two sides is the same, its error by the bootstrap over the disorder."""
    random = generator(seed, "crossing", *sides)
    both = [wide(part, window) for part in (small, large)]
    found = [crossing_temperature(both, sides, [np.arange(len(q)) for q, _ in both])]
    for _ in range(RESAMPLES):
        found.append(crossing_temperature(both, sides, [random.integers(0, len(q), len(q)) for q, _ in both]))
    inside = np.array(found[1:])
    inside = inside[np.isfinite(inside)]
    return {
        "smaller": sides[0],
        "larger": sides[1],
        "temperature": found[0],
        "error": float(inside.std(ddof=1)) if len(inside) > RESAMPLES // 2 else np.nan,
        "resamples_that_cross": len(inside) / RESAMPLES,
    }


def wide(rows: pd.DataFrame, window: tuple[float, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the squares of the overlap at wave numbers 0 and k, one row per sample, one column per temperature."""
    near = rows[rows.temperature.between(*window)]
    return near.pivot(index="sample", columns="temperature", values="q2"), near.pivot(
        index="sample", columns="temperature", values="q2_wave"
    )


def crossing_temperature(
    both: list[tuple[pd.DataFrame, pd.DataFrame]], sides: tuple[int, int], chosen: list[np.ndarray]
) -> float:
    """Return where polynomials through ln(xi / L) of two sides meet, nan where they do not inside the window."""
    temperatures = both[0][0].columns.to_numpy(float)
    curves = []
    for (squares, waves), side, index in zip(both, sides, chosen, strict=True):
        pairs = zip(squares.to_numpy()[index].mean(0), waves.to_numpy()[index].mean(0), strict=True)
        lengths = np.array([reduced_length(square, wave, side) for square, wave in pairs])
        curves.append(np.polyfit(temperatures, np.log(np.maximum(lengths, 1e-6)), DEGREE))
    roots = np.roots(curves[1] - curves[0])
    real = roots[np.abs(roots.imag) < 1e-9].real
    inside = real[(real >= temperatures[0]) & (real <= temperatures[-1])]
    return float(inside[0]) if len(inside) == 1 else np.nan


def approach_table(
    sizes: Sequence[int],
    samples: int,
    temperatures: Sequence[float],
    sweeps: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return energies per spin of Sherrington-Kirkpatrick samples at the coldest temperature, by size, beside theory.

    The rows "line" are the ends of a line in N^(-2/3) through the sizes; "parisi" and "replica symmetric" are theory at
    that temperature, "parisi, T = 0" is quoted.
    """
    coldest = min(temperatures)
    run = {"temperatures": list(temperatures), "sweeps": sweeps, "draws": draws}
    rows = []
    for sites in sizes:
        system = partial(SherringtonKirkpatrick.random, sites=sites)
        table = disorder_tables(system, IsingMetropolis, samples, seed, run)["disorder"]
        cold = table[table.temperature == coldest].iloc[0]
        rows.append({"source": "samples", "sites": sites, "energy": cold.energy, "error": cold.energy_error})
    energies = pd.DataFrame(rows)
    line, covariance = np.polyfit(energies.sites ** (-2 / 3), energies.energy, 1, w=1 / energies.error, cov="unscaled")
    theory = [
        {"source": "line", "energy": line[1], "error": np.sqrt(covariance[1, 1]), "slope": line[0]},
        {"source": "parisi", "energy": parisi(coldest).energy},
        {"source": "replica symmetric", "energy": replica_symmetric(coldest).energy},
        {"source": "parisi, T = 0", "energy": PARISI_ENERGY},
    ]
    return pd.concat([energies, pd.DataFrame(theory)], ignore_index=True).assign(temperature=coldest)
