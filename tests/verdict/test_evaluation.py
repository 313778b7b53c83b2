"""Whole evaluations: comparisons, what they leave open, and the rows that their errors rest on."""

import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.exact_models import exact_vae

from vae_mf.analysis.log_likelihood import log_truth
from vae_mf.datasets.recording import make_recording
from vae_mf.datasets.splits import split_rows
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.statistics.independent import independent_log_likelihood, probabilities_up
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings
from vae_mf.tables import Evaluation
from vae_mf.verdict.equilibrium import add_patterns, evaluate_equilibrium
from vae_mf.verdict.evidence import RECORDED, UNCONDITIONED, Evidence, EvidenceGroup, recorded
from vae_mf.verdict.recording import evaluate_recording, rows_in_time
from vae_mf.verdict.settings import EquilibriumSettings, RecordingSettings

SITES, TEMPERATURES = 10, [0.6, 0.9, 1.4]
SYSTEM, FERROMAGNET = CurieWeiss(SITES), np.ones((1, SITES), np.int8)
CHAINS, DRAWS = 12, 10


BLOCKS = 20


def settings(**changes) -> EquilibriumSettings:
    defaults = {
        "generated": 400,
        "likelihood_draws": 1,
        "likelihood_samples": 60,
        "pattern_draws": 8,
        "restarts": 2,
        "tolerable_kl": 0.4,
        "seed": 1,
    }
    return EquilibriumSettings(**{**defaults, **changes})


def group(temperature: float, seed: int = 0, **changes) -> EvidenceGroup:
    """Independent draws, the first ten chains for training and the other two held out."""
    states = enumerate_system(SYSTEM, temperature)
    rows = np.random.default_rng(seed).choice(len(states.spins), CHAINS * DRAWS, p=states.probabilities)
    parts = {
        "source": states.spins[rows],
        "train_rows": slice(0, 10 * DRAWS),
        "held_out_rows": slice(10 * DRAWS, None),
        "blocks": 2,
        "condition": temperature,
        "ensemble": "equilibrium",
    }
    return EvidenceGroup(**{**parts, **changes})


def evidence(**changes) -> Evidence:
    return Evidence([group(temperature, seed, **changes) for seed, temperature in enumerate(TEMPERATURES)])


class CountingSystem(CurieWeiss):
    """A Curie-Weiss model that notes at which temperatures its exact law was asked for."""

    def order_parameter_law(self, temperature):
        asked.append(temperature)
        return super().order_parameter_law(temperature)

    def thermodynamics(self, temperature):
        return SYSTEM.thermodynamics(temperature)


asked: list[float] = []


def test_an_equilibrium_model_is_judged_at_every_temperature():
    asked.clear()
    evaluation = evaluate_equilibrium(
        exact_vae(FERROMAGNET, TEMPERATURES), CountingSystem(SITES), evidence(), settings()
    )
    drawn = {"overlap_distribution", "configurations"}
    assert evaluation.tables.keys() == {"observables", "order_parameter", "likelihood"} | drawn
    assert list(evaluation.metrics["kl_per_temperature"]) == ["0.6", "0.9", "1.4"]
    np.testing.assert_allclose(list(evaluation.metrics["kl_per_temperature"].values()), 0, atol=1e-6)
    laws = [SYSTEM.order_parameter_law(temperature) for temperature in TEMPERATURES]
    deviations = [
        np.sqrt(law.probabilities @ law.values**2 - (law.probabilities @ abs(law.values)) ** 2) for law in laws
    ]
    assert 0 < evaluation.metrics["order_parameter_max_error"] < 3.5 * max(deviations) / np.sqrt(settings().generated)
    given = [temperature for temperature in asked if temperature in TEMPERATURES]
    assert given == 2 * TEMPERATURES  # by all observables together, and by the law of the overlap


def test_rows_that_are_read_when_they_are_asked_for_are_judged_alike_and_let_go_of():
    """Rows of one temperature, and those of the one before, are in memory at a time."""
    alive, most = [], [0]

    class Rows(np.ndarray):
        """An array that can be referred to weakly."""

    def reader(given: EvidenceGroup) -> EvidenceGroup:
        def read():
            rows = given.rows.copy().view(Rows)
            alive.append(weakref.ref(rows))
            most[0] = max(most[0], sum(each() is not None for each in alive))
            return rows

        return replace(given, source=read)

    kept = evidence()
    stored = Evidence([reader(each) for each in kept.groups])
    found, expected = (
        evaluate_equilibrium(exact_vae(FERROMAGNET, TEMPERATURES), SYSTEM, data, settings()) for data in (stored, kept)
    )
    assert found.metrics["test_elbo"] == pytest.approx(expected.metrics["test_elbo"], rel=1e-9)
    for name, table in expected.tables.items():
        pd.testing.assert_frame_equal(found.tables[name], table)
    assert most[0] <= 2


