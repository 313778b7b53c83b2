"""The benchmark of estimators of nats: questions, answers that are kept as they come, and their leaderboard."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.progress import Progress
from rich.table import Table

from vae_mf import __version__
from vae_mf.benchmarks.asking import read_problem, save_problem
from vae_mf.benchmarks.conditions import conditions
from vae_mf.benchmarks.leaderboard import ANSWERS, BOARD, SCORES, Tolerances, in_bits, leaderboard, scored
from vae_mf.benchmarks.leaderboard_page import SECTION, board_lines, section
from vae_mf.benchmarks.problems import Source
from vae_mf.checks import require_flag, require_integer, require_memory, require_positive, shown
from vae_mf.commands.asked import Answer, answers, file_digest, own_answers, parted, tried
from vae_mf.commands.benchmark_choices import chosen_names
from vae_mf.commands.limited import Worker
from vae_mf.files import (
    SEAL,
    discarded_if_refused,
    only_one,
    replacing,
    require_unchanged,
    require_unlinked,
    seal,
    write_whole,
)
from vae_mf.plotting.leaderboards import leaderboard_figure
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.folder import FIGURES, place_of_results
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import PARTIAL, instantiate, locate
from vae_mf.runs.names import TARGET
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import TABLES, read_csv, write_tables

SAMPLES = "samples"
"""Folder of the problems as they were drawn."""
QUICK, FULL, ALL = "quick", "full", "all"
OWN = "own"
"""Prefix of the name of an estimator of the user's."""
PRINTED = "printed.txt"
"""File of what it prints, if it prints anything."""
ROW_BYTES = 2000
"""Bytes that a row of a problem takes at least while it is drawn and asked about."""
IMPORT_SECONDS = 60.0
"""Processor time in which it is to be imported, a quarter of the time that this may wait."""


class Task(NamedTuple):
    """One question: a problem and an estimator."""

    problem: str
    estimator: str
    key: str
    """Digest of all that the answer depends on."""


class Setup(NamedTuple):
    """Questions of a benchmark, and where their answers are kept."""

    folder: Path
    seed: int
    rows: int
    problems: dict[str, dict[str, Any]]
    """Node of every problem that was chosen, by its name."""
    methods: dict[str, Any]
    """Node, or name of a function, of every estimator."""
    seconds: float | None
    """Processor time of an answer at most."""


def setup_of(cfg: DictConfig) -> Setup:
    """Return the questions of a configuration.

    Raises:
        ValueError: if a number is out of range, a name is none of those that there are, or an estimator of one's own
            cannot be imported.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    known = known_problems(plain["problems"])
    sets = {QUICK: [name for name, each in known.items() if each["quick"]], FULL: list(known)}
    setup = Setup(
        folder=place_of_results("folder", cfg.folder),
        seed=require_integer("seed", cfg.seed, minimum=0),
        rows=require_integer("rows", cfg.rows, minimum=100),
        problems={name: known[name] for name in chosen_names("cases", plain["cases"], known, sets)},
        methods=chosen_methods(plain),
        seconds=None if cfg.time_limit is None else require_positive("time_limit", cfg.time_limit),
    )
    require_memory("rows", ROW_BYTES * setup.rows, "give fewer")
    if cfg.estimator is not None:
        try_import(own_name(cfg.estimator))
    return setup


def known_problems(nodes: Any) -> dict[str, dict[str, Any]]:
    """Return the nodes of problems by their names.

    Raises:
        ValueError: unless it is a list of nodes with a name and whether each is quick.
    """
    if not isinstance(nodes, list) or not all(
        isinstance(each, dict) and {"name", "quick"} <= set(each) for each in nodes
    ):
        raise ValueError(f"problems: expected a list of data sets with name, quick and {TARGET}, got {shown(nodes)}")
    return {each["name"]: each for each in nodes}


def chosen_methods(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the nodes of the estimators that were chosen, and the name of one's own.

    Raises:
        ValueError: if there is no such estimator, or one of its options is of another kind.
    """
    methods, own = plain["methods"], plain["estimator"]
    alone = own is not None and not plain["estimators"]
    names = [] if alone else chosen_names("estimators", plain["estimators"], methods, {ALL: methods})
    chosen = {name: methods[name] for name in names}
    instantiate(plain["network"], place="network")  # refuses what every question would be answered with
    for name, node in chosen.items():
        instantiate(node, place=f"methods.{name}")
    return chosen if own is None else chosen | {f"{OWN} {parted(own)[1]}": own_name(own)}


def own_name(estimator: str) -> str:
    """Return the name of a user's function, a file by its whole path."""
    place, function = parted(estimator)
    return f"{Path(place).expanduser().resolve()}:{function}" if place.endswith(".py") else estimator


def try_import(estimator: str) -> None:
    """Import an estimator of one's own in a process of its own, whatever that does to it.

    Raises:
        ValueError: unless it is imported.
    """
    with Worker() as worker:
        try:
            list(worker.run(tried, estimator, seconds=IMPORT_SECONDS))
        except (RuntimeError, TimeoutError) as error:
            raise ValueError(f"estimator: expected a module that is imported, got {estimator}: {error}") from error


def tasks_of(setup: Setup) -> list[Task]:
    """Return all questions, problem by problem."""
    return [
        Task(problem, method, digest(node, setup.methods[method], setup.rows, setup.seed))
        for problem, node in setup.problems.items()
        for method in setup.methods
    ]


def build(node: dict[str, Any]) -> Callable[..., Any]:
    """Return the estimator of a node of the configuration."""
    options = {key: instantiate(value) for key, value in node.items() if key not in (TARGET, PARTIAL)}
    return partial(locate(node[TARGET]), **options)  # whose arguments can still be told


