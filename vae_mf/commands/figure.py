"""Draw the figures of a run again from its saved tables, without computing anything.

vae-mf figure outputs/hopfield_quick-0123456789
vae-mf figure run=outputs/retina-0123456789
vae-mf figure 'outputs/run (1)'
"""

from pathlib import Path

from matplotlib.figure import Figure
from omegaconf import DictConfig

from vae_mf.checks import require_path
from vae_mf.files import only_one, require_unlinked
from vae_mf.plotting.runs import draw_run
from vae_mf.plotting.style import save_figure
from vae_mf.runs.folder import FIGURES
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import TABLES, read_tables


def drawn(folder: Path) -> dict[str, Figure]:
    """Return the figures of the tables in a folder.

    Raises:
        ValueError: if they are no tables of a run, whatever else they hold.
    """
    tables = read_tables(folder)
    try:
        return draw_run(tables)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"run: expected tables that train has written, got {', '.join(tables)} with other columns or values in "
            f"{folder / TABLES}"
        ) from error


def main(cfg: DictConfig) -> None:
    """Read the tables of ``cfg.run`` and save every figure beside them."""
    folder = require_path("run", cfg.run)
    require_unlinked(folder / FIGURES)
    figures = drawn(folder)
    console = Terminal()
    with only_one(folder, console.say):
        for name, figure in figures.items():
            console.place("figure", save_figure(figure, folder / FIGURES, name))
