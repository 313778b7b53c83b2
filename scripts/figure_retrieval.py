"""Draw what a Hopfield network recalls from corrupted patterns, against its load P / N, beside the theory.

The table is computed once for every configuration; started again, the command only draws.

python scripts/figure_retrieval.py
python scripts/figure_retrieval.py 'sizes=[500,4000]' 'temperatures=[0.0]' networks=50
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from vae_mf.plotting.figures import draw_retrieval
from vae_mf.plotting.style import save_figure
from vae_mf.runs.command import entry_point
from vae_mf.runs.folder import FIGURES
from vae_mf.samplers.retrieval import load_curve
from vae_mf.studies.retrieval import infinite_overlaps, simulated_overlaps
from vae_mf.tables import TABLES, read_tables, write_tables

NAME = "retrieval"


def simulate(cfg: DictConfig, console: Console) -> pd.DataFrame:
    """Run the dynamics at every temperature, size and load, and solve the theory."""
    options = {name: cfg[name] for name in ("networks", "corruption", "starts", "sweeps", "seed", "threads")}
    loads = np.linspace(min(cfg.loads), max(cfg.loads), cfg.theory_loads)
    parts = [infinite_overlaps(loads, temperature) for temperature in cfg.temperatures]
    for temperature, sites in track(list(product(cfg.temperatures, cfg.sizes)), "recalling", console=console):
        curve = load_curve(sites, list(cfg.loads), temperature=temperature, **options)
        parts.append(simulated_overlaps(curve, sites, temperature))
    return pd.concat(parts, ignore_index=True)


@entry_point("figure_retrieval")
def main(cfg: DictConfig) -> None:
    """Compute the table, unless it is there, and draw it."""
    folder = Path(cfg.folder)
    console = Console()
    if not (folder / TABLES / f"{NAME}.csv").exists():
        write_tables(folder, {NAME: simulate(cfg, console)})
    figure = draw_retrieval(read_tables(folder)[NAME])
    console.print(f"figure: {save_figure(figure, folder / FIGURES, NAME)}", soft_wrap=True)


if __name__ == "__main__":
    main()
