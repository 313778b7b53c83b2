"""Sample a system (or read a recording), train a model, evaluate and draw it.

Finished stages are skipped; a killed run, started again, goes on where it was.

vae-mf train experiment=hopfield_quick model.latents=3 seed=7
vae-mf train experiment=retina dataset.path=FILE split=time
vae-mf train -m model.latents=3,8 seed=0,1,2
"""

import time
from contextlib import nullcontext
from functools import partial
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only
from rich.progress import Progress

from vae_mf.checks import require_integer
from vae_mf.commands.metrics import print_metrics
from vae_mf.files import only_one
from vae_mf.plotting.runs import draw_run
from vae_mf.plotting.style import save_figure
from vae_mf.runs.build import build_callbacks, build_loggers
from vae_mf.runs.folder import FINISHED, Run, discarded_unless_begun, open_run, record_run, write_config
from vae_mf.runs.kinds import require_kinds
from vae_mf.runs.models import load_run
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.sweeps import require_single_device_sweep, sweep_job
from vae_mf.runs.tasks import build_task
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import read_metrics, write_metrics, write_tables
from vae_mf.training.callbacks import EpochProgress
from vae_mf.training.fit import check_trainer
from vae_mf.training.train import train


def complete(run: Run, progress: Progress) -> None:
    """Run every stage of a run; the metrics, written last, say that it is finished."""
    callbacks = build_callbacks(run.config)
    loggers = build_loggers(run.config, run.folder)
    start = time.perf_counter()
    task = build_task(run.config, progress)
    seconds = time.perf_counter() - start
    write_config(run)  # again, as that of a run that goes on may have been damaged
    record_run(run, task.data.train.sites, [group.temperature for group in task.evidence.groups])
    result = train(
        task.module,
        task.data,
        task.recipe,
        checkpoints=run.checkpoints,
        weights=run.weights,
        trainer=run.config.trainer,
        callbacks=[*callbacks, EpochProgress(progress)],
        loggers=loggers,
        stage=partial(progress.add_task, total=None),
    )
    if result.rank:
        return  # another process of the same run evaluates
    evaluation = task.evaluate(load_run(run, result.device).vae)
    times = {"val_bound": -result.validation_loss, "train_seconds": result.seconds, "sample_seconds": seconds}
    write_tables(run.folder, evaluation.tables)
    for name, figure in draw_run(evaluation.tables).items():
        save_figure(figure, run.figures, name)
    write_metrics(run.folder, evaluation.metrics | times)


def report(run: Run, console: Terminal) -> None:
    """Print the metrics of a finished run and where its figures are."""
    print_metrics(read_metrics(run.folder), console)
    for path in sorted(run.figures.glob("*.png")):
        console.place("figure", path)


def main(cfg: DictConfig) -> None:
    """Run every stage that is not finished yet, then report; the jobs of a sweep are reported by collect.py."""
    require_single_device_sweep(cfg.trainer)
    further = rank_zero_only.rank > 0
    job = sweep_job()
    # The further processes of a distributed run say nothing, and work where the first one holds the run.
    console = Terminal(quiet=further)
    run = open_run(cfg)
    if job:
        console.say(job)
    keep = job is not None
    with discarded_unless_begun(run, keep), nullcontext() if further else only_one(run.folder, console.say):
        torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
        require_kinds(Trainer, cast(dict[str, Any], OmegaConf.to_container(cfg.trainer)))
        check_trainer(cfg.trainer, cfg.run.core_hours)
        run.settle()
        work = run.again() if run.finished and cfg.force else run
        if work.finished:
            console.say(FINISHED)
        else:
            # Progress of jobs side by side would be written into each other.
            with discarded_unless_begun(work, keep), stage_progress(console, quiet=keep or further) as progress:
                complete(work, progress)
        if not further:
            run.settle()
    if job is None and not further:
        report(run, console)
    console.place("run", run.folder)
