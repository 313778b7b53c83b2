"""Files that a run names, found again by their names where they, or the whole run, have moved."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_mf.runs.identity import config_digest
from vae_mf.store.sample_store import is_sealed
from vae_mf.store.schema import StoreError

STORE = "store.path"
DATA = ("dataset.path", "dataset.read.path")


def relocated(config: DictConfig, data: Path) -> DictConfig:
    """Return the configuration of a run in which samples and data that are no longer where they were are in ``data``.

    Nothing is written where a run from elsewhere says: samples that are not there are drawn again into ``data``.

    Args:
        config: configuration of the run.
        data: folder in which they are looked for by name.

    Raises:
        ValueError: if a file of the same name holds other data than those that the run was trained on.
    """
    config = config.copy()
    store = OmegaConf.select(config, STORE)
    if isinstance(store, str) and not holds_samples(store):
        OmegaConf.update(config, STORE, str(data / Path(store).name))
    moved: list[Path] = []
    for option in DATA:
        path = OmegaConf.select(config, option)
        if isinstance(path, str) and not Path(path).exists() and (found := data / Path(path).name).exists():
            moved.append(found)
            OmegaConf.update(config, option, str(found))
    for found in moved:
        require_same_data(config, found)
    return config


def holds_samples(store: str) -> bool:
    """Return True if a finished store is at a path or URL."""
    try:
        return is_sealed(store)
    except StoreError:
        return False


def require_same_data(config: DictConfig, found: Path) -> None:
    """Raise ValueError unless the configuration with these data is that of the run."""
    plain: Any = OmegaConf.to_container(config)
    if config_digest(plain) != config.run.digest:
        raise ValueError(f"{found}: expected the data that the run {config.run.name} was trained on, got others")
