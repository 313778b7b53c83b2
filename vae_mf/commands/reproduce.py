"""Make a figure of a paper again: run its stages, compute its tables, draw it; what is already there is not done again.

python scripts/reproduce.py figure=nguyen_berg_2
python scripts/reproduce.py figure=erasure_machine_4 figures.erasure_machine_4.tables.folder=FOLDER_OF_MNIST
"""

import shlex
import subprocess
import sys
from pathlib import Path

from hydra.utils import get_method, instantiate
from omegaconf import DictConfig
from rich.console import Console

from vae_mf.checks import require_choice
from vae_mf.plotting.style import save_figure
from vae_mf.runs.command import entry_point
from vae_mf.runs.folder import FIGURES
from vae_mf.tables import TABLES, read_tables, write_tables


def run_stage(command: str, paths: DictConfig) -> None:
    """Run another script, as in "train experiment=NAME", which skips what it has finished before.

    Raises:
        ValueError: if it fails.
    """
    script, *options = shlex.split(command)
    places = [f"paths.{name}={place}" for name, place in paths.items()]
    done = subprocess.run([sys.executable, "-m", f"vae_mf.commands.{script}", *options, *places])
    if done.returncode:
        raise ValueError(f"stages: expected {command!r} to succeed, got exit status {done.returncode}")


@entry_point("reproduce")
def main(cfg: DictConfig) -> None:
    """Run the stages of ``cfg.figure``, compute its tables unless they are there, and draw them."""
    name, console, folder = require_choice("figure", str(cfg.figure), cfg.figures), Console(), Path(cfg.folder)
    recipe = cfg.figures[name]
    for number, command in enumerate(recipe.get("stages", []), 1):
        console.rule(f"stage {number} of {len(recipe.stages)}: {command}")
        run_stage(command, cfg.paths)
    if not (folder / TABLES).exists():
        with console.status(f"computing {name}"):
            write_tables(folder, instantiate(recipe.tables))
    figure = get_method(recipe.draw)(read_tables(folder))
    console.print(f"figure: {save_figure(figure, folder / FIGURES, name)}", soft_wrap=True)


if __name__ == "__main__":
    main()
