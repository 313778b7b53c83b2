"""Findings of a discovery, as tables and numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8

from vae_mf.analysis.found_patterns import (
    SIGN,
    FoundPatterns,
    pattern_table,
    read_patterns,
    small_groups,
    stability_table,
    variables_per_latent,
)
from vae_mf.analysis.latent_shape import on_ring
from vae_mf.analysis.stored_patterns import match_patterns, overlap_table
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.arrays import Patterns
from vae_mf.density_models.comparison import INDEPENDENT, ModelScores, compare_models
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.discovery.decision import Decision, decide, is_nothing, lead_readings
from vae_mf.discovery.memory import latent_time
from vae_mf.discovery.model_selection import (
    Choice,
    Description,
    choose_number,
    classes_take_over,
    gain,
    least_that_counts,
    spread_of,
)
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.stages import Study
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.statistics.averages import Average
from vae_mf.statistics.independent import probabilities_up
from vae_mf.statistics.row_order import drift
from vae_mf.verdict.assessment import Assessment, concluded, with_misfit
from vae_mf.verdict.controls import read_too_much
from vae_mf.verdict.independence import Independence
from vae_mf.verdict.recording import predictive_check, variable_table


class Choices(NamedTuple):
    """Numbers that validation rows ask for."""

    latents: Choice
    """Number of continuous latent variables."""
    classes: Choice
    """Number of latent classes, 0 for a single one."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables "sweep" and "classes"."""
        return {"sweep": self.latents.table, "classes": self.classes.table.rename(columns={"latents": "classes"})}


@dataclass(frozen=True, eq=False)
class Findings:
    """Findings in the rows of a recording.

    Args:
        rows: training, validation and test rows.
        settings: settings of the discovery.
        decision: answer in a word, with remarks.
        description: latent variables or classes that describe the rows, if any do.
        choices: numbers of latent variables and of classes that validation rows ask for.
        independence: test of independence of the variables.
        assessment: assessment of the description; None if there is none.
        tables: all numbers by name.
        metrics: the few numbers that matter.
        model: model of the description; None if there is none.
    """

    rows: SplitRows
    settings: DiscoverySettings
    decision: Decision
    description: Description
    choices: Choices
    independence: Independence
    assessment: Assessment | None
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]
    model: TrainedModel | LatentClasses | None


class Candidates(NamedTuple):
    """Scores of all models."""

    latents: dict[int, ModelScores]
    """Scores by the number of latent variables, 0 for independent ones."""
    classes: dict[int, ModelScores]
    """Scores by the number of classes, 0 for a single one."""
    others: list[ModelScores]
    """Scores of models of direct dependence."""

    def of(self, description: Description) -> ModelScores:
        """Return the scores of a description."""
        return self.classes[description.classes] if description.classes else self.latents[description.latents]

    @property
    def latent(self) -> list[ModelScores]:
        """Scores of all models with latent variables or classes."""
        return [scores for sweep in (self.latents, self.classes) for number, scores in sweep.items() if number]

    @property
    def likeliest_latents(self) -> int:
        """Number of latent variables that predicts validation rows best, of those that are not 0."""
        return max(filter(None, self.latents), key=lambda number: self.latents[number].validation.mean())

    @property
    def likeliest(self) -> ModelScores:
        """Scores of the model that predicts validation rows best."""
        return max([self.latents[0], *self.latent, *self.others], key=lambda scores: scores.validation.mean())


