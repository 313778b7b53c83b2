"""The table of a comparison: paired gains, errors from blocks of time, and a best baseline that validation chooses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vae_mf.datasets import make_recording, split_rows
from vae_mf.density_models import ChowLiuTree, Independent
from vae_mf.density_models.comparison import (
    NEAR,
    ModelScores,
    chosen_in_folds,
    compare_models,
    compare_pairs,
    lead_sentence,
    pooled_folds,
    score_density_model,
)

RANDOM = np.random.default_rng(1)
TIME = RANDOM.permutation(np.repeat(np.arange(40), 5))
SCENE = RANDOM.normal(0, 2, 40)[TIME]
"""What all models find hard alike."""


def scores(model: str, family: str, level: float, validation: float) -> ModelScores:
    test = level + SCENE + RANDOM.normal(0, 0.1, 200)
    return ModelScores(model, family, 7, np.full(30, validation), test, 0.01, 2.0)


ALL = [
    scores("floor", "Independent", -10.0, -10.0),
    scores("chosen", "BernoulliMixture", -8.5, -8.0),
    scores("lucky", "KPairwise", -8.2, -8.4),
    scores("ours", "VAE", -8.0, -7.0),
]


def by_model(blocks: int = 20):
    return compare_models(ALL, TIME, blocks).set_index("model")


def test_the_likeliest_comes_first():
    assert list(by_model().index) == ["ours", "lucky", "chosen", "floor"]


def test_gains_are_paired_and_their_errors_come_from_blocks():
    table = by_model()
    order = np.argsort(TIME, kind="stable")
    for score in ALL:
        row, gain = table.loc[score.model], score.test - ALL[0].test
        means = gain[order].reshape(20, 10).mean(axis=1)
        assert_allclose(row.log_likelihood, score.test.mean())
        assert_allclose(row.gain_over_independent, gain.mean())
        own, floor = score.log_partition_error, ALL[0].log_partition_error
        alone = 0.0 if score is ALL[0] else np.hypot(means.std(ddof=1) / np.sqrt(20), np.hypot(own, floor))
        assert_allclose(row.gain_over_independent_error, alone)
        assert_allclose(row.error_rows, score.test.std(ddof=1) / np.sqrt(200))
        # The scenes are common to all models, so that the errors of gains do not hold them.
        assert row.gain_over_independent_error < row.error_blocks / 10
        assert row.error_blocks > 1.3 * row.error_rows


def test_validation_chooses_the_best_baseline_and_no_vae_is_one():
    table = by_model()
    assert list(table.index[table.best_baseline]) == ["chosen"]
    assert table.loc["chosen", "gain_over_best_baseline"] == table.loc["chosen", "gain_over_best_baseline_error"] == 0
    assert_allclose(table.loc["ours", "gain_over_best_baseline"], (ALL[3].test - ALL[1].test).mean())


def test_the_order_of_rows_does_not_matter():
    order = RANDOM.permutation(200)
    # Rows of one time may change places: blocks hold whole times here.
    moved = [score._replace(test=score.test[order]) for score in ALL]
    found = compare_models(moved, TIME[order], 20).drop(columns=["model", "family"])
    assert_allclose(found.astype(float), by_model().reset_index().drop(columns=["model", "family"]).astype(float))


def test_every_pair_is_compared_row_by_row():
    pairs = compare_pairs(ALL, TIME, 20).set_index(["model", "other"])
    assert len(pairs) == 6
    assert (pairs.value > 0).all()
    difference = ALL[3].test - ALL[1].test
    blocks = difference[np.argsort(TIME, kind="stable")].reshape(20, 10).mean(axis=1)
    found = pairs.loc[("ours", "chosen")]
    assert_allclose(found.value, difference.mean())
    assert_allclose(found.error**2, blocks.var(ddof=1) / 20 + 2 * 0.01**2)


def test_folds_are_pooled_row_by_row():
    halves = [[score._replace(test=part) for score in ALL] for part in np.split(np.arange(8.0), 2)]
    pooled = [pooled_folds(folds) for folds in zip(*halves, strict=True)]
    assert pooled[3].test.tolist() == list(range(8))
    # Independent errors of half the rows each.
    assert_allclose(pooled[3].log_partition_error, 0.01 / np.sqrt(2))


@pytest.mark.parametrize(("lead", "place"), [(0.5, "ahead of"), (0.1, "level with"), (-0.5, "behind")])
def test_a_vae_is_ahead_by_more_than_two_errors_alone(lead, place):
    noise = RANDOM.normal(0, 1, 200)
    own = ALL[3]._replace(test=ALL[1].test + lead + noise - noise.mean())
    table = compare_models([*ALL[:3], own], TIME, 20)
    assert lead_sentence(table).startswith(f"ours is {place} chosen: {lead:+.3f} ± 0.0")


def test_validation_chooses_in_every_fold_anew():
    first = [ALL[0], ALL[1], ALL[2], ALL[3]]
    second = [ALL[0], ALL[1], ALL[2]._replace(validation=np.full(30, -7.5)), ALL[3]]
    baseline, vae = chosen_in_folds([first, second])
    assert np.array_equal(baseline.test, np.concatenate([ALL[1].test, ALL[2].test]))
    assert np.array_equal(vae.test, np.tile(ALL[3].test, 2))
    pooled = [pooled_folds(each) for each in zip(first, second, strict=True)]
    table = compare_models([*pooled, baseline, vae], np.tile(TIME, 2), 20)
    assert table.model[table.best_baseline].item() == baseline.model
    assert "VAE chosen in each fold is ahead of baseline chosen in each fold" in lead_sentence(table)
    assert len(chosen_in_folds([first[:3], second[:3]])) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stay", [0.5, 0.9])
def test_the_lead_of_fits_to_five_folds_has_the_error_that_is_told(stay):
    """Coverage of the difference that these fits have on rows without end; folds share most of their training rows."""
    covered = [fold_lead(np.random.default_rng(seed), stay) for seed in range(100)]
    assert np.mean(covered) >= 0.9


def fold_lead(random: np.random.Generator, stay: float) -> bool:
    """Return True if the lead of a tree over independent variables is within its errors of the true one."""
    rates = np.array([[0.1, 0.1, 0.2, 0.1, 0.1], [0.5, 0.4, 0.3, 0.3, 0.2]])

    def drawn(count: int) -> np.ndarray:
        return (random.random((count, 5)) < rates[(random.random(count) > stay).cumsum() % 2]).astype(np.int8)

    recording, others = make_recording(drawn(2000)), 2 * drawn(50_000) - 1
    folds = []
    true = []
    for fold in range(5):
        parts = [recording.rows[part] for part in split_rows(recording, "time", folds=5, fold=fold)]
        models = {"floor": Independent(), "tree": ChowLiuTree()}
        folds.append([score_density_model(name, model, *parts) for name, model in models.items()])
        true.append(np.mean(models["tree"].score_samples(others) - models["floor"].score_samples(others)))
    table = compare_models([pooled_folds(each) for each in zip(*folds, strict=True)], recording.time, 20)
    row = table.set_index("model").loc["tree"]
    return abs(row.gain_over_independent - np.mean(true)) < NEAR * row.gain_over_independent_error


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one model of independent variables, got 0"):
        compare_models(ALL[1:], TIME, 20)
    with pytest.raises(ValueError, match=r"as many test rows .* got \[100, 200\]"):
        compare_models(ALL, TIME[:100], 20)
    with pytest.raises(ValueError, match="blocks"):
        compare_models(ALL, TIME, 1)
