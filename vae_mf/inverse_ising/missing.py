"""Missing spins filled by the most probable values given the observed ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.checks import plain_array, require_integer
from vae_mf.inverse_ising.base import InverseIsing, new_generator, validated_spins
from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.inverse_ising.sparse_input import TakesSparse

COOLING = np.geomspace(0.2, 5.0, 20)
"""Inverse temperatures of the annealing, in units of the model's own."""


@dataclass(eq=False, repr=False)
class MissingSpins(TakesSparse, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fill missing spins, entries 0 or NaN, by maximising p(missing | observed) of an Ising model (Jo et al. 2019).

    The source fits an erasure machine and has ``common`` = 0.8; the defaults here make half as many errors on MNIST.

    Spins that have one value in more than the fraction ``common`` of the training configurations take that value; the
    model is that of the others only. Couplings that are fitted to filled rows are too large; to fit rows with missing
    entries there is `MissingEntries`.

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> MissingSpins(random_state=0).fit(rows).transform([[1, 0], [0, -1]])
    array([[ 1,  1],
           [-1, -1]], dtype=int8)

    Args:
        estimator: any estimator of couplings and fields; None for pseudo-likelihood.
        common: fraction from 1/2 to 1 above which a spin is not modelled.
        restarts: number of annealed searches for a configuration, of which the most probable result is kept.
        random_state: seed or generator of the searches.

    Attributes:
        estimator_: estimator fitted to the modelled spins.
        modelled_: indices of the modelled spins.
        usual_: the more frequent value of every spin.
    """

    estimator: Any = None
    common: float = 0.95
    restarts: int = 64
    random_state: Any = None

    def fit(self, spins: Any, y: Any = None) -> "MissingSpins":
        """Fit the model to complete configurations, shape (M, N), entries -1 and +1.

        Raises:
            ValueError: if values or options are wrong, or no spin varies enough to be modelled.
        """
        rows = validated_spins(self, spins, "spin", ensure_min_samples=2)
        if isinstance(self.common, bool) or not 0.5 <= self.common <= 1:
            raise ValueError(f"common: expected a number from 0.5 to 1, got {self.common!r}")
        means = rows.mean(axis=0)
        self.usual_ = np.where(means >= 0, 1, -1).astype(np.int8)
        self.modelled_ = np.flatnonzero((1 + np.abs(means)) / 2 <= self.common)
        if self.modelled_.size < 2:
            raise ValueError(f"spins: expected two or more that vary enough (common={self.common}), got fewer")
        model = PseudoLikelihood() if self.estimator is None else clone(self.estimator)
        self.estimator_: InverseIsing = model.fit(rows[:, self.modelled_])
        return self

    def transform(self, spins: Any) -> np.ndarray:
        """Return configurations (M, N) of entries -1 and +1, and 0 or NaN where missing, with these filled, int8.

        Raises:
            ValueError: if an entry has another value.
        """
        check_is_fitted(self)
        values = validate_data(self, plain_array(spins), dtype="numeric", reset=False, ensure_all_finite="allow-nan")
        values = np.where(np.isnan(values), 0, values)
        if not np.isin(values, (-1, 0, 1)).all():
            found = np.unique(values)[:5].tolist()
            raise ValueError(f"spins: expected entries -1, +1 and 0 or NaN (missing), got {found}")
        rows = values.astype(np.int8)
        random = new_generator(self.random_state)
        restarts = require_integer("restarts", self.restarts)
        known = rows[:, self.modelled_]
        filled = np.where(rows == 0, self.usual_, rows)
        filled[:, self.modelled_] = [
            most_probable(row, self.estimator_.couplings_, self.estimator_.fields_, restarts, random) for row in known
        ]
        return filled


def most_probable(
    known: Spins, couplings: Couplings, fields: Fields, restarts: int, random: np.random.Generator
) -> Spins:
    """Return a configuration (N,) whose zeros are replaced by the most probable values found.

    Given the observed spins, the missing ones are an Ising model in the fields h_i + sum_j J_ij s_j over observed j. It
    is annealed from random starts, then each result is improved by single flips until none helps.
    """
    missing = np.flatnonzero(known == 0)
    if missing.size == 0:
        return known
    bonds = np.ascontiguousarray(couplings[np.ix_(missing, missing)])
    biases = fields[missing] + couplings[missing] @ known
    chains = GibbsChains(random.choice(np.array([-1, 1], np.int8), (restarts, missing.size)), random)
    for beta in COOLING:
        chains.sweep(beta * bonds, beta * biases)
    found = descended(chains.spins, bonds, biases)
    filled = known.copy()
    filled[missing] = found[exponents(found, bonds, biases).argmax()]
    return filled


def descended(spins: Spins, bonds: Couplings, biases: Fields) -> Spins:
    """Return rows in which no single flip raises the probability, each reached by the best flip first."""
    rows = spins.astype(np.float64)
    while True:
        gains = -2 * rows * (rows @ bonds + biases)
        best = gains.argmax(axis=1)
        improving = np.flatnonzero(gains[np.arange(len(rows)), best] > 1e-9)
        if improving.size == 0:
            return rows.astype(np.int8)
        rows[improving, best[improving]] *= -1
