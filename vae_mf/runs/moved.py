"""Files that a run names, found again by their names where they, or the whole run, have moved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_mf.runs.folder import DATA_HASH, Run, read_record
from vae_mf.runs.identity import config_digest, data_hash
from vae_mf.store.sample_store import is_sealed
from vae_mf.store.schema import StoreError

STORE = "store.path"
DATA = ("dataset.path", "dataset.read.path")


def located(run: Run, *folders: Path) -> DictConfig:
    """Return the configuration of a run as `relocated` does, with the data whose hash its record holds."""
    return relocated(run.config, *folders, recorded=read_record(run).get(DATA_HASH))


def relocated(config: DictConfig, *folders: Path, recorded: str | None = None) -> DictConfig:
    """Return the configuration of a run in which samples and data that are no longer where they were are in a folder.

    Nothing is written where a run from elsewhere says: samples that are gone are drawn again into the first folder.

    Args:
        config: configuration of the run.
        folders: folders in which they are looked for by name, in turn.
        recorded: hash of the data that the run was trained on, None in runs of version 0.1.

    Raises:
        ValueError: if the files of this name hold other data than those that the run was trained on.
    """
    config = config.copy()
    store = OmegaConf.select(config, STORE)
    if isinstance(store, str) and not holds_samples(store):
        OmegaConf.update(config, STORE, str(folders[0] / Path(store).name))
    for option in DATA:
        path = OmegaConf.select(config, option)
        if isinstance(path, str):
            OmegaConf.update(config, option, str(same_data(config, Path(path), folders, recorded)))
    return config


def same_data(config: DictConfig, path: Path, folders: Sequence[Path], recorded: str | None) -> Path:
    """Return the place of the data that a run was trained on: its own, or where it is not there, one in the folders."""
    there = [place for place in (path, *(folder / path.name for folder in folders)) if place.exists()]
    if not there or (recorded is None and there[0] == path):
        return path
    for place in there:
        if recorded == data_hash(str(place)) if recorded else is_of_run(config, path, place):
            return place
    raise ValueError(
        f"{there[0]}: expected the data that the run {config.run.name} was trained on, got others: put those into "
        "paths.data, under this name"
    )


def holds_samples(store: str) -> bool:
    """Return True if a finished store is at a path or URL."""
    try:
        return is_sealed(store)
    except StoreError:
        return False


def is_of_run(config: DictConfig, path: Path, place: Path) -> bool:
    """Return whether a run has its digest with the data at another place."""
    there = config.copy()
    for option in DATA:
        if OmegaConf.select(there, option) == str(path):
            OmegaConf.update(there, option, str(place))
    plain: Any = OmegaConf.to_container(there)
    return config_digest(plain) == config.run.digest
