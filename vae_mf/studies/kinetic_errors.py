"""Tables of how accurately the estimators of the kinetic Ising model find couplings, against the length of the data."""

import warnings
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

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
        for length, (name, method) in product(lengths, METHODS.items()):
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                try:
                    fit = method().fit(paths[: length + 1])
                except ConvergenceWarning:
                    continue
            error = fit.couplings_ - couplings
            errors = getattr(fit, "couplings_error_", np.full_like(error, np.nan))
            row = {"strength": strength, "disorder": disorder, "length": length, "method": name}
            row |= {"error": np.sqrt((error**2).mean()), "predicted": np.sqrt((errors**2).mean())}
            rows.append(row | {"slope": (fit.couplings_ * couplings).sum() / (couplings**2).sum()})
    return {"kinetic_errors": pd.DataFrame(rows)}
