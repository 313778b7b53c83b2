"""Tasks: data to learn from and to judge on, and the evaluation of models by them, from a configuration."""

import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

from filelock import Timeout
from omegaconf import DictConfig, OmegaConf
from rich.progress import Progress

from vae_mf.arrays import States
from vae_mf.checks import require_path, require_working_memory
from vae_mf.datamodule import DataSplit, split_blocks, split_recording, split_store, states
from vae_mf.models.vae import VAE
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.samples import are_samples, ensembles, said_of, store_of_samples
from vae_mf.runs.sampling import build_sampler, build_sampling
from vae_mf.samplers.plan import plan
from vae_mf.simulation import bytes_of_samples, simulate
from vae_mf.store.chains import chains_of
from vae_mf.store.sample_store import SampleStore
from vae_mf.store.schema import StoreError
from vae_mf.systems.base import HasOrderParameter, System, UnknownSpins
from vae_mf.tables import Evaluation
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
KEPT = 2**28
"""Bytes of the directors of a store that are kept after they have been read."""
POLL_SECONDS = 1.0
"""Time between two looks at a store that another process writes."""


class Data(NamedTuple):
    """Rows to judge a model on, its evaluation by them, and the same rows to learn from."""

    evidence: Evidence
    evaluate: Callable[[VAE], Evaluation]
    split: Callable[[VAE], DataSplit]
    """Splits the rows, in the form that a model reads."""


class Task(NamedTuple):
    """Data whose settings are checked, and the systems that belong to it."""

    sites: int
    system: System | None
    """None for a recording, and for samples of no known system."""
    fits: HasOrderParameter | None
    """System that a model must fit; None for a recording."""
    data: Callable[[], Data]
    """Draws what has not been drawn yet."""


def equilibrium_task(cfg: DictConfig, progress: Progress) -> Task:
    """Sample the system, to evaluate against its exact theory; every setting is checked before the first sample."""
    system = instantiate(cfg.system)
    settings = evaluation_settings(cfg, EquilibriumSettings)
    sampler = build_sampler(cfg, system)
    path = require_path("store.path", cfg.store.path)
    sampling = plan(system, sampler, build_sampling(cfg, sampler), cfg.seed, cfg.threads)
    split_blocks(sampling.block_count, *held_out(cfg))
    say = partial(progress.console.print, soft_wrap=True)
    training = bytes_of_training(system, sampling.samples, len(sampling.levels), settings.generated)
    needed = max(bytes_of_samples(system, sampling), training)
    require_working_memory("sampling", needed, "draw fewer samples, or at fewer temperatures", say)

    def data() -> Data:
        track = partial(progress.track, description="sampling")
        sample = partial(simulate, system, sampler, sampling, str(path), cfg.seed, track, cfg.threads)
        store = sample_or_wait(sample, say)
        for remark in store.remarks:
            say(remark)
        tags = [found["ensemble"] for found in chains_of(store).reports]
        return data_of(store, cfg, system, settings, sampling.chain_count, tags)

    return Task(system.sites, system, system, data)


def samples_task(cfg: DictConfig, progress: Progress) -> Task:
    """Take the user's own samples, to evaluate against the exact theory of their system if that is named."""
    system = instantiate(cfg.system) if "system" in cfg else None
    settings = evaluation_settings(cfg, EquilibriumSettings)
    say = partial(progress.console.print, soft_wrap=True)
    store = sample_or_wait(partial(store_of_samples, cfg, system), say)
    for remark in store.remarks:
        say(remark)
    require_samples_of(store, system)
    known = UnknownSpins(store.sites) if system is None else system
    needed = bytes_of_training(known, store.rows, len(store.temperatures), settings.generated)
    require_working_memory("dataset", needed, "give fewer rows or temperatures", say)

    def data() -> Data:
        tags = ensembles(store, system)
        for line in said_of(store, system, tags):
            say(line)
        return data_of(store, cfg, known, settings, chains_of(store).count, tags)

    return Task(store.sites, system, known, data)


def require_samples_of(store: SampleStore, system: System | None) -> None:
    """Raise ValueError unless samples are of the size and the kind of their system, or are spins if that is unknown."""
    if store.kind == "spins" and (system is None or (system.kind, system.sites) == (store.kind, store.sites)):
        return
    found = "none, which only spins can do without"
    got = found if system is None else f"{system.name}, {system.sites} {system.kind}"
    raise ValueError(f"system: expected a system of {store.sites} {store.kind}, as the samples are, got {got}")


def data_of(
    store: SampleStore,
    cfg: DictConfig,
    system: HasOrderParameter,
    settings: EquilibriumSettings,
    chains: int,
    tags: Sequence[str],
) -> Data:
    """Return the samples of a store, to learn from and to judge on.

    Args:
        store: sealed store.
        cfg: root configuration, with the fractions that are held out.
        system: system of the samples.
        settings: settings of the evaluation.
        chains: number of Markov chains at each temperature.
        tags: ensemble of the samples at each temperature.
    """
    fractions = held_out(cfg)
    evidence = simulated(store, fractions, chains, tags)

    def split(vae: VAE) -> DataSplit:
        return split_store(store, *fractions, vae)

    return Data(evidence, partial(evaluate_equilibrium, system=system, data=evidence, settings=settings), split)


def held_out(cfg: DictConfig) -> tuple[float, float]:
    """Return the fractions of the blocks of a store for validation and for the test."""
    return cfg.training.validation, cfg.training.test


def simulated(store: SampleStore, fractions: tuple[float, float], chains: int, tags: Sequence[str]) -> Evidence:
    """Return the configurations of a store as a group per temperature, its blocks Markov chains.

    Args:
        store: sealed store.
        fractions: fractions of its blocks for validation and for the test.
        chains: number of Markov chains at each temperature.
        tags: ensemble of the samples at each temperature.
    """
    train, _, test = split_blocks(store.blocks, *fractions)
    train_rows, test_rows = (
        slice(part.start * store.rows_per_block, part.stop * store.rows_per_block) for part in (train, test)
    )
    blocks = chains * len(test) // store.blocks
    read = rows_of(store)
    return Evidence(
        [
            EvidenceGroup(read(level), train_rows, test_rows, blocks, condition=temperature, ensemble=tags[level])
            for level, temperature in enumerate(store.temperatures.tolist())
        ]
    )


def rows_of(store: SampleStore) -> Callable[[int], States | Callable[[], States]]:
    """Return a function from a level to its configurations, or, for directors, to a function that reads them.

    Directors take twelve bytes each; as many temperatures of them are kept as fit into `KEPT`, one at least.
    """
    if store.kind == "spins":
        return partial(states, store)
    most = max(1, KEPT // (12 * store.sites * store.rows))
    return partial(partial, lru_cache(most)(partial(states, store)))


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
    recording = build_recording(cfg.dataset)
    split = instantiate(cfg.dataset.split)(recording)
    say = partial(progress.console.print, soft_wrap=True)
    needed = bytes_of_recording(len(recording.rows), len(recording.names), settings.generated)
    require_working_memory("dataset", needed, "give fewer rows, or choose dataset.variables", say)

    def data() -> Data:
        evidence = recorded(recording.rows, recording.time, split.train, split.test, settings.blocks)
        (group,) = evidence.groups
        evaluate = partial(evaluate_recording, group=group, variables=recording.variables, settings=settings)
        return Data(evidence, evaluate, lambda vae: split_recording(recording, split))

    return Task(len(recording.names), None, None, data)


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
    """Return the task of a configuration, which has read a recording; ValueError if it asks for no one thing."""
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
