"""Provenance of a result: the code and the versions of the libraries that produced it."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from vae_mf import __version__
from vae_mf.paths import checkout

PACKAGES = ("numpy", "scipy", "numba", "zarr", "torch", "pytorch-lightning", "nflows", "scikit-learn")


def software_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of the libraries that matter, "absent" for one not installed.

    >>> software_versions()["vae_mf"] == __version__
    True
    """
    own = {"python": platform.python_version(), "vae_mf": __version__}
    return own | {name: _version(name) for name in PACKAGES}


def git_revision() -> str:
    """Return the commit of this checkout, "-dirty" appended if tracked files differ; "unknown" outside git."""
    root = checkout()
    if root is None:  # an installed package may lie inside the repository of somebody else
        return "unknown"
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
