"""Restricted Boltzmann machines, hidden units that favour patterns of variables, learned from persistent chains."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_non_negative
from vae_mf.density_models.annealed_rows import AnnealedRows
from vae_mf.density_models.ascent import FloatRows, Parts, PersistentAscent, in_double
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.inverse_ising.solvers.annealing import PerChain
from vae_mf.inverse_ising.solvers.gibbs import LANES, half_logistic
from vae_mf.kernels import kernel
from vae_mf.packing import all_configurations
from vae_mf.statistics.distinct import DistinctSpins

INITIAL = 0.1
"""Standard deviation of the first weights."""
MOST_SUMMED = 16
"""Largest number of hidden units over whose states ln Z is summed."""


@dataclass(frozen=True, eq=False)
class Machine:
    """Parameters of ln f(x) = b.x + sum_a ln(1 + exp(W_a.x + c_a)) for rows x in {0, 1}^N, in single precision."""

    weights: Float[np.ndarray, "hidden variables"]
    fields: Float[np.ndarray, " variables"]
    thresholds: Float[np.ndarray, " hidden"]

    @property
    def parts(self) -> Parts:
        """Parameters, in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def with_parts(self, parts: Parts) -> "Machine":
        """Return a machine of the same kind with other parameters."""
        return type(self)(*parts)

    def inputs(self, rows: FloatRows) -> Float[np.ndarray, "rows hidden"]:
        """Return W x + c."""
        return rows @ self.weights.T + self.thresholds

    def direct(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return the part of ln f(x) without hidden units, b.x."""
        return rows @ self.fields

    def exponents(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return ln f(x) of every row."""
        return self.direct(rows) + np.logaddexp(0, self.inputs(rows)).sum(axis=1)

    def log_partition(self) -> float:
        """Return ln Z, a sum over all states of the hidden units."""
        hidden = (all_configurations(len(self.thresholds)) > 0).astype(np.float64)
        inputs = hidden @ self.weights + self.fields
        return float(logsumexp(hidden @ self.thresholds + np.logaddexp(0, inputs).sum(axis=1)))

    def swept(self, rows: FloatRows, random: np.random.Generator) -> FloatRows:
        """Return the rows after new hidden units were drawn, and new rows from these."""
        hidden = draw(self.inputs(rows), random)
        return draw(hidden @ self.weights + self.fields, random)

    def gradient(self, rows: FloatRows) -> Parts:
        """Return the mean gradient of ln f over rows."""
        active = expit(self.inputs(rows))
        return active.T @ rows / len(rows), rows.mean(axis=0), active.mean(axis=0)


@dataclass(frozen=True, eq=False)
class CoupledMachine(Machine):
    """A `Machine` with sum_{i<j} L_ij x_i x_j in ln f(x), too."""

    couplings: Float[np.ndarray, "variables variables"]
    """L, symmetric with zero diagonal."""

    def direct(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return the part of ln f(x) without hidden units, b.x + x.L.x / 2."""
        return np.einsum("ri,ri->r", rows, rows @ self.couplings / 2 + self.fields)

    def swept(self, rows: FloatRows, random: np.random.Generator) -> FloatRows:
        """Return the rows after new hidden units were drawn, and then each variable in turn."""
        hidden = draw(self.inputs(rows), random)
        outer = np.ascontiguousarray((hidden @ self.weights + self.fields).T)
        moved = np.ascontiguousarray(rows.T)
        coupled_heat_bath(self.couplings, outer, moved, 2 * half_logistic(random, moved.shape))
        return np.ascontiguousarray(moved.T)

    def gradient(self, rows: FloatRows) -> Parts:
        """Return the mean gradient of ln f over rows."""
        pairs = rows.T @ rows / len(rows)
        np.fill_diagonal(pairs, 0)
        return *super().gradient(rows), pairs


@dataclass(eq=False, repr=False)
class RestrictedBoltzmann(EnergyModel):
    """p(x) = exp(b.x) prod_a (1 + exp(W_a.x + c_a)) / Z for rows x = (s + 1) / 2, by maximum likelihood.

    `PersistentAscent` maximises it by block Gibbs sweeps. Up to 16 hidden units ln Z is summed over all their
    states, and up to 20 variables over all configurations.

    Source: Smolensky 1986; persistent chains by Tieleman 2008.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> model = RestrictedBoltzmann(n_hidden=1, steps=1000, batch_size=64, learning_rate=0.05).fit(rows)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1), model.n_parameters_
    (array([0.4, 0.1]), 5)

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
        self._ascend(data, first_machine(self.probabilities_, hidden, random), (0.0, 0.0, 0.0), random)
        variables = data.spins.shape[1]
        self.n_parameters_ = hidden * (variables + 1) + variables

    def _ascend(
        self, data: DistinctSpins, first: Machine, penalties: tuple[float, ...], random: np.random.Generator
    ) -> None:
        """Set ``machine_``."""
        self.machine_ = PersistentAscent(self, data, self.probabilities_, penalties, random).run(first)

    def _exact_log_partition(self) -> float | None:
        if self.n_hidden > MOST_SUMMED:
            return super()._exact_log_partition()
        return in_double(self.machine_).log_partition()

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        return in_double(self.machine_).exponents((rows > 0).astype(np.float64))

    def _annealed(
        self, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ) -> "AnnealedMachine":
        return AnnealedMachine(self.machine_, probabilities, count, random)


@dataclass(eq=False, repr=False)
class SemiRestrictedBoltzmann(RestrictedBoltzmann):
    """p(x) = exp(b.x + sum_{i<j} L_ij x_i x_j) prod_a (1 + exp(W_a.x + c_a)) / Z, by maximum likelihood.

    Couplings between variables hold what is pairwise, and hidden units what is not (Osindero and Hinton 2008). A sweep
    draws all hidden units and then one variable after another. The model has N (N - 1) / 2 parameters more than the
    `RestrictedBoltzmann` machine, whose other options and attributes it shares.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> model = SemiRestrictedBoltzmann(n_hidden=1, steps=1000, batch_size=64, learning_rate=0.05).fit(rows)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1), model.n_parameters_
    (array([0.4, 0.1]), 6)

    Args:
        l2: weight of the squared couplings L.
    """

    l2: Any = 16.0

    def _ascend(
        self, data: DistinctSpins, first: Machine, penalties: tuple[float, ...], random: np.random.Generator
    ) -> None:
        l2 = require_non_negative("l2", self.l2) / data.samples
        variables = data.spins.shape[1]
        couplings = np.zeros((variables, variables), np.float32)
        coupled = CoupledMachine(first.weights, first.fields, first.thresholds, couplings)
        super()._ascend(data, coupled, (*penalties, l2), random)

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        super()._learn(data, random)
        variables = data.spins.shape[1]
        self.n_parameters_ += variables * (variables - 1) // 2

    def _exact_log_partition(self) -> float | None:
        """Return the sum over configurations; couplings between variables forbid that over hidden units."""
        return EnergyModel._exact_log_partition(self)


class AnnealedMachine(AnnealedRows):
    """Chains of f_beta(x) = exp((1 - beta) h.x + beta d(x)) prod_a (1 + exp(beta (W_a.x + c_a))), d the direct part.

    beta = 0 is the model of independent variables with log-odds h, beta = 1 the machine.
    """

    def __init__(
        self, machine: Machine, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ):
        super().__init__(probabilities, count, random)
        self._machine = machine
        self.start_log_partition += len(machine.thresholds) * float(np.log(2))

    def _change(self) -> PerChain:
        """Return the slope of the part of ln f_beta(x) without hidden units, in single precision."""
        return self._machine.direct(self._rows) - self._rows @ self._log_odds

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(x) / d beta of every chain."""
        inputs = self._machine.inputs(self._rows)
        return self._change() + (inputs * expit(beta * inputs)).sum(axis=1)

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(x) - ln f_beta(x) of every chain."""
        inputs = self._machine.inputs(self._rows).astype(np.float64)
        change = np.logaddexp(0, ahead * inputs) - np.logaddexp(0, beta * inputs)
        return (ahead - beta) * self._change() + change.sum(axis=1)

    def move(self, beta: float) -> None:
        """Advance every chain by a sweep at beta."""
        between = self._machine.with_parts(tuple(np.float32(beta) * part for part in self._machine.parts))
        between.fields[:] += np.float32(1 - beta) * self._log_odds
        self._rows = between.swept(self._rows, self._random)


def draw(log_odds: Float[np.ndarray, "rows units"], random: np.random.Generator) -> FloatRows:
    """Return independent units in {0, 1} with given log-odds of 1, in single precision."""
    return (random.random(log_odds.shape, np.float32) < expit(log_odds)).astype(np.float32)


def first_machine(probabilities: Float[np.ndarray, " variables"], hidden: int, random: np.random.Generator) -> Machine:
    """Return nearly independent variables with given probabilities, hidden units being idle at the mean row."""
    weights = INITIAL * random.standard_normal((hidden, len(probabilities)))
    biases = logit(probabilities) - weights.sum(axis=0) / 2
    parts = weights, biases, -weights @ probabilities
    return Machine(*(part.astype(np.float32) for part in parts))


@kernel(fastmath={"contract", "nsz", "reassoc"})
def coupled_heat_bath(couplings, fields, rows, noise):
    """Set every variable in turn to 1 where its noise lies below its local field, and to 0 elsewhere.

    ``fields``, ``rows`` and ``noise`` have shape (N, chains); a chain has fields of its own.
    """
    variables, count = rows.shape
    local = np.empty(LANES, np.float32)
    for first in range(0, count, LANES):
        width = min(LANES, count - first)
        for i in range(variables):
            for c in range(width):
                local[c] = fields[i, first + c]
            for j in range(variables):
                bond = couplings[i, j]
                for c in range(width):
                    local[c] += bond * rows[j, first + c]
            for c in range(width):
                rows[i, first + c] = np.float32(1.0) if noise[i, first + c] < local[c] else np.float32(0.0)
