"""The same commands make the same bytes, whatever the number of threads, the locale, the time or the folder."""

import io
import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import PROJECT_ROOT
from helpers.commands import HOPFIELD, RECORDING, TRAINING
from helpers.discovery import TINY, hopfield, options
from helpers.files import tree

PATHS = ["paths.data=data", "paths.outputs=outputs"]
# Files of TensorBoard carry time, host and process in their names: its records are not looked at.
COMMANDS = [
    ["sample", "system=sherrington_kirkpatrick", *HOPFIELD[:1], *HOPFIELD[2:], "threads=THREADS", *PATHS],
    ["train", "model.latents=2", *HOPFIELD, *TRAINING, "threads=THREADS", "run.folder=outputs/hopfield", *PATHS,
     "logger=csv"],
    ["evaluate", "outputs/hopfield", "evaluation=capacity", "paths.data=data"],
    ["figure", "outputs/hopfield"],
    ["train", *RECORDING, "dataset.path=spikes.npy", "run.folder=outputs/recording", PATHS[1], "logger=csv"],
    ["discover", "spikes.npy", "quick=true", *options(TINY), "folder=outputs/discovered", PATHS[1]],
    ["compare", "spikes.npy", "density_models=[independent,mixtures]", "draws=4", "folder=outputs/compared",
     *(f"~density_models.mixture_{count}" for count in (2, 8, 16, 32, 64)), PATHS[1]],
    ["infer-couplings", "spikes.npy", "folder=outputs/couplings", PATHS[1]],
]  # fmt: skip
RUN = """
import json, os, sys
from vae_mf.commands.main import main
for words in json.loads(sys.argv[1]):
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv = ["vae-mf", *words]
    main()
"""
SETTINGS = [
    {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    {"PYTHONHASHSEED": "7", "LC_ALL": "POSIX", "TZ": "America/Lima", "NUMBA_CACHE_DIR": "compiled"},
]
"""Environments of runs with one, two and three threads; the last one has nothing compiled."""
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
HOLD_SECONDS = [
    "*/metrics.json", "*/tables/*.csv", "discovered/scores/*.npz", "compared/*/*.npz",  # keys and columns "seconds"
    "hopfield/config.yaml",  # the option threads
    "*/SHA256SUMS", "*/checkpoints/*",  # digests of the files above; times and folders of a training that goes on
]  # fmt: skip


def made(place: Path, environment: dict[str, str], threads: int) -> dict[str, bytes]:
    """Files that all commands make in a folder, one after the other in a process of their own."""
    place.mkdir()
    rows, _ = hopfield(20_000, 40, 2)
    np.save(place / "spikes.npy", (rows > 0).astype(np.uint8))
    own = {"PYTHONPATH": str(PROJECT_ROOT), "GIT_DIR": os.devnull, "SOURCE_DATE_EPOCH": "1000000000"}
    pools = dict.fromkeys(POOLS, str(threads))
    commands = json.dumps(COMMANDS).replace("THREADS", str(threads))
    done = subprocess.run(
        [sys.executable, "-c", RUN, commands],
        cwd=place,
        env=os.environ | own | pools | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {
        f"{folder}/{name}": content for folder in ("data", "outputs") for name, content in tree(place / folder).items()
    }


def without_seconds(name: str, content: bytes) -> object:
    """What a file holds beside the seconds that something took."""
    match Path(name).suffix:
        case ".json":
            return {key: value for key, value in json.loads(content).items() if not key.endswith("seconds")}
        case ".csv":
            return pd.read_csv(io.BytesIO(content), dtype=str).drop(columns="seconds", errors="ignore").to_csv()
        case ".npz":
            arrays = np.load(io.BytesIO(content))
            return {key: arrays[key].tobytes() for key in arrays.files if key not in ("seconds", "sha256")}
        case ".yaml":
            return [line for line in content.decode().splitlines() if not line.startswith("threads:")]
    return None


@pytest.mark.slow
def test_every_command_makes_the_same_bytes(tmp_path):
    first, *others = (
        made(tmp_path / str(threads), environment, threads) for threads, environment in enumerate(SETTINGS, start=1)
    )
    assert len(first) > 150
    for other in others:
        assert other.keys() == first.keys()
        differing = [name for name in first if first[name] != other[name]]
        assert [name for name in differing if not any(fnmatch(name, f"outputs/{kind}") for kind in HOLD_SECONDS)] == []
        assert [
            name for name in differing if without_seconds(name, first[name]) != without_seconds(name, other[name])
        ] == []
