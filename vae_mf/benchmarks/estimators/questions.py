"""Checks of the rows, latent variables and cuts that estimators of nats are asked about."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from vae_mf.checks import shown

FEWEST = 10
"""Rows of which a third, held out, still has a spread."""
ROUNDING = 1e-3
"""Distance of the length of a director from 1 that is allowed."""


def require_question(rows: Any, given: Any = None, cut: Any = None) -> None:
    """Raise ValueError unless an estimator can be asked about rows, latent variables and a cut.

    >>> require_question(np.zeros((20, 3)))
    Traceback (most recent call last):
    ValueError: rows: expected signs -1 and +1, got values such as [0.0]: 2 * rows - 1 makes them of 0 and 1

    Args:
        rows: signs (M, N) or directors (M, N, 3).
        given: latent variables (M, d), or None.
        cut: True for the variables of part A, (N,), or None.
    """
    require_rows(rows)
    if given is not None:
        require_latents(given, len(rows))
    if cut is not None:
        require_cut(cut, rows.shape[1])


def require_rows(rows: Any) -> None:
    """Raise ValueError unless rows are enough signs or directors of at least one variable."""
    shape = shape_of(rows)
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        expected = "an array of signs (rows, variables) or of directors (rows, variables, 3)"
        raise ValueError(f"rows: expected {expected}, got {in_words(rows)}")
    if shape[0] < FEWEST or not shape[1]:
        raise ValueError(f"rows: expected at least {FEWEST} rows of a variable or more, got {in_words(rows)}")
    if len(shape) == 2:
        require_signs(rows)
    else:
        require_directors(rows)


def require_signs(rows: Shaped[np.ndarray, "rows variables"]) -> None:
    """Raise ValueError unless all entries are -1 or +1."""
    if rows.dtype == bool or not np.isin(rows, (-1, 1)).all():
        found = np.unique(rows)[:5]
        advice = ": 2 * rows - 1 makes them of 0 and 1" if np.isin(found, (0, 1)).all() else ""
        raise ValueError(f"rows: expected signs -1 and +1, got values such as {shown(found)}{advice}")


def require_directors(rows: Shaped[np.ndarray, "rows variables 3"]) -> None:
    """Raise ValueError unless all vectors have the length 1."""
    lengths = np.linalg.norm(rows, axis=2).ravel()
    wrong = ~(np.abs(lengths - 1) < ROUNDING)
    if wrong.any():
        raise ValueError(f"rows: expected directors of length 1, got one of {lengths[wrong.argmax()]:.3g}")


def require_latents(given: Any, rows: int) -> None:
    """Raise ValueError unless there are finite numbers for every row."""
    shape = shape_of(given)
    if len(shape) != 2 or shape[0] != rows:
        raise ValueError(f"given: expected an array (rows, latent variables) of {rows} rows, got {in_words(given)}")
    if not np.isfinite(given).all():
        raise ValueError(f"given: expected finite numbers, got {shown(given[~np.isfinite(given)][0])}")


def require_cut(cut: Any, variables: int) -> None:
    """Raise ValueError unless it is True for some variables and False for the others."""
    if shape_of(cut) != (variables,) or cut.dtype != bool:
        raise ValueError(f"cut: expected an array of {variables} truth values, got {in_words(cut)}")
    if cut.all() or not cut.any():
        raise ValueError(f"cut: expected True for some variables and False for others, got {cut[0]} for all")


def shape_of(values: Any) -> tuple[int, ...]:
    """Return the shape of an array, nothing of anything else."""
    return values.shape if isinstance(values, np.ndarray) else ()


def in_words(values: Any) -> str:
    """Return what came, an array by its shape.

    >>> in_words(np.zeros((2, 5))), in_words([1, 2])
    ('an array float64 of shape (2, 5)', '[1, 2]')
    """
    return f"an array {values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else shown(values)
