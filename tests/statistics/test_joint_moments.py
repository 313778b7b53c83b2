"""Words and moments against brute force."""

from itertools import combinations

import numpy as np
import pytest

from vae_mf.statistics.joint_moments import (
    moment_table,
    random_triplets,
    word_divergences,
    word_frequencies,
    word_table,
)

WORDS = np.random.default_rng(1).choice([-1, 1], (200, 7), p=[0.7, 0.3]).astype(np.int8)
SOURCES = {"test": WORDS, "model": WORDS[::2]}


def test_frequencies_count_every_word():
    found = word_frequencies(np.array([[1, -1], [1, 1], [1, -1], [-1, -1]], np.int8))
    np.testing.assert_allclose(found, [0.25, 0.5, 0, 0.25])


def test_groups_are_random_and_all_their_words_are_there():
    table = word_table(SOURCES, 3, 4, seed=2)
    assert len(table) == 4 * 8
    np.testing.assert_allclose(table.groupby("group")[["test", "model"]].sum(), 1)
    assert list(table.active[:8]) == [0, 1, 1, 2, 1, 2, 2, 3]
    # The mean number of active cells of a group is the sum of their rates.
    sums = [sum(rates) for rates in combinations((WORDS > 0).mean(0), 3)]
    mean_counts = (table.test * table.active).groupby(table.group).sum()
    assert all(np.isclose(found, sums, atol=1e-12).any() for found in mean_counts)
    assert mean_counts.nunique() > 1
    assert len(word_table(SOURCES, 16, 1, seed=2)) == 2**7


def test_divergence_is_zero_for_the_same_and_ln_2_for_disjoint_words():
    silent, active = -np.ones((5, 3), np.int8), np.ones((5, 3), np.int8)
    table = word_table({"test": silent, "same": silent, "other": active}, 3, 2, seed=1)
    assert word_divergences(table, "test") == pytest.approx({"same": 0, "other": np.log(2)})


def test_moments_are_those_of_numpy():
    table = moment_table(SOURCES, 1000, seed=1)
    assert table.groupby("order").size().to_dict() == {1: 7, 2: 21, 3: 35}
    for source, words in SOURCES.items():
        centred = words - words.mean(0)
        for row in table.itertuples():
            cells = [cell for cell in (row.first, row.second, row.third) if cell >= 0]
            expected = words[:, cells[0]].mean() if row.order == 1 else centred[:, cells].prod(1).mean()
            assert getattr(row, source) == pytest.approx(expected, abs=1e-6)


def test_triplets_differ():
    found = random_triplets(30, 200, seed=3)
    assert found.shape == (200, 3)
    assert len(np.unique(found, axis=0)) == 200
    assert (np.diff(found, axis=1) > 0).all()


@pytest.mark.parametrize(("cells", "groups"), [(17, 1), (0, 1), (3, 0)])
def test_settings_out_of_range_are_refused(cells, groups):
    with pytest.raises(ValueError, match=r"cells|groups"):
        word_table(SOURCES, cells, groups, seed=1)
