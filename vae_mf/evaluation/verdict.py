"""Judge a trained model: every number and table that a run reports."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.evaluation.generation import generate, score
from vae_mf.evaluation.log_likelihood import likelihood_table
from vae_mf.evaluation.observables import compare_observables, largest_error, order_parameter_histogram
from vae_mf.evaluation.patterns import (
    classical_patterns,
    coupling_error,
    decoder_patterns,
    logit_jacobian,
    match_patterns,
    overlap_table,
)
from vae_mf.evaluation.spike_words import (
    count_table,
    firing_probabilities,
    independent_count_law,
    independent_log_likelihood,
    pair_covariances,
    spike_count_law,
    total_variation,
)
from vae_mf.evaluation.tables import Verdict
from vae_mf.models.vae import VAE
from vae_mf.rng import generator, integer
from vae_mf.systems.base import System
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings


@dataclass(frozen=True)
class EvaluationSettings:
    """How thoroughly a model is judged.

    Args:
        generated: configurations drawn from the model (per temperature, if there are several).
        likelihood_draws: importance draws of z per configuration.
        likelihood_samples: held-out configurations scored (per temperature); more are thinned out evenly.
        pattern_temperature: where the decoder's Jacobian is averaged; None for the middle of the list.
        pattern_draws: draws of z in that average.
        restarts: restarts of FastICA.
        seed: of all randomness of the evaluation.
    """

    generated: int
    likelihood_draws: int
    likelihood_samples: int
    restarts: int
    pattern_draws: int
    seed: int
    pattern_temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("generated", "likelihood_draws", "likelihood_samples", "restarts", "pattern_draws"):
            require_integer(name, getattr(self, name))
        if self.pattern_temperature is not None:
            require_positive("pattern_temperature", self.pattern_temperature)


def judge_equilibrium(
    vae: VAE,
    system: System,
    samples: dict[float, Spins],
    held_out: dict[float, Spins],
    held_out_chains: int,
    settings: EvaluationSettings,
) -> Verdict:
    """Judge a model of an equilibrium system against its samples and exact theory.

    Args:
        samples: all sampled configurations at each temperature, rows of one Markov chain next to each other.
        held_out: the test configurations at each temperature.
        held_out_chains: number of Markov chains among the test configurations of one temperature.
        settings: how thoroughly.

    Returns:
        metrics and the tables "observables", "order_parameter", "likelihood", and for Hopfield systems "overlaps".
    """
    vae.eval()
    temperatures = np.array(list(samples))
    orders: dict[str, list[np.ndarray]] = {"samples": [], "model": []}
    for t, (temperature, spins) in enumerate(samples.items()):
        drawn = generate(vae, temperature, settings.generated, integer(settings.seed, "generate", t))
        orders["samples"].append(system.order_parameter(spins))
        orders["model"].append(system.order_parameter(drawn))
    observables = compare_observables(system, temperatures, orders)
    scored = {t: thin(spins, settings.likelihood_samples) for t, spins in held_out.items()}
    likelihood = likelihood_table(vae, system, scored, held_out_chains, settings.likelihood_draws, settings.seed)
    likelihood["factorised_prior"] = vae.prior.factorised
    verdict = Verdict(
        {
            "kl_per_temperature": dict(zip(map(str, likelihood.temperature), likelihood.kl, strict=True)),
            "kl_error_per_temperature": dict(zip(map(str, likelihood.temperature), likelihood.kl_error, strict=True)),
            "order_parameter_max_error": largest_error(observables, "order_parameter"),
            "test_elbo": float(likelihood.elbo.mean()),
            "test_log_likelihood": float(likelihood.log_likelihood.mean()),
        },
        {
            "observables": observables,
            "order_parameter": order_parameter_histogram(system, temperatures, orders),
            "likelihood": likelihood,
        },
    )
    if isinstance(system, Hopfield):
        add_patterns(verdict, vae, system, samples, settings)
    return verdict


def add_patterns(
    verdict: Verdict, vae: VAE, system: Hopfield, samples: dict[float, Spins], settings: EvaluationSettings
) -> None:
    """Add the recovery of the stored patterns, by the decoder and by the classical route on the same samples."""
    temperatures = list(samples)
    temperature = settings.pattern_temperature or temperatures[len(temperatures) // 2]
    seed, count = integer(settings.seed, "patterns") % 2**31, len(system.patterns)
    routes = {
        "vae": decoder_patterns(vae, temperature, settings.pattern_draws, settings.restarts, seed),
        "classical": classical_patterns(np.concatenate(list(samples.values())), count, settings.restarts, seed),
    }
    matches = {route: match_patterns(found, system.patterns) for route, found in routes.items()}
    couplings = hebbian_couplings(matches["vae"].patterns, system.coupling)
    verdict.tables["overlaps"] = overlap_table(matches)
    verdict.metrics |= {
        "pattern_temperature": float(temperature),
        "pattern_overlap_min": float(matches["vae"].matched.min()),
        "pattern_overlap_mean": float(matches["vae"].matched.mean()),
        "pattern_overlap_min_classical": float(matches["classical"].matched.min()),
        "coupling_relative_error": coupling_error(couplings, system.couplings),
    }


def judge_recording(vae: VAE, train: Spins, test: Spins, cells: np.ndarray, settings: EvaluationSettings) -> Verdict:
    """Judge a model of a recording against held-out words and the independent model.

    Args:
        train: words (rows, cells) that the model and the independent model were fitted to.
        test: held-out words.
        cells: original number of every cell.
        settings: how thoroughly.

    Returns:
        metrics and the tables "spike_counts", "cells" (field and patterns per cell) and "pair_covariances".
    """
    vae.eval()
    probabilities = firing_probabilities(train)
    generated = generate(vae, 1.0, settings.generated, integer(settings.seed, "generate", 0))
    scored = thin_randomly(test, settings.likelihood_samples, settings.seed)
    elbo, importance = score(vae, scored, 1.0, settings.likelihood_draws, integer(settings.seed, "score"))
    independent = independent_log_likelihood(scored, probabilities)
    laws = {
        "test": spike_count_law(test),
        "model": spike_count_law(generated),
        "independent": independent_count_law(probabilities),
        "train": spike_count_law(train),
    }
    gain = importance - independent
    return Verdict(
        {
            "test_elbo_per_word": float(elbo.mean()),
            "test_loglik_per_word_iwae": float(importance.mean()),
            "test_loglik_per_word_independent": float(independent.mean()),
            "test_gain_over_independent": float(gain.mean()),
            "test_gain_over_independent_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
            "p_k_total_variation": total_variation(laws["model"], laws["test"]),
            "p_k_total_variation_independent": total_variation(laws["independent"], laws["test"]),
            "p_k_total_variation_train": total_variation(laws["train"], laws["test"]),
        },
        {
            "spike_counts": count_table(laws),
            "cells": cell_table(vae, cells, probabilities, settings),
            "pair_covariances": pd.DataFrame({"test": pair_covariances(test), "model": pair_covariances(generated)}),
        },
    )


def cell_table(vae: VAE, cells: np.ndarray, probabilities: np.ndarray, settings: EvaluationSettings) -> pd.DataFrame:
    """Return per cell its firing probability, field b_i and pattern components W_i, from log-odds 2(W z + b).

    For a decoder that is not linear, W is half its Jacobian averaged over the prior and b half its log-odds at z = 0.
    """
    weight = logit_jacobian(vae, 1.0, settings.pattern_draws, integer(settings.seed, "cells")) / 2
    like = next(vae.parameters())
    with torch.no_grad():
        log_odds = vae.decoder(torch.zeros(1, weight.shape[1], dtype=like.dtype, device=like.device)).log_odds[0]
    columns = {f"pattern_{k + 1}": weight[:, k] for k in range(weight.shape[1])}
    field = log_odds.double().cpu().numpy() / 2
    return pd.DataFrame({"cell": cells, "firing_probability": probabilities, "field": field, **columns})


def thin(spins: Spins, count: int) -> Spins:
    """Return at most ``count`` evenly spaced rows."""
    return spins[:: max(1, -(-len(spins) // count))]


def thin_randomly(words: Spins, count: int, seed: int) -> Spins:
    """Return at most ``count`` rows drawn without replacement."""
    if len(words) <= count:
        return words
    return words[np.sort(generator(seed, "thin").choice(len(words), count, replace=False))]
