"""The benchmark of estimators of nats: questions, answers that are kept as they come, and their leaderboard."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.progress import Progress
from rich.table import Table

from vae_mf.benchmarks.asking import Answer, answers, located, read_problem, save_problem
from vae_mf.benchmarks.conditions import conditions
from vae_mf.benchmarks.leaderboard import ANSWERS, BOARD, SCORES, Tolerances, leaderboard, scored
from vae_mf.benchmarks.leaderboard_page import SECTION, board_lines, section
from vae_mf.benchmarks.problems import Source
from vae_mf.checks import require_integer, require_positive
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
        ValueError: if a number is out of range, or a name is none of those that there are.
    """
    problems: Any = OmegaConf.to_container(cfg.problems, resolve=True)
    every: Any = OmegaConf.to_container(cfg.methods, resolve=True)
    known = {each["name"]: each for each in problems}
    quick = [name for name, each in known.items() if each["quick"]]
    cases = {QUICK: quick, FULL: list(known)}.get(cfg.cases) if isinstance(cfg.cases, str) else list(cfg.cases)
    methods = list(every) if cfg.estimators == ALL else cfg.estimators
    alone = cfg.estimator is not None and not methods
    chosen = {} if alone else {name: every[name] for name in named("estimators", methods, every)}
    if cfg.estimator is not None:
        located(cfg.estimator)
        chosen[f"{OWN} {cfg.estimator.rpartition(':')[2]}"] = own_name(cfg.estimator)
    return Setup(
        folder=place_of_results("folder", cfg.folder),
        seed=require_integer("seed", cfg.seed, minimum=0),
        rows=require_integer("rows", cfg.rows, minimum=100),
        problems={name: known[name] for name in named("cases", cfg.cases if cases is None else cases, known)},
        methods=chosen,
        seconds=None if cfg.time_limit is None else require_positive("time_limit", cfg.time_limit),
    )


def own_name(estimator: str) -> str:
    """Return the name of a user's function, a file by its whole path."""
    place, _, function = estimator.rpartition(":")
    return f"{Path(place).resolve()}:{function}" if place.endswith(".py") else estimator


def named(option: str, chosen: Any, known: Any) -> list[str]:
    """Return names that were chosen, if there is each of them.

    Raises:
        ValueError: if there is not, or they are no list.
    """
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    for name in names:
        if name not in known:
            raise ValueError(f"{option}: expected some of {', '.join(known)}, got {name}")
    if not names:
        raise ValueError(f"{option}: expected some of {', '.join(known)}, got none")
    return names


def tasks_of(setup: Setup) -> list[Task]:
    """Return all questions, problem by problem."""
    text = {name: node if isinstance(node, dict) else own_text(node) for name, node in setup.methods.items()}
    return [
        Task(problem, method, digest(node, text[method], setup.rows, setup.seed))
        for problem, node in setup.problems.items()
        for method in setup.methods
    ]


def own_text(estimator: str) -> str:
    """Return what an answer of a user's function depends on: its name, and the text of its file or module."""
    place = estimator.rpartition(":")[0]
    module = None if place.endswith(".py") else find_spec(place)
    path = Path(module.origin if module and module.origin else place)
    return estimator + (path.read_text(encoding="utf-8") if path.is_file() else "")


def build(node: Any) -> Callable[..., Any]:
    """Return the estimator of a node of the configuration, or of the name of a function."""
    if not isinstance(node, dict):
        return located(node)
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
    row |= {"cpu_seconds": float("nan"), "remark": "", "key": task.key}
    try:
        asked = worker.run(answers, build, setup.methods[task.estimator], str(path), seconds=setup.seconds)
        (answer,) = list(asked)
        return row | Answer(*answer)._asdict()
    except Exception as reason:  # whatever a function of the user's raises is its remark
        return row | {"remark": " ".join(f"{reason}".split()) or type(reason).__name__}


def compare(setup: Setup, tolerances: Tolerances, progress: Progress) -> pd.DataFrame:
    """Ask what was not asked before, and return the table of all answers, written after each."""
    folder = setup.folder
    require_unchanged(folder)
    tasks = tasks_of(setup)
    kept = former_answers(folder)
    missing = [task for task in tasks if task.key not in kept]
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
    """Return the rows of former calls by their keys, without those that lack an answer, which are asked for again."""
    path = folder / TABLES / f"{ANSWERS}.csv"
    if not path.exists():
        return {}
    table = read_csv(path, dtype={"key": str, "remark": str})
    return {row["key"]: row for row in table[table.value.notna()].to_dict("records")}


def printed(board: pd.DataFrame) -> Table:
    """Return the leaderboard for a terminal."""
    head, *lines = board_lines(board)
    table = Table(*head, box=box.SIMPLE, padding=0, pad_edge=False)
    for line in lines:
        table.add_row(*(entry.replace("\\", "") for entry in line))
    return table


def run(cfg: DictConfig, console: Terminal) -> None:
    """Ask the estimators of nats, and write and print their leaderboard."""
    setup = setup_of(cfg)
    tolerances = Tolerances(cfg.tolerance.absolute, cfg.tolerance.relative)
    refused = discarded_if_refused(setup.folder, f"{TABLES}/{ANSWERS}.csv")
    with refused, only_one(setup.folder, console.say), stage_progress(console) as progress:
        require_unlinked(setup.folder / FIGURES, setup.folder / SAMPLES)
        scores = compare(setup, tolerances, progress)
        board = leaderboard(scores)
        (setup.folder / SEAL).unlink(missing_ok=True)
        write_tables(setup.folder, {SCORES: scores, BOARD: board})
        save_figure(leaderboard_figure(scores, board), setup.folder / FIGURES, "leaderboard")
        command = f"vae-mf benchmark total-correlation cases={cfg.cases} rows={setup.rows}"
        write_whole(setup.folder / SECTION, section(scores, board, command, conditions("torch", "numpy"), tolerances))
        seal(setup.folder)
    console.print(printed(board))
    for row in scores[scores.value.isna()].to_dict("records"):
        console.say(f"{row['estimator']}, {row['problem']}: no answer: {row['remark']}")
