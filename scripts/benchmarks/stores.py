"""Cost of the checksums of samples, in writing and in reading.

python scripts/benchmarks/stores.py                          prints the table
python scripts/benchmarks/stores.py --repeats 15 --write     saves it under docs/benchmarks
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from baselines.table import PAGES, conditions, markdown, printed
from baselines.timing import Baseline, Row, race
from rich.console import Console

from vae_mf.store import files
from vae_mf.store.sample_store import StoreLayout, open_store, open_writer

TEMPERATURES = tuple(np.linspace(0.5, 1.5, 11).tolist())
BLOCKS = 20
SIZES = {"spins": (1024, 1000), "directors": (1024, 100)}
"""Sites, and rows of a block, by the kind of configurations: a twentieth, or less, of those of the paper."""
OTHER, LEAST = "without checksums", 0.98
"""Stores of the first version, and the least ratio of the times of both."""
SCALARS = {"energy": "f8", "order_parameter": "f8", "basin": "i4"}


@cache
def block_of(kind: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return a block at all temperatures, of independent sites that are ordered at low ones, and its scalars."""
    sites, rows = SIZES[kind]
    random = np.random.default_rng(1)
    shape = (len(TEMPERATURES), rows)
    if kind == "spins":
        up = np.linspace(0.99, 0.5, len(TEMPERATURES))[:, None, None]
        configurations = np.packbits(random.random((*shape, sites)) < up, axis=-1)
    else:
        drawn = random.normal(size=(*shape, sites, 3))
        configurations = (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).astype(np.float32)
    return configurations, {name: random.normal(size=shape).astype(kind) for name, kind in SCALARS.items()}


def write(path: Path, kind: str, *, checked: bool = True) -> int:
    """Write a store and seal it; return the number of its sites. Without checksums it is one of the first version."""
    sites, count = SIZES[kind]
    layout = StoreLayout(sites, TEMPERATURES, BLOCKS, count, SCALARS, kind)
    configurations, scalars = block_of(kind)
    shutil.rmtree(path, ignore_errors=True)
    codecs = files.COMPRESSORS if checked else files.COMPRESSORS[:1]
    with patch.object(files, "COMPRESSORS", codecs), open_writer(path, layout, {"seed": 1}) as writer:
        if not checked:
            writer._blocks = None
        for index in range(BLOCKS):
            writer.write_block(index, configurations, scalars)
        writer.seal({})
    return BLOCKS * len(TEMPERATURES) * count * sites


def read(path: Path) -> int:
    """Read all configurations of a store; return the number of their sites."""
    store = open_store(path)
    for level in range(len(TEMPERATURES)):
        _ = store.packed(level) if store.kind == "spins" else store.directors(level)
    return len(TEMPERATURES) * store.rows * store.sites


def rows(repeats: int) -> Iterator[Row]:
    """Time writing and reading of stores, with checksums and without."""
    with tempfile.TemporaryDirectory() as name:
        checked = Path(name) / "checked.zarr"
        plain = Path(name) / "plain.zarr"
        for kind, (sites, count) in SIZES.items():
            size = f"{kind}, {BLOCKS * len(TEMPERATURES) * count:,} x {sites:,}"
            without = partial(write, plain, kind, checked=False)
            yield from race("writing", size, partial(write, checked, kind), [Baseline(OTHER, without, LEAST)], repeats)
            yield from race(
                "reading", size, partial(read, checked), [Baseline(OTHER, partial(read, plain), LEAST)], repeats
            )


def main() -> None:
    """Measure, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="rounds per line")
    parser.add_argument("--write", action="store_true", help="save the table as docs/benchmarks/stores.md")
    options = parser.parse_args()
    found = list(rows(options.repeats))
    made_on = conditions("zarr", "numcodecs")
    Console(width=140).print(printed(found), made_on)
    if options.write:
        command = f"python scripts/benchmarks/stores.py --repeats {options.repeats}"
        text = markdown("Cost of checksums", command, made_on, found)
        (PAGES / "stores.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
