"""Contract of an estimator of Ising couplings and fields, in scikit-learn's manner.

An estimator of one's own stores its options in ``__init__`` (``encoding`` among them) and answers one question,
``_estimate(spins, weights) -> Estimate``; validation, attributes, warnings, score, energy and sampling are here.

>>> class Hebb(InverseIsing):
...     def __init__(self, strength=0.1, encoding="spin"):
...         self.strength = strength
...         self.encoding = encoding
...     def _estimate(self, spins, weights):
...         couplings = self.strength * np.cov(spins.T, aweights=weights, bias=True)
...         np.fill_diagonal(couplings, 0)
...         return Estimate(couplings, np.zeros(len(couplings)))
>>> Hebb().fit([[1, 1], [-1, -1]] * 20).couplings_
array([[0. , 0.1],
       [0.1, 0. ]])

``spins`` is (M, N) int8 in {-1, +1} without rows of zero weight, ``weights`` (M,) float64; their sum counts as the
number of samples, so that a weight of 2 is the same as a row given twice. The command ``infer-couplings`` finds the
estimator by its import path, as ``+inverse_ising.hebb._target_=my_module.Hebb`` or in a file of conf/inverse_ising.
Data of another shape (time series, images) go through the pieces: `checked_spins` turns users' values into int8 spins,
`store_estimate` sets the attributes.
"""

import inspect
import warnings
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int8
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import plain_array, require_choice, require_flag, require_integer, require_memory
from vae_mf.inverse_ising.energies import Weights, exponents
from vae_mf.inverse_ising.independent_spins import beats_independent_spins
from vae_mf.inverse_ising.intervals import KnowsIntervals, Unshrunk, discoveries
from vae_mf.inverse_ising.predictive_check import PredictiveCheck, predictive_check
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.inverse_ising.solvers.incomplete_rows import (
    completed,
    observed_exponents,
    observed_log_pseudo_likelihood,
)
from vae_mf.inverse_ising.solvers.log_partition import KnowsLogPartition, LogPartition, log_partition
from vae_mf.inverse_ising.sparse_input import TakesSparse

Fitted = TypeVar("Fitted", bound=BaseEstimator)
MATRICES = 16
"""Number of matrices of N^2 entries that every fit holds: covariances, their inverse, couplings and steps of these."""
ENCODINGS = {"spin": (-1, 1), "01": (0, 1)}


@runtime_checkable
class Estimator(Protocol):
    """Estimator of couplings and fields, from configurations (`InverseIsing`), images or time series (`KineticIsing`).

    ``couplings_error_`` and ``fields_error_`` are set only where theory gives standard errors.

    >>> from vae_mf.inverse_ising import NaiveMeanField
    >>> fit = NaiveMeanField().fit([[1, 1], [-1, -1], [1, -1], [-1, -1]] * 50)
    >>> isinstance(fit, Estimator), fit.couplings_.shape, fit.fields_.shape
    (True, (2, 2), (2,))
    """

    couplings_: Couplings
    """J, with beta absorbed."""
    fields_: Float[np.ndarray, "*times sites"]
    """h."""
    n_iter_: int
    converged_: bool

    def fit(self, data: Any) -> Any:
        """Infer couplings and fields, and return the estimator."""
        ...

    def score(self, data: Any) -> float:
        """Return a mean log-likelihood of data, in nats."""
        ...


class Estimate(NamedTuple):
    """Parameters of the model p(s) proportional to exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i), and their quality."""

    couplings: Couplings
    """J, shape (N, N), symmetric with zero diagonal unless the estimator says otherwise; beta is absorbed."""
    fields: Float[np.ndarray, "*times sites"]
    """h, shape (N,), or (T, N) where fields depend on time."""
    n_iter: int = 1
    converged: bool = True
    couplings_error: Couplings | None = None
    """Standard error of every coupling, where theory gives it."""
    fields_error: Float[np.ndarray, "*times sites"] | None = None
    unshrunk: Unshrunk | None = None
    """Couplings and errors without the prior, where there are errors and a prior."""
    determined: float | None = None
    """Number of couplings that the data determine better than the prior does; all but zeros where not given."""


