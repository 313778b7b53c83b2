"""Fits of Ising estimators to one data set, beside their own rows, and scores of rows held out in blocks."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import clone

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.predictive_check import PredictiveCheck
from vae_mf.inverse_ising.solvers.incomplete_rows import observed_exponents, observed_log_pseudo_likelihood
from vae_mf.statistics.independent import independent_log_likelihood


@dataclass
class CouplingFit:
    """Results about one estimator, as far as they are known."""

    estimator: InverseIsing | None = None
    """Estimator fitted to all rows."""
    seconds: float = 0.0
    """Time of that fit."""
    check: PredictiveCheck | None = None
    """Difference between all rows and rows that the model draws."""
    folds: int = 0
    """Number of folds that are scored."""
    pseudo: Float[np.ndarray, " rows"] | None = None
    """Log-pseudo-likelihood of each row under a model that was fitted without its fold, in nats."""
    likelihood: Float[np.ndarray, " rows"] | None = None
    """Log-likelihood of each row under the same model."""
    likelihood_error: float = 0.0
    """Standard error of the mean log-likelihood that comes from ln Z."""
    remarks: list[str] = field(default_factory=list)
    """Warnings, and what came between, a line each."""


def fold_members(rows: int, folds: int, blocks: int) -> Int[np.ndarray, " rows"]:
    """Return the fold of every row; blocks of neighbouring rows are dealt to the folds in turn.

    >>> fold_members(8, folds=2, blocks=4)
    array([0, 0, 1, 1, 0, 0, 1, 1])

    Raises:
        ValueError: unless there are two folds or more, and as many blocks and rows.
    """
    require_integer("folds", folds, minimum=2)
    require_integer("blocks", blocks, minimum=folds)
    if rows < blocks:
        raise ValueError(f"blocks: expected at most the number of rows, {rows}, got {blocks}")
    parts = np.array_split(np.arange(rows), blocks)
    return np.concatenate([np.full(len(part), block % folds) for block, part in enumerate(parts)])


def independent_scores(spins: Spins, members: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Return ln p of each row for independent variables whose frequencies come from the other folds, in nats.

    The frequencies of the values that are not missing (0) have half a count of each value added (Jeffreys' prior).
    """
    scores = np.empty(len(spins))
    for fold in np.unique(members):
        out = members == fold
        others = spins[~out]
        frequencies = ((others > 0).sum(axis=0) + 0.5) / ((others != 0).sum(axis=0) + 1)
        scores[out] = independent_log_likelihood(spins[out], frequencies)
    return scores


def fit_in_steps(estimator: InverseIsing, spins: Spins, members: Int[np.ndarray, " rows"]) -> Iterator[CouplingFit]:
    """Yield what is known about an estimator after its fit, after its check, and after every fold.

    Args:
        spins: Rows (M, N); 0 is a missing entry, which only `MissingEntries` takes.

    Raises:
        ValueError: if the estimator refuses the rows, or those outside a fold; the former results stand.
    """
    found = CouplingFit()
    start = time.perf_counter()
    with noted() as found.remarks:
        estimator.fit(with_gaps(spins))
    found.seconds = time.perf_counter() - start
    found.estimator = estimator
    yield found
    if not (np.isfinite(estimator.couplings_).all() and np.isfinite(estimator.fields_).all()):
        raise ValueError("some couplings or fields are not finite; neither checked nor scored")
    with noted() as further:
        found.check = estimator.predictive_check(with_gaps(spins))
    found.remarks += further
    yield found
    yield from score_folds(found, spins, members)


def score_folds(found: CouplingFit, spins: Spins, members: Int[np.ndarray, " rows"]) -> Iterator[CouplingFit]:
    """Yield the results with scores of one fold more each time; the scores are complete with the last."""
    pseudo, likelihood = np.empty((2, len(spins)))
    shares, errors, lines = [], [], []
    folds = np.unique(members)
    for fold in folds:
        out = members == fold
        with noted() as issued:
            model = clone(found.estimator).fit(with_gaps(spins[~out]))
            parameters = model.couplings_, model.fields_
            pseudo[out] = observed_log_pseudo_likelihood(spins[out], *parameters)
            likelihood[out] = observed_exponents(spins[out], *parameters) - model.log_partition_
        shares.append(out.mean())
        errors.append(model.log_partition_error_)
        lines += [line for line in issued[:1] if line not in found.remarks]
        found.folds += 1
        if found.folds == len(folds):
            found.pseudo = pseudo
            found.likelihood = likelihood
            found.likelihood_error = float(np.linalg.norm(np.multiply(shares, errors)))
            found.remarks += [f"{len(lines)} of {len(folds)} held-out fits: {lines[0]}"] if lines else []
        yield found


def with_gaps(spins: Spins) -> Float[np.ndarray, "rows variables"] | Spins:
    """Return rows whose missing entries, 0, are NaN; complete rows as they are.

    >>> with_gaps(np.array([[1, 0]], np.int8))
    array([[ 1., nan]])
    """
    return spins if spins.all() else np.where(spins == 0, np.nan, spins)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Give a list that holds in the end every warning that was issued meanwhile, once and as one line."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        yield lines
    lines += dict.fromkeys(" ".join(str(each.message).split()) for each in issued)
