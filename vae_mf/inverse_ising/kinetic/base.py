"""Contract of an estimator of the kinetic Ising model, whose spins are all updated at once.

P(s_i(t+1) | s(t)) = exp(s_i(t+1) theta_i(t)) / 2cosh theta_i(t),    theta_i(t) = h_i(t) + sum_j J_ij s_j(t).

Couplings run from j to i and need be neither symmetric nor free of self-couplings. A concrete estimator answers
``_estimate(transitions) -> Estimate``; validation, attributes, score and simulation are here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int8
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import plain_array, require_integer
from vae_mf.inverse_ising.base import (
    MATRICES,
    Estimate,
    checked_spins,
    encoded,
    new_generator,
    refuse_constant_spins,
    refuse_words,
    require_sites,
    store_estimate,
    warn_light,
)
from vae_mf.inverse_ising.intervals import KnowsIntervals, p_values, stepped_up
from vae_mf.inverse_ising.sparse_input import TakesSparse

Trajectories = Int8[np.ndarray, "repeats times sites"]
StepWeights = Float[np.ndarray, "repeats steps"]
"""Number of times that each transition counts."""
GroupFields = Float[np.ndarray, "groups sites"]
"""One field per spin and group of transitions that share it."""
ROWS = 2**12
"""Number of transitions that are converted to floating point at once and stay in the cache."""


class Block(NamedTuple):
    """Some transitions in floating point, all rows of whole groups or some rows of one group."""

    groups: slice
    before: Float[np.ndarray, "groups rows sites"]
    after: Float[np.ndarray, "groups rows sites"]
    weights: Float[np.ndarray, "groups rows 1"]


class Transitions(NamedTuple):
    """Steps from s(t) to s(t+1), grouped by their fields: G = 1 group if fields are constant, else one per step."""

    before: Int8[np.ndarray, "groups rows sites"]
    after: Int8[np.ndarray, "groups rows sites"]
    weights: Float[np.ndarray, "groups rows"]
    """Number of times that each transition counts."""

    @property
    def counts(self) -> Float[np.ndarray, "groups 1"]:
        """Sum of the weights in every group, which counts as the number of its transitions."""
        return self.weights.sum(axis=1, keepdims=True)

    def blocks(self, dtype: type = np.float32) -> Iterator[Block]:
        """Yield all transitions in floating point, about `ROWS` rows at a time."""
        groups, rows = self.before.shape[:2]
        wide = max(1, ROWS // rows)
        for first in range(0, groups, wide):
            for row in range(0, rows, ROWS):
                part = slice(first, min(first + wide, groups)), slice(row, row + ROWS)
                weights = self.weights[part].astype(dtype)[..., None]
                yield Block(part[0], self.before[part].astype(dtype), self.after[part].astype(dtype), weights)


@dataclass(eq=False, repr=False)
class KineticIsing(TakesSparse, KnowsIntervals, BaseEstimator):
    """Base of all estimators of the kinetic Ising model.

    Args:
        time_dependent: True if every step has fields of its own, which several repeats must share.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.

    Attributes:
        couplings_: J, shape (N, N), J_ij from j to i.
        fields_: h, shape (N,), or (steps, N) if time dependent, h(t) acting between s(t) and s(t+1).
        n_iter_: number of iterations.
        converged_: True if they reached the tolerance; a `ConvergenceWarning` is issued otherwise.
        couplings_error_, fields_error_: standard errors, only where theory gives them.
        n_features_in_: N.
        feature_names_in_: names of the spins, of a table (times, N).
    """

    time_dependent: Any = False
    encoding: Any = "spin"

    def fit(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> "KineticIsing":
        """Infer couplings and fields.

        Args:
            trajectories: shape (times, N), or (repeats, times, N), repeats being independent.
            sample_weight: shape (repeats, times - 1), how often each transition counts; (repeats,) for all those of a
                repeat, (times - 1,) for those of a single trajectory.

        Raises:
            ValueError: if values, shapes or options are wrong, or a spin is constant, after the first time if fields
                are.
        """
        paths = named_trajectories(self, trajectories, self.encoding, reset=True)
        sites = paths.shape[2]
        groups = paths.shape[1] - 1 if self.time_dependent else 1
        require_sites(self, sites, 8 * sites**2 * (MATRICES + groups))
        weights = step_weights(paths, sample_weight)
        warn_light(weights.ravel(), sites)
        refuse_constant_spins(counted_spins(paths, weights))
        if not self.time_dependent:
            refuse_constant_spins(paths[:, 1:][weights > 0])
        estimate = self._estimate(transitions(paths, weights, self.time_dependent))
        return store_estimate(self, estimate if self.time_dependent else without_time(estimate))

    def _estimate(self, data: Transitions) -> Estimate:
        """Return the estimate, fields having shape (G, N)."""
        raise NotImplementedError

    def score(self, trajectories: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of ln P(s_i(t+1) | s(t)) over spins, steps and repeats, in nats.

        Raises:
            ValueError: if the trajectories do not have the spins, or the steps, of those fitted.
        """
        check_is_fitted(self)
        paths = named_trajectories(self, trajectories, self.encoding, reset=False)
        if self.time_dependent and paths.shape[1] != len(self.fields_) + 1:
            raise ValueError(
                f"trajectories: expected the {len(self.fields_) + 1} times that were fitted, got {paths.shape[1]}"
            )
        data = transitions(paths, step_weights(paths, sample_weight), self.time_dependent)
        return log_likelihood(data, self.couplings_, np.atleast_2d(self.fields_))

    def significant_couplings(self, false_discoveries: float = 0.05) -> Bool[np.ndarray, "sites sites"]:
        """Return True for couplings that differ from zero, of which at most this share is expected to be false."""
        chances = p_values(self.couplings_.ravel(), self._couplings_error().ravel())
        return stepped_up(chances, false_discoveries).reshape(self.couplings_.shape)

    def simulate(self, steps: int, repeats: int = 1, start: Any = None, random_state: Any = None) -> np.ndarray:
        """Return trajectories of the fitted model.

        Args:
            steps: number of transitions; with time-dependent fields at most as many as were fitted.
            start: s(0), shape (N,) or (repeats, N), in the estimator's encoding; random if None.

        Returns:
            Array (repeats, steps + 1, N), int8, in the estimator's encoding.
        """
        check_is_fitted(self)
        require_integer("steps", steps)
        require_integer("repeats", repeats)
        if self.time_dependent and steps > len(self.fields_):
            raise ValueError(f"steps: expected at most the {len(self.fields_)} that have fields, got {steps}")
        random = new_generator(random_state)
        shape = (repeats, self.fields_.shape[-1])
        first = random.choice(np.array([-1, 1], np.int8), shape)
        if start is not None:
            given = np.asarray(start)
            if given.shape not in (shape, shape[1:]):
                raise ValueError(f"start: expected shape {shape[1:]} or {shape}, got {given.shape}")
            first = np.broadcast_to(checked_spins(given, self.encoding), shape)
        fields = np.broadcast_to(np.atleast_2d(self.fields_)[:steps], (steps, shape[1]))
        return encoded(trajectories_from(first, self.couplings_, fields, random), self.encoding)


