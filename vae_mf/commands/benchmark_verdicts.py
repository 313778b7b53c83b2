"""The benchmark of verdicts: discoveries on data whose truth is known, each in a process of its own."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vae_mf.benchmarks.conditions import conditions
from vae_mf.benchmarks.leaderboard_page import SECTION
from vae_mf.benchmarks.verdicts.cases import CASES
from vae_mf.benchmarks.verdicts.jobs import SETS, Job, jobs, lines, ran
from vae_mf.benchmarks.verdicts.page import page, section
from vae_mf.checks import require_flag, require_integer
from vae_mf.commands.benchmark_choices import chosen_names
from vae_mf.commands.limited import Worker
from vae_mf.files import only_one, require_kept, seal, write_whole
from vae_mf.runs.folder import place_of_results
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.terminal import Terminal

LINES = "lines"
"""Folder of a file for every run."""
ALL_RUNS = "verdicts.md"
ONE_THREAD = {"NUMBA_NUM_THREADS": "1"}
"""CPU seconds of threads that wait for each other on a busy machine say nothing."""


def run(cfg: DictConfig, console: Terminal, command: str) -> None:
    """Run what is missing, say what failed, and write the section and the page of all runs."""
    folder = place_of_results("folder", cfg.folder)
    chosen = jobs_of(cfg)
    again = require_flag("again", cfg.again)
    processes = require_integer("processes", cfg.processes)
    os.environ.update(ONE_THREAD)
    with only_one(folder, console.say):
        require_kept(folder)
        todo = [job for job in chosen if again or not job.path(folder / LINES).exists()]
        failed = run_all(todo, folder, processes, console)
        runs = list(lines(folder / LINES, chosen))
        about = (runs, command, conditions("torch", "numpy"), failed)
        write_whole(folder / ALL_RUNS, page(*about))
        write_whole(folder / SECTION, section(*about))
        seal(folder)


def jobs_of(cfg: DictConfig) -> list[Job]:
    """Return the runs of a configuration; without cases they are on independent variables alone.

    Raises:
        ValueError: if there is no such case, no run at all, or a number is out of range.
    """
    nulls = require_integer("nulls", cfg.nulls, minimum=0)
    alone = cfg.cases == [] and nulls > 0
    cases = [] if alone else chosen_names("cases", cfg.cases, CASES, SETS)
    return jobs(cases, require_integer("draws", cfg.draws), nulls)


def run_all(todo: Sequence[Job], folder: Path, processes: int, console: Terminal) -> int:
    """Run some jobs side by side, keep the line of each, say what fails, and return the number of failures."""
    workers: list[Worker] = []
    failed = 0
    with stage_progress(console) as progress, ThreadPoolExecutor(processes) as pool:
        bar = progress.add_task("verdicts", total=len(todo))
        try:
            found_of = pool.map(lambda job: computed(job, workers), todo)
            for number, (job, found) in enumerate(zip(todo, found_of, strict=True), 1):
                progress.update(bar, completed=number, description=f"verdicts, {job.case}")
                if isinstance(found, str):
                    failed += 1
                    console.say(f"{job.case}, draw {job.draw}: {found}")
                else:
                    write_whole(job.path(folder / LINES), json.dumps(found) + "\n")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.stop()
            raise
    return failed


def computed(job: Job, workers: list[Worker]) -> dict[str, Any] | str:
    """Return the line of a job from a process of its own, or what it said if it failed."""
    with Worker() as worker:
        workers.append(worker)
        try:
            (line,) = worker.run(ran, job.case, job.draw, seconds=None)
        except Exception as reason:  # whatever a discovery raises is told and tried again
            return f"{type(reason).__name__}: {reason}"
    return line
