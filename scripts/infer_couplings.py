"""Infer Ising couplings from a file of configurations or a store, by one estimator or by all.

python scripts/infer_couplings.py inverse_ising=pseudolikelihood dataset.path=FILE
python scripts/infer_couplings.py inverse_ising=all dataset.path=data/hopfield-0123456789.zarr truth=COUPLINGS.npz
"""

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from vae_mf.datasets.user_arrays import read_array
from vae_mf.evaluation.tables import write_tables
from vae_mf.plotting.couplings import couplings_figure
from vae_mf.plotting.style import save_figure
from vae_mf.runs import FIGURES, entry_point
from vae_mf.store.sample_store import is_sealed, open_store

HEADINGS = {"iterations": "steps", "converged": "conv.", "log_pseudo_likelihood": "log PL", "correlation": "r"}
"""Short headings of the printed table."""


def read_spins(dataset: DictConfig) -> tuple[np.ndarray, str]:
    """Return configurations (samples, N) and their encoding."""
    if Path(dataset.path).is_dir() and is_sealed(dataset.path):
        return open_store(dataset.path).spins(dataset.temperature), "spin"
    values = read_array(dataset.path, dataset.variable)
    return values, "spin" if (values < 0).any() else "01"


def pairs(estimator, truth: np.ndarray | None) -> pd.DataFrame:
    """Return the couplings i < j of a fitted estimator, with errors and truth where known."""
    upper = np.triu_indices(len(estimator.couplings_), 1)
    columns = {"i": upper[0], "j": upper[1], "coupling": estimator.couplings_[upper]}
    if hasattr(estimator, "couplings_error_"):
        columns["error"] = estimator.couplings_error_[upper]
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth[upper]})


def summary(name: str, estimator, table: pd.DataFrame, seconds: float, spins: np.ndarray) -> dict:
    """Return one line about an estimator."""
    line = {"estimator": name, "seconds": seconds, "iterations": estimator.n_iter_, "converged": estimator.converged_}
    line["log_pseudo_likelihood"] = estimator.score(spins)
    if "truth" in table:
        line["rmse"] = np.sqrt(np.mean((table.coupling - table.truth) ** 2))
        line["correlation"] = np.corrcoef(table.coupling, table.truth)[0, 1]
        line["slope"] = (table.coupling @ table.truth) / (table.truth @ table.truth)
    return line


@entry_point("infer_couplings")
def main(cfg: DictConfig) -> None:
    """Fit every estimator of the configuration; write couplings, tables and figures."""
    folder, console = Path(cfg.folder), Console()
    spins, encoding = read_spins(cfg.dataset)
    truth = None if cfg.truth is None else read_array(cfg.truth, "J")
    lines, tables = [], {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, node in cfg.inverse_ising.items():
        estimator, start = instantiate(node, encoding=encoding), time.perf_counter()
        with warnings.catch_warnings():
            # The table says what has not converged.
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                estimator.fit(spins)
            except ValueError as error:
                if len(cfg.inverse_ising) == 1:
                    raise
                console.print(f"{name}: {error}")
                continue
        tables[name] = pairs(estimator, truth)
        lines.append(summary(name, estimator, tables[name], time.perf_counter() - start, spins))
        np.savez(folder / f"{name}.npz", J=estimator.couplings_, h=estimator.fields_)
        save_figure(couplings_figure(estimator.couplings_, tables[name], name), folder / FIGURES, name)
    compared = pd.DataFrame(lines)
    write_tables(folder, tables | {"estimators": compared})
    printed = Table(*(HEADINGS.get(str(name), str(name)) for name in compared.columns))
    for row in compared.itertuples(index=False):
        printed.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
    console.print(printed)
    console.print(f"couplings, tables and figures: {folder}", soft_wrap=True)


if __name__ == "__main__":
    main()
