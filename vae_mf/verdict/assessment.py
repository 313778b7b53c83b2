"""Assessment of a trained model: unexplained correlations, information capacity, decoded parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.analysis.capacity import capacity_table, sampled_half_information
from vae_mf.analysis.elbo_surgery import surgery_table
from vae_mf.analysis.exact_information import information_curves
from vae_mf.analysis.generalized_hopfield import cumulant_table, generalized_hopfield
from vae_mf.analysis.generation import score
from vae_mf.analysis.joint_samples import configuration_kind, site_log_likelihood
from vae_mf.analysis.latent_density import latent_density_table
from vae_mf.analysis.latent_potential import coupling_table, least_error
from vae_mf.analysis.nematic import NematicSettings, nematic_table
from vae_mf.analysis.posterior_draws import LatentVAE
from vae_mf.analysis.residuals import residual_tables
from vae_mf.analysis.total_correlation import (
    CriticSettings,
    conditional_total_correlation,
    identity_alone,
    model_total_correlation,
    pair_floors,
    sensitivity_table,
    total_correlation,
)
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.checks import require_integer
from vae_mf.models.base import LinearLogOdds
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average, thin
from vae_mf.statistics.independent import largest_total_correlation, probabilities_up
from vae_mf.statistics.latent_model import LatentModel
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.systems.base import HasMeanFieldCouplings, HasTensorField, System
from vae_mf.verdict.controls import shifted_control
from vae_mf.verdict.decision import KINDS, Verdict, decide_mean_field
from vae_mf.verdict.evidence import Evidence, EvidenceGroup
from vae_mf.verdict.readings import COLUMNS, ReadingSettings, reading, what_is_left
from vae_mf.verdict.settings import Thresholds

TAKEN_OFF = ("pairs", "tilt", "sets")
"""Kinds of readings whose lower ends do not hold what control rows show."""
CUMULANT_ROWS = 2000
"""Configurations whose tilts say how far K(u) matters."""


@dataclass(frozen=True)
class AssessmentSettings:
    """Settings of the assessment of a trained model.

    >>> from hydra.utils import instantiate
    >>> from omegaconf import OmegaConf
    >>> from vae_mf.paths import configurations
    >>> options = OmegaConf.load(configurations() / "evaluation" / "assessment.yaml")
    >>> del options["defaults"]
    >>> instantiate(options, critic=None, seed=1).thresholds.share
    0.02

    Args:
        critic: settings of the critic of total correlations; None to rely on ln Z alone, which is cheap.
        components: number of encodings that make up the aggregated posterior, at most.
        residual_groups: number of groups of rows for the cross-validation of the residual structure.
        potential_draws: number of draws of z at which the latent potential is fitted.
        likelihood_draws: number of importance draws of z per likelihood.
        proposals: number of draws of the encoder from which those of the posterior are taken.
        readings: settings of the readings of what is left.
        thresholds: correlations that latent variables may leave unexplained, and which readings count.
        seed: seed of all randomness.

    Raises:
        ValueError: if a number is out of range.
    """

    critic: CriticSettings | None
    components: int
    residual_groups: int
    potential_draws: int
    likelihood_draws: int
    proposals: int
    readings: ReadingSettings
    thresholds: Thresholds
    seed: int

    def __post_init__(self) -> None:
        for name in ("components", "residual_groups"):
            require_integer(name, getattr(self, name), minimum=2)
        for name in ("potential_draws", "likelihood_draws", "proposals"):
            require_integer(name, getattr(self, name))


@dataclass(frozen=True)
class Assessment:
    """A verdict with all tables behind it."""

    verdict: Verdict
    tables: dict[str, pd.DataFrame]


def assess(
    vae: VAE, system: System | None, data: Evidence, settings: AssessmentSettings, others: pd.DataFrame | None = None
) -> Assessment:
    """Return the verdict on a trained model.

    Tables: "readings" and "gains" (of which `decision.decide_mean_field` decides), "left" (the intervals), "pairs" and
    "sets" (correlated beyond the model), "set_scan" (sets that would have been seen), "controls" of rows in time (the
    line of `controls.shifted_control`), "surgery" (parts of the rate), "conditional_correlation" (C(x|z) by critic and
    identity) and "capacity" (rate against information); with a critic also "total_correlation" (of data and model),
    "sensitivity" (planted correlations that it sees) and for spins "residual_..." at the temperature with the largest
    C(x|z); of a system "information" (exact curves over temperature). Of what can be decoded, "latent_density" of a
    single latent, "cumulants" (K(u) of the generalised Hopfield Hamiltonian) of a linear decoder, its
    "latent_potential" (beta J) for Curie-Weiss and Hopfield, and "nematic" (R^2 of the order tensor) for Maier-Saupe.

    Args:
        vae: trained model in evaluation mode.
        system: None for a recording.
        data: rows that the model was fitted to, and others to evaluate it on.
        settings: sizes of all estimates.
        others: further readings, of other models that are ahead.
    """
    seed = integer(settings.seed, "assessment")
    parts = data.train, data.held_out, data.blocks
    surgery = surgery_table(vae, system, *parts, data.ensembles, settings.components, seed)
    if settings.critic is None:
        tables = {"conditional_correlation": identity_alone(surgery)}
        halves = None
    else:
        tables, halves = read_by_critic(vae, system, data, surgery, settings.critic, settings.residual_groups)
    held_out = data.held_out, data.blocks, data.ensembles
    capacity = capacity_table(vae, system, *held_out, surgery, seed, sampled=halves)
    tables |= {"surgery": surgery, "capacity": capacity} | decoded(vae, system, data, settings)
    if system is not None:
        tables["information"] = information_curves(system, data.held_out)
    models = {
        group.temperature: LatentVAE(vae, group.temperature, settings.proposals, integer(seed, "variances"))
        for group in data.groups
    }
    tables |= read_left(models, data, decoder_parameters(vae, data), settings)
    read = [tables["readings"], correlation_readings(tables["conditional_correlation"], data.blocks)]
    tables["readings"] = less_shifted([*read, *([] if others is None else [others])], tables.get("controls"))
    tables["gains"] = pd.DataFrame([gain_over_independent(vae, group, settings) for group in data.groups])
    return concluded(tables, settings)


def assess_latent_model(
    model: LatentModel,
    parameters: int,
    log_likelihood: Float[np.ndarray, " held_out_rows"],
    data: Evidence,
    settings: AssessmentSettings,
    others: pd.DataFrame,
) -> Assessment:
    """Return the verdict on any latent-variable model of data without a condition, such as latent classes.

    Args:
        model: latent-variable model.
        parameters: number of its parameters that say how variables depend on the latent ones.
        log_likelihood: log-likelihood of every held-out row, in blocks.
        data: rows that it was fitted to, and others to evaluate it on.
        settings: sizes of all estimates.
        others: further readings, of other models that are ahead.
    """
    (group,) = data.groups
    tables = read_left({group.temperature: model}, data, parameters, settings)
    tables["readings"] = less_shifted([tables["readings"], others], tables.get("controls"))
    tables["gains"] = pd.DataFrame([gain_line(log_likelihood, group)])
    return concluded(tables, settings)


def concluded(tables: dict[str, pd.DataFrame], settings: AssessmentSettings) -> Assessment:
    """Return the assessment whose tables these are, with the verdict that follows from them."""
    verdict = decide_mean_field(
        tables["readings"],
        tables["gains"],
        settings.thresholds,
        tables.get("conditional_correlation"),
        tables.get("capacity"),
        tables.get("sensitivity"),
    )
    return Assessment(verdict, tables | {"left": verdict.left, "evidence": verdict.evidence})


def read_left(
    models: Mapping[float, LatentModel], data: Evidence, parameters: int, settings: AssessmentSettings
) -> dict[str, pd.DataFrame]:
    """Return the tables "readings", "pairs", "sets" and "set_scan" of what a model leaves at every condition.

    Where rows have an order in time there is also "controls", the line of `controls.shifted_control`.

    Args:
        models: model at every condition.
        data: rows that it was fitted to, and others.
        parameters: number of its parameters that say how variables depend on the latent ones.
        settings: sizes of all estimates.
    """
    unit = parameters / (2 * sum(len(group.train) for group in data.groups))
    estimation = settings.readings.estimation * unit
    optimism = settings.readings.optimism * unit
    readings, shifted = [], []
    named = {"pairs": [], "sets": [], "set_scan": []}
    for level, group in enumerate(data.groups):
        model = models[group.temperature]
        columns = len(model.variables)
        everything = group.blocked(columns, held_out=False, allowance=optimism)
        held_out = group.blocked(columns, held_out=True)
        left = what_is_left(model, everything, held_out, settings.readings, integer(settings.seed, "left", level))
        table = left.readings.assign(temperature=group.temperature)
        table["estimation"] = np.where(table.kind == "pairs", estimation, 0.0)
        if group.order is not None:
            seed = integer(settings.seed, "shifted")
            shifted.append(shifted_control(model, group.rows, group.order, settings.thresholds, seed))
        readings.append(table)
        for parts, found in zip(named.values(), (left.pairs, left.sets, left.scan), strict=True):
            parts.append(found.assign(temperature=group.temperature))
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in {"readings": readings, **named}.items()}
    return tables | ({"controls": pd.DataFrame(shifted)} if shifted else {})


def less_shifted(readings: list[pd.DataFrame], controls: pd.DataFrame | None) -> pd.DataFrame:
    """Return all readings, with what residuals shifted in time show too much as misfit.

    Nats of orders above the second are not to be compared with it, as they are not those of all variables, nor are
    leads on held-out rows, which are another piece of time and of another law then: where rows change so slowly that
    shifted residuals depend on each other these set no lower end.

    Args:
        readings: tables of readings.
        controls: line of `controls.shifted_control`; None for rows without an order in time.
    """
    together = pd.concat(readings, ignore_index=True)
    overstated = [] if controls is None else controls.value[controls.overstated].tolist()
    if not overstated:
        return together
    misfit = dict.fromkeys(KINDS, float(max(overstated)))
    return with_misfit(together, misfit | dict.fromkeys(("higher order", "direct dependence"), np.inf))


def with_misfit(readings: pd.DataFrame, misfit: Mapping[str, float]) -> pd.DataFrame:
    """Return readings that are known to show nats by kind where nothing is left."""
    more = readings.kind.map(misfit).fillna(0.0).clip(lower=0.0)
    return readings.assign(misfit=readings.misfit + more)


def decoder_parameters(vae: VAE, data: Evidence) -> int:
    """Return the number of parameters that say how sites depend on the latent variables, at most a linear decoder's.

    A flexible prior hides hardly any correlation of pairs, and the weights of a network are not free of each other.
    """
    weights = sum(each.numel() for each in vae.decoder.parameters())
    return min(weights, int(np.prod(data.groups[0].rows.shape[1:])) * (vae.prior.latents + 1))


def correlation_readings(table: pd.DataFrame, blocks: int) -> pd.DataFrame:
    """Return the readings by the identity, and the bounds by a critic.

    Args:
        table: table of `total_correlation.conditional_total_correlation`.
        blocks: number of blocks behind their errors.
    """
    lines = []
    for row in table.itertuples():
        if np.isfinite(row.identity):
            found = Estimate(row.identity, row.identity_error, row.identity_error)
            line = reading("exact identity", "identity", found, row.bracket, float(blocks - 1))
            lines.append(line | {"temperature": row.temperature})
        if np.isfinite(row.divergence):
            found = Estimate(row.divergence, row.divergence_error, row.divergence_error)
            line = reading("critic", "critic", found, degrees=float(blocks - 1))
            lines.append(line | {"temperature": row.temperature})
    return pd.DataFrame(lines, columns=list(COLUMNS))


def gain_over_independent(vae: VAE, group: EvidenceGroup, settings: AssessmentSettings) -> dict[str, float]:
    """Return the line of the gains of one condition by a VAE."""
    seed = integer(settings.seed, "gain")
    return gain_line(score(vae, group.in_blocks, group.temperature, settings.likelihood_draws, seed).importance, group)


def gain_line(own: Float[np.ndarray, " rows"], group: EvidenceGroup) -> dict[str, float]:
    """Return the gain in log-likelihood over independent sites on held-out rows of one condition, with its error.

    Args:
        own: log-likelihood of every held-out row, in blocks.
        group: rows of the condition.
    """
    gained = average(own - site_log_likelihood(group.train, group.in_blocks), group.blocks)
    return {
        "temperature": group.temperature,
        "gain": gained.value,
        "gain_error": gained.error,
        "rows": len(group.rows),
        "sites": group.rows.shape[1],
        "most": most_correlation(group),
    }


def most_correlation(group: EvidenceGroup) -> float:
    """Return nats that the total correlation of spins cannot exceed: all their entropies but the largest.

    Directors, whose densities know no such bound, have an infinite one.
    """
    if configuration_kind({group.temperature: group.rows}) != "spins":
        return np.inf
    return largest_total_correlation(probabilities_up(group.rows))


class Readings(NamedTuple):
    """Readings of the critics of a model and of its data."""

    tables: dict[str, pd.DataFrame]
    """"conditional_correlation", "sensitivity", "total_correlation" and, for spins, "residual_..."."""
    halves: pd.DataFrame
    """Table of `capacity.sampled_half_information`."""


def read_by_critic(
    vae: VAE, system: System | None, data: Evidence, surgery: pd.DataFrame, critic: CriticSettings, residual_groups: int
) -> Readings:
    """Fit critics to what the model leaves, to the data and to draws from the model."""
    parts = data.train, data.held_out, data.blocks
    left = conditional_total_correlation(vae, system, *parts, surgery, critic)
    whole = total_correlation(system, *parts, critic)
    own = model_total_correlation(vae, system, data.held_out, critic)
    sensitivity = sensitivity_table(left.samples, critic)
    tables = {
        "conditional_correlation": left.table.assign(floor=left.table.temperature.map(pair_floors(sensitivity))),
        "sensitivity": sensitivity,
        "total_correlation": pd.concat([whole.table, own.table], ignore_index=True),
    }
    if configuration_kind(data.held_out) == "spins":
        worst = float(left.table.temperature[left.table.correlation.idxmax()])
        residuals = residual_tables(left, worst, residual_groups)
        tables |= {name: table.assign(temperature=worst) for name, table in residuals.items()}
    return Readings(tables, sampled_half_information(whole, critic))


def decoded(vae: VAE, system: System | None, data: Evidence, settings: AssessmentSettings) -> dict[str, pd.DataFrame]:
    """Return the tables of all that its system and decoder allow to be read off the model."""
    seed = integer(settings.seed, "decoded")
    tables = {}
    if isinstance(vae.decoder, LinearLogOdds):
        if isinstance(system, HasMeanFieldCouplings):
            found = coupling_table(vae, system, data.held_out, settings.potential_draws, seed)
            tables["latent_potential"] = found.assign(
                beta_j_error=[
                    least_error(system.energy(rows), system.coupling, data.blocks, len(data.train[t]))
                    for t, rows in data.held_out.items()
                ]
            )
        tables["cumulants"] = middle_cumulants(vae, data, settings.potential_draws, seed)
    if configuration_kind(data.held_out) == "spins" and vae.prior.latents == 1:
        tables["latent_density"] = latent_density_table(vae, system, data.held_out)
    if isinstance(system, HasTensorField):
        # The regression splits off rows of its own: it has seen neither part as a target.
        rows = {t: np.concatenate([data.train[t], data.held_out[t]]) for t in data.held_out}
        tables["nematic"] = nematic_table(TrainedModel(vae), system, rows, NematicSettings(seed))
    return tables


def middle_cumulants(vae: VAE, data: Evidence, draws: int, seed: int) -> pd.DataFrame:
    """Return K(u) of a linear decoder along the tilts of the held-out configurations of the middle temperature."""
    group = data.groups[len(data.groups) // 2]
    rows = thin(group.in_blocks, CUMULANT_ROWS, 1)
    table = cumulant_table(generalized_hopfield(vae, group.temperature, draws, seed), rows)
    return table.assign(temperature=group.temperature)
