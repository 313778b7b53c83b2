"""Evaluation of a model of a recording: every number and table that its run reports."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from vae_mf.analysis.found_patterns import DIRECTION, prior_scale
from vae_mf.analysis.generation import generate, score
from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.arrays import Rows
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.rng import generator, integer
from vae_mf.statistics.averages import average
from vae_mf.statistics.independent import independent_count_law, independent_log_likelihood, probabilities_up
from vae_mf.statistics.joint_moments import moment_table, word_divergences, word_table
from vae_mf.statistics.overlaps import overlap_law_table
from vae_mf.statistics.spike_counts import count_table, spike_count_law, total_variation
from vae_mf.tables import Evaluation
from vae_mf.verdict.evidence import EvidenceGroup
from vae_mf.verdict.settings import PredictiveCheckSettings, RecordingSettings


def evaluate_recording(
    vae: VAE, group: EvidenceGroup, variables: Int[np.ndarray, " variables"], settings: RecordingSettings
) -> Evaluation:
    """Evaluate a model of a recording on held-out rows, beside independent variables.

    Rows close in time, and those of the same time in different repeats, answer the same scene and are no independent
    evidence. The error of the gain over independent variables is therefore that of the means over blocks of time,
    sd(means) / sqrt(blocks); rows taken as independent would make it many times too small.

    Returns:
        metrics and the tables "cells" (see `variable_table`) and those of `predictive_check`.
    """
    vae.eval()
    probabilities = probabilities_up(group.train)
    order = np.arange(len(group.held_out)) if group.time is None else group.time
    rows = group.held_out[rows_in_time(order, settings.likelihood_samples, settings.seed)]
    elbo, importance = score(vae, rows, group.temperature, settings.likelihood_draws, integer(settings.seed, "score"))
    independent = independent_log_likelihood(rows, probabilities)
    gain = average(importance - independent, group.blocks)
    likelihoods = {
        "test_elbo_per_word": float(elbo.mean()),
        "test_loglik_per_word_iwae": float(importance.mean()),
        "test_loglik_per_word_independent": float(independent.mean()),
        "test_gain_over_independent": gain.value,
        "test_gain_over_independent_error": gain.error,
    }
    check = predictive_check(vae, group, settings)
    cells = variable_table(vae, variables, probabilities, settings.pattern_draws, settings.seed)
    return Evaluation(likelihoods | check.metrics, check.tables | {"cells": cells})


def predictive_check(vae: VAE, group: EvidenceGroup, settings: PredictiveCheckSettings) -> Evaluation:
    """Compare counts, overlaps, words and moments of held-out rows, of rows drawn from a model and of independent ones.

    Returns:
        metrics and the tables "spike_counts", "overlap_distribution", "words" and "moments", sources test, model and
        independent.
    """
    vae.eval()
    generated = generate(vae, group.temperature, settings.generated, integer(settings.seed, "generate", 0))
    probabilities = probabilities_up(group.train)
    uniform = generator(settings.seed, "independent").random(generated.shape, np.float32)
    independent = np.where(uniform < probabilities, np.int8(1), np.int8(-1))
    sources = {"test": group.in_blocks, "model": generated, "independent": independent}
    laws = {
        "test": spike_count_law(group.held_out),
        "model": spike_count_law(generated),
        "independent": independent_count_law(probabilities),
        "train": spike_count_law(group.train),
    }
    chains = {"test": group.blocks, "model": len(generated), "independent": len(generated)}
    at_condition = {source: {group.temperature: rows} for source, rows in sources.items()}
    overlaps = overlap_law_table(at_condition, chains, shuffle=settings.seed)
    masses = overlaps.pivot(index="q", columns="source", values="density") * np.diff(overlaps.q).max()
    words = word_table(sources, settings.word_variables, settings.word_groups, settings.seed)
    divergences = word_divergences(words, "test")
    moments = moment_table(sources, settings.triplets, settings.seed)
    pairs = moments[moments.order == 2]
    metrics = {
        "p_k_total_variation": total_variation(laws["model"], laws["test"]),
        "p_k_total_variation_independent": total_variation(laws["independent"], laws["test"]),
        "p_k_total_variation_train": total_variation(laws["train"], laws["test"]),
        "p_q_total_variation": total_variation(masses["model"].to_numpy(), masses["test"].to_numpy()),
        "p_q_total_variation_independent": total_variation(masses["independent"].to_numpy(), masses["test"].to_numpy()),
        "word_divergence": divergences["model"],
        "word_divergence_independent": divergences["independent"],
        "pair_covariance_slope": float(np.polyfit(pairs.test, pairs.model, 1)[0]),
        "pair_covariance_correlation": float(np.corrcoef(pairs.test, pairs.model)[0, 1]),
    }
    tables = {"spike_counts": count_table(laws), "overlap_distribution": overlaps, "words": words, "moments": moments}
    return Evaluation(metrics, tables)


def rows_in_time(time: Int[np.ndarray, " times"], count: int, seed: int) -> Rows:
    """Return at most ``count`` rows drawn without replacement, in the order of their time.

    >>> rows_in_time(np.array([2, 0, 1]), 5, seed=0)
    array([1, 2, 0])
    """
    chosen = np.sort(generator(seed, "thin").choice(len(time), min(count, len(time)), replace=False))
    return chosen[np.argsort(time[chosen], kind="stable")]


def variable_table(
    vae: VAE,
    variables: Int[np.ndarray, " variables"],
    probabilities: Float[np.ndarray, " variables"],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return per variable its probability of 1, field b_i and pattern components W_i, from log-odds 2(W z + b).

    For a decoder that is not linear, W is half its Jacobian averaged over the prior and b half its log-odds at z = 0.
    The components (W L)_i of the directions, with L L^T the covariance of p(z), can be compared between models.

    Args:
        variables: number of every variable in the file.
    """
    weight = logit_jacobian(vae, UNCONDITIONED, draws, integer(seed, "cells")) / 2
    like = next(vae.parameters())
    with torch.no_grad():
        origin = torch.zeros(1, weight.shape[1], dtype=like.dtype, device=like.device)
        field = vae.decoder(origin).natural_parameters[0, :, 0].double().cpu().numpy()
    directions = weight @ prior_scale(vae, seed)
    parts = {"pattern": weight, DIRECTION: directions}
    columns = {f"{name}_{k + 1}": values for name, part in parts.items() for k, values in enumerate(part.T)}
    return pd.DataFrame({"cell": variables, "firing_probability": probabilities, "field": field, **columns})
