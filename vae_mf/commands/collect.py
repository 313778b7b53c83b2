"""Gather runs into one table and one figure, averaged over seeds.

Runs that are not finished are listed as such.

vae-mf collect
vae-mf collect 'runs=outputs/hopfield_*' metric=test_elbo against=seed
vae-mf collect metric=kl against=temperature
"""

import os
from collections.abc import Callable

import pandas as pd
from omegaconf import DictConfig
from rich.table import Table

from vae_mf.datasets.files import listed
from vae_mf.files import only_one
from vae_mf.plotting.style import save_figure
from vae_mf.plotting.sweeps import draw_collection
from vae_mf.runs.collection import (
    TEMPERATURE,
    Collection,
    RunRecord,
    average_over_seeds,
    collect,
    describe,
    metric_to_show,
    option_to_show,
    runs_by_line,
    varied_inside,
)
from vae_mf.runs.folder import Run, find_runs, place_of_results
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import TABLES, read_metrics, write_tables


def records(runs: list[Run], refused: Callable[[ValueError], None]) -> list[RunRecord]:
    """Return what the run folders say; a run is called by its path below the folder that holds all of them.

    Raises:
        ValueError: if all are damaged.
    """
    shared = os.path.commonpath([run.folder.absolute().parent for run in runs])
    found = []
    for run in runs:
        try:
            metrics = read_metrics(run.folder) if run.finished else None
        except ValueError as error:
            refused(error)
            continue
        name = os.path.relpath(run.folder, shared)
        found.append(RunRecord(name, run.config.run.name, run.config.run.get("digest"), run.settings, metrics))
    if not found:
        raise ValueError(f"runs: expected a whole run folder, got {listed([run.folder for run in runs])}, damaged")
    return found


def printed(collection: Collection, metric: str | None, against: str | None) -> Table:
    """Return the varied options and the shown metric (over temperatures its largest) of every run, to be printed."""
    heading = f"largest {metric}" if against == TEMPERATURE else metric
    table = Table("run", "options", heading or "state")
    inside = varied_inside(collection.runs, collection.varied)
    shown = collection.against(against).groupby("run")[metric].max() if metric else {}
    for _, row in collection.runs.iterrows():
        known = row.finished and row.run in shown and not pd.isna(shown[row.run])
        value = "unfinished" if not row.finished else f"{shown[row.run]:.4g}" if known else "-"
        table.add_row(row.run, describe(row, inside[row.experiment]), value)
    return table


def main(cfg: DictConfig) -> None:
    """Read the runs, then write and print the tables and draw the figure."""
    console = Terminal()
    folder = place_of_results("report", cfg.report)

    def refused(error: ValueError) -> None:
        console.say(f"left out: {error}")

    collection = collect(records(find_runs(cfg.runs, extensions=None, refused=refused), refused))
    finished = collection.runs[collection.runs.finished]
    tables, figure, metric = {"runs": collection.runs, "temperatures": collection.temperatures}, None, None
    if len(finished):
        metric = metric_to_show(collection, cfg.metric, cfg.against)
    if metric and len(collection.runs) > 1:
        against = option_to_show(collection, metric, cfg.against)
        runs = runs_by_line(collection, metric, against)
        tables["averages"] = average_over_seeds(runs, metric, against)
        figure = draw_collection(runs, tables["averages"], metric, against)
        absent = finished[~finished.run.isin(runs.run)].run
        if len(absent):
            console.say(f"not in the figure, without {metric} or {against}: {', '.join(absent)}")
    with only_one(folder, console.say):
        drawn = save_figure(figure, folder, "sweep") if figure else None
        write_tables(folder, tables)
    console.print(printed(collection, metric, cfg.against))
    console.print(f"{len(finished)} of {len(collection.runs)} runs finished")
    if drawn:
        console.place("figure", drawn)
    console.place("tables", folder / TABLES)
