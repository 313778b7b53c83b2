"""Find collective variables and patterns in a binary file of any kind: one report in HTML.

A killed run, started again, goes on where it was.

vae-mf discover FILE
vae-mf discover FILE quick=true order=independent
vae-mf discover FILE truth=PATTERNS.npy discovery.selection.largest_latents=4
"""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.progress import BarColumn, TimeElapsedColumn

from vae_mf.checks import require_flag, require_integer, require_path
from vae_mf.commands.metrics import print_metrics
from vae_mf.datasets.file_formats import read_array
from vae_mf.discovery.report import DOCUMENT, report_on
from vae_mf.files import require_unchanged
from vae_mf.runs.folder import CONFIG, FINISHED
from vae_mf.runs.garbage import pass_by_imported
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.sweeps import typed
from vae_mf.runs.terminal import Description, Terminal
from vae_mf.tables import read_metrics


def with_quick_settings(cfg: DictConfig) -> DictConfig:
    """Return the configuration with the settings of a first look where quick=true asks for them."""
    return compose("discover", ["discovery=quick", *typed(HydraConfig.get())]) if cfg.quick else cfg


def data_name(given: str | None, dataset: str) -> str:
    """Return the name of the data in the report: that of the file, or of data that are fetched by name.

    >>> data_name("data/spikes.npy", "recording"), data_name(None, "retina")
    ('spikes.npy', 'retina')
    """
    return dataset if given is None else Path(given).name


def known(truth: Any) -> np.ndarray:
    """Return the true patterns in a file."""
    place = require_path("truth", truth)
    try:
        return read_array(place)
    except (ValueError, OSError) as error:
        raise ValueError(f"truth: {error}") from error


def report(cfg: DictConfig, console: Terminal) -> None:
    """Read, discover what is not yet known, write the report and print its key numbers."""
    pass_by_imported()
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    if not isinstance(cfg.quick, bool):
        raise ValueError(f"quick: expected true or false, got {cfg.quick!r}")
    folder = require_path("folder", cfg.folder)
    recording = build_recording(cfg.dataset)
    truth = None if cfg.truth is None else known(cfg.truth)
    columns = Description(), BarColumn(), TimeElapsedColumn()
    if not require_flag("force", cfg.force) and (folder / CONFIG).exists():
        require_unchanged(folder)
        console.say(FINISHED)
    with stage_progress(console, *columns) as progress:
        report_on(
            recording,
            cfg.discovery,
            cfg.seed,
            given=[word.partition("=")[0].removeprefix("discovery.") for word in typed(HydraConfig.get())],
            order=cfg.order,
            truth=truth,
            folder=folder,
            name=data_name(cfg.name, HydraConfig.get().runtime.choices["dataset"]),
            device=cfg.device,
            call=shlex.join(["vae-mf", "discover", *typed(HydraConfig.get())]),
            progress=progress,
            closing=OmegaConf.to_yaml(cfg),
            force=cfg.force,
        )
    print_metrics(read_metrics(folder), console)
    console.place("report", folder / DOCUMENT)


def main(cfg: DictConfig) -> None:
    """Report on a file; where the user stops it, say how to go on."""
    chosen = with_quick_settings(cfg)
    try:
        report(chosen, Terminal())
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"the same command goes on where it was, in {chosen.folder}") from stop
