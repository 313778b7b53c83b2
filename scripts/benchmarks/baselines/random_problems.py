"""Random inverse Ising problems that are hard to fit: rare, separable, cold, of few rows, collective."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vae_mf.packing import all_configurations

HELD_OUT = 4000
"""Number of rows to judge on."""


class Problem(NamedTuple):
    """Rows to fit and rows to judge on, (M, N) and (4000, N)."""

    rows: np.ndarray
    held_out: np.ndarray


class Law(NamedTuple):
    """Probabilities of all configurations, and the number of rows to fit."""

    states: np.ndarray
    exponents: np.ndarray
    rows: int


def ising(couplings: np.ndarray, fields: np.ndarray, rows: int) -> Law:
    """Return the law of couplings above the diagonal and fields."""
    states = all_configurations(len(fields)).astype(float)
    return Law(states, np.einsum("ri,ri->r", states @ couplings, states) + states @ fields, rows)


def rare(random: np.random.Generator) -> Law:
    """Return spins that are +1 in .5 to 5 % of the rows, some of them coupled."""
    sites = int(random.integers(6, 13))
    fields = np.arctanh(2 * random.uniform(0.005, 0.05, sites) - 1)
    couplings = np.triu(random.normal(0, 0.5, (sites, sites)) * (random.random((sites, sites)) < 0.2), 1)
    # The fields that keep a spin rare while its neighbours are down.
    return ising(couplings, fields + couplings.sum(axis=0) + couplings.sum(axis=1), int(random.integers(200, 3000)))


def separable(random: np.random.Generator) -> Law:
    """Return spins of which up to three are functions of two others: or, and, a copy."""
    sites = int(random.integers(5, 11))
    law = ising(np.triu(random.normal(0, 0.3, (sites, sites)), 1), random.uniform(-0.5, 0.5, sites), 0)
    allowed = np.ones(len(law.states), dtype=bool)
    for _ in range(int(random.integers(1, 4))):
        one, other, result = random.choice(sites, 3, replace=False)
        a, b, c = (law.states[:, spin] > 0 for spin in (one, other, result))
        allowed &= c == (a | b, a & b, a)[int(random.integers(3))]
    return Law(law.states[allowed], law.exponents[allowed], int(random.integers(100, 1000)))


def cold(random: np.random.Generator) -> Law:
    """Return a Sherrington-Kirkpatrick glass at beta = 1.5 to 3."""
    sites = int(random.integers(8, 13))
    beta = random.uniform(1.5, 3)
    couplings = np.triu(random.normal(0, beta / np.sqrt(sites), (sites, sites)), 1)
    return ising(couplings, beta * random.uniform(-0.3, 0.3, sites), int(random.integers(200, 3000)))


def few(random: np.random.Generator) -> Law:
    """Return a glass at beta = 0 to 1 and one to four rows for a spin."""
    sites = int(random.integers(8, 13))
    couplings = np.triu(random.normal(0, random.uniform(0, 1) / np.sqrt(sites), (sites, sites)), 1)
    return ising(couplings, random.uniform(-0.5, 0.5, sites), int(sites * random.uniform(1, 4)))


def collective(random: np.random.Generator) -> Law:
    """Return one or two ferromagnets, or patterns, at beta = 0.8 to 2."""
    sites = int(random.integers(8, 13))
    patterns = random.choice([-1, 1], (int(random.integers(1, 3)), sites))
    if random.random() < 0.5:
        patterns = np.array([np.arange(sites) < sites // 2, np.arange(sites) >= sites // 2]).astype(int)
    strength = random.uniform(0.8, 2) * len(patterns) / sites
    return ising(np.triu(strength * patterns.T @ patterns, 1), random.uniform(-0.2, 0.2, sites), 2000)


KINDS: dict[str, Callable[[np.random.Generator], Law]] = {
    "rare": rare,
    "separable": separable,
    "cold": cold,
    "few rows": few,
    "collective": collective,
}


def problem(kind: str, seed: int) -> Problem:
    """Return the problem of a kind and a seed, the first one onwards in which no spin is constant."""
    random = np.random.default_rng([list(KINDS).index(kind), seed])
    while True:
        law = KINDS[kind](random)
        chances = np.exp(law.exponents - law.exponents.max())
        drawn = law.states[random.choice(len(chances), law.rows + HELD_OUT, p=chances / chances.sum())].astype(np.int8)
        found = Problem(drawn[: law.rows], drawn[law.rows :])
        if (found.rows.min(axis=0) < found.rows.max(axis=0)).all():
            return found