def run_discovery(study: Study, truth: Patterns | None, stage: Callable[[str], None]) -> Findings:
    """Return the findings, from finished stages where there are any.

    Args:
        study: rows, settings and folder.
        truth: known patterns (P, N) to compare with.
        stage: called with the name of each stage when it begins.

    Raises:
        ValueError: if the true patterns are not those of the variables.
    """
    stage("independence of the variables")
    independence = study.independence
    candidates = candidates_of(study, stage)
    choices = choose(candidates, study)
    models = comparison(candidates, choices, study)
    gains = gains_of(models)
    description = describe(choices, candidates, gains, study)
    tables = choices.tables | {"models": models, "independence": independence.table}
    assessment = None
    traits = Traits([], all_groups=False, follows=False, circular=False)
    if description != Description(0, 0):
        stage("what is left unexplained")
        assessment = assessed(description, candidates, study)
        tables |= assessment.tables | class_tables(study, description.classes)
    if description.latents:
        stage("patterns")
        z = study.latents(description.latents)
        traits = traits_of(z, study)
        choices = choose(candidates, study, spread_of(study.trainings(description.latents)))
        tables |= decoded_tables(z, study, truth) | group_tables(traits.groups, study) | choices.tables
    tables |= memory_tables(description, candidates, study, stage)
    decision = decide(
        independence,
        gains,
        description,
        assessment and assessment.verdict,
        tables.get("controls"),
        copies=study.copies(candidates.likeliest),
        groups=description.latents if traits.all_groups else len(traits.groups),
        latents_drift=traits.follows,
        saturated=is_saturated(description, choices, study.settings.density_models.mixtures),
    )
    metrics = key_numbers(decision, description, choices, assessment, independence, tables)
    metrics |= {"variables": study.variables, "circular": traits.circular}
    parts = decision, description, choices, independence, assessment, tables, metrics
    return Findings(study.rows, study.settings, *parts, study.described(description))


def candidates_of(study: Study, stage: Callable[[str], None]) -> Candidates:
    """Return the scores of all models, stage by stage."""
    stage("number of latent variables")
    sweep = study.sweep()
    stage("other models")
    best = max(sweep.values(), key=lambda scores: scores.validation.mean())
    return Candidates(sweep, study.classes(best), study.others())


def memory_tables(
    description: Description, candidates: Candidates, study: Study, stage: Callable[[str], None]
) -> dict[str, pd.DataFrame]:
    """Return the table "memory" of models in time, none for rows without an order."""
    stage("memory")
    table = study.memory(description, candidates.likeliest)
    return {} if table is None else {"memory": table}


def choose(candidates: Candidates, study: Study, spread: float = 0.0) -> Choices:
    """Return the numbers of latent variables and of classes that validation rows ask for.

    Args:
        candidates: scores of all models.
        study: rows, settings and folder.
        spread: nats per row by which trainings of the same model differ; 0 while it is not known.
    """
    settings = study.settings.selection
    dependent = bool(study.independence.seen)
    return Choices(
        choose_number(candidates.latents, study.blocks, settings, dependent=dependent, spread=spread),
        choose_number(candidates.classes, study.blocks, settings),
    )


def is_saturated(description: Description, choices: Choices, mixtures: Sequence[int]) -> bool:
    """Return True unless the largest number that was tried is chosen, of latent variables, or likeliest, of classes.

    Args:
        description: number of latent variables or of classes.
        choices: numbers that validation rows ask for.
        mixtures: numbers of classes that were tried first.
    """
    if description.latents:
        return description.latents < int(choices.latents.table.latents.max())
    return choices.classes.likeliest < max(mixtures, default=0)


def comparison(candidates: Candidates, choices: Choices, study: Study) -> pd.DataFrame:
    """Return the table of all models, of those with latent variables the chosen one; "direct" are those without."""
    chosen = [candidates.latents[choices.latents.latents]] if choices.latents.latents else []
    classes = [scores for number, scores in candidates.classes.items() if number]
    scores = [candidates.latents[0], *candidates.others, *classes, *chosen]
    table = compare_models(scores, np.arange(len(study.rows.test)), study.blocks)
    return table.assign(direct=table.model.isin([each.model for each in candidates.others]))


def gains_of(models: pd.DataFrame) -> list[Average]:
    """Return the gains of all models over independent variables."""
    own = models[models.family != INDEPENDENT]
    return [Average(*pair) for pair in zip(own.gain_over_independent, own.gain_over_independent_error, strict=True)]


def assessed(description: Description, candidates: Candidates, study: Study) -> Assessment:
    """Return the verdict on a description, with its controls."""
    own = candidates.of(description)
    latents = description.latents or candidates.likeliest_latents
    rest = [*(scores for scores in candidates.latent if scores is not own), study.freed(latents)]
    leads = lead_readings(own, candidates.others, rest, study.blocks, UNCONDITIONED)
    found = study.assessment(description, leads)
    tolerance = float(found.verdict.left.tolerance.iloc[-1])
    controls = study.control(description, tolerance)
    settings = study.settings.assessment
    pairs = float(found.tables["readings"].set_index("reading").value["order 2"])
    too_much = read_too_much(controls, pairs, settings.thresholds)
    readings = with_misfit(found.tables["readings"], {"pairs": too_much})
    together = pd.concat([found.tables.get("controls"), controls], ignore_index=True)
    return concluded(found.tables | {"readings": readings, "controls": together}, settings)


