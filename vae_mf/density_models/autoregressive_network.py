"""Masked autoregressive networks in several orders of the variables, a density whose likelihood is exact."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, logit, logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_fraction, require_integer, require_non_negative, require_positive
from vae_mf.density_models.ascent import Adam
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.inverse_ising.base import new_generator, warn_convergence
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import Probabilities, probabilities_up

ROWS = 2**11
"""Number of rows whose hidden units are held at once."""
GAIN = 1e-4
"""Gain of held-out rows between two looks, in nats per row, below which they have become no likelier."""
SLOWER = 3.0
"""Factor by which the learning rate falls then."""
SLOWEST = 30.0
"""Factor by which it may fall before the fit has converged."""
INITIAL = 0.1
"""Standard deviation of the log-odds that a unit of all hidden ones gives a variable at first."""
Order = Int[np.ndarray, " variables"]
"""Variables, each after those that it may depend on."""
FloatRows = Float[np.ndarray, "rows variables"]
Weights = Float[np.ndarray, " rows"]


class Masks(NamedTuple):
    """True for the weights of a network that an order of the variables allows."""

    inner: Bool[np.ndarray, "hidden variables"]
    outer: Bool[np.ndarray, "variables hidden"]
    linear: Bool[np.ndarray, "variables variables"]


class Network(NamedTuple):
    """Log-odds z(x) = b + L x + V max(0, W x + c) of rows x in {0, 1}^N, each of variables before it in an order."""

    inner: Float[np.ndarray, "hidden variables"]
    thresholds: Float[np.ndarray, " hidden"]
    outer: Float[np.ndarray, "variables hidden"]
    linear: Float[np.ndarray, "variables variables"]
    fields: Float[np.ndarray, " variables"]

    def log_densities(self, rows: FloatRows) -> LogLikelihoods:
        """Return ln p(x) of every row."""
        log_odds = self._log_odds(rows, self._hidden(rows))
        return np.einsum("ri,ri->r", rows, log_odds) - np.logaddexp(0, log_odds).sum(axis=1)

    def gradient(self, rows: FloatRows) -> "Network":
        """Return the mean gradient of ln p over rows."""
        hidden = self._hidden(rows)
        errors = (rows - expit(self._log_odds(rows, hidden))) / np.float32(len(rows))
        back = (errors @ self.outer) * (hidden > 0)
        return Network(back.T @ rows, back.sum(axis=0), errors.T @ hidden, errors.T @ rows, errors.sum(axis=0))

    def draw(self, count: int, order: Order, random: np.random.Generator) -> FloatRows:
        """Return rows, of which one variable after another is drawn in the order of the network."""
        rows = np.zeros((count, len(order)))
        inputs = np.tile(self.thresholds, (count, 1))
        for i in order:
            log_odds = self.fields[i] + rows @ self.linear[i] + np.maximum(inputs, 0) @ self.outer[i]
            rows[:, i] = random.random(count) < expit(log_odds)
            inputs += np.outer(rows[:, i], self.inner[:, i])
        return rows

    def _hidden(self, rows: FloatRows) -> Float[np.ndarray, "rows hidden"]:
        return np.maximum(rows @ self.inner.T + self.thresholds, 0)

    def _log_odds(self, rows: FloatRows, hidden: Float[np.ndarray, "rows hidden"]) -> FloatRows:
        return hidden @ self.outer.T + rows @ self.linear.T + self.fields


class Masked(NamedTuple):
    """Network and its allowed connections."""

    network: Network
    masks: Masks


@dataclass(eq=False, repr=False)
class AutoregressiveNetwork(DensityModel):
    """p(s) = mean over orders of prod_i p(s_i | s_j of all j before i), by masked networks (Germain et al. 2015).

    Log-odds come from one layer of rectified hidden units, and from direct connections. A share of the rows is held
    out: where these become no likelier, the learning rate (Adam's) falls, from the best parameters so far, until it is
    small.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [400, 100, 100, 400], axis=0)
    >>> model = AutoregressiveNetwork(n_hidden=4, n_orders=1, steps=50, learning_rate=0.03).fit(rows)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1), model.n_parameters_
    (array([0.4, 0.1]), 15)

    Args:
        n_hidden: number H of hidden units of each network.
        n_orders: number of networks, each with an order of the variables that is drawn at random.
        l2: weight of half the sum of squared weights, in nats per row.
        held_out: share of the rows that decide when the learning rate falls.
        steps: number of gradient steps between two looks at them.
        max_iter: largest number of looks.
        batch_size: number of rows in a gradient step.
        learning_rate: learning rate of the first step.
        random_state: seed or generator of all randomness.

    Attributes:
        networks_, orders_: parameters of each network, and its order of the variables, shape (orders, N).
        held_out_: mean ln p(s) of the held-out rows under each network, in nats.
        converged_: True if ``max_iter`` was enough for each.
    """

    n_hidden: Any = 64
    n_orders: Any = 4
    l2: Any = 1e-3
    held_out: Any = 0.1
    steps: Any = 250
    max_iter: Any = 100
    batch_size: Any = 512
    learning_rate: Any = 3e-3
    random_state: Any = 0

    def _fit(self, data: DistinctSpins) -> None:
        hidden = require_integer("n_hidden", self.n_hidden)
        orders = require_integer("n_orders", self.n_orders)
        random = new_generator(self.random_state)
        learning = Learning(self, data, random)
        variables = data.spins.shape[1]
        probabilities = probabilities_up(data.spins, data.weights)
        self.orders_ = np.stack([random.permutation(variables) for _ in range(orders)])
        found = [learning.run(first_network(probabilities, order, hidden, random)) for order in self.orders_]
        self.networks_ = [outcome.network for outcome in found]
        self.held_out_ = np.array([outcome.held_out for outcome in found])
        self.converged_ = all(outcome.converged for outcome in found)
        allowed = sum(int(part.sum()) for part in masks(self.orders_[0], hidden))
        self.n_parameters_ = orders * (allowed + hidden + variables)
        if not self.converged_:
            warn_convergence(f"AutoregressiveNetwork has not converged after {self.max_iter} looks at held-out rows.")

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        networks = [Network(*(part.astype(np.float64) for part in network)) for network in self.networks_]
        blocks = ((rows[first : first + ROWS] > 0).astype(np.float64) for first in range(0, len(rows), ROWS))
        logs = [[network.log_densities(block) for network in networks] for block in blocks]
        return np.concatenate([logsumexp(block, axis=0) for block in logs]) - np.log(len(networks))

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        chosen = random.integers(len(self.networks_), size=count)
        rows = np.empty((count, self.n_features_in_), np.int8)
        for number, (network, order) in enumerate(zip(self.networks_, self.orders_, strict=True)):
            own = np.flatnonzero(chosen == number)
            rows[own] = 2 * network.draw(len(own), order, random).astype(np.int8) - 1
        return rows


class Outcome(NamedTuple):
    """Network that made the held-out rows likeliest."""

    network: Network
    held_out: float
    """Mean ln p(x) of the held-out rows, in nats."""
    converged: bool


class Learning:
    """Stochastic ascent of the likelihood, on all rows but the held-out ones."""

    def __init__(self, options: AutoregressiveNetwork, data: DistinctSpins, random: np.random.Generator):
        self._l2 = np.float32(require_non_negative("l2", options.l2))
        self._steps = require_integer("steps", options.steps)
        self._looks = require_integer("max_iter", options.max_iter)
        self._batch = require_integer("batch_size", options.batch_size)
        self._rate = require_positive("learning_rate", options.learning_rate)
        self._random = random
        self._rows = (data.spins > 0).astype(np.float32)
        self._held = held_out_weights(data.weights, require_fraction("held_out", options.held_out), random)
        self._upto = np.cumsum(data.weights - self._held)

    def run(self, start: Masked) -> Outcome:
        """Return the best network after an ascent."""
        best = network = start.network
        highest = self._score(network)
        adam = Adam(network)
        rate = self._rate
        for _ in range(self._looks):
            for _ in range(self._steps):
                network = Network(*adam.step(network, self._slope(network, start.masks), rate))
            score = self._score(network)
            if score > highest + GAIN:
                best, highest = network, score
                continue
            rate /= SLOWER
            if rate < self._rate / SLOWEST:
                return Outcome(best, highest, True)
            network = best
            adam = Adam(network)
        return Outcome(best, highest, False)

    def _slope(self, network: Network, masks: Masks) -> Network:
        """Return the gradient of the mean log-likelihood of a batch, less the penalty."""
        drawn = np.searchsorted(self._upto, self._random.random(self._batch) * self._upto[-1])
        slope = network.gradient(self._rows[np.minimum(drawn, len(self._rows) - 1)])
        return slope._replace(
            inner=(slope.inner - self._l2 * network.inner) * masks.inner,
            outer=(slope.outer - self._l2 * network.outer) * masks.outer,
            linear=(slope.linear - self._l2 * network.linear) * masks.linear,
        )

    def _score(self, network: Network) -> float:
        """Return the mean ln p(x) of the held-out rows."""
        own = np.flatnonzero(self._held)
        logs = [network.log_densities(self._rows[own[first : first + ROWS]]) for first in range(0, len(own), ROWS)]
        return float(np.average(np.concatenate(logs), weights=self._held[own]))


def masks(order: Order, hidden: int) -> Masks:
    """Return the allowed connections of an order: hidden units see a number of first variables, 1 ... N - 1 in turn.

    >>> masks(np.array([1, 0]), 1).linear
    array([[False,  True],
           [False, False]])
    """
    place = np.argsort(order)
    seen = np.arange(hidden) % max(len(order) - 1, 1)
    return Masks(place <= seen[:, None], seen < place[:, None], place < place[:, None])


def first_network(probabilities: Probabilities, order: Order, hidden: int, random: np.random.Generator) -> Masked:
    """Return nearly independent variables with given P(x_i = 1), and hidden units that differ by chance."""
    allowed = masks(order, hidden)
    scale = 1 / np.sqrt(len(order))
    parts = (
        allowed.inner * random.normal(0, scale, (hidden, len(order))),
        random.normal(0, scale, hidden),
        allowed.outer * random.normal(0, INITIAL / np.sqrt(hidden), (len(order), hidden)),
        np.zeros((len(order), len(order))),
        logit(probabilities),
    )
    return Masked(Network(*(part.astype(np.float32) for part in parts)), allowed)


def held_out_weights(weights: Weights, share: float, random: np.random.Generator) -> Weights:
    """Return the weight of every row that is held out: a count at each of equal distances along their running sum.

    Raises:
        ValueError: if all or none would be held out.

    >>> held_out_weights(np.array([5.0, 5.0]), 0.4, np.random.default_rng(0))
    array([2., 2.])
    """
    places = np.floor((np.r_[0, np.cumsum(weights)] + random.random() / share) * share)
    held = np.minimum(np.diff(places), weights)
    if not 0 < held.sum() < weights.sum():
        raise ValueError(f"rows: expected enough to hold a share of {share} of them out, got {weights.sum():g}")
    return held
