"""Kinetic Ising models some of whose spins are never seen, by expectation maximisation with a mean-field posterior.

With x(t) = (s(t), sigma(t)) the visible spins followed by the hidden ones, all spins k follow the kinetic model with
theta_k(t) = h_k + sum_j J_kj x_j(t). The posterior of sigma given s is taken as independent over spins and times, with
means mu_a(t) (Dunn and Roudi 2013; the equations here keep each spin's effect on its own posterior exact):

mu_a(t) = tanh(theta_a(t-1) + sum_k [J_ka x_k(t+1) - artanh(tanh J_ka tanh(theta_k(t) - J_ka mu_a(t)))]),

other hidden spins in x at their means. In the expected log likelihood theta_k has variance
sigma_k^2 = sum_a J_ka^2 (1 - mu_a^2), and <ln 2cosh theta_k> is the mean of ln 2cosh at plus and minus sigma_k.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from vae_mf.checks import require_fraction, require_integer, require_non_negative, require_positive, shown
from vae_mf.inverse_ising.base import Estimate, encoded, refuse_constant_spins, store_estimate
from vae_mf.inverse_ising.kinetic.base import KineticIsing, Trajectories, named_trajectories, step_weights
from vae_mf.inverse_ising.kinetic.hidden_filter import (
    MOST_HIDDEN,
    AllCouplings,
    AllFields,
    filtered_log_likelihood,
)
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points, Stopping, minimise
from vae_mf.inverse_ising.sparse_input import TakesSparse

Paths = Float[np.ndarray, "repeats times spins"]
"""Means of all spins, hidden ones last; visible ones are -1 or +1."""
PathWeights = Float[np.ndarray, " repeats"]
"""Number of times that each trajectory counts."""
STEPS_PER_ROUND = 4
"""Ascent steps in each maximisation; more would chase a posterior that is about to change."""
SWEEPS_PER_ROUND = 2
TOLERANCE = 1e-6
"""Largest entry of the gradient at which a maximisation ends before its steps are used up."""
LARGEST_MEAN = 1 - 1e-9


class HiddenKineticIsing(KineticIsing):
    """Kinetic Ising model with hidden spins.

    Hidden spins are known up to their order and sign: they come by decreasing strength of their effect on the visible
    ones, and the sum of each one's couplings to those is positive. Zero hidden spins are plain maximum likelihood.

    Source: Dunn and Roudi 2013; here each spin's effect on its own posterior is exact.

    >>> spins = np.random.default_rng(0).choice([-1, 1], (5, 40, 2))
    >>> fit = HiddenKineticIsing(hidden=1).fit(spins)
    >>> fit.couplings_.shape, fit.fields_.shape, fit.hidden_means_.shape
    ((3, 3), (3,), (5, 40, 1))

    Args:
        hidden: number of hidden spins.
        l2: penalty of couplings, as for `KineticMaximumLikelihood`.
        tolerance: largest change of a coupling in one round at which the iteration has converged.
        max_iter: largest number of rounds of expectation and maximisation.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.

    Attributes:
        couplings_, fields_: J and h of all spins, the hidden ones last, shapes (N + hidden, N + hidden) and
            (N + hidden,).
        hidden_means_: posterior means mu, shape (repeats, times, hidden).
        n_features_in_: number N of visible spins.
    """

    def __init__(
        self, hidden: Any = 1, l2: Any = 4.0, tolerance: Any = 1e-3, max_iter: Any = 300, encoding: Any = "spin"
    ):
        super().__init__(encoding=encoding)
        self.hidden = hidden
        self.l2 = l2
        self.tolerance = tolerance
        self.max_iter = max_iter

    def fit(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> "HiddenKineticIsing":
        """Infer couplings and fields of all spins.

        Args:
            trajectories: shape (times, N), or (repeats, times, N), repeats being independent.
            sample_weight: shape (repeats,), how often each trajectory counts: a transition alone cannot have a weight,
                for the posterior of hidden spins rests on those before and after.
        """
        paths = named_trajectories(self, trajectories, self.encoding, reset=True)
        weights = path_weights(paths, sample_weight)
        refuse_constant_spins(paths[weights > 0, 1:].reshape(-1, paths.shape[2]))
        hidden = require_integer("hidden", self.hidden, minimum=0)
        if hidden > paths.shape[2]:
            raise ValueError(f"hidden: expected at most the number of visible spins {paths.shape[2]}, got {hidden}")
        l2 = require_non_negative("l2", self.l2)
        tolerance = require_positive("tolerance", self.tolerance)
        limit = require_integer("max_iter", self.max_iter)
        found = expectation_maximisation(paths, weights, hidden, l2, tolerance, limit)
        self.hidden_means_ = found.means
        return store_estimate(self, found.estimate)

    def score(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log likelihood of the visible spins per spin and step, hidden ones summed over exactly.

        Raises:
            ValueError: with more than 8 hidden spins, whose states are too many, or other visible spins than fitted.
        """
        check_is_fitted(self)
        paths = named_trajectories(self, trajectories, self.encoding, reset=False)
        return filtered_log_likelihood(paths, path_weights(paths, sample_weight), self.couplings_, self.fields_)

    def simulate(self, steps: int, repeats: int = 1, start: Any = None, random_state: Any = None) -> np.ndarray:
        """Return trajectories (repeats, steps + 1, N) of the visible spins; see `KineticIsing.simulate`.

        Raises:
            ValueError: if a start is given, for hidden spins would need one too.
        """
        if start is not None:
            raise ValueError("start: expected None with hidden spins, got a configuration")
        return super().simulate(steps, repeats, None, random_state)[:, :, : self.n_features_in_]


