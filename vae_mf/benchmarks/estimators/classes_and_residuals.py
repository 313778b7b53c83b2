"""Gain of a mixture of independent variables, and what a chain of regressions and residual orders find given its class.

With k drawn from p(k|x) of the mixture q,

    TC(x) = <ln q(x)/q₀(x)> + KL(p | q),   KL(p | q) = C(x|k),

as nothing is left of the means given k where the mixture is at its likeliest. C(x|k) is that of `residual_orders`, the
reference p(x_i|k) and the class as a latent variable.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import logit

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.chain_rule import chain
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.reference import Reference, training_rows
from vae_mf.benchmarks.estimators.residual_orders import Reading, answer, left_by, read_rows
from vae_mf.checks import require_integer
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.rng import generator
from vae_mf.statistics.averages import Average

VALIDATION = 0.2
"""Share of the fitted rows that chooses the number of classes."""
AXES = 4
"""Principal axes of the log-odds of all classes that stand for the class."""


def classes_and_residuals(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    cut: Bool[np.ndarray, " variables"] | None = None,
    classes: Sequence[int] = (1, 2, 4, 8, 16, 32),
    seed: int = 0,
) -> Average:
    """Return TC(x), C(x|z) given z, or the information I(A; B) of a cut, in nats.

    Args:
        rows: signs.
        given: latent variables of every row, which then take the place of classes.
        cut: True for the variables of part A.
        classes: numbers of classes that are tried.
        seed: seed of the fits and draws.

    Raises:
        ValueError: if the rows are no signs, z or the cut are not as they should be, the residual orders grow, or a
            number of classes is none.
    """
    require_question(rows, given, cut)
    if not len(classes):
        raise ValueError("classes: expected at least one number of classes, got none")
    for number in classes:
        require_integer("classes", number)
    if rows.ndim != 2:
        raise ValueError(f"rows: expected signs (rows, variables), got an array of shape {rows.shape}, of directors")
    return answer(partial(read_by_classes, classes=classes, seed=seed), rows, given, cut)


def read_by_classes(
    rows: Spins, given: Float[np.ndarray, "rows latents"] | None, classes: Sequence[int], seed: int
) -> Reading:
    """Return what the likeliest mixture and the chain given its classes say, or the chain alone if that is likelier."""
    alone = read_rows(rows, given)
    if given is not None:
        return alone
    count = training_rows(rows)
    mixture = likeliest_mixture(rows[:count], classes, seed)
    if mixture.n_components == 1:
        return alone
    independent = BernoulliMixture(1).fit(rows[:count])
    gains = mixture.score_samples(rows) - independent.score_samples(rows)
    limits = LatentClasses(mixture).class_probabilities(rows).cumsum(1)
    # The last limit is 1 but for rounding.
    drawn = (generator(seed, "classes").random((len(rows), 1)) > limits[:, :-1]).sum(1)
    log_odds = logit(mixture.probabilities_)
    centred = log_odds - log_odds.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][: min(AXES, len(log_odds) - 1)]
    base = Reference(log_odds[drawn].astype(np.float32), count)
    ratios = chain(rows, (centred @ axes.T)[drawn], base=base)
    sums = gains + ratios.values.sum(1, dtype=np.float64)
    # Neither can say too much on the average: likelihood is lost wherever a law is wrong.
    return Reading(sums, ratios, left_by(ratios)) if ratios.mean(sums - alone.sums).value > 0 else alone


def likeliest_mixture(rows: Spins, classes: Sequence[int], seed: int) -> BernoulliMixture:
    """Return a mixture of as many classes as are likeliest on the last of the rows, fitted to all of them."""
    fitting = round((1 - VALIDATION) * len(rows))
    mixtures = [BernoulliMixture(number, random_state=seed).fit(rows[:fitting]) for number in classes]
    scores = [mixture.score(rows[fitting:]) for mixture in mixtures]
    return BernoulliMixture(classes[int(np.argmax(scores))], random_state=seed).fit(rows)
