"""The salamander recording of Tkacik et al. (PLoS Comput Biol 2014, e1003408) has its published statistics.

VAE_MF_RETINA names the file bint_fishmovie32_100.mat of doi:10.15479/AT:ISTA:61; without it these tests are skipped.
"""

import os

import numpy as np
import pytest

from vae_mf.datasets.recording import read_recording
from vae_mf.datasets.splits import split_rows
from vae_mf.packing import pack_spins

PATH = os.environ.get("VAE_MF_RETINA")

pytestmark = pytest.mark.skipif(PATH is None, reason="VAE_MF_RETINA does not name the salamander recording")

MOST_ACTIVE = """51 33 64 71 19 141 21 105 24 91 69 7 156 121 28 114 40 125 142 108
139 115 29 143 118 126 66 53 10 70 99 127 44 82 39 49 20 55 36 122"""


@pytest.fixture(scope="module")
def recording():
    return read_recording(PATH)


@pytest.fixture(scope="module")
def rates(recording):
    return (recording.rows > 0).mean(axis=0)


def distinct(words):
    return np.unique(pack_spins(words), axis=0).shape[0]


def test_size(recording):
    assert recording.rows.shape == (297 * 953, 160)
    assert recording.repeat[-1] == 296
    assert recording.time[-1] == 952
    assert (recording.rows > 0).sum() == 1_622_436


def test_rates(rates):
    assert rates.mean() == pytest.approx(0.0358, abs=5e-5)
    assert rates.min() == pytest.approx(0.0011, abs=5e-5)
    assert rates.max() == pytest.approx(0.1625, abs=5e-5)


def test_population_count(recording, rates):
    active = (recording.rows > 0).sum(axis=1)
    assert (active == 0).mean() == pytest.approx(0.2101, abs=5e-5)
    assert np.prod(1 - rates) == pytest.approx(0.0027, abs=5e-5)
    assert active.mean() == pytest.approx(5.73, abs=5e-3)
    assert active.var() == pytest.approx(38.1, abs=5e-2)
    assert active.max() == 45


def test_distinct_words(recording):
    assert distinct(recording.rows) == 147_790


def test_pair_correlations(recording, rates):
    # Counts below 2^24 are exact in single precision.
    bits = (recording.rows > 0).astype(np.float32)
    covariances = (bits.T @ bits) / len(bits) - np.outer(rates, rates)
    widths = np.sqrt(rates * (1 - rates))
    correlations = (covariances / np.outer(widths, widths))[np.triu_indices(160, 1)]
    assert correlations.mean() == pytest.approx(0.0334, abs=5e-5)
    assert correlations.max() == pytest.approx(0.580, abs=5e-4)


def test_forty_most_active_cells():
    recording = read_recording(PATH, variables=40)
    np.testing.assert_array_equal(recording.variables, [int(cell) for cell in MOST_ACTIVE.split()])
    assert (recording.rows < 0).all(axis=1).mean() == pytest.approx(0.324, abs=5e-4)
    assert distinct(recording.rows) == 78_368


@pytest.mark.parametrize(
    ("split", "held_out"), [("random", 28_304), ("time", 297 * round(95.3)), ("repeat", 953 * round(29.7))]
)
def test_splits(recording, split, held_out):
    rows = split_rows(recording, split)
    assert len(rows.test) == len(rows.validation) == held_out
    assert len(rows.train) == 297 * 953 - 2 * held_out
