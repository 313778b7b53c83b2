"""Values that OmegaConf reads as they are, "${" and all."""

import re
from typing import Any


def literal(value: Any) -> Any:
    r"""Return a value, or nested ones, in which no text is an interpolation of OmegaConf.

    >>> print(literal({"path": "${x}.npy"})["path"])
    \${x}.npy
    """
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [literal(inner) for inner in value]
    # Of the backslashes before it, each pair is one.
    return re.sub(r"(\\*)\$\{", r"\1\1\${", value) if isinstance(value, str) else value
