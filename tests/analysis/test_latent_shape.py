"""Rings of two latent variables, and what is none."""

import numpy as np
import pytest

from vae_mf.analysis.latent_shape import on_ring
from vae_mf.discovery.settings import discovery_config, discovery_settings

SELECTION = discovery_settings(*discovery_config()).selection
RING = SELECTION.ring_sectors, SELECTION.ring_filled, SELECTION.ring_spread
MIXING = np.array([[2.0, 0.3], [-1.0, 0.5]])


def around(angle, blur=0.0):
    """Points of a ring of radius 1, blurred."""
    noise = np.random.default_rng(1).normal(scale=blur, size=(len(angle), 2))
    return np.stack([np.cos(angle), np.sin(angle)], 1) + noise


def angles(count=3000):
    return np.random.default_rng(0).uniform(0, 2 * np.pi, count)


@pytest.mark.parametrize("blur", [0.0, 0.1, 0.2])
def test_a_ring_is_one_after_any_mixing(blur):
    z = around(angles(), blur)
    assert on_ring(z, *RING)
    assert on_ring(z @ MIXING + 5, *RING)


@pytest.mark.parametrize(
    "z",
    [
        pytest.param(np.random.default_rng(2).normal(size=(3000, 2)), id="normal"),
        pytest.param(around(angles()) * np.sqrt(np.random.default_rng(3).random((3000, 1))), id="disc"),
        pytest.param(around(angles() / 2, 0.05), id="half a ring"),
        pytest.param(around(np.arange(3000) % 4 * np.pi / 2, 0.1), id="four clusters"),
        pytest.param(around(np.arange(3000) % 8 * np.pi / 4, 0.05), id="eight clusters"),
        pytest.param(around(angles())[:, [0, 0]], id="a line"),
        pytest.param(around(angles())[:, :1], id="one variable"),
        pytest.param(np.hstack([around(angles()), around(angles())]), id="four variables"),
        pytest.param(np.zeros((100, 2)), id="nothing"),
    ],
)
def test_all_else_is_none(z):
    assert not on_ring(z, *RING)
