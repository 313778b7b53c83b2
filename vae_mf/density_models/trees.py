"""Chow-Liu trees and their mixtures, the likeliest laws in which every variable depends on one other."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.special import entr, logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.density_models.expectation_maximisation import Step, climb
from vae_mf.inverse_ising.base import new_generator
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import probabilities_up

ROWS = 2**11
"""Number of rows whose responsibilities are held at once and stay in the cache."""
CONCENTRATION = 0.3
"""Concentration of the Dirichlet law of the random half of the first responsibilities."""
ROUNDING = float(np.finfo(np.float64).eps)
"""Smallest probability of a value, given that of the parent."""
ActiveVariables = Float[np.ndarray, "variables rows"]
"""Rows x in {0, 1}^N, a column each."""
PairLaws = Float[np.ndarray, "trees variables variables"]
"""P(x_i = 1, x_j = 1) of rows x in {0, 1}^N in each tree, P(x_i = 1) on the diagonal."""


class Trees(NamedTuple):
    """Mixture of K trees with one root, the first variable; the root stands as its own parent."""

    weights: Float[np.ndarray, " trees"]
    orders: Int[np.ndarray, "trees variables"]
    """Variables of each tree, every one after its parent."""
    parents: Int[np.ndarray, "trees variables"]
    probabilities: Float[np.ndarray, "trees variables 2"]
    """P(x_i = 1 | parent = 0), P(x_i = 1 | parent = 1)."""


@dataclass(eq=False, repr=False)
class TreeMixture(DensityModel):
    """p(s) = sum_k w_k prod_i p_k(s_i | s_parent(k, i)), by expectation-maximisation (Meila and Jordan 2000).

    Each step fits a Chow-Liu tree to the rows of every component. To these, its share of the data, come ``pseudocount``
    rows of independent variables at the mean rates. The objective, log-likelihood and log-prior, never falls.

    >>> rows = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, 1], [-1, -1, -1]] * 50)
    >>> model = TreeMixture(n_components=1).fit(rows)
    >>> np.exp(model.score_samples([[1, 1, 1], [1, -1, 1]])).round(2), model.n_parameters_
    (array([0.25, 0.  ]), 5)

    Args:
        n_components: number K of trees; the model has 2 K N - 1 parameters.
        pseudocount: number of rows added to each component.
        n_init: number of starts, of which the best after a few iterations is continued.
        tolerance: gain per iteration, in nats per row, below which the fit has converged.
        max_iter: largest number of iterations.
        random_state: seed or generator of the starts.

    Attributes:
        trees_: weights, falling, parents and conditional probabilities.
        objective_: log-likelihood and log-prior before every iteration, in nats per row.
        n_iter_, converged_: iterations used, and whether they were enough.
    """

    n_components: Any = 2
    pseudocount: Any = 1.0
    n_init: Any = 4
    tolerance: Any = 1e-5
    max_iter: Any = 500
    random_state: Any = 0

    def _fit(self, data: DistinctSpins) -> None:
        count = require_integer("n_components", self.n_components)
        starts = require_integer("n_init", self.n_init)
        problem = TreeProblem(data, require_positive("pseudocount", self.pseudocount))
        random = new_generator(self.random_state)
        if count == 1:
            starts = 1  # a single tree ends where it starts
        trials = (problem.start(count, random) for _ in range(starts))
        last, self.objective_, self.converged_ = climb(self, problem, trials)
        order = np.argsort(-last.weights, kind="stable")
        self.trees_ = Trees(*(values[order] for values in last))
        self.n_iter_ = len(self.objective_)
        self.n_parameters_ = 2 * count * data.spins.shape[1] - 1

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        parts = (active_variables(rows[first : first + ROWS]) for first in range(0, len(rows), ROWS))
        return np.concatenate([logsumexp(joint_logs(part, self.trees_), axis=0) for part in parts])

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        chosen = random.choice(len(self.trees_.weights), count, p=self.trees_.weights / self.trees_.weights.sum())
        active = np.zeros((count, self.n_features_in_), np.int8)
        for k, (order, parents, p) in enumerate(zip(*self.trees_[1:], strict=True)):
            own = np.flatnonzero(chosen == k)
            for i in order:
                active[own, i] = random.random(len(own)) < p[i, active[own, parents[i]]]
        return 2 * active - 1


@dataclass(eq=False, repr=False)
class ChowLiuTree(DensityModel):
    """p(s) = prod_i p(s_i | s_parent(i)), the likeliest tree (Chow and Liu 1968).

    It maximises the sum over its edges of their mutual information. To the rows come ``pseudocount`` of independent
    variables at the mean rates.

    >>> rows = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, 1], [-1, -1, -1]] * 50)
    >>> ChowLiuTree().fit(rows).trees_.parents[0, :2]
    array([0, 0], dtype=int32)

    Args:
        pseudocount: number of rows of independent variables that are added.

    Attributes:
        trees_: the tree, a mixture of one.
    """

    pseudocount: Any = 1.0

    def _fit(self, data: DistinctSpins) -> None:
        problem = TreeProblem(data, require_positive("pseudocount", self.pseudocount))
        self.trees_ = problem.fitted(np.ones((1, len(data.shares))))
        self.n_parameters_ = 2 * data.spins.shape[1] - 1

    _log_density = TreeMixture._log_density
    _draw = TreeMixture._draw


class TreeProblem:
    """Expectation-maximisation on distinct rows."""

    def __init__(self, data: DistinctSpins, pseudocount: float):
        self._active = active_variables(data.spins)
        self._shares, self._prior = data.shares, pseudocount / data.samples
        self._rates = probabilities_up(data.spins, data.weights)
        self._independent = np.outer(self._rates, self._rates)
        np.fill_diagonal(self._independent, self._rates)

    def start(self, count: int, random: np.random.Generator) -> Trees:
        """Return trees of rows that are divided half by their activity, half by chance."""
        rows = self._active.shape[1]
        noise = random.dirichlet(np.full(count, CONCENTRATION), rows).T
        ranks = np.argsort(np.argsort(self._active.sum(axis=0) + random.random(rows)))
        return self.fitted((noise + (ranks * count // rows == np.arange(count)[:, None])) / 2)

    def fitted(self, responsibilities: Float[np.ndarray, "trees rows"]) -> Trees:
        """Return the likeliest trees, given the probability of each for every row."""
        shared = responsibilities * self._shares
        return self._trees(shared.sum(axis=1), pair_sums(self._active, shared))

    def step(self, old: Trees) -> Step:
        """Return the objective of the old trees, and new ones of a higher objective."""
        totals = np.zeros(len(old.weights))
        sums = np.zeros((len(old.weights), *self._independent.shape))
        likelihood = 0.0
        for first in range(0, self._active.shape[1], ROWS):
            active, shares = self._active[:, first : first + ROWS], self._shares[first : first + ROWS]
            logs = joint_logs(active, old)
            evidence = logsumexp(logs, axis=0)
            likelihood += float(shares @ evidence)
            shared = shares * np.exp(logs - evidence)
            totals += shared.sum(axis=1)
            sums += pair_sums(active, shared)
        # ln p(s) is linear in x_i and x_i x_j, so that its mean over independent variables is its value at their rates.
        log_prior = float(joint_logs(self._rates[:, None], old).sum())
        return Step(likelihood + self._prior * log_prior, self._trees(totals, sums))

    def _trees(self, totals: Float[np.ndarray, " trees"], sums: PairLaws) -> Trees:
        """Return the likeliest trees of shares of the rows and sums of pairs over them, with the added rows."""
        grown = totals + self._prior
        pairs = np.minimum((sums + self._prior * self._independent) / grown[:, None, None], 1)  # up to rounding
        return Trees(grown / grown.sum(), *map(np.stack, zip(*map(chow_liu, pairs), strict=True)))


def active_variables(rows: Spins) -> ActiveVariables:
    """Return rows (M, N) as 1 and 0, shape (N, M): the variables of all rows lie side by side, which is fast to gather.

    >>> active_variables(np.array([[1, -1]], np.int8))
    array([[1.],
           [0.]])
    """
    return np.ascontiguousarray(rows.T > 0).astype(np.float64)


def pair_sums(active: ActiveVariables, shared: Float[np.ndarray, "trees rows"]) -> PairLaws:
    """Return sums of x_i x_j over rows, with the weights of every tree.

    >>> pair_sums(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[0.25, 0.25]])).tolist()
    [[[0.5, 0.25], [0.25, 0.25]]]
    """
    sums = np.empty((len(shared), len(active), len(active)))
    weighted = np.empty_like(active)
    for total, roots in zip(sums, np.sqrt(shared), strict=True):
        np.multiply(active, roots, out=weighted)
        np.matmul(weighted, weighted.T, out=total)  # of a matrix by itself NumPy computes one half
    return sums


def chow_liu(pairs: Float[np.ndarray, "variables variables"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return order, parents and probabilities of the likeliest tree, given P(x_i = 1, x_j = 1) > 0."""
    # An edge of length zero would be none.
    lengths = 1 + np.log(2) - mutual_informations(pairs)
    order, parents = breadth_first_order(minimum_spanning_tree(np.triu(lengths, 1)), 0, directed=False)
    parents[0] = 0
    p = np.diag(pairs).clip(ROUNDING, 1 - ROUNDING)
    both = pairs[np.arange(len(pairs)), parents]
    conditional = np.stack([(p - both) / (1 - p[parents]), both / p[parents]], axis=1)
    conditional[0] = p[0]
    # Of very many rows the added ones are lost in rounding.
    return order, parents, conditional.clip(ROUNDING, 1 - ROUNDING)


