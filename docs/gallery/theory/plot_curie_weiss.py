"""
Law of the magnetisation
========================

The Curie-Weiss ferromagnet of N spins is solved exactly by one sum, so what a sampler draws can be held against it at
any size. Above the transition at T = 1 the law of m has one maximum, below it two.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.systems import CurieWeiss

system = CurieWeiss(sites=64)
temperatures = [0.8, 1.0, 1.2]
spins = vae_mf.sample(system, temperatures=temperatures, count=4_000, seed=1)

with vae_mf.plotting.house_style():
    figure, axes = plt.subplots(3, 1, figsize=(6, 5), sharex=True, sharey=True, layout="constrained")
    for axis, temperature, rows in zip(axes, temperatures, spins, strict=True):
        law = system.order_parameter_law(temperature)
        places = np.rint((system.order_parameter(rows) + 1) / 2 * system.sites).astype(int)
        share = np.bincount(places, minlength=system.sites + 1) / len(rows)
        error = np.sqrt(law.probabilities * (1 - law.probabilities) / len(rows))
        axis.fill_between(law.values, law.probabilities, color="#66b3ea", alpha=0.5, label="exact")
        axis.errorbar(law.values, share, error, fmt="o", ms=3, lw=0.8, color="#b81c08", label="4,000 samples")
        axis.set(ylabel="probability of m")
        axis.set_title(f"T = {temperature}", loc="left")
    axes[0].legend(loc="upper center")
    axes[-1].set_xlabel("magnetisation m")
plt.show()
