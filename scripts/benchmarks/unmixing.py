"""Shares of recovered patterns against their number, from exact spaces, trained decoders and classical routes.

Numbers are those of conf/unmixing.yaml. Every instance leaves its own file: what is there is not computed again.

    python scripts/train.py -m experiment=hopfield_load system.patterns=3,8,16,24,36 seed=0,1,2,3,4
    python scripts/benchmarks/unmixing.py --runs 'outputs/hopfield_load-*'
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from baselines.configuration import composed
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track
from rich.table import Table

from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.datamodule import split_store
from vae_mf.files import write_whole
from vae_mf.plotting.decoding import draw_unmixing
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.folder import FIGURES, Run, find_runs
from vae_mf.runs.models import load
from vae_mf.store.sample_store import open_store
from vae_mf.studies.pattern_load import Unmixing, exact_space, load_curves, recovery_table, sample_spaces
from vae_mf.tables import write_tables

INSTANCES = "instances"
SUBJECTS = ("exact", "exact_large", "runs")
COLUMNS = ("space", "unmixing", "N", "P", "recovered", "solved", "mean overlap", "min overlap", "CPU s")

Instance = tuple[str, Callable[[], pd.DataFrame]]
"""Name of an instance, and a function that computes its rows."""


def instances(cfg: DictConfig, subjects: list[str]) -> Iterator[Instance]:
    """Yield every instance of the subjects, the small ones first."""
    settings = instantiate(cfg.unmixing)
    for subject in subjects:
        if subject != "runs":
            yield from exact_instances(cfg[subject], cfg.seed, settings)
        elif cfg.runs:
            for run in find_runs(cfg.runs):
                yield run.folder.name, partial(trained_rows, run, settings)


def exact_instances(part: DictConfig, seed: int, settings: Unmixing) -> Iterator[Instance]:
    """Yield the instances of exact spaces of one part of the configuration."""
    for sites, loads in part.loads.items():
        for patterns, number in product(loads, range(part.instances)):
            compute = partial(exact_rows, sites, patterns, integer(seed, "instance", number), settings)
            yield f"exact-{sites}-{patterns}-{number}", compute


def exact_rows(sites: int, patterns: int, seed: int, settings: Unmixing) -> pd.DataFrame:
    """Return what is recovered from the exact column space of random patterns."""
    directions, truth = exact_space(sites, patterns, seed)
    return recovery_table({"exact": directions}, truth, settings)


def trained_rows(run: Run, settings: Unmixing) -> pd.DataFrame:
    """Return what is recovered from the decoder of a run, and by the classical routes from the samples it saw."""
    system = instantiate(run.config.system)
    recipe = run.config.training
    vae = load(run.folder).vae
    train = split_store(open_store(run.config.store.path), recipe.validation, recipe.test).train
    temperature = float(np.median(run.config.sampling.temperatures))
    spaces = {"vae": logit_jacobian(vae, temperature, run.config.evaluation.pattern_draws, settings.seed)}
    spaces |= sample_spaces(train.states(), len(system.patterns), settings.seed)
    return recovery_table(spaces, system.patterns, settings)


def computed(path: Path, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of an instance from its file, or compute them and leave them there in one step."""
    if not path.exists():
        write_whole(path, compute().to_csv(index=False))
    return pd.read_csv(path)


def printed(curves: pd.DataFrame) -> Table:
    """Return the means over instances as a table for a terminal."""
    table = Table(*COLUMNS)
    for row in curves.itertuples():
        numbers = (row.recovered, row.solved, row.mean_overlap, row.min_overlap, row.seconds)
        table.add_row(
            row.space, row.unmixing, f"{row.sites}", f"{row.patterns}", *(f"{value:.3f}" for value in numbers)
        )
    return table


def main() -> None:
    """Compute what is missing, write tables and figure, print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--runs", nargs="*", default=[], help="globs of trained runs of Hopfield systems")
    parser.add_argument("--folder", type=Path, help="folder of the results, outputs/unmixing by default")
    options = parser.parse_args()
    cfg = composed("unmixing", [])
    cfg.runs = options.runs
    folder = options.folder or Path(cfg.folder)
    console = Console()
    todo = list(instances(cfg, options.subjects))
    parts = [
        computed(folder / INSTANCES / f"{name}.csv", each) for name, each in track(todo, "unmixing", console=console)
    ]
    table = pd.concat(parts, ignore_index=True)
    curves = load_curves(table)
    write_tables(folder, {"instances": table, "load": curves})
    console.print(printed(curves))
    console.print(f"figure: {save_figure(draw_unmixing(curves), folder / FIGURES, 'unmixing')}", soft_wrap=True)


if __name__ == "__main__":
    main()
