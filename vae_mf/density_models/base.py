"""The contract of every density model of binary words, in scikit-learn's manner.

A concrete model stores its options in ``__init__``, sets attributes that end in ``_`` in ``_fit(data)``, and answers
``_log_density(words) -> ln p(s) per row`` and ``_draw(count, random) -> words``; validation and scores are here.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer
from vae_mf.inverse_ising.base import checked_spins, new_generator, weighted_rows
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins

LogLikelihoods = Float[np.ndarray, " samples"]


class DensityModel(DensityMixin, BaseEstimator):
    """Base of all models with a normalised probability p(s) of words s in {-1, +1}^N.

    Attributes:
        n_features_in_: N.
        n_parameters_: free parameters of p(s).
        log_partition_error_: standard error of the ln Z that normalises p(s), in nats; 0 where no sum is estimated.
    """

    n_parameters_: int
    log_partition_error_: float = 0.0

    def fit(self, words: Any, y: Any = None, sample_weight: Any = None) -> "DensityModel":
        """Fit the model to words.

        Args:
            words: shape (M, N), entries -1 and +1.
            y: ignored, for scikit-learn.
            sample_weight: shape (M,), how often each word counts.

        Raises:
            ValueError: if values, shapes or options are wrong.
        """
        rows = checked_spins(validate_data(self, words, dtype="numeric", ensure_min_samples=2), "spin")
        self._fit(distinct_spins(*weighted_rows(rows, sample_weight)))
        return self

    def _fit(self, data: DistinctSpins) -> None:
        """Set the fitted attributes from the distinct words and their shares."""
        raise NotImplementedError

    def _log_density(self, words: Spins) -> LogLikelihoods:
        """Return ln p(s) of validated words."""
        raise NotImplementedError

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        """Return ``count`` words from the model."""
        raise NotImplementedError

    def score_samples(self, words: Any) -> LogLikelihoods:
        """Return ln p(s) of each word (M, N), in nats."""
        check_is_fitted(self)
        return self._log_density(checked_spins(validate_data(self, words, dtype="numeric", reset=False), "spin"))

    def score(self, words: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of ln p(s) over words (M, N), in nats per word."""
        return float(np.average(self.score_samples(words), weights=sample_weight))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Spins:
        """Return words (n_samples, N) drawn from the model, entries -1 and +1."""
        check_is_fitted(self)
        return self._draw(require_integer("n_samples", n_samples), new_generator(random_state))


def bernoulli(probabilities: Float[np.ndarray, "rows sites"], random: np.random.Generator) -> Spins:
    """Return independent spins (rows, sites) that are +1 with the given probabilities."""
    return np.where(random.random(probabilities.shape) < probabilities, np.int8(1), np.int8(-1))
