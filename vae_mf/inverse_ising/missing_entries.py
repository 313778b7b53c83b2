"""Couplings from rows with missing entries, by stochastic expectation maximisation around any estimator."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int8
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.utils import Tags

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_integer, require_memory
from vae_mf.inverse_ising.base import Estimate, InverseIsing, encoded, new_generator, warn_convergence
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.intervals import Unshrunk, without_prior
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.inverse_ising.solvers.incomplete_rows import completed

ROOM = 1.5
"""Factor for the error of a drift's own scale."""
CHANCE = 1e-3
"""Probability below which a difference between the halves of the fits is a drift."""
SHORTEST, START_LEFT = 10, 0.02
"""Least number of fits before those that count, and the share of the distance to the first one that they leave."""
LEAST_SEEN, RARE = 0.02, 0.1
"""Bound and quantile of the share of rows that have both spins of a pair."""
Sequence = Float[np.ndarray, "fits *shape"]


@dataclass(eq=False, repr=False)
class MissingEntries(InverseIsing):
    """Fit an estimator to rows with missing entries, NaN, by stochastic expectation maximisation (Celeux 1985).

    In turn the missing entries of every row are drawn from p(missing | observed) under the present couplings, and the
    couplings are those of the estimator for the completed rows. The result is the mean over the fits after a burn-in:
    the maximum of the likelihood of the observed entries where the estimator is one of maximum likelihood, and the root
    of the mean estimating equation of another one, such as pseudo-likelihood. Without missing entries it is the
    estimator itself.

    It is right if entries are missing at random: by chance, or for reasons that the observed entries of the row tell.
    If an entry is missing because of its own value (those who would vote no stay away), neither this nor any method
    that uses only the observed entries can know, and the couplings are biased.

    The variance of a coupling is that from completed rows plus G_0 + G_1, variance and first autocovariance of the
    sequence of fits: with F the share of information that is missing, these are I_c^-1 F (1 - F)^-1, which together
    with I_c^-1 is the inverse of the observed information I_c (1 - F) (Nielsen 2000). It is never below
    1 / (M_ij + l2), M_ij the number of rows that have both spins of the pair.

    >>> rows = np.array([[1, 1], [-1, -1]] * 60 + [[1, -1], [-1, 1], [np.nan, -1]] * 20, float)
    >>> MissingEntries().fit(rows).couplings_.round(1)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        estimator: any estimator of couplings and fields, or None for pseudo-likelihood with standard errors. Rows reach
            it as spins -1 and +1, whatever the encoding.
        fits: number of fits whose mean is the result, ten or more.
        burn_in: number of fits before these, or "auto" for as many as leave 2 % of the distance to independent spins,
            which each fit shortens by the share of rows that have both spins of a pair, or more.
        random_state: seed or generator of the draws.

    Attributes:
        estimator_: the last fit.
        missing_: share of the entries that were missing.
        couplings_error_, fields_error_: where the estimator has them.
        n_iter_: number of fits.
    """

    estimator: Any = None
    fits: Any = 30
    burn_in: Any = "auto"
    random_state: Any = 0
    encoding: Any = "spin"

    _takes_missing = True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _accepts_constant_spins(self) -> bool:
        return self._model()._accepts_constant_spins()

    def _model(self) -> InverseIsing:
        if self.estimator is None:
            return PseudoLikelihood(standard_errors=True)
        if not isinstance(self.estimator, InverseIsing):
            raise ValueError(f"estimator: expected one of couplings from rows, got {self.estimator!r}")
        if self.estimator.encoding not in ("spin", self.encoding):
            raise ValueError(f"encoding: expected that of the estimator, {self.estimator.encoding!r}, here too")
        return clone(self.estimator)

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        model = self._model()
        kept = require_integer("fits", self.fits, minimum=10)
        before = None if self.burn_in == "auto" else require_integer("burn_in", self.burn_in, minimum=0)
        random = new_generator(self.random_state)
        self.missing_ = float(np.average((spins == 0).mean(axis=1), weights=weights))
        seen = (spins != 0).any(axis=1)
        rows, shares = repeated(spins[seen], weights[seen])
        if self.missing_ == 0:
            self.estimator_ = fitted(model, rows, shares)
            return estimate_of(self.estimator_)
        warn_never_together(rows)
        together = rows_together(rows, shares)
        rate = missing_information(together, float(shares.sum()))
        if before is None:
            before = max(SHORTEST, int(np.ceil(np.log(START_LEFT) / np.log(rate))))
        estimate = independent(rows, shares)
        found = []
        with warned_once():
            for _ in range(before + kept):
                drawn = completed(rows, estimate.couplings, estimate.fields, random)
                self.estimator_ = fitted(model, drawn, shares)
                estimate = estimate_of(self.estimator_)
                found.append(estimate)
        return pooled(found[-kept:], rate, together)._replace(n_iter=before + kept)


