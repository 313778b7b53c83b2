"""Total correlations by density ratio, with their sensitivity, beside exact values wherever ln Z is known.

C(x|z) = <KL(p(x|z,T) || prod_i p(x_i|z))> is left unexplained by the latent variables of a model; TC(x), with the
product of the marginals as reference, is all there is to explain. Errors are those of a bootstrap over chains, which
for a mean has the closed form of `averages.average`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import generate
from vae_mf.analysis.joint_samples import (
    Configurations,
    configuration_kind,
    decoded_samples,
    marginal_parameters,
    marginal_samples,
    plant,
)
from vae_mf.checks import require_fraction, require_integer, require_non_negative, require_positive
from vae_mf.models.critic import JointSamples, SiteCritic
from vae_mf.models.site_families import site_family
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average, thin
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import feasible_thermodynamics

UNIFORM_MARGINALS = {"spin_flip", "rotation"}
"""Symmetries that make all states of a site equally likely."""
LOG_STATES = {"spins": np.log(2), "directors": np.log(4 * np.pi)}
"""Logarithm of the number of states, or of the area, of a site."""


@dataclass(frozen=True)
class CriticSettings:
    """Settings of the estimates of total correlations, and tolerances within which they count.

    Args:
        dense: builds the critic of a system without a lattice, from sites, kind, latents, number of temperatures and
            part.
        lattice: builds the critic of a lattice, from the same arguments.
        fit: fits a critic to training and validation samples, from a seed.
        training_samples: number of configurations that a critic is fitted to, shared by the temperatures; more are
            thinned out.
        validation: fraction of the training samples, the last ones of every temperature, that the gain is set on.
        generated: number of configurations drawn from the model at a temperature to fit its critic to.
        generated_test: number of configurations drawn from the model at a temperature to average over.
        planted: size in nats of the known correlation that the sensitivity is measured with.
        absolute_tolerance: difference in nats that is always accepted between estimates.
        relative_tolerance: difference as a fraction of the value that is accepted, if that is larger.
    """

    dense: Callable[..., SiteCritic]
    lattice: Callable[..., SiteCritic]
    fit: Callable[..., SiteCritic]
    training_samples: int
    validation: float
    generated: int
    generated_test: int
    planted: float
    absolute_tolerance: float
    relative_tolerance: float
    seed: int

    def __post_init__(self) -> None:
        require_integer("training_samples", self.training_samples)
        require_fraction("validation", self.validation)
        require_integer("generated", self.generated)
        require_integer("generated_test", self.generated_test)
        require_positive("planted", self.planted)
        require_positive("absolute_tolerance", self.absolute_tolerance)
        require_non_negative("relative_tolerance", self.relative_tolerance)

    def tolerance(self, values: pd.Series) -> pd.Series:
        """Return the difference in nats that is accepted of every value."""
        return (self.relative_tolerance * values.abs()).clip(lower=self.absolute_tolerance)


class CriticSamples(NamedTuple):
    """Joint samples in three parts, and what is known about them."""

    train: JointSamples
    """Samples that the weights of a critic are fitted to."""
    validation: JointSamples
    """Samples that its gain is set on."""
    test: JointSamples
    """Samples that estimates are averages over."""
    temperatures: list[float]
    """Distinct temperatures, in the order of their levels."""
    chains: int
    """Number of Markov chains among the test samples of a temperature."""
    kind: str
    """Kind of the configurations: "spins" or "directors"."""
    lattice: bool
    """True if the sites form a lattice on which all places are alike."""


class CriticResult(NamedTuple):
    """A fitted critic and its estimates."""

    table: pd.DataFrame
    """Per temperature: train and test estimates of the divergence in nats, with errors, and the critic's gain."""
    critic: SiteCritic
    samples: CriticSamples
    log_ratios: Float[np.ndarray, " test_rows"]
    """ln r of every test sample, temperature by temperature."""