def source_of(node: dict[str, Any]) -> Source:
    """Return the law of a problem."""
    return instantiate({key: value for key, value in node.items() if key not in ("name", "quick")})


def file_of(setup: Setup, problem: str) -> Path:
    """Return the file of the rows of a problem, drawn unless they are there."""
    node = setup.problems[problem]
    path = setup.folder / SAMPLES / f"{digest(node, setup.rows, setup.seed)}.npz"
    if not path.exists():
        drawn = source_of(node).draw(setup.rows, integer(setup.seed, "problem", problem))
        with replacing(path) as place:
            save_problem(place, drawn)
    return path


def answered(worker: Worker, setup: Setup, task: Task) -> dict[str, Any]:
    """Return the row of an answer, or with the remark why there is none."""
    source = source_of(setup.problems[task.problem])
    path = file_of(setup, task.problem)
    variables = read_problem(path).rows.shape[1]
    row = {"problem": task.problem, "quantity": source.quantity, "variables": variables, "rows": setup.rows}
    row |= {"exact": source.exact, "estimator": task.estimator, "value": float("nan"), "error": float("nan")}
    row |= {"cpu_seconds": float("nan"), "remark": "", "key": task.key, "sources": "", "version": __version__}
    method = setup.methods[task.estimator]
    try:
        if isinstance(method, dict):
            (answer,) = worker.run(answers, build, method, str(path), seconds=setup.seconds)
        else:
            with Worker() as alone:  # what it leaves behind is in the way of no other answer
                log = str(setup.folder / PRINTED)
                (answer,) = alone.run(own_answers, method, str(path), log, seconds=setup.seconds)
        return row | Answer(*answer)._asdict()
    except Exception as reason:  # whatever a function of the user's raises is its remark
        return row | {"remark": " ".join(f"{reason}".split()) or type(reason).__name__}


def compare(setup: Setup, tolerances: Tolerances, progress: Progress, again: bool) -> pd.DataFrame:
    """Ask what was not asked before, or all again, and return the table of all answers, written after each."""
    folder = setup.folder
    require_unchanged(folder)
    (folder / PRINTED).unlink(missing_ok=True)
    tasks = tasks_of(setup)
    kept = former_answers(folder)
    missing = [task for task in tasks if again or task.key not in kept]
    bar = progress.add_task("answers", total=len(missing))
    with Worker() as worker:
        for number, task in enumerate(missing):
            progress.update(bar, completed=number, description=f"{task.problem}: {task.estimator}")
            kept[task.key] = answered(worker, setup, task)
            (folder / SEAL).unlink(missing_ok=True)
            write_tables(folder, {ANSWERS: pd.DataFrame(list(kept.values()))})
            seal(folder)
    progress.update(bar, completed=len(missing), description="answers")
    return scored([kept[task.key] for task in tasks], tolerances)


def former_answers(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of former calls by their keys, without those that are asked for again.

    They lack an answer, or are of another version, or of a file of the user's as it was before.
    """
    path = folder / TABLES / f"{ANSWERS}.csv"
    if not path.exists():
        return {}
    table = read_csv(path, dtype={"key": str, "remark": str, "sources": str, "version": str})
    return {row["key"]: row for row in table[table.value.notna()].to_dict("records") if is_of_now(row)}


def is_of_now(row: dict[str, Any]) -> bool:
    """Return whether this version and the user's files that an answer came from are as they were."""
    version = row.get("version")
    if isinstance(version, str) and version != __version__:
        return False
    sources = row.get("sources")
    files = json.loads(sources) if isinstance(sources, str) and sources else {}
    return all(file_digest(Path(file)) == digest for file, digest in files.items())


def printed(board: pd.DataFrame) -> Table:
    """Return the leaderboard for a terminal."""
    head, *lines = board_lines(board)
    table = Table(*head, box=box.SIMPLE, padding=0, pad_edge=False)
    for line in lines:
        table.add_row(*(entry.replace("\\", "") for entry in line))
    return table


def run(cfg: DictConfig, console: Terminal, command: str) -> None:
    """Ask the estimators of nats, and write and print their leaderboard.

    Args:
        cfg: configuration of the benchmark.
        console: terminal of the command.
        command: command that asks the same.
    """
    tolerances = Tolerances(cfg.tolerance.absolute, cfg.tolerance.relative)
    again = require_flag("again", cfg.again)
    setup = setup_of(cfg)
    refused = discarded_if_refused(setup.folder, f"{TABLES}/{ANSWERS}.csv")
    with refused, only_one(setup.folder, console.say), stage_progress(console) as progress:
        require_unlinked(setup.folder / FIGURES, setup.folder / SAMPLES)
        scores = compare(setup, tolerances, progress, again)
        board = leaderboard(scores)
        (setup.folder / SEAL).unlink(missing_ok=True)
        write_tables(setup.folder, {SCORES: scores, BOARD: board})
        save_figure(leaderboard_figure(scores, board), setup.folder / FIGURES, "leaderboard")
        write_whole(setup.folder / SECTION, section(scores, board, command, conditions("torch", "numpy"), tolerances))
        seal(setup.folder)
    console.print(printed(board))
    say_more(setup, scores, console)


def say_more(setup: Setup, scores: pd.DataFrame, console: Terminal) -> None:
    """Say which answers there are none of and why, which may be in bits, and where prints are."""
    for row in scores[scores.value.isna()].to_dict("records"):
        console.say(f"{row['estimator']}, {row['problem']}: no answer: {row['remark']}")
    for name in in_bits(scores):
        console.say(f"{name}: most answers are 1.44 times the exact nats; are they bits, of which one is 0.693 nats?")
    log = setup.folder / PRINTED
    if log.exists() and log.stat().st_size:
        console.place("printed by one's own estimator", log)
