"""Run folders, each of which explains itself."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vae_mf.checks import require_integer, require_path, shown
from vae_mf.files import (
    DAMAGED,
    LOCK,
    WEIGHTS,
    again_of,
    matching,
    only_one,
    put_in_place,
    read_json,
    require_unchanged,
    require_unlinked,
    whole,
    write_whole,
)
from vae_mf.provenance import git_revision, software_versions
from vae_mf.runs.foreign import require_harmless, require_no_aliases, require_values
from vae_mf.runs.identity import IDENTITY, data_hash
from vae_mf.runs.literal import literal
from vae_mf.runs.names import present_names

CONFIG = "config.yaml"
REQUIRED = ("seed", "run", "model")
"""Groups that every run has."""
DISCOVERY = "discovery.json"
"""Data and settings of a discovery, which make its folder its own."""
RECORD = "run.json"
SAMPLES = "zarr.json"
"""Header of samples, `store.schema.METADATA`, for whose name alone no zarr is imported."""
DATA_HASH = "data"
"""Entry of the record: hash of the data that a run was trained on, null without such."""
MOST_BYTES = 2**20
"""Size of a configuration; the longest have lists of variables."""
CHECKPOINTS = "checkpoints"
FIGURES = "figures"
FINISHED = "finished before, nothing done; force=true runs it again"
"""Answer of a command that has nothing to do."""


def place_of_results(option: str, value: Any) -> Path:
    """Return the folder that results are to be written into.

    Raises:
        ValueError: if it is no path, or the folder of a run, a discovery or samples, whose files are whole by a seal.
    """
    folder = require_path(option, value)
    taken = [name for name in (RECORD, DISCOVERY, SAMPLES) if (folder / name).exists()]
    if taken:
        raise ValueError(f"{option}: expected a folder of its own for results, got {folder}, which holds {taken[0]}")
    return folder


@dataclass(frozen=True)
class Run:
    """A run folder and the configuration that it belongs to."""

    folder: Path
    config: DictConfig

    @property
    def finished(self) -> bool:
        """True if every stage is done; the metrics are written last."""
        from vae_mf.tables import METRICS  # loading a model does not wait for pandas

        return (self.folder / METRICS).exists()

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def weights(self) -> Path:
        """File of the trained weights."""
        return self.folder / WEIGHTS

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / FIGURES

    def again(self) -> "Run":
        """Return this run in another folder, to be run again while the former result still counts."""
        return open_run(self.config, again_of(self.folder))

    def settle(self) -> None:
        """Replace the former result by that of `again`, if it is complete."""
        from vae_mf.tables import METRICS

        put_in_place(self.folder, METRICS)

    @property
    def settings(self) -> dict[str, Any]:
        """The options that the results depend on, as plain values."""
        return OmegaConf.to_container(OmegaConf.masked_copy(self.config, list(IDENTITY)))  # pyright: ignore


def open_run(config: DictConfig, folder: Path | None = None) -> Run:
    """Create the run folder of a configuration (or find it again) and write the resolved configuration into it.

    Args:
        config: configuration of the run.
        folder: another folder to run it in; None for its own.

    Raises:
        ValueError: if the folder belongs to another configuration or has links to folders, or the seed is no seed.
    """
    require_integer("seed", config.seed, minimum=0)
    run = Run(folder or require_path("run.folder", config.run.folder), config)
    if not run.folder.exists():
        run.settle()
    path = run.folder / CONFIG
    if not path.exists():
        with only_one(run.folder):
            if not path.exists():
                write_config(run)
    own = read_config(run.folder, extensions=None)
    require_options(own, run.folder)
    if own.run.get("digest") != config.run.digest:
        raise ValueError(f"run.folder: expected a folder of this configuration, got another run in {run.folder}")
    require_unlinked(*run.folder.iterdir())
    return run


@contextmanager
def run_discarded_if_refused(run: Run, keep: bool) -> Iterator[None]:
    """Remove the folder of a run that fails before its training begins, unless it is to be kept as unfinished."""
    try:
        yield
    except Exception:
        if not keep and not (run.folder / RECORD).exists():
            for name in (CONFIG, LOCK):
                (run.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else lies there
                run.folder.rmdir()
        raise


def write_config(run: Run) -> None:
    """Write the configuration of a run into its folder, every value written out."""
    write_whole(run.folder / CONFIG, OmegaConf.to_yaml(literal(OmegaConf.to_container(run.config, resolve=True))))


def find_runs(
    patterns: Iterable[str], extensions: Sequence[str] | None = (), refused: Callable[[ValueError], None] | None = None
) -> list[Run]:
    """Return the run folders that match any of these globs, by name; other folders are passed over.

    Args:
        patterns: globs.
        extensions: see `read_config`.
        refused: function that is told why a folder is passed over; None to raise the error.

    Raises:
        ValueError: if there is none, or one is damaged or names objects of other packages.
    """
    folders = sorted({path for pattern in patterns for path in matching(pattern)})
    runs, damaged = [], []
    for folder in folders:
        if not (folder / CONFIG).exists():
            continue
        try:
            config = read_config(folder, extensions)
        except ValueError as error:
            if refused is None:
                raise
            refused(error)
            damaged.append(folder)
            continue
        if "run" in config:
            runs.append(Run(folder, config))
    if damaged and not runs:
        raise ValueError(f"runs: expected a whole run folder, got {', '.join(map(str, damaged[:5]))}, damaged")
    if not runs:
        raise ValueError(f"runs: expected globs that match run folders, got {list(patterns)}")
    return runs


def find_run(folder: Path, extensions: Sequence[str] = ()) -> Run:
    """Return the run of a folder.

    Args:
        folder: folder of the run.
        extensions: see `read_config`.

    Raises:
        FileNotFoundError: if the folder holds no run, or one whose training has not begun.
        ValueError: if its configuration is damaged or names objects of other packages.
    """
    if not ((folder / CONFIG).exists() and (folder / RECORD).exists()):
        advice = elsewhere(folder)
        raise FileNotFoundError(f"run: expected a run folder with {CONFIG} and {RECORD}, got {folder}{advice}")
    config = read_config(folder, extensions)
    require_options(config, folder)
    return Run(folder, config)


def require_options(config: DictConfig, folder: Path) -> None:
    """Raise ValueError unless the configuration in a folder is that of a run."""
    if missing := [name for name in REQUIRED if name not in config]:
        raise ValueError(
            f"{folder / CONFIG}: expected the options of a run, got none for {', '.join(missing)}: {DAMAGED}"
        )


def elsewhere(folder: Path) -> str:
    """Return a clause on what a folder is, if it is no run folder, or on the run that was probably meant."""
    if (folder / "zarr.json").exists():
        return ": it is a sample store, which vae_mf.open_store opens"
    if (folder.parent / RECORD).exists():
        return f": give the folder, {folder.parent}"
    inside = [path.parent.name for path in sorted(folder.glob(f"*/{RECORD}"))]
    if inside:
        return f": it holds runs, such as {folder / inside[0]}"
    near = get_close_matches(folder.name, [path.parent.name for path in folder.parent.glob(f"*/{RECORD}")], 1)
    return f": did you mean {folder.parent / near[0]}?" if near else ""


def read_config(folder: Path, extensions: Sequence[str] | None = ()) -> DictConfig:
    """Return the configuration of a run folder, in the names of today.

    Args:
        folder: folder of the run.
        extensions: packages or modules whose objects it may name beside those of this package; None if nothing in it
            will be built.

    Raises:
        ValueError: if it is damaged, or would run or compute something else when it is built, or another file of a
            finished run has changed.
    """
    plain: Any = present_names(read_values(folder / CONFIG))
    require_unchanged(folder)
    run = plain.get("run", {"name": ""})
    if not isinstance(run, dict) or not isinstance(run.get("name"), str):
        raise ValueError(f"{folder / CONFIG}: expected options of the run, got run={shown(run)}: {DAMAGED}")
    if extensions is not None:
        require_harmless(plain, folder / CONFIG, extensions)
    config = OmegaConf.create(plain)
    assert isinstance(config, DictConfig)
    return config


def read_values(path: Path) -> dict[str, Any]:
    """Return the values of a configuration in a file.

    Raises:
        ValueError: if it is damaged, too long, or values would be computed or are repeated by aliases: a few aliases
            of aliases stand for more values than any memory holds.
    """
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"{path}: expected at most {MOST_BYTES} bytes of options, got {path.stat().st_size}: {DAMAGED}"
        )
    with whole(path, UnicodeDecodeError, YAMLError, OmegaConfBaseException, RecursionError):
        text = path.read_text(encoding="utf-8")
        require_no_aliases(text, path)
        plain: Any = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(plain, dict):
        raise ValueError(f"{path}: expected options and their values, got {shown(plain)}: {DAMAGED}")
    require_values(plain, path)
    return plain


def read_record(run: Run) -> dict[str, Any]:
    """Return what `record_run` wrote."""
    return read_json(run.folder / RECORD)


def record_run(run: Run, sites: int, temperatures: Sequence[float]) -> None:
    """Write beside the configuration what it does not say: sites, temperatures, software, revision and machine."""
    import torch  # what only reads run folders does not wait for it

    record = {
        "sites": sites,
        "temperatures": list(temperatures),
        "seed": run.config.seed,
        DATA_HASH: data_hash(OmegaConf.select(run.config, "dataset.path")),
        "revision": git_revision(),
        "software": software_versions(),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    write_whole(run.folder / RECORD, json.dumps(record, indent=2) + "\n")
