"""The benchmark of estimators of couplings: CPU seconds and errors against logistic regressions."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from threadpoolctl import threadpool_limits

from vae_mf.benchmarks.conditions import conditions
from vae_mf.benchmarks.couplings import comparisons
from vae_mf.benchmarks.couplings.rows import Row, printed, section
from vae_mf.benchmarks.leaderboard_page import SECTION
from vae_mf.checks import require_flag, require_integer
from vae_mf.commands.benchmark_choices import chosen_names
from vae_mf.files import only_one, require_kept, seal, write_whole
from vae_mf.runs.folder import place_of_results
from vae_mf.runs.identity import digest
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.terminal import Terminal

ROWS = "rows"
"""Folder of a file for every part of the comparison."""
EQUILIBRIUM = "equilibrium"
OTHERS: dict[str, Callable[[], Iterator[Row]]] = {
    "kinetic": comparisons.kinetic,
    "boltzmann": comparisons.boltzmann,
    "erasure": comparisons.erasure,
    "large": comparisons.large,
}
Part = Callable[[], Iterator[Row]]


def parts_of(cfg: DictConfig) -> dict[str, Part]:
    """Return the parts of the comparison by their names: every model in equilibrium is one.

    Raises:
        ValueError: if there is no such subject or model, or a number is out of range.
    """
    found: dict[str, Part] = {}
    for subject in chosen_names("subjects", cfg.subjects, [EQUILIBRIUM, *OTHERS], {}):
        if subject != EQUILIBRIUM:
            found[subject] = OTHERS[subject]
            continue
        sizes = sizes_of(cfg.samples)
        for model in chosen_names("models", cfg.models, comparisons.CASES, {}):
            betas = comparisons.CASES[model]
            name = f"{model}-{digest(list(betas), sizes, comparisons.DRAWN)}"
            found[name] = partial(comparisons.equilibrium_of, model, betas, sizes)
    return found


def sizes_of(samples: Any) -> list[int]:
    """Return numbers of rows.

    Raises:
        ValueError: unless it is one, or a list of them.
    """
    sizes = samples if isinstance(samples, list | ListConfig) else [samples]
    if not sizes:
        raise ValueError("samples: expected numbers of rows, got none")
    return sorted({require_integer("samples", size, minimum=100) for size in sizes})


def run(cfg: DictConfig, console: Terminal, command: str) -> None:
    """Measure what is missing, and write and print the table."""
    folder = place_of_results("folder", cfg.folder)
    parts = parts_of(cfg)
    again = require_flag("again", cfg.again)
    with only_one(folder, console.say), stage_progress(console) as progress, threadpool_limits(1):
        require_kept(folder)
        missing = [name for name in parts if again or not file_of(folder, name).exists()]
        bar = progress.add_task("couplings", total=len(missing))
        if missing:
            comparisons.compile_all()
        for number, name in enumerate(missing):
            progress.update(bar, completed=number, description=f"couplings, {name.partition('-')[0]}")
            text = json.dumps([row._asdict() for row in parts[name]()], default=float)
            write_whole(file_of(folder, name), f"{text}\n")
        progress.update(bar, completed=len(missing), description="couplings")
        rows = read_rows(folder, list(parts))
        made_on = conditions("numpy", "scipy", "numba", "scikit-learn")
        write_whole(folder / SECTION, section(rows, command, made_on))
        seal(folder)
    console.print(printed(rows))


def file_of(folder: Path, name: str) -> Path:
    """Return the file of the rows of a part."""
    return folder / ROWS / f"{name}.json"


def read_rows(folder: Path, names: Sequence[str]) -> list[Row]:
    """Return the rows of all parts."""
    texts = (file_of(folder, name).read_text(encoding="utf-8") for name in names)
    return [Row(**row) for text in texts for row in json.loads(text)]
