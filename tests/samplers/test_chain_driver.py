"""The chain driver: what its results may depend on, and what not."""

import numpy as np
import pytest

from vae_mf.samplers.base import GROUP, Sampler, Schedule, SystemSampler, anneal, make_groups, sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

SAMPLERS = {
    "curie_weiss": CurieWeissDirect(CurieWeiss(70)),
    "hopfield": HopfieldGibbs(Hopfield.random(70, 3, seed=1)),
    "hopfield_no_jumps": HopfieldGibbs(Hopfield.random(64, 20, seed=1)),
}
TEMPERATURES = np.array([0.5, 1.0, 1.5])
SCHEDULE = Schedule(draws=3, burn_in=5, thinning=2, anneal=4)
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def block(sampler, chains=range(100), temperatures=TEMPERATURES, schedule=SCHEDULE, seed=1, threads=1, start="random"):
    return sample_block(sampler, temperatures, chains, schedule, seed, start, threads).configurations


@every_sampler
def test_samplers_keep_the_protocol(sampler):
    assert isinstance(sampler, Sampler)


@every_sampler
def test_shape_and_type_of_a_block(sampler):
    packed = block(sampler)
    assert packed.shape == (3, 100, 3, -(-sampler.sites // 8))
    assert packed.dtype == np.uint8


@every_sampler
@pytest.mark.parametrize("threads", [2, 3, None])
def test_the_number_of_threads_changes_nothing(sampler, threads):
    np.testing.assert_array_equal(block(sampler), block(sampler, threads=threads))


@every_sampler
def test_blocks_cut_at_groups_are_the_pieces_of_one_run(sampler):
    """Guaranteed: equal groups of 64 give equal bits.

    Another grouping gives the same random numbers, but a matrix product over another number of rows may round
    differently; only the Curie-Weiss sampler, which has no product, is promised to be equal under any cut.
    """
    temperature = TEMPERATURES[:1]
    whole = block(sampler, range(2 * GROUP + 10), temperature)
    parts = [range(GROUP), range(GROUP, 2 * GROUP), range(2 * GROUP, 2 * GROUP + 10)]
    np.testing.assert_array_equal(whole, np.concatenate([block(sampler, part, temperature) for part in parts], 1))


def test_exact_draws_are_equal_under_any_cut():
    sampler = SAMPLERS["curie_weiss"]
    parts = [block(sampler, range(first, first + 20)) for first in range(0, 100, 20)]
    np.testing.assert_array_equal(block(sampler), np.concatenate(parts, 1))


def test_another_grouping_has_the_same_law_and_the_same_first_start():
    sampler = SAMPLERS["hopfield"]
    whole, part = block(sampler, range(90)), block(sampler, range(30, 90))
    # Rounding moves single spins at most, and no sooner than one in thousands of draws.
    assert (whole[:, 30:] != part).mean() < 0.01


@every_sampler
def test_seeds_chains_and_temperatures_have_their_own_randomness(sampler):
    packed = block(sampler, temperatures=np.array([1.0, 1.0 + 1e-12]))
    other = block(sampler, temperatures=np.array([1.0, 1.0 + 1e-12]), seed=2)
    rows = np.concatenate([packed, other]).reshape(-1, packed.shape[-1])
    # Configurations repeat only if streams do, apart from the few that a cold small system really repeats.
    assert len(np.unique(rows, axis=0)) > 0.999 * len(rows)


def test_starts_have_their_own_randomness():
    levels, chains = np.array([0.5, 1.0]), range(7)
    keys = [
        {int(key) for group in make_groups(levels, chains, 1, start, False) for key in group.keys}
        for start in ("random", "pattern")
    ]
    assert len(keys[0]) == len(keys[1]) == 14
    assert not keys[0] & keys[1]


def test_whole_ladders_stay_together_and_keep_their_keys():
    levels, chains = np.array([0.5, 1.0, 2.0]), range(50)
    apart, together = (make_groups(levels, chains, 1, "random", ladders) for ladders in (False, True))
    assert all(len(group.keys) % 3 == 0 and len(group.keys) <= GROUP for group in together)
    for group in together:
        np.testing.assert_array_equal(group.temperatures.reshape(-1, 3), np.tile(levels, (len(group.keys) // 3, 1)))
        np.testing.assert_array_equal(group.chains, np.repeat(group.chains[::3], 3))
    assert sorted(key for group in apart for key in group.keys) == sorted(
        key for group in together for key in group.keys
    )


def test_draws_are_the_thinned_sweeps_after_burn_in():
    sampler = SAMPLERS["hopfield"]
    every = block(sampler, schedule=Schedule(20, 0, 1))
    np.testing.assert_array_equal(every[:, :, 7::4], block(sampler, schedule=Schedule(4, 4, 4)))


def test_annealing_cools_from_the_start_to_each_chain_s_own_temperature():
    class Recorder(SystemSampler):
        name, serves = "recorder", CurieWeiss

        def __init__(self):
            super().__init__(CurieWeiss(1))
            self.seen = []

        def begin(self, group, start):
            raise NotImplementedError

        def sweep(self, state, count):
            self.seen.append((state.temperatures.copy(), count))

        def configurations(self, state):
            raise NotImplementedError

    class State:
        temperatures = np.array([0.5, 1.0, 5.0])

    recorder, state = Recorder(), State()
    anneal(recorder, state, Schedule(1, 0, 1, anneal=4, anneal_from=2.0))
    levels = np.array([temperatures for temperatures, _ in recorder.seen])
    assert [count for _, count in recorder.seen] == [1, 1, 1, 1]
    np.testing.assert_allclose(levels[:, 0], 2.0 * 0.25 ** (np.arange(4) / 4))
    np.testing.assert_allclose(levels[:, 2], 5.0)
    assert state.temperatures.tolist() == [0.5, 1.0, 5.0]


@pytest.mark.parametrize(
    ("field", "value", "minimum"), [("draws", 0, 1), ("thinning", 0, 1), ("burn_in", -1, 0), ("anneal", -2, 0)]
)
def test_bad_schedules_are_named(field, value, minimum):
    with pytest.raises(ValueError, match=f"{field}: expected an integer >= {minimum}, got {value}"):
        Schedule(**{"draws": 1, "burn_in": 0, "thinning": 1, field: value})


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_annealing_starts_at_a_temperature(value):
    with pytest.raises(ValueError, match="anneal_from: expected a finite number > 0"):
        Schedule(1, 0, 1, anneal=5, anneal_from=value)
