"""Symmetries: they leave the energy alone, visit the whole group evenly, and are refused where a field breaks them."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.systems.spin_glass import Ising, SherringtonKirkpatrick
from vae_mf.training.augmentation import augmentation, rotate, translate

COUPLINGS = SherringtonKirkpatrick.random(16, 1).couplings
SYSTEMS = {
    "curie_weiss": CurieWeiss(16),
    "hopfield": Hopfield.random(16, 3, seed=1),
    "ising2d": Ising2D(4),
    "maier_saupe": MaierSaupe(16),
    "glass": Ising(COUPLINGS),
}


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def configurations(system, rows: int = 200) -> torch.Tensor:
    random = np.random.default_rng(0)
    if system.name == "maier_saupe":
        vectors = random.normal(size=(rows, system.sites, 3)).astype(np.float32)
        return torch.from_numpy(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
    return torch.from_numpy(random.choice([-1, 1], (rows, system.sites)).astype(np.float32))


def energies(system, x: torch.Tensor) -> np.ndarray:
    return system.energy(x.numpy() if x.ndim == 3 else x.numpy().astype(np.int8))


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_energy_does_not_change_and_the_configuration_does(name):
    system = SYSTEMS[name]
    x = configurations(system)
    for symmetry in system.symmetries:
        moved = augmentation([symmetry], system.symmetries)(x, generator())
        assert moved.shape == x.shape
        assert moved.dtype == x.dtype
        np.testing.assert_allclose(energies(system, moved), energies(system, x), rtol=1e-5)
        changed = (moved != x).flatten(1).any(1).float().mean()
        assert 0.3 < changed <= 1


def test_flips_are_fair():
    x = torch.ones(4000, 5)
    flipped = augmentation(["spin_flip"], ["spin_flip"])(x, generator())
    assert (flipped == flipped[:, :1]).all()
    assert abs(flipped[:, 0].mean()) < 4 / 4000**0.5


def test_translations_reach_every_place_of_the_torus_evenly():
    x = torch.zeros(8000, 16)
    x[:, 5] = 1
    counts = translate(x, generator()).sum(0)
    assert counts.sum() == 8000
    assert (counts - 500).abs().max() < 4.5 * 500**0.5


def test_translations_keep_neighbours():
    side = 5
    x = torch.arange(25.0).expand(50, 25)
    moved = translate(x, generator()).view(50, side, side)
    right = (moved.roll(-1, 2) - moved) % side
    assert (right == 1).all()


def test_rotations_are_proper_and_uniform():
    frame = torch.eye(3).expand(5000, 3, 3)
    turned = rotate(frame, generator())
    torch.testing.assert_close(turned @ turned.transpose(1, 2), frame)
    torch.testing.assert_close(torch.linalg.det(turned), torch.ones(5000))
    # Every entry of a Haar rotation is the height of a point on the sphere: uniform on [-1, 1].
    for entry in turned.flatten(1).T:
        assert kstest(entry.numpy(), "uniform", (-1, 2)).pvalue > 1e-4
    # The trace tells Haar measure from rotations about axes that are uniform with an angle that is: <Tr R> = 0.
    assert abs(turned.diagonal(dim1=1, dim2=2).sum(1).mean()) < 4.5 / 5000**0.5


def test_nothing_to_do_is_nothing():
    assert augmentation([], ["spin_flip"]) is None


@pytest.mark.parametrize(
    ("name", "system", "message"),
    [
        ("translation", CurieWeiss(16), "symmetries: expected some of spin_flip, got 'translation'"),
        ("spin_flip", Ising(COUPLINGS, np.full(16, 0.1)), "expected some of none, .*got 'spin_flip'"),
        ("spin_flip", MaierSaupe(16), "expected some of rotation, got 'spin_flip'"),
        ("mirror", Ising2D(4), "expected some of spin_flip, translation, got 'mirror'"),
    ],
)
def test_broken_symmetries_are_refused(name, system, message):
    with pytest.raises(ValueError, match=message):
        augmentation([name], system.symmetries)
