"""Everything that a discovery finds, as tables and numbers, before it is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int8

from vae_mf.analysis.found_patterns import SIGN, FoundPatterns, pattern_table, read_patterns, stability_table
from vae_mf.analysis.stored_patterns import match_patterns, overlap_table
from vae_mf.arrays import Patterns
from vae_mf.density_models.comparison import compare_models
from vae_mf.discovery.model_selection import Answer, Choice, conclude
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.stages import Study
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.independent import probabilities_up
from vae_mf.verdict.assessment import Assessment
from vae_mf.verdict.recording import predictive_check, variable_table
from vae_mf.verdict.settings import PredictiveCheckSettings


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found in words.

    Args:
        words: that were given.
        settings: how thoroughly it was looked for.
        answer: in a word, with remarks.
        choice: of the number of latent variables.
        assessment: of the model with that number; None if it is 0.
        tables: all numbers by name.
        metrics: the few numbers that matter.
    """

    words: SplitRows
    settings: DiscoverySettings
    answer: Answer
    choice: Choice
    assessment: Assessment | None
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]


def find(study: Study, truth: Patterns | None, step: Callable[[str], None]) -> Findings:
    """Return what is found, from finished stages where there are any.

    Args:
        study: words, settings and folder.
        truth: known patterns (P, N) to compare with.
        step: is told what is done next.

    Raises:
        ValueError: if the true patterns are not those of the variables.
    """
    settings, words = study.settings, study.words
    step("number of latent variables")
    scores = study.sweep()
    choice = study.choose()
    step("other models")
    contestants = study.rivals() + ([scores[choice.latents]] if choice.latents else [])
    rivals = compare_models(contestants, np.arange(len(words.test)), settings.blocks)
    tables, assessment = {"sweep": choice.table, "rivals": rivals}, None
    if choice.latents:
        step("what is left unexplained")
        assessment = study.assessment(choice.latents)
        step("patterns")
        vae = study.best(choice.latents)
        tables |= assessment.tables | predictive_tables(vae, study)
        tables |= patterns_found(study, read_patterns(vae, settings.seed), truth)
    answer = conclude(choice, rivals, assessment and assessment.verdict)
    metrics = key_numbers(answer, choice, assessment, tables)
    return Findings(words, settings, answer, choice, assessment, tables, metrics)


def predictive_tables(vae: VAE, study: Study) -> dict[str, pd.DataFrame]:
    """Return how rows drawn from the model compare with those held out: counts, overlaps, words and moments."""
    settings = study.settings
    (group,) = study.evidence.groups
    seed = integer(settings.seed, "likeness")
    check = PredictiveCheckSettings(settings.generated, word_variables=10, word_groups=3, triplets=5000, seed=seed)
    tables = predictive_check(vae, group, check).tables
    variables = study.words.recording.variables
    return tables | {"cells": variable_table(vae, variables, probabilities_up(group.train), draws=1, seed=seed)}


def patterns_found(study: Study, found: FoundPatterns, truth: Patterns | None) -> dict[str, pd.DataFrame]:
    """Return the patterns, whether they come back, and their overlaps with the truth if that is known."""
    names, settings = study.words.recording.names, study.settings
    stability = stability_table(found, study.repetitions(len(found.values)))
    columns = {f"pattern_{k + 1}": values for k, values in enumerate(found.values)}
    tables = {
        "patterns": pd.DataFrame({"variable": names, **columns}),
        "pattern_summary": pattern_table(found, stability, settings.returning),
        "stability": stability,
    }
    if truth is not None:
        tables["overlaps"] = overlap_table({"vae": match_patterns(signs(found), truth)})
    return tables


def signs(found: FoundPatterns) -> Int8[np.ndarray, "patterns sites"]:
    """Return the signs of the sign vectors, or of all patterns if there is no sign vector among them."""
    chosen = [kind == SIGN for kind in found.kinds] if SIGN in found.kinds else slice(None)
    return np.where(found.values[chosen] > 0, 1, -1).astype(np.int8)


def key_numbers(
    answer: Answer, choice: Choice, assessment: Assessment | None, tables: dict[str, pd.DataFrame]
) -> dict[str, Any]:
    """Return the numbers that a program asks for first."""
    chosen, rivals = choice.table[choice.table.chosen].iloc[0], tables["rivals"]
    numbers: dict[str, Any] = {
        "answer": answer.answer,
        "latents": choice.latents,
        "test_log_likelihood": float(chosen.test_log_likelihood),
        "gain_over_independent": float(chosen.gain),
        "gain_over_independent_error": float(chosen.gain_error),
        "best_rival": str(rivals.model[rivals.best_baseline].iloc[0]),
    }
    if assessment is None:
        return numbers
    own = rivals[rivals.family == "VAE"].iloc[0]
    left, carried = (assessment.tables[name].iloc[0] for name in ("conditional_correlation", "capacity"))
    summary = tables["pattern_summary"]
    numbers |= {
        "gain_over_best_rival": float(own.gain_over_best_baseline),
        "gain_over_best_rival_error": float(own.gain_over_best_baseline_error),
        "unexplained": float(left.correlation),
        "unexplained_error": float(left.correlation_error),
        "critic_floor": float(left.floor),
        "rate": float(carried.rate),
        "information": float(carried.information),
        "sign_vectors": int((summary.kind == SIGN).sum()),
        "returning_patterns": int(summary.recovered.eq(True).sum()),
    }
    if "overlaps" in tables:
        overlaps = tables["overlaps"]
        numbers["overlap_with_truth_min"] = float(overlaps.overlap[overlaps.recovered == overlaps.true].min())
    return numbers
