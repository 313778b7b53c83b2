"""Total correlations by density ratio, with their sensitivity, beside exact values wherever ln Z is known.

C(x|z) = <KL(p(x|z,T) || prod_i p(x_i|z))> is left unexplained by the latent variables of a model; TC(x), with the
product of the marginals as reference, is all there is to explain. Errors are those of a bootstrap over chains, which
for a mean has the closed form of `averages.average`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
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
from vae_mf.statistics.averages import Average, average, thin
from vae_mf.statistics.tilt import donsker_varadhan
from vae_mf.statistics.u_statistics import Blocks
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import feasible_thermodynamics

UNIFORM_MARGINALS = {"spin_flip", "rotation"}
"""Symmetries that make all states of a site equally likely."""
LOG_STATES = {"spins": np.log(2), "directors": np.log(4 * np.pi)}
"""Logarithm of the number of states, or of the area, of a site."""


@dataclass(frozen=True)
class CriticSettings:
    """Settings of the estimates of total correlations, and tolerances within which they count.

    >>> from vae_mf.models import DenseCritic, LatticeCritic
    >>> from vae_mf.training import fit_critic
    >>> parts = {"dense": DenseCritic, "lattice": LatticeCritic, "fit": partial(fit_critic, epochs=10)}
    >>> amounts = {"training_samples": 40000, "validation": 0.1, "generated": 3200, "generated_test": 800}
    >>> tolerances = {"absolute_tolerance": 0.1, "relative_tolerance": 0.1}
    >>> settings = CriticSettings(**parts, **amounts, planted=[0.2], planted_orders=[2], **tolerances, seed=1)
    >>> settings.tolerance(pd.Series([0.5, 20.0])).tolist()
    [0.1, 2.0]

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
        planted: sizes in nats of the known correlations that the sensitivity is measured with, from the smallest on.
        planted_orders: numbers of sites that these correlate, one kind after the other.
        absolute_tolerance: difference in nats that is always accepted between estimates.
        relative_tolerance: difference as a fraction of the value that is accepted, if that is larger.
        seed: seed of all randomness.

    Raises:
        ValueError: if a number is out of range.
    """

    dense: Callable[..., SiteCritic]
    lattice: Callable[..., SiteCritic]
    fit: Callable[..., SiteCritic]
    training_samples: int
    validation: float
    generated: int
    generated_test: int
    planted: Sequence[float]
    planted_orders: Sequence[int]
    absolute_tolerance: float
    relative_tolerance: float
    seed: int

    def __post_init__(self) -> None:
        self.require_parts()
        require_integer("training_samples", self.training_samples)
        require_fraction("validation", self.validation)
        require_integer("generated", self.generated)
        require_integer("generated_test", self.generated_test)
        for size in self.planted:
            require_positive("planted", size)
        for order in self.planted_orders:
            require_integer("planted_orders", order, minimum=2)
        require_positive("absolute_tolerance", self.absolute_tolerance)
        require_non_negative("relative_tolerance", self.relative_tolerance)

    def require_parts(self) -> None:
        """Raise ValueError unless critics can be built and fitted with these options, which is done at the end only."""
        checks = {
            "fit": dict.fromkeys(("epochs", "batch_size", "sites_per_step"), require_integer)
            | {"alpha": require_non_negative, "learning_rate": require_positive, "weight_decay": require_non_negative},
            "dense": {"hidden": require_integer},
            "lattice": {"hidden": require_integer},
        }
        for part, own in checks.items():
            function = getattr(self, part)
            options = function.keywords if isinstance(function, partial) else {}
            for name in own.keys() & options.keys():
                own[name](f"{part}.{name}", options[name])

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
    """Return C(x|z) per temperature by the critic, and by the identity where ln Z is known.

    Columns beside those of `evaluate_critic`: ``divergence`` with error, the part of the critic's reading that rows of
    the model do not show (`divergence_bounds`); ``identity`` with error and bracket from ``surgery``; ``agrees``, true
    if the critic is within the tolerance of the identity, empty where that is not known; ``correlation`` with error,
    per site and ``source``: the "identity" where it is known, else the "critic".
    """
    parts = split_parts(train, held_out, settings)
    seeds = [integer(settings.seed, "joint", k) for k in range(len(parts))]
    fitted, validation, test = (decoded_samples(vae, part, seed) for part, seed in zip(parts, seeds, strict=True))
    samples = CriticSamples(fitted, validation, test, list(held_out), chains, vae.kind, has_lattice(system))
    result = evaluate_critic(samples, settings)
    bounds = pd.DataFrame(divergence_bounds(vae, result, settings.seed))
    table = beside_identity(result.table.assign(divergence=bounds.value, divergence_error=bounds.error), surgery)
    return result._replace(table=table.assign(agrees=agreement(table, settings)))


def agreement(table: pd.DataFrame, settings: CriticSettings) -> pd.Series:
    """Return True where a critic is within the tolerance and the bracket of the identity, NaN where that is unknown."""
    difference = (table.test - table.identity).abs()
    agrees = difference <= settings.tolerance(table.identity) + table.bracket
    return agrees.where(table.identity.notna())


def divergence_bounds(vae: VAE, result: CriticResult, seed: int) -> list[Average]:
    """Return a lower bound on KL(p(x|T) || model) in nats at every temperature, from a critic of what the model leaves.

    Its ratio is normalised under the decoder for every z, so that <ln r> bounds C(x|z); but a z that is not drawn from
    the model's own posterior correlates sites even if the model is right. It does so in rows of the model, too, and by
    Donsker and Varadhan ln <r> over them is to be subtracted. For a right encoder it is zero: it counts where it is
    positive, since too few rows, among which the largest ratios are missing, give less.

    Args:
        vae: the model.
        result: critic of what it leaves, with its readings.
        seed: seed of its rows and their z.
    """
    samples, critic, table = result.samples, result.critic, result.table
    counts = torch.bincount(samples.test.condition.index, minlength=len(table)).numpy(force=True)
    drawn = {
        temperature: generate(vae, temperature, int(count), integer(seed, "own rows", level))
        for level, (temperature, count) in enumerate(zip(samples.temperatures, counts, strict=True))
    }
    own = critic.log_ratio(decoded_samples(vae, drawn, integer(seed, "own latents"))).double().numpy(force=True)
    data, model = (np.split(values, counts.cumsum()[:-1]) for values in (result.log_ratios, own))
    bounds = []
    for row, ratios, own_ratios in zip(table.itertuples(), data, model, strict=True):
        blocks = Blocks(np.arange(len(ratios)) * min(samples.chains, len(ratios)) // len(ratios), 0)
        normalised = Average(row.test, row.test_error)
        bounds.append(min(normalised, donsker_varadhan(ratios, own_ratios, blocks), key=lambda each: each.value))
    return bounds


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
    columns = ("train", "test", "divergence", "gain", "samples_needed", "floor")
    unread = dict.fromkeys([*columns, "train_error", "test_error", "divergence_error"], np.nan)
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
    critic = fitted_critic(samples, settings, part)
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
    counts = torch.bincount(learned.condition.index, minlength=len(rows)).numpy(force=True)
    table = decide(pd.DataFrame(rows), counts, settings)
    return CriticResult(table, critic, samples, log_ratio.double().numpy(force=True))


def fitted_critic(samples: CriticSamples, settings: CriticSettings, part: list[int] | None = None) -> SiteCritic:
    """Return a critic fitted to the training samples."""
    learned = samples.train
    latents = learned.latents.shape[1]
    build = settings.lattice if samples.lattice else settings.dense
    with torch.random.fork_rng():
        torch.manual_seed(integer(settings.seed, "critic weights"))
        sites = learned.statistics.shape[1]
        critic = build(sites, samples.kind, latents, len(samples.temperatures), part=part).to(learned.latents)
    return settings.fit(critic, learned, samples.validation, seed=integer(settings.seed, "critic"))


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
    """Add ``decided``, true if train and test agree, and the samples per temperature with which they would.

    Where an error is unknown nothing is decided, nor is it known how many samples would do.
    """
    tolerance = settings.tolerance(table.test)
    gap = table.train - table.test
    noise = 2 * np.hypot(table.train_error, table.test_error)
    table["decided"] = gap - noise <= tolerance
    needed = np.ceil(learned * gap / tolerance)
    table["samples_needed"] = needed.where(~table.decided & noise.notna())
    return table


def sensitivity_table(samples: CriticSamples, settings: CriticSettings) -> pd.DataFrame:
    """Return the part that the critic sees of correlations whose size is known (`joint_samples.plant`).

    For every order the sizes are planted one after the other, until one is seen at all temperatures; orders beyond the
    number of sites are left out. Other critics are fitted to as many reference samples.

    Returns:
        columns order, temperature; ``planted``, exact nats of the test samples; ``seen``, nats that the critic reads
        off them; ``error`` of the difference, in which the noise that both share is gone; ``floor``, the planted nats
        that may go unseen, the difference and twice its error. It is unknown unless more than twice the error is seen:
        a critic that is blind to a kind of correlations may miss any amount of it.
    """
    lines = []
    for order in settings.planted_orders:
        for size in settings.planted if order <= samples.test.statistics.shape[1] else ():
            lines += planted_lines(samples, settings, order, size)
            if not any(np.isnan(line["floor"]) for line in lines[-len(samples.temperatures) :]):
                break
    return pd.DataFrame(lines, columns=["order", "temperature", "planted", "seen", "error", "floor"])


def planted_lines(
    samples: CriticSamples, settings: CriticSettings, order: int, size: float
) -> list[dict[str, int | float]]:
    """Return the lines of `sensitivity_table` for one kind of planted correlations.

    There are about as many test samples as training samples: every z is used as often as that takes.
    """
    family = site_family(samples.kind)
    generator = torch.Generator(samples.test.latents.device).manual_seed(integer(settings.seed, "planted", order))
    rows = torch.arange(len(samples.test.latents), device=samples.test.latents.device)
    repeated = samples.test.select(rows.repeat_interleave(max(1, len(samples.train.latents) // len(rows))))
    train, validation, test = (
        plant(part, family, order, size, generator) for part in (samples.train, samples.validation, repeated)
    )
    planted = samples._replace(train=train.samples, validation=validation.samples, test=test.samples)
    found = fitted_critic(planted, settings).log_ratio(test.samples).double()
    lines = []
    for level, temperature in enumerate(samples.temperatures):
        own = test.samples.condition.index == level
        known = float(test.log_ratio[own].double().mean())
        missed = average((test.log_ratio[own] - found[own]).numpy(force=True), samples.chains)
        seen = known - missed.value
        floor = max(missed.value, 0.0) + 2 * missed.error if seen > 2 * missed.error else float("nan")
        line: dict = {"order": order, "temperature": temperature, "planted": known, "seen": seen}
        lines.append(line | {"error": missed.error, "floor": floor})
    return lines


def pair_floors(sensitivity: pd.DataFrame) -> pd.Series:
    """Return the nats of correlations of pairs that may go unseen, by temperature, from `sensitivity_table`."""
    pairs = sensitivity[sensitivity.order == 2]
    return pairs.drop_duplicates("temperature", keep="last").set_index("temperature").floor


def exact_total_correlation(system: System | None, temperature: float) -> float:
    """Return N ln(states) - S where a symmetry makes every marginal uniform and S is known, else NaN."""
    if system is None or not UNIFORM_MARGINALS & set(system.symmetries):
        return float("nan")
    exact = feasible_thermodynamics(system, temperature)
    if exact is None:
        return float("nan")
    return float(system.sites * LOG_STATES[system.kind] - exact.entropy)
