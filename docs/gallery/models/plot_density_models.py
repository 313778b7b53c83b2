"""
Which law describes these rows?
===============================

Rows of 14 variables in four classes; given its class, a row's variables are independent. The true law is known, so the
gain over independent variables, on rows that no model has seen, has a ceiling. A mixture of four classes reaches it;
couplings of pairs come close with more parameters, and a tree does not.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp

import vae_mf
from vae_mf.density_models import BernoulliMixture, ChowLiuTree, Independent, LogisticAutoregression, PairwiseIsing

random = np.random.default_rng(3)
probabilities = random.beta(0.6, 0.6, (4, 14)).clip(0.05, 0.95)


def rows_of(count):
    """Draw rows of the four classes, all equally likely."""
    return np.where(random.random((count, 14)) < probabilities[random.integers(4, size=count)], 1, -1)


def true_log_density(rows):
    """Return ln p of every row."""
    given = np.log(np.where(rows[:, None] > 0, probabilities, 1 - probabilities)).sum(2)
    return logsumexp(given, axis=1) - np.log(4)


training, held_out = rows_of(3_000), rows_of(3_000)
models = {
    "tree (Chow, Liu)": ChowLiuTree(),
    "pairwise Ising": PairwiseIsing(),
    "autoregression": LogisticAutoregression(),
    "2 classes": BernoulliMixture(n_components=2),
    "4 classes": BernoulliMixture(n_components=4),
    "8 classes": BernoulliMixture(n_components=8),
}
alone = Independent().fit(training).score_samples(held_out)
gains = [model.fit(training).score_samples(held_out) - alone for model in models.values()]
ceiling = (true_log_density(held_out) - alone).mean()

with vae_mf.plotting.house_style():
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    colours = ["#9cc210", "#244a94", "#66b3ea", "#c6b980", "#b81c08", "#6a0fd4"]
    labels = [f"{name}\n{model.n_parameters_} parameters" for name, model in models.items()]
    errors = [gain.std() / np.sqrt(3_000) for gain in gains]
    axis.barh(labels, [gain.mean() for gain in gains], xerr=errors, color=colours)
    axis.axvline(ceiling, color="#1a1a1a", ls="--", label="true law")
    axis.set(xlabel="gain over independent variables  [nats per row]")
    axis.invert_yaxis()
    axis.legend(loc="lower left", bbox_to_anchor=(0.7, 1.0))
plt.show()