def checked_trajectories(values: Any, encoding: str) -> Trajectories:
    """Return trajectories given by a user as int8 spins (repeats, times, N).

    >>> checked_trajectories([[0, 1], [1, 1]], "01").shape
    (1, 2, 2)

    Raises:
        ValueError: if they have another number of axes, fewer than two times, or values of another encoding.
    """
    refuse_words("trajectories", values, "code them as -1 and 1, or as 0 and 1 with encoding='01'")
    array = check_array(
        plain_array(values), dtype="numeric", allow_nd=True, ensure_min_samples=1, input_name="trajectories"
    )
    if array.ndim not in (2, 3) or array.shape[-2] < 2:
        raise ValueError(
            "trajectories: expected (times, N) or (repeats, times, N) with more than 1 sample in time, got shape "
            f"{array.shape}"
        )
    return checked_spins(array if array.ndim == 3 else array[None], encoding)


def named_trajectories(estimator: BaseEstimator, values: Any, encoding: str, reset: bool) -> Trajectories:
    """Return trajectories given to an estimator, and keep the names and number of their spins, or compare with these.

    Args:
        reset: True to keep them, False to compare.

    Raises:
        ValueError: if trajectories are wrong (`checked_trajectories`) or do not have the spins of those fitted.
    """
    _check_feature_names(estimator, values, reset=reset)
    paths = checked_trajectories(values, encoding)
    if reset:
        estimator.n_features_in_ = paths.shape[2]
    elif paths.shape[2] != estimator.n_features_in_:
        raise ValueError(
            f"X has {paths.shape[2]} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} "
            "features as input: give the spins that were fitted"
        )
    return paths


