"""Rows that come in chains: no group and no thinning ever cuts one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.statistics.averages import average, group_starts, thin


def labelled(chains: int, draws: int) -> np.ndarray:
    """Rows (chain, draw), as small integers."""
    return np.indices((chains, draws), np.int8).reshape(2, -1).T.copy()


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 30))
def test_groups_are_whole_chains_and_about_equally_large(chains, draws, groups):
    starts = group_starts(chains * draws, chains, groups)
    sizes = np.diff(starts, append=chains * draws)
    assert len(starts) == min(groups, chains)
    assert starts[0] == 0
    assert (starts % draws == 0).all()
    assert np.ptp(sizes) <= draws


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 200))
def test_thinning_keeps_the_same_draws_of_every_chain(chains, draws, count):
    kept = thin(labelled(chains, draws), count, chains)
    some = np.unique(kept[:, 0])
    assert len(some) == min(chains, count)
    assert len(kept) <= count
    rows = kept.reshape(len(some), -1, 2)
    np.testing.assert_array_equal(rows[:, :, 0], np.repeat(some[:, None], rows.shape[1], axis=1))
    np.testing.assert_array_equal(rows[:, :, 1], np.tile(rows[0, :, 1], (len(some), 1)))
    assert rows.shape[1] == min(draws, count // len(some))


def test_what_is_kept_is_evenly_spaced():
    kept = thin(labelled(3, 10), 9, 3)
    assert kept[:3, 1].tolist() == [0, 3, 6]
    assert thin(labelled(8, 5), 4, 8).tolist() == [[0, 0], [2, 0], [4, 0], [6, 0]]


@pytest.mark.parametrize("chains", [0, 7, 41])
def test_chains_that_do_not_fit_are_refused(chains):
    with pytest.raises(ValueError, match=f"chains: expected a divisor of the 40 rows, got {chains}"):
        thin(labelled(4, 10), 9, chains)


def test_the_error_of_an_average_is_that_of_the_means_of_the_groups():
    values = np.random.default_rng(1).normal(size=(8, 5))
    found = average(values.ravel(), 8)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.mean(1).std(ddof=1) / np.sqrt(8))
