"""Judge a model of a recording: every number and table that its run reports."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Int8

from vae_mf.analysis.found_patterns import DIRECTION, prior_scale
from vae_mf.analysis.generation import generate, score
from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.arrays import Rows
from vae_mf.models.vae import VAE
from vae_mf.rng import generator, integer
from vae_mf.statistics.averages import average
from vae_mf.statistics.independent import independent_count_law, independent_log_likelihood, probabilities_up
from vae_mf.statistics.joint_moments import moment_table, word_divergences, word_table
from vae_mf.statistics.overlaps import overlap_law_table
from vae_mf.statistics.spike_counts import count_table, spike_count_law, total_variation
from vae_mf.tables import Judgement
from vae_mf.verdict.settings import EvaluationSettings

STRETCHES = 20
"""Stretches of movie time whose average gains are compared."""


def judge_recording(
    vae: VAE,
    train: Int8[np.ndarray, "training_rows cells"],
    test: Int8[np.ndarray, "rows cells"],
    time: Int[np.ndarray, " times"],
    cells: Int[np.ndarray, " cells"],
    settings: EvaluationSettings,
) -> Judgement:
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
        metrics and the tables "spike_counts", "cells" (field, patterns and directions per cell) and those of
        `compare_words`.

    Raises:
        ValueError: unless there is a time for every held-out word.
    """
    if len(time) != len(test):
        raise ValueError(f"time: expected one for each of the {len(test)} held-out words, got {len(time)}")
    vae.eval()
    probabilities = probabilities_up(train)
    generated = generate(vae, 1.0, settings.generated, integer(settings.seed, "generate", 0))
    rows = rows_in_time(time, settings.likelihood_samples, settings.seed)
    elbo, importance = score(vae, test[rows], 1.0, settings.likelihood_draws, integer(settings.seed, "score"))
    independent = independent_log_likelihood(test[rows], probabilities)
    joint = compare_words(test[np.argsort(time, kind="stable")], generated, probabilities, settings)
    laws = {
        "test": spike_count_law(test),
        "model": spike_count_law(generated),
        "independent": independent_count_law(probabilities),
        "train": spike_count_law(train),
    }
    gain = average(importance - independent, STRETCHES)
    return Judgement(
        {
            "test_elbo_per_word": float(elbo.mean()),
            "test_loglik_per_word_iwae": float(importance.mean()),
            "test_loglik_per_word_independent": float(independent.mean()),
            "test_gain_over_independent": gain.value,
            "test_gain_over_independent_error": gain.error,
            "p_k_total_variation": total_variation(laws["model"], laws["test"]),
            "p_k_total_variation_independent": total_variation(laws["independent"], laws["test"]),
            "p_k_total_variation_train": total_variation(laws["train"], laws["test"]),
            **joint.metrics,
        },
        {
            "spike_counts": count_table(laws),
            "cells": cell_table(vae, cells, probabilities, settings),
            **joint.tables,
        },
    )


def compare_words(
    test: Int8[np.ndarray, "rows cells"],
    generated: Int8[np.ndarray, "generated_rows cells"],
    probabilities: Float[np.ndarray, " cells"],
    settings: EvaluationSettings,
) -> Judgement:
    """Compare joint statistics of held-out words, in the order of their time, of the model and of independent cells.

    Returns:
        metrics and the tables "overlap_distribution", "words" and "moments", sources test, model and independent.
    """
    test = test[: len(test) // STRETCHES * STRETCHES]
    uniform = generator(settings.seed, "independent").random(generated.shape, np.float32)
    independent = np.where(uniform < probabilities, 1, -1).astype(np.int8)
    sources = {"test": test, "model": generated, "independent": independent}
    chains = {"test": STRETCHES, "model": len(generated), "independent": len(generated)}
    overlaps = overlap_law_table(
        {source: {1.0: rows} for source, rows in sources.items()}, chains, shuffle=settings.seed
    )
    masses = overlaps.pivot(index="q", columns="source", values="density") * np.diff(overlaps.q).max()
    words = word_table(sources, settings.word_cells, settings.word_groups, settings.seed)
    divergences = word_divergences(words, "test")
    moments = moment_table(sources, settings.triplets, settings.seed)
    pairs = moments[moments.order == 2]
    metrics = {
        "p_q_total_variation": total_variation(masses["model"].to_numpy(), masses["test"].to_numpy()),
        "p_q_total_variation_independent": total_variation(masses["independent"].to_numpy(), masses["test"].to_numpy()),
        "word_divergence": divergences["model"],
        "word_divergence_independent": divergences["independent"],
        "pair_covariance_slope": float(np.polyfit(pairs.test, pairs.model, 1)[0]),
        "pair_covariance_correlation": float(np.corrcoef(pairs.test, pairs.model)[0, 1]),
    }
    return Judgement(metrics, {"overlap_distribution": overlaps, "words": words, "moments": moments})


def rows_in_time(time: Int[np.ndarray, " words"], count: int, seed: int) -> Rows:
    """Return at most ``count`` rows drawn without replacement, in the order of their time."""
    chosen = np.sort(generator(seed, "thin").choice(len(time), min(count, len(time)), replace=False))
    return chosen[np.argsort(time[chosen], kind="stable")]


def cell_table(vae: VAE, cells: np.ndarray, probabilities: np.ndarray, settings: EvaluationSettings) -> pd.DataFrame:
    """Return per cell its firing probability, field b_i and pattern components W_i, from log-odds 2(W z + b).

    For a decoder that is not linear, W is half its Jacobian averaged over the prior and b half its log-odds at z = 0.
    The components (W L)_i of the directions, with L L^T the covariance of p(z), can be compared between models.
    """
    weight = logit_jacobian(vae, 1.0, settings.pattern_draws, integer(settings.seed, "cells")) / 2
    like = next(vae.parameters())
    with torch.no_grad():
        origin = torch.zeros(1, weight.shape[1], dtype=like.dtype, device=like.device)
        field = vae.decoder(origin).natural_parameters[0, :, 0].double().cpu().numpy()
    directions = weight @ prior_scale(vae, settings.seed)
    parts = {"pattern": weight, DIRECTION: directions}
    columns = {f"{name}_{k + 1}": values for name, part in parts.items() for k, values in enumerate(part.T)}
    return pd.DataFrame({"cell": cells, "firing_probability": probabilities, "field": field, **columns})