def step_weights(paths: Trajectories, sample_weight: Any) -> StepWeights:
    """Return the weight of every transition of trajectories, all 1 for None.

    >>> step_weights(np.ones((2, 3, 4), np.int8), [1, 2])
    array([[1., 1.],
           [2., 2.]])

    Raises:
        ValueError: if the shape is none of `KineticIsing.fit`, a weight is negative or not finite, or all are zero.
    """
    repeats = len(paths)
    steps = paths.shape[1] - 1
    if sample_weight is None:
        return np.ones((repeats, steps))
    weights = check_array(plain_array(sample_weight), ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape not in ((repeats, steps), (repeats,)) and not (repeats == 1 and weights.shape == (steps,)):
        raise ValueError(
            f"sample_weight: expected one for each of {steps} transitions of {repeats} trajectories, shape "
            f"{(repeats, steps)}, or one for each trajectory, shape {(repeats,)}, got shape {weights.shape}"
        )
    if weights.min() < 0:
        raise ValueError(f"sample_weight: expected none below zero, got negative ones such as {weights.min():g}")
    if weights.max() == 0:
        raise ValueError("sample_weight: expected a positive total, got all sample weights zero")
    return np.broadcast_to(weights[:, None] if weights.shape == (repeats,) else weights, (repeats, steps))


def counted_spins(paths: Trajectories, weights: StepWeights) -> Spins:
    """Return the configurations that stand in a transition of positive weight.

    >>> len(counted_spins(np.ones((1, 4, 2), np.int8), np.array([[1.0, 0.0, 0.0]])))
    2
    """
    used = np.pad(weights > 0, [(0, 0), (0, 1)])
    used[:, 1:] |= weights > 0
    return paths[used]


def transitions(paths: Trajectories, weights: StepWeights, time_dependent: bool) -> Transitions:
    """Return the transitions of trajectories, in one group or in one per step.

    >>> transitions(np.ones((5, 4, 2), np.int8), np.ones((5, 3)), time_dependent=True).before.shape
    (3, 5, 2)
    """
    parts = paths[:, :-1], paths[:, 1:], weights
    if not time_dependent:
        return Transitions(*(part.reshape(1, -1, *part.shape[2:]) for part in parts))
    counted = (weights > 0).sum(axis=0)
    if counted.min() < 2:
        raise ValueError(
            "trajectories: expected several repeats of every step, to tell fields that depend on time, got "
            f"{counted.min()} of step {counted.argmin()}"
        )
    return Transitions(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in parts))


def without_time(estimate: Estimate) -> Estimate:
    """Return an estimate whose fields, of one group, have lost the axis of groups."""
    errors = estimate.fields_error
    return estimate._replace(fields=estimate.fields[0], fields_error=None if errors is None else errors[0])


def log_likelihood(data: Transitions, couplings: Couplings, fields: GroupFields) -> float:
    """Return the mean of ln P(s_i(t+1) | s(t)) = -ln(1 + exp(-2 s_i(t+1) theta_i(t))) over spins and transitions.

    >>> paths = np.array([[[1, -1], [1, 1]]], np.int8)
    >>> round(log_likelihood(transitions(paths, np.ones((1, 1)), False), np.zeros((2, 2)), np.zeros((1, 2))), 6)
    -0.693147
    """
    total = 0.0
    for groups, before, after, weights in data.blocks():
        theta = before @ couplings.T + fields[groups, None]
        total -= (weights * np.logaddexp(0.0, -2 * after * theta)).sum(dtype=np.float64)
    return float(total / data.counts.sum() / data.before.shape[2])


def trajectories_from(
    start: Int8[np.ndarray, "repeats sites"],
    couplings: Couplings,
    fields: Float[np.ndarray, "steps sites"],
    random: np.random.Generator,
) -> Trajectories:
    """Return trajectories of the model from given starts; the uniform number u sets s_i = +1 if u < P(+1)."""
    paths = np.empty((len(start), len(fields) + 1, start.shape[1]), np.int8)
    paths[:, 0] = start
    for step, field in enumerate(fields):
        tangent = np.tanh(paths[:, step] @ couplings.T + field)
        paths[:, step + 1] = np.where(2 * random.random(tangent.shape) < 1 + tangent, 1, -1)
    return paths
