"""What is in my data? How many collective variables, which patterns, how sure: one report in HTML, for any binary file.

A killed run, started again, goes on where it was.

python scripts/discover.py dataset.path=FILE
python scripts/discover.py dataset.path=FILE quick=true order=independent
python scripts/discover.py dataset.path=FILE dataset.cells=40 truth=PATTERNS.npy +settings.largest_latents=4
"""

import sys
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

from vae_mf.checks import require_integer
from vae_mf.datasets.user_arrays import read_array
from vae_mf.discover import DOCUMENT, discover
from vae_mf.evaluation.tables import read_metrics, summary
from vae_mf.runs import CONFIG, entry_point


@entry_point("discover")
def main(cfg: DictConfig) -> None:
    """Read, discover what is not yet known, write the report and print its key numbers."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console, folder = Console(), Path(cfg.folder)
    recording = instantiate(cfg.dataset.read)
    truth = None if cfg.truth is None else read_array(cfg.truth)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    # As for PyTorch, a second thread of linear algebra gains little on an idle machine and loses much on a busy one.
    with threadpool_limits(cfg.torch_threads), Progress(*columns, console=console) as progress:
        discover(
            recording,
            order=cfg.order,
            truth=truth,
            quick=cfg.quick,
            folder=folder,
            name=Path(cfg.name).name,
            call=" ".join(["python scripts/discover.py", *sys.argv[1:]]),
            progress=progress,
            seed=cfg.seed,
            **cfg.settings,
        )
    (folder / CONFIG).write_text(OmegaConf.to_yaml(cfg))
    table = Table("metric", "value")
    for row in summary(read_metrics(folder)):
        table.add_row(*row)
    console.print(table)
    console.print(f"report: {folder / DOCUMENT}", soft_wrap=True)


if __name__ == "__main__":
    main()
