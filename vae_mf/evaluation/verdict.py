"""Judge a trained model: every number and table that a run reports."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int, Int8, Shaped

from vae_mf.arrays import Rows
from vae_mf.checks import require_integer, require_positive
from vae_mf.evaluation.chains import average, draws_per_chain, thin
from vae_mf.evaluation.generation import generate, score
from vae_mf.evaluation.log_likelihood import likelihood_table
from vae_mf.evaluation.observables import (
    BySource,
    compare_energies,
    compare_observables,
    exact_laws,
    largest_error,
    order_parameter_histogram,
)
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

STRETCHES = 20
"""Stretches of movie time whose average gains are compared."""

Sampled = Shaped[np.ndarray, "rows *site"]
Training = Shaped[np.ndarray, "training_rows *site"]
HeldOut = Shaped[np.ndarray, "held_out_rows *site"]
"""Spins (rows, sites) or directors (rows, sites, 3)."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How thoroughly a model is judged.

    Args:
        generated: configurations drawn from the model (per temperature, if there are several).
        likelihood_draws: importance draws of z per configuration.
        likelihood_samples: held-out configurations scored (per temperature); more are thinned out, chain by chain.
        pattern_temperature: where the decoder's Jacobian is averaged; None for the middle of the list.
        pattern_draws: draws of z in that average.
        restarts: restarts of FastICA.
        seed: of all randomness of the evaluation.
        tolerable_kl: KL (nats per configuration) above which a temperature is marked as not captured.
    """

    generated: int
    likelihood_draws: int
    likelihood_samples: int
    restarts: int
    pattern_draws: int
    seed: int
    tolerable_kl: float
    pattern_temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("generated", "likelihood_draws", "likelihood_samples", "restarts", "pattern_draws"):
            require_integer(name, getattr(self, name))
        require_positive("tolerable_kl", self.tolerable_kl)
        if self.pattern_temperature is not None:
            require_positive("pattern_temperature", self.pattern_temperature)


@dataclass(frozen=True, eq=False)
class EquilibriumData:
    """Configurations (spins or directors) at each temperature, rows of one Markov chain next to each other.

    Args:
        samples: all sampled configurations.
        chains: Markov chains among them, per temperature.
        train: those that the model was fitted to.
        held_out: those that it is judged on.
        held_out_chains: Markov chains among the held-out configurations, per temperature.
        ensembles: what the samples may be taken for: "equilibrium" or other, see `samplers.diagnostics.start_ensemble`.

    Raises:
        ValueError: unless all have the same temperatures and the chains of one temperature are equally long.
    """

    samples: dict[float, Sampled]
    chains: int
    train: dict[float, Training]
    held_out: dict[float, HeldOut]
    held_out_chains: int
    ensembles: dict[float, str]

    def __post_init__(self) -> None:
        for name in ("train", "held_out", "ensembles"):
            found = getattr(self, name)
            if found.keys() != self.samples.keys():
                raise ValueError(f"{name}: expected the temperatures {list(self.samples)}, got {list(found)}")
        for parts, chains in ((self.samples, self.chains), (self.held_out, self.held_out_chains)):
            for configurations in parts.values():
                draws_per_chain(len(configurations), chains)


def judge_equilibrium(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> Verdict:
    """Judge a model of an equilibrium system against its samples and exact theory.

    Returns:
        metrics and the tables "observables", "order_parameter", "likelihood", and for Hopfield systems "overlaps".
    """
    vae.eval()
    laws = exact_laws(system, data.samples)
    orders, energies = observe(vae, system, data, settings)
    chains = {"samples": data.chains, "model": settings.generated}
    observables = pd.concat(
        [compare_observables(system, laws, orders, chains), compare_energies(system, energies, chains)],
        ignore_index=True,
    )
    likelihood = judge_likelihood(vae, system, data, settings)
    verdict = Verdict(
        {
            **{
                f"{column}_per_temperature": dict(
                    zip(map(str, likelihood.temperature), likelihood[column], strict=True)
                )
                for column in ("ensemble", "kl", "kl_error")
            },
            "order_parameter_max_error": largest_error(observables, "order_parameter"),
            "energy_max_error": largest_error(observables, "energy"),
            "test_elbo": float(likelihood.elbo.mean()),
            "test_log_likelihood": float(likelihood.log_likelihood.mean()),
        },
        {
            "observables": observables,
            "order_parameter": order_parameter_histogram(system, laws, orders),
            "likelihood": likelihood,
        },
    )
    if isinstance(system, Hopfield):
        add_patterns(verdict, vae, system, data.train, settings)
    return verdict


class Observations(NamedTuple):
    """What is observed of every configuration, sampled and generated."""

    order_parameters: BySource
    """Signed order parameters."""
    energies: BySource


def observe(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> Observations:
    """Return order parameter and energy of all samples and of draws from the model."""
    found = Observations({"samples": {}, "model": {}}, {"samples": {}, "model": {}})
    for t, (temperature, sampled) in enumerate(data.samples.items()):
        drawn = generate(vae, temperature, settings.generated, integer(settings.seed, "generate", t))
        for source, configurations in (("samples", sampled), ("model", drawn)):
            found.order_parameters[source][temperature] = system.order_parameter(configurations)
            found.energies[source][temperature] = system.energy(configurations)
    return found


def judge_likelihood(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> pd.DataFrame:
    """Return the likelihood table of the held-out configurations, with what is needed to read the KL."""
    scored = {t: thin(data.held_out[t], settings.likelihood_samples, data.held_out_chains) for t in data.samples}
    table = likelihood_table(
        vae, system, scored, data.held_out_chains, data.ensembles, settings.likelihood_draws, settings.seed
    )
    prior: Any = vae.prior
    # One latent is a product of one factor, which restricts nothing.
    table["factorised_prior"] = prior.factorised and prior.latents > 1
    table["tolerable_kl"] = settings.tolerable_kl
    return table


def add_patterns(
    verdict: Verdict, vae: VAE, system: Hopfield, train: dict[float, Training], settings: EvaluationSettings
) -> None:
    """Add the recovery of the stored patterns, by the decoder and by the classical route on the same samples.

    The couplings are those of all recovered patterns, of which no truth has chosen the best.

    Args:
        train: configurations at each temperature that the decoder was fitted to.
    """
    temperatures = list(train)
    temperature = settings.pattern_temperature or temperatures[len(temperatures) // 2]
    seed, count = integer(settings.seed, "patterns") % 2**31, len(system.patterns)
    routes = {
        "vae": decoder_patterns(vae, temperature, settings.pattern_draws, settings.restarts, seed),
        "classical": classical_patterns(np.concatenate(list(train.values())), count, settings.restarts, seed),
    }
    matches = {route: match_patterns(found, system.patterns) for route, found in routes.items()}
    couplings = hebbian_couplings(routes["vae"], system.coupling)
    verdict.tables["overlaps"] = overlap_table(matches)
    verdict.metrics |= {
        "pattern_temperature": float(temperature),
        "pattern_overlap_min": float(matches["vae"].matched.min()),
        "pattern_overlap_mean": float(matches["vae"].matched.mean()),
        "pattern_overlap_min_classical": float(matches["classical"].matched.min()),
        "coupling_relative_error": coupling_error(couplings, system.couplings),
    }


def judge_recording(
    vae: VAE,
    train: Int8[np.ndarray, "training_rows cells"],
    test: Int8[np.ndarray, "rows cells"],
    time: Int[np.ndarray, " times"],
    cells: Int[np.ndarray, " cells"],
    settings: EvaluationSettings,
) -> Verdict:
    """Judge a model of a recording against held-out words and the independent model.

    Words close in movie time, and those of the same time in different repeats, answer the same scene and are no
    independent evidence. The error of the gain over the independent model is therefore that of the means over about
    20 stretches of movie time, sd(means) / sqrt(20); words taken as independent would make it many times too small.

    Args:
        train: words (rows, cells) that the model and the independent model were fitted to.
        test: held-out words.
        time: movie time of every held-out word, in bins.
        cells: original number of every cell.
        settings: how thoroughly.

    Returns:
        metrics and the tables "spike_counts", "cells" (field and patterns per cell) and "pair_covariances".

    Raises:
        ValueError: unless there is a time for every held-out word.
    """
    if len(time) != len(test):
        raise ValueError(f"time: expected one for each of the {len(test)} held-out words, got {len(time)}")
    vae.eval()
    probabilities = firing_probabilities(train)
    generated = generate(vae, 1.0, settings.generated, integer(settings.seed, "generate", 0))
    rows = rows_in_time(time, settings.likelihood_samples, settings.seed)
    elbo, importance = score(vae, test[rows], 1.0, settings.likelihood_draws, integer(settings.seed, "score"))
    independent = independent_log_likelihood(test[rows], probabilities)
    laws = {
        "test": spike_count_law(test),
        "model": spike_count_law(generated),
        "independent": independent_count_law(probabilities),
        "train": spike_count_law(train),
    }
    gain = average(importance - independent, STRETCHES)
    return Verdict(
        {
            "test_elbo_per_word": float(elbo.mean()),
            "test_loglik_per_word_iwae": float(importance.mean()),
            "test_loglik_per_word_independent": float(independent.mean()),
            "test_gain_over_independent": gain.value,
            "test_gain_over_independent_error": gain.error,
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


def rows_in_time(time: Int[np.ndarray, " words"], count: int, seed: int) -> Rows:
    """Return at most ``count`` rows drawn without replacement, in the order of their time."""
    chosen = np.sort(generator(seed, "thin").choice(len(time), min(count, len(time)), replace=False))
    return chosen[np.argsort(time[chosen], kind="stable")]


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
