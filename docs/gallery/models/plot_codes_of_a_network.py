"""
Codes of a network's configurations
===================================

One VAE has learnt the Hopfield network with three patterns at ten temperatures. Where does its encoder put
configurations that it has not seen? Below the transition at T = 1 they are six clouds, one for each pattern and its
mirror image, on three axes; at the transition the clouds meet, and above it there is one. Colours are the true pattern.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.samplers import HopfieldGibbs, Schedule, sample_chains
from vae_mf.systems import Hopfield

model = vae_mf.load("zoo:hopfield")
network = Hopfield.random(sites=256, patterns=3, seed=42)  # that of its training
temperatures = np.array([0.6, 0.9, 1.2])
schedule = Schedule(draws=2, burn_in=100, thinning=20, anneal=100)
spins = sample_chains(HopfieldGibbs(network), temperatures, chains=400, schedule=schedule, seed=1)

colours = np.array(["#244a94", "#b81c08", "#c6b980"])
with vae_mf.plotting.house_style():
    figure = plt.figure(figsize=(7.4, 3), layout="constrained")
    for place, (temperature, drawn) in enumerate(zip(temperatures, spins, strict=True)):
        rows = drawn.reshape(-1, network.sites)
        codes = model.encode(rows, temperature).mean
        axis = figure.add_subplot(1, 3, 1 + place, projection="3d")
        axis.scatter(*codes.T, c=colours[np.abs(network.basin(rows)) - 1], s=5, alpha=0.6)
        axis.set_title(f"T = {temperature}")
        axis.set_xlabel("$z_1$", labelpad=-12)
        axis.set_ylabel("$z_2$", labelpad=-12)
        axis.set_zlabel("$z_3$", labelpad=-14)
        axis.set_box_aspect(None, zoom=1.15)
        axis.set(xlim=(-6, 6), ylim=(-6, 6), zlim=(-6, 6), xticks=[], yticks=[], zticks=[])
plt.show()