def conditional_total_correlation(
    vae: VAE,
    system: System | None,
    train: Configurations,
    held_out: Configurations,
    chains: int,
    surgery: pd.DataFrame,
    settings: CriticSettings,
) -> CriticResult:
    """Return C(x|z) per temperature by the critic, its sensitivity floor, and by the identity where ln Z is known.

    Columns beside those of `evaluate_critic`: ``floor``, nats that may go unseen (`sensitivity_floor`); ``identity``
    with error and bracket from ``surgery``; ``agrees``, true if the critic is within the tolerance of the identity,
    empty where that is not known; ``correlation`` with error, per site and ``source``: the "identity" where it is
    known, else the "critic".
    """
    parts = split_parts(train, held_out, settings)
    seeds = [integer(settings.seed, "joint", k) for k in range(len(parts))]
    fitted, validation, test = (decoded_samples(vae, part, seed) for part, seed in zip(parts, seeds, strict=True))
    samples = CriticSamples(fitted, validation, test, list(held_out), chains, vae.kind, has_lattice(system))
    result = evaluate_critic(samples, settings)
    table = beside_identity(result.table.assign(floor=sensitivity_floor(samples, settings)), surgery)
    difference = (table.test - table.identity).abs()
    agrees = difference <= settings.tolerance(table.identity) + table.bracket
    return result._replace(table=table.assign(agrees=agrees.where(table.identity.notna())))


def beside_identity(readings: pd.DataFrame, surgery: pd.DataFrame) -> pd.DataFrame:
    """Return the critic's estimates with the identity beside them, and the ``source`` of the one that counts."""
    names = ["temperature", "identity", "identity_error", "bracket", "sites"]
    table = readings.merge(surgery[names], on="temperature", validate="1:1")
    known = table.identity.notna()
    table["correlation"] = table.identity.where(known, table.test)
    table["correlation_error"] = table.identity_error.where(known, table.test_error)
    table["correlation_per_site"] = table.correlation / table.pop("sites")
    table["source"] = np.select([known, table.test.notna()], ["identity", "critic"], "none")
    return table


def identity_alone(surgery: pd.DataFrame) -> pd.DataFrame:
    """Return C(x|z) by the identity in the form of `conditional_total_correlation`, no critic having been asked."""
    unread = dict.fromkeys(("train", "train_error", "test", "test_error", "gain", "samples_needed", "floor"), np.nan)
    return beside_identity(surgery[["temperature"]].assign(decided=False, **unread), surgery).assign(agrees=np.nan)


def total_correlation(
    system: System | None,
    train: Configurations,
    held_out: Configurations,
    chains: int,
    settings: CriticSettings,
    part: list[int] | None = None,
) -> CriticResult:
    """Return TC = KL(p(x|T) || prod_i p(x_i|T)) per temperature by the critic, beside the exact value if it is known.

    Args:
        part: sites whose total correlation it is; None for all.
    """
    parts = split_parts(train, held_out, settings)
    parameters = marginal_parameters(parts[0], torch.zeros(()))
    fitted, validation, test = (marginal_samples(each, parameters) for each in parts)
    kind = configuration_kind(held_out)
    samples = CriticSamples(fitted, validation, test, list(held_out), chains, kind, has_lattice(system))
    result = evaluate_critic(samples, settings, part)
    exact = [exact_total_correlation(system, temperature) if part is None else np.nan for temperature in held_out]
    return result._replace(table=result.table.assign(source="samples", exact=exact))


def model_total_correlation(
    vae: VAE, system: System | None, temperatures: Iterable[float], settings: CriticSettings
) -> CriticResult:
    """Return the total correlation of draws from the model per temperature, by the critic."""
    drawn = [
        {t: generate(vae, t, count, integer(settings.seed, name, level)) for level, t in enumerate(temperatures)}
        for name, count in (("model train", settings.generated), ("model test", settings.generated_test))
    ]
    result = total_correlation(system, drawn[0], drawn[1], settings.generated_test, settings)
    return result._replace(table=result.table.assign(source="model", exact=np.nan))


