"""What is in my data? How many collective variables, which patterns, how sure: one report in HTML, for any binary file.

A killed run, started again, goes on where it was.

python scripts/discover.py dataset.path=FILE
python scripts/discover.py dataset.path=FILE quick=true order=independent
python scripts/discover.py dataset.path=FILE dataset.variables=40 truth=PATTERNS.npy +settings.largest_latents=4
"""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

from vae_mf.checks import require_integer
from vae_mf.datasets.file_formats import read_array
from vae_mf.discovery.report import DOCUMENT, discover
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.files import again_of, put_in_place, write_whole
from vae_mf.runs.command import entry_point
from vae_mf.runs.folder import CONFIG, FINISHED
from vae_mf.runs.progress import stage_progress
from vae_mf.tables import read_metrics, summary

STOPPED = 130
"""Exit status of a command that was stopped from the keyboard, by the shell's convention."""


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """Return the settings that are asked for; ValueError if one of them is none."""
    known = [field.name for field in fields(DiscoverySettings)]
    given = cfg.settings if OmegaConf.is_dict(cfg.settings) else {str(cfg.settings): None}
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise ValueError(f"settings: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    return {"seed": cfg.seed, **given}


def settled(folder: Path, force: bool, console: Console) -> Path:
    """Return the folder to work in: a finished one itself, or by force another that will replace it."""
    put_in_place(folder, CONFIG)
    if not (folder / CONFIG).exists():
        return folder
    if force:
        return again_of(folder)
    console.print(FINISHED)
    return folder


def report(cfg: DictConfig, console: Console) -> None:
    """Read, discover what is not yet known, write the report and print its key numbers."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    if not isinstance(cfg.folder, str):
        raise ValueError(f"folder: expected a path, got {cfg.folder!r}")
    settings, folder = settings_of(cfg), Path(cfg.folder)
    recording = instantiate(cfg.dataset.read)
    truth = None if cfg.truth is None else read_array(str(cfg.truth))
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    again = settled(folder, cfg.force, console)
    # As for PyTorch, a second thread of linear algebra gains little on an idle machine and loses much on a busy one.
    with threadpool_limits(cfg.torch_threads), stage_progress(console, *columns) as progress:
        discover(
            recording,
            order=cfg.order,
            truth=truth,
            quick=cfg.quick,
            folder=again,
            name=Path(str(cfg.name)).name,
            call=" ".join(["python scripts/discover.py", *sys.argv[1:]]),
            progress=progress,
            **settings,
        )
    write_whole(again / CONFIG, OmegaConf.to_yaml(cfg))
    put_in_place(folder, CONFIG)
    table = Table("metric", "value")
    for row in summary(read_metrics(folder)):
        table.add_row(*row)
    console.print(table)
    console.print(f"report: {folder / DOCUMENT}", soft_wrap=True)


@entry_point("discover")
def main(cfg: DictConfig) -> None:
    """Report on a file; where the user stops it, say how to go on."""
    try:
        report(cfg, Console())
    except KeyboardInterrupt:
        Console(stderr=True).print(f"stopped; the same command goes on where it was, in {cfg.folder}", soft_wrap=True)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
