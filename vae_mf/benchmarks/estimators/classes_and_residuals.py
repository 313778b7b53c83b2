"""Gain of a mixture of independent variables, and the residual information of pairs that its classes leave."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.reference import training_rows
from vae_mf.benchmarks.estimators.residual_orders import even_blocks
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average, average
from vae_mf.statistics.residual_information import affordable_blocks, pair_information, pair_sums

VALIDATION = 0.2
"""Share of the fitted rows that chooses the number of classes."""


def classes_and_residuals(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    classes: Sequence[int] = (1, 2, 4, 8, 16, 32),
    seed: int = 0,
) -> Average:
    """Return the held-out gain of the likeliest mixture over independent variables and I_2 given its classes, in nats.

    To second order that is TC(x), where the mixture leaves little.

    Args:
        rows: signs.
        classes: numbers of classes that are tried.
        seed: seed of the fits and draws.

    Raises:
        ValueError: if the rows are no signs.
    """
    if rows.ndim != 2:
        raise ValueError(f"rows: expected signs (rows, variables), got an array of shape {rows.shape}")
    count = training_rows(rows)
    fitting = round((1 - VALIDATION) * count)
    mixtures = [BernoulliMixture(number, random_state=seed).fit(rows[:fitting]) for number in classes]
    chosen = max(mixtures, key=lambda mixture: mixture.score(rows[fitting:count]))
    test = rows[count:]
    independent = BernoulliMixture(1).fit(rows[:count])
    ratios = chosen.score_samples(test) - independent.score_samples(test)
    gain = average(ratios, len(ratios))
    left = left_by(chosen, test, seed)
    return Average(gain.value + left.value, float(np.hypot(gain.error, left.error)))


def left_by(mixture: BernoulliMixture, rows: Spins, seed: int) -> Average:
    """Return the residual information of pairs given the class of every row."""
    model = LatentClasses(mixture)
    drawn = model.draw_rows(len(rows), integer(seed, "own rows"))
    blocks = even_blocks(len(rows), affordable_blocks(rows.shape[1]))
    sums = [
        pair_sums(model.residuals(part, 1, integer(seed, name)), blocks, model.variables)
        for name, part in (("rows", rows), ("own", drawn))
    ]
    found = pair_information(sums[0], sums[1], model.variance_products())
    return Average(found.value, found.error)
