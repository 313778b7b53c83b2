"""Errors that a user may cause, told on one line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

EXPECTED = (HydraException, OmegaConfBaseException, ValueError, OSError, ImportError, MemoryError)
"""Errors that a user's input, files or installation may cause; anything else is a defect and shows its traceback."""
BEYOND_MEMORY = re.compile("can't allocate memory|out of memory|array is too big|Maximum allowed dimension exceeded")
"""Words of torch and NumPy where an array fits into no memory, of a processor or a GPU."""
RESOLVING = re.compile(r"\w+ raised while resolving interpolation: (.*?)\s+full_key: ", re.DOTALL)
"""Error of a function that a configuration calls, as OmegaConf tells it."""
HANDED_ON = re.compile(r"\$\{([\w.]+)\}")
"""Value of an option that is that of another."""


def is_expected(error: BaseException) -> bool:
    """Return whether a user's input, files, installation or machine may cause an error; else it is a defect."""
    return isinstance(error, EXPECTED) or is_beyond_memory(error)


def is_beyond_memory(error: BaseException) -> bool:
    """Return whether an array fits into no memory.

    >>> is_beyond_memory(RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")), is_beyond_memory(ValueError())
    (True, False)
    """
    said = isinstance(error, RuntimeError | ValueError) and BEYOND_MEMORY.search(str(error)) is not None
    return said or isinstance(error, MemoryError)


def one_line(error: BaseException, option: str | None = None) -> str:
    """Return what an error says, on one line, an option that it refuses by its whole name."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return one_line(error.__cause__)
    if resolving := RESOLVING.match(str(error)):
        return one_line(ValueError(resolving[1]))
    missing = re.search(r"Missing mandatory value: (\S+)", str(error))
    if missing:
        return f"{missing[1]}: expected a value, as in {missing[1]}=VALUE, got none"
    said = " ".join(filter(None, map(str.strip, str(error).split("\n")))) or type(error).__name__
    if is_beyond_memory(error):
        return (
            f"memory: expected arrays that fit, give fewer rows, variables or latents, or smaller batches, got {said}"
        )
    return said if option is None else f"{option}:{said.partition(':')[2]}"


def refused_option(error: BaseException, config: DictConfig) -> str | None:
    """Return the option whose value an error refuses, by the name before its colon; None if it refuses none.

    >>> config = OmegaConf.create({"n": 0, "training": {"epochs": 0}, "read": {"bins": "${n}"}})
    >>> [refused_option(ValueError(f"{name}: expected more"), config) for name in ("epochs", "read.bins", "x")]
    ['training.epochs', 'n', None]
    """
    values = dict(options(OmegaConf.to_container(config, resolve=False)))
    name = str(error).partition(":")[0]
    while handed_on := HANDED_ON.fullmatch(str(values.get(name))):
        name = handed_on[1]
    own = [option for option, value in values.items() if not HANDED_ON.fullmatch(str(value))]
    found = [name] if name in own else [option for option in own if option.endswith(f".{name}")]
    return found[0] if isinstance(error, ValueError) and len(found) == 1 else None


def options(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every option of plain containers."""
    for name, value in node.items():
        if isinstance(value, dict):
            yield from options(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def is_usage(option: str | None, config: DictConfig) -> bool:
    """Return whether the value of an option is to blame, and not the content of a file that it names."""
    if option is None:
        return False
    value = OmegaConf.select(config, option)
    return not (isinstance(value, str) and Path(value).exists())
