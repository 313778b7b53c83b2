"""Run a benchmark whose answers are known, and write its leaderboard.

total-correlation holds estimators of nats against exact values, one's own among them; verdicts runs discoveries on data
whose truth is known; inverse-ising times estimators of couplings. Every answer is kept as it comes: the same command
goes on where it was stopped. The settings of now take a few minutes; those of docs/benchmarks/leaderboards.md are named
in conf/benchmark.

vae-mf benchmark total-correlation
vae-mf benchmark estimator=my_estimator.py:nats 'estimators=[chain_rule]'
vae-mf benchmark total-correlation cases=full rows=20000
"""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from vae_mf.benchmarks.leaderboard_page import PAGE, SECTION, page
from vae_mf.checks import require_choice, require_path
from vae_mf.commands.benchmark_choices import command_line
from vae_mf.files import write_whole
from vae_mf.runs.folder import FIGURES, place_of_results
from vae_mf.runs.sweeps import typed
from vae_mf.runs.terminal import Terminal

MODULES = {
    "total-correlation": "benchmark_nats",
    "verdicts": "benchmark_verdicts",
    "inverse-ising": "benchmark_couplings",
}
"""Module of every benchmark; what they import comes when one is chosen."""
STATED = {
    "total-correlation": ("cases", "rows"),
    "verdicts": ("cases", "draws", "nulls"),
    "inverse-ising": ("subjects", "models", "samples"),
}
"""Options that the command of a section tells, whether or not they were given."""


def main(cfg: DictConfig) -> None:
    """Run the benchmark of the configuration, and write the page of all that are done if it is asked for."""
    name = require_choice("subject", cfg.subject, MODULES)
    if not all(option in cfg for option in STATED[name]):
        raise ValueError(
            f"subject: expected the benchmark of the other options, got {name}: vae-mf benchmark {name} does"
        )
    target = None if cfg.page is None else page_at(cfg.page, place_of_results("folder", cfg.folder))
    console = Terminal()
    import_module(f"vae_mf.commands.{MODULES[name]}").run(cfg, console, command_of(name, cfg))
    console.place("answers and tables", cfg.folder)
    if target is not None:
        write_page(target, [Path(cfg.folder) if each == name else Path(cfg.folder).parent / each for each in MODULES])
        console.place("page", target)


def command_of(name: str, cfg: DictConfig) -> str:
    """Return the command that asks the same again, with the options that say most about it."""
    plain: Any = OmegaConf.to_container(cfg)
    options, folders = given()
    return command_line(name, options, {option: plain[option] for option in STATED[name]}, folders)


def given() -> tuple[list[str], list[str]]:
    """Return the options of the command line, and its folders of configurations."""
    hydra = HydraConfig.get()
    folders = [each.path for each in hydra.runtime.config_sources if each.provider == "command-line"]
    return typed(hydra), folders


def page_at(value: object, results: Path) -> Path:
    """Return the path of a page that can be written, before any work is done for it.

    Args:
        value: value of the option.
        results: folder of the benchmark, whose files are no pages.

    Raises:
        ValueError: unless it ends in .md, in a folder or where one can be made, and is nothing else already.
    """
    target = require_path("page", value)
    above = next(place for place in target.absolute().parents if place.exists())
    if target.suffix != ".md" or target.is_dir() or not above.is_dir() or not os.access(above, os.W_OK):
        raise ValueError(f"page: expected a file that ends in .md, in a folder, got {target}")
    if target.resolve().parent == results.resolve():
        raise ValueError(f"page: expected a file outside the folder of answers and tables, got {target}")
    if not is_free(target):
        raise ValueError(f"page: expected a new file or a page of leaderboards, got {target}, which is another")
    figure = target.with_suffix(".png")
    if figure.exists() and not target.exists():
        raise ValueError(f"page: expected a name of which there is no figure, got {target} beside {figure.name}")
    return target


def is_free(target: Path) -> bool:
    """Return whether a page can be written without the loss of anything but a former page of leaderboards."""
    head = PAGE.partition("\n")[0].encode()
    if not target.exists():
        return True
    with open(target, "rb") as file:
        return file.readline().strip() == head


def write_page(target: Path, folders: Sequence[Path]) -> None:
    """Write the page of the benchmarks in some folders, as far as they are done, with their first figure beside it."""
    sections = [each / SECTION for each in folders if (each / SECTION).is_file()]
    drawn = next((place for each in folders if (place := each / FIGURES / "leaderboard.png").is_file()), None)
    if drawn is not None:
        write_whole(target.with_suffix(".png"), drawn.read_bytes())
    texts = [section.read_text(encoding="utf-8") for section in sections]
    write_whole(target, page(texts, target.with_suffix(".png").name if drawn else None))
