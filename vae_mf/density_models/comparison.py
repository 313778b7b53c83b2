"""Density models of the same words side by side: held-out log-likelihoods, paired gains, and their errors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vae_mf.checks import require_integer
from vae_mf.files import replacing
from vae_mf.statistics.averages import average

INDEPENDENT, VAE = "Independent", "VAE"
"""Families of the model that all others are compared with, and of those that are no rivals."""


class Scores(NamedTuple):
    """What one model makes of the held-out words."""

    model: str
    family: str
    """Class of a rival, or "VAE"."""
    parameters: int
    """Of p(s)."""
    validation: Float[np.ndarray, " validation_words"]
    """ln p(s) of every validation word, in nats."""
    test: Float[np.ndarray, " test_words"]
    """ln p(s) of every test word, in nats."""
    log_partition_error: float
    """Standard error of ln Z, common to all words; 0 where no ln Z is estimated."""
    seconds: float
    """Time that the fit took."""


def kept_scores(path: Path, compute: Callable[[], Scores]) -> Scores:
    """Return the scores in a file, which is computed and written in one step if it is missing."""
    if not path.exists():
        found = compute()
        with replacing(path) as place, open(place, "wb") as file:
            np.savez(file, **found._asdict())
    with np.load(path) as stored:
        return Scores(*(stored[name] if stored[name].ndim else stored[name].item() for name in Scores._fields))


def compare_models(scores: Sequence[Scores], time: Int[np.ndarray, " test_words"], stretches: int) -> pd.DataFrame:
    """Return a row per model, the likeliest on the test words first.

    Gains are paired, word by word. Words close in movie time, and those of the same time in different repeats, answer
    the same scene: an honest error is that of means over stretches of movie time (`statistics.averages.average`),
    beside which the table has that of words as if they were independent. The best rival is the one, VAEs apart, with
    the highest likelihood on the *validation* words, so that the test words choose nothing.

    Args:
        scores: of the models, among them one of independent cells.
        time: movie time of every test word, in bins.
        stretches: of movie time.

    Raises:
        ValueError: if there is not exactly one model of independent cells, or the numbers of words differ.
    """
    require_integer("stretches", stretches, minimum=2)
    floors = [score for score in scores if score.family == INDEPENDENT]
    if len(floors) != 1:
        raise ValueError(f"scores: expected one model of independent cells, got {len(floors)}")
    lengths = sorted({len(score.test) for score in scores} | {len(time)})
    if len(lengths) > 1:
        raise ValueError(f"scores: expected as many test words of every model as there are times, got {lengths}")
    best = max((score for score in scores if score.family != VAE), key=lambda score: score.validation.mean())
    order = np.argsort(time, kind="stable")
    rows = []
    for score in scores:
        differences = score.test, score.test - floors[0].test, score.test - best.test
        own, floor, rival = (average(values[order], stretches) for values in differences)
        rows.append(
            {
                "model": score.model,
                "family": score.family,
                "parameters": score.parameters,
                "validation_log_likelihood": score.validation.mean(),
                "log_likelihood": own.value,
                "error_words": score.test.std(ddof=1) / np.sqrt(len(score.test)),
                "error_stretches": own.error,
                "gain_over_independent": floor.value,
                "gain_over_independent_error": floor.error,
                "gain_over_best_rival": rival.value,
                "gain_over_best_rival_error": rival.error,
                "best_rival": score is best,
                "log_partition_error": score.log_partition_error,
                "seconds": score.seconds,
            }
        )
    return pd.DataFrame(rows).sort_values("log_likelihood", ascending=False, ignore_index=True)
