"""
A network that is never in equilibrium
======================================

Neurons act on each other in one direction, and no energy describes them. From time series of a kinetic Ising network,
maximum likelihood finds who acts on whom: neither the matrix nor its estimate is symmetric. Points on the right have
their standard errors.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.inverse_ising import KineticMaximumLikelihood

random = np.random.default_rng(4)
sites, steps, repeats = 20, 200, 25
truth = np.where(random.random((sites, sites)) < 0.15, random.normal(0, 0.6, (sites, sites)), 0)
spins = random.choice([-1, 1], (repeats, steps + 1, sites))
for step in range(steps):
    up = 1 / (1 + np.exp(-2 * spins[:, step] @ truth.T))
    spins[:, step + 1] = np.where(random.random(up.shape) < up, 1, -1)

fit = KineticMaximumLikelihood().fit(spins)

with vae_mf.plotting.house_style():
    figure, axes = plt.subplot_mosaic("ac;bc", figsize=(7, 4.4), layout="constrained", width_ratios=[2, 3])
    for name, title, matrix in (("a", "truth", truth), ("b", "estimate", fit.couplings_)):
        image = axes[name].imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
        axes[name].set(title=title, ylabel="acts on")
    axes["b"].set_xlabel("spin")
    figure.colorbar(image, ax=[axes["a"], axes["b"]], label="coupling", location="left")
    drawn = {"fmt": "o", "ms": 3, "lw": 0.7}
    axes["c"].errorbar(truth.ravel(), fit.couplings_.ravel(), fit.couplings_error_.ravel(), color="#244a94", **drawn)
    axes["c"].axline((0, 0), slope=1, color="#1a1a1a", lw=0.8)
    axes["c"].set(xlabel="coupling", ylabel="estimate")
plt.show()
