"""
Do error bars of couplings hold?
================================

A standard error is a promise: so many of the true values lie within so many errors. Thirty samples of one glass are
fitted, and the share of couplings within a distance of their estimates is held against the normal law. The
promise holds if that is the diagonal on the right.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

import vae_mf
from vae_mf.inverse_ising import PseudoLikelihood
from vae_mf.systems import SherringtonKirkpatrick

glass = SherringtonKirkpatrick.random(sites=8, seed=5)
pairs = np.triu_indices(glass.sites, 1)
truth = glass.couplings[pairs] / 2.0
rows = vae_mf.sample(glass, 2.0, count=30 * 500, seed=1)[0].reshape(500, 30, glass.sites)
fits = [PseudoLikelihood(l2=0, standard_errors=True).fit(rows[:, k]) for k in range(30)]
estimates = np.array([fit.couplings_[pairs] for fit in fits])
errors = np.array([fit.couplings_error_[pairs] for fit in fits])

with vae_mf.plotting.house_style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
    order = np.argsort(truth)
    places = np.arange(len(truth))
    left.errorbar(places, estimates[0, order], errors[0, order], fmt="o", color="#244a94", label="500 rows")
    left.step(places, truth[order], where="mid", color="#1a1a1a", label="truth")
    left.set(xlabel="pair of spins, in order", ylabel="coupling J / T")
    left.legend()
    levels = np.linspace(0.02, 0.98, 49)
    within = np.abs(estimates - truth) / errors
    held = np.array([[(fit < norm.ppf((1 + level) / 2)).mean() for fit in within] for level in levels])
    lower, upper = held.mean(1) + np.outer([-2, 2], held.std(1) / np.sqrt(30))
    right.fill_between(levels, lower, upper, color="#b81c08", alpha=0.35, label="two standard errors")
    right.plot(levels, held.mean(1), color="#b81c08")
    right.axline((0, 0), slope=1, color="#1a1a1a", lw=0.8)
    right.set(xlabel="promised share", ylabel="share of couplings within", aspect="equal")
    right.legend()
plt.show()
