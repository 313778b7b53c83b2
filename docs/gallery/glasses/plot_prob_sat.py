"""
Where formulas become hard
==========================

ProbSAT turns one variable of a violated clause after the other. The moves that random 3-SAT takes grow steeply well
before the last solutions disappear, at 4.267 clauses for each variable, and large formulas of one load take much the
same number for each variable. Points are medians over nine formulas, bars the range of the middle five.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.satisfiability import prob_sat
from vae_mf.systems import KSat

loads = np.array([1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 3.95])


def moves(sites, load):
    """Return the moves for each variable that nine formulas take, in order."""
    formulas = [KSat.random(sites=sites, length=3, seed=seed, clauses_per_site=load) for seed in range(9)]
    return np.sort([prob_sat(formula, seed=1, steps=1_000 * sites).steps / sites for formula in formulas])


with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    for sites, colour in ((100, "#c6b980"), (1_000, "#b81c08"), (3_000, "#244a94")):
        taken = np.array([moves(sites, load) for load in loads])
        median = taken[:, 4]
        bars = np.abs(taken[:, [2, 6]].T - median)
        axis.errorbar(loads, median, bars, fmt="o-", color=colour, capsize=2, label=f"{sites:,} variables")
    axis.axvline(4.267, color="#1a1a1a", ls=":", label="no solutions beyond")
    axis.set(yscale="log", xlabel="clauses for each variable", ylabel="moves for each variable")
    axis.legend()
plt.show()
