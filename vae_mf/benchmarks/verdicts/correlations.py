"""Rows whose correlations no few latent variables explain: couplings, products, and both beside latent variables."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.packing import all_configurations
from vae_mf.systems import Ising, Ising2D

from . import laws
from .case import Data, bernoulli, random_signs
from .independents import rare
from .latents import equilibrium, one


class Halves(NamedTuple):
    """Probabilities of a pairwise model by the states of its two halves."""

    first: Spins
    second: Spins
    probabilities: Float[np.ndarray, "first second"]
    log_partition: float


def chain(random: np.random.Generator, rows: int, sites: int, coupling: float, field: float = 0.0) -> Data:
    """Return an open ferromagnetic chain in a field: every variable follows from the one before, given exact messages.

    ln p = K sum x_i x_{i+1} + h sum x_i - ln Z, with ln Z from the message that reaches the first variable.
    """
    signs = np.array([-1, 1])
    bond = np.exp(coupling * np.outer(signs, signs))
    site = np.exp(field * signs)
    message = np.ones((sites, 2))
    for right in range(sites - 1, 0, -1):
        message[right - 1] = bond @ (site * message[right])
    weight = site * message[0]
    rates = [weight[1] / weight.sum()]
    drawn = bernoulli(random, np.full((rows, sites), np.log(weight[1] / weight[0])))
    for here in range(1, sites):
        log_odds = 2 * field + np.log(message[here, 1] / message[here, 0]) + 2 * coupling * signs
        up = expit(log_odds)
        rates.append((1 - rates[-1]) * up[0] + rates[-1] * up[1])
        drawn[:, here] = bernoulli(random, np.where(drawn[:, here - 1] > 0, log_odds[1], log_odds[0]))
    couplings = coupling * (np.eye(sites, k=1) + np.eye(sites, k=-1))
    model = Ising(couplings, np.full(sites, field))
    return Data(drawn, laws.boltzmann(model, 1.0, float(np.log(weight.sum())), np.array(rates)))


def halves(couplings: Couplings, fields: Fields) -> Halves:
    """Return all probabilities of a pairwise Ising model at T = 1, of up to about 26 variables."""
    middle = len(fields) // 2
    first = all_configurations(middle)
    second = all_configurations(len(fields) - middle)
    within = [
        -Ising(couplings[own, own], fields[own]).energy(states)
        for own, states in ((slice(middle), first), (slice(middle, None), second))
    ]
    exponents = within[0][:, None] + within[1] + first @ couplings[:middle, middle:] @ second.T
    largest = exponents.max()
    weights = np.exp(exponents - largest)
    return Halves(first, second, weights / weights.sum(), float(largest + np.log(weights.sum())))


def ising(random: np.random.Generator, rows: int, couplings: Couplings, fields: Fields) -> Data:
    """Return exact independent draws from a pairwise Ising model at T = 1."""
    states = halves(couplings, fields)
    cumulative = np.cumsum(states.probabilities)
    drawn = np.searchsorted(cumulative / cumulative[-1], random.random(rows), side="right")
    left, right = np.unravel_index(drawn, states.probabilities.shape)
    first = states.probabilities.sum(axis=1) @ (states.first > 0)
    second = states.probabilities.sum(axis=0) @ (states.second > 0)
    rates = np.concatenate([first, second])
    law = laws.boltzmann(Ising(couplings, fields), 1.0, states.log_partition, rates)
    return Data(np.hstack([states.first[left], states.second[right]]), law)


def spin_glass(random: np.random.Generator, rows: int, sites: int, temperature: float) -> Data:
    """Return a Sherrington-Kirkpatrick model."""
    upper = np.triu(random.normal(0, 1 / np.sqrt(sites), (sites, sites)), 1) / temperature
    return ising(random, rows, upper + upper.T, np.zeros(sites))


def sparse(random: np.random.Generator, rows: int, sites: int, strength: float, degree: float = 2.0) -> Data:
    """Return a model of random couplings of plus and minus ``strength`` on a sparse random graph, with weak fields."""
    bonds = np.triu(random.random((sites, sites)) < degree / sites, 1)
    upper = bonds * random_signs(random, sites, sites) * strength
    return ising(random, rows, upper + upper.T, random.normal(0, 0.2, sites))


def lattice(random: np.random.Generator, rows: int, side: int, temperature: float) -> Data:
    """Return the two-dimensional Ising model."""
    return equilibrium(random, Ising2D(side), temperature, rows)


def kinetic(random: np.random.Generator, rows: int, sites: int, strength: float = 0.8) -> Data:
    """Return a path of an Ising model with asymmetric couplings under parallel updates."""
    couplings = random.normal(0, strength / np.sqrt(sites), (sites, sites))
    fields = random.normal(0, 0.2, sites)
    drawn = np.ones((rows, sites), np.int8)
    for row in range(1, rows):
        drawn[row] = bernoulli(random, 2 * (couplings @ drawn[row - 1] + fields))
    return Data(drawn)


def products(random: np.random.Generator, rows: int, sites: int, order: int, share: float = 1.0) -> Data:
    """Return neighbouring groups of ``order`` fair variables whose product is +1 with probability ``share``."""
    drawn = random_signs(random, rows, sites)
    last = np.arange(order - 1, sites, order)
    others = np.stack([drawn[:, last - lag] for lag in range(1, order)]).prod(axis=0)
    drawn[:, last] = others * np.where(random.random(others.shape) < share, 1, -1)
    return Data(drawn, laws.products(sites, order, share))


def one_product(random: np.random.Generator, rows: int, sites: int, order: int, share: float) -> Data:
    """Return independent variables, and beside them ``order`` fair ones with a biased product."""
    field = random.normal(0, 0.5, sites - order)
    apart = products(random, rows, order, order, share)
    assert apart.law
    drawn = np.hstack([bernoulli(random, np.broadcast_to(field, (rows, len(field)))), apart.rows])
    return Data(drawn, laws.joined(laws.independent(field), apart.law))


def rare_pairs(
    random: np.random.Generator, rows: int, sites: int, pairs: int, rate: float = 0.01, both: float = 0.0015
) -> Data:
    """Return variables that are seldom on, the first of them in pairs that are on together too often.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        pairs: number of pairs.
        rate: probability that a variable is on.
        both: probability that both of a pair are; ``rate`` squared if they were independent.
    """
    drawn = rare(random, rows, sites, (rate, rate)).rows
    draws = random.random((rows, pairs))
    first = draws < rate
    second = (draws < both) | ((draws >= rate) & (draws < 2 * rate - both))
    drawn[:, 0 : 2 * pairs : 2] = np.where(first, 1, -1)
    drawn[:, 1 : 2 * pairs : 2] = np.where(second, 1, -1)
    # ln p of the states (first, second) of a pair, each 0 or 1.
    table = np.log([[1 - 2 * rate + both, rate - both], [rate - both, both]])

    def log_probability(coupled: Spins) -> Float[np.ndarray, " rows"]:
        on = (coupled > 0).astype(np.intp)
        return table[on[:, ::2], on[:, 1::2]].sum(axis=1)

    together = laws.Law(log_probability, np.full(2 * pairs, rate))
    apart = laws.independent(np.full(sites - 2 * pairs, np.log(rate / (1 - rate))))
    return Data(drawn, laws.joined(together, apart) if sites > 2 * pairs else together)


def duplicates(random: np.random.Generator, rows: int, sites: int, pairs: tuple[tuple[int, int], ...]) -> Data:
    """Return independent variables, a few of which nearly repeat another: one electrode heard by two."""
    field = random.normal(0, 0.5, sites)
    copies = [copy for _, copy in pairs]
    field[copies] = 0.0
    drawn = bernoulli(random, np.broadcast_to(field, (rows, sites)))
    for original, copy in pairs:
        drawn[:, copy] = np.where(random.random(rows) < 0.02, -1, 1) * drawn[:, original]
    coupling = 0.5 * np.log(0.98 / 0.02)
    law = laws.coupled_conditional(field[None], np.ones(1), pairs, [coupling] * len(pairs))
    return Data(drawn, law)


def one_hot(random: np.random.Generator, rows: int, sites: int, choices: int) -> Data:
    """Return independent variables behind some of which exactly one is on: a letter, written as columns."""
    field = random.normal(0, 0.7, sites - choices)
    letters = -np.ones((rows, choices), np.int8)
    letters[np.arange(rows), random.integers(choices, size=rows)] = 1
    drawn = np.hstack([letters, bernoulli(random, np.broadcast_to(field, (rows, sites - choices)))])

    def log_probability(given: Spins) -> Float[np.ndarray, " rows"]:
        return np.where((given > 0).sum(axis=1) == 1, -np.log(choices), -np.inf)

    letter = laws.Law(log_probability, np.full(choices, 1 / choices))
    return Data(drawn, laws.joined(letter, laws.independent(field)))


def latent_and_pairs(
    random: np.random.Generator, rows: int, sites: int, strength: float, coupling: float, pairs: int
) -> Data:
    """Return one latent variable and neighbouring pairs that are coupled beside it.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        strength: log-odds per unit of the latent variable.
        coupling: coupling within a pair, of either sign.
        pairs: number of pairs.
    """
    signs = random_signs(random, 1, sites)
    log_odds = strength * random.normal(size=(rows, 1)) * signs
    drawn = bernoulli(random, log_odds)
    members = [(2 * pair, 2 * pair + 1) for pair in range(pairs)]
    couplings = coupling * random_signs(random, pairs)
    for (a, b), each in zip(members, couplings, strict=True):
        drawn[:, b] = bernoulli(random, log_odds[:, b] + 2 * each * drawn[:, a])
    nodes = laws.normal_nodes()
    law = laws.coupled_conditional(strength * nodes.points * signs, nodes.weights, members, list(couplings))
    return Data(drawn, law, signs)


def latent_and_products(
    random: np.random.Generator, rows: int, sites: int, strength: float, groups: int, order: int, share: float
) -> Data:
    """Return variables of one latent variable, and beside them groups of fair variables with a biased product."""
    latent = one(random, rows, sites, strength)
    apart = products(random, rows, groups * order, order, share)
    assert latent.law
    assert apart.law
    return Data(np.hstack([latent.rows, apart.rows]), laws.joined(latent.law, apart.law))


def latent_and_copies(
    random: np.random.Generator, rows: int, sites: int, copies: int, flips: float, strength: float = 1.0
) -> Data:
    """Return variables of one latent variable, and copies of the first of them with some entries flipped."""
    latent = one(random, rows, sites, strength, mean=-0.5, spread=0.4)
    flipped = np.where(random.random((rows, copies)) < flips, -1, 1).astype(np.int8)
    return Data(np.hstack([latent.rows, latent.rows[:, :copies] * flipped]))


def latent_and_drift(random: np.random.Generator, rows: int, sites: int, strength: float, slope: float) -> Data:
    """Return one latent variable in variables whose log-odds drift over the rows."""
    signs = random_signs(random, 1, sites)
    time = np.linspace(-1, 1, rows)[:, None]
    drift = random.normal(-0.5, 0.5, sites) + random.normal(0, slope, sites) * time
    return Data(bernoulli(random, drift + strength * random.normal(size=(rows, 1)) * signs), patterns=signs)
