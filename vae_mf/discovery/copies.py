"""Held-out rows that are exact copies of training rows, beside those that a model expects."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int8

from vae_mf.density_models.comparison import ModelScores


class Copies(NamedTuple):
    """Held-out rows that are copies of training rows."""

    found: int
    """Number of them."""
    expected: float
    """Number that the likeliest model expects among so many training rows."""
    error: float
    """Standard deviation of that number."""
    rows: int
    """Number of held-out rows."""
    limit: float
    """Share of held-out rows from which on unexpected copies decide nothing."""
    errors: float
    """Errors by which copies must be more than chance explains."""

    @property
    def repeated(self) -> bool:
        """True if rows are repeated: held-out rows say nothing then, and errors are those of too many rows."""
        unexpected = self.found - self.expected
        return unexpected > max(self.limit * self.rows, self.errors * self.error)

    @property
    def sentence(self) -> str:
        """Sentence about the copies, for rows that are repeated."""
        return (
            f"Rows are repeated: {self.found / self.rows:.0%} of the held-out rows are exact copies of training rows, "
            f"where the likeliest model expects {self.expected / self.rows:.1%}; neither errors nor held-out rows say "
            "anything then. Give every observation once."
        )


def copies_of(
    train: Int8[np.ndarray, "train_rows variables"],
    held_out: Int8[np.ndarray, "held_out_rows variables"],
    model: ModelScores,
    limit: float,
    errors: float,
) -> Copies:
    """Return the held-out rows that are copies of training rows.

    A row of probability p is among n others with probability 1 - (1 - p)^n. Rows that repeat by nature, as silent ones
    do, are expected to.

    Args:
        train: training rows.
        held_out: validation rows, and then test rows.
        model: scores of the likeliest model.
        limit: share of held-out rows from which on unexpected copies decide nothing.
        errors: errors by which copies must be more than chance explains.
    """
    known = set(map(bytes, train))
    found = sum(bytes(row) in known for row in held_out)
    p = np.exp(np.minimum(np.concatenate([model.validation, model.test]), 0.0)).clip(max=1 - 1e-12)
    chances = -np.expm1(len(train) * np.log1p(-p))
    error = float(np.sqrt((chances * (1 - chances)).sum()))
    return Copies(found, float(chances.sum()), error, len(p), limit, errors)
