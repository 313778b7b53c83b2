"""Findings of a discovery, as tables and numbers."""

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
from vae_mf.discovery.model_selection import Choice, Decision, choose_latents, decide
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.stages import Study
from vae_mf.models.vae import VAE
from vae_mf.statistics.independent import probabilities_up
from vae_mf.verdict.assessment import Assessment
from vae_mf.verdict.recording import predictive_check, variable_table


@dataclass(frozen=True, eq=False)
class Findings:
    """Findings in the rows of a recording.

    Args:
        rows: training, validation and test rows.
        settings: settings of the discovery.
        decision: answer in a word, with remarks.
        choice: chosen number of latent variables.
        assessment: assessment of the model with that number; None if it is 0.
        tables: all numbers by name.
        metrics: the few numbers that matter.
    """

    rows: SplitRows
    settings: DiscoverySettings
    decision: Decision
    choice: Choice
    assessment: Assessment | None
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]


def run_discovery(study: Study, truth: Patterns | None, stage: Callable[[str], None]) -> Findings:
    """Return the findings, from finished stages where there are any.

    Args:
        study: rows, settings and folder.
        truth: known patterns (P, N) to compare with.
        stage: called with the name of each stage when it begins.

    Raises:
        ValueError: if the true patterns are not those of the variables.
    """
    blocks = study.settings.rows.blocks
    stage("number of latent variables")
    scores = study.sweep()
    choice = choose_latents(scores, blocks, study.negligible)
    stage("other models")
    compared = study.others() + ([scores[choice.latents]] if choice.latents else [])
    models = compare_models(compared, np.arange(len(study.rows.test)), blocks)
    tables = {"sweep": choice.table, "models": models}
    assessment = None
    if choice.latents:
        stage("what is left unexplained")
        assessment = study.assessment(choice.latents)
        stage("patterns")
        vae = study.best(choice.latents)
        tables |= assessment.tables | predictive_tables(vae, study)
        tables |= pattern_tables(study, read_patterns(vae, study.settings.seed), truth)
    decision = decide(choice, models, assessment and assessment.verdict)
    metrics = key_numbers(decision, choice, assessment, tables)
    return Findings(study.rows, study.settings, decision, choice, assessment, tables, metrics)


def predictive_tables(vae: VAE, study: Study) -> dict[str, pd.DataFrame]:
    """Return the posterior predictive check, and the field and pattern components of every variable."""
    (group,) = study.evidence.groups
    settings = study.settings.predictive_check
    variables = study.rows.recording.variables
    # The Jacobian of a linear decoder is the same everywhere: one draw of z suffices.
    table = variable_table(vae, variables, probabilities_up(group.train), draws=1, seed=settings.seed)
    return predictive_check(vae, group, settings).tables | {"cells": table}


def pattern_tables(study: Study, found: FoundPatterns, truth: Patterns | None) -> dict[str, pd.DataFrame]:
    """Return the patterns, their recovery in repetitions, and their overlaps with the truth if that is known."""
    stability = stability_table(found, study.repetitions(len(found.values)))
    columns = {f"pattern_{k + 1}": values for k, values in enumerate(found.values)}
    tables = {
        "patterns": pd.DataFrame({"variable": study.rows.recording.names, **columns}),
        "pattern_summary": pattern_table(found, stability, study.settings.stability.recovered),
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
    decision: Decision, choice: Choice, assessment: Assessment | None, tables: dict[str, pd.DataFrame]
) -> dict[str, Any]:
    """Return the numbers that a program asks for first."""
    chosen = choice.table[choice.table.chosen].iloc[0]
    models = tables["models"]
    numbers: dict[str, Any] = {
        "answer": decision.answer,
        "latents": choice.latents,
        "test_log_likelihood": float(chosen.test_log_likelihood),
        "gain_over_independent": float(chosen.gain),
        "gain_over_independent_error": float(chosen.gain_error),
        "best_rival": str(models.model[models.best_baseline].iloc[0]),
    }
    if assessment is None:
        return numbers
    own = models[models.family == "VAE"].iloc[0]
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
