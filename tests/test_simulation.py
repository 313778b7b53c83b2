"""From sampler to store: the store holds what the sampler drew, however often the work was interrupted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.files import tree
from helpers.interruptions import Interrupted, after

from vae_mf.packing import unpack_spins
from vae_mf.samplers import base
from vae_mf.samplers.base import sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.plan import Sampling, nearest_divisor
from vae_mf.simulation import simulate
from vae_mf.store.sample_store import StoreError, is_sealed
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

CURIE_WEISS, HOPFIELD = CurieWeiss(21), Hopfield.random(70, 3, seed=1)
REQUESTS = {
    "curie_weiss": (CURIE_WEISS, CurieWeissDirect(CURIE_WEISS), Sampling((0.7, 1.4), 60, chains=12, blocks=4)),
    "hopfield": (
        HOPFIELD,
        HopfieldGibbs(HOPFIELD),
        Sampling((0.5, 1.0, 1.8), 200, 20, 2, anneal=5, chains=20, blocks=5, opposite_starts=9),
    ),
}
every_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


@every_request
def test_the_store_holds_what_the_sampler_drew(request_, tmp_path):
    system, sampler, sampling = request_
    store = simulate(system, sampler, sampling, tmp_path / "store", seed=3)
    per_block = sampling.chain_count // sampling.block_count
    assert sampling.block_count > 1
    parts = [
        sample_block(sampler, sampling.levels, range(first, first + per_block), sampling.schedule, 3).configurations
        for first in range(0, sampling.chain_count, per_block)
    ]
    packed = np.concatenate(parts, 1).reshape(len(sampling.levels), sampling.samples, -1)
    np.testing.assert_array_equal(store.temperatures, sampling.temperatures)
    for t in range(len(sampling.levels)):
        spins = unpack_spins(packed[t], system.sites)
        np.testing.assert_array_equal(store.packed(t), packed[t])
        np.testing.assert_array_equal(store.scalar("energy", t), system.energy(spins))
        np.testing.assert_array_equal(store.scalar("order_parameter", t), system.order_parameter(spins))
        np.testing.assert_array_equal(store.scalar("basin", t), system.basin(spins))
    assert store.rows == sampling.samples


@every_request
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(request_, blocks, tmp_path):
    simulate(*request_, tmp_path / "whole", seed=3)
    with pytest.raises(Interrupted):
        simulate(*request_, tmp_path / "broken", seed=3, progress=after(blocks))
    assert not is_sealed(tmp_path / "broken")
    resumed = []
    simulate(*request_, tmp_path / "broken", seed=3, progress=lambda rest: resumed.extend(rest) or resumed)
    assert resumed == list(range(blocks, request_[2].block_count))
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


@every_request
def test_threads_do_not_matter(request_, tmp_path):
    system, sampler, sampling = request_
    wide = replace(sampling, samples=120, chains=60, blocks=1)
    assert 60 * len(wide.levels) > base.GROUP  # else there is work for one thread only
    for threads in (1, 3):
        simulate(system, sampler, wide, tmp_path / str(threads), seed=3, threads=threads)
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


@every_request
def test_a_sealed_store_is_returned_without_sampling(request_, tmp_path, monkeypatch):
    first = simulate(*request_, tmp_path / "store", seed=3)
    files = tree(tmp_path / "store")

    def refuse(*_):
        raise AssertionError("sampled again")

    for method in ("sweep", "draw"):
        monkeypatch.setattr(type(request_[1]), method, refuse, raising=False)
    again = simulate(*request_, tmp_path / "store", seed=3)
    np.testing.assert_array_equal(again.packed(0), first.packed(0))
    assert tree(tmp_path / "store") == files
    with pytest.raises(AssertionError, match="sampled again"):
        simulate(*request_, tmp_path / "other", seed=3, threads=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda system, sampler, sampling: (system, sampler, sampling, 4),
        lambda system, sampler, sampling: (system, sampler, replace(sampling, burn_in=21), 3),
        lambda system, sampler, sampling: (system, sampler, replace(sampling, start="pattern"), 3),
        lambda system, sampler, sampling: (system, sampler, replace(sampling, temperatures=(0.5, 1.0, 1.9)), 3),
        lambda system, sampler, sampling: (system, sampler, replace(sampling, samples=400), 3),
        lambda system, sampler, sampling: (system, HopfieldGibbs(system, 1), sampling, 3),
        lambda system, sampler, sampling: (other := Hopfield.random(70, 3, seed=2), HopfieldGibbs(other), sampling, 3),
        lambda system, sampler, sampling: (
            other := Hopfield.random(70, 3, seed=1, coupling=1.1),
            HopfieldGibbs(other),
            sampling,
            3,
        ),
    ],
    ids=["seed", "burn_in", "start", "temperatures", "samples", "jumps", "patterns", "coupling"],
)
def test_a_store_of_another_request_is_refused(change, tmp_path):
    request_ = REQUESTS["hopfield"]
    simulate(*request_, tmp_path / "store", seed=3)
    files = tree(tmp_path / "store")
    system, sampler, sampling, seed = change(*request_)
    with pytest.raises(StoreError, match="holds other samples"):
        simulate(system, sampler, sampling, tmp_path / "store", seed)
    assert tree(tmp_path / "store") == files


def test_the_request_and_the_patterns_are_recorded(tmp_path):
    store = simulate(*REQUESTS["hopfield"], tmp_path / "store", seed=3)
    np.testing.assert_array_equal(store.array("patterns"), HOPFIELD.patterns)
    expected = {"system": "hopfield", "sampler": "hopfield_gibbs", "seed": 3, "chains": 20, "draws": 10, "burn_in": 20}
    assert expected.items() <= store.attrs.items()
    assert store.diagnostics["software"]["numpy"] == np.__version__
    json.dumps(store.diagnostics)


def ensembles(store):
    return [report["ensemble"] for report in store.diagnostics["temperatures"]]


def test_exact_draws_are_equilibrium_without_opposite_starts(tmp_path):
    store = simulate(*REQUESTS["curie_weiss"], tmp_path / "store", seed=3)
    assert ensembles(store) == ["equilibrium", "equilibrium"]
    assert "patterns" not in store.attrs


@pytest.mark.parametrize(("start", "stuck"), [("random", "random_start"), ("pattern", "basin:1,2,3")])
def test_ensembles_of_stuck_and_of_mixing_chains(start, stuck, tmp_path):
    system = Hopfield.random(200, 3, seed=1)
    sampling = Sampling((0.2, 2.0), 3000, 100, 2, anneal=30, chains=60, blocks=2, start=start, opposite_starts=20)
    store = simulate(system, HopfieldGibbs(system, 0), sampling, tmp_path / "store", seed=1)
    assert ensembles(store) == [stuck, "equilibrium"]


def test_jumps_bring_cold_chains_to_equilibrium(tmp_path):
    system = Hopfield.random(64, 2, seed=1)
    sampling = Sampling((0.4,), 6000, 200, 2, anneal=30, chains=60, blocks=2, opposite_starts=20)
    store = simulate(system, HopfieldGibbs(system, 1), sampling, tmp_path / "store", seed=1)
    assert ensembles(store) == ["equilibrium"]


def test_without_opposite_starts_equilibrium_is_not_claimed(tmp_path):
    system = Hopfield.random(32, 2, seed=1)
    store = simulate(system, HopfieldGibbs(system), Sampling((2.0,), 400, 20, chains=20), tmp_path / "store", seed=1)
    assert ensembles(store) == ["random_start"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("samples", 101, "samples: expected a multiple of chains = 10, got 101"),
        ("samples", 0, "samples: expected an integer >= 1, got 0"),
        ("chains", 0, "chains: expected an integer >= 1, got 0"),
        ("chains", -10, "chains: expected an integer >= 1, got -10"),
        ("blocks", 0, "blocks: expected an integer >= 1, got 0"),
        ("opposite_starts", -1, "opposite_starts: expected an integer >= 0, got -1"),
        ("start", "cold", "start: expected one of random, pattern, got 'cold'"),
        ("temperatures", (1.0, 0.0), "temperatures: expected a finite number > 0, got 0.0"),
        ("temperatures", (1.0, float("nan")), "temperatures: expected a finite number > 0, got nan"),
        ("temperatures", (1.0, 1.0), "temperatures: expected at least one and no duplicates"),
        ("temperatures", (), "temperatures: expected at least one and no duplicates"),
        ("burn_in", -1, "burn_in: expected an integer >= 0, got -1"),
        ("thinning", 0, "thinning: expected an integer >= 1, got 0"),
        ("anneal_from", -2.0, "anneal_from: expected a finite number > 0, got -2.0"),
    ],
)
def test_bad_requests_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**{"temperatures": (1.0, 2.0), "samples": 100, "chains": 10, field: value})


def test_chains_and_blocks_by_default():
    sampling = Sampling((1.0,), 4000)
    assert (sampling.chain_count, sampling.schedule.draws, sampling.block_count) == (100, 40, 10)
    assert Sampling((1.0,), 90, blocks=8).block_count == 6
    assert Sampling((1.0,), 7).chain_count == 7
    assert nearest_divisor(997, 100) == 1
    assert nearest_divisor(10**18, 100) == 100  # without a look at each number up to it


def test_numbers_of_numpy_ask_for_the_same_store(tmp_path, without_type_checks):
    def filled(coupling, count):
        system = CurieWeiss(21, coupling)
        return simulate(
            system, CurieWeissDirect(system), Sampling((0.7,), count, chains=count), tmp_path / "store", count
        )

    filled(0.5, 10)
    files = tree(tmp_path / "store")
    store = filled(np.float32(0.5), np.int64(10))
    assert (store.attrs["coupling"], store.attrs["seed"], store.attrs["chains"]) == (0.5, 10, 10)
    assert tree(tmp_path / "store") == files
    with pytest.raises(StoreError, match=r"holds other samples: attrs.coupling: expected 0\.5, got 2\.0"):
        filled(np.float32(2), 10)


def test_a_new_store_takes_the_numbers_of_numpy(tmp_path, without_type_checks):
    system = CurieWeiss(np.int64(21), np.float32(0.5))
    sampling = Sampling(np.array([0.7]), np.int64(20), np.int64(1), np.int64(2), chains=np.int64(10))
    attrs = simulate(system, CurieWeissDirect(system), sampling, tmp_path / "store", np.int64(3)).attrs
    assert {"sites": 21, "coupling": 0.5, "draws": 2, "burn_in": 1, "chains": 10, "seed": 3}.items() <= attrs.items()


def test_a_system_that_cannot_be_told_from_another_is_refused(tmp_path):
    system = CurieWeiss(21)
    vars(system)["lattice"] = {"side": 3}
    with pytest.raises(ValueError, match=r"expected numbers, texts and arrays, got lattice = {'side': 3}: make it"):
        simulate(system, CurieWeissDirect(system), Sampling((0.7,), 20), tmp_path / "store", seed=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sampler": HopfieldGibbs(HOPFIELD)}, r"sampler: expected one of the system CurieWeiss\(sites=21"),
        ({"sampler": CurieWeissDirect(CurieWeiss(32))}, r"got one of CurieWeiss\(sites=32, coupling=1.0\)"),
        ({"sampler": CurieWeissDirect}, "sampler: expected an object such as"),
        ({"sampling": [0.8]}, r"sampling: expected a vae_mf.samplers.Sampling, got \[0.8\]"),
        ({"seed": 1.5}, "seed: expected an integer >= 0, got 1.5"),
        ({"threads": 1.5}, "threads: expected an integer >= 1, got 1.5"),
        ({"path": None}, "path: expected a path, got None"),
    ],
)
def test_other_arguments_are_refused_and_nothing_is_written(changed, message, tmp_path, without_type_checks):
    usual = dict(zip(("system", "sampler", "sampling"), REQUESTS["curie_weiss"], strict=True))
    with pytest.raises(ValueError, match=message):
        simulate(**usual | {"path": tmp_path / "store", "seed": 1} | changed)
    assert list(tmp_path.iterdir()) == []
