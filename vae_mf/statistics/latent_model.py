"""Contract of a model with latent variables, and the model without any: independent columns.

Everything that is asked of the residuals of rows is asked through three capabilities: residuals at draws of z from
p(z|x), rows of the model's own, and the mean products of conditional variances. Residuals have a column for every
variable, or several.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from vae_mf.statistics.row_order import Columns, chunks, shifted_columns

Residuals = Float[np.ndarray, "_ draws columns"]
"""δ = x - <x|z> at several draws of z for every row."""
Products = Float[np.ndarray, "columns columns"]
"""<v_i v_j> of all columns, v the conditional variances."""
Variables = Int[np.ndarray, " columns"]
"""Variable that every column of the residuals belongs to."""
Rows = Shaped[np.ndarray, "rows variables *axes"]


@runtime_checkable
class LatentModel(Protocol):
    """A law of rows whose variables are independent given latent variables z."""

    @property
    def variables(self) -> Variables:
        """Variable that every column of the residuals belongs to."""
        ...

    def residuals(self, rows: Rows, draws: int, seed: int) -> Iterator[Residuals]:
        """Yield x - <x|z> at draws of z from p(z|x), in parts of consecutive rows: the same for the same seed."""
        ...

    def draw_rows(self, count: int, seed: int) -> Rows:
        """Return rows of the model."""
        ...

    def variance_products(self) -> Products:
        """Return <v_i v_j> of all columns under the model."""
        ...


class IndependentColumns:
    """The model without latent variables: <x> is the mean of every column, and its rows are shifted columns.

    Every column keeps its memory in these rows, whose correlations between columns are those of chance.

    Args:
        rows: the data.
        variables: variable that every column belongs to; None for a column a variable.

    >>> model = IndependentColumns(np.array([[1, -1], [1, 1]], np.int8))
    >>> next(model.residuals(model.draw_rows(2, seed=1), draws=1, seed=0)).shape
    (2, 1, 2)
    """

    def __init__(self, rows: Columns, variables: Variables | None = None):
        self.rows = rows
        self.variables = np.arange(rows.shape[1]) if variables is None else variables

    def residuals(self, rows: Columns, draws: int, seed: int) -> Iterator[Residuals]:
        """Yield the rows less the means of the columns; there is nothing to draw."""
        mean = self.rows.mean(0, dtype=np.float64).astype(np.float32)
        for part in chunks(rows):
            yield (part - mean)[:, None]

    def draw_rows(self, count: int, seed: int) -> Columns:
        """Return the columns of the data, shifted against each other in time as often as it takes."""
        copies = -(-count // len(self.rows))
        return np.concatenate(list(shifted_columns(self.rows, copies, seed)))[:count]

    def variance_products(self) -> Products:
        """Return the products of the variances of the columns."""
        squares = sum((part[:, 0] ** 2).sum(0, dtype=np.float64) for part in self.residuals(self.rows, 1, 0))
        variances = squares / len(self.rows)
        return np.outer(variances, variances)
