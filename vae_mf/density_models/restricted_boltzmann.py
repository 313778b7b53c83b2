"""Restricted Boltzmann machine, hidden units that favour patterns of variables, learned from persistent chains."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.inverse_ising.solvers.annealing import PerChain
from vae_mf.statistics.distinct import DistinctSpins

INITIAL = 0.1
"""Standard deviation of the first weights."""
AVERAGED = 0.2
"""Share of the steps, the last ones, over which the parameters are averaged."""
FloatRows = Float[np.ndarray, "rows variables"]


class Machine(NamedTuple):
    """Parameters of ln f(x) = b.x + sum_a ln(1 + exp(W_a.x + c_a)) for rows x in {0, 1}^N, in single precision."""

    weights: Float[np.ndarray, "hidden variables"]
    fields: Float[np.ndarray, " variables"]
    thresholds: Float[np.ndarray, " hidden"]

    def inputs(self, rows: FloatRows) -> Float[np.ndarray, "rows hidden"]:
        """Return W x + c."""
        return rows @ self.weights.T + self.thresholds

    def exponents(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return ln f(x) of every row."""
        return rows @ self.fields + np.logaddexp(0, self.inputs(rows)).sum(axis=1)

    def swept(self, rows: FloatRows, random: np.random.Generator) -> FloatRows:
        """Return the rows after new hidden units were drawn, and new rows from these."""
        hidden = draw(self.inputs(rows), random)
        return draw(hidden @ self.weights + self.fields, random)

    def gradient(self, rows: FloatRows) -> "Machine":
        """Return the mean gradient of ln f over rows."""
        active = expit(self.inputs(rows))
        return Machine(active.T @ rows / len(rows), rows.mean(axis=0), active.mean(axis=0))


@dataclass(eq=False, repr=False)
class RestrictedBoltzmann(EnergyModel):
    """p(x) = exp(b.x) prod_a (1 + exp(W_a.x + c_a)) / Z for rows x = (s + 1) / 2, by maximum likelihood.

    Persistent contrastive divergence (Tieleman 2008): the gradient is the mean of d ln f over a batch of data less that
    over chains of the model, one block Gibbs sweep on per step. The learning rate (Adam's) falls linearly to zero, and
    the parameters are averaged over the last steps, which takes out the noise of the chains.

    Args:
        n_hidden: number H of hidden units; the model has N H + N + H parameters.
        steps: number of steps of the gradient ascent.
        batch_size: number of rows in a step, and of chains of the model.
        sweeps: sweeps of the chains in a step.
        learning_rate: learning rate of the first step.
        chains, resolution, random_state: as for `PairwiseIsing`.

    Attributes:
        machine_: parameters W, b and c.
    """

    n_hidden: Any = 16
    steps: Any = 10000
    batch_size: Any = 512
    sweeps: Any = 1
    learning_rate: Any = 5e-3
    chains: Any = 4096
    resolution: Any = 0.01
    random_state: Any = 0

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        hidden = require_integer("n_hidden", self.n_hidden)
        steps = require_integer("steps", self.steps)
        batch = require_integer("batch_size", self.batch_size)
        sweeps = require_integer("sweeps", self.sweeps)
        rate = require_positive("learning_rate", self.learning_rate)
        rows = (data.spins > 0).astype(np.float32)
        variables = data.spins.shape[1]
        upto = np.cumsum(data.shares)
        machine = first_machine(self.probabilities_, hidden, random)
        ascent = Adam(machine)
        chains = (random.random((batch, variables)) < self.probabilities_).astype(np.float32)
        averaged = Machine(*(np.zeros_like(part) for part in machine))
        kept = max(1, round(AVERAGED * steps))
        for step in range(steps):
            chosen = np.minimum(np.searchsorted(upto, random.random(batch)), len(rows) - 1)
            for _ in range(sweeps):
                chains = machine.swept(chains, random)
            slope = minus(machine.gradient(rows[chosen]), machine.gradient(chains))
            machine = ascent.step(machine, slope, rate * (1 - step / steps))
            if step >= steps - kept:
                averaged = Machine(*(total + part / kept for total, part in zip(averaged, machine, strict=True)))
        self.machine_ = averaged
        self.n_parameters_ = hidden * variables + hidden + variables

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        double = Machine(*(part.astype(np.float64) for part in self.machine_))
        return double.exponents((rows > 0).astype(np.float64))

    def _annealed(self, count: int, random: np.random.Generator) -> "AnnealedMachine":
        return AnnealedMachine(self.machine_, self.probabilities_, count, random)


class Adam:
    """Ascent whose steps are scaled by running moments of the gradient (Kingma and Ba 2015)."""

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

    beta = 0 is the model of independent variables with log-odds h, beta = 1 the machine.
    """

    def __init__(
        self, machine: Machine, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ):
        self._machine, self._random = machine, random
        self._log_odds = (np.log(probabilities) - np.log1p(-probabilities)).astype(np.float32)
        self._rows = (random.random((count, len(probabilities))) < probabilities).astype(np.float32)
        hidden = len(machine.thresholds)
        self.start_log_partition = float(-np.log1p(-probabilities).sum() + hidden * np.log(2))

    @property
    def spins(self) -> Spins:
        """Current rows as spins, shape (chains, N)."""
        return np.where(self._rows > 0, np.int8(1), np.int8(-1))

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        self._rows = self._rows[chosen]

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(x) / d beta of every chain."""
        inputs = self._machine.inputs(self._rows)
        return self._rows @ (self._machine.fields - self._log_odds) + (inputs * expit(beta * inputs)).sum(axis=1)

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(x) - ln f_beta(x) of every chain."""
        inputs = self._machine.inputs(self._rows).astype(np.float64)
        change = np.logaddexp(0, ahead * inputs) - np.logaddexp(0, beta * inputs)
        return (ahead - beta) * (self._rows @ (self._machine.fields - self._log_odds)) + change.sum(axis=1)

    def move(self, beta: float) -> None:
        """Advance every chain by a block Gibbs sweep at beta."""
        weights, fields, thresholds = (np.float32(beta) * part for part in self._machine)
        between = Machine(weights, fields + np.float32(1 - beta) * self._log_odds, thresholds)
        self._rows = between.swept(self._rows, self._random)


def draw(log_odds: Float[np.ndarray, "rows units"], random: np.random.Generator) -> FloatRows:
    """Return independent units in {0, 1} with given log-odds of 1, in single precision."""
    return (random.random(log_odds.shape, np.float32) < expit(log_odds)).astype(np.float32)


def first_machine(probabilities: Float[np.ndarray, " variables"], hidden: int, random: np.random.Generator) -> Machine:
    """Return nearly independent variables with given probabilities, hidden units being idle at the mean row."""
    weights = INITIAL * random.standard_normal((hidden, len(probabilities)))
    log_odds = np.log(probabilities) - np.log1p(-probabilities) - weights.sum(axis=0) / 2
    parts = weights, log_odds, -weights @ probabilities
    return Machine(*(part.astype(np.float32) for part in parts))


def minus(first: Machine, second: Machine) -> Machine:
    """Return the difference of two gradients."""
    return Machine(*(one - other for one, other in zip(first, second, strict=True)))
