"""From a configuration to data, a model to train on it, and a judge of what comes out."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from filelock import Timeout
from omegaconf import DictConfig
from rich.progress import Progress

from vae_mf.analysis.log_likelihood import EQUILIBRIUM
from vae_mf.datamodule import DataSplit, split_blocks, split_recording, split_store, states
from vae_mf.models.vae import VAE
from vae_mf.runs.build import build_module, build_sampler
from vae_mf.runs.instantiate import instantiate
from vae_mf.samplers.plan import plan
from vae_mf.simulation import simulate
from vae_mf.store.sample_store import SampleStore
from vae_mf.store.schema import StoreError
from vae_mf.systems.base import System
from vae_mf.tables import Judgement
from vae_mf.training.recipe import COMPONENTS, RANDOM, Recipe
from vae_mf.training.start import start_at_components
from vae_mf.training.vae_module import VAEModule
from vae_mf.verdict.equilibrium import EquilibriumData, judge_equilibrium
from vae_mf.verdict.recording import STRETCHES, judge_recording

POLL_SECONDS = 1.0
"""Between two looks whether another process has finished a store."""


class Task(NamedTuple):
    """A model to train, the data to train it on, and what the trained model is judged by."""

    module: VAEModule
    data: DataSplit
    recipe: Recipe
    judge: Callable[[VAE], Judgement]
    system: System | None
    """None for a recording."""
    evidence: EquilibriumData
    """Configurations to judge on; a recording has the one temperature 1, and stretches of movie time for chains."""


def equilibrium_task(cfg: DictConfig, progress: Progress) -> Task:
    """Sample the system and judge against its exact theory; every setting is checked before the first sample."""
    system, recipe, settings = instantiate(cfg.system), instantiate(cfg.training), instantiate(cfg.evaluation)
    if recipe.start != RANDOM:
        raise ValueError(f"training.start: expected {RANDOM} for samples of a system, got {recipe.start}")
    sampler = build_sampler(cfg, system)
    sampling = plan(system, sampler, instantiate(cfg.sampling), cfg.seed, cfg.threads)
    module = build_module(cfg, system.sites, system)
    split_blocks(sampling.block_count, recipe.validation, recipe.test)
    track = partial(progress.track, description="sampling")
    sample = partial(simulate, system, sampler, sampling, cfg.store.path, cfg.seed, track, cfg.threads)
    store = sample_or_wait(sample, partial(progress.console.print, soft_wrap=True, markup=False))
    data = split_store(store, recipe.validation, recipe.test)
    levels = list(enumerate(store.temperatures.tolist()))
    evidence = EquilibriumData(
        samples={t: states(store, level) for level, t in levels},
        chains=sampling.chain_count,
        train={t: data.train.at_level(level).states() for level, t in levels},
        held_out={t: data.test.at_level(level).states() for level, t in levels},
        held_out_chains=sampling.chain_count * len(data.test) // (len(levels) * store.rows),
        ensembles={t: store.diagnostics["temperatures"][level]["ensemble"] for level, t in levels},
    )
    judge = partial(judge_equilibrium, system=system, data=evidence, settings=settings)
    return Task(module, data, recipe, judge, system, evidence)


def sample_or_wait(sample: Callable[[], SampleStore], tell: Callable[[str], None]) -> SampleStore:
    """Return the store of ``sample``; while another process of this machine writes it, say so once and wait.

    A job of a sweep that shares its store with a running one then finds it sealed, or resumes it if that one died.
    """
    told = False
    while True:
        try:
            return sample()
        except StoreError as error:
            # The claim on a remote store, which has no such cause, may outlive its writer: waiting might never end.
            if not isinstance(error.__cause__, Timeout):
                raise
            if not told:
                tell(f"waiting for the samples of another process: {error}")
            told = True
            time.sleep(POLL_SECONDS)


def recording_task(cfg: DictConfig, progress: Progress) -> Task:
    """Read the recording and judge on held-out words."""
    settings = instantiate(cfg.evaluation)
    recipe = instantiate(cfg.training)
    words = instantiate(cfg.dataset.read)
    split = instantiate(cfg.dataset.split)(words)
    data = split_recording(words, split)
    train, test, time = words.rows[split.train], words.rows[split.test], words.time[split.test]
    judge = partial(judge_recording, train=train, test=test, time=time, cells=words.variables, settings=settings)
    held_out = test[np.argsort(time, kind="stable")]
    held_out = held_out[: len(held_out) // STRETCHES * STRETCHES]
    parts = {1.0: held_out}, STRETCHES, {1.0: train}, {1.0: held_out}, STRETCHES, {1.0: EQUILIBRIUM}
    module = build_module(cfg, data.train.sites)
    if recipe.start == COMPONENTS:
        start_at_components(module.vae.decoder, train)
    return Task(module, data, recipe, judge, None, EquilibriumData(*parts))


def build_task(cfg: DictConfig, progress: Progress) -> Task:
    """Sample or read what the configuration asks for, and build its model."""
    return (equilibrium_task if "system" in cfg else recording_task)(cfg, progress)
