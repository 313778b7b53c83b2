"""The number of latent variables is chosen by validation rows, with a range that they allow; test rows only report."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vae_mf.density_models.comparison import ModelScores
from vae_mf.discovery.model_selection import (
    choose_number,
    classes_take_over,
    has_saturated,
    numbers_to_try,
)
from vae_mf.discovery.settings import discovery_config, discovery_settings

BLOCKS = 4
NOISE = np.repeat([1.0, -1.0, 1.0, -1.0], 5)
"""Means over four blocks with the error 1 / sqrt(3)."""
ERROR = 1 / np.sqrt(3)
SETTINGS = discovery_settings(*discovery_config()).selection


def scores(
    validation: np.ndarray, test: np.ndarray | None = None, family: str = "VAE", name: str = "", parameters: int = 1000
) -> ModelScores:
    """Scores of a model; so many parameters have independent variables."""
    return ModelScores(name or family, family, parameters, validation, validation if test is None else test, 0.0, 0.0)


def sweep(*gains: float, noise: float = 0.0) -> dict[int, ModelScores]:
    """Scores of 0, 1, ... latents, whose validation rows gain so much over those of independent variables."""
    return {k: scores(-10 + gain + noise * NOISE * (k % 2)) for k, gain in enumerate([0.0, *gains])}


@pytest.mark.parametrize(
    ("gains", "noise", "latents"),
    [
        # Behind by 1 % of the gain or less counts for nothing, however certain.
        ((50, 99.1, 100), 0.0, 2),
        ((50, 98.9, 100), 0.0, 3),
        # Within two errors and 3 %: 2 is behind 3 by 1.1, the error .577.
        ((50, 98.9, 100), 1.0, 2),
        # Within two errors, but 6 % of the gain: a variable that matters is not hidden by noise.
        ((5, 9.4, 10), 1.0, 3),
    ],
    ids=str,
)
def test_the_smallest_number_as_good_as_the_best_is_chosen(gains, noise, latents):
    choice = choose_number(sweep(*gains, noise=noise), BLOCKS, SETTINGS)
    assert choice.latents == latents
    assert choice.table.chosen.tolist() == [k == latents for k in range(len(gains) + 1)]


def test_a_number_is_not_passed_over_for_nats_that_a_verdict_does_not_tolerate():
    """24 variables that share 5.4 nats: 0.05 are 1 % of these, but more than the 0.048 that a model may leave."""
    found = {
        k: scores(np.full(20, -13.1 + gained), parameters=24) for k, gained in enumerate((0.0, 4.92, 5.30, 5.35, 5.37))
    }
    assert choose_number(found, BLOCKS, SETTINGS).latents == 3
    patient = replace(SETTINGS, patience=1)
    assert not has_saturated({k: found[k] for k in range(4)}, BLOCKS, patient)
    assert has_saturated(found, BLOCKS, patient)


def test_the_table_holds_paired_differences_and_gains_on_test_rows():
    row = choose_number(sweep(5, 9.5, 10, noise=1.0), BLOCKS, SETTINGS).table.set_index("latents").loc[2]
    assert_allclose([row.behind, row.behind_error, row.gain], [0.5, ERROR, 9.5])


def test_numbers_that_the_rows_allow_are_named():
    found = sweep(5, 9.5, 10, noise=1.0)
    assert choose_number(found, BLOCKS, SETTINGS).possible == [2, 3]
    assert choose_number(sweep(5, 9.5, 10), BLOCKS, SETTINGS).possible == [3]
    # Trainings that differ by more than that allow more.
    assert choose_number(sweep(5, 9.5, 10), BLOCKS, SETTINGS, spread=0.3).possible == [2, 3]


def test_test_rows_choose_nothing():
    found = sweep(5, 6)
    better_on_test = found | {1: scores(found[1].validation, found[1].test + 9)}
    assert choose_number(better_on_test, BLOCKS, SETTINGS).latents == 2
    worse_on_test = {0: found[0], 1: scores(np.full(20, -5.0), np.full(20, -20.0))}
    assert choose_number(worse_on_test, BLOCKS, SETTINGS).latents == 1


@pytest.mark.parametrize("gains", [(-0.1, -0.2), (1.0,)], ids=str)
def test_independent_variables_are_chosen_where_nothing_is_gained(gains):
    assert choose_number(sweep(*gains, noise=1.0), BLOCKS, SETTINGS).latents == 0


def test_a_number_between_is_not_skipped_to_none():
    """The first number gains nothing that can be seen, the second much: it is the second that is chosen."""
    found = sweep(0.5, 8, noise=1.0)
    assert choose_number(found, BLOCKS, SETTINGS).latents == 2


def test_variables_that_are_known_to_be_dependent_are_described_even_if_held_out_rows_are_too_few():
    assert choose_number(sweep(1.0, noise=1.0), BLOCKS, SETTINGS, dependent=True).latents == 1
    assert choose_number(sweep(-1.0, -0.5), BLOCKS, SETTINGS, dependent=True).latents == 2


def test_independent_variables_must_be_among_the_scores():
    with pytest.raises(ValueError, match="expected 0 latents among them, got \\[1\\]"):
        choose_number({1: scores(NOISE)}, BLOCKS, SETTINGS)


@pytest.mark.parametrize(
    ("gains", "patience", "saturated"),
    [
        ((5, 5), 1, True),
        ((5, 5), 2, False),
        ((5, 5, 5), 2, True),
        ((5, 6), 1, False),
        ((5, 5.01), 1, True),
        ((), 1, False),
        ((0,), 1, False),
        ((0, 0), 1, True),
        ((0, 5), 1, False),
        ((5, 5), 0, False),
    ],
    ids=str,
)
def test_a_sweep_ends_when_the_last_numbers_add_nothing(gains, patience, saturated):
    assert has_saturated(sweep(*gains), BLOCKS, replace(SETTINGS, patience=patience)) is saturated


def test_there_are_fewer_latents_than_variables():
    settings = replace(SETTINGS, largest_latents=10, fewest_variables=4)
    assert list(numbers_to_try(settings, 4)) == [1, 2, 3]
    assert list(numbers_to_try(replace(settings, largest_latents=2), 40)) == [1, 2]
    # Many only where there are variables for each of them.
    assert [max(numbers_to_try(settings, n)) for n in (12, 24, 30, 48)] == [5, 6, 7, 10]


@pytest.mark.parametrize(
    ("lead", "noise", "better"), [(2.0, 1.0, True), (1.0, 1.0, False), (0.05, 0.0, False), (0.2, 0.0, True)], ids=str
)
def test_classes_take_over_only_if_clearly_and_by_enough(lead, noise, better):
    latents = scores(np.full(20, -5.0))
    classes = scores(-5.0 + lead + noise * NOISE, family="BernoulliMixture")
    assert classes_take_over(classes, latents, least=0.1, blocks=BLOCKS, settings=SETTINGS) is better