def largest_left(assessment: Assessment) -> float:
    """Return the nats that a description can leave at most, two errors of its gain granted."""
    gained = assessment.tables["gains"].iloc[-1]
    return float(gained.most - max(gained.gain - 2 * gained.gain_error, 0.0))


class Traits(NamedTuple):
    """Traits of latent variables that are no collective ones."""

    groups: list[tuple[int, ...]]
    """Sets of few variables that carry a latent variable of their own."""
    all_groups: bool
    """True if the other latent variables, too, are carried by few variables each, on the average."""
    follows: bool
    """True if latent variables follow the order of the rows."""
    circular: bool
    """True if two latent variables lie on a ring."""


def traits_of(z: Float[np.ndarray, "rows latents"], study: Study) -> Traits:
    """Return the traits of latent variables that are no collective ones, z being their mean given each row."""
    limit = study.settings.independence.drift
    selection = study.settings.selection
    vae = study.best(z.shape[1])
    groups = small_groups(vae, study.settings.seed, selection.fewest_variables - 1, selection.group_share)
    all_groups = variables_per_latent(vae, study.settings.seed, groups) <= selection.fewest_variables - 1
    ring = selection.ring_sectors, selection.ring_filled, selection.ring_spread
    return Traits(groups, all_groups, bool(drift(z) < limit) and study.independence.short, on_ring(z, *ring))


def group_tables(groups: list[tuple[int, ...]], study: Study) -> dict[str, pd.DataFrame]:
    """Return the table "groups" of sets of few variables by their names, none if there are no such sets."""
    names = study.rows.recording.names
    named = ["; ".join(names[site] for site in group) for group in groups]
    return {"groups": pd.DataFrame({"group": np.arange(1, len(named) + 1), "variables": named})} if named else {}


def decoded_tables(
    z: Float[np.ndarray, "rows latents"], study: Study, truth: Patterns | None
) -> dict[str, pd.DataFrame]:
    """Return the tables of what is read off the model with latent variables, z being their mean given each row."""
    vae = study.best(z.shape[1])
    tables = predictive_tables(vae, study) | {"latents": row_table(z, "z", study)}
    return tables | pattern_tables(study, read_patterns(vae, study.settings.seed), truth)


def describe(choices: Choices, candidates: Candidates, gains: list[Average], study: Study) -> Description:
    """Return the description that validation rows prefer: continuous latent variables, unless classes are better.

    There is none where there is nothing to find, or rows are repeated.
    """
    if study.copies(candidates.likeliest).repeated or is_nothing(study.independence, gains):
        return Description(0, 0)
    latents, count = choices.latents.latents, choices.classes.latents
    if not count:
        return Description(latents, 0)
    own = candidates.classes[count]
    independent, settings = candidates.classes[0], study.settings.selection
    whole = gain(own.validation, independent.validation, study.blocks).value
    least = least_that_counts(whole, independent.parameters, settings)
    better = classes_take_over(own, candidates.latents[latents], least, study.blocks, settings)
    return Description(0, count) if better else Description(latents, 0)


def row_table(values: Float[np.ndarray, "rows columns"], name: str, study: Study) -> pd.DataFrame:
    """Return numbered values of every row, the latent variables z or the probabilities of classes, with its time."""
    recording = study.rows.recording
    columns = {f"{name}_{k + 1}": each for k, each in enumerate(values.T)}
    return pd.DataFrame({"repeat": recording.repeat, "time": recording.time, **columns})


