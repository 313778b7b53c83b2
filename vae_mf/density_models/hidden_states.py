"""Laws of rows given a hidden state: independent variables, or any density model for every state."""

from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import clone

from vae_mf.arrays import Rows, Spins
from vae_mf.density_models.base import DensityModel, bernoulli
from vae_mf.density_models.mixture import ROWS, BernoulliComponents, joint_logs
from vae_mf.statistics.independent import Probabilities

StateLogs = Float[np.ndarray, "rows states"]
"""ln p(s|k) of every row in every state."""
StateCounts = Float[np.ndarray, "rows states"]
"""Times that every row comes from each state."""


class CountedRows(NamedTuple):
    """Distinct rows of the data."""

    spins: Spins
    counts: Float[np.ndarray, " rows"]
    """Number of times that each of them counts."""
    rates: Probabilities
    """Mean rates, never 0 or 1."""


class States(Protocol):
    """Laws p(s|k) of rows given a hidden state."""

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of all laws."""
        ...

    def logs(self, spins: Spins) -> StateLogs:
        """Return ln p(s|k) of rows."""
        ...

    def log_prior(self, rows: CountedRows) -> float:
        """Return the sum over states of the mean of ln p(s|k) over the data."""
        ...

    def refitted(self, rows: CountedRows, counts: StateCounts, pseudocount: float) -> "States":
        """Return likelier laws, each fitted to its share of the data and ``pseudocount`` rows of all data."""
        ...

    def ordered(self, order: Rows) -> "States":
        """Return the laws in another order."""
        ...

    def drawn(self, states: Int[np.ndarray, " rows"], random: np.random.Generator) -> Spins:
        """Return a row for every state."""
        ...


class BernoulliStates(NamedTuple):
    """Independent variables given the state."""

    probabilities: Float[np.ndarray, "states variables"]

    @property
    def n_parameters(self) -> int:
        """Number of probabilities."""
        return self.probabilities.size

    def logs(self, spins: Spins) -> StateLogs:
        """Return ln p(s|k) of rows."""
        components = BernoulliComponents(np.ones(len(self.probabilities)), self.probabilities)
        parts = (spins[first : first + ROWS] > 0 for first in range(0, len(spins), ROWS))
        return np.concatenate([joint_logs(part.astype(np.float64), components).T for part in parts])

    def log_prior(self, rows: CountedRows) -> float:
        """Return the sum over states of the mean of ln p(s|k) over the data."""
        p = self.probabilities
        return float((rows.rates @ np.log(p).T + (1 - rows.rates) @ np.log1p(-p).T).sum())

    def refitted(self, rows: CountedRows, counts: StateCounts, pseudocount: float) -> "BernoulliStates":
        """Return the likeliest probabilities."""
        parts = range(0, len(counts), ROWS)
        sums = sum(counts[first : first + ROWS].T @ (rows.spins[first : first + ROWS] > 0) for first in parts)
        totals = counts.sum(axis=0)[:, None]
        return BernoulliStates((sums + pseudocount * rows.rates) / (totals + pseudocount))

    def ordered(self, order: Rows) -> "BernoulliStates":
        """Return the laws in another order."""
        return BernoulliStates(self.probabilities[order])

    def drawn(self, states: Int[np.ndarray, " rows"], random: np.random.Generator) -> Spins:
        """Return a row for every state."""
        return bernoulli(self.probabilities[states], random)


class ModelStates(NamedTuple):
    """Rows given the state that follow a density model each.

    Their likelihood never falls as far as the fit of the model is one of maximum likelihood.
    """

    models: tuple[DensityModel, ...]

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of all models."""
        return sum(model.n_parameters_ for model in self.models)

    def logs(self, spins: Spins) -> StateLogs:
        """Return ln p(s|k) of rows."""
        return np.stack([model.score_samples(spins) for model in self.models], axis=1)

    def log_prior(self, rows: CountedRows) -> float:
        """Return the sum over states of the mean of ln p(s|k) over the data."""
        return float((rows.counts @ self.logs(rows.spins)).sum() / rows.counts.sum())

    def refitted(self, rows: CountedRows, counts: StateCounts, pseudocount: float) -> "ModelStates":
        """Return the models, fitted again."""
        return fitted_states(self.models, rows, counts, pseudocount)

    def ordered(self, order: Rows) -> "ModelStates":
        """Return the laws in another order."""
        return ModelStates(tuple(self.models[int(state)] for state in order))

    def drawn(self, states: Int[np.ndarray, " rows"], random: np.random.Generator) -> Spins:
        """Return a row for every state."""
        drawn = np.empty((len(states), self.models[0].n_features_in_), np.int8)
        for state in np.unique(states):
            here = states == state
            drawn[here] = self.models[int(state)].sample(int(here.sum()), random)
        return drawn


def fitted_states(
    models: tuple[DensityModel, ...], rows: CountedRows, counts: StateCounts, pseudocount: float
) -> ModelStates:
    """Return a model for every state, each fitted to its share of the data and ``pseudocount`` rows of all data."""
    spread = pseudocount * rows.counts / rows.counts.sum()
    pairs = zip(models, counts.T, strict=True)
    return ModelStates(tuple(clone(model).fit(rows.spins, sample_weight=own + spread) for model, own in pairs))
