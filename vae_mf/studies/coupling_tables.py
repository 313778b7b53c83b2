"""Tables of inferred couplings, pair by pair, against the truth, and of several estimators against each other."""

import numpy as np
import pandas as pd
from jaxtyping import Int

from vae_mf.arrays import Couplings, Spins
from vae_mf.inverse_ising.base import InverseIsing


def couplings_of(couplings: np.ndarray, chosen: Int[np.ndarray, " variables"]) -> Couplings:
    """Return known couplings of the chosen variables: as they are if there are as many, else those among them.

    >>> couplings_of(np.arange(9.0).reshape(3, 3), np.array([0, 2]))
    array([[0., 2.],
           [6., 8.]])

    Raises:
        ValueError: unless they are a square matrix that holds every chosen variable.
    """
    size = len(chosen)
    shape = couplings.shape
    if len(shape) != 2 or shape[0] != shape[1] or not (shape[0] == size or shape[0] > chosen.max()):
        raise ValueError(f"truth: expected couplings of shape {(size, size)}, got {shape}")
    return couplings if shape[0] == size else couplings[np.ix_(chosen, chosen)]


def pair_table(estimator: InverseIsing, truth: Couplings | None = None) -> pd.DataFrame:
    """Return the couplings i < j of a fitted estimator, with standard errors and truth where known.

    Columns i, j and ``coupling``, J_ij in units of k_B T; ``error`` and ``truth`` where known. The file NAME.npz that
    the command ``infer-couplings`` writes beside it holds the same couplings as the matrix ``J`` (N, N), and the fields
    as ``h`` (N,).
    """
    upper = np.triu_indices(len(estimator.couplings_), 1)
    columns = {"i": upper[0], "j": upper[1], "coupling": estimator.couplings_[upper]}
    if hasattr(estimator, "couplings_error_"):
        columns["error"] = estimator.couplings_error_[upper]
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth[upper]})


def field_table(estimator: InverseIsing, truth: np.ndarray | None = None) -> pd.DataFrame:
    """Return the fields of a fitted estimator, with standard errors and truth (N,) where known."""
    columns = {"i": np.arange(len(estimator.fields_)), "field": estimator.fields_}
    if hasattr(estimator, "fields_error_"):
        columns["error"] = estimator.fields_error_
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth})


def estimator_row(
    name: str, estimator: InverseIsing, pairs: pd.DataFrame, seconds: float, spins: Spins
) -> dict[str, str | float]:
    """Return a row about a fitted estimator: effort, log-pseudo-likelihood, and accuracy where the truth is known."""
    row = {"estimator": name, "seconds": seconds, "iterations": estimator.n_iter_, "converged": estimator.converged_}
    row["log_pseudo_likelihood"] = estimator.score(spins)
    return row | accuracy(pairs.truth.to_numpy(), pairs.coupling.to_numpy()) if "truth" in pairs else row


def accuracy(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return RMSE, 1 - r with Pearson's r, and slope of found on true couplings.

    >>> accuracy(np.array([1.0, 2.0]), np.array([2.0, 4.0]))["slope"]
    2.0
    """
    error = found - truth
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "one_minus_r": float(1 - np.corrcoef(truth, found)[0, 1]),
        "slope": float(truth @ found / (truth @ truth)),
    }


def correlation_table(pairs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return Pearson's correlation over pairs of spins between the couplings of every two estimators, in long form."""
    names = list(pairs)
    matrix = np.corrcoef([pairs[name].coupling for name in names]).reshape(len(names), len(names))
    first, second = (axis.ravel() for axis in np.indices(matrix.shape))
    columns = {"first": np.array(names)[first], "second": np.array(names)[second], "correlation": matrix.ravel()}
    return pd.DataFrame(columns)
