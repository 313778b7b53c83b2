"""ELBO surgery: the rate as information about x plus a misfit of the prior, and C(x|z) by an exact identity.

With q(z|T) = <q(z|x,T)> the aggregated posterior, the rate <KL(q(z|x,T) || p(z|T))> = I_q(x; z) + KL(q(z|T) || p(z|T))
is useful rate plus excess, and the divergence of q(x,z|T) = p(x|T) q(z|x,T) from p(z|T) prod_i p(x_i|z), split two
ways, gives the conditional total correlation wherever ln p(x|T) is known:

    C(x|z) = <ln p(x|T) - ELBO(x)> - KL(q(z|T) || p(z|T)) = <ln p(x|T) + ln q(z|x,T) - ln p(x|z) - ln q(z|T)>.

Source: Hoffman and Johnson, ELBO surgery, NIPS workshop 2016, equation 6.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped

from vae_mf.analysis.generation import batches, joined, model_generator
from vae_mf.analysis.log_likelihood import known_log_truth
from vae_mf.arrays import States
from vae_mf.checks import require_integer
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average, thin
from vae_mf.systems.base import System

DENSITY_BATCH = 512

PerRow = Float[np.ndarray, " rows"]
LatentRows = Float[np.ndarray, "rows latents"]
LatentComponents = Float[np.ndarray, "components latents"]
Fitted = Shaped[np.ndarray, "fitted_rows *site"]
HeldOut = Shaped[np.ndarray, "held_out_rows *site"]
"""Spins (rows, sites) or directors (rows, sites, 3)."""


class LatentDraws(NamedTuple):
    """One z ~ q(z|x,T) for every configuration, in float64, with the densities that meet there, in nats."""

    mean: LatentRows
    deviation: LatentRows
    z: LatentRows
    log_likelihood: PerRow
    """ln p(x|z)."""
    log_posterior: PerRow
    """ln q(z|x,T)."""
    log_prior: PerRow
    """ln p(z|T)."""


class AggregatedDensity(NamedTuple):
    """Two estimates of ln q(z|T) at z ~ q(z|x,T), which bracket its mean."""

    with_own: PerRow
    """With the component of x itself in the mixture: too large on average, as few components hold it up."""
    without_own: PerRow
    """Without it: too small on average, as for any density estimated from other samples."""


@torch.no_grad()
def draw_latents(vae: VAE, configurations: States, temperature: float, seed: int) -> LatentDraws:
    """Return one draw of z per configuration with its densities."""
    generator = model_generator(vae, seed)
    parts = []
    for x, condition in batches(vae, configurations, temperature):
        posterior = vae.encode(x, condition)
        z = posterior.sample(generator)
        parts.append((posterior.mean, posterior.deviation, z, *vae.terms(x, z, posterior, vae.prior(condition))))
    return LatentDraws(*(part.double().cpu().numpy() for part in joined(parts)))


def aggregated_log_density(z: LatentRows, mean: LatentComponents, deviation: LatentComponents) -> AggregatedDensity:
    """Return ln q(z|T) of a mixture of posteriors, with and without each row's own.

    Args:
        mean: means of all components; those beyond the number of rows belong to other configurations.
    """
    own_rows = len(z)
    components = len(mean)
    scales = 1 / deviation**2
    # -|z - mean|^2 / 2 deviation^2 as matrix products.
    constants = -np.log(deviation).sum(1) - 0.5 * (mean**2 * scales + np.log(2 * np.pi)).sum(1)
    with_own = np.empty(own_rows)
    without_own = np.empty(own_rows)
    for start in range(0, own_rows, DENSITY_BATCH):
        part = slice(start, min(start + DENSITY_BATCH, own_rows))
        logs = z[part] @ (mean * scales).T - 0.5 * z[part] ** 2 @ scales.T + constants
        place = np.arange(part.stop - start), np.arange(start, part.stop)
        own, logs[place] = logs[place], -np.inf
        highest = logs.max(axis=1, keepdims=True)
        others = (highest + np.log(np.exp(logs - highest).sum(axis=1, keepdims=True)))[:, 0]
        with_own[part] = np.logaddexp(own, others) - np.log(components)
        without_own[part] = others - np.log(components - 1)
    return AggregatedDensity(with_own, without_own)


def grouped_log_density(z: LatentRows, mean: LatentRows, deviation: LatentRows, groups: int) -> AggregatedDensity:
    """Return ln q(z|T) of rows, each under the posteriors of every n-th row, those of its group, alone.

    All rows under all of them would take a time that grows with the square of their number.

    Args:
        z: draw of every row.
        mean: mean of its posterior.
        deviation: deviation of its posterior.
        groups: number of groups n.
    """
    with_own = np.empty(len(z))
    without_own = np.empty(len(z))
    for group in range(groups):
        part = slice(group, None, groups)
        with_own[part], without_own[part] = aggregated_log_density(z[part], mean[part], deviation[part])
    return AggregatedDensity(with_own, without_own)


def surgery_table(
    vae: VAE,
    system: System | None,
    train: Mapping[float, Fitted],
    held_out: Mapping[float, HeldOut],
    chains: int,
    ensembles: dict[float, str],
    components: int,
    seed: int,
) -> pd.DataFrame:
    """Return per temperature the parts of the rate and the conditional total correlation by the identity, in nats.

    Errors are those of a bootstrap over chains, which for a mean has the closed form of `averages.average`. Estimates
    that need q(z|T) are the middle of the two of `AggregatedDensity`, and ``bracket`` is how far these lie to either
    side: it grows with the latents and the rate.

    Args:
        system: system with ln Z, for ``kl_bound`` = <ln p(x|T) - ELBO(x)> and ``identity`` = C(x|z), which are NaN
            where p is not known.
        ensembles: ensemble of the samples at each temperature; p is known for "equilibrium" only.
        components: configurations whose encodings make up q(z|T); of more than twice as many held-out ones each has
            those of a part of them.
    """
    require_integer("components", components, minimum=2)
    rows = []
    for t, (temperature, configurations) in enumerate(held_out.items()):
        draws = draw_latents(vae, configurations, temperature, integer(seed, "surgery", t))
        rest = max(0, components - len(configurations))
        others = thin(train[temperature], rest, 1) if rest else train[temperature][:0]
        groups = max(1, len(configurations) // components)
        terms = surgery_terms(vae, draws, others, temperature, integer(seed, "surgery others", t), groups)
        truth = known_log_truth(system, configurations, temperature, ensembles[temperature])
        terms["kl_bound"] = truth - draws.log_likelihood + terms["rate"]
        terms["identity"] = terms["kl_bound"] - terms["excess_kl"]
        row = {"temperature": temperature, "sites": configurations.shape[1], "latents": draws.z.shape[1]}
        for name, values in terms.items():
            row |= dict(zip((name, f"{name}_error"), average(values, chains), strict=True))
        rows.append(row)
    return pd.DataFrame(rows).drop(columns="bracket_error")


def surgery_terms(
    vae: VAE, draws: LatentDraws, others: States, temperature: float, seed: int, groups: int = 1
) -> dict[str, PerRow]:
    """Return the terms of the rate of every row of ``draws``, q(z|T) made up of their posteriors and of ``others``.

    Args:
        draws: draws of the rows.
        others: further configurations, none for rows in more than one group.
        groups: number of groups of rows, each with a q(z|T) of its own.
    """
    if len(others):
        further = draw_latents(vae, others, temperature, seed)
        mean = np.concatenate([draws.mean, further.mean])
        deviation = np.concatenate([draws.deviation, further.deviation])
        density = aggregated_log_density(draws.z, mean, deviation)
    else:
        density = grouped_log_density(draws.z, draws.mean, draws.deviation, groups)
    middle = (density.with_own + density.without_own) / 2
    rate = draws.log_posterior - draws.log_prior
    return {
        "rate": rate,
        "useful_rate": draws.log_posterior - middle,
        "excess_kl": middle - draws.log_prior,
        "bracket": (density.with_own - density.without_own) / 2,
    }
