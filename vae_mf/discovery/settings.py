"""Settings of a discovery, as `conf/discovery` has them, for the command and for notebooks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, OmegaConf

from vae_mf.checks import require_flag, require_fraction, require_integer, require_positive, shown
from vae_mf.datasets.recording import make_recording
from vae_mf.paths import configurations
from vae_mf.rng import integer
from vae_mf.runs.instantiate import instantiate
from vae_mf.training.recipe import Recipe
from vae_mf.verdict.assessment import AssessmentSettings
from vae_mf.verdict.independence import IndependenceSettings
from vae_mf.verdict.settings import PredictiveCheckSettings

DERIVED = {
    "training.module.decay": "schedule.fall",
    "assessment.seed": "seed",
    "assessment.critic.seed": "seed",
    "predictive_check.seed": "seed",
}
"""Options that are not free, and those that they follow from."""
ARGUMENTS = ("names", "order", "truth", "quick", "folder", "name", "device", "progress", "seed")
"""Arguments of `vae_mf.discover` that are no options of `conf/discovery`."""


@dataclass(frozen=True)
class RowSettings:
    """Rows and variables that are used.

    Args:
        training: number of rows that models are fitted to, at most.
        held_out: number of rows in validation and in test, at most.
        min_count: number of rows in which a variable must be in its rarer state to be kept.
        blocks: number of blocks of held-out rows, whose means give the errors.
        copies: share of held-out rows that are copies of training rows, beyond those that the likeliest model expects,
            from which on nothing is decided.
        copies_errors: errors by which there must be more copies than chance explains.
    """

    training: int
    held_out: int
    min_count: int
    blocks: int
    copies: float
    copies_errors: float

    def __post_init__(self) -> None:
        for name in ("training", "held_out", "min_count"):
            require_integer(f"rows.{name}", getattr(self, name))
        require_integer("rows.blocks", self.blocks, minimum=2)
        require_fraction("rows.copies", self.copies)
        require_positive("rows.copies_errors", self.copies_errors)


@dataclass(frozen=True)
class Schedule:
    """Length of a training and fall of its learning rate.

    Args:
        steps: number of steps, at least; few rows are passed over more often.
        fall: factor on the learning rate from the first epoch to the last.
    """

    steps: int
    fall: float

    def __post_init__(self) -> None:
        require_integer("schedule.steps", self.steps)
        require_positive("schedule.fall", self.fall)


@dataclass(frozen=True)
class SelectionSettings:
    """Sweep over the number of latent variables.

    Args:
        largest_latents: largest number that is tried; above five only if there are ``fewest_variables`` for each.
        patience: number of them in a row that may gain nothing before the sweep ends.
        resolution: share of the gain that another latent variable must add to count.
        per_variable: nats for each variable that it must add; of the two the smaller counts.
        significant: standard errors that a difference must exceed to count.
        passed_over: multiple of the resolution up to which a difference within its errors is passed over.
        classes_ahead: standard errors by which classes must be ahead of latent variables to take their place.
        draws: number of importance draws of z per likelihood.
        fewest_variables: number of variables that a collective variable is carried by at least.
        group_share: share of a latent variable that fewer variables than these must hold to be a group.
        ring_sectors: number of sectors around the mean, all of which two latent variables on a ring cover.
        ring_filled: rows in the emptiest sector of a ring, in units of those in a sector on the average.
        ring_spread: spread of the distances from the mean on a ring, in units of the mean distance.
    """

    largest_latents: int
    patience: int
    resolution: float
    per_variable: float
    significant: float
    passed_over: float
    classes_ahead: float
    draws: int
    fewest_variables: int
    group_share: float
    ring_sectors: int
    ring_filled: float
    ring_spread: float

    def __post_init__(self) -> None:
        require_integer("selection.largest_latents", self.largest_latents)
        require_integer("selection.patience", self.patience, minimum=0)
        require_fraction("selection.resolution", self.resolution)
        for name in ("per_variable", "significant", "passed_over", "classes_ahead"):
            require_positive(f"selection.{name}", getattr(self, name))
        require_integer("selection.draws", self.draws)
        require_integer("selection.fewest_variables", self.fewest_variables, minimum=0)
        require_fraction("selection.group_share", self.group_share)
        require_integer("selection.ring_sectors", self.ring_sectors, minimum=3)
        for name in ("ring_filled", "ring_spread"):
            require_positive(f"selection.{name}", getattr(self, name))


@dataclass(frozen=True)
class DensityModelSettings:
    """Other density models: latent classes, and models of direct dependence.

    Args:
        mixtures: numbers of classes of the Bernoulli mixtures that are tried first.
        mixture_starts: random starts of their fits, of which the likeliest ends.
        mixture_tolerance: nats per row and iteration at which their fit ends.
        pairwise_variables: number of variables up to which a pairwise Ising model is fitted.
        pairwise_chains: number of chains that estimate its ln Z.
        pairwise_resolution: length in nats of the steps of these chains.
        autoregression_variables: number of variables up to which a logistic autoregression is fitted.
        trees: numbers of trees of the mixtures of trees that are fitted; one is a Chow-Liu tree.
        tree_starts: random starts of their fits, of which the likeliest ends.
        tree_tolerance: nats per row and iteration at which their fit ends.
        tree_variables: number of variables up to which they are fitted.
        tracking_variables: number of variables up to which population tracking is fitted.
        free_points: number of points of a law of the latent variables that is free.
        free_rows: number of training rows that their weights are fitted to, at most.
        free_steps: steps of that fit.
    """

    mixtures: Sequence[int]
    mixture_starts: int
    mixture_tolerance: float
    pairwise_variables: int
    pairwise_chains: int
    pairwise_resolution: float
    autoregression_variables: int
    trees: Sequence[int]
    tree_starts: int
    tree_tolerance: float
    tree_variables: int
    tracking_variables: int
    free_points: int
    free_rows: int
    free_steps: int

    def __post_init__(self) -> None:
        for name in ("mixtures", "trees"):
            counts = getattr(self, name)
            if isinstance(counts, str) or not isinstance(counts, Iterable):
                raise ValueError(f"density_models.{name}: expected a list of integers, got {counts!r}")
            for count in counts:
                require_integer(f"density_models.{name}", count)
        for name in ("mixture_starts", "pairwise_chains", "tree_starts", "free_points", "free_rows", "free_steps"):
            require_integer(f"density_models.{name}", getattr(self, name))
        for name in ("mixture_tolerance", "pairwise_resolution", "tree_tolerance"):
            require_positive(f"density_models.{name}", getattr(self, name))
        for name in ("pairwise", "autoregression", "tree", "tracking"):
            require_integer(f"density_models.{name}_variables", getattr(self, f"{name}_variables"), minimum=0)


@dataclass(frozen=True)
class MemorySettings:
    """Models of rows in the order of time, which say how much of a row is predictable from those before it.

    Args:
        rows: number of training rows that they are fitted to, at most.
        states: number of hidden states of the hidden Markov model, at most.
        points: number of points of the latent variables that follow each other in time.
        tolerance: nats per row and iteration at which the fits of hidden states end.
        seen: errors by which what is predictable must stand out to be said, if they are from many blocks.
    """

    rows: int
    states: int
    points: int
    tolerance: float
    seen: float

    def __post_init__(self) -> None:
        for name in ("rows", "states", "points"):
            require_integer(f"memory.{name}", getattr(self, name))
        for name in ("tolerance", "seen"):
            require_positive(f"memory.{name}", getattr(self, name))


@dataclass(frozen=True)
class StabilitySettings:
    """Repetitions in which the patterns are looked for again.

    Args:
        seeds: number of repetitions with other seeds of encoder, prior, order and noise.
        halves: True for repetitions on the two halves of the training rows.
        bootstraps: number of resamplings of the training rows, block by block.
        recovered: share of a pattern in the space of a repetition from which on it is recovered.
    """

    seeds: int
    halves: bool
    bootstraps: int
    recovered: float

    def __post_init__(self) -> None:
        require_integer("stability.seeds", self.seeds, minimum=0)
        require_integer("stability.bootstraps", self.bootstraps, minimum=0)
        require_fraction("stability.recovered", self.recovered)
        require_flag("stability.halves", self.halves)


@dataclass(frozen=True)
class DiscoverySettings:
    """Settings of a discovery.

    Args:
        seed: seed of all randomness.
        rows: rows and variables that are used.
        model: configuration of encoder, decoder and prior.
        training: recipe of every training; its fractions of validation and test are those of the rows.
        schedule: length of a training and fall of its learning rate.
        selection: sweep over the number of latent variables.
        density_models: other models, for comparison.
        independence: test of independence of the variables.
        assessment: settings of the verdict.
        predictive_check: settings of the comparison of data and draws from the model.
        stability: repetitions.
        memory: models of rows in the order of time.
    """

    seed: int
    rows: RowSettings
    model: Mapping[str, Any]
    training: Recipe
    schedule: Schedule
    selection: SelectionSettings
    density_models: DensityModelSettings
    independence: IndependenceSettings
    assessment: AssessmentSettings
    predictive_check: PredictiveCheckSettings
    stability: StabilitySettings
    memory: MemorySettings


def discovery_config(quick: bool = False, **changes: Any) -> tuple[DictConfig, int]:
    """Return the configuration of a thorough or a quick discovery, some options changed, and its seed.

    >>> config, seed = discovery_config(quick=True, selection={"patience": 3}, **{"rows.blocks": 5}, seed=1)
    >>> config.selection.patience, config.rows.blocks, config.selection.largest_latents, seed
    (3, 5, 10, 1)

    Args:
        quick: True for a first look.
        changes: new values by the names of `conf/discovery`, nested or dotted; ``seed`` is that of everything.

    Raises:
        ValueError: if there is no such option.
    """
    # An application that is itself configured by Hydra keeps its state.
    state = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(configurations()), version_base="1.3"):
            root = compose("discover", ["discovery=quick"] if quick else [])
    finally:
        Singleton.set_state(state)
    root.seed = require_integer("seed", changes.pop("seed", root.seed), minimum=0)
    known = [name for name, _ in flat(plain(root.discovery)) if not name.endswith("_")]
    for name, value in flat(changes):
        if any(option.startswith(f"{name}.") for option in known):
            raise ValueError(f"{name}: expected a mapping of options, got {shown(value)}")
        if name not in known:
            raise ValueError(unknown(name, known))
        # Arrays, NumPy's scalars and tuples become what a YAML file would hold.
        plainly = np.asarray(value).tolist() if isinstance(value, tuple | np.ndarray | np.generic) else value
        OmegaConf.update(root.discovery, name, plainly)
    return root.discovery, root.seed


def plain(config: DictConfig) -> dict[str, Any]:
    """Return a configuration in plain containers, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True)  # pyright: ignore


