"""Exact moments of small kinetic Ising models, from the probabilities of all configurations."""

import numpy as np

from vae_mf.packing import all_configurations
from vae_mf.systems.kinetic_plefka import KineticMoments


def exact_moments(couplings, fields, steps, start) -> KineticMoments:
    """Return the moments after so many steps from independent spins."""
    spins = all_configurations(len(couplings)).astype(float)
    up = 1 / (1 + np.exp(-2 * (fields + spins @ couplings.T)))
    # transitions[a, b]: from configuration a to b
    transitions = np.prod(np.where(spins[None] > 0, up[:, None], 1 - up[:, None]), axis=-1)
    now = np.prod((1 + spins * start) / 2, axis=1)
    for _ in range(steps):
        before, now = now, now @ transitions
    m, m_before = now @ spins, before @ spins
    equal = spins.T @ (now[:, None] * spins) - np.outer(m, m)
    delayed = spins.T @ (before[:, None] * transitions).T @ spins - np.outer(m, m_before)
    return KineticMoments(m, equal, delayed)
