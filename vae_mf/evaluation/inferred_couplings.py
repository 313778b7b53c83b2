"""Tables of inferred couplings: pair by pair, against the truth, and of several estimators against each other."""

import numpy as np
import pandas as pd

from vae_mf.arrays import Couplings
from vae_mf.inverse_ising.base import InverseIsing


def pair_table(estimator: InverseIsing, truth: Couplings | None = None) -> pd.DataFrame:
    """Return the couplings i < j of a fitted estimator, with standard errors and truth where known."""
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


def accuracy(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return how well found couplings match true ones: RMSE, Pearson's r as 1 - r, and slope of found on true."""
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
