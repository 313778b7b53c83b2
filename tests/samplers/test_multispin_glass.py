"""Glasses in words: against enumeration, compiled against interpreted, equal under gauge transformations."""

import numpy as np
import pytest
from helpers.chains import sample, started, z_scores
from scipy import sparse
from scipy.stats import chisquare

from vae_mf.packing import unpack_spins
from vae_mf.samplers import multispin_glass
from vae_mf.samplers.base import Sampler, Schedule
from vae_mf.samplers.multispin_glass import MultispinGlass, glass_digits
from vae_mf.samplers.signed_graph import signed_graph
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

SIGMAS = 4.5
RANDOM = np.random.default_rng(0)
TREE = np.zeros((9, 9))
for child, sign in zip(range(1, 9), RANDOM.choice([-0.7, 0.7], 8), strict=True):
    TREE[child, child // 3] = TREE[child // 3, child] = sign
SYSTEMS = {
    "square, doubled bonds": EdwardsAnderson.random(2, 2, "pm", 1),
    "odd square": EdwardsAnderson.random(3, 2, "pm", 1),
    "square": EdwardsAnderson.random(4, 2, "pm", 2),
    "open square": EdwardsAnderson.random(4, 2, "pm", 2, boundary="free"),
    "cube, doubled bonds": EdwardsAnderson.random(2, 3, "pm", 3),
    "open cube": EdwardsAnderson.random(2, 3, "pm", 3, positive=0.8, boundary="free"),
    "tree and a lone site": Ising(sparse.block_diag([TREE, np.zeros((1, 1))]).tocsr()),
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


@every_system
def test_energy_and_moments_equal_enumeration(system):
    temperatures = (0.5, 0.9, 1.6, 5.0)
    spins = sample(MultispinGlass(system), temperatures, 160, Schedule(60, 60, 3, anneal=60))
    exact = [enumerate_system(system, t) for t in temperatures]
    energies = z_scores(system.energy(spins), np.array([e.thermodynamics.energy for e in exact]))
    pairs = lambda s: (s[..., 1:] * s[..., :-1]).astype(float)  # noqa: E731
    means = np.array([e.mean(pairs(e.spins)) for e in exact])
    scores = np.concatenate([energies.ravel(), z_scores(pairs(spins), means)[means**2 < 0.98]])
    assert np.abs(scores).max() < SIGMAS
    assert scores.std() < 1.4


@pytest.mark.parametrize("name", ["odd square", "open cube"])
def test_every_state_has_its_boltzmann_probability(name):
    system = SYSTEMS[name]
    spins = sample(MultispinGlass(system), [1.2, 3.0], 3000, Schedule(4, 60, 30))
    states = (spins.reshape(2, -1, system.sites) > 0) @ 2 ** np.arange(system.sites)
    for level, temperature in enumerate((1.2, 3.0)):
        expected = enumerate_system(system, temperature).probabilities * states.shape[1]
        order = np.argsort(expected)
        cells = np.empty(2**system.sites, int)
        cells[order] = np.floor(np.cumsum(expected[order]) / 10)
        binned = np.bincount(cells, expected)
        observed = np.bincount(cells[states[level]], minlength=binned.size)
        assert chisquare(observed[binned > 0], binned[binned > 0]).pvalue > 1e-3 / 4


def test_chains_of_a_word_are_independent():
    """All at one temperature, hot: products of the spins of two chains at the same site average to nothing."""
    system = EdwardsAnderson.random(4, 3, "pm", 1)
    spins = sample(MultispinGlass(system), [4.0], 64, Schedule(100, 50, 5))[0].astype(float)
    overlaps = np.einsum("atn,btn->abt", spins, spins)[np.triu_indices(64, 1)] / system.sites
    scores = overlaps.mean(1) / (overlaps.std(1, ddof=1) / 10)
    assert np.abs(scores).max() < 5
    assert scores.std() < 1.2


@every_system
def test_energies_are_those_of_the_configurations(system):
    sampler = MultispinGlass(system)
    for start in sampler.starts:
        state = started(sampler, np.linspace(0.3, 3, 17), start=start)
        for _ in range(3):
            spins = unpack_spins(sampler.configurations(state), system.sites)
            np.testing.assert_allclose(sampler.energies(state), system.energy(spins), atol=1e-9)
            sampler.sweep(state, 2)


@pytest.mark.parametrize(("side", "dimension", "boundary"), [(5, 2, "periodic"), (4, 3, "periodic"), (5, 3, "free")])
def test_a_gauge_transformation_changes_nothing_but_names(side, dimension, boundary):
    """With J_ij t_i t_j for J_ij and a start s_i t_i, every later configuration is that of the first glass times t."""
    glass = EdwardsAnderson.random(side, dimension, "pm", 5, boundary=boundary)
    gauge = RANDOM.choice([-1.0, 1.0], glass.sites)
    turned = Ising(sparse.csr_array(sparse.diags_array(gauge) @ glass.couplings @ sparse.diags_array(gauge)))
    first, second = MultispinGlass(glass), MultispinGlass(turned)
    states = [started(sampler, np.linspace(0.4, 3, 64)) for sampler in (first, second)]
    flipped = np.empty(glass.sites, bool)
    flipped[second.graph.place] = gauge < 0
    states[1].words[flipped] ^= ~np.uint64(0)
    for sampler, state in zip((first, second), states, strict=True):
        sampler.sweep(state, 50)
    spins = [unpack_spins(s.configurations(x), glass.sites) for s, x in zip((first, second), states, strict=True)]
    np.testing.assert_array_equal(spins[0] * gauge, spins[1])
    np.testing.assert_array_equal(first.energies(states[0]), second.energies(states[1]))


def test_tempered_words_equal_enumeration_in_the_cold():
    system, ladder = SYSTEMS["square"], np.array([0.6, 0.8, 1.2, 2.0])
    spins = sample(ParallelTempering(MultispinGlass(system)), ladder, 96, Schedule(60, 100, 3))
    exact = [enumerate_system(system, t) for t in ladder]
    energies = np.array([e.thermodynamics.energy for e in exact])
    assert np.abs(z_scores(system.energy(spins), energies)).max() < SIGMAS
    pairs = np.array([e.mean((e.spins[:, :1] * e.spins[:, 1:]).astype(float)) for e in exact])
    assert np.abs(z_scores((spins[..., :1] * spins[..., 1:]).astype(float), pairs)[pairs**2 < 0.98]).max() < SIGMAS


def test_compiled_and_interpreted_kernels_agree():
    for name in ("odd square", "open square"):
        sampler = MultispinGlass(SYSTEMS[name])
        state, graph = started(sampler, [0.7, 2.0]), sampler.graph
        words, counter = state.words.copy(), state.counter.copy()
        sampler.sweep(state, 3)
        thresholds = glass_digits.py_func(graph.strength / state.temperatures, bool(graph.odd.any()))
        with np.errstate(over="ignore"):
            multispin_glass.glass_sweeps.py_func(
                words, graph.neighbours, graph.negative, graph.starts, graph.odd, thresholds, 3, state.key, counter
            )
        np.testing.assert_array_equal(words, state.words)
        np.testing.assert_array_equal(counter, state.counter)


@every_system
def test_no_two_neighbours_of_a_block(system):
    graph = signed_graph(system)
    for first, last in zip(graph.starts, graph.starts[1:], strict=False):
        inside = (graph.neighbours[:, first:last] >= first) & (graph.neighbours[:, first:last] < last)
        own = graph.neighbours[:, first:last] == np.arange(first, last)
        assert (~inside | own).all()
    assert graph.bond_count == np.abs(system.couplings).sum() / 2 / graph.strength


def test_it_keeps_the_protocol():
    assert isinstance(MultispinGlass(SYSTEMS["square"]), Sampler)


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (EdwardsAnderson.random(4, 2, "gaussian", 1), "couplings: expected +-J of one strength J (disorder=pm)"),
        (SherringtonKirkpatrick.random(5, 1), "couplings: expected +-J of one strength J (disorder=pm)"),
        (Ising(np.ones((8, 8)) - np.eye(8)), "couplings: expected at most 6 bonds to a site, got 7"),
        (Ising(SYSTEMS["square"].couplings, np.full(16, 0.1)), "fields: expected none"),
    ],
)
def test_other_systems_are_refused(system, message):
    with pytest.raises(ValueError, match="^" + message.replace("+", r"\+").replace("(", r"\(").replace(")", r"\)")):
        MultispinGlass(system)


def test_more_chains_than_bits_are_refused():
    with pytest.raises(
        ValueError, match="temperatures: expected at most 64 in a ladder, or 32 with cluster moves, got 65"
    ):
        started(MultispinGlass(SYSTEMS["square"]), np.linspace(1, 2, 65))
