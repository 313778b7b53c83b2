"""Run a benchmark whose answers are known, and write its leaderboard.

total-correlation holds estimators of nats against exact values, one's own among them; verdicts runs discoveries on data
whose truth is known; inverse-ising times estimators of couplings. Every answer is kept as it comes: the same command
goes on where it was stopped. The settings of now take a few minutes; those of docs/benchmarks/leaderboards.md are named
in conf/benchmark.

vae-mf benchmark total-correlation
vae-mf benchmark estimator=my_estimator.py:nats 'estimators=[chain_rule]'
vae-mf benchmark total-correlation cases=full rows=20000
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from omegaconf import DictConfig

from vae_mf.benchmarks.leaderboard_page import SECTION, page
from vae_mf.checks import require_choice, require_path
from vae_mf.files import write_whole
from vae_mf.runs.folder import FIGURES
from vae_mf.runs.terminal import Terminal

MODULES = {
    "total-correlation": "benchmark_nats",
    "verdicts": "benchmark_verdicts",
    "inverse-ising": "benchmark_couplings",
}
"""Module of every benchmark; what they import comes when one is chosen."""


def main(cfg: DictConfig) -> None:
    """Run the benchmark of the configuration, and write the page of all that are done if it is asked for."""
    name = require_choice("subject", cfg.subject, MODULES)
    target = None if cfg.page is None else page_at(cfg.page)
    console = Terminal()
    import_module(f"vae_mf.commands.{MODULES[name]}").run(cfg, console)
    console.place("answers and tables", cfg.folder)
    if target is not None:
        write_page(target, [Path(cfg.folder) if each == name else Path(cfg.folder).parent / each for each in MODULES])
        console.place("page", target)


def page_at(value: object) -> Path:
    """Return the path of a page that can be written, before any work is done for it.

    Raises:
        ValueError: unless it ends in .md, in a folder or where one can be made, and is no folder itself.
    """
    target = require_path("page", value)
    above = next(place for place in target.absolute().parents if place.exists())
    if target.suffix != ".md" or target.is_dir() or not above.is_dir():
        raise ValueError(f"page: expected a file that ends in .md, in a folder, got {target}")
    return target


def write_page(target: Path, folders: Sequence[Path]) -> None:
    """Write the page of the benchmarks in some folders, as far as they are done, with their first figure beside it."""
    sections = [each / SECTION for each in folders if (each / SECTION).is_file()]
    drawn = next((place for each in folders if (place := each / FIGURES / "leaderboard.png").is_file()), None)
    if drawn is not None:
        write_whole(target.with_suffix(".png"), drawn.read_bytes())
    texts = [section.read_text(encoding="utf-8") for section in sections]
    write_whole(target, page(texts, target.with_suffix(".png").name if drawn else None))
