"""From stores and recordings to batches: every row lands where it should, and chains stay whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.numbered_rows import SITES, numbered_set, numbered_spins, numbers_of, rows_of
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vae_mf import datamodule
from vae_mf.datamodule import (
    EpochBatches,
    director_set,
    spin_set,
    split_blocks,
    split_recording,
    split_store,
    states,
)
from vae_mf.datasets.recording import make_recording
from vae_mf.datasets.splits import Split
from vae_mf.models.directors.decoders import SharedBinghamDecoder
from vae_mf.models.directors.encoders import DirectorLinearEncoder, DirectorMLPEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.packing import pack_spins, unpack_spins
from vae_mf.samplers.maier_saupe import MaierSaupeDirect
from vae_mf.samplers.plan import Sampling
from vae_mf.simulation import simulate
from vae_mf.store.sample_store import StoreLayout, open_store, open_writer
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.training.augmentation import rotate

BLOCKS, ROWS = 6, 4


def at_level(data, level):
    """The configurations of one temperature."""
    chosen = data.level == level
    return replace(data, data=data.data[chosen], level=data.level[chosen])


@given(st.integers(3, 500), st.floats(0.01, 0.45), st.floats(0.01, 0.45))
def test_parts_are_disjoint_complete_and_in_order(blocks, validation, test):
    train, held, judged = split_blocks(blocks, validation, test)
    assert [*train, *judged, *held] == list(range(blocks))
    assert min(map(len, (train, held, judged))) >= 1
    for part, fraction in ((held, validation), (judged, test)):
        assert len(part) == 1 or abs(len(part) - fraction * blocks) <= 0.5


def test_parts_of_ten_blocks():
    assert split_blocks(10, 0.1, 0.2) == (range(7), range(9, 10), range(7, 9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 0.1, 0.1), "got 2"),
        ((10, 0.5, 0.5), r"validation \(5\) and test \(5\), got 10"),
        ((10, 0.0, 0.1), "validation: expected a number between 0 and 1, got 0.0"),
        ((10, 0.1, 1.0), "test: expected a number between 0 and 1, got 1.0"),
    ],
)
def test_impossible_parts_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_blocks(*arguments)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**62))
def test_a_shuffled_epoch_shows_each_row_at_most_once_in_whole_batches(rows, size, seed):
    batches = EpochBatches(numbered_set(rows), size, seed)
    shown = rows_of(batches)
    size = min(size, rows)
    assert len(set(shown)) == len(shown) == rows - rows % size
    assert [len(batch.configurations) for batch in batches] == [size] * len(batches)
    assert shown == rows_of(EpochBatches(numbered_set(rows), size, seed))


@given(st.integers(1, 40), st.integers(1, 50))
def test_an_unshuffled_epoch_shows_every_row_in_order(rows, size):
    batches = EpochBatches(numbered_set(rows), size)
    assert rows_of(batches) == list(range(rows))
    assert len(list(batches)) == len(batches)


def test_another_seed_is_another_order():
    data = numbered_set(40)
    orders = [rows_of(EpochBatches(data, 8, seed)) for seed in range(5)]
    assert len({tuple(order) for order in orders}) == 5


def test_shuffling_does_not_touch_the_global_generator():
    state = torch.get_rng_state()
    rows_of(EpochBatches(numbered_set(40), 8, 1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("sites", [1, 7, 8, 9, 17, 64])
def test_batches_unpack_as_numpy_does(sites):
    spins = np.random.default_rng(1).choice([-1, 1], (20, sites)).astype(np.int8)
    data = spin_set(pack_spins(spins), np.zeros(20), [1.0], sites)
    chosen = torch.tensor([3, 19, 0, 3])
    batch = data.batch(chosen)
    assert batch.configurations.dtype == torch.float32
    np.testing.assert_array_equal(batch.configurations.numpy(), unpack_spins(data.data.numpy(), sites)[chosen])
    np.testing.assert_array_equal(data.states(), spins)


def test_batches_carry_the_temperature_of_their_rows():
    batch = numbered_set(12).batch(torch.tensor([4, 2, 0]))
    torch.testing.assert_close(batch.condition.temperature, torch.tensor([1.0, 2.0, 0.5]))


def test_one_level_can_be_picked_out():
    level = at_level(numbered_set(12), 1)
    assert numbers_of(torch.from_numpy(level.states())) == [1, 4, 7, 10]
    assert level.batch(torch.arange(4)).condition.temperature.tolist() == [1.0] * 4


def test_a_set_moves_with_all_its_tensors():
    moved = numbered_set(5).to(torch.device("meta"))
    assert [part.device.type for part in vars(moved).values() if isinstance(part, torch.Tensor)] == ["meta"] * 4
    assert moved.sites == SITES


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store whose row r at temperature t spells 100 t + r."""
    path = tmp_path_factory.mktemp("store") / "numbered.zarr"
    with open_writer(path, StoreLayout(SITES, (0.5, 2.0), BLOCKS, ROWS, {"energy": "f8"}), {}) as writer:
        for block in range(BLOCKS):
            numbers = np.arange(ROWS) + block * ROWS + 100 * np.arange(2)[:, None]
            packed = pack_spins(np.stack([numbered_spins(row) for row in numbers]))
            writer.write_block(block, packed, {"energy": np.zeros((2, ROWS))})
        writer.seal({})
    return open_store(path)


