"""Rows of latent variables and of latent classes, which explain everything."""

import numpy as np
from jaxtyping import Float
from scipy.special import log_ndtr

import vae_mf
from vae_mf.systems import CurieWeiss, HasThermodynamics, Hopfield, System

from .case import Data, bernoulli, random_signs
from .independents import autoregressive
from .laws import boltzmann, circle_nodes, conditional, constant_law, joined, normal_nodes


def one(
    random: np.random.Generator,
    rows: int,
    sites: int,
    strength: float,
    mean: float = 0.0,
    spread: float = 0.0,
    memory: float = 0.0,
    ordered: bool = False,
) -> Data:
    """Return variables with log-odds b_i + strength xi_i z of one normal z and a sign vector xi.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        strength: log-odds per unit of z.
        mean: mean of b.
        spread: standard deviation of b.
        memory: correlation time of z in rows; 0 for none.
        ordered: True for rows in the order of z, from the lowest to the highest: those held out are no draws of a law.
    """
    signs = random_signs(random, 1, sites)
    field = random.normal(mean, spread, sites)
    latent = autoregressive(random, rows, memory) if memory else random.normal(size=rows)
    latent = np.sort(latent) if ordered else latent
    nodes = normal_nodes()
    law = None if ordered else conditional(field + strength * nodes.points * signs, nodes.weights)
    return Data(bernoulli(random, field + strength * latent[:, None] * signs), law, signs)


def graded(random: np.random.Generator, rows: int, sites: int, strengths: tuple[float, ...] = (1.2,)) -> Data:
    """Return variables with log-odds b_i + sum_k a_ik z_k, the a of every latent variable of its own strength."""
    field = random.normal(-0.5, 0.5, sites)
    loadings = random.normal(size=(len(strengths), sites)) * np.array(strengths)[:, None]
    nodes = normal_nodes(len(strengths))
    law = conditional(field + nodes.points @ loadings, nodes.weights)
    return Data(bernoulli(random, field + random.normal(size=(rows, len(strengths))) @ loadings), law)


def thresholded(random: np.random.Generator, rows: int, sites: int, latents: int = 3, strength: float = 0.8) -> Data:
    """Return signs of correlated normal variables (a dichotomised Gaussian): p(up | z) is a probit, no logistic."""
    loadings = random.normal(0, strength, (latents, sites))
    field = random.normal(-0.3, 0.4, sites)
    nodes = normal_nodes(latents, step=0.3, reach=4.8)
    arguments = field + nodes.points @ loadings
    law = conditional(log_ndtr(arguments) - log_ndtr(-arguments), nodes.weights)
    values = field + random.normal(size=(rows, latents)) @ loadings + random.normal(size=(rows, sites))
    return Data(np.where(values > 0, 1, -1).astype(np.int8), law)


def ring(
    random: np.random.Generator, rows: int, sites: int, baseline: float, height: float, width: float = 0.0
) -> Data:
    """Return variables tuned to an angle, of preferred angles spread evenly over the circle.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        baseline: log-odds far from the preferred angle, or their mean for a cosine.
        height: rise of the log-odds at the preferred angle.
        width: width of a von Mises bump in radians; 0 for a cosine, whose linear dimension is two.
    """
    preferred = 2 * np.pi * np.arange(sites) / sites

    def log_odds(angles: Float[np.ndarray, "count 1"]) -> Float[np.ndarray, "count sites"]:
        cosine = np.cos(angles - preferred)
        return baseline + height * (np.exp((cosine - 1) / width**2) if width else cosine)

    nodes = circle_nodes()
    angles = 2 * np.pi * random.random((rows, 1))
    return Data(bernoulli(random, log_odds(angles)), conditional(log_odds(nodes.points), nodes.weights))


def mixture(
    random: np.random.Generator,
    rows: int,
    sites: int,
    shares: tuple[float, ...],
    spread: float,
    constant: int = 0,
) -> Data:
    """Return rows of latent classes whose log-odds are drawn from a normal law.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables that vary.
        shares: probability of every class.
        spread: standard deviation of the log-odds.
        constant: number of further variables that are always off, as pixels at the edge of an image.
    """
    log_odds = random.normal(0, spread, (len(shares), sites))
    drawn = bernoulli(random, log_odds[random.choice(len(shares), size=rows, p=shares)])
    off = -np.ones((rows, constant), np.int8)
    return Data(np.hstack([drawn, off]), joined(conditional(log_odds, np.array(shares)), constant_law(constant)))


def noisy_patterns(
    random: np.random.Generator, rows: int, sites: int, shares: tuple[float, ...], flips: float, upright: float = 0.7
) -> Data:
    """Return patterns of random signs and their mirror images, every entry flipped with probability ``flips``."""
    patterns = random_signs(random, len(shares), sites)
    centres = np.concatenate([patterns, -patterns]) * np.log(1 / flips - 1)
    weights = np.concatenate([upright * np.array(shares), (1 - upright) * np.array(shares)])
    drawn = bernoulli(random, centres[random.choice(len(weights), size=rows, p=weights)])
    return Data(drawn, conditional(centres, weights), patterns)


