"""Repeats to train on: exact halves, honest bootstraps, and held-out words that stay the same and stay apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.datasets.recording import make_recording
from vae_mf.datasets.splits import rows_of_repeats, split_rows

REPEAT = np.repeat([2, 3, 5, 7, 11], [3, 1, 2, 2, 1])
CHOICES = st.sampled_from(["all", "first_half", "second_half"]) | st.integers(0, 2**40).map("bootstrap_{}".format)


def recording(repeats: int, bins: int = 20):
    raster = np.random.default_rng(repeats).integers(0, 2, (repeats, 4, bins)).astype(np.uint8)
    return make_recording(raster)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("all", range(9)), ("first_half", range(4)), ("second_half", range(4, 9))],
)
def test_halves_are_those_of_the_repeats(chosen, expected):
    np.testing.assert_array_equal(rows_of_repeats(REPEAT, chosen), expected)


def test_a_bootstrap_takes_whole_repeats_as_often_as_they_were_drawn():
    rows = rows_of_repeats(REPEAT, "bootstrap_1")
    assert (np.diff(rows) >= 0).all()
    times = np.bincount(rows, minlength=len(REPEAT))
    drawn = [set(times[repeat == REPEAT]) for repeat in np.unique(REPEAT)]
    assert all(len(counts) == 1 for counts in drawn)
    assert sum(min(counts) for counts in drawn) == 5
    np.testing.assert_array_equal(rows, rows_of_repeats(REPEAT, "bootstrap_1"))


def test_bootstraps_draw_each_repeat_as_often_as_chance_would():
    repeats, samples = 30, 400
    drawn = [
        np.bincount(rows_of_repeats(np.arange(repeats), f"bootstrap_{k}"), minlength=repeats) for k in range(samples)
    ]
    assert {counts.sum() for counts in drawn} == {repeats}
    # Left out with probability (1 - 1/n)^n; five errors of a count over samples and repeats.
    missing = (1 - 1 / repeats) ** repeats
    assert np.mean(np.equal(drawn, 0)) == pytest.approx(missing, abs=5 * np.sqrt(missing / samples / repeats))
    np.testing.assert_allclose(np.mean(drawn, axis=0), 1, atol=5 / np.sqrt(samples))


@given(
    split=st.sampled_from(["random", "time", "repeat"]),
    chosen=CHOICES,
    repeats=st.integers(8, 15),
    seed=st.integers(0, 100),
)
def test_what_is_held_out_stays_the_same_and_apart(split, chosen, repeats, seed):
    words = recording(repeats)
    whole = split_rows(words, split, 0.2, 0.2, seed)
    part = split_rows(words, split, 0.2, 0.2, seed, repeats=chosen)
    np.testing.assert_array_equal(part.test, whole.test)
    np.testing.assert_array_equal(part.validation, whole.validation)
    assert set(part.train) <= set(whole.train)
    np.testing.assert_array_equal(part.train, whole.train[rows_of_repeats(words.repeat[whole.train], chosen)])
    if split == "repeat":
        assert not set(words.repeat[part.train]) & set(words.repeat[np.concatenate(whole[1:])])


@pytest.mark.parametrize("split", ["random", "time", "repeat"])
def test_halves_of_the_training_words_part_them(split):
    words = recording(9)
    whole = split_rows(words, split, 0.2, 0.2).train
    halves = [split_rows(words, split, 0.2, 0.2, repeats=half).train for half in ("first_half", "second_half")]
    np.testing.assert_array_equal(np.sort(np.concatenate(halves)), whole)
    first, second = (set(words.repeat[half]) for half in halves)
    assert max(first) < min(second)


@pytest.mark.parametrize(
    "chosen", ["half", "bootstrap", "bootstrap_", "bootstrap_-1", "bootstrap_1.5", "Bootstrap_1", 3, None]
)
def test_other_choices_are_refused(chosen):
    with pytest.raises(
        ValueError, match=r"repeats: expected all, first_half, second_half or bootstrap_SEED such as .* got"
    ):
        rows_of_repeats(REPEAT, chosen)


@pytest.mark.parametrize("chosen", ["first_half", "second_half", "bootstrap_1"])
def test_one_repeat_cannot_be_chosen_from(chosen):
    words = recording(1, bins=60)
    with pytest.raises(
        ValueError, match=f"repeats: expected at least 2 repeats to take {chosen} of, got 1; set .* all"
    ):
        split_rows(words, "time", 0.2, 0.2, repeats=chosen)
    assert len(split_rows(words, "time", 0.2, 0.2, repeats="all").train) == 36


def test_a_cell_that_no_chosen_repeat_has_active_is_named():
    raster = np.random.default_rng(1).integers(0, 2, (10, 3, 20)).astype(np.uint8)
    raster[:4, 1] = 0
    words = make_recording(raster)
    assert len(split_rows(words, "repeat", 0.1, 0.1).train) == 160
    with pytest.raises(ValueError, match=r"in the training part, got always silent: \[1\]"):
        split_rows(words, "repeat", 0.1, 0.1, repeats="first_half")
