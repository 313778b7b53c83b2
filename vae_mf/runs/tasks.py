"""Tasks: data, a model to train on them, and its evaluation, from a configuration."""

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from filelock import Timeout
from omegaconf import DictConfig, OmegaConf
from rich.progress import Progress

from vae_mf.checks import require_path, require_working_memory
from vae_mf.datamodule import DataSplit, split_blocks, split_recording, split_store, states, summed
from vae_mf.models.vae import VAE
from vae_mf.runs.build import build_module, build_sampler, build_sampling
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.samples import are_samples, ensembles, said_of, store_of_samples
from vae_mf.samplers.plan import plan
from vae_mf.simulation import bytes_of_samples, simulate
from vae_mf.store.chains import chains_of
from vae_mf.store.sample_store import SampleStore
from vae_mf.store.schema import StoreError
from vae_mf.systems.base import System, UnknownSpins
from vae_mf.tables import Evaluation
from vae_mf.training.recipe import COMPONENTS, RANDOM, Recipe
from vae_mf.training.start import start_at_components
from vae_mf.training.vae_module import VAEModule
from vae_mf.verdict.assessment import AssessmentSettings
from vae_mf.verdict.equilibrium import evaluate_equilibrium
from vae_mf.verdict.evidence import Evidence, EvidenceGroup, recorded
from vae_mf.verdict.needs import bytes_of_recording, bytes_of_training
from vae_mf.verdict.recording import evaluate_recording
from vae_mf.verdict.settings import EquilibriumSettings, RecordingSettings

Settings = TypeVar("Settings", EquilibriumSettings, RecordingSettings, AssessmentSettings)
PARTS = {
    "system": {"sampler": "sampler=auto", "sampling": "sampling=markov_chain", "store": "store=default"},
    "dataset": {"dataset.split": "split=random"},
}
"""Groups that samples of a system and data take beside them, and a choice of each."""
POLL_SECONDS = 1.0
"""Time between two looks at a store that another process writes."""


class Task(NamedTuple):
    """A model to train, its data, and the evaluation of the trained one."""

    module: VAEModule
    data: DataSplit
    recipe: Recipe
    evaluate: Callable[[VAE], Evaluation]
    system: System | None
    """None for a recording, and for samples of no known system."""
    evidence: Evidence


def equilibrium_task(cfg: DictConfig, progress: Progress) -> Task:
    """Sample the system, to evaluate against its exact theory; every setting is checked before the first sample."""
    system = instantiate(cfg.system)
    recipe = instantiate(cfg.training)
    settings = evaluation_settings(cfg, EquilibriumSettings)
    require_random_start(recipe)
    sampler = build_sampler(cfg, system)
    path = require_path("store.path", cfg.store.path)
    sampling = plan(system, sampler, build_sampling(cfg, sampler), cfg.seed, cfg.threads)
    module = build_module(cfg, system.sites, system)
    split_blocks(sampling.block_count, recipe.validation, recipe.test)
    say = partial(progress.console.print, soft_wrap=True)
    training = bytes_of_training(system, sampling.samples, len(sampling.levels), settings.generated)
    needed = max(bytes_of_samples(system, sampling), training)
    require_working_memory("sampling", needed, "draw fewer samples, or at fewer temperatures", say)
    track = partial(progress.track, description="sampling")
    sample = partial(simulate, system, sampler, sampling, str(path), cfg.seed, track, cfg.threads)
    store = sample_or_wait(sample, say)
    for remark in store.remarks:
        say(remark)
    data = summed(split_store(store, recipe.validation, recipe.test), module.vae)
    tags = [found["ensemble"] for found in chains_of(store).reports]
    evidence = simulated(store, recipe, sampling.chain_count, tags)
    evaluate = partial(evaluate_equilibrium, system=system, data=evidence, settings=settings)
    return Task(module, data, recipe, evaluate, system, evidence)


def samples_task(cfg: DictConfig, progress: Progress) -> Task:
    """Take the user's own samples, to evaluate against the exact theory of their system if that is named."""
    system = instantiate(cfg.system) if "system" in cfg else None
    recipe = instantiate(cfg.training)
    settings = evaluation_settings(cfg, EquilibriumSettings)
    require_random_start(recipe)
    say = partial(progress.console.print, soft_wrap=True)
    store = sample_or_wait(partial(store_of_samples, cfg, system), say)
    for remark in store.remarks:
        say(remark)
    if store.kind != "spins" or (system is not None and (system.kind, system.sites) != (store.kind, store.sites)):
        wanted = f"a system of {store.sites} {store.kind}, as the samples are"
        got = (
            "none, which only spins can do without"
            if system is None
            else f"{system.name}, {system.sites} {system.kind}"
        )
        raise ValueError(f"system: expected {wanted}, got {got}")
    known = UnknownSpins(store.sites) if system is None else system
    needed = bytes_of_training(known, store.rows, len(store.temperatures), settings.generated)
    require_working_memory("dataset", needed, "give fewer rows or temperatures", say)
    module = build_module(cfg, store.sites, known)
    data = split_store(store, recipe.validation, recipe.test)
    tags = ensembles(store, system)
    for line in said_of(store, system, tags):
        say(line)
    evidence = simulated(store, recipe, chains_of(store).count, tags)
    evaluate = partial(evaluate_equilibrium, system=known, data=evidence, settings=settings)
    return Task(module, data, recipe, evaluate, system, evidence)