@dataclass(eq=False, repr=False)
class HiddenKineticIsingCV(TakesSparse, BaseEstimator):
    """Kinetic Ising model whose number of hidden spins is the one of largest held-out likelihood.

    >>> spins = np.random.default_rng(0).choice([-1, 1], (5, 40, 2))
    >>> fit = HiddenKineticIsingCV(candidates=(0, 1)).fit(spins)
    >>> fit.hidden_, fit.scores_.shape
    (0, (2,))

    Args:
        estimator: a `HiddenKineticIsing` whose ``hidden`` is to be chosen, or None for one with default options.
        candidates: numbers of hidden spins to try.
        held_out: fraction of every trajectory, its end, that scores the candidates.

    Attributes:
        scores_: held-out log likelihood per visible spin and step of every candidate, in nats.
        hidden_: the chosen number.
        best_estimator_: estimator with this number, fitted to all data.
        n_features_in_: number N of visible spins.
    """

    estimator: Any = None
    candidates: Any = (0, 1, 2, 3)
    held_out: Any = 0.25

    def fit(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> "HiddenKineticIsingCV":
        """Score every candidate and fit the best one to all trajectories; arguments as of `HiddenKineticIsing.fit`."""
        model = HiddenKineticIsing() if self.estimator is None else self.estimator
        if not isinstance(model, HiddenKineticIsing):
            raise ValueError(f"estimator: expected a HiddenKineticIsing, got {shown(model)}")
        candidates = [require_integer("candidates", each, minimum=0) for each in self.candidates]
        if not candidates or max(candidates) > MOST_HIDDEN:
            raise ValueError(
                f"candidates: expected one or more numbers up to {MOST_HIDDEN}, got {shown(self.candidates)}"
            )
        values = encoded(named_trajectories(self, trajectories, model.encoding, reset=True), model.encoding)
        times = values.shape[-2]
        cut = round((1 - require_fraction("held_out", self.held_out)) * times)
        if not 2 <= cut <= times - 2:
            raise ValueError(
                f"held_out: expected a share that leaves two times on either side, got {self.held_out!r} of {times}"
            )
        early, late = values[..., :cut, :], values[..., cut:, :]
        fits = [clone(model).set_params(hidden=hidden).fit(early, sample_weight=sample_weight) for hidden in candidates]
        self.scores_ = np.array([fitted.score(late, sample_weight=sample_weight) for fitted in fits])
        self.hidden_ = candidates[int(self.scores_.argmax())]
        self.best_estimator_ = clone(model).set_params(hidden=self.hidden_).fit(values, sample_weight=sample_weight)
        return self

    def score(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the score of the best estimator."""
        check_is_fitted(self)
        encoding = self.best_estimator_.encoding
        paths = named_trajectories(self, trajectories, encoding, reset=False)
        return self.best_estimator_.score(encoded(paths, encoding), sample_weight=sample_weight)


def path_weights(paths: Trajectories, sample_weight: Any) -> PathWeights:
    """Return the weight of every trajectory, all 1 for None.

    >>> path_weights(np.ones((2, 3, 4), np.int8), [1, 2])
    array([1., 2.])

    Raises:
        ValueError: if there is not one for each, or as `step_weights` does.
    """
    shape = (len(paths),) if sample_weight is None else np.asarray(sample_weight).shape
    if shape != (len(paths),):
        raise ValueError(
            f"sample_weight: expected one for each of {len(paths)} trajectories, got shape {shape}; a transition has "
            "none of its own where spins are hidden"
        )
    return step_weights(paths, sample_weight)[:, 0]


class Found(NamedTuple):
    """Result of expectation maximisation."""

    estimate: Estimate
    means: Paths
    """Posterior means of the hidden spins."""


def expectation_maximisation(
    paths: Trajectories, weights: PathWeights, hidden: int, l2: float, tolerance: float, limit: int
) -> Found:
    """Alternate posterior means and ascent steps until no coupling changes by more than the tolerance."""
    visible = paths.shape[2]
    couplings, fields, means = first_guess(paths, weights, hidden, l2)
    x = np.concatenate([paths.astype(np.float64), means], axis=2)
    change, rounds = np.inf if hidden else 0.0, 0
    while rounds < limit and change > tolerance:
        for _ in range(SWEEPS_PER_ROUND):
            update_posterior(x, couplings, fields, visible)
        new, fields = maximised(x, weights, couplings, fields, visible, l2)
        change = np.abs(new - couplings).max()
        couplings = new
        rounds += 1
    order, signs = canonical_gauge(couplings, visible)
    couplings = (signs[:, None] * couplings * signs)[np.ix_(order, order)]
    estimate = Estimate(couplings, (signs * fields)[order], max(rounds, 1), bool(change <= tolerance))
    return Found(estimate, (x * signs)[:, :, order[visible:]])


class Guess(NamedTuple):
    """Start of expectation maximisation."""

    couplings: AllCouplings
    fields: AllFields
    means: Paths


def first_guess(paths: Trajectories, weights: PathWeights, hidden: int, l2: float) -> Guess:
    """Return the fit without hidden spins, and hidden means from the principal components of its residuals.

    A hidden spin moves all the residuals s(t+1) - tanh theta(t) that it acts on together.
    """
    plain = KineticMaximumLikelihood(l2=l2, standard_errors=False).fit(paths, sample_weight=weights)
    repeats, times, visible = paths.shape
    residuals = paths[:, 1:] - np.tanh(paths[:, :-1] @ plain.couplings_.T + plain.fields_)
    _, vectors = np.linalg.eigh(np.tensordot(weights[:, None, None] * residuals, residuals, axes=((0, 1), (0, 1))))
    loadings = vectors[:, ::-1][:, :hidden]
    means = np.zeros((repeats, times, hidden))
    means[:, :-1] = np.tanh(residuals @ loadings)
    couplings = np.zeros((visible + hidden, visible + hidden))
    couplings[:visible, :visible] = plain.couplings_
    couplings[:visible, visible:] = loadings
    return Guess(couplings, np.r_[plain.fields_, np.zeros(hidden)], means)


def update_posterior(x: Paths, couplings: AllCouplings, fields: AllFields, visible: int) -> None:
    """Update the posterior means x[:, :, visible:] in place, even times first, one hidden spin after the other."""
    times = x.shape[1]
    for parity in (0, 1):
        here = np.arange(parity, times, 2)
        past = here - 1
        future = np.minimum(here + 1, times - 1)
        for a in range(visible, x.shape[2]):
            column, own = couplings[:, a], x[:, here, a]
            theta = x[:, here] @ couplings.T + fields
            cavity = np.tanh(theta - own[:, :, None] * column)
            evidence = x[:, future] @ column - np.arctanh(np.tanh(column) * cavity).sum(axis=2)
            prior = x[:, past] @ couplings[a] + fields[a]
            # Nothing precedes the first time, and nothing follows the last.
            total = np.where(past >= 0, prior, 0.0) + np.where(here < times - 1, evidence, 0.0)
            x[:, here, a] = np.clip(np.tanh(total), -LARGEST_MEAN, LARGEST_MEAN)


class Maximum(NamedTuple):
    """Parameters after some steps towards the largest expected log likelihood."""

    couplings: AllCouplings
    fields: AllFields


def maximised(
    x: Paths, weights: PathWeights, couplings: AllCouplings, fields: AllFields, visible: int, l2: float
) -> Maximum:
    """Return parameters of larger expected log likelihood, given the posterior means."""
    start = np.vstack([couplings.T, fields])
    found = minimise(ExpectedRegression(x, weights, visible, l2), start, Stopping(TOLERANCE, STEPS_PER_ROUND)).points
    return Maximum(found[:-1].T.copy(), found[-1])


class ExpectedRegression:
    """Minus the mean expected log likelihood of every spin, of parameters (spins + 1, spins): J_k1 ... and h_k."""

    def __init__(self, x: Paths, weights: PathWeights, visible: int, l2: float):
        spins = x.shape[2]
        before = x[:, :-1].reshape(-1, spins)
        self._after = x[:, 1:].reshape(-1, spins)
        self._rows = np.hstack([before, np.ones((len(before), 1))])
        self._decay = l2 * np.r_[np.ones(spins), 0.0]
        self._uncertain = slice(visible, spins)
        self._doubt = 1 - before[:, visible:] ** 2
        self._weights = np.repeat(weights, x.shape[1] - 1)
        self._count = self._weights.sum()
        doubt = np.r_[np.zeros(visible), self._weights @ self._doubt, 0.0]
        curvature = (self._weights * self._rows.T) @ self._rows + np.diag(self._decay + doubt)
        self._inverse = self._count * np.linalg.pinv(curvature, hermitian=True)

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return objectives and gradients of the spins ``columns``."""
        theta, after, uncertain = self._rows @ points, self._after[:, columns], points[self._uncertain]
        spread = np.sqrt(np.maximum(self._doubt @ uncertain**2, 1e-12))
        up, down = theta + spread, theta - spread
        values = self._weights @ ((np.logaddexp(up, -up) + np.logaddexp(down, -down)) / 2 - after * theta)
        up = np.tanh(up)
        down = np.tanh(down)
        weights = self._weights[:, None]
        gradients = self._rows.T @ (weights * ((up + down) / 2 - after)) + self._decay[:, None] * points
        gradients[self._uncertain] += uncertain * (self._doubt.T @ (weights * (up - down) / (2 * spread)))
        values += self._decay @ points**2 / 2
        return Evaluation(values / self._count, gradients / self._count)

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return the inverse Hessian at zero couplings times each gradient."""
        return self._inverse @ gradients


class Gauge(NamedTuple):
    """Order and signs of all spins."""

    order: np.ndarray
    signs: np.ndarray


def canonical_gauge(couplings: AllCouplings, visible: int) -> Gauge:
    """Return the order of hidden spins by decreasing effect on visible ones, and signs that make its sum positive."""
    effects = couplings[:visible, visible:]
    order = np.r_[np.arange(visible), visible + np.argsort(-(effects**2).sum(axis=0), kind="stable")]
    return Gauge(order, np.r_[np.ones(visible), np.where(effects.sum(axis=0) < 0, -1.0, 1.0)])
