"""Chains of rows in {0, 1} on their way from independent variables to an unnormalised model, and models with such."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import logit

from vae_mf.arrays import Rows, Spins
from vae_mf.density_models.ascent import FloatRows, in_double
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.inverse_ising.solvers.annealing import PerChain

Vector = Float[np.ndarray, " variables"]


class AnnealedRows:
    """Base of `AnnealedChains` (`vae_mf.inverse_ising.solvers.annealing`) whose configurations are rows in {0, 1}.

    Args:
        probabilities: P(x_i = 1) of the independent variables at beta = 0, shape (N,).
        count: number of chains.
    """

    def __init__(self, probabilities: Vector, count: int, random: np.random.Generator):
        self._random = random
        self._log_odds = logit(probabilities).astype(np.float32)
        self._rows = (random.random((count, len(probabilities))) < probabilities).astype(np.float32)
        self.start_log_partition = float(-np.log1p(-probabilities).sum())

    @property
    def spins(self) -> Spins:
        """Current rows as spins, shape (chains, N)."""
        return np.where(self._rows > 0, np.int8(1), np.int8(-1))

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        self._rows = self._rows[chosen]


@runtime_checkable
class Temperable(Protocol):
    """Unnormalised model f(x) with sweeps that leave f(x)^beta times independent variables invariant."""

    def exponents(self, rows: FloatRows) -> Float[np.ndarray, " rows"]:
        """Return ln f(x) of every row."""
        ...

    def swept(
        self, rows: FloatRows, random: np.random.Generator, beta: float = 1.0, fields: Vector | None = None
    ) -> FloatRows:
        """Return the rows after a sweep that leaves exp(fields.x) f(x)^beta invariant."""
        ...


class GeometricPath(AnnealedRows):
    """Chains of f_beta(x) = exp((1 - beta) h.x) f(x)^beta, independent variables with log-odds h at beta = 0."""

    def __init__(self, model: Temperable, probabilities: Vector, count: int, random: np.random.Generator):
        super().__init__(probabilities, count, random)
        self._model = model
        self._change = self._changes()

    def _changes(self) -> PerChain:
        """Return ln f_1(x) - ln f_0(x) of every chain."""
        return self._model.exponents(self._rows) - self._rows @ self._log_odds

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(x) / d beta of every chain."""
        return self._change

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(x) - ln f_beta(x) of every chain."""
        return (ahead - beta) * self._change

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        super().keep(chosen)
        self._change = self._change[chosen]

    def move(self, beta: float) -> None:
        """Advance every chain by a sweep at beta."""
        fields = np.float32(1 - beta) * self._log_odds
        self._rows = self._model.swept(self._rows, self._random, beta, fields)
        self._change = self._changes()


class GeometricModel(EnergyModel):
    """Base of energy models whose fitted ``model_`` has parts in single precision and sweeps at every temperature."""

    model_: Any

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        return in_double(self.model_).exponents((rows > 0).astype(np.float64))

    def _annealed(self, probabilities: Vector, count: int, random: np.random.Generator) -> GeometricPath:
        return GeometricPath(self.model_, probabilities, count, random)
