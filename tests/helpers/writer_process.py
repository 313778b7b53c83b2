"""A writer in a process of its own, for tests that kill it or make it compete: `writer_process.py path mode [lease]`.

Mode "fill" writes what is missing and seals; "hold" opens the store and keeps it until standard input closes;
"kill:WRITES:SECONDS" fills, and is killed that long after that many writes; "log:SECONDS" fills, takes that long for
each block, and prints a time for each object that it puts; "stop:NAME:NUMBER" fills, and is stopped when it has decided
to put an object for the n-th time. A remote store is claimed for ``lease`` seconds.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from zarr.storage import LocalStore

from vae_mf.packing import pack_spins
from vae_mf.store import claim
from vae_mf.store.remote import RemoteFolder
from vae_mf.store.sample_store import StoreLayout, StoreWriter, open_writer

LAYOUT = StoreLayout(
    sites=13, temperatures=(1.5, 2.25, 3.0), blocks=8, rows_per_block=6, scalars={"energy": "f8", "basin": "i8"}
)
ATTRS = {"seed": 7, "versions": {"numpy": "x"}, "chains": [2, 3]}
PATTERNS = np.where(np.arange(26).reshape(2, 13) % 3 == 0, 1, -1).astype(np.int8)


def block(index: int, layout: StoreLayout = LAYOUT) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the packed spins and scalars of one block, always the same for one index; block 0 is all zeros."""
    shape = (len(layout.temperatures), layout.rows_per_block)
    rng = np.random.default_rng(index)
    spins = pack_spins(rng.choice(np.array([-1, 1], np.int8), (*shape, layout.sites)))
    scalars = {name: rng.integers(-50, 50, shape).astype(dtype) for name, dtype in layout.scalars.items()}
    if index == 0:
        return np.zeros_like(spins), {name: np.zeros_like(values) for name, values in scalars.items()}
    return spins, scalars


def writer(path: Path | str) -> StoreWriter:
    return open_writer(path, LAYOUT, ATTRS, {"patterns": PATTERNS})


def fill(path: Path | str, seconds: float = 0.0) -> None:
    """Write the blocks that are missing, each of which takes some time, and seal."""
    with writer(path) as store:
        for index in range(store.committed, LAYOUT.blocks):
            time.sleep(seconds)
            store.write_block(index, *block(index))
        if not store.sealed:
            store.seal({"rhat": [1.0, 1.01, float("nan")]})


def _kill_after(writes: int, seconds: float) -> None:
    """Kill this process some seconds after a number of writes to the store, wherever it is by then."""
    write_bytes, set_chunk = Path.write_bytes, LocalStore.set
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    left = iter(range(writes))

    def count() -> None:
        if next(left, None) is None:
            if timer.ident is None:
                timer.start()
            time.sleep(0.02)

    def write_bytes_slowly(self, data):
        count()
        return write_bytes(self, data)

    async def set_slowly(self, key, value):
        # A writer that dies inside the file system leaves such a file.
        litter = Path(self.root) / f"{key}.half.partial"
        litter.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(litter, value.to_bytes()[:3])
        count()
        await set_chunk(self, key, value)
        litter.unlink()

    Path.write_bytes, LocalStore.set = write_bytes_slowly, set_slowly


def _log_puts() -> None:
    put = RemoteFolder._put

    def log(self, name, content):
        put(self, name, content)
        print(time.monotonic_ns(), name, flush=True)

    RemoteFolder._put = log


def _stop_at(target: str, number: int) -> None:
    """Stop this process after the last check before a put."""
    as_found, check = RemoteFolder._as_found, RemoteFolder._check
    times = []

    def note(self, name):
        times.append(name)
        return as_found(self, name)

    def stop(self):
        check(self)
        if times.count(target) == number:
            times.append(target)
            os.kill(os.getpid(), signal.SIGSTOP)

    RemoteFolder._as_found, RemoteFolder._check = note, stop


def main(path: str, mode: str, lease: str = "60") -> None:
    claim.LEASE_SECONDS, claim.POLL_SECONDS = float(lease), float(lease) / 20
    if mode.startswith("log:"):
        _log_puts()
        fill(path, float(mode.removeprefix("log:")))
        return
    if mode.startswith("stop:"):
        _, name, number = mode.split(":")
        _stop_at(name, int(number))
    if mode == "hold":
        with writer(path):
            print("open", flush=True)
            sys.stdin.read()
        return
    if mode.startswith("kill:"):
        _, writes, seconds = mode.split(":")
        _kill_after(int(writes), float(seconds))
    fill(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
