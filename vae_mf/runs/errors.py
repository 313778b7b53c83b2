"""Errors that a user may cause, told on one line."""

import re

from hydra.errors import HydraException, InstantiationException
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import OmegaConfBaseException

EXPECTED = (HydraException, OmegaConfBaseException, MisconfigurationException, ValueError, OSError, ImportError)
"""Errors that a user's input, files or installation may cause; anything else is a defect and shows its traceback."""
LAUNCHERS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "ray_aws": "ray"}
"""The extra of this package that installs each launcher of sweeps."""


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line; an error raised while building an object speaks for itself."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return one_line(error.__cause__)
    launcher = re.search(r"Could not find 'hydra/launcher/(\w+)'", str(error))
    if launcher and launcher[1] in LAUNCHERS:
        extra = LAUNCHERS[launcher[1]]
        return (
            f"hydra/launcher={launcher[1]}: expected its plugin, got none; install it with pip install -e '.[{extra}]'"
        )
    missing = re.search(r"Missing mandatory value: (\S+)", str(error))
    if missing:
        return f"{missing[1]}: expected a value, as in {missing[1]}=VALUE, got none"
    return " ".join(str(error).split()) or type(error).__name__
