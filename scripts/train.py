"""The main job: sample (or read), train, judge and draw one experiment. Finished stages are skipped.

python scripts/train.py                                # experiment=hopfield_quick
python scripts/train.py experiment=retina dataset.path=FILE
python scripts/train.py -m experiment=hopfield_quick system.patterns=3,8 model.latents=3,8 seed=0,1,2
"""

import time

import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from vae_mf.checks import require_integer
from vae_mf.datamodule import EpochBatches, SpinDataModule
from vae_mf.evaluation.tables import read_metrics, summary, write_metrics, write_tables
from vae_mf.plotting.figures import draw_run
from vae_mf.plotting.style import save_figure
from vae_mf.runs import Run, entry_point, load, open_run, record_run, require_single_device_sweep
from vae_mf.tasks import Task, build_task
from vae_mf.training.callbacks import EpochProgress
from vae_mf.training.fit import Fit, check_trainer, fit
from vae_mf.training.prior_refit import refit_prior
from vae_mf.training.weights import load_checkpoint, save_weights

REFIT_BATCH = 4096


def train(task: Task, run: Run, progress: Progress) -> Fit:
    """Train the model of a task, refit its prior if the recipe says so, and save its weights."""
    cfg = run.config
    feed = SpinDataModule(task.data, cfg.training.batch_size, cfg.seed)
    result = fit(task.module, feed, run.checkpoints, cfg.training.epochs, cfg.trainer, [EpochProgress(progress)])
    if result.rank == 0:
        vae = task.module.vae.cpu()
        load_checkpoint(task.module, result.checkpoint)
        if cfg.training.refit_steps:
            progress.add_task("refitting the prior", total=None)
            batches = (EpochBatches(part, REFIT_BATCH) for part in task.data[:2])
            steps, rate = cfg.training.refit_steps, cfg.training.refit_learning_rate
            refit_prior(vae, *batches, steps=steps, learning_rate=rate, seed=cfg.seed)
        save_weights(vae, run.weights)
    return result


@entry_point("train")
def main(cfg: DictConfig) -> None:
    """Run every stage that is not finished yet, then report."""
    require_single_device_sweep(cfg.trainer)
    # The further processes of a distributed run say nothing.
    console, run = Console(quiet=rank_zero_only.rank > 0), open_run(cfg)
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    check_trainer(cfg.trainer)
    if not run.finished:
        with Progress(console=console) as progress:
            start = time.perf_counter()
            task = build_task(cfg, progress)
            seconds = time.perf_counter() - start
            record_run(run, task.data.train.sites)
            result = train(task, run, progress)
            if result.rank:
                return  # another process of the same run judges
            verdict = task.judge(load(run.folder).vae)
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
