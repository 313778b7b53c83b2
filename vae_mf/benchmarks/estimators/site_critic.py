"""The critic of the verdicts: a chain of site ratios in one network, normalised by construction."""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Shaped

from vae_mf.analysis.joint_samples import configuration_kind, marginal_parameters, marginal_samples
from vae_mf.benchmarks.estimators.reference import reference, training_rows
from vae_mf.models.critic import DenseCritic, JointSamples, LatticeCritic
from vae_mf.models.tensors import Condition
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average
from vae_mf.training import fit_critic

VALIDATION = 0.1
"""Share of the fitted rows that sets the gain."""
TEMPERATURE = 1.0
"""Single temperature of the rows, to which nothing is compared."""


def site_critic(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    side: int | None = None,
    *,
    epochs: int = 10,
    batch_size: int = 256,
    sites_per_step: int = 16,
    learning_rate: float = 5e-3,
    seed: int = 0,
) -> Average:
    """Return the mean log-ratio of held-out rows in nats, a lower bound of TC(x) or of C(x|z).

    Args:
        rows: signs or directors.
        given: latent variables of every row.
        side: side of a periodic lattice, whose places then share their weights; None for no lattice.
        epochs: passes over the fitted rows.
        batch_size: rows in a gradient step.
        sites_per_step: variables that are drawn for a gradient step.
        learning_rate: learning rate at the start.
        seed: seed of weights and batches.

    Raises:
        ValueError: if directors come with latent variables.
    """
    samples = joint_samples(rows, given)
    count = training_rows(rows)
    fitting = round((1 - VALIDATION) * count)
    parts = [samples.select(torch.arange(*bounds)) for bounds in ((0, fitting), (fitting, count), (count, len(rows)))]
    build = DenseCritic if side is None else LatticeCritic
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "critic weights"))
        kind = configuration_kind({TEMPERATURE: rows})
        critic = build(rows.shape[1], kind, samples.latents.shape[1], temperatures=1)
    options = {"epochs": epochs, "batch_size": batch_size, "sites_per_step": sites_per_step}
    fit = partial(fit_critic, alpha=0.0, learning_rate=learning_rate, weight_decay=1e-2, seed=seed, **options)
    fitted = fit(critic, parts[0], parts[1], trainer={"accelerator": "cpu", "devices": 1})
    ratios = fitted.log_ratio(parts[2]).double().numpy()
    return Average(float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(len(ratios))))


def joint_samples(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None
) -> JointSamples:
    """Return rows beside their reference: marginals, or p(x_i|z) by regressions."""
    count = training_rows(rows)
    if given is None:
        parameters = marginal_parameters({TEMPERATURE: rows[:count]}, torch.zeros(()))
        return marginal_samples({TEMPERATURE: rows}, parameters)
    if rows.ndim == 3:
        raise ValueError("given: expected none with directors, whose law given z is not fitted, got some")
    parameters = torch.from_numpy(np.ascontiguousarray(reference(rows, given).log_odds / 2))[..., None]
    statistics = torch.from_numpy(rows.astype(np.float32))[..., None]
    condition = Condition(torch.tensor([TEMPERATURE]), torch.zeros(len(rows), dtype=torch.int64))
    latents = torch.from_numpy(given.astype(np.float32))
    return JointSamples(statistics, parameters, statistics - torch.tanh(parameters), latents, condition)