def simulated(store: SampleStore, recipe: Recipe, chains: int, tags: Sequence[str]) -> Evidence:
    """Return the configurations of a store as a group per temperature, its blocks Markov chains.

    Args:
        store: sealed store.
        recipe: fractions of the store that are held out.
        chains: number of Markov chains at each temperature.
        tags: ensemble of the samples at each temperature.
    """
    train, _, test = split_blocks(store.blocks, recipe.validation, recipe.test)
    train_rows, test_rows = (
        slice(part.start * store.rows_per_block, part.stop * store.rows_per_block) for part in (train, test)
    )
    blocks = chains * len(test) // store.blocks
    return Evidence(
        [
            EvidenceGroup(
                states(store, level), train_rows, test_rows, blocks, condition=temperature, ensemble=tags[level]
            )
            for level, temperature in enumerate(store.temperatures.tolist())
        ]
    )


def require_random_start(recipe: Recipe) -> None:
    """Raise ValueError if the decoder is to start at components, which only a recording has."""
    if recipe.start != RANDOM:
        raise ValueError(f"training.start: expected {RANDOM} for samples of a system, got {recipe.start}")


def sample_or_wait(sample: Callable[..., SampleStore], waiting: Callable[[str], None]) -> SampleStore:
    """Return the store of ``sample``; while another process writes it, say so once and wait.

    A job of a sweep that shares its store with a running one then finds it sealed, or resumes it if that one died.

    Args:
        sample: makes the store; takes ``waiting``.
        waiting: called with a sentence.
    """
    say = only_first(lambda reason: waiting(f"waiting for the samples of another process: {reason}"))
    while True:
        try:
            return sample(waiting=say)
        except StoreError as error:
            # Without such a cause waiting might never end: nobody renews the claim of a former version.
            if not isinstance(error.__cause__, Timeout):
                raise
            say(str(error))
            time.sleep(POLL_SECONDS)


def only_first(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes on the first sentence alone."""
    said = []

    def once(sentence: str) -> None:
        if not said:
            said.append(sentence)
            say(sentence)

    return once


def recording_task(cfg: DictConfig, progress: Progress) -> Task:
    """Read the recording, to evaluate on held-out rows."""
    settings = evaluation_settings(cfg, RecordingSettings)
    recipe = instantiate(cfg.training)
    recording = build_recording(cfg.dataset)
    split = instantiate(cfg.dataset.split)(recording)
    say = partial(progress.console.print, soft_wrap=True)
    needed = bytes_of_recording(len(recording.rows), len(recording.names), settings.generated)
    require_working_memory("dataset", needed, "give fewer rows, or choose dataset.variables", say)
    data = split_recording(recording, split)
    evidence = recorded(recording.rows, recording.time, split.train, split.test, settings.blocks)
    (group,) = evidence.groups
    evaluate = partial(evaluate_recording, group=group, variables=recording.variables, settings=settings)
    module = build_module(cfg, data.train.sites)
    if recipe.start == COMPONENTS:
        start_at_components(module.vae.decoder, group.train)
    return Task(module, data, recipe, evaluate, None, evidence)


def evaluation_settings(cfg: DictConfig, kind: type[Settings]) -> Settings:
    """Return the settings of the evaluation; ValueError unless they are of this kind."""
    settings = instantiate(cfg.evaluation)
    if not isinstance(settings, kind):
        wanted, given = (
            "_".join(re.findall("[A-Z][a-z]+", each.__name__)[:-1]).lower() for each in (kind, type(settings))
        )
        raise ValueError(f"evaluation: expected {wanted} here, got {given}")
    return settings


def build_task(cfg: DictConfig, progress: Progress) -> Task:
    """Sample or read what the configuration asks for, and build its model; ValueError if that is no one thing."""
    if are_samples(cfg):
        if OmegaConf.select(cfg, "store.path") is None:
            raise ValueError(
                "dataset: expected an experiment, as in experiment=samples, or with it store=samples, got neither"
            )
        return samples_task(cfg, progress)
    kinds = [kind for kind in PARTS if kind in cfg]
    if len(kinds) != 1:
        got = "both; experiment=null leaves out those of the experiment" if kinds else "neither"
        raise ValueError(f"train: expected a system, as in system=curie_weiss, or a dataset, got {got}")
    missing = [choice for group, choice in PARTS[kinds[0]].items() if OmegaConf.select(cfg, group) is None]
    if missing:
        raise ValueError(f"{kinds[0]}: expected an experiment, or with it {' '.join(missing)}, got neither")
    return (equilibrium_task if "system" in cfg else recording_task)(cfg, progress)