def classes_and_latent(
    random: np.random.Generator, rows: int, sites: int, shares: tuple[float, ...], strength: float
) -> Data:
    """Return rows of latent classes that differ in a normal latent variable, too: parallel lines in latent space.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        shares: probability of every class.
        strength: mean log-odds per unit of the latent variable.
    """
    centres = random.normal(-0.3, 1.0, (len(shares), sites))
    loadings = random.normal(strength, strength / 3, sites)
    nodes = normal_nodes()
    log_odds = (centres[:, None] + nodes.points * loadings).reshape(-1, sites)
    law = conditional(log_odds, np.outer(shares, nodes.weights).ravel())
    members = random.choice(len(shares), size=rows, p=shares)
    return Data(bernoulli(random, centres[members] + random.normal(size=(rows, 1)) * loadings), law)


def broad_and_narrow(
    random: np.random.Generator, rows: int, sites: int, strengths: tuple[float, float], carriers: int
) -> Data:
    """Return a latent variable of all variables and a weaker one of a few, which is a small share of all there is.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        strengths: log-odds per unit of either latent variable.
        carriers: number of variables that carry the second.
    """
    loadings = np.zeros((2, sites))
    loadings[0] = random.normal(strengths[0], 0.3, sites)
    loadings[1, :carriers] = strengths[1]
    field = random.normal(-0.3, 0.3, sites)
    nodes = normal_nodes(2, step=0.2, reach=5.0)
    law = conditional(field + nodes.points @ loadings, nodes.weights)
    return Data(bernoulli(random, field + random.normal(size=(rows, 2)) @ loadings), law)


def factors(random: np.random.Generator, rows: int, groups: int, size: int, strength: float) -> Data:
    """Return groups of variables that are independent of each other, each of a normal latent variable of its own."""
    nodes = normal_nodes()
    parts, parts_laws = [], []
    for _ in range(groups):
        loadings = random.normal(strength, 0.25, size)
        field = random.normal(-0.5, 0.4, size)
        parts.append(bernoulli(random, field + random.normal(size=(rows, 1)) * loadings))
        parts_laws.append(conditional(field + nodes.points * loadings, nodes.weights))
    return Data(np.hstack(parts), joined(*parts_laws))


def switching(
    random: np.random.Generator,
    rows: int,
    sites: int,
    rates: tuple[float, float],
    off: tuple[float, float],
    rise: float,
) -> Data:
    """Return variables that share a state of two levels, a Markov chain in time: up states of a cortical network.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        rates: probabilities in a row that the state begins, and that it ends.
        off: mean and standard deviation of the log-odds outside the state.
        rise: log-odds that the state adds.
    """
    begins, ends = rates
    draws = random.random(rows)
    state = np.zeros(rows, bool)
    for row in range(rows):
        state[row] = draws[row] >= ends if row and state[row - 1] else draws[row] < begins
    field = random.normal(*off, sites)
    share = begins / (begins + ends)
    law = conditional(np.stack([field, field + rise]), np.array([1 - share, share]))
    return Data(bernoulli(random, field + rise * state[:, None]), law, np.ones((1, sites), np.int8))


def equilibrium(random: np.random.Generator, system: System, temperature: float, rows: int) -> Data:
    """Return configurations of a system in equilibrium without a field, with its exact ln Z."""
    assert isinstance(system, HasThermodynamics)
    drawn = vae_mf.sample(system, temperature, rows, seed=int(random.integers(2**31)), threads=1)
    log_partition = system.thermodynamics(temperature).log_partition
    return Data(drawn[0], boltzmann(system, temperature, log_partition, np.full(system.sites, 0.5)))


def curie_weiss(random: np.random.Generator, rows: int, sites: int, temperature: float) -> Data:
    """Return configurations of the Curie-Weiss ferromagnet."""
    drawn = equilibrium(random, CurieWeiss(sites), temperature, rows)
    return drawn._replace(patterns=np.ones((1, sites), np.int8))


def hopfield(random: np.random.Generator, rows: int, sites: int, patterns: int, temperature: float) -> Data:
    """Return configurations of a Hopfield network, by Gibbs sampling."""
    system = Hopfield.random(sites, patterns, seed=int(random.integers(2**31)))
    return equilibrium(random, system, temperature, rows)._replace(patterns=system.patterns)


def blocks(random: np.random.Generator, rows: int, groups: int, size: int, temperature: float) -> Data:
    """Return groups of variables that are independent of each other, each a Curie-Weiss ferromagnet of its own."""
    parts = [curie_weiss(random, rows, size, temperature) for _ in range(groups)]
    rows_of_parts = [part.rows[random.permutation(rows)] for part in parts]
    return Data(np.hstack(rows_of_parts), joined(*(part.law for part in parts if part.law)))


def stimulus(random: np.random.Generator, repeats: int, sites: int, times: int, memory: float = 5.0) -> Data:
    """Return repeats of a recording under one stimulus of two components, shape (repeats, variables, times)."""
    components = np.stack([autoregressive(random, times, memory) for _ in range(2)], axis=1)
    log_odds = random.normal(-1.0, 0.5, sites) + components @ random.normal(0, 1.0, (2, sites))
    values = bernoulli(random, np.broadcast_to(log_odds, (repeats, times, sites)))
    return Data(values.transpose(0, 2, 1).copy())