class InverseIsing(TakesSparse, KnowsLogPartition, KnowsIntervals, DensityMixin, BaseEstimator):
    """Base of all estimators of Ising couplings and fields from configurations of spins.

    >>> from vae_mf.inverse_ising import NaiveMeanField
    >>> fit = NaiveMeanField().fit([[1, 1], [1, 1], [1, -1], [-1, 1], [-1, -1], [-1, -1]] * 40)
    >>> fit.energy([[1, 1], [1, -1]]), round(fit.log_likelihood([[1, 1]]), 3)
    (array([-0.375,  0.375]), -1.08)

    Args:
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1; an option of every estimator.

    Attributes:
        couplings_: J, shape (N, N), of p(s) proportional to exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i).
        fields_: h, shape (N,).
        n_iter_: iterations used; 1 for closed formulas.
        log_partition_, log_partition_error_: ln Z and its standard error, in nats; a sum for N <= 22.
        within_tolerance_: True if the estimator reached its tolerance.
        converged_: True if it did and seems to predict new configurations better than
            independent spins (`beats_independent_spins`); a `ConvergenceWarning` is issued otherwise.
        couplings_error_, fields_error_: standard errors, only where theory gives them: the width of the posterior where
            the estimate is the centre of one, else its scatter in repeated fits; infinite where no finite one exists.
        determined_: number of couplings that the data determine.
        n_features_in_: N.
    """

    encoding: str
    _takes_missing: ClassVar[bool] = False

    def fit(self, spins: Any, y: Any = None, sample_weight: Any = None) -> "InverseIsing":
        """Infer couplings and fields.

        Args:
            spins: configurations, shape (M, N), entries -1 and +1, or 0 and 1 with ``encoding="01"``.
            sample_weight: shape (M,), how often each configuration counts.

        Raises:
            ValueError: if the values, shapes or options are wrong, or a spin is constant.
        """
        least = {"ensure_min_samples": 2, "ensure_min_features": 2}
        rows = validated_spins(self, spins, self.encoding, self._takes_missing, **least)
        require_sites(self, rows.shape[1], self._required_bytes(rows.shape[1]))
        rows, weights = weighted_rows(rows, sample_weight)
        warn_light(weights, rows.shape[1])
        if not self._accepts_constant_spins():
            refuse_constant_spins(rows)
        self.__dict__.pop("_log_partition", None)
        estimate = self._estimate(rows, weights)
        all_but_zeros = np.count_nonzero(np.triu(estimate.couplings, 1))
        count = all_but_zeros if estimate.determined is None else estimate.determined
        store_estimate(self, estimate._replace(determined=float(count)))
        self.within_tolerance_ = estimate.converged
        model = self.couplings_, self.fields_, self.determined_
        if self.converged_ and not beats_independent_spins(*model, rows, weights):
            self.converged_ = False
            warn_no_gain(self, "spins")
        return self

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        """Return the estimate from validated spins (M, N) and weights (M,)."""
        raise NotImplementedError

    def _required_bytes(self, sites: int) -> int:
        """Return about the number of bytes that a fit takes beyond the rows."""
        return MATRICES * 8 * sites**2

    def _accepts_constant_spins(self) -> bool:
        """Return True if the estimate exists even if some spin never changes, as with a pseudocount."""
        return False

    def _rows(self, spins: Any, missing: bool | None = None) -> Spins:
        """Return configurations given to a fitted estimator as int8 spins (M, N), with 0 for a missing entry."""
        check_is_fitted(self)
        allowed = self._takes_missing if missing is None else missing
        return validated_spins(self, spins, self.encoding, allowed, reset=False)

    def score(self, spins: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log pseudo-likelihood, <sum_i ln p(s_i | all other spins)>, in nats per configuration."""
        rows, weights = weighted_rows(self._rows(spins), sample_weight)
        return float(np.average(observed_log_pseudo_likelihood(rows, self.couplings_, self.fields_), weights=weights))

    @cached_property
    def _log_partition(self) -> LogPartition:
        check_is_fitted(self)
        return log_partition(self.couplings_, self.fields_)

    def log_likelihood(self, spins: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of ln p(s), in nats per configuration; its error is that of ln Z."""
        rows, weights = weighted_rows(self._rows(spins), sample_weight)
        means = np.average(observed_exponents(rows, self.couplings_, self.fields_), weights=weights)
        return float(means) - self.log_partition_

    def predictive_check(self, spins: Any, sample_weight: Any = None, random_state: Any = 0) -> PredictiveCheck:
        """Return the differences between configurations and the model's own in means, pairs, triplets and P(K).

        A model may predict each spin from all others, as `score` shows, and yet have most of its weight in a phase that
        no configuration was in.
        """
        rows, weights = weighted_rows(self._rows(spins), sample_weight)
        random = new_generator(random_state)
        rows = completed(rows, self.couplings_, self.fields_, random)
        return predictive_check(rows, weights, self.couplings_, self.fields_, random)

    def significant_couplings(self, false_discoveries: float = 0.05) -> Bool[np.ndarray, "sites sites"]:
        """Return True for couplings that differ from zero, of which at most this share is expected to be false."""
        return discoveries(self.couplings_, self._couplings_error(), false_discoveries)

    def without_prior(self) -> Unshrunk:
        """Return the couplings and their errors without the prior of the fit, if it has one."""
        errors = self._couplings_error()
        return self.unshrunk_ if hasattr(self, "unshrunk_") else Unshrunk(self.couplings_, errors)

    def energy(self, spins: Any) -> Float[np.ndarray, " samples"]:
        """Return E(s) = -sum_{i<j} J_ij s_i s_j - sum_i h_i s_i of each configuration, in units of k_B T."""
        return -exponents(self._rows(spins, missing=False), self.couplings_, self.fields_)

    def sample(
        self, n_samples: int = 1, random_state: Any = None, burn_in: int = 500, thinning: int = 10
    ) -> np.ndarray:
        """Draw configurations from the fitted model by Gibbs sampling, 512 chains at most from random starts.

        At low temperature, where chains do not leave the valley of their start, these are not equilibrium samples.

        Args:
            burn_in: number of sweeps before the first draw.
            thinning: number of sweeps between successive draws of a chain.

        Returns:
            Array (n_samples, N), int8, in the estimator's encoding; consecutive rows come from different chains.
        """
        check_is_fitted(self)
        n_samples = require_integer("n_samples", n_samples)
        count = min(n_samples, 512)
        random = new_generator(random_state)
        start = random.choice(np.array([-1, 1], np.int8), (count, len(self.fields_)))
        chains = GibbsChains(start, random)
        draws = []
        for draw in range(-(-n_samples // count)):
            sweeps = require_integer("thinning", thinning) if draw else require_integer("burn_in", burn_in, minimum=0)
            chains.sweep(self.couplings_, self.fields_, sweeps)
            draws.append(chains.spins)
        return encoded(np.concatenate(draws)[:n_samples], self.encoding)


def require_sites(estimator: BaseEstimator, sites: int, needed: int) -> None:
    """Raise ValueError if a fit of so many spins takes more memory than is free."""
    cheaper = " or fit with standard_errors=False" if estimator.get_params().get("standard_errors") else ""
    require_memory(f"{type(estimator).__name__} of {sites} spins", needed, f"leave spins out{cheaper}")


def store_estimate(estimator: Fitted, estimate: Estimate) -> Fitted:
    """Set the fitted attributes of an estimator, and warn if its estimate has not converged."""
    for name, value in estimate._asdict().items():
        if hasattr(estimator, f"{name}_"):
            delattr(estimator, f"{name}_")
        if value is not None:
            setattr(estimator, f"{name}_", value)
    if not estimate.converged:
        warn_convergence(f"{type(estimator).__name__} has not converged after {estimate.n_iter} iterations.")
    return estimator


def validated_spins(
    estimator: BaseEstimator, values: Any, encoding: str, missing: bool = False, **options: Any
) -> Spins:
    """Return what an estimator is given as int8 spins (M, N), with 0 for NaN and masked entries.

    Args:
        missing: True to allow such entries.
        options: further arguments of scikit-learn's `validate_data`.

    Raises:
        ValueError: if values or shape are wrong, entries are missing that must not be, or an option that is True or
            False is neither.
    """
    for name, option in inspect.signature(type(estimator)).parameters.items():
        if isinstance(option.default, bool):
            require_flag(name, getattr(estimator, name))
    values = plain_array(values)
    refuse_words("spins", values, "code them as -1 and 1, or as 0 and 1 with encoding='01'")
    rows = validate_data(estimator, values, dtype="numeric", ensure_all_finite="allow-nan", **options)
    unknown = np.isnan(rows) if rows.dtype.kind == "f" else np.zeros(rows.shape, dtype=bool)
    if not unknown.any():
        return checked_spins(rows, encoding)
    if not missing:
        row, column = np.argwhere(unknown)[0].tolist()
        raise ValueError(
            f"spins: expected no missing entries, got NaN, first in row {row}, column {column}; fit "
            "MissingEntries(estimator), or leave such rows out"
        )
    spins = np.zeros(rows.shape, np.int8)
    spins[~unknown] = checked_spins(rows[~unknown], encoding)
    return spins


def refuse_words(name: str, values: Any, advice: str) -> None:
    """Raise ValueError if users' values hold letters or words, as of a sequence or a category."""
    array = np.asarray(values)
    words = [value for value in array.flat if isinstance(value, str)] if array.ndim and array.dtype.kind in "OU" else []
    if words:
        raise ValueError(f"{name}: expected numbers, got words such as {str(words[0])!r}; {advice}")


def checked_spins(values: np.ndarray, encoding: str) -> Spins:
    """Return values of any shape in the given encoding as int8 spins in {-1, +1}.

    >>> checked_spins(np.array([0, 1, 1]), "01")
    array([-1,  1,  1], dtype=int8)

    Raises:
        ValueError: if the encoding is unknown or an entry is not one of its two values.
    """
    low, high = ENCODINGS[require_choice("encoding", encoding, ENCODINGS)]
    if not ((values == low) | (values == high)).all():
        found = np.unique(values)[:5].tolist()
        raise ValueError(
            f"spins: expected entries {low} and {high} (encoding={encoding!r}), got values such as {found}"
        )
    return np.where(values == high, np.int8(1), np.int8(-1))


def encoded(spins: np.ndarray, encoding: str) -> np.ndarray:
    """Return int8 spins of any shape in the given encoding.

    >>> encoded(np.array([-1, 1], np.int8), "01")
    array([0, 1], dtype=int8)
    """
    return spins if encoding == "spin" else ((spins + 1) // 2).astype(np.int8)


def weighted_rows(
    spins: Spins, sample_weight: Any
) -> tuple[Int8[np.ndarray, "kept sites"], Float[np.ndarray, " kept"]]:
    """Return the configurations of positive weight and their weights, all 1 for None.

    >>> weighted_rows(np.array([[1, -1], [1, 1]], np.int8), [0.0, 2.0])
    (array([[1, 1]], dtype=int8), array([2.]))

    Raises:
        ValueError: if a weight is negative or not finite, their number is wrong, or all are zero.
    """
    if sample_weight is None:
        return spins, np.ones(len(spins))
    weights = _check_sample_weight(plain_array(sample_weight), spins, dtype=np.float64, ensure_non_negative=True)
    kept = weights > 0
    if not kept.any():
        raise ValueError("sample_weight: expected a positive total, got all sample weights zero")
    return (spins, weights) if kept.all() else (spins[kept], weights[kept])


def warn_light(weights: Weights, sites: int) -> None:
    """Warn of weights that count as fewer samples than there are spins, as those that sum to 1 do."""
    if weights.sum() < min(sites, len(weights)):
        warnings.warn(
            f"sample_weight: {len(weights)} weights sum to {weights.sum():.3g} and count as so many samples of {sites} "
            "spins, which priors, pseudocounts and errors go by; scale them to sum to the number of independent rows",
            stacklevel=3,
        )


def refuse_constant_spins(spins: Spins) -> None:
    """Raise ValueError if a spin has one value in all configurations, for its field is then infinite."""
    constant = np.flatnonzero(((spins == 1).any(axis=0) & (spins == -1).any(axis=0)) == 0)
    if constant.size:
        raise ValueError(
            f"spins: expected both values of every spin, got constant spins {constant[:10].tolist()}"
            f"{' and more' if constant.size > 10 else ''} ({constant.size} of {spins.shape[1]}); leave them out"
        )


def warn_convergence(message: str) -> None:
    """Issue scikit-learn's `ConvergenceWarning`."""
    warnings.warn(message, ConvergenceWarning, stacklevel=3)


def warn_no_gain(estimator: BaseEstimator, kind: str) -> None:
    """Warn of a model that seems to predict no better than independent spins or sites."""
    warn_convergence(
        f"{type(estimator).__name__} seems to predict new rows no better than independent {kind} do, by its score on "
        "these less what so many parameters gain by chance: take more rows, more penalty or another estimator"
    )


def new_generator(random_state: Any) -> np.random.Generator:
    """Return a NumPy generator from what scikit-learn takes as ``random_state``; None draws a fresh one."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_random_state(random_state).randint(2**31, size=4))
