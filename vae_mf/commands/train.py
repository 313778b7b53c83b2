"""Sample a system (or read a recording), train a model, evaluate and draw it.

Finished stages are skipped; a killed run, started again, goes on where it was.

vae-mf train experiment=hopfield_quick model.latents=3 seed=7
vae-mf train experiment=retina dataset.path=FILE split=time
vae-mf train -m model.latents=3,8 seed=0,1,2
"""

from contextlib import nullcontext

from omegaconf import DictConfig

from vae_mf.checks import require_integer
from vae_mf.commands.metrics import print_metrics
from vae_mf.files import only_one
from vae_mf.runs.folder import FINISHED, Run, open_run, run_discarded_if_refused
from vae_mf.runs.garbage import importing, pass_by_imported
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.sweeps import process_number, require_single_device_sweep, sweep_job
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import read_metrics


def report(run: Run, console: Terminal) -> None:
    """Print the metrics of a finished run and where its figures are."""
    print_metrics(read_metrics(run.folder), console)
    for path in sorted(run.figures.glob("*.png")):
        console.place("figure", path)


def main(cfg: DictConfig) -> None:
    """Run every stage that is not finished yet, then report; the jobs of a sweep are reported by collect.py."""
    require_single_device_sweep(cfg.trainer)
    require_integer("torch_threads", cfg.torch_threads)
    further = process_number() > 0
    job = sweep_job()
    # The further processes of a distributed run say nothing, and work where the first one holds the run.
    console = Terminal(quiet=further)
    run = open_run(cfg)
    if job:
        console.say(job)
    alone = nullcontext() if further else only_one(run.folder, console.say)
    with run_discarded_if_refused(run, job is not None), alone:
        run.settle()
        work = run.again() if run.finished and cfg.force else run
        if work.finished:
            console.say(FINISHED)
        else:
            finish(work, console, shown=job is None and not further, keep=job is not None)
        if not further:
            run.settle()
    if job is None and not further:
        report(run, console)
    console.place("run", run.folder)


def finish(run: Run, console: Terminal, *, shown: bool, keep: bool) -> None:
    """Run the stages that are not finished yet.

    Args:
        run: run that is not finished.
        console: place of what is said.
        shown: shows bars; those of jobs side by side would be written into each other.
        keep: keeps the folder of a run that fails before it has begun.
    """
    with importing():
        import torch  # a finished run is reported without it, and without Lightning

        from vae_mf.runs.stages import complete, require_trainer
        from vae_mf.training.critic_module import quiet_lightning

    pass_by_imported()
    torch.set_num_threads(run.config.torch_threads)
    with quiet_lightning():
        require_trainer(run.config)
        with run_discarded_if_refused(run, keep), stage_progress(console, quiet=not shown) as progress:
            complete(run, progress)
