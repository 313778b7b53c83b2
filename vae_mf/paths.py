"""Places of files: configurations, results and downloads, in a checkout of the project and where it is installed."""

import os
from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parent
DOWNLOADS = "VAE_MF_DATA"
"""Environment variable with the folder of downloads."""


def checkout() -> Path | None:
    """Return the folder of the project that this package is imported from, None if it is installed without."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "conf").is_dir() else None


def configurations() -> Path:
    """Return the folder of the YAML files: ``conf`` of the project, else the copy inside the package.

    >>> (configurations() / "train.yaml").exists()
    True
    """
    root = checkout()
    return (PACKAGE if root is None else root) / "conf"


def workplace() -> Path:
    """Return the folder that holds ``data`` and ``outputs``: the project, else the working folder."""
    return checkout() or Path.cwd()


def downloads() -> Path:
    """Return the folder of downloads: that of VAE_MF_DATA, else ``data`` of the project, else the user's cache.

    Raises:
        ValueError: if it would be in the folder of a user who has none, or VAE_MF_DATA names a file.
    """
    root = checkout()
    place = os.environ.get(DOWNLOADS)
    if place is None and root is None and without_home():
        raise ValueError(
            f"{DOWNLOADS}: expected a folder for downloads, as this user has none, got nothing: "
            f"set the environment variable {DOWNLOADS}"
        )
    if place and Path(place).exists() and not Path(place).is_dir():
        raise ValueError(f"{DOWNLOADS}: expected a folder for downloads, got the file {place}")
    return Path(place or (user_cache_path("vae_mf") if root is None else root / "data"))


def without_home() -> bool:
    """Return whether this user has no folder, as in a container under a number that no name belongs to."""
    return not (os.path.isabs(os.path.expanduser("~")) or os.environ.get("XDG_CACHE_HOME"))
