"""Averages of a spin glass over many samples of its disorder, with errors over the disorder.

In every sample two or more chains at each temperature give thermal averages: of the energy, of powers of the
magnetisation m and of the overlap q = sum_i s_i s'_i / N of two chains, and on a lattice of the overlap at the smallest
wave number k. A glass has no other error that matters: averages of one sample scatter about the mean over the disorder
by their own noise and by the disorder, and the standard error over samples holds both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from vae_mf.checks import require_integer, require_temperatures
from vae_mf.packing import unpack_spins
from vae_mf.rng import integer
from vae_mf.samplers.base import Sampler, Schedule, sample_block
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.base import System

AVERAGED = ("energy", "m2", "m4", "q2", "q4", "q2_first", "q2_second")
"""Averages of one sample of the disorder whose mean and error a table has."""


@dataclass(frozen=True)
class DisorderRun:
    """Course of the chains in every sample of the disorder.

    Args:
        temperatures: ladder of distinct T > 0.
        sweeps: sweeps to equilibrate, and as many again to measure.
        draws: configurations of a chain that are measured.
        chains: chains at each temperature, two or more; overlaps are those of all pairs.
    """

    temperatures: Sequence[float]
    sweeps: int
    draws: int = 100
    chains: int = 4

    def __post_init__(self) -> None:
        require_temperatures(self.temperatures)
        require_integer("chains", self.chains, minimum=2)
        if require_integer("sweeps", self.sweeps) < require_integer("draws", self.draws, minimum=2):
            raise ValueError(f"draws: expected at most sweeps = {self.sweeps}, got {self.draws}")

    @property
    def schedule(self) -> Schedule:
        """Schedule of every chain."""
        return Schedule(self.draws, self.sweeps, self.sweeps // self.draws)


def disorder_tables(
    system: Callable[..., System],
    sampler: Callable[[System], Sampler],
    samples: int,
    seed: int,
    run: dict[str, Any],
    tempering: Callable[[Sampler], Sampler] = ParallelTempering,
    lattice: Sequence[int] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return one table of thermal averages by sample of the disorder, and one of their means with errors.

    Args:
        system: returns a system from the argument ``seed``.
        sampler: returns the sampler of a system.
        samples: number of samples of the disorder, two or more.
        seed: seed of all of them.
        run: arguments of `DisorderRun`.
        tempering: returns parallel tempering of a sampler.
        lattice: side and dimension of a torus, for its correlation length.
    """
    require_integer("samples", samples, minimum=2)
    course = DisorderRun(**run)
    parts = []
    for number in range(samples):
        glass = system(seed=integer(seed, "disorder", number))
        own = integer(seed, "chains", number)
        part = thermal_averages(glass, tempering(sampler(glass)), course, own, lattice)
        parts.append(part.assign(sample=number, sites=glass.sites))
    rows = pd.concat(parts, ignore_index=True)
    return {"samples": rows, "disorder": disorder_means(rows, lattice)}


def thermal_averages(
    system: System, sampler: Sampler, run: DisorderRun, seed: int, lattice: Sequence[int] | None = None
) -> pd.DataFrame:
    """Return one row per temperature of the averages of one sample of the disorder, energies per site."""
    levels = np.asarray(run.temperatures, np.float64)
    drawn = sample_block(sampler, levels, range(run.chains), run.schedule, seed).configurations
    return pd.DataFrame(
        {"temperature": t} | averages_of(system, unpack_spins(part, system.sites), lattice)
        for t, part in zip(levels.tolist(), drawn, strict=True)
    )


def averages_of(system: System, spins: np.ndarray, lattice: Sequence[int] | None) -> dict[str, float]:
    """Return the averages of spins (chains, draws, N) at one temperature."""
    m = spins.mean(-1, dtype=np.float64)
    products = [spins[a] * spins[b] for a, b in combinations(range(len(spins)), 2)]
    q = np.array([p.mean(-1, dtype=np.float64) for p in products])
    half = q.shape[1] // 2
    found = {
        "energy": float(system.energy(spins).mean() / system.sites),
        "m2": (m**2).mean(),
        "m4": (m**4).mean(),
        "q2": (q**2).mean(),
        "q4": (q**4).mean(),
        "q2_first": (q[:, :half] ** 2).mean(),
        "q2_second": (q[:, half:] ** 2).mean(),
    }
    if lattice is not None:
        found["q2_wave"] = float(np.mean([wave_power(p, *lattice) for p in products]))
    return {name: float(value) for name, value in found.items()}


def wave_power(product: np.ndarray, side: int, dimension: int) -> float:
    """Return <|sum_i q_i exp(i k x_i) / N|^2> at the smallest wave numbers k = 2 pi / L along the axes of a torus."""
    draws = len(product)
    wave = np.exp(2j * np.pi * np.arange(side) / side)
    lattice = product.reshape(draws, *(side,) * dimension)
    axes = range(1, dimension + 1)
    planes = (lattice.mean(tuple(other for other in axes if other != axis), dtype=np.float64) for axis in axes)
    return float(np.mean([np.abs(plane @ wave / side) ** 2 for plane in planes]))


def disorder_means(rows: pd.DataFrame, lattice: Sequence[int] | None = None) -> pd.DataFrame:
    """Return means over the disorder with standard errors, by temperature.

    Beside the averages themselves: the Binder parameter g = (3 - [<q^4>] / [<q^2>]^2) / 2 of the overlap, and on a
    lattice the correlation length over L,
        xi / L = sqrt([<q^2>] / [<|q_k|^2>] - 1) / (2 L sin(pi / L)),
    with errors by the jackknife over the disorder.

    Raises:
        ValueError: for fewer than two samples.
    """
    if rows["sample"].nunique() < 2:
        raise ValueError(f"samples: expected two or more for an error, got {rows['sample'].nunique()}")
    return pd.DataFrame(
        {"temperature": temperature} | means_at(part, lattice) for temperature, part in rows.groupby("temperature")
    )


def means_at(part: pd.DataFrame, lattice: Sequence[int] | None) -> dict[str, Any]:
    """Return the means and errors of the rows of one temperature."""
    count = len(part)
    found: dict[str, Any] = {"samples": count}
    for name in AVERAGED:
        found |= {name: part[name].mean(), f"{name}_error": part[name].std(ddof=1) / np.sqrt(count)}
    late = part.q2_second - part.q2_first
    found |= {"q2_drift": late.mean(), "q2_drift_error": late.std(ddof=1) / np.sqrt(count)}
    binder, error = jackknife(lambda means: (3 - means.q4 / means.q2**2) / 2, part)
    found |= {"binder": binder, "binder_error": error}
    if lattice is not None:
        length, error = jackknife(lambda means: reduced_length(means.q2, means.q2_wave, lattice[0]), part)
        found |= {"length": length, "length_error": error}
    return found


def reduced_length(square: float, wave: float, side: int) -> float:
    """Return xi / L, 0 where the overlap at k is the larger."""
    return float(np.sqrt(max(square / wave - 1, 0.0)) / (2 * side * np.sin(np.pi / side)))


def jackknife(function: Callable[[pd.Series], float], part: pd.DataFrame) -> tuple[float, float]:
    """Return a function of the means over samples of the disorder, and its jackknife error."""
    numbers = part.select_dtypes("number")
    total = numbers.sum()
    count = len(numbers)
    left_out = np.array([function((total - row) / (count - 1)) for _, row in numbers.iterrows()])
    return function(total / count), float(np.sqrt((count - 1) * left_out.var()))
