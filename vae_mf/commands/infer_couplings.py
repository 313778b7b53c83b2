"""Infer Ising couplings from a file or from a store of samples, by one estimator or by all.

Whatever `discover` reads is read here, by the same options, and arrays and tables with missing entries too: then every
estimator is fitted by stochastic expectation maximisation, and only observed entries are scored.

Every estimator is fitted to all rows, its own rows are held against them, and its likelihood is that of rows held out
in blocks of neighbours. A row of the table is written when its estimator is done: the same command goes on where it was
stopped, and tries again what the limit of processor time ended.

vae-mf infer-couplings FILE
vae-mf infer-couplings TIMES.csv inverse_ising=tap dataset.bin_width=0.02
vae-mf infer-couplings FILE inverse_ising=all dataset.variables=40
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.progress import BarColumn, Progress, TaskID, TimeElapsedColumn
from rich.table import Column, Table

from vae_mf.checks import require_integer, require_positive, require_working_memory
from vae_mf.commands.limited import FEWER, Worker, bytes_of_fits
from vae_mf.datasets.file_formats import read_array
from vae_mf.files import SEAL, discarded_if_refused, only_one, replacing, require_unchanged, require_unlinked, seal
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.missing_entries import MissingEntries
from vae_mf.plotting.couplings import comparison_figure, couplings_figure
from vae_mf.plotting.style import save_figure
from vae_mf.runs.folder import FIGURES, place_of_results
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.samples import own_store
from vae_mf.runs.terminal import Description, Terminal
from vae_mf.store.sample_store import SampleStore
from vae_mf.studies.coupling_fits import CouplingFit, fit_in_steps, fold_members, independent_scores
from vae_mf.studies.coupling_tables import (
    HELD_OUT,
    accuracy,
    best_sentence,
    correlation_table,
    couplings_of,
    estimator_row,
    field_table,
    held_out_table,
    pair_table,
)
from vae_mf.tables import TABLES, read_csv, write_tables

READER = "vae_mf.datasets.read_recording"
"""Reader whose files may have missing entries."""
METHOD = MissingEntries.__name__
"""Entry of the table of estimators for the method by which missing entries were handled."""
TABLE, BLOCKS = "estimators", "held_out"
PRINTED = {
    "estimator": "estimator",
    "seconds": "s",
    "iterations": "steps",
    "converged": "conv.",
    "log_likelihood": "ln p",
    "gain_over_independent": "gain",
    "gain_over_independent_error": "±",
    "pseudo_gain_over_independent": "pseudo",
    "rmse": "RMSE",
}
"""Columns that are printed, with short headings."""
LEGEND = (
    "s: processor time of the fit; ln p: nats per held-out row; gain and pseudo: ln p and log-pseudo-likelihood beyond "
    "independent variables'"
)
"""Line below the printed table."""

GAPS = (
    "{:.2%} of the entries are missing: every fit is the mean over completions that are drawn, in turn with fits, from "
    "p(missing | observed) (MissingEntries), which is right if they are missing at random; scores are those of the "
    "observed entries"
)
"""Line below the printed table if entries are missing."""


class Data(NamedTuple):
    """Configurations (samples, N) and, where known, the couplings (N, N) and fields (N,) that they come from."""

    spins: np.ndarray
    """Entries -1 and +1, and 0 where one is missing."""
    names: Sequence[str]
    unit: str
    """Unit of the couplings of a physical system, empty for other data."""
    couplings: np.ndarray | None = None
    fields: np.ndarray | None = None


def read_data(cfg: DictConfig) -> Data:
    """Return the data of the configuration; a store of a spin glass knows its couplings, a file of truth others'."""
    path = cfg.dataset.get("path")
    store = own_store(path) if path else None
    if store is not None:
        data = read_store(store, cfg.dataset.temperature)
        chosen = np.arange(len(data.names))
    else:
        if cfg.dataset.temperature:
            raise ValueError(
                f"dataset.temperature: expected 0 for data that are no store, got {cfg.dataset.temperature}"
            )
        allowed: dict[str, Any] = {"allow_missing": True} if cfg.dataset.read._target_ == READER else {}
        recording = build_recording(cfg.dataset, **allowed)
        data = Data(recording.rows, recording.names, "")
        chosen = recording.variables
    if cfg.truth is None:
        return data
    known = read_array(cfg.truth, "J" if cfg.truth.endswith(".npz") else None)
    return data._replace(couplings=couplings_of(known, chosen), fields=None)


def read_store(store: SampleStore, level: int) -> Data:
    """Return the spins of a store at one temperature and, of a spin glass, couplings and fields in units of it."""
    data = Data(store.spins(level), [str(k) for k in range(store.sites)], "$k_B T$")
    with suppress(ValueError):
        known = (store.array(name) / store.temperatures[level] for name in ("couplings", "fields"))
        data = Data(data.spins, data.names, data.unit, *known)
    return data