def test_the_divergence_is_left_open_out_of_equilibrium():
    ensembles = dict(zip(TEMPERATURES, ("basin", "random_start", "equilibrium"), strict=True))
    data = Evidence([group(t, seed, ensemble=ensembles[t]) for seed, t in enumerate(TEMPERATURES)])
    metrics = evaluate_equilibrium(exact_vae(FERROMAGNET, TEMPERATURES), SYSTEM, data, settings()).metrics
    assert metrics["ensemble_per_temperature"] == {str(t): tag for t, tag in ensembles.items()}
    for name in ("kl_per_temperature", "kl_error_per_temperature"):
        assert list(np.isnan(list(metrics[name].values()))) == [True, True, False]
    assert np.isfinite(metrics["test_log_likelihood"])


def test_errors_of_samples_rest_on_chains_and_those_of_draws_on_rows():
    whole = slice(0, None)
    data = evidence(train_rows=whole, held_out_rows=whole, blocks=1)
    table = evaluate_equilibrium(exact_vae(FERROMAGNET, TEMPERATURES), SYSTEM, data, settings()).tables["observables"]
    assert table[table.source == "samples"].error.isna().all()
    assert (table[table.source == "model"].error > 0).all()


@pytest.mark.parametrize(("latents", "factorised"), [(1, False), (2, True)])
def test_a_prior_of_one_latent_is_not_called_factorised(latents, factorised):
    torch.manual_seed(1)
    vae = VAE(LinearEncoder(SITES, latents), LinearDecoder(SITES, latents), GaussianPrior(latents))
    table = evaluate_equilibrium(vae, SYSTEM, evidence(), settings(tolerable_kl=0.7)).tables["likelihood"]
    assert list(table.factorised_prior) == [factorised] * 3
    assert list(table.tolerable_kl) == [0.7] * 3


def test_groups_have_conditions_of_their_own_and_as_many_blocks():
    with pytest.raises(ValueError, match=r"groups: expected different conditions, at least one, got \[0.6, 0.6\]"):
        Evidence([group(0.6), group(0.6)])
    with pytest.raises(ValueError, match=r"groups: expected different conditions, at least one, got \[\]"):
        Evidence([])
    with pytest.raises(ValueError, match=r"groups: expected as many blocks in all of them, got \[2, 4\]"):
        Evidence([group(0.6), group(0.9, blocks=4)])


def test_chains_of_a_group_are_equally_long():
    assert group(0.6).chains == CHAINS
    with pytest.raises(ValueError, match="chains: expected a divisor of the 20 rows, got 7"):
        group(0.6, blocks=7)


def test_a_recording_is_one_group_without_a_condition():
    recording = make_recording(np.random.default_rng(6).integers(0, 2, (3, 5, 30)))
    split = split_rows(recording, "time", 0.2, 0.2)
    parts = (recording.rows, recording.time, split.train, split.test)
    data = recorded(*parts, blocks=4)
    (only,) = data.groups
    assert (only.condition, only.temperature, only.ensemble) == (None, UNCONDITIONED, RECORDED)
    assert only.ensemble == "recorded"
    np.testing.assert_array_equal(only.held_out, recording.rows[split.test])
    time = np.repeat(np.arange(24, 30), 3)[:16]
    in_time = [recording.rows[(recording.time == t) & (recording.repeat == k % 3)][0] for k, t in enumerate(time)]
    np.testing.assert_array_equal(only.in_blocks, in_time)
    with pytest.raises(ValueError, match="blocks: expected at most the 18 held-out rows, got 19"):
        recorded(*parts, blocks=19)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_tolerable_divergence_is_positive(value):
    with pytest.raises(ValueError, match="tolerable_kl: expected a finite number > 0"):
        settings(tolerable_kl=value)


def test_patterns_are_read_off_all_latents_and_off_the_training_samples():
    """Two stored patterns in a decoder of three: the couplings include the third, that no truth has sorted out."""
    generator = np.random.default_rng(3)
    three = generator.choice([-1, 1], (3, 300)).astype(np.int8)
    system = Hopfield(three[:2])
    vae = VAE(LinearEncoder(300, 3), LinearDecoder(300, 3), GaussianPrior(3)).double().requires_grad_(False)
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(three.T @ generator.normal(size=(3, 3))))
    chosen = system.patterns[generator.integers(2, size=600)] * generator.choice([-1, 1], (600, 1))
    train = np.where(generator.random(chosen.shape) < 0.1, -chosen, chosen).astype(np.int8)
    evaluation = Evaluation()
    add_patterns(evaluation, vae, system, {0.5: train}, settings())
    expected = np.linalg.norm(hebbian_couplings(three) - system.couplings) / np.linalg.norm(system.couplings)
    assert evaluation.metrics["pattern_overlap_min"] > 0.98
    assert evaluation.metrics["pattern_overlap_min_classical"] > 0.95
    assert evaluation.metrics["coupling_relative_error"] == pytest.approx(expected, rel=0.05)


