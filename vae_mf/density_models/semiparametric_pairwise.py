"""Semiparametric pairwise model, a pairwise energy within an increasing function that is learned with it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logit

from vae_mf.checks import require_integer, require_non_negative
from vae_mf.density_models.annealed_rows import GeometricModel
from vae_mf.density_models.ascent import FloatRows, Parts, PersistentAscent
from vae_mf.density_models.restricted_boltzmann import CoupledMachine
from vae_mf.inverse_ising.solvers.gibbs import LANES, half_logistic
from vae_mf.kernels import kernel
from vae_mf.statistics.distinct import DistinctSpins

BINS = 512
"""Number of bins in which the function is linear."""
PerRow = Float[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class Scale:
    """Axis of u on which an increasing function G(u) is drawn, linear in each of `BINS` bins and beyond the ends.

    The logarithm of the slope of G is linear between knots, the first and last of which are the ends.
    """

    start: float
    width: float
    """Width of a bin."""
    hats: Float[np.ndarray, "bins knots"]
    """Share of each knot in the logarithm of the slope of each bin."""

    def places(self, values: PerRow) -> tuple[Int[np.ndarray, " rows"], PerRow]:
        """Return the bin of each u, and the way into it in units of its width."""
        positions = (values - self.start) / self.width
        bins = np.clip(positions, 0, BINS - 1).astype(np.int64)
        return bins, positions - bins


@dataclass(frozen=True, eq=False)
class IncreasingPairwise:
    """Parameters of ln f(x) = G(u(x)), u(x) = sum_{i<j} J_ij x_i x_j + sum_i b_i x_i, in single precision."""

    couplings: Float[np.ndarray, "variables variables"]
    """J, symmetric with zero diagonal."""
    fields: Float[np.ndarray, " variables"]
    log_slopes: Float[np.ndarray, " knots"]
    """ln dG / du at the knots."""
    scale: Scale

    @property
    def parts(self) -> Parts:
        """Parameters, in their order."""
        return self.couplings, self.fields, self.log_slopes

    def with_parts(self, parts: Parts) -> "IncreasingPairwise":
        """Return the model with other parameters."""
        couplings, fields, log_slopes = parts
        return IncreasingPairwise(couplings, fields, log_slopes, self.scale)

    @cached_property
    def slopes(self) -> Float[np.ndarray, " bins"]:
        """Slope dG / du in every bin."""
        return np.exp(self.scale.hats @ self.log_slopes)

    @cached_property
    def table(self) -> Float[np.ndarray, " ends"]:
        """G at the ends of all bins."""
        return np.concatenate([[0.0], np.cumsum(self.slopes) * self.scale.width])

    def pairwise(self, rows: FloatRows) -> PerRow:
        """Return u of every row."""
        return np.einsum("ri,ri->r", rows, rows @ (self.couplings / 2) + self.fields)

    def exponents(self, rows: FloatRows) -> PerRow:
        """Return ln f(x) of every row."""
        bins, ways = self.scale.places(self.pairwise(rows))
        return self.table[bins] + ways * self.scale.width * self.slopes[bins]

    def gradient(self, rows: FloatRows) -> Parts:
        """Return the mean gradient of ln f over rows."""
        bins, ways = self.scale.places(self.pairwise(rows))
        steep = rows * self.slopes[bins].astype(np.float32)[:, None]
        pairs = steep.T @ rows / len(rows)
        np.fill_diagonal(pairs, 0)
        # Every slope up to the bin of a row has gone into its G, that of the bin itself for a part of the width.
        whole = np.cumsum(np.bincount(bins, minlength=BINS)[::-1])[::-1] - np.bincount(bins, minlength=BINS)
        travelled = (whole + np.bincount(bins, ways, BINS)) * self.scale.width / len(rows)
        knots = (travelled * self.slopes) @ self.scale.hats
        return pairs, steep.mean(axis=0), knots.astype(np.float32)

    def swept(
        self,
        rows: FloatRows,
        random: np.random.Generator,
        beta: float = 1.0,
        fields: Float[np.ndarray, " variables"] | None = None,
    ) -> FloatRows:
        """Return the rows after each variable was drawn in turn, from exp(fields.x) f(x)^beta."""
        extra = np.zeros_like(self.fields) if fields is None else fields.astype(np.float32)
        moved = np.ascontiguousarray(rows.T)
        noise = 2 * half_logistic(random, moved.shape)
        table = (beta * self.table).astype(np.float32)
        origin = np.float32(self.scale.start), np.float32(1 / self.scale.width)
        values = self.pairwise(rows).astype(np.float32)
        increasing_heat_bath(self.couplings, self.fields, extra, table, *origin, values, moved, noise)
        return np.ascontiguousarray(moved.T)


@dataclass(eq=False, repr=False)
class SemiparametricPairwise(GeometricModel):
    """p(s) = exp(-V(E(s))) / Z, E(s) pairwise and V increasing, both by maximum likelihood (Humplik and Tkacik 2017).

    A V with bends is a pairwise world whose temperature fluctuates, or any other latent variable that all variables
    share. `PersistentAscent` first learns a pairwise model, V(E) = E, whose energies on the data set the range of the
    knots of ln V', and then all parameters together.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> model = SemiparametricPairwise(n_knots=3, steps=1000, batch_size=64, learning_rate=0.05).fit(rows)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1), model.n_parameters_
    (array([0.4, 0.1]), 6)

    Args:
        n_knots: number of knots; beyond the first and last one V is linear.
        l2: weight of the squared couplings.
        l2_slopes: weight of the squared ln V'.
        steps, batch_size, sweeps, learning_rate: as for `RestrictedBoltzmann`; the pairwise model gets half the steps.
        chains, resolution, random_state: as for `PairwiseIsing`.

    Attributes:
        model_: couplings and fields of -E for rows x = (s + 1) / 2, and the function G(u) = -V(-u).
    """

    n_knots: Any = 12
    l2: Any = 16.0
    l2_slopes: Any = 1.0
    steps: Any = 10000
    batch_size: Any = 512
    sweeps: Any = 1
    learning_rate: Any = 5e-3
    chains: Any = 4096
    resolution: Any = 0.01
    random_state: Any = 0

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        knots = require_integer("n_knots", self.n_knots, minimum=2)
        l2 = require_non_negative("l2", self.l2) / data.samples
        l2_slopes = require_non_negative("l2_slopes", self.l2_slopes) / data.samples
        first = self._pairwise(data, l2, random)
        scale = scale_of(first.direct((data.spins > 0).astype(np.float32)), knots)
        model = IncreasingPairwise(first.couplings, first.fields, np.zeros(knots, np.float32), scale)
        ascent = PersistentAscent(self, data, self.probabilities_, (l2, 0.0, l2_slopes), random)
        self.model_ = ascent.run(model)
        variables = data.spins.shape[1]
        self.n_parameters_ = variables * (variables + 1) // 2 + knots

    def _pairwise(self, data: DistinctSpins, l2: float, random: np.random.Generator) -> CoupledMachine:
        """Return a pairwise model, which is a machine without hidden units."""
        variables = data.spins.shape[1]
        none = np.zeros((0, variables), np.float32)
        couplings = np.zeros((variables, variables), np.float32)
        machine = CoupledMachine(none, logit(self.probabilities_).astype(np.float32), none[:, 0], couplings)
        options = replace(self, steps=max(1, require_integer("steps", self.steps) // 2))
        return PersistentAscent(options, data, self.probabilities_, (0.0, 0.0, 0.0, l2), random).run(machine)


def scale_of(values: PerRow, knots: int) -> Scale:
    """Return an axis from the least to the largest value, with equally distant knots."""
    start = float(values.min())
    width = max(float(np.ptp(values)), 1.0) / BINS
    positions = (np.arange(BINS) + 0.5) * (knots - 1) / BINS
    hats = np.maximum(1 - np.abs(positions[:, None] - np.arange(knots)), 0)
    return Scale(start, width, hats)


@kernel(fastmath={"contract", "nsz", "reassoc"})
def increasing_heat_bath(couplings, fields, extra, table, start, per_width, values, rows, noise):
    """Set every variable in turn to 1 where its noise lies below the change of exp(extra.x) f(x), else to 0.

    ``rows`` and ``noise`` have shape (N, chains), ``values`` holds u of the chains and ``table`` G at the ends of
    bins of width 1 / ``per_width``.
    """
    variables, count = rows.shape
    last = len(table) - 2
    local = np.empty(LANES, np.float32)
    for first in range(0, count, LANES):
        width = min(LANES, count - first)
        for i in range(variables):
            for c in range(width):
                local[c] = fields[i]
            for j in range(variables):
                bond = couplings[i, j]
                for c in range(width):
                    local[c] += bond * rows[j, first + c]
            for c in range(width):
                low = values[first + c] - rows[i, first + c] * local[c]
                below = (low - start) * per_width
                above = (low + local[c] - start) * per_width
                k = min(max(np.int32(below), np.int32(0)), np.int32(last))
                m = min(max(np.int32(above), np.int32(0)), np.int32(last))
                odds = extra[i] + table[m] + (above - np.float32(m)) * (table[m + 1] - table[m])
                odds -= table[k] + (below - np.float32(k)) * (table[k + 1] - table[k])
                rows[i, first + c] = np.float32(1.0) if noise[i, first + c] < odds else np.float32(0.0)
                values[first + c] = low + rows[i, first + c] * local[c]
