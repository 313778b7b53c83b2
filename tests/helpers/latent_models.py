"""One normal latent variable on a grid: a latent model whose posterior, encoder and every probability are known."""

from collections.abc import Iterator

import numpy as np
from scipy.special import expit, log_expit, logsumexp

from vae_mf.packing import all_configurations

GRID = np.linspace(-5, 5, 101)
LOG_PRIOR = -(GRID**2) / 2 - logsumexp(-(GRID**2) / 2)


class OneLatent:
    """Spins of log-odds b + w z, z normal on a grid, as a `vae_mf.statistics.latent_model.LatentModel`.

    Draws of z are resampled from ``proposals`` of an encoder whose mean is off by ``shift`` posterior deviations and
    whose deviation is ``width`` of them; from the exact posterior for no proposals.
    """

    def __init__(self, weights, fields, proposals=0, shift=0.0, width=1.0):
        self.weights, self.fields = np.asarray(weights, float), np.asarray(fields, float)
        self.proposals, self.shift, self.width = proposals, shift, width
        self.log_odds = self.fields + GRID[:, None] * self.weights
        self.means = np.tanh(self.log_odds / 2)
        self.variables = np.arange(len(self.weights))

    def log_joint(self, rows):
        up = (np.asarray(rows) > 0).astype(float)
        return up @ log_expit(self.log_odds).T + (1 - up) @ log_expit(-self.log_odds).T + LOG_PRIOR

    def posterior(self, rows):
        joint = self.log_joint(rows)
        return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

    def log_probability(self, rows):
        return logsumexp(self.log_joint(rows), axis=1)

    def draw_rows(self, count, seed):
        random = np.random.default_rng([seed, 1])
        level = random.choice(len(GRID), count, p=np.exp(LOG_PRIOR))
        return np.where(random.random((count, len(self.weights))) < expit(self.log_odds[level]), 1, -1).astype(np.int8)

    def draw_means(self, rows, draws, random):
        weights = self.posterior(rows)
        if not self.proposals:
            limits = weights.cumsum(1)[:, None, :-1]
            return self.means[(random.random((len(rows), draws, 1)) > limits).sum(2)]
        mean = weights @ GRID
        deviation = np.sqrt(weights @ GRID**2 - mean**2)
        noise = random.normal(size=(len(rows), self.proposals))
        z = (mean + self.shift * deviation)[:, None] + self.width * deviation[:, None] * noise
        log_odds = self.fields + z[:, :, None] * self.weights
        log_weights = log_expit(rows[:, None] * log_odds).sum(2) - z**2 / 2 + noise**2 / 2
        shares = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True)).cumsum(1)
        chosen = (random.random((len(rows), draws, 1)) > shares[:, None, :-1]).sum(2)
        return np.tanh(np.take_along_axis(log_odds, chosen[:, :, None], 1) / 2)

    def residuals(self, rows, draws, seed) -> Iterator[np.ndarray]:
        random = np.random.default_rng([seed, 2])
        for start in range(0, len(rows), 500):
            part = rows[start : start + 500]
            yield (part[:, None] - self.draw_means(part, draws, random)).astype(np.float32)

    def variance_products(self):
        variances = 1 - self.means**2
        return (np.exp(LOG_PRIOR)[:, None] * variances).T @ variances


def coupled_pairs(model: OneLatent, couplings: dict[tuple[int, int], float], states: np.ndarray) -> np.ndarray:
    """Ln p of states where in each pair (a, b), given z and s_a, the log-odds of s_b are raised by 2 J s_a."""
    logs = np.empty((len(GRID), len(states)))
    for level in range(len(GRID)):
        log_odds = np.tile(model.log_odds[level], (len(states), 1))
        for (first, second), strength in couplings.items():
            log_odds[:, second] += 2 * strength * states[:, first]
        logs[level] = LOG_PRIOR[level] + log_expit(states * log_odds).sum(1)
    return logsumexp(logs, axis=0)


def draw_states(log_probabilities: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows of a law of all configurations."""
    probabilities = np.exp(log_probabilities - logsumexp(log_probabilities))
    states = all_configurations(int(np.log2(len(probabilities))))
    return states[np.random.default_rng(seed).choice(len(states), count, p=probabilities)]


def example(sites=12, seed=3, **encoder) -> OneLatent:
    """A model of middling strength."""
    random = np.random.default_rng(seed)
    return OneLatent(random.normal(0, 1.2, sites), random.normal(-0.3, 0.6, sites), **encoder)
