"""Comparison of density models on the same rows: held-out log-likelihoods, paired gains, and their errors."""

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int8
from scipy.special import logsumexp

from vae_mf.checks import require_integer
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.sequences import SequenceModel
from vae_mf.files import DAMAGED, replacing, whole
from vae_mf.statistics.averages import Average, average

INDEPENDENT, VAE = "Independent", "VAE"
"""Families of the model that all others are compared with, and of those that are no baselines."""
CHOICE = "Choice"
"""Family of a baseline that validation chooses in every fold anew."""
NEAR = 2.5
"""Errors of a difference within which two models are level; two would be too few, as folds share training rows."""
DIGEST = "sha256"
"""Entry of a file of scores: digest of the others."""
Part = Int8[np.ndarray, "_ variables"]
"""Some rows of the data."""


class ModelScores(NamedTuple):
    """Log-likelihoods of held-out rows under one model."""

    model: str
    family: str
    """Class of a density model, or "VAE"."""
    parameters: int
    """Number of free parameters of p(s)."""
    validation: Float[np.ndarray, " validation_rows"]
    """ln p(s) of every validation row, in nats."""
    test: Float[np.ndarray, " test_rows"]
    """ln p(s) of every test row, in nats."""
    log_partition_error: float
    """Standard error of ln Z, common to all rows; 0 where no ln Z is estimated."""
    seconds: float
    """Processor time of the fit; of a VAE, the time of its training."""


def score_density_model(
    name: str, model: DensityModel, train: Part, validation: Part, test: Part, lengths: Any = None
) -> ModelScores:
    """Fit a density model to training rows (M, N) and score the held-out ones as single rows.

    Models of rows in time are told the lengths of the training sequences, if rows have an order.

    >>> from vae_mf.density_models import Independent
    >>> rows = np.array([[1, -1], [-1, -1], [1, 1]], np.int8)
    >>> score_density_model("independent", Independent(), rows, rows[:1], rows[1:]).test.round(2)
    array([-1.45, -1.45])
    """
    order = {"lengths": lengths} if isinstance(model, SequenceModel) else {}
    start = process_time()
    model.fit(train, **order)
    return ModelScores(
        model=name,
        family=type(model).__name__,
        parameters=model.n_parameters_,
        seconds=process_time() - start,
        validation=model.score_samples(validation),
        test=model.score_samples(test),
        log_partition_error=model.log_partition_error_,
    )


def kept_scores(path: Path, compute: Callable[[], ModelScores], content: str = "") -> ModelScores:
    """Return the scores in a file, which is computed and written in one step if it is missing or of other rows.

    Args:
        path: the file.
        compute: function that scores.
        content: digest of the rows, if the file may be of others.
    """
    if not path.exists() or content_in(path) != content:
        write_values(path, {"content": np.array(content), **compute()._asdict()})
    stored = values_in(path)
    if missing := set(ModelScores._fields) - stored.keys():
        raise ValueError(f"{path}: expected scores of a model, got none of {', '.join(sorted(missing))}: {DAMAGED}")
    values: dict[str, Any] = {name: stored[name] for name in ModelScores._fields}
    return ModelScores(**{name: value if value.ndim else value.item() for name, value in values.items()})


def content_in(path: Path) -> str:
    """Return the digest of rows in a file of scores, empty if it has none."""
    return str(values_in(path).get("content", ""))


def write_values(path: Path, values: Mapping[str, Any]) -> None:
    """Write arrays and numbers to a file in one step, with a digest of them all and of its name."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items()}
    arrays[DIGEST] = np.array(digest_of(path.stem, arrays))
    with replacing(path) as place, open(place, "wb") as file:
        np.savez(file, **arrays)


def values_in(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays in a file that `write_values` wrote, now or in version 0.1, which had no digest.

    Raises:
        ValueError: if it is cut or damaged, or the file of something else.
    """
    with whole(path, BadZipFile, EOFError, ValueError, LookupError, RuntimeError, zlib.error):
        # From memory: places that are none are a ValueError there, and an OSError of a file.
        with np.load(BytesIO(path.read_bytes())) as stored:
            values = dict(stored)
        digest = values.pop(DIGEST, None)
        if digest is not None and digest != digest_of(path.stem, values):
            raise ValueError("its digest is another")
    return values


