"""Make a figure of a paper again: run its stages, compute its tables, draw it.

Finished stages are not computed again.

vae-mf reproduce 3
vae-mf reproduce 5 dataset.path=bint_fishmovie32_100.mat
vae-mf reproduce retrieval 'figures.retrieval.tables.sizes=[500,4000]'
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from omegaconf import DictConfig, OmegaConf

from vae_mf.checks import require_choice, require_path
from vae_mf.files import only_one, require_unlinked
from vae_mf.plotting.style import save_figure
from vae_mf.runs.command import FULL_ERROR
from vae_mf.runs.folder import FIGURES
from vae_mf.runs.instantiate import instantiate, locate
from vae_mf.runs.status import STOPPED, TERMINATED, Terminated
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import TABLES, read_tables, write_tables

TRAIN = "train"


def stages_of(cfg: DictConfig) -> list[list[str]]:
    """Return the commands of the stages of a figure, with the folders in which models and samples belong.

    Raises:
        ValueError: if they need a recording and none is given.
    """
    recipe = cfg.figures[str(cfg.figure)]
    if cfg.dataset.path is None and "${dataset.path}" in OmegaConf.to_yaml(recipe):
        raise ValueError(f"dataset.path: expected the file of a recording, which figure={cfg.figure} needs, got none")
    places = [f"paths.{name}={place}" for name, place in cfg.paths.items()]
    stages = (list(map(str, stage)) for stage in recipe.get("stages", []))
    return [[*stage, *places] if stage[0] == TRAIN else stage for stage in stages]


def run_stage(words: Sequence[str]) -> None:
    """Run another command, which skips what it has finished before.

    Raises:
        ValueError: if it fails.
    """
    # Hydra is made to raise here; a stage is to end with one line.
    stage = subprocess.Popen([sys.executable, "-m", "vae_mf", *words], env=os.environ | {FULL_ERROR: "0"})
    try:
        status = stage.wait()
    except KeyboardInterrupt as stop:
        if isinstance(stop, Terminated):  # which the keyboard would have told the stage, too
            stage.terminate()
        status = stage.wait()
    if status in (STOPPED, TERMINATED):
        sys.exit(status)  # the stage was stopped as well, and has said so
    if status:
        raise ValueError(f"stages: expected {shlex.join(words)} to succeed, got exit status {status}")


def drawn(draw: Callable[[dict[str, pd.DataFrame]], Figure], folder: Path) -> Figure:
    """Return the figure of the tables in a folder.

    Raises:
        ValueError: if they are others than those that the figure is drawn from.
    """
    tables = read_tables(folder)
    try:
        return draw(tables)
    except (LookupError, AttributeError, TypeError) as error:
        raise ValueError(
            f"folder: expected the tables that this figure is drawn from, got {', '.join(tables)} in {folder / TABLES} "
            "with other columns or values, perhaps by another version; remove that folder to compute them again"
        ) from error


def main(cfg: DictConfig) -> None:
    """Run the stages of ``cfg.figure``, compute its tables unless they are there, and draw them."""
    name = require_choice("figure", str(cfg.figure), cfg.figures)
    console = Terminal()
    folder = require_path("folder", cfg.folder)
    recipe = cfg.figures[name]
    stages = stages_of(cfg)
    for number, words in enumerate(stages, 1):
        console.rule(f"stage {number} of {len(stages)}: {shlex.join(words)}")
        run_stage(words)
    with only_one(folder, console.say):
        require_unlinked(folder / FIGURES)
        if not (folder / TABLES).exists():
            with console.status(f"computing {name}"):
                write_tables(folder, instantiate(recipe.tables))
        figure = save_figure(drawn(locate(recipe.draw), folder), folder / FIGURES, name)
    console.place("figure", figure)
