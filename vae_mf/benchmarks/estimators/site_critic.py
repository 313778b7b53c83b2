"""The critic of the verdicts: a chain of site ratios in one network, normalised by construction.

Its mean on held-out rows is a lower bound. The error holds what it falls short by as far as that is seen: half of what
fitted rows say more, which is the cost of over-fitting to first order, and the residual information that fitted and
held-out rows share (`shared_orders`), which the network could have held and does not.
"""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Shaped

from vae_mf.analysis.joint_samples import configuration_kind, marginal_parameters, marginal_samples
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.reference import reference, training_rows
from vae_mf.benchmarks.estimators.residual_orders import SIGNIFICANT
from vae_mf.benchmarks.estimators.shared_orders import shared_orders
from vae_mf.models.critic import DenseCritic, JointSamples, LatticeCritic, SiteCritic
from vae_mf.models.tensors import Condition
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average, evenly_spaced
from vae_mf.training import fit_critic

VALIDATION = 0.1
"""Share of the fitted rows that sets the gain."""
ROWS, CHUNK = 2000, 256
"""Fitted and held-out rows that say how far the critic falls short, and rows at a time."""
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
    """Return the mean log-ratio of held-out rows in nats, a lower bound of TC(x) or of C(x|z), and how far it is off.

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
        ValueError: if directors come with latent variables, or rows or z are not as they should be.
    """
    require_question(rows, given)
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
    missed = shortfall(fitted, spaced(samples.select(torch.arange(fitting))), spaced(parts[2]))
    return Average(float(ratios.mean()), float(np.hypot(ratios.std(ddof=1) / np.sqrt(len(ratios)), missed)))


def spaced(samples: JointSamples) -> JointSamples:
    """Return some evenly spaced rows."""
    return samples.select(torch.from_numpy(evenly_spaced(len(samples.latents), ROWS)))


def shortfall(critic: SiteCritic, fitted: JointSamples, held_out: JointSamples) -> float:
    """Return the nats that a critic falls short by, as far as over-fitting and orders two and three show it."""
    excess = critic.log_ratio(fitted).double().mean() - critic.log_ratio(held_out).double().mean()
    first, second = (residuals(critic, part) for part in (fitted, held_out))
    spread = np.sqrt((first**2).mean(0)).clip(min=np.finfo(np.float32).tiny)
    variables = np.repeat(np.arange(critic.sites), critic.family.components)
    pairs, triples = shared_orders(first / spread, second / spread, variables, 3).values()
    shared = pairs.value + (triples.value if triples.significance > SIGNIFICANT else 0.0)
    return max(float(excess) / 2, 0.0) + max(shared, 0.0)


@torch.no_grad()
def residuals(critic: SiteCritic, samples: JointSamples) -> Float[np.ndarray, "rows columns"]:
    """Return the statistics of every site less their means given the sites before it."""
    critic.eval()
    left = []
    for rows in torch.arange(len(samples.latents)).split(CHUNK):
        batch = samples.select(rows)
        tilt = critic.gain[batch.condition.index, None, None] * critic(batch, torch.arange(critic.sites))
        left.append((batch.statistics - critic.family.mean(batch.parameters + tilt)).flatten(1))
    return torch.cat(left).double().numpy()


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