def class_tables(study: Study, count: int) -> dict[str, pd.DataFrame]:
    """Return the tables of a description by classes, none for one without.

    They are "class_summary" (number, weight and most probable rows of each class), "class_profiles" (probability that a
    variable is on in each class), "class_shifts" (half the change of its log-odds) and "latents" (the probability of
    each class given every row).
    """
    if not count:
        return {}
    mixture = study.fitted_mixture(count)
    model = LatentClasses(mixture)
    probabilities = model.class_probabilities(study.rows.recording.rows)
    number = np.arange(1, count + 1)
    rows = np.bincount(probabilities.argmax(1), minlength=count)
    variable = study.rows.recording.names
    profiles, shifts = (
        pd.DataFrame({"variable": variable} | {f"class_{k}": each for k, each in zip(number, values, strict=True)})
        for values in (mixture.probabilities_, model.shifts())
    )
    return {
        "class_summary": pd.DataFrame({"class": number, "weight": mixture.weights_, "rows": rows}),
        "class_profiles": profiles,
        "class_shifts": shifts,
        "latents": row_table(probabilities, "class", study),
    }


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
    decision: Decision,
    description: Description,
    choices: Choices,
    assessment: Assessment | None,
    independence: Independence,
    tables: dict[str, pd.DataFrame],
) -> dict[str, Any]:
    """Return the numbers that a program asks for first."""
    models = tables["models"]
    numbers: dict[str, Any] = {
        "answer": decision.answer,
        "latents": description.latents,
        "classes": description.classes,
        "drift": decision.drift,
        "drift_alone": decision.drift_alone,
        "groups": decision.groups,
        "correlation_time": independence.correlation_time,
        "effective_rows": independence.effective,
        "pairs_without_model": independence.pairs.value,
        "pairs_without_model_error": independence.pairs.null_error,
        "best_rival": str(models.model[models.best_baseline].iloc[0]),
    }
    chosen = choices.classes if description.classes else choices.latents
    row = chosen.table.set_index("latents").loc[description.classes or description.latents]
    numbers |= {
        "fewest_possible": min(chosen.possible),
        "most_possible": max(chosen.possible),
        "test_log_likelihood": float(row.test_log_likelihood),
        "gain_over_independent": float(row.gain),
        "gain_over_independent_error": float(row.gain_error),
    }
    if "memory" in tables:
        numbers |= memory_numbers(tables)
    if assessment is not None:
        numbers |= left_numbers(assessment)
    if assessment is not None and description.latents:
        numbers |= latent_numbers(assessment, tables)
    return numbers


def memory_numbers(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Return the key numbers of the rows before, by the model in time that is chosen."""
    memory = tables["memory"]
    row = memory[memory.chosen].iloc[0]
    numbers = {"memory": float(row.memory), "memory_error": float(row.memory_error), "memory_of": -float(row.static)}
    numbers["memory_blocks"] = int(row.blocks)
    z = tables.get("latents", pd.DataFrame()).filter(regex=r"^z_\d+$")
    if not z.empty:
        numbers["latent_correlation_time"] = latent_time(z.to_numpy(), tables["latents"])
    return numbers


def left_numbers(assessment: Assessment) -> dict[str, Any]:
    """Return the key numbers of what a description leaves."""
    left = assessment.verdict.left.iloc[-1]
    readings = assessment.tables["readings"].set_index("reading")
    return {
        "left_lower": float(left.lower),
        "left_upper": float(left.upper),
        "left_by_estimation": float(left.upper - left.upper_best) if np.isfinite(left.upper) else 0.0,
        "largest_left": largest_left(assessment),
        "total_correlation": float(left.total),
        "share_lower": float(left.share_lower),
        "share_upper": float(left.share_upper),
        "tolerance": float(left.tolerance),
        "left_at_order_2": float(readings.value["order 2"]),
        "left_at_order_2_error": float(readings.error["order 2"]),
        "correlated_pairs": len(assessment.tables["pairs"]),
        "correlated_sets": len(assessment.tables["sets"]),
    }


def latent_numbers(assessment: Assessment, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the key numbers of latent variables and their patterns."""
    carried = assessment.tables["capacity"].iloc[0]
    summary = tables["pattern_summary"]
    numbers: dict[str, Any] = {
        "rate": float(carried.rate),
        "sign_vectors": int((summary.kind == SIGN).sum()),
        "returning_patterns": int(summary.recovered.eq(True).sum()),
    }
    if "overlaps" in tables:
        overlaps = tables["overlaps"]
        numbers["overlap_with_truth_min"] = float(overlaps.overlap[overlaps.recovered == overlaps.true].min())
    return numbers
