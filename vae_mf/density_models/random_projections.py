"""Random projections: maximum entropy given the probabilities of sparse random thresholds (Maoz et al. 2020)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logit

from vae_mf.checks import require_integer, require_non_negative, require_positive
from vae_mf.density_models.annealed_rows import GeometricModel
from vae_mf.density_models.ascent import FloatRows, Parts, PersistentAscent
from vae_mf.inverse_ising.solvers.gibbs import LANES, half_logistic
from vae_mf.kernels import kernel
from vae_mf.statistics.distinct import DistinctSpins

QUANTUM = 2.0**-10
"""Weights are multiples of it and thresholds odd multiples of its half, so that sums are exact and never tie."""
ROWS = 4096
"""Number of rows whose projections are held at once."""
DRAWS = 100
"""Largest number of times that projections are drawn anew because the data nearly never reach or leave them."""


class Projections(NamedTuple):
    """Functions [sum_{j in k} a_kj x_j > theta_k] of rows x in {0, 1}^N, each of d variables."""

    members: Int[np.ndarray, "projections degree"]
    """Variables of each projection."""
    weights: Float[np.ndarray, "projections degree"]
    thresholds: Float[np.ndarray, " projections"]

    def active(self, rows: FloatRows) -> Float[np.ndarray, "projections rows"]:
        """Return 1 where a projection lies above its threshold, else 0, in single precision."""
        result = np.empty((len(self.thresholds), len(rows)), np.float32)
        project(self.members, self.weights, self.thresholds, np.ascontiguousarray(rows.T, np.float32), result)
        return result

    def shares(self, data: DistinctSpins) -> Float[np.ndarray, " projections"]:
        """Return the share of the data in which each projection is active."""
        total = np.zeros(len(self.thresholds))
        for first in range(0, len(data.spins), ROWS):
            block = slice(first, first + ROWS)
            total += self.active((data.spins[block] > 0).astype(np.float32)) @ data.shares[block]
        return total


class Membership(NamedTuple):
    """Projections of every variable: those of variable i stand at ``starts[i]`` to ``starts[i + 1]``."""

    starts: Int[np.ndarray, " ends"]
    projections: Int[np.ndarray, " entries"]
    weights: Float[np.ndarray, " entries"]


@dataclass(frozen=True, eq=False)
class ProjectionEnergy:
    """Parameters of ln f(x) = b.x + sum_k lambda_k [projection k is active], in single precision."""

    fields: Float[np.ndarray, " variables"]
    factors: Float[np.ndarray, " projections"]
    projections: Projections
    membership: Membership

    @property
    def parts(self) -> Parts:
        """Parameters, in their order."""
        return self.fields, self.factors

    def with_parts(self, parts: Parts) -> "ProjectionEnergy":
        """Return the model with other parameters."""
        fields, factors = parts
        return ProjectionEnergy(fields, factors, self.projections, self.membership)

    def exponents(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return ln f(x) of every row."""
        active = [self.factors @ self.projections.active(rows[k : k + ROWS]) for k in range(0, len(rows), ROWS)]
        return rows @ self.fields + np.concatenate(active)

    def gradient(self, rows: FloatRows) -> Parts:
        """Return the mean gradient of ln f over rows."""
        return rows.mean(axis=0), self.projections.active(rows).mean(axis=1)

    def swept(
        self,
        rows: FloatRows,
        random: np.random.Generator,
        beta: float = 1.0,
        fields: Float[np.ndarray, " variables"] | None = None,
    ) -> FloatRows:
        """Return the rows after each variable was drawn in turn, from exp(fields.x) f(x)^beta."""
        biases = np.float32(beta) * self.fields
        if fields is not None:
            biases = biases + fields.astype(np.float32)
        moved = np.ascontiguousarray(rows.T)
        noise = 2 * half_logistic(random, moved.shape)
        factors = np.float32(beta) * self.factors
        projection_heat_bath(biases, factors, *self.projections, *self.membership, moved, noise)
        return np.ascontiguousarray(moved.T)


