"""Fits of Ising estimators to one data set, beside their own rows, and scores of rows held out in blocks."""

import re
import resource
import warnings
from collections.abc import Iterator, Sequence
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

    rows: int = 0
    """Number of rows."""
    estimator: InverseIsing | None = None
    """Estimator fitted to all rows."""
    seconds: float | None = None
    """Processor time of that fit."""
    check: PredictiveCheck | None = None
    """Difference between all rows and rows that the model draws."""
    pseudo: Float[np.ndarray, " rows"] | None = None
    """Log-pseudo-likelihood of each row under a model that was fitted without its fold, in nats; NaN: not scored."""
    likelihood: Float[np.ndarray, " rows"] | None = None
    """Log-likelihood of each row under the same model."""
    log_partition_errors: dict[int, float] = field(default_factory=dict)
    """Standard error of ln Z in every fold that is scored."""
    remarks: list[str] = field(default_factory=list)
    """Warnings, and what came between, a line each."""
    warned: list[str] = field(default_factory=list)
    """First warning of each held-out fit that had one, but for those of the fit to all rows."""
    refused: list[str] = field(default_factory=list)
    """Reason of each held-out fit that the estimator refused."""

    @property
    def folds(self) -> int:
        """Number of folds that are scored."""
        return len(self.log_partition_errors)

    def all_remarks(self) -> list[str]:
        """Return the remarks, with those about held-out fits behind them."""
        held_out = {"held-out fits": self.warned, "held-out fits refused": self.refused}
        tried = self.folds + len(self.refused)
        return self.remarks + [f"{len(each)} of {tried} {kind}: {each[0]}" for kind, each in held_out.items() if each]


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
        ValueError: if the estimator refuses the rows, or finds couplings that are not finite; the former results stand.
    """
    found = CouplingFit(len(spins))
    start = processor_time()
    with noted() as found.remarks:
        estimator.fit(with_gaps(spins))
    found.seconds = processor_time() - start
    found.estimator = estimator
    yield found
    require_finite(estimator)
    with noted() as further:
        found.check = estimator.predictive_check(with_gaps(spins))
    found.remarks += further
    yield found
    yield from score_folds(found, spins, members)


def processor_time() -> float:
    """Return the processor time of this process, in s."""
    # Where a limit of it is set, `time.process_time` is no finer than a tick of 4 ms.
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def require_finite(estimator: InverseIsing) -> None:
    """Raise ValueError if a coupling or field is not finite."""
    if not (np.isfinite(estimator.couplings_).all() and np.isfinite(estimator.fields_).all()):
        raise ValueError("some couplings or fields are not finite; neither checked nor scored")


def score_folds(found: CouplingFit, spins: Spins, members: Int[np.ndarray, " rows"]) -> Iterator[CouplingFit]:
    """Yield the results with one fold more each time, scored or refused."""
    pseudo, likelihood = np.full((2, len(spins)), np.nan)
    found.pseudo = pseudo
    found.likelihood = likelihood
    for fold in np.unique(members):
        out = members == fold
        try:
            with noted() as issued:
                model = clone(found.estimator).fit(with_gaps(spins[~out]))
            require_finite(model)
        except ValueError as reason:
            found.refused.append(str(reason))
        else:
            parameters = model.couplings_, model.fields_
            pseudo[out] = observed_log_pseudo_likelihood(spins[out], *parameters)
            likelihood[out] = observed_exponents(spins[out], *parameters) - model.log_partition_
            found.log_partition_errors[int(fold)] = model.log_partition_error_
            found.warned += [line for line in issued[:1] if line not in found.remarks]
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


INDICES = re.compile(r"(?<=spins |airs, |ples\) )\[[\d, \[\]]*\](?=\W|$)")
"""Spins, or pairs of them, as sentences of estimators list them."""


def with_names(sentence: str, names: Sequence[str]) -> str:
    """Return a sentence of an estimator in one line, with names in place of the numbers of spins.

    >>> with_names("pairs of spins [[0, 2]] and more miss one of their states", ["anna", "bob", "carl"])
    'pairs of spins (anna, carl) and more miss one of their states'
    >>> with_names("spins [1] are always up", ["anna", "[b]"])
    'spins [b] are always up'
    """

    def named(match: re.Match[str]) -> str:
        pairs = match[0][1:-1].replace("[", "(").replace("]", ")")
        return re.sub(r"\d+", lambda number: str(names[int(number[0])]), pairs)

    return INDICES.sub(named, " ".join(sentence.split())).rstrip(".")
