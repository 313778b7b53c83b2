"""
A network remembers, and forgets
================================

A Hopfield network with a few patterns has its transition at T = 1, as the Curie-Weiss ferromagnet has. Every
configuration is a point in the plane of its overlaps with two patterns. When cold, it sits near a pattern or its mirror
image, and mixtures of the patterns are rare; when hot, at the origin. The curve is exact for this network of 128 spins.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.systems import Hopfield

network = Hopfield.random(sites=128, patterns=2, seed=3)
temperatures = np.linspace(0.5, 1.4, 10).round(2)
spins = vae_mf.sample(network, temperatures, count=1_000, seed=1)

grid = np.linspace(0.45, 1.45, 101)
infinite = [network.infinite_order_parameter(t) for t in grid]
laws = [network.order_parameter_law(t) for t in grid]
exact = [np.abs(law.values) @ law.probabilities for law in laws]
leading = np.abs(network.order_parameter(spins))

with vae_mf.plotting.house_style():
    figure, axes = plt.subplot_mosaic("ab;cc", figsize=(6, 5.5), layout="constrained", height_ratios=[3, 2])
    for name, level in (("a", 1), ("b", 8)):
        overlaps = network.overlaps(spins[level])
        axes[name].hexbin(*overlaps.T, gridsize=30, extent=(-1, 1, -1, 1), cmap="magma_r", mincnt=1)
        axes[name].set(xlabel="overlap with pattern 1", ylabel="overlap with pattern 2", aspect="equal")
        axes[name].set_title(f"T = {temperatures[level]}")
    axes["c"].plot(grid, exact, color="#1a1a1a", label="exact, N = 128")
    axes["c"].plot(grid, infinite, "--", color="#757575", label="N → ∞")
    error = leading.std(1) / np.sqrt(1_000)
    axes["c"].errorbar(temperatures, leading.mean(1), error, fmt="o", color="#b81c08", label="1,000 samples")
    axes["c"].set(xlabel="temperature T", ylabel="leading overlap ⟨|m|⟩")
    axes["c"].legend()
plt.show()
