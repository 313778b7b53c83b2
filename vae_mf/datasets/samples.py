"""Configurations at several temperatures in a file or folder, the temperatures in it or in its names."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import zarr

from vae_mf.datasets.file_formats import read_array, reading
from vae_mf.datasets.files import DataError, listed, open_head, parsing, suffix_of

TEMPERATURES, SPINS = "temperatures", "spins"
"""Arrays of a file that holds all temperatures in one."""
NAME = re.compile(r"(?:t|temp|temperature)?[ _=-]*(\d+(?:\.\d*)?(?:e[+-]?\d+)?)", re.IGNORECASE)
AS_NAMED = "expected a temperature in every name, as in T_0.5 or 0.5"
ZARR = ("zarr.json", ".zgroup")


def read_samples(path: str | os.PathLike) -> dict[float, np.ndarray]:
    """Return the arrays of a file or folder by temperature, as they are; `vae_mf.store.from_arrays` takes them.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "samples.npz")
    ...     np.savez(path, **{"T_0.5": np.ones((10, 4)), "T_1.0": -np.ones((10, 4))})
    ...     samples = read_samples(path)
    >>> {temperature: spins.shape for temperature, spins in samples.items()}
    {0.5: (10, 4), 1.0: (10, 4)}

    Args:
        path: An npz file or a zarr group with an array for each temperature, named such as "0.5" or "T_0.5", or with
            arrays ``temperatures`` (T,) and ``spins`` (T, rows, sites) or (T, chains, rows, sites); or a folder of npy
            files with such names.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        DataError: It is something else, or a name has no temperature.
    """
    path = Path(path)
    with reading(path):
        files = files_of(path)
        names = names_in(path)
        if files:
            places = temperatures_of(file.stem for file in files)
            return {temperature: read_array(files[place]) for temperature, place in places.items()}
        if {TEMPERATURES, SPINS} <= set(names):
            return by_temperature(read_array(path, TEMPERATURES), read_array(path, SPINS))
        places = temperatures_of(names)
        return {temperature: read_array(path, names[place]) for temperature, place in places.items()}


def files_of(path: Path) -> list[Path]:
    """Return the npy files of a folder, or the file itself if it is one."""
    if path.is_dir():
        return [] if any((path / name).exists() for name in ZARR) else sorted(path.glob("*.npy"))
    return [path] if suffix_of(path) == ".npy" else []


def names_in(path: Path) -> list[str]:
    """Return the names of the arrays of a file; of a folder of npy files there are none."""
    if path.is_dir() and any((path / name).exists() for name in ZARR):
        with parsing("zarr"):
            node = zarr.open(path, mode="r")
            return sorted(node.array_keys()) if isinstance(node, zarr.Group) else []
    if path.is_dir():
        if not any(path.glob("*.npy")):
            raise DataError("expected npy files with names such as T_0.5.npy in the folder, found none: save them so")
        return []
    open_head(path)
    if suffix_of(path) == ".npz":
        with parsing("npz"), np.load(path) as archive:
            return list(archive.files)
    if suffix_of(path) != ".npy":
        advice = "save the samples with numpy.savez(FILE, temperatures=..., spins=...)"
        raise DataError(f"expected an npz file, a zarr group or a folder of npy files, got {path.name}: {advice}")
    return []


def temperatures_of(names: Iterable[str]) -> dict[float, int]:
    """Return the place of every name by the temperature in it, in their order.

    >>> temperatures_of(["T_1.5", "0.5"])
    {0.5: 1, 1.5: 0}
    """
    found: dict[float, int] = {}
    named = list(names)
    for place, name in enumerate(named):
        match = NAME.fullmatch(name)
        if match is None:
            arrays = f"or arrays {TEMPERATURES} and {SPINS}"
            raise DataError(f"{AS_NAMED}, {arrays}, got {name!r} among {listed(named)}: rename it")
        temperature = float(match[1])
        if temperature in found:
            raise DataError(
                f"expected each temperature once, got {named[found[temperature]]} and {name}: leave one out"
            )
        found[temperature] = place
    if not found:
        raise DataError(f"{AS_NAMED}, got no array at all: save the samples again")
    return dict(sorted(found.items()))


def by_temperature(temperatures: np.ndarray, spins: np.ndarray) -> dict[float, np.ndarray]:
    """Return the parts of one array by temperature."""
    if temperatures.ndim != 1 or len(temperatures) != len(spins) or spins.ndim not in (3, 4):
        shapes = f"{TEMPERATURES} {temperatures.shape} and {SPINS} {spins.shape}"
        raise DataError(f"expected {TEMPERATURES} (T,) and {SPINS} (T, rows, sites), got {shapes}: save them so")
    if len(set(temperatures.tolist())) < len(temperatures):
        raise DataError(f"expected each temperature once, got {listed(temperatures.tolist())}: join those of one")
    order = np.argsort(temperatures)
    return {float(temperatures[place]): spins[place] for place in order}
