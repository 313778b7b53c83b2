"""Data sets with exactly known nats: a total correlation, what a latent variable leaves of it, or the sum of a cut.

A `Problem` is drawn from a `Source`, which the configuration builds by one of the functions below from a system and a
temperature, or from planted groups of signs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from vae_mf.analysis.total_correlation import exact_total_correlation
from vae_mf.benchmarks.known_information import (
    group_information,
    group_law,
    group_total_correlation,
    left_by_noisy_order,
    left_in_groups,
    noise_variance,
)
from vae_mf.checks import require_integer
from vae_mf.packing import all_configurations
from vae_mf.rng import generator
from vae_mf.samplers import sample
from vae_mf.systems import CurieWeiss, Hopfield, System
from vae_mf.systems.base import HasRowCorrelations
from vae_mf.systems.enumeration import feasible_cuts

TOTAL, GIVEN, CUT = "TC(x)", "C(x|z)", "I(A;B)"
"""Quantities that an estimator is asked for."""


class Problem(NamedTuple):
    """Rows, and what is asked of them."""

    rows: Shaped[np.ndarray, "rows variables *axes"]
    """Signs -1 and +1 (M, N), int8, or unit vectors without a sign (M, N, 3)."""
    given: Float[np.ndarray, "rows latents"] | None = None
    """Latent variables z of every row, (M, d), where C(x|z) is asked for."""
    cut: Bool[np.ndarray, " variables"] | None = None
    """True for the variables of part A, where I(A; B) is asked for."""
    side: int | None = None
    """Side L of a periodic lattice, variable y L + x at place (y, x); None where there is none."""


class Source(NamedTuple):
    """Law of which as many rows as one likes are drawn, and its nats."""

    quantity: str
    """`TOTAL`, `GIVEN` or `CUT`."""
    exact: float
    """Answer in nats."""
    draw: Callable[[int, int], Problem]
    """Rows of a number and a seed."""


def system_rows(system: System, temperature: float, count: int, seed: int) -> Shaped[np.ndarray, "rows *site"]:
    """Return equilibrium configurations in random order."""
    rows = sample(system, temperature, count, seed, threads=1)[0]
    return rows[generator(seed, "order of rows").permutation(count)]


def side_of(system: System) -> int | None:
    """Return the side of a lattice, None for a system without one."""
    return system.side if isinstance(system, HasRowCorrelations) else None


def all_of(system: System, temperature: float) -> Source:
    """Return the total correlation of a system at a temperature: N ln(states) - S, as its marginals are uniform.

    Raises:
        ValueError: if its marginals or its entropy are not known.
    """
    exact = exact_total_correlation(system, temperature)
    if np.isnan(exact):
        raise ValueError(f"system: expected uniform marginals and a known entropy, got {system.name}, {system.sites}")

    def draw(count: int, seed: int) -> Problem:
        return Problem(system_rows(system, temperature, count, seed), side=side_of(system))

    return Source(TOTAL, exact, draw)


def halves_of(system: System, temperature: float) -> Source:
    """Return the information between the first and the second half of the sites.

    Raises:
        ValueError: unless it is known exactly.
    """
    known = feasible_cuts(system, np.ones((1, system.sites), np.int8), temperature).get("half")
    if known is None:
        raise ValueError(f"system: expected a known information of its halves, got {system.name}, {system.sites} sites")
    part = np.arange(system.sites) < system.sites // 2

    def draw(count: int, seed: int) -> Problem:
        return Problem(system_rows(system, temperature, count, seed), cut=part, side=side_of(system))

    return Source(CUT, float(known), draw)


def noisy_order(system: CurieWeiss, temperature: float, noise: float) -> Source:
    """Return what is left given the magnetisation with noise, see `left_by_noisy_order`."""
    width = np.sqrt(noise_variance(system, temperature, noise))

    def draw(count: int, seed: int) -> Problem:
        rows = system_rows(system, temperature, count, seed)
        seen = rows.mean(1, dtype=np.float64)[:, None]
        return Problem(rows, seen + width * generator(seed, "noise").normal(size=seen.shape))

    return Source(GIVEN, max(left_by_noisy_order(system, temperature, noise), 0.0), draw)


def own_field(system: Hopfield, temperature: float) -> Source:
    """Return what is left given the Hubbard-Stratonovich field of a network: nothing, and that is what is to be found.

    z = overlaps + Normal(0, T / (J N)), one component for every pattern.
    """
    width = np.sqrt(temperature / (system.coupling * system.sites))

    def draw(count: int, seed: int) -> Problem:
        rows = system_rows(system, temperature, count, seed)
        overlaps = system.overlaps(rows)
        return Problem(rows, overlaps + width * generator(seed, "noise").normal(size=overlaps.shape))

    return Source(GIVEN, 0.0, draw)


def planted(groups: int, order: int, tilt: float, cut: bool = False) -> Source:
    """Return groups of signs that no set of fewer than ``order`` variables shows, see `group_law`.

    Variable j groups + g is member j of group g. The cut parts the first half of the members from the others, in every
    group.

    Args:
        groups: number of groups.
        order: number of signs in a group.
        tilt: strength of their product.
        cut: True if the information of the two parts is asked for.
    """
    members = require_integer("order", order, minimum=2) // 2
    law = group_law(order, tilt, np.zeros(1))
    exact = group_information(law[0], members) if cut else float(group_total_correlation(law)[0])
    part = np.arange(groups * order) < groups * members if cut else None

    def draw(count: int, seed: int) -> Problem:
        random = generator(seed, "planted")
        return Problem(group_rows(law, np.zeros(count, np.int64), groups, random), cut=part)

    return Source(CUT if cut else TOTAL, require_integer("groups", groups) * exact, draw)


def planted_given(groups: int, order: int, tilt: float, loading: float) -> Source:
    """Return groups of signs as in `planted` whose fields are ``loading`` z, z a standard normal variable."""

    def draw(count: int, seed: int) -> Problem:
        random = generator(seed, "planted given")
        z = random.normal(size=(count, 1))
        law = group_law(order, tilt, loading * z[:, 0])
        return Problem(group_rows(law, np.arange(count), groups, random), z)

    return Source(GIVEN, left_in_groups(groups, order, tilt, loading), draw)


def group_rows(
    law: Float[np.ndarray, "fields states"], chosen: np.ndarray, groups: int, random: np.random.Generator
) -> Shaped[np.ndarray, "rows variables"]:
    """Return rows of independent groups, the law of each row being the chosen one."""
    order = law.shape[1].bit_length() - 1
    states = all_configurations(order)
    steps = law.cumsum(1)[chosen]
    drawn = [(steps < random.random((len(chosen), 1)) * steps[:, -1:]).sum(1) for _ in range(groups)]
    rows = np.stack([states[numbers] for numbers in drawn], axis=2)
    return np.ascontiguousarray(rows.reshape(len(chosen), -1))