def test_a_store_is_split_by_whole_blocks_with_the_right_temperatures(store):
    split = split_store(store, 0.17, 0.34)
    for part, blocks in zip(split, (range(3), range(5, 6), range(3, 5)), strict=True):
        rows = [row + block * ROWS for block in blocks for row in range(ROWS)]
        for level, temperature in enumerate((0.5, 2.0)):
            members = at_level(part, level)
            assert numbers_of(torch.from_numpy(members.states())) == [100 * level + row for row in rows]
            everyone = members.batch(torch.arange(len(members)))
            assert everyone.condition.temperature.tolist() == [temperature] * len(rows)


def test_a_recording_is_split_into_its_rows():
    raster = (numbered_spins(np.arange(1, 31)) > 0).astype(np.uint8)
    recording = make_recording(raster, variables=[0, 1, 2, 3, 4])
    rows = Split(np.arange(0, 20), np.arange(20, 26), np.arange(26, 30))
    for part, chosen in zip(split_recording(recording, rows), rows, strict=True):
        np.testing.assert_array_equal(part.states(), recording.rows[chosen])
        assert part.temperatures.tolist() == [1.0]
        assert not part.level.any()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_hold_equal_parts_of_the_rows(processes):
    data = numbered_set(200)
    parts = [data.share(rank, processes) for rank in range(processes)]
    numbers = [rows_of(EpochBatches(part, 16)) for part in parts]
    assert {len(part) for part in numbers} == {200 // processes}
    assert sorted(row for part in numbers for row in part) == list(range(200 // processes * processes))
    shuffled = [rows_of(EpochBatches(part, 16, seed=5)) for part in parts]
    for own, order in zip(numbers, shuffled, strict=True):
        assert set(order) <= set(own)
        assert order != own[: len(order)]


def test_fewer_rows_than_processes_are_refused():
    with pytest.raises(ValueError, match=r"trainer\.devices: expected at most 3, the number of rows, got 4"):
        numbered_set(3).share(0, 4)


def require_same_states(found: np.ndarray, expected: np.ndarray) -> None:
    """Hold directors, of which n and -n are the same, against others."""
    assert found.shape == expected.shape
    sines = np.linalg.norm(np.cross(found.astype(float), expected.astype(float)), axis=-1)
    assert sines.max() < 1e-4
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-6)


def test_directors_stay_directors():
    directors = some_directors(40, 7, 0.0)
    data = director_set(directors, np.arange(40) % 2, [0.1, 0.3])
    batch = data.batch(torch.tensor([3, 0, 39]))
    require_same_states(batch.configurations.numpy(), directors[[3, 0, 39]])
    assert batch.condition.temperature.tolist() == pytest.approx([0.3, 0.1, 0.3])
    require_same_states(at_level(data, 1).states(), directors[1::2])
    assert data.data.nbytes == 4 * 40 * 7


@pytest.mark.parametrize("piece", [2**26, 1])
def test_a_store_of_directors_is_split_like_one_of_spins(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(datamodule, "PIECE", piece)
    system = MaierSaupe(6)
    sampling = Sampling((0.1, 0.3), 30, chains=15, blocks=5)
    store = simulate(system, MaierSaupeDirect(system), sampling, tmp_path / "store", seed=1)
    split = split_store(store, 0.2, 0.2)
    assert [len(part) for part in split] == [36, 12, 12]
    require_same_states(at_level(split.train, 1).states(), store.directors(1)[:18])
    require_same_states(at_level(split.test, 0).states(), states(store, 0)[18:24])
    require_same_states(at_level(split.validation, 0).states(), store.directors(0)[24:])
    sums = split_store(store, 0.2, 0.2, director_vae(DirectorLinearEncoder(6, 5), 6))
    for level in (0, 1):
        rows = store.directors(level)[:18].astype(float)
        vectors = at_level(sums.train, level).states().astype(float)
        np.testing.assert_allclose(vectors.swapaxes(1, 2) @ vectors, rows.swapaxes(1, 2) @ rows, atol=1e-5)
    assert sums.validation.data.shape == (12, 3, 3)
    assert sums.test.data.shape == (12, 6, 2)
    whole = split_store(store, 0.2, 0.2, director_vae(DirectorMLPEncoder(6, 5), 6))
    assert whole.train.data.shape == (36, 6, 2)


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("length", [1.01, 0.0, np.nan])
def test_vectors_of_another_length_are_refused(sums, length):
    """On the disc one that is 1% too long comes back with the opposite x."""
    directors = some_directors(3, 2, 0.0)
    directors[1, 1] = [length, 0, 0]
    with pytest.raises(ValueError, match="directors: expected vectors of length 1, got lengths from"):
        director_set(directors, np.zeros(3), [0.1], sums)


def test_a_store_of_vectors_of_another_length_is_refused(tmp_path):
    layout = StoreLayout(2, (0.5,), 3, 1, {"energy": "f8"}, "directors")
    with open_writer(tmp_path / "store", layout, {}) as writer:
        for block in range(3):
            writer.write_block(block, np.full((1, 1, 2, 3), block, np.float32), {"energy": np.zeros((1, 1))})
        writer.seal({})
    with pytest.raises(ValueError, match="directors: expected vectors of length 1, got lengths from"):
        split_store(open_store(tmp_path / "store"), 0.3, 0.3)


def some_directors(rows: int, sites: int, alignment: float) -> np.ndarray:
    vectors = np.random.default_rng(2).normal([0, 0, alignment], 1, (rows, sites, 3))
    return vectors / np.linalg.norm(vectors, axis=2, keepdims=True)


def director_vae(encoder: nn.Module, sites: int) -> VAE:
    torch.manual_seed(3)
    return VAE(encoder, SharedBinghamDecoder(sites, 5), GaussianPrior(5))


@pytest.mark.parametrize("alignment", [0.0, 3.0, 1e9])
def test_three_vectors_stand_for_directors_that_are_summed(alignment):
    directors = some_directors(40, 50, alignment)
    whole, sums = (director_set(directors, np.arange(40) % 2, [0.1, 0.3], sums) for sums in (False, True))
    assert sums.data.shape == (40, 3, 3)
    assert sums.sites == 50
    vae, rows = director_vae(DirectorLinearEncoder(50, 5), 50), torch.arange(40)
    few, many = sums.batch(rows), whole.batch(rows)
    noise = vae.noise(many.condition, torch.Generator().manual_seed(1))
    for found, expected in zip(vae.elbo_at(noise, *few), vae.elbo_at(noise, *many), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    turned = [rotate(batch.configurations, torch.Generator().manual_seed(4)) for batch in (few, many)]
    sums = [vectors.mT @ vectors for vectors in turned]
    torch.testing.assert_close(*sums, rtol=0, atol=1e-3)
