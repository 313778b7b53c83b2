"""Errors of couplings by the estimators of the kinetic Ising model against the length of the data."""

import warnings
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from vae_mf.arrays import Couplings, Spins
from vae_mf.inverse_ising.kinetic.base import KineticIsing
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.kinetic.mean_field import KineticExactMeanField, KineticNaiveMeanField, KineticTAP
from vae_mf.rng import generator, integer
from vae_mf.samplers.kinetic import kinetic_trajectories

METHODS = {
    "maximum likelihood": KineticMaximumLikelihood,
    "exact mean field": KineticExactMeanField,
    "TAP": KineticTAP,
    "naive mean field": KineticNaiveMeanField,
}


def error_tables(
    sites: int, strengths: Sequence[float], lengths: Sequence[int], disorders: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return the root mean squared error and slope of couplings of every method, and the error that theory predicts.

    Couplings are J_ij ~ Normal(0, g^2 / N), asymmetric, fields zero. The prediction is the root mean square of the
    standard errors of maximum likelihood. Where TAP has no solution it has no row.
    """
    rows = []
    for strength, disorder in product(strengths, range(disorders)):
        scale = strength / np.sqrt(sites)
        couplings = generator(seed, "couplings", disorder).normal(0, scale, (sites, sites))
        paths = kinetic_trajectories(couplings, None, max(lengths), 1, integer(seed, "paths", disorder))[0]
        for length, name in product(lengths, METHODS):
            errors = coupling_errors(METHODS[name](), paths[: length + 1], couplings)
            if errors is not None:
                rows.append({"strength": strength, "disorder": disorder, "length": length, "method": name} | errors)
    return {"kinetic_errors": pd.DataFrame(rows)}


def coupling_errors(estimator: KineticIsing, path: Spins, couplings: Couplings) -> dict[str, float] | None:
    """Return error, predicted error and slope of the couplings from a path (times, N), None without a solution."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            found = estimator.fit(path).couplings_
        except ConvergenceWarning:
            return None
    errors = estimator.couplings_error_ if hasattr(estimator, "couplings_error_") else np.full_like(found, np.nan)
    return {
        "error": np.sqrt(((found - couplings) ** 2).mean()),
        "predicted": np.sqrt((errors**2).mean()),
        "slope": (found * couplings).sum() / (couplings**2).sum(),
    }
