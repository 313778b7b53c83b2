"""How thoroughly a discovery is made: one place for its numbers, which the command and notebooks share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from types import MappingProxyType
from typing import Any

from vae_mf.analysis.total_correlation import CriticSettings
from vae_mf.checks import require_fraction, require_integer, require_non_negative, require_positive
from vae_mf.models.critic import DenseCritic, LatticeCritic
from vae_mf.rng import integer
from vae_mf.training.critic_module import fit_critic
from vae_mf.verdict.assessment import AssessmentSettings


@dataclass(frozen=True)
class DiscoverySettings:
    """Settings of a discovery; the defaults are thorough, `quick_settings` are for a first look.

    Args:
        seed: of all randomness.
        largest_latents: numbers of latent variables that are tried, from 1.
        patience: numbers in a row that may gain nothing before the sweep ends.
        negligible: nats per variable that another latent variable must gain at least.
        validation: fraction of the rows that number of latents, epoch and best rival are chosen on.
        test: fraction of the rows that everything is judged on.
        training_rows: at most, evenly spaced, that models are fitted to.
        held_out_rows: at most, evenly spaced, in validation and in test.
        rarest: rows in which a variable must be in its rarer state to be kept.
        blocks: of held-out rows, whose means give the errors.
        draws: importance draws of z per likelihood.
        epochs: passes over the training rows, at least.
        steps: of training, at least; few rows are passed over more often.
        batch_size: rows per step.
        learning_rate: of the first epoch.
        last_learning_rate: of the last epoch; it falls by the same factor from each to the next.
        weight_decay: of AdamW.
        training_draws: of z per row, for the importance-weighted bound.
        refit_steps: of a last phase that fits the encoder alone.
        refit_learning_rate: of the first of them.
        hidden: width of the encoder.
        components: of the mixture prior.
        mixtures: numbers of components of the Bernoulli mixtures, the rivals.
        mixture_tolerance: nats per row and iteration at which their fit ends.
        pairwise_variables: up to which a pairwise Ising model is fitted.
        pairwise_chains: that estimate its ln Z.
        critic_rows: that critics learn from.
        critic_epochs: passes over them.
        critic_hidden: width of the critics.
        residual_groups: of rows, for the cross-validation of what the critic sees.
        tolerance: nats per variable that latent variables may leave unexplained.
        generated: rows drawn from the model.
        seeds: further ones, of encoder, prior, order and noise, that the patterns are looked for with.
        halves: whether they are looked for in the two halves of the data.
        bootstraps: resamplings, block by block, of the training rows that they are looked for in.
        returning: share of a pattern in the space of a repetition from which on it has come back.

    Raises:
        ValueError: if a number is out of range.
    """

    seed: int = 42
    largest_latents: int = 8
    patience: int = 2
    negligible: float = 2e-4
    validation: float = 0.1
    test: float = 0.1
    training_rows: int = 200_000
    held_out_rows: int = 20_000
    rarest: int = 10
    blocks: int = 20
    draws: int = 100
    epochs: int = 8
    steps: int = 3000
    batch_size: int = 256
    learning_rate: float = 1e-2
    last_learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    training_draws: int = 8
    refit_steps: int = 1000
    refit_learning_rate: float = 3e-3
    hidden: int = 128
    components: int = 64
    mixtures: Sequence[int] = (2, 4, 8, 16, 32)
    mixture_tolerance: float = 1e-4
    pairwise_variables: int = 100
    pairwise_chains: int = 2048
    critic_rows: int = 40_000
    critic_epochs: int = 10
    critic_hidden: int = 32
    residual_groups: int = 20
    tolerance: float = 2e-3
    generated: int = 100_000
    seeds: int = 4
    halves: bool = True
    bootstraps: int = 4
    returning: float = 0.8

    def __post_init__(self) -> None:
        for name in ("seed", "patience", "refit_steps", "pairwise_variables", "seeds", "bootstraps"):
            require_integer(name, getattr(self, name), minimum=0)
        for name in ("largest_latents", "training_rows", "held_out_rows", "rarest", "draws", "epochs", "steps"):
            require_integer(name, getattr(self, name))
        for name in ("batch_size", "training_draws", "hidden", "components", "pairwise_chains"):
            require_integer(name, getattr(self, name))
        for name in ("critic_rows", "critic_epochs", "critic_hidden", "generated"):
            require_integer(name, getattr(self, name))
        for name in ("blocks", "residual_groups"):
            require_integer(name, getattr(self, name), minimum=2)
        for name in ("validation", "test", "returning"):
            require_fraction(name, getattr(self, name))
        for name in ("learning_rate", "last_learning_rate", "refit_learning_rate", "tolerance", "mixture_tolerance"):
            require_positive(name, getattr(self, name))
        for name in ("weight_decay", "negligible"):
            require_non_negative(name, getattr(self, name))
        if not isinstance(self.halves, bool):
            raise ValueError(f"halves: expected true or false, got {self.halves!r}")
        if isinstance(self.mixtures, str) or not isinstance(self.mixtures, Iterable):
            raise ValueError(f"mixtures: expected a list of integers, got {self.mixtures!r}")
        # A tuple, whatever kind of list a configuration gives.
        object.__setattr__(self, "mixtures", tuple(require_integer("mixtures", count) for count in self.mixtures))


QUICK: Mapping[str, Any] = MappingProxyType(
    {
        "largest_latents": 5,
        "patience": 1,
        "training_rows": 30_000,
        "held_out_rows": 4_000,
        "draws": 32,
        "epochs": 6,
        "steps": 700,
        "training_draws": 4,
        "refit_steps": 300,
        "mixtures": (2, 4, 8, 16),
        "mixture_tolerance": 1e-3,
        "pairwise_chains": 512,
        "critic_rows": 12_000,
        "critic_epochs": 6,
        "residual_groups": 5,
        "generated": 20_000,
        "seeds": 1,
        "bootstraps": 0,
    }
)
"""What a first look does with less of, within three minutes of two cores for 50 variables and 40,000 rows."""


def discovery_settings(quick: bool = False, **changes: Any) -> DiscoverySettings:
    """Return the settings of a thorough or a quick discovery, some of them changed.

    Raises:
        ValueError: if there is no such setting, or a value is out of range.
    """
    known = [field.name for field in fields(DiscoverySettings)]
    unknown = sorted(changes.keys() - set(known))
    if unknown:
        raise ValueError(f"settings: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    return DiscoverySettings(**{**(QUICK if quick else {}), **changes})


def assessment_settings(settings: DiscoverySettings) -> AssessmentSettings:
    """Return how thoroughly the verdict is prepared."""
    trainer = {"accelerator": "auto", "devices": 1}
    fit = partial(
        fit_critic, alpha=0.1, epochs=settings.critic_epochs, batch_size=256, sites_per_step=16, learning_rate=5e-3,
        weight_decay=1e-2, trainer=trainer,
    )  # fmt: skip
    critic = CriticSettings(
        dense=partial(DenseCritic, hidden=settings.critic_hidden),
        lattice=partial(LatticeCritic, hidden=settings.critic_hidden),
        fit=fit,
        training_samples=settings.critic_rows,
        validation=0.1,
        generated=settings.critic_rows,
        generated_test=settings.held_out_rows,
        planted=0.2,
        absolute_tolerance=0.1,
        relative_tolerance=0.1,
        seed=integer(settings.seed, "critic"),
    )
    return AssessmentSettings(
        critic=critic,
        components=4000,
        residual_groups=settings.residual_groups,
        potential_draws=4000,
        tolerance=settings.tolerance,
        seed=integer(settings.seed, "assessment"),
    )
