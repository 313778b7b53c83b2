"""The main job: sample (or read), train, judge and draw one experiment. Finished stages are skipped.

python scripts/train.py                                # experiment=hopfield_quick
python scripts/train.py experiment=retina dataset.path=FILE
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from vae_mf.checks import require_integer
from vae_mf.datamodule import DataSplit, SpinDataModule, split_blocks, split_recording, split_store, states
from vae_mf.evaluation.tables import Verdict, read_metrics, summary, write_metrics, write_tables
from vae_mf.evaluation.verdict import EquilibriumData, judge_equilibrium, judge_recording
from vae_mf.models.vae import VAE
from vae_mf.plotting.figures import draw_run
from vae_mf.plotting.style import save_figure
from vae_mf.runs import build_module, build_sampler, entry_point, load, open_run, record_run
from vae_mf.samplers.plan import plan
from vae_mf.simulate import simulate
from vae_mf.training.callbacks import EpochProgress
from vae_mf.training.fit import check_trainer, fit
from vae_mf.training.vae_module import VAEModule


class Task(NamedTuple):
    """A model to train, the data to train it on, and the judge of the trained model."""

    module: VAEModule
    data: DataSplit
    judge: Callable[[VAE], Verdict]


def equilibrium(cfg: DictConfig, progress: Progress) -> Task:
    """Sample the system and judge against its exact theory; every setting is checked before the first sample."""
    system, recipe, settings = instantiate(cfg.system), instantiate(cfg.training), instantiate(cfg.evaluation)
    sampler = build_sampler(cfg, system)
    sampling = plan(system, sampler, instantiate(cfg.sampling), cfg.seed, cfg.threads)
    module = build_module(cfg, system.sites)
    split_blocks(sampling.block_count, recipe.validation, recipe.test)
    track = partial(progress.track, description="sampling")
    store = simulate(system, sampler, sampling, cfg.store.path, cfg.seed, track, cfg.threads)
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
    return Task(module, data, partial(judge_equilibrium, system=system, data=evidence, settings=settings))


def recording(cfg: DictConfig, progress: Progress) -> Task:
    """Read the recording and judge on held-out words."""
    settings = instantiate(cfg.evaluation)
    words = instantiate(cfg.dataset.read)
    split = instantiate(cfg.dataset.split)(words)
    data = split_recording(words, split)
    train, test, time = words.words[split.train], words.words[split.test], words.time[split.test]
    judge = partial(judge_recording, train=train, test=test, time=time, cells=words.cells, settings=settings)
    return Task(build_module(cfg, data.train.sites), data, judge)


@entry_point("train")
def main(cfg: DictConfig) -> None:
    """Run every stage that is not finished yet, then report."""
    console, run = Console(), open_run(cfg)
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    check_trainer(cfg.trainer)
    if not run.finished:
        with Progress(console=console) as progress:
            start = time.perf_counter()
            task = (equilibrium if "system" in cfg else recording)(cfg, progress)
            seconds = time.perf_counter() - start
            record_run(run, task.data.train.sites)
            feed = SpinDataModule(task.data, cfg.training.batch_size, cfg.seed)
            result = fit(
                task.module, feed, run.checkpoints, cfg.training.epochs, cfg.trainer, [EpochProgress(progress)]
            )
            verdict = task.judge(load(run.folder))
        times = {"val_elbo": -result.validation_loss, "train_seconds": result.seconds, "sample_seconds": seconds}
        write_tables(run.folder, verdict.tables)
        for name, figure in draw_run(verdict.tables).items():
            save_figure(figure, run.figures, name)
        write_metrics(run.folder, verdict.metrics | times)
    table = Table("metric", "value")
    for row in summary(read_metrics(run.folder)):
        table.add_row(*row)
    console.print(table)
    for path in sorted(run.figures.glob("*.png")):
        console.print(f"figure: {path}", soft_wrap=True)
    console.print(f"run: {run.folder}", soft_wrap=True)


if __name__ == "__main__":
    main()