def infer(
    worker: Worker, name: str, cfg: DictConfig, data: Data, members: np.ndarray, show: Callable[[int], None]
) -> CouplingFit:
    """Return what becomes known about an estimator within the limit; a refusal or a stop is its last remark.

    Raises:
        ValueError: if the only estimator of the configuration refuses the rows.
    """
    limit = None if cfg.time_limit is None else float(cfg.time_limit)
    found = CouplingFit(len(data.spins))
    try:
        estimator = instantiate(cfg.inverse_ising[name])
        if not data.spins.all():
            estimator = MissingEntries(estimator, random_state=cfg.seed)
        for found in worker.run(fit_in_steps, estimator, data.spins, members, seconds=limit):
            show(found.folds + len(found.refused))
    except (ValueError, MemoryError, RuntimeError, TimeoutError) as reason:
        if isinstance(reason, ValueError) and found.estimator is None and len(cfg.inverse_ising) == 1:
            raise
        stage = "in the fit" if found.estimator is None else f"after {found.folds} of {cfg.folds} folds"
        found.remarks.append(f"{stage}: {reason}")
    return found


def row_keys(cfg: DictConfig) -> dict[str, str]:
    """Return a digest of everything that the row of an estimator depends on, for every estimator."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    common = [settings["dataset"]["read"], {"path": cfg.truth}]
    data = digest(*common, *(settings[name] for name in ("folds", "blocks", "seed")), cfg.dataset.temperature)
    return {name: digest(data, node) for name, node in settings["inverse_ising"].items()}


class Results:
    """Rows and held-out blocks of estimators, in a folder from which another call goes on.

    Those of a former call count while all that they depend on is the same; files of others are removed.
    """

    def __init__(self, folder: Path, keys: dict[str, str]) -> None:
        self.folder, self.keys = folder, keys
        require_unchanged(folder)
        former = {name: self._former(name) for name in (TABLE, BLOCKS)}
        self.rows = {row["estimator"]: row for row in former[TABLE] if row.get("key") == keys.get(row["estimator"])}
        """Row of every estimator, by its name."""
        self.blocks = [row for row in former[BLOCKS] if row["estimator"] in self.rows]
        """Rows about held-out blocks."""
        if self.unfinished():
            (folder / SEAL).unlink(missing_ok=True)  # until others are removed
        for name in keys.keys() - self.rows.keys():
            self._remove(name)

    def _former(self, table: str) -> list[dict]:
        path = self.folder / TABLES / f"{table}.csv"
        # A key may look like a number.
        return read_csv(path, dtype={"key": str}).to_dict("records") if path.exists() else []

    def _remove(self, name: str) -> None:
        figures = (self.folder / FIGURES / f"{name}.{kind}" for kind in ("png", "pdf"))
        tables = (self.folder / TABLES / f"{table}.csv" for table in (name, f"{name}_fields"))
        for path in (*figures, *tables, self.folder / f"{name}.npz"):
            path.unlink(missing_ok=True)

    def unfinished(self) -> list[str]:
        """Return the estimators of which not every held-out fit was tried."""
        return [name for name in self.keys if name not in self.rows or not self.rows[name]["finished"]]

    def add(self, row: dict, blocks: pd.DataFrame) -> None:
        """Take the results about an estimator in the place of former ones, and write all tables."""
        name = row["estimator"]
        self.rows[name] = row | {"key": self.keys[name]}
        self.blocks = [each for each in self.blocks if each["estimator"] != name] + blocks.to_dict("records")
        self.write()

    def write(self) -> dict[str, pd.DataFrame]:
        """Write and return the tables about all estimators that are done, their rows last."""
        table = pd.DataFrame([self.rows[name] for name in self.keys if name in self.rows])
        fitted = table.estimator[table.seconds.notna()]
        pairs = {name: read_csv(self.folder / TABLES / f"{name}.csv") for name in fitted}
        held_out = pd.DataFrame(self.blocks, columns=HELD_OUT)
        tables = {BLOCKS: held_out, "correlations": correlation_table(pairs), TABLE: table}
        write_tables(self.folder, tables)
        return tables


def save(folder: Path, name: str, found: CouplingFit, data: Data) -> None:
    """Write couplings, tables and figure of a fitted estimator."""
    estimator = found.estimator
    assert estimator is not None, "only what was fitted is saved"
    pairs = pair_table(estimator, data.couplings, data.names)
    write_tables(folder, {name: pairs, f"{name}_fields": field_table(estimator, data.fields, data.names)})
    with replacing(folder / f"{name}.npz") as place, open(place, "wb") as file:
        np.savez(file, J=estimator.couplings_, h=estimator.fields_)
    title = f"{name}, runs away" if found.check is not None and found.check.runaway else name
    save_figure(couplings_figure(estimator.couplings_, pairs, title, data.names, data.unit), folder / FIGURES, name)


def infer_all(cfg: DictConfig, data: Data, members: np.ndarray, progress: Progress) -> dict[str, pd.DataFrame]:
    """Fit and score every estimator that is not finished, write the tables after each, and return them."""
    folder = Path(cfg.folder)
    independent = independent_scores(data.spins, members)
    share = float((data.spins == 0).mean())
    gaps = {"missing": share, "missing_by": METHOD} if share else {}
    results = Results(folder, row_keys(cfg))
    missing = results.unfinished()
    task = progress.add_task("estimators", total=len(missing) * (cfg.folds + 1))
    write_tables(folder, {"variables": pd.DataFrame({"i": range(len(data.names)), "variable": data.names})})
    seal(folder)
    with Worker() as worker:
        for place, name in enumerate(missing):
            show = partial(show_steps, progress, task, name, place * (cfg.folds + 1))
            show(0)
            found = infer(worker, name, cfg, data, members, show)
            if name in results.rows and results.rows[name]["folds"] > found.folds:
                continue  # a former call came further
            blocks = held_out_table(name, found, independent, members, cfg.blocks)
            row = estimator_row(name, found, blocks, data.names) | gaps
            row["finished"] = found.folds + len(found.refused) == cfg.folds
            (folder / SEAL).unlink(missing_ok=True)  # until all is written
            if found.estimator is not None:
                save(folder, name, found, data)
                row |= accuracy_of(found.estimator, data)
            results.add(row, blocks)
            seal(folder)
    tables = results.write()
    seal(folder)
    return tables


def accuracy_of(estimator: InverseIsing, data: Data) -> dict[str, float]:
    """Return the accuracy of the couplings, where the true ones are known."""
    if data.couplings is None:
        return {}
    upper = np.triu_indices(len(data.couplings), 1)
    return accuracy(data.couplings[upper], estimator.couplings_[upper])


def show_steps(progress: Progress, task: TaskID, name: str, before: int, folds: int) -> None:
    """Show how many folds of an estimator are scored, after so many steps before it."""
    progress.update(task, completed=before + folds, description=f"{name}, held-out fits: {folds}")


def printed(estimators: pd.DataFrame) -> Table:
    """Return the main columns of the table of estimators for a terminal of 80 columns."""
    names = [name for name in PRINTED if name in estimators]
    heads = [Column(PRINTED[name], no_wrap=True, justify="left" if name == "estimator" else "right") for name in names]
    lines = Table(*heads, box=box.SIMPLE, padding=0, pad_edge=False)
    for row in estimators[names].itertuples(index=False):
        lines.add_row(*map(entry, row))
    return lines


def entry(value: object) -> str:
    """Return an entry of the printed table; nothing is printed for what is not known.

    >>> entry(-4.43127), entry(-20207.3), entry(True), entry(12.0), entry(None), entry(float("nan"))
    ('-4.431', '-2.02e+04', 'yes', '12', '', '')
    """
    if pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) < 100 and not value.is_integer() else f"{value:.3g}"


def main(cfg: DictConfig) -> None:
    """Fit and score what is missing, write couplings, tables and figures, and print the table and all remarks."""
    console = Terminal()
    say = console.say
    folder = place_of_results("folder", cfg.folder)
    require_integer("seed", cfg.seed, minimum=0)
    data = read_data(cfg)
    require_working_memory("couplings", bytes_of_fits(data.spins.size), FEWER, say)
    members = fold_members(len(data.spins), cfg.folds, cfg.blocks)
    if cfg.time_limit is not None:
        require_positive("time_limit", cfg.time_limit)
    columns = Description(), BarColumn(), TimeElapsedColumn()
    refused = discarded_if_refused(folder, f"{TABLES}/{TABLE}.csv")
    with refused, only_one(folder, say), stage_progress(console, *columns) as progress:
        require_unlinked(folder / FIGURES)
        tables = infer_all(cfg, data, members, progress)
        if tables["correlations"]["first"].nunique() > 1:
            figure = comparison_figure(tables[TABLE], tables["correlations"], data.unit)
            save_figure(figure, folder / FIGURES, "comparison")
    console.print(printed(tables[TABLE]))
    say(LEGEND)
    if not data.spins.all():
        say(GAPS.format((data.spins == 0).mean()))
    if said := best_sentence(tables[BLOCKS], cfg.folds):
        say(said)
    for row in tables[TABLE].to_dict("records"):
        if isinstance(row["remarks"], str) and row["remarks"]:
            say(f"{row['estimator']}: {row['remarks']}")
    console.place("couplings, tables and figures", folder)
