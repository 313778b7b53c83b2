"""
A glass with and without tempering
==================================

Single spin flips leave a cold spin glass where they found it. Parallel tempering lets chains exchange temperatures, so
that each can go up, forget, and come down again. On an open square the energy is exact at any size, by a determinant:
how far above it are sixteen chains at T = 0.25, started at random? Bands are standard errors over the chains.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.samplers import IsingMetropolis, ParallelTempering, Schedule, sample_chains
from vae_mf.systems import EdwardsAnderson

glass = EdwardsAnderson.random(side=10, dimension=2, disorder="gaussian", seed=1, boundary="free")
ladder = np.geomspace(0.25, 2.0, 12)
exact = glass.thermodynamics(0.25).energy / glass.sites
schedule = Schedule(draws=400, burn_in=0, thinning=5)
alone = IsingMetropolis(glass)
runs = {
    "single flips": (alone, ladder[:1], "#757575"),
    "parallel tempering, 12 temperatures": (ParallelTempering(alone), ladder, "#b81c08"),
}

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    sweeps = 5 * (1 + np.arange(400))
    for name, (sampler, temperatures, colour) in runs.items():
        coldest = sample_chains(sampler, temperatures, chains=16, schedule=schedule, seed=1)[0]
        energy = glass.energy(coldest) / glass.sites
        error = energy.std(0) / np.sqrt(16)
        axis.plot(sweeps, energy.mean(0), color=colour, label=name)
        axis.fill_between(sweeps, energy.mean(0) - error, energy.mean(0) + error, color=colour, alpha=0.3, lw=0)
    axis.axhline(exact, color="#1a1a1a", label="exact")
    axis.set(xscale="log", xlabel="sweeps", ylabel="energy of a spin at T = 0.25")
    axis.legend()
plt.show()
