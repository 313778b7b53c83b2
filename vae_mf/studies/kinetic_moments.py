"""Errors of the Plefka expansions of the kinetic Ising model, against sampled moments, through its transition."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vae_mf.arrays import Couplings, Fields
from vae_mf.rng import generator, integer
from vae_mf.samplers.kinetic import kinetic_trajectories
from vae_mf.systems.kinetic_plefka import EXPANSIONS, KineticMoments, kinetic_moments

MOMENTS = ("magnetisations", "covariances", "delayed")


def moment_tables(
    sites: int, mean: float, spread: float, field: float, betas: Sequence[float], steps: int, repeats: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return the root mean square errors of m, C and D after so many steps from all spins up, a row per expansion.

    Couplings are beta Normal(``mean`` / N, ``spread``^2 / N), fields beta Uniform(-``field``, ``field``). The error of
    the sampled moments themselves is taken out, and given beside; an error that is lost in it is NaN.
    """
    random = generator(seed, "model")
    couplings = random.normal(mean / sites, spread / np.sqrt(sites), (sites, sites))
    fields = random.uniform(-field, field, sites)
    rows = []
    for beta in betas:
        halves = sampled_halves(beta * couplings, beta * fields, steps, repeats, integer(seed, "paths", str(beta)))
        for expansion in EXPANSIONS:
            found = kinetic_moments(beta * couplings, beta * fields, steps, expansion, np.ones(sites))[-1]
            rows += [{"beta": beta, "expansion": expansion} | row for row in moment_errors(found, halves)]
    return {"kinetic_moments": pd.DataFrame(rows)}


def sampled_halves(
    couplings: Couplings, fields: Fields, steps: int, repeats: int, seed: int
) -> tuple[KineticMoments, KineticMoments]:
    """Return the moments after so many steps from all spins up, from either half of the repeats."""
    start = np.ones(len(fields), np.int8)
    ends = kinetic_trajectories(couplings, fields, steps, repeats, seed, start)[:, -2:]
    return sampled_moments(ends[: repeats // 2]), sampled_moments(ends[repeats // 2 :])


def sampled_moments(ends: np.ndarray) -> KineticMoments:
    """Return the moments of the last two times, shape (repeats, 2, N)."""
    before, now = ends.astype(np.float64).swapaxes(0, 1)
    m = now.mean(0)
    before -= before.mean(0)
    now -= m
    return KineticMoments(m, now.T @ now / len(now), now.T @ before / len(now))


def moment_errors(found: KineticMoments, halves: tuple[KineticMoments, KineticMoments]) -> list[dict[str, str | float]]:
    """Return the root mean square deviation of every moment from samples, without the part that sampling makes."""
    rows = []
    for name in MOMENTS:
        first, second = (getattr(half, name) for half in halves)
        # The product of the deviations from independent halves has no part from sampling, but for its own noise.
        square = np.mean((getattr(found, name) - first) * (getattr(found, name) - second))
        sampling = np.sqrt(np.mean((first - second) ** 2)) / 2
        rows.append({"moment": name, "error": np.sqrt(square) if square > 0 else np.nan, "sampling": sampling})
    return rows
