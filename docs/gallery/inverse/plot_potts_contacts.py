"""
Contacts from an alignment
==========================

Residues that touch in a folded chain change together, but so do residues that only share a neighbour. Here a chain of
24 sites of four states folds into a hairpin and a helix, and every site acts on the next. Mutual information, above the
diagonal, spreads along the chain; couplings of a Potts model, below, stay with the contacts, which are the circles.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.inverse_ising import PottsPseudoLikelihood, strongest_contacts

sites, states, rows = 24, 4, 1_000
contacts = np.array([(i, 15 - i) for i in range(7)] + [(i, i + 4) for i in range(15, 20)])
chain = [(i, i + 1) for i in range(sites - 1)]

random = np.random.default_rng(0)
couplings = np.zeros((sites, sites, states, states))
for pairs, strength in ((contacts, 1.1), (chain, 1.6)):
    for i, j in pairs:
        couplings[i, j] = strength * np.eye(states)[random.permutation(states)]  # every state has a partner
        couplings[j, i] = couplings[i, j].T

drawn = random.integers(states, size=(rows, sites))
for site in np.tile(np.arange(sites), 60):  # Gibbs sampling
    neighbours = np.flatnonzero(couplings[site].any((1, 2)))
    fields = sum(couplings[site, other][:, drawn[:, other]].T for other in neighbours)
    drawn[:, site] = (fields + random.gumbel(size=fields.shape)).argmax(1)

ones = np.eye(states)[drawn]
joint = np.einsum("ria,rjb->ijab", ones, ones, optimize=True) / rows
alone = ones.mean(0)
ratio = joint / np.einsum("ia,jb->ijab", alone, alone)
information = (joint * np.log(np.where(joint > 0, ratio, 1))).sum((2, 3))
scores = PottsPseudoLikelihood().fit(drawn).contact_scores_
far = np.abs(np.subtract.outer(np.arange(sites), np.arange(sites))) > 1
found = strongest_contacts(scores, count=len(contacts), separation=2).pairs
right = len(set(map(tuple, found)) & set(map(tuple, contacts)))

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
    upper = np.triu(information * far) / (information * far).max()
    lower = np.tril(scores * far) / (scores * far).max()
    image = axis.imshow(upper + lower.clip(0), cmap="YlGnBu")
    figure.colorbar(image, label="score over the largest")
    axis.plot(*np.vstack([contacts, contacts[:, ::-1]]).T, "o", ms=8, mfc="none", mec="#b81c08", label="contacts")
    axis.axline((0, 0), slope=1, color="#757575", lw=0.6)
    axis.set(xlabel="site", ylabel="site")
    axis.set_title(f"strongest {len(found)} couplings: {right} contacts", loc="left")
plt.show()
