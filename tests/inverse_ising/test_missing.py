"""Missing spins: the search against enumeration, the rule for spins that hardly vary, and digits of MNIST.

VAE_MF_MNIST names a folder with the four files of MNIST; without it their test is skipped.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.erasure import ErasureMachine
from vae_mf.inverse_ising.mean_field import NaiveMeanField
from vae_mf.inverse_ising.missing import MissingSpins, descended, most_probable
from vae_mf.packing import all_configurations

MNIST = os.environ.get("VAE_MF_MNIST")


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(1)
    couplings = np.triu(random.normal(0, 0.5, (18, 18)), 1)
    return couplings + couplings.T, random.normal(0, 0.3, 18)


@pytest.mark.parametrize("seed", range(8))
def test_the_most_probable_completion_is_found(model, seed):
    couplings, fields = model
    random = np.random.default_rng(seed)
    known = random.choice(np.array([-1, 1], np.int8), 18)
    missing = random.choice(18, 12, replace=False)
    known[missing] = 0
    every = np.repeat(known[None], 2**12, axis=0)
    every[:, missing] = all_configurations(12)
    best = every[exponents(every, couplings, fields).argmax()]
    np.testing.assert_array_equal(most_probable(known, couplings, fields, 64, random), best)


def test_scores_and_descent(model):
    couplings, fields = model
    spins = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (30, 18))
    expected = 0.5 * np.einsum("ri,ij,rj->r", spins, couplings, spins) + spins @ fields
    np.testing.assert_allclose(exponents(spins, couplings, fields), expected)
    lowest = descended(spins, couplings, fields)
    assert (exponents(lowest, couplings, fields) >= expected).all()
    assert (lowest * (lowest @ couplings + fields) > -1e-9).all()


def test_observed_spins_stay_and_common_values_fill_what_is_not_modelled():
    random = np.random.default_rng(3)
    hidden = random.choice([-1, 1], 500)
    rows = hidden[:, None] * np.where(random.random((500, 6)) < 0.95, 1, -1)
    rows = np.c_[rows, np.where(random.random((500, 2)) < 0.9, [1, -1], [-1, 1])]
    filler = MissingSpins(NaiveMeanField(), common=0.8, random_state=1).fit(rows)
    np.testing.assert_array_equal(filler.modelled_, np.arange(6))
    np.testing.assert_array_equal(filler.usual_[6:], [1, -1])
    torn = rows[:20].copy()
    torn[:, [1, 4, 6, 7]] = 0
    found = filler.transform(torn)
    seen = torn != 0
    np.testing.assert_array_equal(found[seen], torn[seen])
    np.testing.assert_array_equal(found[:, 6:], np.tile([1, -1], (20, 1)))
    majority = np.sign(torn[:, [0, 2, 3, 5]].sum(axis=1))
    decided = majority != 0
    np.testing.assert_array_equal(found[decided][:, [1, 4]], np.repeat(majority[decided, None], 2, axis=1))
    np.testing.assert_array_equal(filler.transform(rows[:5]), rows[:5])


def test_refusals():
    rows = np.random.default_rng(4).choice([-1, 1], (100, 5))
    with pytest.raises(NotFittedError):
        MissingSpins().transform(rows)
    with pytest.raises(ValueError, match="common: expected a number from"):
        MissingSpins(common=0.2).fit(rows)
    with pytest.raises(ValueError, match="expected two or more that vary enough"):
        MissingSpins().fit(np.ones((10, 5), int))
    with pytest.raises(ValueError, match="expected entries -1 and 1"):
        MissingSpins().fit((rows + 1) // 2)
    filler = clone(MissingSpins(NaiveMeanField())).fit(rows)
    with pytest.raises(ValueError, match=r"expected entries -1, \+1 and 0 or NaN"):
        filler.transform(2 * rows)
    with pytest.raises(ValueError, match="restarts: expected an integer"):
        clone(filler).set_params(restarts=0).fit(rows).transform(0 * rows)


@pytest.mark.slow
@pytest.mark.skipif(MNIST is None, reason="VAE_MF_MNIST does not name the folder of MNIST")
def test_pixels_of_an_eight_are_filled_better_than_by_their_usual_values():
    from vae_mf.datasets.readers.images import binarise, read_idx

    folder = Path(str(MNIST))
    random = np.random.default_rng(5)
    images = {}
    for part in ("train", "t10k"):
        pictures, labels = (read_idx(folder / f"{part}-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
        images[part] = binarise(pictures[labels == 8], 1).reshape(-1, 784)
    whole = images["t10k"][:100]
    torn = whole.copy()
    for row in torn:
        row[random.choice(784, 90, replace=False)] = 0
    missing = torn == 0
    wrong = {}
    for estimator, common, modelled in ((ErasureMachine(), 0.8, 222), (None, 0.95, 357)):
        filler = MissingSpins(estimator, common, random_state=5).fit(images["train"])
        assert len(filler.modelled_) == modelled
        wrong[modelled] = (filler.transform(torn) != whole)[missing].mean()
    usual = (np.broadcast_to(filler.usual_, whole.shape) != whole)[missing].mean()
    assert wrong[222] < 0.6 * usual
    assert wrong[357] < 0.6 * wrong[222]


def test_names_of_the_columns_are_kept():
    names = list("abcde")
    rows = pd.DataFrame(np.random.default_rng(6).choice([-1, 1], (100, 5)), columns=names)
    filler = MissingSpins(NaiveMeanField(), random_state=0).set_output(transform="pandas").fit(rows)
    torn = rows.astype(float).mask(np.random.default_rng(7).random((100, 5)) < 0.1)
    found = filler.transform(torn)
    assert found.columns.tolist() == filler.get_feature_names_out().tolist() == names
    assert set(np.unique(found)) == {-1, 1}
    # NaN and 0 both say that an entry is missing.
    pd.testing.assert_frame_equal(found, filler.transform(torn.fillna(0)))
