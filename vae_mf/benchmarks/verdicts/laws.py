"""Exact laws of binary rows: ln p(x) of every row, from which total correlations and KL divergences follow."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit, log_expit, logsumexp

from vae_mf.arrays import Spins
from vae_mf.statistics.averages import Average, average
from vae_mf.systems import System

TERMS_AT_ONCE = 5_000_000
"""Terms of a sum over nodes that are held in memory together."""
BLOCKS = 20
"""Blocks of neighbouring rows behind every error."""

LogProbability = Callable[[Spins], Float[np.ndarray, " rows"]]
"""Function from rows (rows, N) to their ln p in nats."""


class Law(NamedTuple):
    """Law of a row of N spins."""

    log_probability: LogProbability
    rates: Float[np.ndarray, " sites"]
    """Probability of +1 of every variable."""


class Nodes(NamedTuple):
    """Points of latent space and their weights: classes, or the nodes of a quadrature."""

    points: Float[np.ndarray, "nodes latents"]
    weights: Float[np.ndarray, " nodes"]
    """Probabilities, which add up to one."""


def normal_nodes(latents: int = 1, step: float = 0.1, reach: float = 6.0) -> Nodes:
    """Return a grid for independent standard normal variables: the trapezium rule is exact for what it resolves.

    >>> nodes = normal_nodes(2, 0.5)
    >>> round(float(nodes.weights @ nodes.points[:, 0] ** 2), 6)
    1.0
    """
    line = np.arange(-reach, reach + step / 2, step)
    points = np.stack(np.meshgrid(*[line] * latents, indexing="ij"), axis=-1).reshape(-1, latents)
    weights = np.exp(-0.5 * (points**2).sum(axis=1))
    return Nodes(points, weights / weights.sum())


def circle_nodes(count: int = 120) -> Nodes:
    """Return evenly spaced angles; the trapezium rule is exact for what they resolve."""
    return Nodes(2 * np.pi * np.arange(count)[:, None] / count, np.full(count, 1 / count))


def conditional(log_odds: Float[np.ndarray, "nodes sites"], weights: Float[np.ndarray, " nodes"]) -> Law:
    """Return the law of variables that are independent at every node, p(x) = sum_k w_k prod_i p(x_i | k)."""
    return coupled_conditional(log_odds, weights, [], [])


def independent(log_odds: Float[np.ndarray, " sites"]) -> Law:
    """Return the law of independent variables.

    >>> round(float(np.exp(independent(np.zeros(3)).log_probability(np.ones((1, 3), np.int8)))[0]), 6)
    0.125
    """
    return conditional(log_odds[None], np.ones(1))


def coupled_conditional(
    log_odds: Float[np.ndarray, "nodes sites"],
    weights: Float[np.ndarray, " nodes"],
    pairs: Iterable[tuple[int, int]],
    couplings: Iterable[float],
) -> Law:
    """Return the law of variables that are independent at every node but for pairs: b has 2 g x_a more log-odds.

    With h = log-odds / 2 the pair adds g x_a x_b and its normalisation ln 2cosh(h_b + g x_a) = A + B x_a, so that
    ln p(x | k) stays linear in x beside the term of the coupling.
    """
    fields = log_odds / 2
    linear = fields.copy()
    normalisation = log_cosh(fields)
    rates = expit(log_odds)
    terms = list(zip(pairs, couplings, strict=True))
    for (a, b), coupling in terms:
        up = log_cosh(fields[:, b] + coupling)
        down = log_cosh(fields[:, b] - coupling)
        normalisation[:, b] = (up + down) / 2
        linear[:, a] -= (up - down) / 2
        after_up = expit(log_odds[:, b] + 2 * coupling)
        after_down = expit(log_odds[:, b] - 2 * coupling)
        rates[:, b] = rates[:, a] * after_up + (1 - rates[:, a]) * after_down
    offsets = np.log(weights) - normalisation.sum(axis=1)

    def log_probability(rows: Spins) -> Float[np.ndarray, " rows"]:
        parts = np.array_split(rows, -(-len(rows) * len(weights) // TERMS_AT_ONCE))
        latent = np.concatenate([logsumexp(part @ linear.T + offsets, axis=1) for part in parts])
        return latent + sum(g * (rows[:, a] * rows[:, b]) for (a, b), g in terms)

    return Law(log_probability, weights @ rates)


def log_cosh(fields: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return ln 2cosh(h)."""
    return np.logaddexp(fields, -fields)


def joined(*laws: Law) -> Law:
    """Return the law of groups of variables that are independent of each other and stand side by side."""
    ends = np.cumsum([len(law.rates) for law in laws])[:-1]

    def log_probability(rows: Spins) -> Float[np.ndarray, " rows"]:
        parts = np.split(rows, ends, axis=1)
        return np.sum([law.log_probability(part) for law, part in zip(laws, parts, strict=True)], axis=0)

    return Law(log_probability, np.concatenate([law.rates for law in laws]))


def constant_law(sites: int) -> Law:
    """Return the law of variables that are always -1."""
    return Law(lambda rows: np.where((rows < 0).all(axis=1), 0.0, -np.inf), np.zeros(sites))


def products(sites: int, order: int, share: float) -> Law:
    """Return the law of neighbouring groups of ``order`` variables whose product is +1 with probability ``share``.

    No correlation of fewer variables than ``order`` shows; variables left over at the end are independent.

    >>> round(float(np.exp(products(3, 3, 0.9).log_probability(np.ones((1, 3), np.int8)))[0]), 6)
    0.225
    """
    groups = sites // order
    log_odds = np.log(share / (1 - share)) if share < 1 else np.inf

    def log_probability(rows: Spins) -> Float[np.ndarray, " rows"]:
        signs = rows[:, : groups * order].reshape(len(rows), groups, order).prod(axis=2)
        return log_expit(signs * log_odds).sum(axis=1) - np.log(2) * (sites - groups)

    return Law(log_probability, np.full(sites, 0.5))


def boltzmann(system: System, temperature: float, log_partition: float, rates: Float[np.ndarray, " sites"]) -> Law:
    """Return the law of a system in equilibrium, ln p = -E / T - ln Z."""
    return Law(lambda rows: -system.energy(rows) / temperature - log_partition, rates)


def total_correlation(rows: Spins, law: Law) -> Average:
    """Return TC = <ln p(x) - sum_i ln p_i(x_i)> over rows of the law, with the error of its mean over blocks."""
    varies = (law.rates > 0) & (law.rates < 1)
    log_odds = np.log(law.rates[varies] / (1 - law.rates[varies]))
    apart = independent(log_odds).log_probability(rows[:, varies])
    return average(law.log_probability(rows) - apart, BLOCKS)
