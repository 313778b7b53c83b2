"""Small Ising models whose every configuration is known, and exact samples of them."""

from typing import NamedTuple

import numpy as np

from vae_mf.packing import all_configurations

INFINITE = 1e12
"""Total weight that stands for infinitely many samples."""


class Oracle(NamedTuple):
    """A model with all its configurations."""

    couplings: np.ndarray
    fields: np.ndarray
    states: np.ndarray
    probabilities: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        return INFINITE * self.probabilities

    def draw(self, samples: int, seed: int) -> np.ndarray:
        rows = np.random.default_rng(seed).choice(len(self.states), samples, p=self.probabilities)
        return self.states[rows]

    def covariances(self) -> np.ndarray:
        m = self.probabilities @ self.states
        return (self.states * self.probabilities[:, None]).T @ self.states - np.outer(m, m)


def oracle(couplings: np.ndarray, fields: np.ndarray) -> Oracle:
    states = all_configurations(len(fields))
    exponents = 0.5 * np.einsum("ri,ri->r", states, states @ couplings) + states @ fields
    probabilities = np.exp(exponents - exponents.max())
    return Oracle(couplings, fields, states, probabilities / probabilities.sum())


def dense(sites: int, strength: float, seed: int, field: float = 0.3) -> Oracle:
    """All pairs coupled, J_ij ~ Normal(0, strength^2 / N), h_i uniform up to ``field``."""
    random = np.random.default_rng(seed)
    upper = np.triu(random.normal(0, strength / np.sqrt(sites), (sites, sites)), 1)
    return oracle(upper + upper.T, random.uniform(-field, field, sites))


def tree(sites: int, strength: float, seed: int) -> Oracle:
    random = np.random.default_rng(seed)
    couplings = np.zeros((sites, sites))
    for i in range(1, sites):
        j = random.integers(i)
        couplings[i, j] = couplings[j, i] = random.normal(0, strength)
    return oracle(couplings, random.uniform(-0.5, 0.5, sites))