def test_the_classical_route_sees_the_samples_that_the_decoder_was_fitted_to():
    """Only the training part holds the patterns: what is held out is noise."""
    generator = np.random.default_rng(4)
    patterns = generator.choice([-1, 1], (1, 60)).astype(np.int8)
    signs = generator.choice([-1, 1], (100, 1))
    stored = np.where(generator.random((100, 60)) < 0.1, -signs, signs) * patterns
    noise = generator.choice([-1, 1], (2000, 60)).astype(np.int8) * np.int8(1)
    # A direction of the noise stronger than the pattern, were it looked at.
    noise[:, :30] = noise[:, :1]
    rows = np.concatenate([stored.astype(np.int8), noise])
    data = Evidence([EvidenceGroup(rows, slice(0, 100), slice(100, None), 20, condition=0.5, ensemble="basin")])
    evaluation = evaluate_equilibrium(exact_vae(patterns, [0.5]), Hopfield(patterns), data, settings())
    assert evaluation.metrics["pattern_overlap_min_classical"] > 0.95
    assert set(evaluation.tables["overlaps"].route) == {"vae", "classical"}


def spike_words(scenes: int, seed: int) -> np.ndarray:
    states = enumerate_system(SYSTEM, 1.0)
    return states.spins[np.random.default_rng(seed).choice(len(states.spins), scenes, p=states.probabilities)]


def test_few_chains_with_a_long_memory_are_cut_into_five_blocks():
    """Two held-out chains, each in one state, would make two blocks, which touch: no pair of them is left."""
    states = enumerate_system(SYSTEM, 1.0).spins
    rows = np.repeat(states[np.arange(CHAINS) % 2 * 15], 100, axis=0)
    parts = {"train_rows": slice(0, 1000), "held_out_rows": slice(1000, None)}
    blocked = group(1.0, source=rows, **parts).blocked(SITES, held_out=True)
    assert blocked.blocks.labels.max() + 1 == 5
    assert blocked.blocks.gap == 1


def evaluated_recording(test: np.ndarray, time: np.ndarray, samples: int, blocks: int = BLOCKS) -> dict:
    train = spike_words(300, 1)
    rows = np.concatenate([train, test])
    data = EvidenceGroup(rows, slice(0, 300), slice(300, None), blocks, time=time)
    numbers = {"generated": 400, "word_variables": 5, "word_groups": 2, "triplets": 50, "pattern_draws": 8}
    chosen = RecordingSettings(**numbers, likelihood_draws=1, likelihood_samples=samples, blocks=blocks, seed=1)
    return evaluate_recording(exact_vae(FERROMAGNET, [1.0]), data, np.arange(SITES), chosen).metrics


@pytest.mark.parametrize("blocks", [5, BLOCKS])
def test_the_error_of_the_gain_is_that_of_blocks_of_time(blocks):
    """Words come in any order; the exact model knows their probabilities, so the gain is known too."""
    words, time = spike_words(200, 2), np.random.default_rng(3).permutation(200)
    gain = log_truth(SYSTEM, words, 1.0) - independent_log_likelihood(words, probabilities_up(spike_words(300, 1)))
    means = gain[np.argsort(time)].reshape(blocks, -1).mean(1)
    metrics = evaluated_recording(words, time, 200, blocks)
    assert metrics["test_gain_over_independent"] == pytest.approx(gain.mean())
    assert metrics["test_gain_over_independent_error"] == pytest.approx(means.std(ddof=1) / np.sqrt(blocks), rel=1e-4)


def test_few_rows_in_few_blocks_are_evaluated():
    assert evaluated_recording(spike_words(19, 2), np.arange(19), 19, blocks=5)["test_gain_over_independent_error"] > 0


def test_repeats_of_the_movie_add_no_evidence():
    words, time = spike_words(100, 2), np.arange(100)
    once = evaluated_recording(words, time, 100)
    often = evaluated_recording(np.tile(words, (16, 1)), np.tile(time, 16), 1600)
    name = "test_gain_over_independent_error"
    assert often[name] == pytest.approx(once[name], rel=1e-3)


def test_every_word_has_its_time():
    with pytest.raises(ValueError, match="time: expected one for each of the 40 held-out rows, got 39"):
        evaluated_recording(spike_words(40, 2), np.arange(39), 40)


def test_thinned_words_keep_their_time():
    time = np.random.default_rng(5).permutation(np.repeat(np.arange(50), 4))
    rows = rows_in_time(time, 80, seed=6)
    assert len(np.unique(rows)) == 80
    assert (np.diff(time[rows]) >= 0).all()
    assert len(rows_in_time(time, 1000, seed=6)) == 200
    assert np.isfinite(evaluated_recording(spike_words(200, 2), time, 80)["test_gain_over_independent_error"])
