"""Tables of inferred couplings, pair by pair, against the truth, and of several estimators against each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vae_mf.arrays import Couplings
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.predictive_check import PredictiveCheck
from vae_mf.statistics.averages import Average
from vae_mf.studies.coupling_fits import CouplingFit, with_names

CHECKS = ("means", "pairs", "triplets", "count_distance", "outside", "runaway")
"""Numbers of the predictive check that the table of estimators has."""
FAILED = 3.0
"""Root mean square difference from the data, in their errors, beyond which a model fails its check."""
FAILED_COUNTS = 0.05
"""That total variation of P(K), beyond twice the one between so many independent rows and their law."""
NEAR = 2.0
"""Errors of the difference of two scores within which they are as good."""
HELD_OUT = (
    "estimator",
    "block",
    "fold",
    "rows",
    "log_likelihood",
    "log_partition_error",
    "log_pseudo_likelihood",
    "independent",
)
"""Columns of the table of held-out blocks."""
ESTIMATOR_COLUMNS = (
    "estimator",
    "seconds",
    "iterations",
    "converged",
    "folds",
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


def held_out_table(
    name: str,
    found: CouplingFit,
    independent: Float[np.ndarray, " rows"],
    members: Int[np.ndarray, " rows"],
    blocks: int,
) -> pd.DataFrame:
    """Return the scores of an estimator in every block of neighbouring rows that was scored, means per row in nats.

    Columns ``estimator``, ``block``, ``fold``, ``rows``; ``log_likelihood``, the error ``log_partition_error`` that it
    has from ln Z, and ``log_pseudo_likelihood``; and ``independent``, the log-likelihood of independent variables.

    Args:
        independent: Log-likelihood of each row for independent variables that were fitted without its fold.
        members: Fold of each row.
        blocks: Number of blocks, of which every fold has whole ones.
    """
    columns = {"log_likelihood": found.likelihood, "log_pseudo_likelihood": found.pseudo, "independent": independent}
    rows = []
    for block, part in enumerate(np.array_split(np.arange(len(independent)), blocks)):
        fold = int(members[part[0]])
        if fold in found.log_partition_errors:
            row = {"estimator": name, "block": block, "fold": fold, "rows": len(part)}
            row |= {column: scores[part].mean() for column, scores in columns.items()}
            rows.append(row | {"log_partition_error": found.log_partition_errors[fold]})
    return pd.DataFrame(rows, columns=HELD_OUT)


def block_average(values: pd.Series, rows: pd.Series) -> Average:
    """Return the mean over rows of means of blocks, and its error, the spread of equally good blocks.

    >>> block_average(pd.Series([1.0, 3.0]), pd.Series([2, 2]))
    Average(value=2.0, error=1.0)
    """
    error = values.std() / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Average(float(np.average(values, weights=rows)), float(error))


def partition_error(held_out: pd.DataFrame) -> float:
    """Return the error of the mean log-likelihood that comes from ln Z, one for every fold."""
    folds = held_out.groupby("fold")
    return float(np.linalg.norm(folds.rows.sum() / held_out.rows.sum() * folds.log_partition_error.first()))


def estimator_row(
    name: str, found: CouplingFit, held_out: pd.DataFrame, names: Sequence[str]
) -> dict[str, str | float | bool | None]:
    """Return a row about an estimator: effort, scores of held-out rows, its own rows beside the data, and remarks.

    Scores are means per row in nats, and gains over independent variables are paired row by row, with errors from
    blocks of neighbouring rows. Unknown entries are None. So are iterations and convergence of closed formulas, which
    have neither.

    Args:
        held_out: Table of `held_out_table`.
        names: Names of the variables, which stand in the remarks.
    """
    row = dict.fromkeys(ESTIMATOR_COLUMNS) | {"estimator": name, "seconds": found.seconds, "folds": found.folds}
    remarks = [with_names(line, names) for line in found.all_remarks()]
    if (estimator := found.estimator) is not None and not (estimator.n_iter_ == 1 and estimator.within_tolerance_):
        row |= {"iterations": estimator.n_iter_, "converged": estimator.converged_}
    if len(held_out):
        for kind, further in (("", partition_error(held_out)), ("pseudo_", 0.0)):
            scores = held_out[f"log_{kind}likelihood"]
            gain = block_average(scores - held_out.independent, held_out.rows)
            row[f"log_{kind}likelihood"] = block_average(scores, held_out.rows).value
            row[f"{kind}gain_over_independent"] = gain.value
            row[f"{kind}gain_over_independent_error"] = float(np.hypot(gain.error, further))
    if (check := found.check) is not None:
        row |= {name: getattr(check, name) for name in CHECKS}
        remarks += check_sentence(check, found.rows)
    return row | {"remarks": "; ".join(remarks)}


def check_sentence(check: PredictiveCheck, rows: int) -> list[str]:
    """Return a sentence about a model whose own rows differ from so many rows of data, or none."""
    if check.runaway:
        return [f"runs away: {check}"]
    by_chance = float(np.sqrt(2 / np.pi * check.model_counts / rows).sum() / 2)
    counts = check.count_distance > FAILED_COUNTS + 2 * by_chance
    failed = max(check.means, check.pairs, check.triplets) > FAILED or counts
    return [f"fails its check: {check}"] if failed else []


def best_sentence(held_out: pd.DataFrame, folds: int) -> str:
    """Return a sentence about the estimator of largest held-out log-likelihood, in the folds that all of them have.

    Others are as good if they lose to it by no more than twice the error of the difference, block by block.

    Args:
        held_out: table of `held_out_table`.
        folds: number of folds that were asked for.
    """
    if held_out.empty:
        return ""
    common = set.intersection(*held_out.groupby("estimator").fold.agg(set))
    if not common:
        return "no best held-out ln p is told: the estimators have no fold in common"
    kept = held_out[held_out.fold.isin(common)]
    tables = {name: lines.set_index("block") for name, lines in kept.groupby("estimator")}
    where = "" if len(common) == folds else f" in the {len(common)} of {folds} folds that all have"
    best, table = max(tables.items(), key=lambda each: block_average(each[1].log_likelihood, each[1].rows).value)
    gain = block_average(table.log_likelihood - table.independent, table.rows)
    error = float(np.hypot(gain.error, partition_error(table)))
    if not np.isfinite(error):
        return f"no best held-out ln p is told: one block{where} tells no error; raise blocks"
    if gain.value <= NEAR * error:
        text = f"no estimator predicts held-out rows better than independent variables{where}: the best"
        return f"{text}, {best}, gains {gain.value:.3f} ± {error:.2g} nats"
    near = []
    for name, other in tables.items():
        loss = block_average(table.log_likelihood - other.log_likelihood, table.rows)
        error_of_loss = np.linalg.norm([loss.error, partition_error(table), partition_error(other)])
        near += [name] if name != best and loss.value <= NEAR * error_of_loss else []
    others = f"; as good within twice the error of the difference: {', '.join(near)}" if near else ""
    return (
        f"best held-out ln p{where}: {best}, {gain.value:.3f} ± {error:.2g} nats beyond independent variables'{others}"
    )


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
