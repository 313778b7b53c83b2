"""Number of latent variables, or of classes, that held-out rows ask for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.density_models.comparison import ModelScores
from vae_mf.discovery.settings import SelectionSettings
from vae_mf.statistics.averages import Average, average

INDEPENDENT = "independent variables"
"""Name of their model in tables."""
TREE = "Chow-Liu tree"
"""Name of a single tree in tables."""
FEWEST_TRIED = 2
"""Numbers of latents that every sweep tries, so that one training which finds nothing is not the last word."""
ALWAYS_TRIED = 5
"""Numbers of latents that are tried however few variables there are for each."""


class Description(NamedTuple):
    """A latent description of data: continuous variables, or classes of rows."""

    latents: int
    """Number of continuous latent variables, 0 if there are none or if classes are better."""
    classes: int
    """Number of latent classes, 0 if there are none or if continuous variables are as good."""

    @property
    def model(self) -> str:
        """Name of its model in tables.

        >>> Description(0, 6).model, Description(2, 0).model, Description(0, 0).model
        ('mixture of 6 classes', 'VAE, d = 2', 'independent variables')
        """
        if self.classes:
            return f"mixture of {self.classes} classes"
        return f"VAE, d = {self.latents}" if self.latents else INDEPENDENT


class Choice(NamedTuple):
    """The number of latent variables and what it was chosen on."""

    latents: int
    """Smallest number that predicts as well as the best does; 0 if none predicts better than independent variables."""
    table: pd.DataFrame
    """A row per number that was tried, see `choose_number`."""

    @property
    def likeliest(self) -> int:
        """Number that predicts validation rows best."""
        return int(self.table.latents[self.table.validation_log_likelihood.idxmax()])

    @property
    def possible(self) -> list[int]:
        """Numbers that the rows allow beside the chosen one."""
        return [int(number) for number in self.table.latents[self.table.possible]]


def choose_number(
    scores: Mapping[int, ModelScores],
    blocks: int,
    settings: SelectionSettings,
    *,
    dependent: bool = False,
    spread: float = 0.0,
) -> Choice:
    """Choose the smallest number of latent variables that predicts validation rows as well as the best number does.

    A number is as good as the best if it is behind by at most the resolution, or by no more than its errors and a small
    multiple of that: where rows are few, noise must not hide a variable that matters. It is possible if it is behind by
    no more than its errors, the spread between trainings among them, or by the resolution. Number 0 stands for
    independent variables and is chosen if the best gains no more than its errors over them, unless all rows together
    show that they are dependent. Test rows choose nothing. Errors are those of means over blocks of neighbouring rows.

    Args:
        scores: scores of every number, 0 among them; rows in their order.
        blocks: number of blocks of neighbouring rows.
        settings: resolution, and errors that count.
        dependent: True if the variables are known to depend on each other, and 0 is no choice.
        spread: nats per row by which trainings of the same model differ.

    Raises:
        ValueError: if there are no scores of independent variables.
    """
    if 0 not in scores:
        raise ValueError(f"scores: expected 0 latents among them, got {sorted(scores)}")
    table = pd.DataFrame([{"latents": number} | sweep_row(scores, number, blocks) for number in sorted(scores)])
    tried = table[table.latents > 0] if dependent else table
    best = tried.latents[tried.validation_log_likelihood.idxmax()]
    behind = [gain(scores[best].validation, scores[number].validation, blocks) for number in table.latents]
    table["behind"], table["behind_error"] = zip(*behind, strict=True)
    whole = gain(scores[best].validation, scores[0].validation, blocks)
    small = least_that_counts(whole.value, scores[0].parameters, settings)
    errors = settings.significant
    within = np.minimum(errors * table.behind_error, settings.passed_over * small).clip(lower=small)
    seen = dependent or (best > 0 and whole.value > errors * whole.error)
    chosen = int(table.latents[(table.behind <= within) & (table.latents > 0)].min()) if seen else 0
    allowed = (errors * np.hypot(table.behind_error, np.sqrt(2) * spread)).clip(lower=small)
    return Choice(chosen, table.assign(chosen=table.latents == chosen, possible=table.behind <= allowed))


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


def spread_of(trainings: Sequence[Float[np.ndarray, " rows"]]) -> float:
    """Return the spread of mean log-likelihoods between trainings; 0 for a single one, which tells none.

    >>> spread_of([np.array([0.0, 2.0]), np.array([2.0, 4.0])])
    1.4142135623730951
    """
    return float(np.std([each.mean() for each in trainings], ddof=1)) if len(trainings) > 1 else 0.0


def has_saturated(scores: Mapping[int, ModelScores], blocks: int, settings: SelectionSettings) -> bool:
    """Return True if the last numbers of latents, ``patience`` many, added nothing that counts to the best before.

    It never is before `FEWEST_TRIED` are known.

    Args:
        scores: scores of every number, 0 among them.
        blocks: number of blocks of neighbouring rows.
        settings: patience and resolution.
    """
    patience = settings.patience
    numbers = sorted(scores)
    before = numbers[:-patience] if patience else numbers
    last = numbers[-patience:] if patience else []
    if not before or not last or last[-1] < FEWEST_TRIED:
        return False
    best = max(before, key=lambda number: scores[number].validation.mean())
    whole = gain(scores[best].validation, scores[0].validation, blocks)
    added = [gain(scores[number].validation, scores[best].validation, blocks) for number in last]
    small = least_that_counts(whole.value, scores[0].parameters, settings)
    return not any(each.value > max(each.error, small) for each in added)


def least_that_counts(whole: float, variables: int, settings: SelectionSettings) -> float:
    """Return the nats per row that another latent variable must add to count.

    They are finer than what a verdict tolerates: with a coarser step the number that is chosen would be refuted for
    what the next one explains.

    Args:
        whole: gain of the best number over independent variables, in nats per row.
        variables: number of variables, the parameters of independent ones.
        settings: resolution, as a share of that gain and for each variable.
    """
    return min(settings.resolution * max(whole, 0.0), settings.per_variable * variables)


def numbers_to_try(settings: SelectionSettings, variables: int) -> Sequence[int]:
    """Return the numbers of latent variables from 1, below that of the variables.

    Beyond `ALWAYS_TRIED` there are as many variables for each as carry a collective one.

    Args:
        settings: largest number, and variables for each.
        variables: number of variables.
    """
    carried = variables // max(settings.fewest_variables, 1)
    return range(1, min(settings.largest_latents, max(ALWAYS_TRIED, carried), variables - 1) + 1)


def classes_take_over(
    classes: ModelScores, latents: ModelScores, least: float, blocks: int, settings: SelectionSettings
) -> bool:
    """Return True if latent classes describe validation rows better than continuous latent variables do.

    Args:
        classes: scores of the mixture with the chosen number of classes.
        latents: scores of the model with the chosen number of latent variables, or of independent variables.
        least: nats per row by which they must be ahead.
        blocks: number of blocks of neighbouring rows.
        settings: errors by which they must be, too.
    """
    lead = gain(classes.validation, latents.validation, blocks)
    return bool(lead.value > settings.classes_ahead * lead.error and lead.value > least)