def flat(options: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every option.

    >>> dict(flat({"rows": {"blocks": 5}, "selection.patience": 1}))
    {'rows.blocks': 5, 'selection.patience': 1}
    """
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value


def unknown(name: str, known: Sequence[str]) -> str:
    """Return a sentence about an option that does not exist, with the nearest that does.

    >>> unknown("patience", ["rows.blocks", "selection.patience"])
    'settings: expected an option of a discovery, got patience; did you mean selection.patience?'
    """
    own = name.rpartition(".")[2]
    by_last = {option.rpartition(".")[2]: option for option in reversed(known)}
    if name in signature(make_recording).parameters:
        return f"settings: expected no {name}, which is an option of vae_mf.datasets.make_recording: give its recording"
    near = get_close_matches(name, [*known, *ARGUMENTS], 1)
    near = near or [by_last[last] for last in get_close_matches(own, by_last, 1)]
    groups = ", ".join(dict.fromkeys(option.partition(".")[0] for option in known))
    guess = f"; did you mean {near[0]}?" if near else f"; their groups are {groups}"
    return f"settings: expected an option of a discovery, got {name}{guess}"


def discovery_settings(config: DictConfig, seed: int) -> DiscoverySettings:
    """Return the settings of a configuration of `conf/discovery`.

    >>> discovery_settings(*discovery_config(quick=True, seed=3)).rows.blocks
    20

    Raises:
        ValueError: if a value is out of range.
    """
    require_integer("seed", seed, minimum=0)
    options = plain(config)
    for name, source in DERIVED.items():
        if OmegaConf.select(config, name) is not None:
            raise ValueError(
                f"{name}: expected null, as it follows from {source}, got {OmegaConf.select(config, name)}"
            )
    del options["training"]["module"]["decay"]
    options["assessment"]["seed"] = integer(seed, "assessment")
    if options["assessment"]["critic"] is not None:
        options["assessment"]["critic"]["seed"] = integer(seed, "critic")
    # The name of the random stream is that of version 0.1.
    options["predictive_check"]["seed"] = integer(seed, "likeness")
    return DiscoverySettings(
        seed=seed,
        rows=RowSettings(**options["rows"]),
        model=options["model"],
        training=instantiate(options["training"], place="training"),
        schedule=Schedule(**options["schedule"]),
        selection=SelectionSettings(**options["selection"]),
        density_models=DensityModelSettings(**options["density_models"]),
        independence=IndependenceSettings(**options["independence"]),
        assessment=instantiate(options["assessment"], place="assessment"),
        predictive_check=instantiate(options["predictive_check"], place="predictive_check"),
        stability=StabilitySettings(**options["stability"]),
        memory=MemorySettings(**options["memory"]),
    )
