"""
Heat capacity of the square lattice
===================================

Kaufman's solution gives the heat capacity of the two-dimensional Ising model at every finite size. Does Wolff's cluster
algorithm reproduce it at the transition, where single spin flips are slowest? The peaks grow as ln L and move towards
the transition of the infinite lattice, the dotted line.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.samplers import Wolff
from vae_mf.systems import Ising2D

grid = np.linspace(1.8, 2.9, 89)
temperatures = np.linspace(2.05, 2.65, 4)
sampled = {4: 2_000, 8: 2_000, 16: 500}


def drawn(system, count):
    """Return the heat capacity of a site from samples, and its standard error."""
    spins = vae_mf.sample(system, temperatures, count, seed=1, sampler=Wolff(system))
    energies = np.stack([system.energy(rows) for rows in spins])
    squares = (energies - energies.mean(1, keepdims=True)) ** 2 / temperatures[:, None] ** 2 / system.sites
    return squares.mean(1), squares.std(1) / np.sqrt(count)


with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    for side, colour in zip([4, 8, 16, 32, 64], plt.cm.viridis(np.linspace(0, 0.85, 5)), strict=True):
        system = Ising2D(side)
        capacity = [system.thermodynamics(t).heat_capacity / system.sites for t in grid]
        axis.plot(grid, capacity, color=colour, label=f"L = {side}")
        if side in sampled:
            axis.errorbar(temperatures, *drawn(system, sampled[side]), fmt="o", color=colour)
    axis.axvline(2 / np.log(1 + np.sqrt(2)), color="black", lw=0.8, ls=":")
    axis.set(xlabel="temperature T", ylabel="heat capacity of a spin", xlim=(1.8, 2.9), ylim=(0, None))
    axis.legend(title="exact; samples up to 16")
plt.show()
