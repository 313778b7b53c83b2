"""Infer Ising couplings from a file or from a store of samples, by one estimator or by all.

Whatever `discover` reads is read here, by the same options.

vae-mf infer-couplings FILE
vae-mf infer-couplings TIMES.csv inverse_ising=tap dataset.bin_width=0.02
vae-mf infer-couplings FILE inverse_ising=all dataset.variables=40
"""

import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Column, Table
from sklearn.exceptions import ConvergenceWarning

from vae_mf.datasets.file_formats import read_array
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.plotting.couplings import comparison_figure, couplings_figure
from vae_mf.plotting.style import save_figure
from vae_mf.runs.folder import FIGURES
from vae_mf.runs.instantiate import instantiate
from vae_mf.store.sample_store import is_sealed, open_store
from vae_mf.studies.coupling_tables import correlation_table, couplings_of, estimator_row, field_table, pair_table
from vae_mf.tables import write_tables

HEADINGS = {"iterations": "steps", "converged": "conv.", "log_pseudo_likelihood": "log PL", "one_minus_r": "1 - r"}
"""Short headings of the printed table."""


class Data(NamedTuple):
    """Configurations (samples, N) and, where known, the couplings (N, N) and fields (N,) that they come from."""

    spins: np.ndarray
    names: Sequence[str]
    couplings: np.ndarray | None = None
    fields: np.ndarray | None = None


def read_data(cfg: DictConfig) -> Data:
    """Return the data of the configuration; a store of a spin glass knows its couplings, a file of truth others'."""
    path = cfg.dataset.get("path")
    if path and Path(path).is_dir() and is_sealed(path):
        data = read_store(path, cfg.dataset.temperature)
        chosen = np.arange(len(data.names))
    else:
        recording = instantiate(cfg.dataset.read)
        data = Data(recording.rows, recording.names)
        chosen = recording.variables
    if cfg.truth is None:
        return data
    known = read_array(cfg.truth, "J" if cfg.truth.endswith(".npz") else None)
    return data._replace(couplings=couplings_of(known, chosen), fields=None)


def read_store(path: str, level: int) -> Data:
    """Return the spins of a store at one temperature and, of a spin glass, couplings and fields in units of it."""
    store = open_store(path)
    data = Data(store.spins(level), [str(k) for k in range(store.sites)])
    with suppress(ValueError):
        known = (store.array(name) / store.temperatures[level] for name in ("couplings", "fields"))
        data = Data(data.spins, data.names, *known)
    return data


def fit(estimator: InverseIsing, spins: np.ndarray) -> float:
    """Fit an estimator and return the seconds it took; the table says what has not converged."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(spins)
    return time.perf_counter() - start


def printed(estimators: pd.DataFrame) -> Table:
    """Return the table of estimators for a terminal of 80 columns."""
    columns = (Column(HEADINGS.get(str(name), str(name)), no_wrap=True) for name in estimators.columns)
    lines = Table(*columns, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for row in estimators.itertuples(index=False):
        lines.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    return lines


def main(cfg: DictConfig) -> None:
    """Fit every estimator of the configuration; write couplings, tables and figures."""
    folder = Path(cfg.folder)
    console = Console()
    data = read_data(cfg)
    folder.mkdir(parents=True, exist_ok=True)
    lines, pairs, tables = [], {}, {}
    for name, node in cfg.inverse_ising.items():
        estimator = instantiate(node)
        try:
            seconds = fit(estimator, data.spins)
        except ValueError as error:
            if len(cfg.inverse_ising) == 1:
                raise
            console.print(f"{name}: {error}")
            continue
        pairs[name] = pair_table(estimator, data.couplings)
        tables |= {name: pairs[name], f"{name}_fields": field_table(estimator, data.fields)}
        lines.append(estimator_row(name, estimator, pairs[name], seconds, data.spins))
        np.savez(folder / f"{name}.npz", J=estimator.couplings_, h=estimator.fields_)
        save_figure(couplings_figure(estimator.couplings_, pairs[name], name), folder / FIGURES, name)
    tables["estimators"] = pd.DataFrame(lines)
    tables["correlations"] = correlation_table(pairs)
    tables["variables"] = pd.DataFrame({"i": range(len(data.names)), "variable": data.names})
    write_tables(folder, tables)
    if len(pairs) > 1:
        save_figure(comparison_figure(tables["estimators"], tables["correlations"]), folder / FIGURES, "comparison")
    console.print(printed(tables["estimators"]))
    console.print(f"couplings, tables and figures: {folder}", soft_wrap=True)
