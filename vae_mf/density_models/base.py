"""Contract of a density model: a normalised law p(s) of rows s in {-1, +1}^N, in scikit-learn's manner.

A model of one's own stores its options in ``__init__``, sets ``n_parameters_`` and its other fitted attributes in
``_fit(data)``, and answers ``_log_density(rows)``, ln p(s) of every row, and ``_draw(count, random)``, rows of it;
validation and scores are here. A model known up to ln Z is an `EnergyModel` (`vae_mf.density_models.energy_model`).

>>> class Coins(DensityModel):
...     def _fit(self, data):
...         self.n_parameters_ = 0
...     def _log_density(self, rows):
...         return np.full(len(rows), -rows.shape[1] * np.log(2))
...     def _draw(self, count, random):
...         return random.choice(np.array([-1, 1], np.int8), (count, self.n_features_in_))
>>> round(Coins().fit([[1, -1, 1], [1, 1, -1]]).score([[1, 1, 1]]), 3)
-2.079

The command ``compare`` finds it by its import path, as ``+density_models.coins._target_=my_module.Coins`` or in a file
of conf/density_models.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.arrays import Spins
from vae_mf.checks import plain_array, require_integer
from vae_mf.inverse_ising.base import checked_spins, new_generator, weighted_rows
from vae_mf.inverse_ising.sparse_input import TakesSparse
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins

LogLikelihoods = Float[np.ndarray, " samples"]


class DensityModel(TakesSparse, DensityMixin, BaseEstimator):
    """Base of all models with a normalised probability p(s) of rows s in {-1, +1}^N.

    >>> from vae_mf.density_models import Independent
    >>> model = Independent().fit([[1, -1], [1, 1], [1, -1]])
    >>> round(model.score([[1, -1]]), 3), model.sample(4, random_state=0).shape, model.n_parameters_
    (-0.604, (4, 2), 2)

    Attributes:
        n_features_in_: N.
        n_parameters_: number of free parameters of p(s).
        log_partition_error_: standard error of the ln Z that normalises p(s), in nats; 0 where no sum is estimated.
    """

    n_parameters_: int
    log_partition_error_: float = 0.0

    def fit(self, rows: Any, y: Any = None, sample_weight: Any = None) -> "DensityModel":
        """Fit the model to rows.

        Args:
            rows: shape (M, N), entries -1 and +1.
            sample_weight: shape (M,), how often each row counts.

        Raises:
            ValueError: if values, shapes or options are wrong.
        """
        checked = checked_spins(validate_data(self, plain_array(rows), dtype="numeric", ensure_min_samples=2), "spin")
        self._fit(distinct_spins(*weighted_rows(checked, sample_weight)))
        return self

    def _fit(self, data: DistinctSpins) -> None:
        """Set the fitted attributes from the distinct rows and their shares."""
        raise NotImplementedError

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        """Return ln p(s) of validated rows (M, N)."""
        raise NotImplementedError

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        """Return ``count`` rows of the model."""
        raise NotImplementedError

    def score_samples(self, rows: Any) -> LogLikelihoods:
        """Return ln p(s) of each row (M, N), in nats."""
        check_is_fitted(self)
        return self._log_density(
            checked_spins(validate_data(self, plain_array(rows), dtype="numeric", reset=False), "spin")
        )

    def score(self, rows: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of ln p(s) over rows (M, N), in nats per row."""
        return float(np.average(self.score_samples(rows), weights=sample_weight))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Spins:
        """Return rows (n_samples, N) drawn from the model, entries -1 and +1."""
        check_is_fitted(self)
        return self._draw(require_integer("n_samples", n_samples), new_generator(random_state))


def bernoulli(probabilities: Float[np.ndarray, "rows variables"], random: np.random.Generator) -> Spins:
    """Return independent spins (rows, variables) that are +1 with the given probabilities.

    >>> bernoulli(np.array([[0.0, 1.0]]), np.random.default_rng(0))
    array([[-1,  1]], dtype=int8)
    """
    return np.where(random.random(probabilities.shape) < probabilities, np.int8(1), np.int8(-1))