def fitted(model: InverseIsing, rows: Spins, weights: Weights) -> InverseIsing:
    """Return a new estimator with the options of ``model``, fitted to complete rows."""
    return clone(model).fit(encoded(rows, model.encoding), sample_weight=weights)


def estimate_of(estimator: InverseIsing) -> Estimate:
    """Return the estimate of a fitted estimator."""
    known = vars(estimator)
    return Estimate(*(known.get(f"{name}_") for name in Estimate._fields))  # pyright: ignore[reportArgumentType]


def repeated(spins: Spins, weights: Weights) -> tuple[Int8[np.ndarray, "copies sites"], Float[np.ndarray, " copies"]]:
    """Return rows of which those with missing entries and a weight w > 1 stand ceil(w) times, each with a part of it.

    Each of the rows that a weight stands for has a draw of its own.

    >>> repeated(np.array([[1, 1], [1, 0]], np.int8), np.array([3.0, 3.0]))[1]
    array([3., 1., 1., 1.])
    """
    copies = np.where((spins == 0).any(axis=1), np.ceil(weights), 1)
    advice = "give incomplete rows smaller weights: each of the rows that one stands for has a draw of its own"
    require_memory(f"{copies.sum():.3g} rows of {spins.shape[1]} spins", int(3 * copies.sum() * spins.shape[1]), advice)
    copies = copies.astype(int)
    return np.repeat(spins, copies, axis=0), np.repeat(weights / copies, copies)


def independent(spins: Spins, weights: Weights) -> Estimate:
    """Return the model of independent spins with the observed means, half a count of each value added."""
    sums = weights @ spins
    means = sums / (weights @ (spins != 0) + 1)
    return Estimate(np.zeros((len(means), len(means))), np.arctanh(means))


def never_together(spins: Spins) -> Bool[np.ndarray, "sites sites"]:
    """Return True for pairs of spins that no row has both.

    >>> never_together(np.array([[1, 0], [0, 1]], np.int8)).tolist()
    [[False, True], [True, False]]
    """
    seen = (spins != 0).astype(np.float32)
    return seen.T @ seen == 0


def warn_never_together(spins: Spins) -> None:
    """Warn of pairs of spins whose coupling only the penalty and other spins know."""
    pairs = np.argwhere(np.triu(never_together(spins), 1))
    if len(pairs):
        warn_convergence(
            f"pairs of spins {pairs[:5].tolist()}{' and more' if len(pairs) > 5 else ''} were never observed in one "
            "row: nothing but the penalty and third spins tells their couplings"
        )


def rows_together(spins: Spins, weights: Weights) -> Couplings:
    """Return the total weight of the rows that have both spins of a pair.

    >>> rows_together(np.array([[1, 0], [1, -1]], np.int8), np.array([2.0, 3.0]))
    array([[5., 3.],
           [3., 3.]])
    """
    seen = (spins != 0).astype(np.float64)
    return seen.T @ (seen * weights[:, None])


def missing_information(together: Couplings, samples: float) -> float:
    """Return the share of rows that lack one spin of a pair, or both, for pairs of which this is seldom exceeded.

    It bounds the share of information that is missing about the coupling, and so the rate at which fits converge.
    """
    seen = together[np.triu_indices(len(together), 1)] / samples
    return float(1 - np.clip(np.quantile(seen, RARE), LEAST_SEEN, 1 - LEAST_SEEN))