def split_parts(train: Configurations, held_out: Configurations, settings: CriticSettings) -> list[Configurations]:
    """Return the configurations that the weights are fitted to, those the gain is set on, and the held-out ones."""
    fitted, validation = {}, {}
    for temperature, configurations in train.items():
        rows = thin(configurations, max(2, settings.training_samples // len(train)), 1)
        if len(rows) < 2:
            raise ValueError(f"train: expected at least 2 configurations at T = {temperature}, got {len(rows)}")
        cut = len(rows) - max(1, round(settings.validation * len(rows)))
        fitted[temperature], validation[temperature] = rows[:cut], rows[cut:]
    return [fitted, validation, held_out]


def has_lattice(system: System | None) -> bool:
    """Return True if the sites form a lattice on which all places are alike."""
    return system is not None and "translation" in system.symmetries


def evaluate_critic(samples: CriticSamples, settings: CriticSettings, part: list[int] | None = None) -> CriticResult:
    """Fit a critic and return its estimates on the samples that it was fitted to and on test samples.

    On new samples the mean of ln r is a lower bound on the divergence, on its own samples it is too large. Where both
    differ by more than the tolerance, beyond their errors, the estimate is not ``decided``, and ``samples_needed`` is
    the number per temperature at which the difference, which falls as 1 / samples, would be within it.
    """
    learned = samples.train
    sites = learned.statistics.shape[1]
    latents = learned.latents.shape[1]
    temperatures = len(samples.temperatures)
    build = settings.lattice if samples.lattice else settings.dense
    with torch.random.fork_rng():
        torch.manual_seed(integer(settings.seed, "critic weights"))
        critic = build(sites, samples.kind, latents, temperatures, part=part).to(learned.latents)
    critic = settings.fit(critic, learned, samples.validation, seed=integer(settings.seed, "critic"))
    seen = as_many(learned, samples.test)
    log_ratio = critic.log_ratio(samples.test)
    own_log_ratio = critic.log_ratio(seen)
    rows = [
        {
            "temperature": temperature,
            **estimate("train", own_log_ratio, seen, level, len(own_log_ratio)),
            **estimate("test", log_ratio, samples.test, level, samples.chains),
            "gain": float(critic.gain[level]),
        }
        for level, temperature in enumerate(samples.temperatures)
    ]
    counts = torch.bincount(learned.condition.index, minlength=temperatures).numpy(force=True)
    table = decide(pd.DataFrame(rows), counts, settings)
    return CriticResult(table, critic, samples, log_ratio.double().numpy(force=True))


def estimate(name: str, log_ratio: torch.Tensor, samples: JointSamples, level: int, chains: int) -> dict[str, float]:
    """Return the mean log-ratio of one temperature and its error."""
    values = log_ratio[samples.condition.index == level].double().numpy(force=True)
    return dict(zip((name, f"{name}_error"), average(values, chains), strict=True))


def as_many(samples: JointSamples, like: JointSamples) -> JointSamples:
    """Return evenly spaced samples of every temperature, as many as ``like`` has."""
    rows = []
    for level in range(len(samples.condition.temperatures)):
        own = torch.where(samples.condition.index == level)[0]
        count = int((like.condition.index == level).sum())
        rows.append(own[torch.linspace(0, len(own) - 1, min(count, len(own))).long()])
    return samples.select(torch.cat(rows))


def decide(table: pd.DataFrame, learned: np.ndarray, settings: CriticSettings) -> pd.DataFrame:
    """Add ``decided``, true if train and test agree, and the samples per temperature with which they would."""
    tolerance = settings.tolerance(table.test)
    gap = table.train - table.test
    noise = 2 * np.hypot(table.train_error.fillna(0), table.test_error.fillna(0))
    table["decided"] = gap - noise <= tolerance
    needed = np.ceil(learned * gap / tolerance)
    table["samples_needed"] = needed.where(~table.decided)
    return table


def sensitivity_floor(samples: CriticSamples, settings: CriticSettings) -> Float[np.ndarray, " levels"]:
    """Return the nats that may go unseen: the part of a known correlation that the critic misses, plus twice its error.

    Another critic is fitted to as many reference samples in which neighbouring pairs of sites are correlated by about
    ``settings.planted`` nats in all, spread thinly over the sites (`joint_samples.plant`).
    """
    family = site_family(samples.kind)
    generator = torch.Generator(samples.test.latents.device).manual_seed(integer(settings.seed, "planted"))
    train, validation, test = (
        plant(part, family, settings.planted, generator) for part in (samples.train, samples.validation, samples.test)
    )
    planted = samples._replace(train=train.samples, validation=validation.samples, test=test.samples)
    table = evaluate_critic(planted, settings).table
    truth = test.log_ratio
    index = samples.test.condition.index
    exact = np.array([float(truth[index == level].mean()) for level in range(len(table))])
    missed = (1 - table.test / exact).clip(lower=0)
    return (missed * settings.planted + 2 * table.test_error.fillna(0)).to_numpy()


def exact_total_correlation(system: System | None, temperature: float) -> float:
    """Return N ln(states) - S where a symmetry makes every marginal uniform and S is known, else NaN."""
    if system is None or not UNIFORM_MARGINALS & set(system.symmetries):
        return float("nan")
    exact = feasible_thermodynamics(system, temperature)
    if exact is None:
        return float("nan")
    return float(system.sites * LOG_STATES[system.kind] - exact.entropy)
