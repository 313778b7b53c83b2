"""
Couplings below the transition
==============================

Below its transition a spin glass is found in one valley or another, and formulas of mean-field theory, which know a
single one, fail. Nguyen and Berg's equations hold in every valley, found as a cluster of the rows: the error falls with
the number of clusters. Pseudo-likelihood, which knows no valleys, is better still here. On the left, overlaps of rows
with each other, those that are alike side by side.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

import vae_mf
from vae_mf.inverse_ising import LowTemperature, PseudoLikelihood
from vae_mf.samplers import IsingMetropolis, ParallelTempering, Schedule, sample_chains
from vae_mf.systems import SherringtonKirkpatrick

glass = SherringtonKirkpatrick.random(sites=32, seed=4)
ladder = np.geomspace(0.6, 2.0, 6)
schedule = Schedule(draws=150, burn_in=200, thinning=4)
tempered = ParallelTempering(IsingMetropolis(glass))
spins = sample_chains(tempered, ladder, chains=100, schedule=schedule, seed=1)[0].reshape(-1, glass.sites)
pairs = np.triu_indices(glass.sites, 1)
truth = glass.couplings[pairs] / 0.6


def error(estimator):
    """Return the root mean square error of the couplings, in units of their spread."""
    return np.sqrt(np.mean((estimator.fit(spins).couplings_[pairs] - truth) ** 2)) / truth.std()


counts = [1, 8, 32]
naive = [error(LowTemperature(clusters=count)) for count in counts]
tap = [error(LowTemperature(clusters=count, method="tap", tolerance=1e-3)) for count in counts]
few = spins[:: len(spins) // 200].astype(float)
few = few[leaves_list(linkage(few, "average"))]

with vae_mf.plotting.house_style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.5), layout="constrained")
    image = left.imshow(few @ few.T / glass.sites, cmap="RdBu_r", vmin=-1, vmax=1)
    left.set(xlabel="row", ylabel="row")
    figure.colorbar(image, ax=left, label="overlap", shrink=0.8)
    right.plot(counts, naive, "s-", color="#244a94", label="naive")
    right.plot(counts, tap, "o-", color="#6a0fd4", label="TAP")
    right.axhline(error(PseudoLikelihood()), color="#1a1a1a", ls="--", label="PseudoLikelihood")
    right.set(xscale="log", yscale="log", xlabel="clusters", ylabel="error / spread of the couplings")
    right.set_xticks(counts, counts)
    right.minorticks_off()
    right.legend()
plt.show()
