"""The number of latent variables is chosen by validation rows and their errors, and confirmed by test rows."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from vae_mf.density_models.comparison import ModelScores, compare_models
from vae_mf.discovery.model_selection import (
    NOTHING,
    beaten,
    choose_latents,
    decide,
    has_saturated,
    numbers_to_try,
)
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, Remark, Subject, Verdict

BLOCKS = 4
NOISE = np.repeat([1.0, -1.0, 1.0, -1.0], 5)
"""Means over four blocks with the error 1 / sqrt(3)."""
ERROR = 1 / np.sqrt(3)


def scores(validation: np.ndarray, test: np.ndarray | None = None, family: str = "VAE", name: str = "") -> ModelScores:
    return ModelScores(name or family, family, 1, validation, validation if test is None else test, 0.0, 0.0)


def sweep(*gains: float, noise: float = 0.0) -> dict[int, ModelScores]:
    """ModelScores of 0, 1, ... latents, whose validation rows gain so much over those of independent variables."""
    return {k: scores(-10 + gain + noise * NOISE * (k % 2)) for k, gain in enumerate([0.0, *gains])}


def test_the_smallest_number_within_one_error_of_the_best_is_chosen():
    # 2 is behind 3 by 0.5 with an error of 0.577, 1 by 5.
    choice = choose_latents(sweep(5, 9.5, 10, noise=1.0), BLOCKS)
    assert choice.latents == 2
    row = choice.table.set_index("latents").loc[2]
    assert_allclose([row.behind, row.behind_error, row.gain], [0.5, ERROR, 9.5])
    assert choice.table.chosen.tolist() == [False, False, True, False]


@pytest.mark.parametrize(("negligible", "latents"), [(0.0, 3), (0.02, 2)], ids=str)
def test_a_certain_but_negligible_gain_counts_for_nothing(negligible, latents):
    assert choose_latents(sweep(5, 9.99, 10), BLOCKS, negligible).latents == latents


def test_test_rows_choose_nothing_but_must_confirm():
    found = sweep(5, 6)
    better_on_test = found | {1: scores(found[1].validation, found[1].test + 9)}
    assert choose_latents(better_on_test, BLOCKS).latents == 2
    # A gain on test rows of 1 with an error of 0.577 is not significant.
    denied = {0: found[0], 1: scores(np.full(20, -5.0), -9 + NOISE)}
    assert choose_latents(denied, BLOCKS).latents == 0


def test_independent_variables_are_chosen_where_nothing_is_gained():
    assert choose_latents(sweep(-0.1, -0.2), BLOCKS).latents == 0


def test_independent_variables_must_be_among_the_scores():
    with pytest.raises(ValueError, match="expected 0 latents among them, got \\[1\\]"):
        choose_latents({1: scores(NOISE)}, BLOCKS)


@pytest.mark.parametrize(
    ("gains", "patience", "levelled"),
    [
        ((5, 5), 1, True),
        ((5, 5), 2, False),
        ((5, 5, 5), 2, True),
        ((5, 6), 1, False),
        ((), 1, False),
        ((0,), 1, False),
        ((0, 0), 1, True),
        ((0, 5), 1, False),
        ((5, 5), 0, False),
    ],
    ids=str,
)
def test_a_sweep_ends_when_the_last_numbers_gain_nothing(gains, patience, levelled):
    assert has_saturated(sweep(*gains), patience, BLOCKS) is levelled


def test_a_negligible_gain_does_not_keep_a_sweep_going():
    assert not has_saturated(sweep(5, 5.01), 1, BLOCKS)
    assert has_saturated(sweep(5, 5.01), 1, BLOCKS, negligible=0.02)


def test_there_are_fewer_latents_than_variables():
    assert list(numbers_to_try(8, 4)) == [1, 2, 3]
    assert list(numbers_to_try(2, 40)) == [1, 2]


def models(mixture: float, vae: float | None = None) -> pd.DataFrame:
    """Table of independent variables, a mixture and a VAE with the given gains; the error of each is 0.577."""
    compared = [
        scores(np.full(20, -10.0), family="Independent"),
        scores(-10 + mixture + NOISE, family="BernoulliMixture", name="mixture"),
    ]
    if vae is not None:
        compared.append(scores(np.full(20, -10.0 + vae)))
    return compare_models(compared, np.arange(20), BLOCKS)


def verdict(answer: str) -> Verdict:
    return Verdict(
        answer, pd.DataFrame(), [Remark(Subject.PARTITION_FUNCTION, "of course"), Remark(Subject.SAMPLES, "a remark")]
    )


def test_without_gain_there_is_nothing_to_find():
    assert decide(choose_latents(sweep(-1), BLOCKS), models(1.0), None).answer == NOTHING


def test_correlations_that_only_another_model_sees_are_not_those_of_collective_variables():
    answer = decide(choose_latents(sweep(-1), BLOCKS), models(2.0), None)
    assert answer.answer == NOT_FOUND
    assert "mixture" in answer.remarks[0]


@pytest.mark.parametrize("said", [FOUND, NOT_FOUND, NOT_DECIDED])
def test_the_verdict_decides_where_latents_gain(said):
    answer = decide(choose_latents(sweep(5), BLOCKS), models(2.0, 5.0), verdict(said))
    assert answer == (said, ["a remark"])


def test_a_better_model_is_named():
    answer = decide(choose_latents(sweep(5), BLOCKS), models(7.0, 5.0), verdict(FOUND))
    assert answer.remarks[1] == "mixture predicts held-out rows better, by 2.000 ± 0.577 nats per row."
    # Ahead by 1 with an error of 0.577 is not significant.
    assert beaten(models(6.0, 5.0)) == []


def test_chosen_latents_need_a_verdict():
    with pytest.raises(ValueError, match="expected one on the model with 1 latents, got none"):
        decide(choose_latents(sweep(5), BLOCKS), models(1.0, 5.0), None)
