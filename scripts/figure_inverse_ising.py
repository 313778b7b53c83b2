"""Draw a figure of the inverse-Ising sources again, from its tables, which are computed unless they are there.

python scripts/figure_inverse_ising.py figure=kinetic_errors
python scripts/figure_inverse_ising.py figure=erasure_machine_4 figures.erasure_machine_4.folder=FOLDER_OF_MNIST
"""

from pathlib import Path

from hydra.utils import get_method, instantiate
from omegaconf import DictConfig
from rich.console import Console

from vae_mf.checks import require_choice
from vae_mf.evaluation.tables import TABLES, read_tables, write_tables
from vae_mf.plotting.style import save_figure
from vae_mf.runs import FIGURES, entry_point


@entry_point("figure_inverse_ising")
def main(cfg: DictConfig) -> None:
    """Compute the tables of ``cfg.figure``, unless they are there, and draw them."""
    name, console, folder = require_choice("figure", cfg.figure, cfg.figures), Console(), Path(cfg.folder)
    if not (folder / TABLES).exists():
        with console.status(f"computing {name}"):
            write_tables(folder, instantiate(cfg.figures[name]))
    figure = get_method(cfg.drawings[name])(read_tables(folder))
    console.print(f"figure: {save_figure(figure, folder / FIGURES, name)}", soft_wrap=True)


if __name__ == "__main__":
    main()
