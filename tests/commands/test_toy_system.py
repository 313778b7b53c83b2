"""A system of one's own, one Python file and one YAML, through sampling, training and evaluation."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.commands import SAMPLING, TRAINING, only, paths, run_all
from scipy.stats import chisquare

from vae_mf.samplers.draw import sample
from vae_mf.store.sample_store import open_store
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.tables import read_tables

MODULE = '''
"""The Ising ring: exact energy at any size, and independent draws, spin after spin."""

import numpy as np

from vae_mf.packing import pack_spins
from vae_mf.samplers import SystemSampler


class Ring:
    name = "ring"
    order_name = "magnetisation m"
    kind = "spins"
    symmetries = ("spin_flip",)
    default_sampler = "toy.RingDirect"

    def __init__(self, sites):
        self.sites = sites

    def energy(self, spins):
        return -(spins * np.roll(spins, 1, axis=-1)).sum(-1, dtype=np.float64)

    def order_parameter(self, spins):
        return spins.mean(-1, dtype=np.float64)

    def basin(self, spins):
        return np.where(spins.sum(-1, dtype=np.int64) >= 0, 1, -1)


class RingState:
    def __init__(self, temperatures, keys, sites):
        self.temperatures = temperatures.copy()
        self.generators = [np.random.default_rng(key) for key in keys]
        self.spins = np.ones((len(keys), sites), np.int8)


class RingDirect(SystemSampler):
    name = "ring_direct"
    exact = True
    serves = Ring

    def begin(self, group, start):
        return RingState(group.temperatures, group.keys, self.sites)

    def sweep(self, state, count):
        for spins, t, generator in zip(state.spins, state.temperatures, state.generators, strict=True):
            spins[0] = generator.choice([-1, 1])
            for i in range(1, self.sites):
                left = self.sites - i  # bonds from spin i on, round to spin 0
                weights = [np.exp(s * spins[i - 1] / t) * (1 + s * spins[0] * np.tanh(1 / t) ** left) for s in (-1, 1)]
                spins[i] = 1 if generator.random() * sum(weights) < weights[1] else -1

    def configurations(self, state):
        return pack_spins(state.spins)
'''
YAML = "_target_: toy.Ring\nsites: 12\n"
QUICK = [
    "evaluation.components=50", "evaluation.residual_groups=4", "evaluation.critic.training_samples=100",
    "evaluation.critic.generated=60", "evaluation.critic.generated_test=20", "evaluation.critic.fit.epochs=1",
]  # fmt: skip
LARGE = 24
"""Sites of a ring that nothing knows ln Z of."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(MODULE)
    (folder / "conf" / "system").mkdir(parents=True)
    (folder / "conf" / "system" / "ring.yaml").write_text(YAML)
    return folder


@pytest.fixture(scope="module")
def done(workplace):
    """Sampling, training on a small and on a large ring, and the verdicts on both."""
    own = [f"hydra.searchpath=[file://{workplace}/conf]", "system=ring", "sampler=auto"]
    common = ["sampling=direct", *SAMPLING, *paths(workplace)]
    train = ["train", "experiment=curie_weiss_quick", *own, *common, *TRAINING]
    jobs = [
        ["sample", *own, *common],
        [*train, "system.sites=12", "run.name=small"],
        [*train, f"system.sites={LARGE}", "run.name=large"],
        ["evaluate", f"run={workplace}/outputs/small-*", "extensions=[toy]", *QUICK],
        ["evaluate", f"run={workplace}/outputs/large-*", "extensions=[toy]", *QUICK],
    ]
    before = f"import sys; sys.path.insert(0, {str(workplace)!r})"
    return dict(zip(("sample", "small", "large", "assess small", "assess large"), run_all(jobs, before), strict=True))


@pytest.fixture
def ring(workplace, monkeypatch):
    monkeypatch.syspath_prepend(workplace)
    yield pytest.importorskip("toy").Ring
    sys.modules.pop("toy")


def test_its_own_sampler_is_found_and_draws_from_its_law(ring):
    system = ring(4)
    assert isinstance(system, System)
    spins = sample(system, [0.7, 2.0], 4000, seed=1)
    for temperature, drawn in zip([0.7, 2.0], spins, strict=True):
        observed = np.bincount((drawn > 0) @ 2 ** np.arange(4), minlength=16)
        expected = 4000 * enumerate_system(system, temperature).probabilities
        assert chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("job", ["sample", "small", "large", "assess small", "assess large"])
def test_every_command_takes_it(done, job):
    assert done[job].code == 0, done[job].err


def test_it_is_sampled_into_a_store_of_exact_draws(done, workplace, ring):
    tables = read_tables(only(workplace / "outputs" / "sampling", "ring-*"))
    assert set(tables["chains"].ensemble) == {"equilibrium"}
    exact = tables["observables"].query("source == 'exact' and observable == 'energy'").set_index("temperature").value
    for temperature, energy in exact.items():
        assert energy == pytest.approx(enumerate_system(ring(12), temperature).thermodynamics.energy / 12)
    stores = [open_store(path) for path in (workplace / "data").glob("ring-*.zarr")]
    assert {store.attrs["system"] for store in stores} == {"ring"}
    assert {store.attrs["sampler"] for store in stores} == {"ring_direct"}


def test_a_small_one_has_exact_theory_by_enumeration(done, workplace):
    folder = only(workplace / "outputs", "small-*")
    tables = read_tables(folder)
    assert tables["likelihood"].kl.notna().all()
    assert "exact" in set(tables["observables"].source)
    assert read_tables(folder / "verdict")["capacity"].half.notna().all()


def test_a_large_one_does_without_and_says_so(done, workplace):
    folder = only(workplace / "outputs", "large-*")
    tables = read_tables(folder)
    assert tables["likelihood"].kl.isna().all()
    assert set(tables["observables"].source) == {"samples", "model"}
    assert set(tables["order_parameter"].source) == {"samples", "model"}
    verdict = json.loads((folder / "verdict" / "verdict.json").read_text())
    assert verdict["mean_field_description"] in ("found", "not found", "not decided")
    assert any("ln Z is not known" in remark for remark in verdict["remarks"])
    capacity = read_tables(folder / "verdict")["capacity"]
    assert capacity.half.isna().all()
    assert pd.isna(capacity.field).all()