def pooled(estimates: list[Estimate], rate: float, together: Couplings) -> Estimate:
    """Return the mean of successive estimates, with errors; it has converged if all have and they do not drift.

    Args:
        rate: share of information that is missing about a coupling.
        together: number of rows that have both spins of a pair.
    """
    couplings, fields = (np.array(each) for each in zip(*(estimate[:2] for estimate in estimates), strict=True))
    upper = np.triu_indices(couplings.shape[1], 1)
    sequence = np.hstack([couplings[:, *upper], fields])
    drifts = drift(sequence, rate) > ROOM * chi2.isf(CHANCE, sequence.shape[1]) / sequence.shape[1]
    if drifts:
        warn_convergence("the fits to completed rows still drift: raise burn_in")
    found = Estimate(couplings.mean(axis=0), fields.mean(axis=0))
    counts = [each.determined for each in estimates if each.determined is not None]
    found = found._replace(converged=not drifts and all(each.converged for each in estimates))
    found = found._replace(determined=float(np.mean(counts)) if counts else None)
    inner = [each.couplings_error for each in estimates if each.couplings_error is not None]
    outer = [each.fields_error for each in estimates if each.fields_error is not None]
    if not (inner and outer):
        return found
    rate = correlation(sequence)
    variances = np.mean(np.square(inner), axis=0) + missing_variances(couplings, rate)
    field_errors = np.sqrt(np.mean(np.square(outer), axis=0) + missing_variances(fields, rate))
    priors = [
        prior_precisions(error, each.unshrunk) for error, each in zip(inner, estimates, strict=True) if each.unshrunk
    ]
    prior = np.mean(priors, axis=0) if priors else np.zeros_like(together)
    with np.errstate(divide="ignore"):
        # A row tells at most 1 of a coupling; where none has both spins the fits are too much alike to tell the width.
        least = np.where(np.eye(len(together), dtype=bool), 0, 1 / (together + prior))
    errors = np.sqrt(np.maximum(variances, least))
    unshrunk = without_prior(found.couplings, errors, prior) if priors else None
    return found._replace(couplings_error=errors, fields_error=field_errors, unshrunk=unshrunk)


def prior_precisions(errors: Couplings, unshrunk: Unshrunk) -> Couplings:
    """Return the precisions of the prior that make an error without it the given one, 1 / s^2 - 1 / s_unshrunk^2."""
    apart = ~np.eye(len(errors), dtype=bool)
    found = np.zeros(errors.shape)
    found[apart] = np.maximum(1 / errors[apart] ** 2 - 1 / unshrunk.errors[apart] ** 2, 0)
    return found


def correlation(sequence: Sequence) -> float:
    """Return the correlation from one fit to the next, one for all parameters, between 0 and .95."""
    deviations = sequence - sequence.mean(axis=0)
    between = (deviations[1:] * deviations[:-1]).sum() / max(float((deviations[1:] ** 2).sum()), 1e-300)
    return float(np.clip(between, 0, 0.95))


def missing_variances(sequence: Sequence, rate: float) -> np.ndarray:
    """Return G_0 + G_1 of each parameter plus the variance of the mean over the fits.

    The mean's own variance, G_0 (1 + rate) / (1 - rate) / fits, is also what each of G_0 and G_1 lacks because
    deviations are taken from it.
    """
    deviations = sequence - sequence.mean(axis=0)
    first = (deviations**2).mean(axis=0)
    second = np.clip((deviations[1:] * deviations[:-1]).mean(axis=0), 0, first)
    return first + second + 3 * first * (1 + rate) / (1 - rate) / len(sequence)


def drift(sequence: Sequence, rate: float) -> float:
    """Return the squared difference between the means of both halves, in units of what it is without a drift.

    >>> drift(np.arange(30.0)[:, None], 0.5) > 3, drift(np.random.default_rng(0).normal(size=(30, 100)), 0.5) < 3
    (True, True)

    Args:
        rate: correlation from one fit to the next; a larger one than the true one allows for more.
    """
    half = len(sequence) // 2
    used = sequence[-2 * half :]
    signs = np.repeat([-1 / half, 1 / half], half)
    steps = np.arange(2 * half)
    variance = (np.diff(used, axis=0) ** 2).mean() / (2 * (1 - rate))
    expected = variance * signs @ rate ** np.abs(steps[:, None] - steps) @ signs
    return float(np.mean((signs @ used) ** 2) / max(float(expected), 1e-300))


@contextmanager
def warned_once() -> Iterator[None]:
    """Hold back what is warned of meanwhile, and issue each message once in the end."""
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        yield
    for each in {str(each.message): each for each in issued}.values():
        warnings.warn(each.message, each.category, stacklevel=3)
