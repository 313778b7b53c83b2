"""Random words of torch: those of the Numba kernels bit by bit, and what is made of them."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from vae_mf.device_samplers.words import high_uniform, low_uniform, normals, random_index, random_word, uniform
from vae_mf.kernels import kernel
from vae_mf.rng import keys
from vae_mf.samplers.kernels import random_bits

COUNT = 20_000


@kernel()
def fill(words, indices, uniforms, key, first):
    for i in range(words.shape[0]):
        words[i] = random_bits.random_word(key, first + np.uint64(i))
        indices[i] = random_bits.random_index(words[i], np.uint64(7))
        uniforms[i] = random_bits.double_uniform(words[i])


@pytest.fixture(scope="module")
def words():
    return random_word(torch.tensor(-5), torch.arange(2 * COUNT))


@pytest.mark.parametrize("first", [0, 2**40, -(2**63)])
def test_words_are_those_of_the_kernels_bit_by_bit(first):
    for key in keys(3, count=3):
        expected, indices = np.empty((2, 500), np.uint64)
        uniforms = np.empty(500)
        fill(expected, indices, uniforms, key, np.int64(first).view(np.uint64))
        drawn = random_word(torch.from_numpy(key[None].view(np.int64)), first + torch.arange(500))
        np.testing.assert_array_equal(drawn.numpy().view(np.uint64), expected)
        np.testing.assert_array_equal(random_index(drawn, 7).numpy(), indices.astype(int))
        np.testing.assert_array_equal(uniform(drawn).numpy(), uniforms)


@pytest.mark.parametrize("make", [uniform, high_uniform, low_uniform])
def test_uniforms_are_uniform(words, make):
    drawn = make(words).numpy()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert kstest(drawn, "uniform").pvalue > 1e-4


def test_halves_of_a_word_are_independent(words):
    correlation = np.corrcoef(high_uniform(words), low_uniform(words))[0, 1]
    assert abs(correlation) < 4 / np.sqrt(2 * COUNT)


def test_normals_are_normal_and_pairs_independent(words):
    first, second = (each.numpy() for each in normals(words[:COUNT], words[COUNT:]))
    assert kstest(first, "norm").pvalue > 1e-4
    assert kstest(second, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(COUNT)
    assert abs(np.corrcoef(first**2, second**2)[0, 1]) < 4 / np.sqrt(COUNT)


def test_no_word_gives_an_infinite_normal():
    extreme = torch.tensor([0, -1, 2**63 - 1, -(2**63)])
    assert torch.stack(normals(extreme, extreme)).abs().max() < 8.6
