"""
Why two dimensions need more than a few variables
=================================================

A few latent variables explain a system only if they hold all that one part of it knows of the rest. In the Curie-Weiss
ferromagnet that is one number, the magnetisation, and at the transition halves share about ln N / 4 nats of it at most.
In two dimensions halves share an amount that grows with their border, and the two colours of a chessboard one that
grows with the area: no fixed number of variables holds it. Chessboards are averages over samples, the rest is exact.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.systems import CurieWeiss, Ising2D

critical = 2 / np.log(1 + np.sqrt(2))
sizes = [4, 16, 36, 64, 100, 256, 1024]
magnet = [CurieWeiss(n).cut_information(np.ones((1, n), np.int8), 1.0)["half"] for n in sizes]

sides = [2, 4, 6, 8, 10]
cuts = []
for side in sides:
    lattice = Ising2D(side)
    spins = vae_mf.sample(lattice, critical, count=500, seed=1)[0]
    cuts.append(lattice.cut_information(spins, critical))
halves = [cut["half"] for cut in cuts]
boards = np.array([[cut["sublattice"].mean(), cut["sublattice"].std() / np.sqrt(500)] for cut in cuts])

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    axis.errorbar(np.square(sides), *boards.T, fmt="s", ls=":", color="#6a0fd4", label="square lattice, chessboard")
    axis.plot(np.square(sides), halves, "o-", color="#244a94", label="square lattice, halves")
    axis.plot(sizes, magnet, "^-", color="#9cc210", label="Curie-Weiss, halves")
    axis.plot(sizes, np.log(sizes) / 4, "--", color="#757575", label="ln N / 4")
    axis.set(xscale="log", yscale="log", xlabel="number of spins N", ylabel="mutual information  [nats]")
    axis.set_yticks([0.2, 0.5, 1, 2, 5], [0.2, 0.5, 1, 2, 5])
    axis.minorticks_off()
    axis.legend()
plt.show()
