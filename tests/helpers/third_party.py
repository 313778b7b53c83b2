"""An estimator and a density model of a third party, which know nothing but the contracts."""

import numpy as np

from vae_mf.density_models import DensityModel
from vae_mf.inverse_ising import InverseIsing
from vae_mf.inverse_ising.base import Estimate
from vae_mf.packing import all_configurations


class Hebb(InverseIsing):
    """Couplings in proportion to connected correlations."""

    def __init__(self, rate=0.1, encoding="spin"):
        self.rate = rate
        self.encoding = encoding

    def _estimate(self, spins, weights):
        couplings = self.rate * np.cov(spins.T, aweights=weights, bias=True)
        np.fill_diagonal(couplings, 0)
        return Estimate(couplings, np.arctanh(np.average(spins, axis=0, weights=weights)))


class Histogram(DensityModel):
    """Frequencies of all rows of few variables, with a pseudocount."""

    def __init__(self, pseudocount=0.5):
        self.pseudocount = pseudocount

    def _fit(self, data):
        counts = np.full(2 ** data.spins.shape[1], self.pseudocount)
        counts[self._numbers(data.spins)] += data.weights
        self.shares_ = counts / counts.sum()
        self.n_parameters_ = len(counts) - 1

    def _log_density(self, rows):
        return np.log(self.shares_[self._numbers(rows)])

    def _draw(self, count, random):
        return all_configurations(self.n_features_in_)[random.choice(len(self.shares_), count, p=self.shares_)]

    @staticmethod
    def _numbers(rows):
        return (rows > 0) @ (1 << np.arange(rows.shape[1]))
