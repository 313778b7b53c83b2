"""Small models of sparse words, every word of which is known with its probability."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from vae_mf.inverse_ising.solvers.count_ising import CountIsing
from vae_mf.packing import all_configurations


class WordModel(NamedTuple):
    """A model with all its words."""

    model: CountIsing
    words: np.ndarray
    log_partition: float
    probabilities: np.ndarray

    def draw(self, count: int, seed: int) -> np.ndarray:
        rows = np.random.default_rng(seed).choice(len(self.words), count, p=self.probabilities)
        return self.words[rows]


def word_model(sites: int, strength: float, seed: int, potential: float = 0.0) -> WordModel:
    """Cells that are mostly silent, J_ij ~ Normal(0, strength^2 / N), V(K) a random walk with steps ``potential``."""
    random = np.random.default_rng(seed)
    upper = np.triu(random.normal(0, strength / np.sqrt(sites), (sites, sites)), 1)
    fields = random.uniform(-1.2, -0.4, sites)
    counts = np.concatenate([[0.0], np.cumsum(random.normal(0, potential, sites))])
    return enumerated(CountIsing(upper + upper.T, fields, counts))


def enumerated(model: CountIsing) -> WordModel:
    words = all_configurations(len(model.fields))
    x = words.astype(np.float64)
    exponents = np.einsum("ri,ij,rj->r", x, model.couplings, x) / 2 + x @ model.fields
    exponents = exponents + model.potential[(words > 0).sum(axis=1)]
    log_partition = float(logsumexp(exponents))
    return WordModel(model, words, log_partition, np.exp(exponents - log_partition))
