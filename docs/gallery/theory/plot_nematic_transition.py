"""
A first-order jump, rounded
===========================

The nematic of Maier and Saupe loses its order at once: S jumps from 0.43 to zero at T = 0.2202. A finite system has no
jump. Near the transition the field that orders it has an exact law, which grows two maxima with the size of the system;
it goes to and fro between them. Points are samples, 64 at each temperature.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.systems import MaierSaupe

temperatures = np.linspace(0.18, 0.25, 6)
grid = np.linspace(0.17, 0.26, 181)
colours = plt.cm.plasma([0.1, 0.45, 0.75])


def law_of_field(system, temperature):
    """Return the strength r of the field on a grid, and its density."""
    law = system.tensor_law(temperature)
    strength, node = np.unique(law.radius, return_inverse=True)
    return strength, np.bincount(node, law.probabilities) / (strength[1] - strength[0])


with vae_mf.plotting.house_style():
    figure, (order, density) = plt.subplots(2, 1, figsize=(6, 5.2), layout="constrained")
    infinite = [MaierSaupe(64).infinite_order_parameter(t) for t in grid]
    order.plot(grid, infinite, color="#1a1a1a", label="N → ∞")
    for sites, colour in zip([64, 256, 1_024], colours, strict=True):
        system = MaierSaupe(sites)
        drawn = system.order_parameter(vae_mf.sample(system, temperatures, count=64, seed=1))
        order.errorbar(temperatures, drawn.mean(1), drawn.std(1) / 8, fmt="o", color=colour, label=f"N = {sites:,}")
        strength, exact = law_of_field(system, 0.2212)
        density.fill_between(strength, exact, color=colour, alpha=0.25, lw=0)
        density.plot(strength, exact, color=colour)
    order.set(xlabel="temperature T", ylabel="nematic order S", ylim=(0, None))
    order.legend()
    density.set(
        xlabel="strength r of the field at T = 0.2212", ylabel="probability density", xlim=(0, 0.75), ylim=(0, None)
    )
plt.show()
