"""Spike times in the folders of Phy and Kilosort."""

import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from vae_mf.checks import require_choice
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import DataError, Options, Raster, parsing
from vae_mf.datasets.readers.containers import read_npy
from vae_mf.datasets.spike_times import group_by_label, require_width, spike_raster

TIMES = "spike_times.npy"
CELLS = ("spike_clusters", "spike_templates")
"""Arrays with the cell of each spike: after curation, and as Kilosort found them."""
LABELS = ("cluster_group.tsv", "cluster_groups.csv", "cluster_KSLabel.tsv")
"""Tables of what each cluster is, of which the first counts: by hand, by hand in old versions, by Kilosort."""
PARAMETERS = "params.py"
RATE = re.compile(r"^\s*sample_rate\s*=\s*([\d._eE+-]+)\s*(?:#.*)?$", re.M)
MOST_BYTES = 2**20
"""Size of a file that describes a recording; tables of thousands of clusters are smaller."""
PARTS = tuple(name.lower() for name in (TIMES, *(f"{name}.npy" for name in CELLS), *LABELS, PARAMETERS))
"""Files that are read; the recording itself, beside them, may be larger than the memory."""


@register_reader(markers=(TIMES,), options=("array", "bin_width"), parts=PARTS)
def read_sorted(path: Path, options: Options) -> Raster:
    """Return the spikes in bins of the clusters that are labelled good, or of all if none has a label."""
    width = require_width(options.bin_width, "seconds")
    held = [name for name in CELLS if (path / f"{name}.npy").exists()]
    if not held:
        raise DataError(f"expected spike_clusters.npy beside {TIMES}, found none: export the folder for Phy again")
    array = require_choice("array", options.array or held[0], held)
    samples, cells = (read_npy(path / name).ravel() for name in (TIMES, f"{array}.npy"))
    if len(samples) != len(cells):
        raise DataError(
            f"expected a cluster for each spike, got {len(cells)} clusters in {array}.npy and {len(samples)} spikes in "
            f"{TIMES}: export the folder again"
        )
    labels = _labels(path) if array == CELLS[0] else pd.Series(dtype=str)
    kept = np.isin(cells, labels.index[labels == "good"]) if len(labels) else np.ones(len(cells), bool)
    if not kept.any():
        found = ", ".join(f"{count} {label}" for label, count in labels.value_counts().items())
        raise DataError(f"expected spikes of clusters labelled good, got {found or 'no spike'}: label them in Phy")
    times = group_by_label(pd.Series(cells[kept]), samples[kept] / _sample_rate(path))
    others = len(np.unique(cells)) - len(times)
    left_out = (f"{others} clusters that are not labelled good were left out",) if others else ()
    return spike_raster(times, width, f"spike sorting of {array}", left_out)


def _labels(path: Path) -> pd.Series:
    """Return the label of each cluster that has one; none if the folder has no table of them."""
    table = next((path / name for name in LABELS if (path / name).exists()), None)
    if table is None:
        return pd.Series(dtype=str)
    text = short_text(table)
    with parsing("tsv"):
        frame = pd.read_csv(StringIO(text), sep="\t", index_col="cluster_id")
    return frame.iloc[:, 0].astype(str).str.strip().str.lower()


def short_text(path: Path) -> str:
    """Return the text of a small file that describes a recording."""
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"expected a short text in {path.name}, got {path.stat().st_size} bytes: export it again")
    return path.read_text("utf-8", "replace")


def _sample_rate(path: Path) -> float:
    """Return the number of samples in a second; params.py is a program and so is searched, not run."""
    params = path / PARAMETERS
    found = RATE.search(short_text(params)) if params.exists() else None
    try:
        rate = float(found[1]) if found else 0.0
    except ValueError:
        rate = 0.0
    if not 0 < rate < np.inf:
        raise DataError(
            "expected the number of samples in a second in params.py, found none: write the line sample_rate = 30000, "
            "with the right number, into it"
        )
    return rate
