"""Restricted Boltzmann machine: hidden units that each favour a pattern of cells, learned from persistent chains."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.annealed_importance import PerChain
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.statistics.distinct import DistinctSpins

INITIAL = 0.1
"""Standard deviation of the first weights."""
AVERAGED = 0.2
"""Last share of the steps, over which the parameters are averaged."""

Words = Float[np.ndarray, "rows sites"]


class Machine(NamedTuple):
    """Parameters of ln f(x) = b.x + sum_a ln(1 + exp(W_a.x + c_a)) for words x in {0, 1}^N, in single precision."""

    weights: Float[np.ndarray, "hidden sites"]
    fields: Float[np.ndarray, " sites"]
    thresholds: Float[np.ndarray, " hidden"]

    def inputs(self, words: Words) -> Float[np.ndarray, "rows hidden"]:
        """Return W x + c."""
        return words @ self.weights.T + self.thresholds

    def exponents(self, words: Words) -> Float[np.ndarray, " rows"]:
        """Return ln f(x) of every row."""
        return words @ self.fields + np.logaddexp(0, self.inputs(words)).sum(axis=1)

    def swept(self, words: Words, random: np.random.Generator) -> Words:
        """Return the words after new hidden units were drawn, and new words from these."""
        hidden = draw(self.inputs(words), random)
        return draw(hidden @ self.weights + self.fields, random)

    def gradient(self, words: Words) -> "Machine":
        """Return the mean gradient of ln f over words."""
        active = expit(self.inputs(words))
        return Machine(active.T @ words / len(words), words.mean(axis=0), active.mean(axis=0))


class RestrictedBoltzmann(EnergyModel):
    """p(x) = exp(b.x) prod_a (1 + exp(W_a.x + c_a)) / Z for words x = (s + 1) / 2, by maximum likelihood.

    Persistent contrastive divergence (Tieleman 2008): the gradient is the mean of d ln f over a batch of data less that
    over chains of the model, one block Gibbs sweep on per step. The learning rate (Adam's) falls linearly to zero, and
    the parameters are averaged over the last steps, which takes out the noise of the chains.

    Args:
        n_hidden: H; the model has N H + N + H parameters.
        steps: of the gradient ascent.
        batch_size: words per step, and chains of the model.
        sweeps: of the chains per step.
        learning_rate: of the first step.
        chains, resolution, random_state: as for `PairwiseIsing`.

    Attributes:
        machine_: the parameters.
    """

    def __init__(
        self,
        n_hidden=16,
        steps=10000,
        batch_size=512,
        sweeps=1,
        learning_rate=5e-3,
        chains=4096,
        resolution=0.01,
        random_state=0,
    ):
        self.n_hidden = n_hidden
        self.steps = steps
        self.batch_size = batch_size
        self.sweeps = sweeps
        self.learning_rate = learning_rate
        self.chains = chains
        self.resolution = resolution
        self.random_state = random_state

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        hidden = require_integer("n_hidden", self.n_hidden)
        steps = require_integer("steps", self.steps)
        batch = require_integer("batch_size", self.batch_size)
        sweeps = require_integer("sweeps", self.sweeps)
        rate = require_positive("learning_rate", self.learning_rate)
        words = (data.spins > 0).astype(np.float32)
        sites = data.spins.shape[1]
        upto = np.cumsum(data.shares)
        machine = first_machine(self.probabilities_, hidden, random)
        ascent = Adam(machine)
        chains = (random.random((batch, sites)) < self.probabilities_).astype(np.float32)
        averaged = Machine(*(np.zeros_like(part) for part in machine))
        kept = max(1, round(AVERAGED * steps))
        for step in range(steps):
            chosen = np.minimum(np.searchsorted(upto, random.random(batch)), len(words) - 1)
            for _ in range(sweeps):
                chains = machine.swept(chains, random)
            slope = minus(machine.gradient(words[chosen]), machine.gradient(chains))
            machine = ascent.step(machine, slope, rate * (1 - step / steps))
            if step >= steps - kept:
                averaged = Machine(*(total + part / kept for total, part in zip(averaged, machine, strict=True)))
        self.machine_, self.n_parameters_ = averaged, hidden * sites + hidden + sites

    def _exponents(self, words: Spins) -> Float[np.ndarray, " rows"]:
        double = Machine(*(part.astype(np.float64) for part in self.machine_))
        return double.exponents((words > 0).astype(np.float64))

    def _annealed(self, count: int, random: np.random.Generator) -> "AnnealedMachine":
        return AnnealedMachine(self.machine_, self.probabilities_, count, random)


class Adam:
    """Ascent whose steps are scaled by running moments of the gradient (Kingma and Ba 2015).

    Args:
        machine: where it starts.
        decay, square_decay: of the running means of the gradient and of its square.
    """

    def __init__(self, machine: Machine, decay: float = 0.9, square_decay: float = 0.999):
        self._decay, self._square_decay, self._count = decay, square_decay, 0
        self._means, self._squares = ([np.zeros_like(part) for part in machine] for _ in range(2))

    def step(self, machine: Machine, slope: Machine, rate: float) -> Machine:
        """Return the machine after a step along the slope."""
        self._count += 1
        scale = rate * np.sqrt(1 - self._square_decay**self._count) / (1 - self._decay**self._count)
        moved = []
        for value, gradient, mean, square in zip(machine, slope, self._means, self._squares, strict=True):
            mean += (1 - self._decay) * (gradient - mean)
            square += (1 - self._square_decay) * (gradient**2 - square)
            moved.append(value + np.float32(scale) * mean / (np.sqrt(square) + np.float32(1e-8)))
        return Machine(*moved)


class AnnealedMachine:
    """Chains of f_beta(x) = exp((1 - beta) h.x + beta b.x) prod_a (1 + exp(beta (W_a.x + c_a))).

    beta = 0 is the model of independent cells with log-odds h, beta = 1 the machine.

    Args:
        machine: at the end of the way.
        probabilities: of the independent cells, shape (N,).
        count: chains.
        random: source of all randomness.
    """

    def __init__(
        self, machine: Machine, probabilities: Float[np.ndarray, " sites"], count: int, random: np.random.Generator
    ):
        self._machine, self._random = machine, random
        self._log_odds = (np.log(probabilities) - np.log1p(-probabilities)).astype(np.float32)
        self._words = (random.random((count, len(probabilities))) < probabilities).astype(np.float32)
        hidden = len(machine.thresholds)
        self.start_log_partition = float(-np.log1p(-probabilities).sum() + hidden * np.log(2))

    @property
    def spins(self) -> Spins:
        """Current words as spins, shape (chains, N)."""
        return np.where(self._words > 0, np.int8(1), np.int8(-1))

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        self._words = self._words[chosen]

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(x) / d beta of every chain."""
        inputs = self._machine.inputs(self._words)
        return self._words @ (self._machine.fields - self._log_odds) + (inputs * expit(beta * inputs)).sum(axis=1)

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(x) - ln f_beta(x) of every chain."""
        inputs = self._machine.inputs(self._words).astype(np.float64)
        change = np.logaddexp(0, ahead * inputs) - np.logaddexp(0, beta * inputs)
        return (ahead - beta) * (self._words @ (self._machine.fields - self._log_odds)) + change.sum(axis=1)

    def move(self, beta: float) -> None:
        """Advance every chain by a block Gibbs sweep at beta."""
        weights, fields, thresholds = (np.float32(beta) * part for part in self._machine)
        between = Machine(weights, fields + np.float32(1 - beta) * self._log_odds, thresholds)
        self._words = between.swept(self._words, self._random)


def draw(log_odds: Float[np.ndarray, "rows units"], random: np.random.Generator) -> Words:
    """Return independent units in {0, 1} with given log-odds of 1, in single precision."""
    return (random.random(log_odds.shape, np.float32) < expit(log_odds)).astype(np.float32)


def first_machine(probabilities: Float[np.ndarray, " sites"], hidden: int, random: np.random.Generator) -> Machine:
    """Return nearly independent cells with given probabilities, hidden units being idle at the mean word."""
    weights = INITIAL * random.standard_normal((hidden, len(probabilities)))
    log_odds = np.log(probabilities) - np.log1p(-probabilities) - weights.sum(axis=0) / 2
    parts = weights, log_odds, -weights @ probabilities
    return Machine(*(part.astype(np.float32) for part in parts))


def minus(first: Machine, second: Machine) -> Machine:
    """Return the difference of two gradients."""
    return Machine(*(one - other for one, other in zip(first, second, strict=True)))
