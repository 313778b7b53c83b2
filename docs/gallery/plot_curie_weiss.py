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

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for axis, temperature, rows in zip(axes, temperatures, spins, strict=True):
    law = system.order_parameter_law(temperature)
    drawn = system.order_parameter(rows)
    share = np.array([(np.isclose(drawn, value)).mean() for value in law.values])
    error = np.sqrt(law.probabilities * (1 - law.probabilities) / len(drawn))
    axis.plot(law.values, law.probabilities, color="black", label="exact")
    axis.errorbar(law.values, share, error, fmt=".", ms=3, lw=0.7, color="tab:orange", label="4,000 samples")
    axis.set(title=f"T = {temperature}", xlabel="magnetisation m")
axes[0].set_ylabel("probability of m")
axes[0].legend(frameon=False)
plt.show()