@dataclass(eq=False, repr=False)
class RandomProjections(GeometricModel):
    """p(x) = exp(b.x + sum_k lambda_k [a_k.x > theta_k]) / Z for rows x = (s + 1) / 2 (Maoz et al. 2020).

    Of all laws with the rates of the variables and the probabilities of the projections it has the largest entropy.
    Each projection sums a few variables, chosen at random, with weights from Normal(1, 1); its threshold is a share of
    the sum of its mean weights. Projections that hardly vary over the data are drawn anew. The number of parameters is
    chosen freely, so that the model goes where N (N + 1) / 2 couplings are too many. `PersistentAscent` solves the
    convex problem.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> model = RandomProjections(n_projections=4, degree=2, l2=0.0, steps=300, batch_size=64, learning_rate=0.1)
    >>> np.exp(model.fit(rows).score_samples([[1, 1], [1, -1]])).round(1), model.n_parameters_
    (array([0.4, 0.1]), 6)

    Args:
        n_projections: number of projections.
        degree: number of variables in each.
        threshold: share of ``degree``, the sum of the mean weights, at which a projection becomes active.
        rare: smallest share of the rows in which a projection is active, and in which it is not.
        l2: weight of the squared factors lambda_k.
        steps, batch_size, sweeps, learning_rate: as for `RestrictedBoltzmann`.
        chains, resolution, random_state: as for `PairwiseIsing`.

    Attributes:
        model_: projections, factors lambda and fields b.
    """

    n_projections: Any = 1000
    degree: Any = 5
    threshold: Any = 0.3
    rare: Any = 1e-3
    l2: Any = 16.0
    steps: Any = 10000
    batch_size: Any = 512
    sweeps: Any = 1
    learning_rate: Any = 5e-3
    chains: Any = 4096
    resolution: Any = 0.01
    random_state: Any = 0

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        l2 = require_non_negative("l2", self.l2) / data.samples
        projections = self._projections(data, random)
        fields = logit(self.probabilities_).astype(np.float32)
        factors = np.zeros(len(projections.thresholds), np.float32)
        first = ProjectionEnergy(fields, factors, projections, membership(projections, len(fields)))
        self.model_ = PersistentAscent(self, data, self.probabilities_, (0.0, l2), random).run(first)
        self.n_parameters_ = len(fields) + len(factors)

    def _projections(self, data: DistinctSpins, random: np.random.Generator) -> Projections:
        """Return projections that vary over the data."""
        count = require_integer("n_projections", self.n_projections)
        degree = min(require_integer("degree", self.degree), data.spins.shape[1])
        threshold = require_positive("threshold", self.threshold) * degree
        rare = require_non_negative("rare", self.rare)
        found = []
        for _ in range(DRAWS):
            drawn = draw_projections(count, degree, threshold, data.spins.shape[1], random)
            shares = drawn.shares(data)
            good = (shares > rare) & (shares < 1 - rare)
            found.append([part[good] for part in drawn])
            if sum(len(parts[0]) for parts in found) >= count:
                return Projections(*(np.concatenate(parts)[:count] for parts in zip(*found, strict=True)))
        raise ValueError(
            f"threshold: expected projections that are active in more than rare={rare:g} of the rows, got too few at "
            f"{self.threshold}; lower threshold, degree or rare"
        )


def draw_projections(
    count: int, degree: int, threshold: float, variables: int, random: np.random.Generator
) -> Projections:
    """Return random projections, each of ``degree`` different variables."""
    members = np.argsort(random.random((count, variables)), axis=1)[:, :degree].astype(np.int32)
    weights = np.round(random.normal(1, 1, (count, degree)) / QUANTUM) * QUANTUM
    level = (np.floor(threshold / QUANTUM) + 0.5) * QUANTUM
    return Projections(members, weights.astype(np.float32), np.full(count, level, np.float32))


def membership(projections: Projections, variables: int) -> Membership:
    """Return the projections of every variable."""
    flat = projections.members.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=variables))])
    owners = (order // projections.members.shape[1]).astype(np.int32)
    return Membership(starts, owners, projections.weights.ravel()[order])


@kernel(fastmath={"contract", "nsz"})
def project(members, weights, thresholds, rows, result):
    """Set ``result`` (projections, rows) to 1 where a projection of ``rows`` (N, rows) is active, else to 0."""
    count = rows.shape[1]
    sums = np.empty(LANES, np.float32)
    for k in range(len(thresholds)):
        for first in range(0, count, LANES):
            width = min(LANES, count - first)
            for c in range(width):
                sums[c] = -thresholds[k]
            for d in range(members.shape[1]):
                weight, member = weights[k, d], members[k, d]
                for c in range(width):
                    sums[c] += weight * rows[member, first + c]
            for c in range(width):
                result[k, first + c] = np.float32(1.0) if sums[c] > np.float32(0.0) else np.float32(0.0)


@kernel(fastmath={"contract", "nsz"})
def projection_heat_bath(fields, factors, members, weights, thresholds, starts, owners, entries, rows, noise):
    """Set every variable in turn to 1 where its noise lies below the change of ln f(x), and to 0 elsewhere.

    ``rows`` and ``noise`` have shape (N, chains). ``members``, ``weights`` and ``thresholds`` are those of
    `Projections`; ``starts``, ``owners`` and ``entries`` are a `Membership`.
    """
    variables, count = rows.shape
    zero = np.float32(0.0)
    one = np.float32(1.0)
    # Sums less their thresholds, from which the lanes beyond the last chain stay away.
    sums = np.zeros((len(thresholds), LANES), np.float32)
    odds = np.empty(LANES, np.float32)
    own = np.zeros(LANES, np.float32)
    for first in range(0, count, LANES):
        width = min(LANES, count - first)
        for k in range(len(thresholds)):
            for c in range(width):
                sums[k, c] = -thresholds[k]
            for d in range(members.shape[1]):
                weight, member = weights[k, d], members[k, d]
                for c in range(width):
                    sums[k, c] += weight * rows[member, first + c]
        for i in range(variables):
            for c in range(LANES):
                odds[c] = fields[i]
            for c in range(width):
                own[c] = rows[i, first + c]
            for e in range(starts[i], starts[i + 1]):
                k, weight = owners[e], entries[e]
                factor = factors[k]
                for c in range(LANES):
                    without = sums[k, c] - weight * own[c]
                    above = factor if without + weight > zero else zero
                    below = factor if without > zero else zero
                    odds[c] += above - below
            for c in range(width):
                rows[i, first + c] = one if noise[i, first + c] < odds[c] else zero
                own[c] = rows[i, first + c] - own[c]
            for e in range(starts[i], starts[i + 1]):
                for c in range(LANES):
                    sums[owners[e], c] += entries[e] * own[c]