def digest_of(name: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the digest of named arrays in a file of this name."""
    found = hashlib.sha256(name.encode())
    for key, array in sorted(arrays.items()):
        found.update(f"{key} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def compare_models(scores: Sequence[ModelScores], time: Int[np.ndarray, " test_rows"], blocks: int) -> pd.DataFrame:
    """Return a line per model, the likeliest on the test rows first.

    Gains are paired, row by row. Rows close in time, and those of the same time in different repeats, answer the same
    scene: an honest error is that of means over blocks of time (`statistics.averages.average`), beside which the table
    has that of rows as if they were independent. The error of ln Z, which all rows have in common, comes on top. The
    best baseline is the model, VAEs apart, with the highest likelihood on the *validation* rows, so that the
    test rows choose nothing. The share of the range is the gain in units of the best baseline's.

    Raises:
        ValueError: if there is not exactly one model of independent variables, or the numbers of rows differ.
    """
    order = checked_order(scores, time, blocks)
    (floor,) = (score for score in scores if score.family == INDEPENDENT)
    best = max((score for score in scores if score.family != VAE), key=lambda score: score.validation.mean())
    lines = [comparison_line(score, floor, best, order, blocks) for score in scores]
    return pd.DataFrame(lines).sort_values("log_likelihood", ascending=False, ignore_index=True)


def compare_pairs(scores: Sequence[ModelScores], time: Int[np.ndarray, " test_rows"], blocks: int) -> pd.DataFrame:
    """Return a line per pair of models, how much likelier the first makes a test row, with the error of the difference.

    Raises:
        ValueError: as for `compare_models`.
    """
    order = checked_order(scores, time, blocks)
    ranked = sorted(scores, key=lambda score: -score.test.mean())
    lines = [
        {"model": first.model, "other": second.model, **lead(first, second, order, blocks)._asdict()}
        for place, first in enumerate(ranked)
        for second in ranked[place + 1 :]
    ]
    return pd.DataFrame(lines, columns=["model", "other", *Average._fields])


def checked_order(
    scores: Sequence[ModelScores], time: Int[np.ndarray, " test_rows"], blocks: int
) -> Int[np.ndarray, " test_rows"]:
    """Return the test rows in the order of time, or raise ValueError for scores that cannot be compared."""
    require_integer("blocks", blocks, minimum=2)
    floors = sum(score.family == INDEPENDENT for score in scores)
    if floors != 1:
        raise ValueError(f"scores: expected one model of independent variables, got {floors}")
    lengths = sorted({len(score.test) for score in scores} | {len(time)})
    if len(lengths) > 1:
        raise ValueError(f"scores: expected as many test rows of every model as there are times, got {lengths}")
    return np.argsort(time, kind="stable")


def lead(own: ModelScores, other: ModelScores, order: Int[np.ndarray, " test_rows"], blocks: int) -> Average:
    """Return how much likelier one model makes a test row than another; nothing, without an error, than itself."""
    if own is other:
        return Average(0.0, 0.0)
    value, error = average((own.test - other.test)[order], blocks)
    return Average(value, float(np.hypot(error, np.hypot(own.log_partition_error, other.log_partition_error))))


def pooled_folds(folds: Sequence[ModelScores]) -> ModelScores:
    """Return the scores of a model that was fitted once per fold as those of one model, rows of fold after fold.

    >>> half = ModelScores("a", "b", 1, np.zeros(2), np.zeros(2), 0.2, 1.0)
    >>> whole = pooled_folds([half, half])
    >>> len(whole.test), round(whole.log_partition_error, 3), whole.seconds
    (4, 0.141, 2.0)
    """
    rows = np.array([len(fold.test) for fold in folds])
    errors = np.array([fold.log_partition_error for fold in folds])
    return folds[0]._replace(
        parameters=max(fold.parameters for fold in folds),
        validation=np.concatenate([fold.validation for fold in folds]),
        test=np.concatenate([fold.test for fold in folds]),
        log_partition_error=float(np.linalg.norm(rows * errors) / rows.sum()),
        seconds=sum(fold.seconds for fold in folds),
    )


def averaged(models: Sequence[ModelScores], name: str) -> ModelScores:
    """Return the scores of the average of the densities of some models, which all have the same weight.

    >>> one = ModelScores("one", VAE, 3, np.log([0.2]), np.log([0.1]), 0.0, 1.0)
    >>> both = averaged([one, one._replace(test=np.log([0.3]))], "both")
    >>> np.exp(both.test).round(3), both.parameters
    (array([0.2]), 6)
    """
    errors = np.array([model.log_partition_error for model in models])
    return models[0]._replace(
        model=name,
        parameters=sum(model.parameters for model in models),
        validation=logsumexp([model.validation for model in models], axis=0) - np.log(len(models)),
        test=logsumexp([model.test for model in models], axis=0) - np.log(len(models)),
        log_partition_error=float(np.linalg.norm(errors) / len(models)),
        seconds=sum(model.seconds for model in models),
    )


def chosen_in_folds(folds: Sequence[Sequence[ModelScores]]) -> list[ModelScores]:
    """Return the scores of the baseline, and of the VAE if there are any, that validation chooses in every fold anew.

    The rows that choose in one fold are tested in another: a choice from all folds together would know test rows.
    """
    found = []
    for family, name in ((CHOICE, "baseline chosen in each fold"), (VAE, "VAE chosen in each fold")):
        kinds = [[score for score in fold if (score.family == VAE) == (family == VAE)] for fold in folds]
        if all(kinds):
            best = [max(kind, key=lambda score: score.validation.mean()) for kind in kinds]
            found.append(pooled_folds(best)._replace(model=name, family=family))
    return found


def lead_sentence(table: pd.DataFrame) -> str:
    """Return in words how much likelier the VAE that validation chooses makes a test row than the best baseline.

    >>> lead_sentence(pd.DataFrame({"family": ["KPairwise"]}))
    'no VAE is among the models: give runs to compare one'
    """
    vaes = table[table.family == VAE]
    if vaes.empty:
        return "no VAE is among the models: give runs to compare one"
    own = vaes.loc[vaes.validation_log_likelihood.idxmax()]
    (other,) = table.model[table.best_baseline]
    value, error = own.gain_over_best_baseline, own.gain_over_best_baseline_error
    place = "level with" if abs(value) <= NEAR * error else "ahead of" if value > 0 else "behind"
    return f"{own.model} is {place} {other}: {value:+.3f} ± {error:.2g} nats per test row; validation chose both"


def comparison_line(
    own: ModelScores, floor: ModelScores, best: ModelScores, order: Int[np.ndarray, " test_rows"], blocks: int
) -> dict[str, str | float]:
    """Return the line of one model in the table of `compare_models`."""
    likelihood = average(own.test[order], blocks)
    gain = lead(own, floor, order, blocks)
    over_best = lead(own, best, order, blocks)
    whole = lead(best, floor, order, blocks).value
    return {
        "model": own.model,
        "family": own.family,
        "parameters": own.parameters,
        "validation_log_likelihood": own.validation.mean(),
        "log_likelihood": likelihood.value,
        "error_rows": own.test.std(ddof=1) / np.sqrt(len(own.test)),
        "error_blocks": float(np.hypot(likelihood.error, own.log_partition_error)),
        "gain_over_independent": gain.value,
        "gain_over_independent_error": gain.error,
        "gain_over_best_baseline": over_best.value,
        "gain_over_best_baseline_error": over_best.error,
        "share_of_range": gain.value / whole if whole > 0 else np.nan,
        "best_baseline": own is best,
        "log_partition_error": own.log_partition_error,
        "seconds": own.seconds,
    }
