"""
Every glass is different
========================

Two configurations of a Sherrington-Kirkpatrick glass agree to the overlap q. Below the transition at T = 1 the law of q
has peaks that lie elsewhere in every sample of the couplings: an average over them tells of no single one. Of ten
spins the law is exact, from all configurations; bars are pairs of samples from parallel tempering.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import hadamard

import vae_mf
from vae_mf.samplers import IsingMetropolis, ParallelTempering
from vae_mf.systems import SherringtonKirkpatrick

sites, temperature = 10, 0.4
states = (1 - 2 * (np.arange(2**sites)[:, None] >> np.arange(sites) & 1)).astype(np.int8)
walsh = hadamard(2**sites, dtype=float)
overlaps = np.linspace(-1, 1, sites + 1)


def exact_law(glass):
    """Return P(q): two configurations agree where their product has +1."""
    weights = np.exp(-(glass.energy(states) - glass.energy(states).min()) / temperature)
    spectrum = walsh @ (weights / weights.sum())
    product = walsh @ spectrum**2 / 2**sites
    return np.bincount((states > 0).sum(1), product, minlength=sites + 1)


def drawn_law(glass):
    """Return P(q) of 2,000 pairs of samples."""
    ladder = np.geomspace(temperature, 2.0, 5)
    spins = vae_mf.sample(glass, ladder, 4_000, seed=1, sampler=ParallelTempering(IsingMetropolis(glass)))[0]
    agree = (spins[:2_000] == spins[2_000:]).sum(1)
    return np.bincount(agree, minlength=sites + 1) / 2_000


with vae_mf.plotting.house_style():
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.4), sharex=True, sharey=True, layout="constrained")
    for seed, axis in enumerate(axes.flat):
        glass = SherringtonKirkpatrick.random(sites=sites, seed=seed)
        axis.bar(overlaps, drawn_law(glass), width=0.14, color="#66b3ea", label="samples")
        axis.plot(overlaps, exact_law(glass), ".-", color="#1a1a1a", label="exact")
        axis.set_title(f"couplings {seed + 1}", loc="left")
    axes[0, 0].legend()
    figure.supxlabel("overlap q")
    figure.supylabel("probability")
plt.show()
