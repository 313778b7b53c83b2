"""Samples of any simulation become a store with its guarantees, chains and memory declared or measured."""

import numpy as np
import pytest

from vae_mf.datamodule import split_store
from vae_mf.store import from_arrays, open_store
from vae_mf.store.schema import StoreError
from vae_mf.systems import CurieWeiss, Hopfield, Ising, MaierSaupe

SITES = 7
RNG = np.random.default_rng(5)
SPINS = RNG.choice(np.int8([-1, 1]), (2, 240, SITES))
SLOW = np.sign(np.cumsum(RNG.normal(size=(4, 900, 1)), axis=1) + RNG.normal(size=(4, 900, SITES))).astype(np.int8)


def both(values):
    return {0.5: values[0], 2.0: values[1]}


@pytest.mark.parametrize("coded", [SPINS, (SPINS + 1) // 2, SPINS > 0, SPINS.astype(np.float32)])
def test_spins_bits_and_booleans_are_the_same_samples(coded, tmp_path):
    store = from_arrays(both(coded), folder=tmp_path / "own.zarr")
    assert store.temperatures.tolist() == [0.5, 2.0]
    np.testing.assert_array_equal(store.spins(0), SPINS[0])
    np.testing.assert_array_equal(store.spins(1), SPINS[1])
    np.testing.assert_allclose(store.scalar("order_parameter", 0), SPINS[0].mean(1))
    assert store.attrs["provenance"] == "imported"
    assert store.attrs["sha256"] == from_arrays(both(SPINS), folder=tmp_path / "again.zarr").attrs["sha256"]


def test_the_same_samples_find_their_store_and_others_are_refused(tmp_path):
    folder = tmp_path / "own.zarr"
    first = from_arrays(both(SPINS), folder=folder, system=CurieWeiss(SITES))
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    again = from_arrays(both(SPINS), folder=folder, system=CurieWeiss(SITES))
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    assert again.diagnostics == first.diagnostics == open_store(folder).diagnostics
    with pytest.raises(StoreError, match=r"holds other samples: attrs\.sha256"):
        from_arrays(both(-SPINS), folder=folder, system=CurieWeiss(SITES))
    with pytest.raises(StoreError, match="holds other samples"):
        from_arrays(both(SPINS), folder=folder, system=CurieWeiss(SITES, coupling=2.0))


def test_a_system_gives_energies_and_its_constants(tmp_path):
    couplings = np.ones((SITES, SITES)) - np.eye(SITES)
    system = Ising(couplings)
    store = from_arrays(both(SPINS), folder=tmp_path / "own.zarr", system=system)
    np.testing.assert_allclose(store.scalar("energy", 1), system.energy(SPINS[1]))
    np.testing.assert_array_equal(store.scalar("basin", 1), system.basin(SPINS[1]))
    np.testing.assert_array_equal(store.array("couplings"), couplings)
    assert store.attrs["system"] == "ising"


def test_chains_are_the_first_of_three_axes_or_declared(tmp_path):
    chains = SPINS.reshape(2, 12, 20, SITES)
    first = from_arrays(both(chains), folder=tmp_path / "axes.zarr")
    declared = from_arrays(both(SPINS), folder=tmp_path / "declared.zarr", chains=12)
    assert first.attrs == declared.attrs
    assert first.attrs["own_chains"] == 12
    assert first.attrs["chains"] * first.attrs["draws"] + first.attrs["rows_left_out"] == 240
    np.testing.assert_array_equal(first.spins(0), SPINS[0][: first.rows])


def test_memory_is_measured_and_pieces_are_longer_than_it(tmp_path):
    store = from_arrays({1.0: SLOW[0]}, folder=tmp_path / "slow.zarr")
    fast = from_arrays({1.0: RNG.permutation(SLOW[0])}, folder=tmp_path / "fast.zarr")
    (slow,), (free,) = store.diagnostics["temperatures"], fast.diagnostics["temperatures"]
    assert slow["autocorrelation_time"] > 5 > 1 > free["autocorrelation_time"]
    assert fast.attrs["chains"] > store.attrs["chains"] >= 10
    assert free["ensemble"] == "equilibrium"


@pytest.mark.parametrize(("spacing", "pieces"), [(1, 100), (4, 90)])
def test_a_declared_spacing_counts_in_place_of_the_measured_one(spacing, pieces, tmp_path):
    store = from_arrays({1.0: SLOW[0]}, folder=tmp_path / "own.zarr", spacing=spacing)
    assert store.attrs["chains"] == pieces
    assert store.diagnostics["temperatures"][0]["effective_size"] == pytest.approx(900 / spacing)


def test_chains_that_differ_are_not_equilibrium(tmp_path):
    frozen = np.repeat([[[1]], [[-1]]], 60, axis=1) * np.ones((1, 1, SITES), int)
    frozen[:, ::9, 0] *= -1
    (found,) = from_arrays({0.1: frozen}, folder=tmp_path / "own.zarr").diagnostics["temperatures"]
    assert found["ensemble"] == "imported"


@pytest.mark.parametrize("shape", [(3, 11), (10, 1), (1, 1234), (23, 3), (101, 2), (1, 10), (9, 40)])
def test_any_numbers_of_chains_and_rows_can_be_split_by_whole_pieces(shape, tmp_path):
    spins = RNG.choice(np.int8([-1, 1]), (*shape, 7))
    store = from_arrays({1.0: spins, 2.0: -spins}, folder=tmp_path / "own.zarr")
    assert store.rows >= 0.8 * np.prod(shape)
    assert store.attrs["chains"] % store.blocks == 0
    parts = split_store(store, 0.1, 0.1)
    assert sum(map(len, parts)) == 2 * store.rows
    assert all(parts)


@pytest.mark.parametrize(
    ("arrays", "options", "match"),
    [
        (
            {0.5: SPINS[0], 1.0: SPINS[1][:, :5]},
            {},
            "as many sites at all temperatures, got 7 at T = 0.5 and 5 at T = 1",
        ),
        (
            {0.5: SPINS[0], 1.0: SPINS[1][:100]},
            {},
            "as many rows .* got 240 at T = 0.5 and 100 .* leave out all but 100",
        ),
        ({0.5: SPINS[0] * 2}, {}, r"arrays\[0.5\]: expected entries -1 and 1, or 0 and 1, .* got"),
        (
            {0.5: SPINS[0], 1.0: SPINS[1] > 0},
            {},
            r"arrays\[1\]: expected entries .* the same at all temperatures, got False",
        ),
        ({0.5: np.where(SPINS[0] > 0, 1.0, np.nan)}, {}, "got nan beside"),
        ({0.5: np.ma.masked_equal(SPINS[0], 1)}, {}, "without gaps, got masked entries"),
        ({0.5: np.eye(3)[RNG.integers(3, size=(40, 5))] * 0.6 + [0.0, 0.8, 0.0]}, {}, "entries -1 and 1"),
        ({0.2: np.full((40, 5, 3), 3**-0.5)}, {}, "directors are drawn by vae-mf sample alone"),
        ({0.5: SPINS[0][0]}, {}, r"expected axes \(rows, sites\) or \(chains, rows, sites\), got shape \(7,\)"),
        (
            {0.5: SPINS[0][:10, :4].reshape(10, 2, 2)},
            {},
            r"may be 10 lattices: reshape it to \(10, 4\) if so, otherwise",
        ),
        ({0.5: SPINS[0][:9]}, {}, "at least 10 rows at each temperature, got 9"),
        ({0.5: SPINS[0][:, :0]}, {}, "at least one row and one site"),
        ({0.0: SPINS[0]}, {}, "temperatures: expected a finite number > 0, got 0.0"),
        ({}, {}, "temperatures: expected at least one"),
        (SPINS, {}, "arrays: expected a mapping from temperatures to spins, got"),
        ({0.5: SPINS[0]}, {"chains": 7}, "chains: expected a divisor of the 240 rows at T = 0.5, got 7"),
        ({0.5: SPINS}, {"chains": 3}, "chains: expected the 2 of the array, or None, got 3"),
        ({0.5: SPINS[0]}, {"spacing": 0.5}, "spacing: expected at least 1 row, got 0.5"),
        ({0.5: SPINS[0]}, {"system": CurieWeiss(8)}, "one of 7 sites, as in the arrays, got curie_weiss of 8"),
        (
            {0.5: SPINS[0]},
            {"system": MaierSaupe(7)},
            "system: expected one of spins, got maier_saupe, one of directors",
        ),
        ({0.5: SPINS[0]}, {"system": "ising2d"}, "system: expected one such as vae_mf.systems.Ising2D"),
    ],
)
def test_what_is_no_samples_is_named_and_leaves_nothing(arrays, options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        from_arrays(arrays, folder=tmp_path / "own.zarr", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_overlap_is_the_order_parameter_of_a_network(tmp_path):
    system = Hopfield.random(sites=SITES, patterns=2, seed=1)
    store = from_arrays(both(SPINS), folder=tmp_path / "own.zarr", system=system)
    np.testing.assert_allclose(store.scalar("order_parameter", 0), system.order_parameter(SPINS[0]))
