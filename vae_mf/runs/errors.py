"""Errors that a user may cause, told on one line."""

import re

from hydra.errors import HydraException, InstantiationException
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import OmegaConfBaseException

EXPECTED = (HydraException, OmegaConfBaseException, MisconfigurationException, ValueError, OSError, ImportError)
"""Errors that a user's input, files or installation may cause; anything else is a defect and shows its traceback."""


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line; an error raised while building an object speaks for itself."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return one_line(error.__cause__)
    missing = re.search(r"Missing mandatory value: (\S+)", str(error))
    if missing:
        return f"{missing[1]}: expected a value, as in {missing[1]}=VALUE, got none"
    return " ".join(str(error).split()) or type(error).__name__
