"""Spike times in folders of ALF, as the International Brain Laboratory saves them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.checks import require_choice
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import DataError, Options, Raster, listed, parsing
from vae_mf.datasets.spike_times import group_by_label, require_width, spike_raster, trial_raster

NAME = re.compile(r"(?:_[a-z0-9]+_)?([a-z]+)\.([a-z]+)(?:_[a-z0-9]+)?(?:\.[^.]+)*\.(?:npy|csv|tsv|pqt|parquet)")
"""Namespace, object, attribute, time scale, extra parts and ending of the name of a file, in small letters."""
TIMES, CLUSTERS, METRICS = "spikes.times", "spikes.clusters", "clusters.metrics"
TRIALS = "trials"
LABELS = ("label", "ks2_label", "group", "kslabel")
"""Columns that label the clusters, of which the first counts."""
GOOD = ("1.0", "1", "good", "true")
"""Labels of clusters to keep; the number is the share of the criteria that a cluster meets."""
PARTS = tuple(f"*{name}*" for name in (TIMES, CLUSTERS, METRICS, f"{TRIALS}.intervals", f"{TRIALS}.table"))


@register_reader(markers=(f"*{TIMES}*.npy",), options=("array", "bin_width"), parts=PARTS)
def read_alf(path: Path, options: Options) -> Raster:
    """Return the spikes in bins of all clusters that are labelled good, if a table labels them; trials are repeats."""
    width = require_width(options.bin_width, "seconds")
    with parsing("npy"):
        times, clusters = (np.load(_file(path, name)).ravel() for name in (TIMES, CLUSTERS))
    if len(times) != len(clusters):
        raise DataError(
            f"expected a cluster for each spike, got {len(clusters)} in {CLUSTERS} and {len(times)} spikes in {TIMES}: "
            "download both again"
        )
    good, remarks = _good(path)
    kept = np.isin(clusters, good) if good is not None else np.ones(len(clusters), bool)
    if not kept.any():
        raise DataError(f"expected spikes of clusters labelled good in {METRICS}, got none: move that table away")
    cells = group_by_label(pd.Series(clusters[kept]), times[kept])
    if options.array is None:
        return spike_raster(cells, width, "ALF folder", remarks)
    require_choice("array", options.array, (TRIALS,))
    return trial_raster(cells, _intervals(path), width, f"ALF folder, {TRIALS}", remarks)


def _files(folder: Path, name: str) -> list[Path]:
    """Return the files of a folder for one attribute of an object."""
    found = ((path, NAME.fullmatch(path.name.lower())) for path in sorted(folder.iterdir()))
    return [path for path, parts in found if parts and f"{parts[1]}.{parts[2]}" == name]


def _file(folder: Path, name: str) -> Path:
    """Return the only file of a folder for one attribute of an object."""
    found = _files(folder, name)
    if not found:
        raise DataError(f"expected {name}.npy in the folder, found none: download it into the folder")
    if len(found) > 1:
        names = listed([path.name for path in found])
        raise DataError(f"expected one file of {name}, got {names}: move those of other recordings into other folders")
    return found[0]


def _table(path: Path) -> pd.DataFrame:
    """Return the table of a file, the names of its columns in small letters."""
    with parsing("table"):
        if path.suffix in (".pqt", ".parquet"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
    return frame.rename(columns=lambda name: str(name).lower())


def _good(folder: Path) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the clusters that are labelled good, None if there are no labels, and a remark."""
    frame = _table(_file(folder, METRICS)) if _files(folder, METRICS) else pd.DataFrame()
    column = next((name for name in LABELS if name in frame), None)
    if column is None:
        return None, ("all clusters were read, as nothing in the folder labels them good",)
    clusters = frame["cluster_id"] if "cluster_id" in frame else pd.Series(np.arange(len(frame)))
    good = clusters.to_numpy()[frame[column].astype(str).str.strip().str.lower().isin(GOOD)]
    return good, (f"{len(frame) - len(good)} of {len(frame)} clusters are not good by {column} and were left out",)


def _intervals(folder: Path) -> Float[np.ndarray, "trials 2"]:
    """Return start and stop of each trial."""
    if _files(folder, f"{TRIALS}.table"):
        frame = _table(_file(folder, f"{TRIALS}.table"))
        return frame[["intervals_0", "intervals_1"]].to_numpy(np.float64)
    with parsing("npy"):
        return np.load(_file(folder, f"{TRIALS}.intervals")).reshape(-1, 2).astype(np.float64)
