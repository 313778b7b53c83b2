"""Damages of the files in a folder, drawn at random, and what is made of them."""

import json
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from safetensors.torch import load_file

from vae_mf.files import SEAL
from vae_mf.training.weights import weights_digest

TIMES = {"train_seconds", "sample_seconds", "seconds"}
TEXTS = (".json", ".yaml", ".csv")


class Damage(NamedTuple):
    """What was done to which files; vouched is False where nothing is left that could tell."""

    kind: str
    paths: tuple[Path, ...]
    vouched: bool = True

    def named_in(self, said: str) -> bool:
        """True if one of the files, or its folder, is named."""
        return any(path.name in said or path.parent.name in said for path in self.paths)


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a bit."""
    data = bytearray(content)
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(data)


CONTENTS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "flipped": flip,
    "cut": lambda content, rng: content[: rng.integers(len(content))],
    "longer": lambda content, rng: content + rng.bytes(int(rng.integers(1, 50))),
    "empty": lambda content, rng: b"",
    "garbage": lambda content, rng: rng.bytes(len(content)),
}
KINDS = [*CONTENTS, "deleted", "swapped", "of another folder", "edited", "edited without a seal"]


def files_in(folder: Path) -> list[Path]:
    """Files that a command has left in a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock" and path.stat().st_size)


def damaged(folder: Path, other: Path, kind: str, rng: np.random.Generator) -> Damage:
    """Do damage of a kind to a folder.

    Args:
        folder: folder to damage.
        other: another folder of the same sort.
        kind: one of `KINDS`.
        rng: source of all choices.
    """
    files = files_in(folder)
    if kind == "of another folder":
        files = [path for path in files if (other / path.relative_to(folder)).is_file()]
    if kind.startswith("edited"):
        files = [path for path in files if path.suffix in TEXTS]
    path = files[rng.integers(len(files))]
    if kind in CONTENTS:
        path.write_bytes(CONTENTS[kind](path.read_bytes(), rng))
    elif kind == "deleted":
        path.unlink()
    elif kind == "of another folder":
        path.write_bytes((other / path.relative_to(folder)).read_bytes())
    elif kind == "swapped":
        return swapped(path, files, rng)
    else:
        edit(path, rng)
    if kind == "edited without a seal":
        for seal in folder.rglob(SEAL):
            seal.unlink()
    return Damage(kind, (path,), kind != "edited without a seal")


def swapped(path: Path, files: Iterable[Path], rng: np.random.Generator) -> Damage:
    """Let a file and one of its neighbours, or of the files of its kind, change places."""
    near = [each for each in files if each != path and each.parent == path.parent]
    near = near or [each for each in files if each != path and each.suffix == path.suffix] or [path]
    second = near[rng.integers(len(near))]
    mine, theirs = path.read_bytes(), second.read_bytes()
    path.write_bytes(theirs)
    second.write_bytes(mine)
    return Damage("swapped", (path, second))


def edit(path: Path, rng: np.random.Generator) -> None:
    """Change, or leave out, one entry or row of a text."""
    text = path.read_text(encoding="utf-8")
    digits = [place.start() for place in re.finditer(r"\d", text)]
    if digits and rng.random() < 0.5:
        place = digits[rng.integers(len(digits))]
        path.write_text(f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}", encoding="utf-8")
        return
    if path.suffix == ".csv":
        lines = text.splitlines(keepends=True)
        del lines[rng.integers(len(lines))]
        path.write_text("".join(lines), encoding="utf-8")
        return
    values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    keys = list(values)
    del values[keys[rng.integers(len(keys))]]
    path.write_text(json.dumps(values) if path.suffix == ".json" else yaml.safe_dump(values), encoding="utf-8")


def made(place: Path) -> dict[str, bytes]:
    """What a finished command has made, without what differs from run to run: times, logs, pictures, digests."""
    found = {}
    for path in sorted(place.rglob("*")):
        spare = {"logs", "checkpoints", "figures", "multirun"} & set(path.parts)
        if not spare and path.is_file() and path.name not in ("SHA256SUMS", "errors", "run.json", ".lock", "fit.json"):
            name = path.relative_to(place).as_posix()
            if (content := content_of(path, ".zarr/" in name)) is not None:
                found[name] = content
    return found


def content_of(path: Path, of_store: bool) -> bytes | None:
    """What is the same in every run of what a file holds; None if nothing has to be."""
    try:
        if of_store:
            return path.read_bytes()
        match path.suffix:
            case ".json":
                return json.dumps(without_times(json.loads(path.read_text(encoding="utf-8")))).encode()
            case ".csv":
                rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
                columns = [k for k, head in enumerate(rows[0]) if head not in TIMES]
                return repr([[row[k] for k in columns] for row in rows if len(row) == len(rows[0])]).encode()
            case ".safetensors":
                return weights_digest(load_file(path)).encode()
    except Exception:
        return b"damaged"
    return None


def without_times(value):
    return {key: item for key, item in value.items() if key not in TIMES} if isinstance(value, dict) else value


def stop_at(place: str, call: int) -> None:
    """Let a call of a function, as in "package.module:Class.function", end as if the user had stopped the command."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    function, calls = getattr(owner, name), count(1)

    def stopped(*args, **kwargs):
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    setattr(owner, name, stopped)
