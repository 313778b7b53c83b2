"""Assessment of a trained model: unexplained correlations, information capacity, decoded parameters."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from vae_mf.analysis.capacity import capacity_table, sampled_half_information
from vae_mf.analysis.elbo_surgery import surgery_table
from vae_mf.analysis.generalized_hopfield import cumulant_table, generalized_hopfield
from vae_mf.analysis.joint_samples import configuration_kind
from vae_mf.analysis.latent_density import latent_density_table
from vae_mf.analysis.latent_potential import coupling_table
from vae_mf.analysis.nematic import NematicSettings, nematic_table
from vae_mf.analysis.residuals import residual_tables
from vae_mf.analysis.total_correlation import (
    CriticSettings,
    conditional_total_correlation,
    identity_alone,
    model_total_correlation,
    total_correlation,
)
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.checks import require_integer, require_positive
from vae_mf.models.base import LinearLogOdds
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import thin
from vae_mf.systems.base import HasMeanFieldCouplings, HasTensorField, System
from vae_mf.verdict.decision import Verdict, decide_mean_field
from vae_mf.verdict.evidence import Evidence

CUMULANT_ROWS = 2000
"""Configurations whose tilts say how far K(u) matters."""


@dataclass(frozen=True)
class AssessmentSettings:
    """Settings of the assessment of a trained model.

    Args:
        critic: settings of the critic of total correlations; None to rely on ln Z alone, which is cheap.
        components: number of encodings that make up the aggregated posterior, at most.
        residual_groups: number of groups of rows for the cross-validation of the residual structure.
        potential_draws: number of draws of z at which the latent potential is fitted.
        tolerance: nats per site that latent variables may leave unexplained.
    """

    critic: CriticSettings | None
    components: int
    residual_groups: int
    potential_draws: int
    tolerance: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("components", "residual_groups"):
            require_integer(name, getattr(self, name), minimum=2)
        require_integer("potential_draws", self.potential_draws)
        require_positive("tolerance", self.tolerance)


@dataclass(frozen=True)
class Assessment:
    """A verdict with all tables behind it."""

    verdict: Verdict
    tables: dict[str, pd.DataFrame]


def assess(vae: VAE, system: System | None, data: Evidence, settings: AssessmentSettings) -> Assessment:
    """Return the verdict on a trained model.

    Tables: "surgery" (parts of the rate), "conditional_correlation" (C(x|z) by critic and identity) and "capacity"
    (rate against information); with a critic also "total_correlation" (of data and model) and for spins "residual_..."
    at the temperature with the largest C(x|z). Of what can be decoded, "latent_density" of a single latent, "cumulants"
    (K(u) of the generalised Hopfield Hamiltonian) of a linear decoder, its "latent_potential" (beta J) for Curie-Weiss
    and Hopfield, and "nematic" (R^2 of the order tensor) for Maier-Saupe.
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
    return Assessment(decide_mean_field(tables["conditional_correlation"], capacity, settings.tolerance), tables)


class Readings(NamedTuple):
    """Readings of the critics of a model and of its data."""

    tables: dict[str, pd.DataFrame]
    """"conditional_correlation", "total_correlation" and, for spins, "residual_..."."""
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
    tables = {
        "conditional_correlation": left.table,
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
            tables["latent_potential"] = coupling_table(vae, system, data.held_out, settings.potential_draws, seed)
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
