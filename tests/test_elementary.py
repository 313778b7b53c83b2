"""Elementary functions in float32 against those of NumPy in float64, on grids and at the ends of their ranges."""

import numpy as np
from numba import njit

from vae_mf.elementary import cos_sin_turn, exp32, log32
from vae_mf.kernels import FAST


@njit(fastmath=FAST)
def map_exp(x, out):
    for i in range(x.shape[0]):
        out[i] = exp32(x[i])


@njit(fastmath=FAST)
def map_log(x, out):
    for i in range(x.shape[0]):
        out[i] = log32(x[i])


@njit(fastmath=FAST)
def map_turn(x, cosine, sine):
    for i in range(x.shape[0]):
        cosine[i], sine[i] = cos_sin_turn(x[i])


def test_exponential_is_accurate():
    x = np.linspace(-87, 88, 1_000_001, dtype=np.float32)
    out = np.empty_like(x)
    map_exp(x, out)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 2e-7


def test_exponential_is_clipped_outside_its_range():
    out = np.empty(4, np.float32)
    map_exp(np.array([-1e9, -np.inf, 1e9, np.inf], np.float32), out)
    np.testing.assert_allclose(out, np.exp([-87.0, -87.0, 88.0, 88.0]), rtol=1e-6)


def test_logarithm_is_accurate():
    x = np.concatenate([np.linspace(2**-25, 4, 1_000_001), np.geomspace(1e-37, 1e38, 100_001)]).astype(np.float32)
    out = np.empty_like(x)
    map_log(x, out)
    exact = np.log(x.astype(np.float64))
    assert (np.abs(out - exact) / np.maximum(1, np.abs(exact))).max() < 2e-7


def test_sine_and_cosine_are_accurate():
    u = (np.arange(2**20) / 2**20).astype(np.float32)
    cosine, sine = np.empty_like(u), np.empty_like(u)
    map_turn(u, cosine, sine)
    angle = 2 * np.pi * u.astype(np.float64)
    assert np.abs(cosine - np.cos(angle)).max() < 3e-7
    assert np.abs(sine - np.sin(angle)).max() < 3e-7
