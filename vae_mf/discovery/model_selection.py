"""Number of latent variables that held-out rows ask for, and the answer about a data set."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.density_models.comparison import VAE, ModelScores
from vae_mf.statistics.averages import Average, average
from vae_mf.verdict.decision import NOT_FOUND, Subject, Verdict

NOTHING = "nothing to find"
"""Beside those of `verdict.Verdict`: held-out rows look independent to every model."""
SIGNIFICANT = 2.0
"""Standard errors that a gain over independent variables must exceed to count."""
FEWEST_TRIED = 2
"""Numbers of latents that every sweep tries, so that one training which finds nothing is not the last word."""


class Choice(NamedTuple):
    """The number of latent variables and what it was chosen on."""

    latents: int
    """0 if no model with latent variables predicts held-out rows better than independent variables do."""
    table: pd.DataFrame
    """A row per number that was tried, see `choose_latents`."""


class Decision(NamedTuple):
    """Answer about a data set."""

    answer: str
    """`NOTHING`, `verdict.FOUND`, `verdict.NOT_FOUND` or `verdict.NOT_DECIDED`."""
    remarks: list[str]
    """Limits of the answer, a sentence each."""


def choose_latents(scores: Mapping[int, ModelScores], blocks: int, negligible: float = 0.0) -> Choice:
    """Choose the smallest number of latent variables within one paired standard error of the best.

    The choice is made on validation rows, so that the gains of test rows are those of a model that they did not choose.
    Number 0 stands for independent variables; another one is chosen only if it gains more than `SIGNIFICANT` errors
    over them on the test rows too. Errors are those of means over blocks of neighbouring rows (`chains.average`).

    Source: the one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984, section 3.4.3.

    Args:
        scores: scores of every number, 0 among them; rows in their order.
        blocks: number of blocks of neighbouring rows.
        negligible: nats per row that count for nothing even where they exceed the error.

    Raises:
        ValueError: if there are no scores of independent variables.
    """
    if 0 not in scores:
        raise ValueError(f"scores: expected 0 latents among them, got {sorted(scores)}")
    rows = [{"latents": latents} | sweep_row(scores, latents, blocks) for latents in sorted(scores)]
    table = pd.DataFrame(rows)
    best = table.latents[table.validation_log_likelihood.idxmax()]
    behind = [gain(scores[best].validation, scores[k].validation, blocks) for k in table.latents]
    table["behind"], table["behind_error"] = zip(*behind, strict=True)
    chosen = int(table.latents[table.behind <= table.behind_error.clip(lower=negligible)].min())
    if not significant(gain(scores[chosen].test, scores[0].test, blocks)):
        chosen = 0
    return Choice(chosen, table.assign(chosen=table.latents == chosen))


def sweep_row(scores: Mapping[int, ModelScores], latents: int, blocks: int) -> dict[str, float]:
    """Return likelihoods of validation and test rows, and the gain over independent variables on the latter."""
    own = scores[latents]
    gained = gain(own.test, scores[0].test, blocks)
    return {
        "validation_log_likelihood": float(own.validation.mean()),
        "test_log_likelihood": float(own.test.mean()),
        "gain": gained.value,
        "gain_error": gained.error,
        "parameters": own.parameters,
        "seconds": own.seconds,
    }


def gain(own: Float[np.ndarray, " rows"], other: Float[np.ndarray, " rows"], blocks: int) -> Average:
    """Return the mean difference of log-likelihoods, row by row, and its error."""
    return average(own - other, blocks)


def significant(difference: Average) -> bool:
    """Return True if a difference exceeds `SIGNIFICANT` of its errors.

    >>> significant(Average(0.5, 0.2)), significant(Average(0.3, 0.2))
    (True, False)
    """
    return bool(difference.value > SIGNIFICANT * difference.error)


def has_saturated(scores: Mapping[int, ModelScores], patience: int, blocks: int, negligible: float = 0.0) -> bool:
    """Return True if the last ``patience`` numbers of latents gained nothing over the best of those before them.

    It never is before `FEWEST_TRIED` are known.
    """
    numbers = sorted(scores)
    before, last = numbers[:-patience] if patience else numbers, numbers[-patience:] if patience else []
    if not before or not last or last[-1] < FEWEST_TRIED:
        return False
    best = max(before, key=lambda number: scores[number].validation.mean())
    gains = [gain(scores[number].validation, scores[best].validation, blocks) for number in last]
    return not any(each.value > max(each.error, negligible) for each in gains)


def decide(choice: Choice, models: pd.DataFrame, verdict: Verdict | None) -> Decision:
    """Return the answer about a data set.

    Where no number of latent variables gains anything there is nothing to find, unless another model does gain:
    then there are correlations, but not those of collective variables. Otherwise the verdict decides.

    Args:
        choice: chosen number of latent variables.
        models: table of `density_models.comparison.compare_models`, with the chosen model if there is one.
        verdict: verdict on the chosen model; None if there is none.

    Raises:
        ValueError: if latent variables were chosen and there is no verdict.
    """
    if choice.latents and verdict is None:
        raise ValueError(f"verdict: expected one on the model with {choice.latents} latents, got none")
    if verdict is not None and choice.latents:
        # That there is no ln Z of real data goes without saying.
        remarks = [remark.text for remark in verdict.remarks if remark.subject != Subject.PARTITION_FUNCTION]
        return Decision(verdict.answer, [*remarks, *beaten(models)])
    error = models.gain_over_independent_error + models.log_partition_error
    winners = models[models.gain_over_independent > SIGNIFICANT * error]
    if winners.empty:
        return Decision(NOTHING, [])
    names = ", ".join(winners.model)
    return Decision(
        NOT_FOUND, [f"Rows are correlated, as {names} predict them better, but not by collective variables."]
    )


def beaten(models: pd.DataFrame) -> list[str]:
    """Return a sentence if the best baseline predicts test rows better than the model with latent variables does."""
    own = models[models.family == VAE]
    if own.empty:
        return []
    ahead = -float(own.gain_over_best_baseline.iloc[0])
    error = float(own.gain_over_best_baseline_error.iloc[0])
    if not ahead > SIGNIFICANT * error:
        return []
    name = str(models.model[models.best_baseline].iloc[0])
    return [f"{name} predicts held-out rows better, by {ahead:.3f} ± {error:.3f} nats per row."]


def numbers_to_try(largest: int, variables: int) -> Sequence[int]:
    """Return the numbers of latent variables from 1, below that of the variables.

    >>> list(numbers_to_try(largest=8, variables=4))
    [1, 2, 3]
    """
    return range(1, min(largest, variables - 1) + 1)