def mutual_informations(pairs: Float[np.ndarray, "variables variables"]) -> Float[np.ndarray, "variables variables"]:
    """Return I(x_i; x_j) in nats, given P(x_i = 1, x_j = 1); the diagonal is H(x_i).

    >>> mutual_informations(np.array([[0.5, 0.5], [0.5, 0.5]])).round(3)
    array([[0.693, 0.693],
           [0.693, 0.693]])
    """
    up = np.diag(pairs)
    down = 1 - up
    first_alone = np.maximum(up[:, None] - pairs, 0)
    entropies = entr(up) + entr(down)
    neither = np.maximum(down[:, None] - first_alone.T, 0)
    joint = entr(pairs) + entr(first_alone) + entr(first_alone.T) + entr(neither)
    return entropies[:, None] + entropies - joint


def joint_logs(active: ActiveVariables, trees: Trees) -> Float[np.ndarray, "trees rows"]:
    """Return ln w_k p_k(s) of every row."""
    on = np.log(trees.probabilities)
    off = np.log1p(-trees.probabilities)
    couplings = on[..., 1] - on[..., 0] - off[..., 1] + off[..., 0]
    fields = on[..., 0] - off[..., 0]
    constants = np.log(trees.weights) + off[..., 0].sum(axis=1)
    logs = np.empty((len(trees.weights), active.shape[1]))
    for k, parents in enumerate(trees.parents):
        np.add.at(fields[k], parents, off[k, :, 1] - off[k, :, 0])
        inputs = couplings[k, :, None] * active[parents] + fields[k, :, None]
        logs[k] = constants[k] + (inputs * active).sum(axis=0)
    return logs
