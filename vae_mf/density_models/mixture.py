"""Mixtures of independent variables, a latent variable model whose latent is discrete."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods, bernoulli
from vae_mf.density_models.expectation_maximisation import Step, climb
from vae_mf.inverse_ising.base import new_generator
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import probabilities_up

ROWS = 2**13
"""Number of rows whose responsibilities are held at once and stay in the cache."""
TILT = 0.3
"""Share of the way from the mean row to a row of the data at which a component starts."""


class BernoulliComponents(NamedTuple):
    """Parameters of a mixture of M components."""

    weights: Float[np.ndarray, " components"]
    probabilities: Float[np.ndarray, "components variables"]


@dataclass(eq=False, repr=False)
class BernoulliMixture(DensityModel):
    """p(s) = sum_k w_k prod_i p_ki^[s_i = 1] (1 - p_ki)^[s_i = -1], by expectation-maximisation.

    Every component gets, beside its share of the data, ``pseudocount`` rows at the mean rates: a Beta prior
    of p_ki and a Dirichlet prior of w. The objective, log-likelihood and log-prior, never falls.

    >>> rows = np.repeat([[1, 1, 1], [-1, -1, -1]], [60, 20], axis=0)
    >>> model = BernoulliMixture(n_components=2).fit(rows)
    >>> model.weights_.round(2), model.probabilities_.round(1)
    (array([0.74, 0.26]), array([[1., 1., 1.],
           [0., 0., 0.]]))

    Args:
        n_components: number M of components; the model has M (N + 1) - 1 parameters.
        pseudocount: number of rows added to each component.
        n_init: number of starts, of which the best after a few iterations is continued.
        tolerance: gain per iteration, in nats per row, below which the fit has converged.
        max_iter: largest number of iterations.
        random_state: seed or generator of the starts.

    Attributes:
        weights_: w_k, shape (M,), falling.
        probabilities_: p_ki, shape (M, N).
        objective_: log-likelihood and log-prior before every iteration, in nats per row.
        n_iter_, converged_: iterations used, and whether they were enough.
    """

    n_components: Any = 8
    pseudocount: Any = 1.0
    n_init: Any = 4
    tolerance: Any = 1e-5
    max_iter: Any = 500
    random_state: Any = 0

    def _fit(self, data: DistinctSpins) -> None:
        count = require_integer("n_components", self.n_components)
        starts = require_integer("n_init", self.n_init)
        problem = MixtureProblem(data, require_positive("pseudocount", self.pseudocount))
        random = new_generator(self.random_state)
        trials = (problem.start(count, random) for _ in range(starts if count > 1 else 1))
        last, self.objective_, self.converged_ = climb(self, problem, trials)
        order = np.argsort(-last.weights, kind="stable")
        self.weights_, self.probabilities_ = (values[order] for values in last)
        self.n_iter_ = len(self.objective_)
        self.n_parameters_ = count * (data.spins.shape[1] + 1) - 1

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        components = BernoulliComponents(self.weights_, self.probabilities_)
        blocks = ((rows[first : first + ROWS] > 0).astype(np.float64) for first in range(0, len(rows), ROWS))
        return np.concatenate([logsumexp(joint_logs(block, components), axis=0) for block in blocks])

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        chosen = random.choice(len(self.weights_), count, p=self.weights_ / self.weights_.sum())
        return bernoulli(self.probabilities_[chosen], random)


class MixtureProblem:
    """Expectation-maximisation on distinct rows."""

    def __init__(self, data: DistinctSpins, pseudocount: float):
        self._active = (data.spins > 0).astype(np.float32)
        self._shares, self._prior = data.shares, pseudocount / data.samples
        self._rates = probabilities_up(data.spins, data.weights)

    def start(self, count: int, random: np.random.Generator) -> BernoulliComponents:
        """Return ``count`` components between the mean row and rows of the data."""
        if count == 1:
            return BernoulliComponents(np.ones(1), self._rates[None])
        rows = self._active[random.choice(len(self._active), count, p=self._shares)]
        return BernoulliComponents(np.full(count, 1 / count), self._rates + TILT * (rows - self._rates))

    def step(self, old: BernoulliComponents) -> Step:
        """Return the objective of the old components, and new ones of a higher objective."""
        totals = np.zeros(len(old.weights))
        sums = np.zeros(old.probabilities.shape)
        likelihood = 0.0
        for first in range(0, len(self._active), ROWS):
            active, shares = self._active[first : first + ROWS], self._shares[first : first + ROWS]
            logs = joint_logs(active, old)
            top = logs.max(axis=0)
            shared = np.exp(logs - top)
            evidence = shared.sum(axis=0)
            likelihood += float(shares @ (np.log(evidence) + top))
            shared *= (shares / evidence).astype(np.float32)
            totals += shared.sum(axis=1, dtype=np.float64)
            sums += shared @ active
        # Sums in single precision may pass the whole by their rounding, and a constant variable its probability 1.
        sums = np.minimum(sums, totals[:, None])
        grown = totals + self._prior
        new = BernoulliComponents(grown / grown.sum(), (sums + self._prior * self._rates) / grown[:, None])
        return Step(likelihood + self._log_prior(old), new)

    def _log_prior(self, components: BernoulliComponents) -> float:
        """Return the log-prior per row, without the constant of its normalisation."""
        weights, p = components
        fields = self._rates @ np.log(p).T + (1 - self._rates) @ np.log1p(-p).T
        return self._prior * float((np.log(weights) + fields).sum())


def joint_logs(
    active: Float[np.ndarray, "rows variables"], components: BernoulliComponents
) -> Float[np.ndarray, "components rows"]:
    """Return ln w_k p_k(s) of every row, given as 0 and 1, in the precision of the rows."""
    weights, p = components
    silent = np.log1p(-p)
    offsets = np.log(weights) + silent.sum(axis=1)
    return (np.log(p) - silent).astype(active.dtype) @ active.T + offsets[:, None].astype(active.dtype)
