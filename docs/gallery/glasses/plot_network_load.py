"""
A memory that holds too much
============================

A Hopfield network that stores many patterns, P for each N spins, forgets them. Colours are the overlap with a pattern
that networks of 300 spins keep after 15 sweeps of heat bath from it; lines are replica-symmetric theory of the infinite
network. Beyond the upper one no state near a pattern exists, though small networks take their time to leave it; below
the lower one these states have the least free energy.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.systems import Hopfield, retrieval_loads

sites, copies = 300, 2
loads = np.linspace(0.01, 0.16, 9)
temperatures = np.linspace(0.05, 1.0, 10)
random = np.random.default_rng(1)


def kept_overlap(load):
    """Return the overlap with a pattern that is left at every temperature."""
    network = Hopfield.random(sites=sites, patterns=round(load * sites), seed=1)
    couplings = network.couplings
    spins = np.tile(network.patterns[0], (len(temperatures), copies, 1)).astype(float)
    for site in np.tile(np.arange(sites), 15):
        chance = 1 / (1 + np.exp(-2 * (spins @ couplings[site]) / temperatures[:, None]))
        spins[..., site] = np.where(random.random(chance.shape) < chance, 1, -1)
    return (spins @ network.patterns[0] / sites).mean(1)


kept = np.array([kept_overlap(load) for load in loads]).T
cold = np.r_[np.linspace(0.03, 0.23, 6), np.linspace(0.3, 0.98, 9)]
lines = np.array([retrieval_loads(t)[:2] for t in cold])

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.4), layout="constrained")
    image = axis.pcolormesh(loads, temperatures, kept, cmap="magma", vmin=0, vmax=1)
    figure.colorbar(image, label="overlap kept")
    axis.plot(lines[:, 0], cold, color="white", label="retrieval ends")
    axis.plot(lines[:, 1], cold, "--", color="white", label="retrieval is stable")
    axis.set(xlabel="load P / N", ylabel="temperature T", xlim=(0, 0.165), ylim=(0, 1.05))
    axis.legend(labelcolor="white")
plt.show()
