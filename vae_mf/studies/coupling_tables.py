"""Tables of inferred couplings, pair by pair, against the truth, and of several estimators against each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vae_mf.arrays import Couplings
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.statistics.averages import average
from vae_mf.studies.coupling_fits import CouplingFit

CHECKS = ("means", "pairs", "triplets", "count_distance", "outside", "runaway")
"""Numbers of the predictive check that the table of estimators has."""
ESTIMATOR_COLUMNS = (
    "estimator",
    "seconds",
    "iterations",
    "converged",
    "log_likelihood",
    "gain_over_independent",
    "gain_over_independent_error",
    "log_pseudo_likelihood",
    "pseudo_gain_over_independent",
    "pseudo_gain_over_independent_error",
    *CHECKS,
)
"""Columns of the table of estimators, before accuracy and remarks."""


def couplings_of(couplings: np.ndarray, chosen: Int[np.ndarray, " variables"]) -> Couplings:
    """Return known couplings of the chosen variables: as they are if there are as many, else those among them.

    >>> couplings_of(np.arange(9.0).reshape(3, 3), np.array([0, 2]))
    array([[0., 2.],
           [6., 8.]])

    Raises:
        ValueError: unless they are a square matrix that holds every chosen variable.
    """
    size = len(chosen)
    shape = couplings.shape
    if len(shape) != 2 or shape[0] != shape[1] or not (shape[0] == size or shape[0] > chosen.max()):
        raise ValueError(f"truth: expected couplings of shape {(size, size)}, got {shape}")
    return couplings if shape[0] == size else couplings[np.ix_(chosen, chosen)]


def pair_table(
    estimator: InverseIsing, truth: Couplings | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the couplings i < j of a fitted estimator, with standard errors and truth where known.

    Columns i and j, the names of the variables or their numbers, and ``coupling``, J_ij; ``error`` and ``truth`` where
    known. The file NAME.npz that the command ``infer-couplings`` writes beside it holds the same couplings as the
    matrix ``J`` (N, N), and the fields as ``h`` (N,).
    """
    upper = np.triu_indices(len(estimator.couplings_), 1)
    labels = np.arange(len(estimator.fields_)) if names is None else np.array(names)
    columns = {"i": labels[upper[0]], "j": labels[upper[1]], "coupling": estimator.couplings_[upper]}
    if hasattr(estimator, "couplings_error_"):
        columns["error"] = estimator.couplings_error_[upper]
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth[upper]})


def field_table(
    estimator: InverseIsing, truth: np.ndarray | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the fields of a fitted estimator, with standard errors and truth (N,) where known."""
    columns = {"i": np.arange(len(estimator.fields_)) if names is None else names, "field": estimator.fields_}
    if hasattr(estimator, "fields_error_"):
        columns["error"] = estimator.fields_error_
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth})


def estimator_row(
    name: str, found: CouplingFit, independent: Float[np.ndarray, " rows"], blocks: int
) -> dict[str, str | float | bool | None]:
    """Return a row about an estimator: effort, scores of held-out rows, its own rows beside the data, and remarks.

    Scores are means per row in nats, and gains over independent variables are paired row by row, with errors from
    blocks of neighbouring rows. Unknown entries are None. So are iterations and convergence of closed formulas, which
    have neither.

    Args:
        independent: Log-likelihood of each row for independent variables that were fitted without its fold.
        blocks: Number of blocks whose means give the errors.
    """
    row = dict.fromkeys(ESTIMATOR_COLUMNS) | {"estimator": name, "seconds": found.seconds}
    remarks = list(found.remarks)
    if (estimator := found.estimator) is not None and not (estimator.n_iter_ == 1 and estimator.converged_):
        row |= {"iterations": estimator.n_iter_, "converged": estimator.converged_}
    for kind, scores, further in (("", found.likelihood, found.likelihood_error), ("pseudo_", found.pseudo, 0.0)):
        if scores is not None:
            gain = average(scores - independent, blocks)
            row |= {f"log_{kind}likelihood": float(scores.mean()), f"{kind}gain_over_independent": gain.value}
            row[f"{kind}gain_over_independent_error"] = float(np.hypot(gain.error, further))
    if (check := found.check) is not None:
        row |= {name: getattr(check, name) for name in CHECKS}
        remarks += [f"runs away: {check}"] if check.runaway else []
    return row | {"remarks": "; ".join(remarks)}


def accuracy(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return RMSE, 1 - r with Pearson's r, and slope of found on true couplings.

    >>> accuracy(np.array([1.0, 2.0]), np.array([2.0, 4.0]))["slope"]
    2.0
    """
    error = found - truth
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "one_minus_r": float(1 - np.corrcoef(truth, found)[0, 1]),
        "slope": float(truth @ found / (truth @ truth)),
    }


def correlation_table(pairs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return Spearman's correlation over pairs between the couplings of every two estimators, in long form.

    A pair that runs away in one of them has the largest rank and no more. Couplings that are not finite are left out.
    """
    table = pd.DataFrame({name: rows.coupling.where(np.isfinite(rows.coupling)) for name, rows in pairs.items()})
    matrix = table.corr("spearman")
    first, second = (axis.ravel() for axis in np.meshgrid(matrix.index, matrix.columns, indexing="ij"))
    return pd.DataFrame({"first": first, "second": second, "correlation": matrix.to_numpy().ravel()})
