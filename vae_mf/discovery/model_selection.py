"""How many latent variables held-out rows ask for, and the answer that is given about a data set."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.density_models.comparison import VAE, ModelScores
from vae_mf.statistics.averages import Average, average
from vae_mf.verdict.decision import NO_PARTITION_FUNCTION, NOT_FOUND, Verdict

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


class Answer(NamedTuple):
    """What is said about a data set."""

    answer: str
    """`NOTHING`, `verdict.FOUND`, `verdict.NOT_FOUND` or `verdict.NOT_DECIDED`."""
    remarks: list[str]
    """What limits it, a sentence each."""


def choose_latents(scores: Mapping[int, ModelScores], blocks: int, negligible: float = 0.0) -> Choice:
    """Choose the smallest number of latent variables within one paired standard error of the best.

    The choice is made on validation rows, so that the gains of test rows are those of a model that they did not choose.
    Number 0 stands for independent variables; another one is chosen only if it gains more than `SIGNIFICANT` errors
    over them on the test rows too. Errors are those of means over blocks of neighbouring rows (`chains.average`).

    Source: the one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984, section 3.4.3.

    Args:
        scores: of every number, 0 among them; rows in their order.
        blocks: of rows.
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
    own, gained = scores[latents], gain(scores[latents].test, scores[0].test, blocks)
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
    """Return whether a difference exceeds `SIGNIFICANT` of its errors."""
    return bool(difference.value > SIGNIFICANT * difference.error)


def has_levelled(scores: Mapping[int, ModelScores], patience: int, blocks: int, negligible: float = 0.0) -> bool:
    """Return whether the last ``patience`` numbers of latents gained nothing over the best of those before them.

    That is never said before `FEWEST_TRIED` are known.
    """
    numbers = sorted(scores)
    before, last = numbers[:-patience] if patience else numbers, numbers[-patience:] if patience else []
    if not before or not last or last[-1] < FEWEST_TRIED:
        return False
    best = max(before, key=lambda number: scores[number].validation.mean())
    gains = [gain(scores[number].validation, scores[best].validation, blocks) for number in last]
    return not any(each.value > max(each.error, negligible) for each in gains)


def conclude(choice: Choice, rivals: pd.DataFrame, verdict: Verdict | None) -> Answer:
    """Return the answer about a data set.

    Where no number of latent variables gains anything there is nothing to find, unless a rival without them does gain:
    then there are correlations, but not those of collective variables. Otherwise the verdict decides.

    Args:
        choice: of the number of latent variables.
        rivals: table of `rivals.compare_models`, with the chosen model last if there is one.
        verdict: on the chosen model; None if there is none.

    Raises:
        ValueError: if latent variables were chosen and there is no verdict.
    """
    if choice.latents and verdict is None:
        raise ValueError(f"verdict: expected one on the model with {choice.latents} latents, got none")
    if verdict is not None and choice.latents:
        # That there is no ln Z of real data goes without saying.
        remarks = [remark for remark in verdict.remarks if remark != NO_PARTITION_FUNCTION]
        return Answer(verdict.answer, [*remarks, *beaten(rivals)])
    error = rivals.gain_over_independent_error + rivals.log_partition_error
    winners = rivals[rivals.gain_over_independent > SIGNIFICANT * error]
    if winners.empty:
        return Answer(NOTHING, [])
    names = ", ".join(winners.model)
    return Answer(NOT_FOUND, [f"Rows are correlated, as {names} predict them better, but not by collective variables."])


def beaten(rivals: pd.DataFrame) -> list[str]:
    """Return a sentence if the best rival predicts test rows better than the model with latent variables does."""
    own = rivals[rivals.family == VAE]
    if own.empty:
        return []
    ahead, error = -float(own.gain_over_best_baseline.iloc[0]), float(own.gain_over_best_baseline_error.iloc[0])
    if not ahead > SIGNIFICANT * error:
        return []
    name = str(rivals.model[rivals.best_baseline].iloc[0])
    return [f"{name} predicts held-out rows better, by {ahead:.3f} ± {error:.3f} nats per row."]


def numbers_to_try(largest: int, variables: int) -> Sequence[int]:
    """Return the numbers of latent variables from 1, below that of the variables."""
    return range(1, min(largest, variables - 1) + 1)
