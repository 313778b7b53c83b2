"""
Counting solutions by messages
==============================

Belief propagation estimates the number of solutions of a formula from messages along its clauses, as if it were a tree.
Of 20 variables all million assignments can be counted, so how good is it? Every point is a formula with solutions
whose messages converge: they differ from the count by less than one nat, most of them by much less.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.satisfiability import belief_propagation
from vae_mf.systems import KSat

counted = []
for clauses in range(10, 75, 2):
    formula = KSat.random(sites=20, length=3, seed=clauses, clauses=clauses)
    messages = belief_propagation(formula, seed=1)
    if formula.solutions and messages.converged:
        counted.append((clauses / 20, np.log(formula.solutions), messages.log_number))
load, exact, estimate = np.transpose(counted)

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    axis.axline((0, 0), slope=1, color="#1a1a1a", lw=0.8)
    points = axis.scatter(exact, estimate, c=load, cmap="viridis", s=30)
    figure.colorbar(points, label="clauses for each variable")
    axis.set(xlabel="ln of the number of solutions, counted", ylabel="belief propagation")
plt.show()
