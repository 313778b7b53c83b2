"""A hundred kills of the sampling command, at every stage of its work: no committed row is lost or altered.

Each is a SIGKILL of a process of its own that runs `scripts/sample.py`. The processes are forked from one that has the
libraries imported, because a kill during the imports would test nothing and they take most of the time.
"""

import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers.files import tree
from helpers.killed_commands import start_command

from vae_mf.store.sample_store import is_sealed
from vae_mf.store.schema import COMMITTED, METADATA

BLOCKS, TEMPERATURES = 24, 8
KILLS, LANES = 100, 2
STAGES = ("creation", "between blocks", "block", "marker", "seal")
SAMPLE = [
    "system=curie_weiss",
    "sampling=direct",
    "system.sites=33",
    f"sampling.temperatures=${{linear_grid:0.5,1.5,{TEMPERATURES}}}",
    f"sampling.samples={5 * BLOCKS}",
    f"sampling.chains={BLOCKS}",
    f"sampling.blocks={BLOCKS}",
    "threads=1",
]


def start(path: Path) -> BaseProcess:
    return start_command(
        "sample", [*SAMPLE, f"store.path={path}", f"report={path.parent}/report-{path.name}"], path.parent
    )


def committed(path: Path) -> int:
    """Number of committed blocks, 0 where there is no store."""
    if not path.exists():
        return 0
    return int(np.asarray(zarr.open_array(path, path=COMMITTED, mode="r", zarr_format=3)[()]))


def block_files(files: dict[str, bytes], blocks: range) -> dict[str, bytes]:
    """The files of finished chunks that belong to ``blocks``, by name."""
    chunks = {name: re.fullmatch(r"T\d+/\w+/c\.(\d+)(\.0)?", name) for name in files}
    return {name: files[name] for name, chunk in chunks.items() if chunk and int(chunk[1]) in blocks}


def last_chunk(path: Path, block: int) -> Path:
    """The file that a block writes last before the marker."""
    return path / f"T{TEMPERATURES - 1:03d}/spins/c.{block}.0"


def stage(path: Path) -> str:
    """What a writer was doing when it was killed."""
    if not path.exists():
        return "creation" if path.with_name(f"{path.name}.creating").exists() else "before"
    done, files = committed(path), tree(path)
    if done == BLOCKS:
        return "after" if is_sealed(path) else "seal"
    if last_chunk(path, done).exists():
        return "marker"
    begun = block_files(files, range(done, BLOCKS)) or any(name.endswith(".partial") for name in files)
    return "block" if begun else "between blocks"


def choose_moment(path: Path, rng: np.random.Generator) -> tuple[Callable[[], bool], float]:
    """Return the event to wait for, which is still to come, and the seconds to wait after it."""
    if not path.exists():
        if rng.random() < 0.7:
            return path.with_name(f"{path.name}.creating").exists, rng.uniform(0, 0.003)
        return path.exists, rng.uniform(0, 0.2)
    done = committed(path)
    if done == BLOCKS:
        return lambda: is_sealed(path), 0.0
    target = min(done + int(rng.integers(1, 8)), BLOCKS)
    if target == BLOCKS:
        return lambda: committed(path) == BLOCKS, rng.uniform(0, 0.3)
    if rng.random() < 0.4:
        return last_chunk(path, target).exists, 0.0
    return lambda: committed(path) >= target, rng.uniform(0, 0.1)


def kill_and_resume(folder: Path, whole: dict[str, bytes], seed: int) -> Counter[str]:
    """Kill and resume until enough kills are done and the last store is finished; return the kills by stage."""
    rng, stages, stores, done, kept = np.random.default_rng(seed), Counter(), 0, 0, {}
    while True:
        path = folder / f"{seed}-{stores}"
        process = start(path)
        event, delay = choose_moment(path, rng)
        while process.is_alive() and not event():
            time.sleep(0.0005)
        time.sleep(delay)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if process.exitcode:
            stages[stage(path)] += 1
        files = tree(path) if path.exists() else {}
        before, done = done, committed(path)
        assert done >= before
        assert kept.items() <= files.items()
        kept = block_files(files, range(done))
        assert kept == block_files(whole, range(done))
        if path.exists() and is_sealed(path):
            assert files == whole
            stores, done, kept = stores + 1, 0, {}
            if sum(stages[name] for name in STAGES) >= KILLS // LANES:
                return stages


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(tmp_path):
    whole = tmp_path / "whole"
    process = start(whole)
    process.join()
    assert process.exitcode == 0
    with ThreadPoolExecutor(LANES) as pool:
        counts = list(pool.map(lambda seed: kill_and_resume(tmp_path, tree(whole), seed), range(LANES)))
    stages = sum(counts, Counter())
    print(dict(stages), "stores:", len([path for path in tmp_path.iterdir() if (path / METADATA).exists()]) - 1)
    assert sum(stages[name] for name in STAGES) >= KILLS
    assert all(stages[name] >= 5 for name in STAGES)
