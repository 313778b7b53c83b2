"""Joint samples for a critic: configurations beside an independent reference, a decoder or the marginals."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped

from vae_mf.analysis.generation import BATCH, joined, model_generator
from vae_mf.models.critic import JointSamples
from vae_mf.models.site_families import SiteFamily, SiteVectors, site_family
from vae_mf.models.tensors import Condition
from vae_mf.models.vae import VAE

Configurations = Mapping[float, Shaped[np.ndarray, "..."]]
"""Spins (rows, sites) or directors (rows, sites, 3) at each temperature."""
STRONGEST = 2.0
"""Largest coupling of a planted pair, and largest tilt of longer products in its units: frozen sites hold no more."""


class Planted(NamedTuple):
    """Samples whose total correlation given the reference is known."""

    samples: JointSamples
    log_ratio: Float[torch.Tensor, " batch"]
    """Exact logarithm of their density over that of the reference."""


def configuration_kind(configurations: Configurations) -> str:
    """Return "spins" or "directors"."""
    return "spins" if next(iter(configurations.values())).ndim == 2 else "directors"


def stacked(
    configurations: Configurations, like: torch.Tensor
) -> tuple[Float[torch.Tensor, "rows sites *axes"], Condition]:
    """Return the configurations of all temperatures as one tensor, with their condition."""
    rows = np.concatenate(list(configurations.values()))
    sizes = [len(part) for part in configurations.values()]
    index = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
    temperatures = torch.tensor(list(configurations), dtype=like.dtype, device=like.device)
    return torch.as_tensor(rows, device=like.device).to(like.dtype), Condition(temperatures, index.to(like.device))


@torch.no_grad()
def decoded_samples(vae: VAE, configurations: Configurations, seed: int) -> JointSamples:
    """Return the pairs (x, z ~ q(z|x,T)) with the natural parameters of p(x|z)."""
    family = site_family(vae.kind)
    generator = model_generator(vae, seed)
    x, condition = stacked(configurations, next(vae.parameters()))
    parts = []
    for rows in torch.arange(len(x), device=x.device).split(BATCH):
        z = vae.encode(x[rows], condition.select(rows)).sample(generator)
        parameters = vae.decoder(z).natural_parameters
        statistics = family.statistics(x[rows])
        parts.append((statistics, parameters, statistics - expected(family, parameters), z))
    statistics, parameters, residuals, latents = joined(parts)
    return JointSamples(statistics, parameters, residuals, latents, condition)


def expected(family: SiteFamily, parameters: SiteVectors) -> SiteVectors:
    """Return <t(x_i)> of every site, computed once where all sites of a configuration share their parameters."""
    if (parameters == parameters[:, :1]).all():
        return family.mean(parameters[:, :1]).expand_as(parameters)
    return family.mean(parameters)


@torch.no_grad()
def marginal_samples(
    configurations: Configurations, parameters: Float[torch.Tensor, "levels sites components"]
) -> JointSamples:
    """Return the configurations with a product of marginals as their reference, and no latents."""
    family = site_family(configuration_kind(configurations))
    x, condition = stacked(configurations, parameters)
    statistics = family.statistics(x)
    residuals = statistics - family.mean(parameters)[condition.index]
    return JointSamples(statistics, parameters[condition.index], residuals, x.new_empty(len(x), 0), condition)


def marginal_parameters(
    configurations: Configurations, like: torch.Tensor
) -> Float[torch.Tensor, "levels sites components"]:
    """Return the natural parameters of the marginals p(x_i|T) that the configurations suggest.

    One more observation at η = 0 keeps those of sites that never changed finite. The estimate adds its own
    misfit, about (components / 2) N / rows nats, to a total correlation relative to it.
    """
    family = site_family(configuration_kind(configurations))
    means = []
    for part in configurations.values():
        statistics = family.statistics(torch.as_tensor(part, device=like.device).to(like.dtype))
        means.append(statistics.sum(0) / (len(part) + 1))
    return family.match(torch.stack(means))


@torch.no_grad()
def site_log_likelihood(
    train: Shaped[np.ndarray, "train_rows *site"], rows: Shaped[np.ndarray, "rows *site"]
) -> Float[np.ndarray, " rows"]:
    """Return ln p of every row if sites were independent, with the marginals that training rows suggest.

    Densities of directors are with respect to the area, as those of models are.
    """
    family = site_family(configuration_kind({1.0: rows}))
    parameters = marginal_parameters({1.0: train}, torch.zeros((), dtype=torch.float64))[0]
    statistics = family.statistics(torch.as_tensor(rows, dtype=torch.float64))
    return ((statistics * parameters).sum(-1) - family.log_normaliser(parameters)).sum(1).numpy()


def in_batches(work: Callable[[SiteVectors], torch.Tensor], values: SiteVectors) -> torch.Tensor:
    """Return the result of some work on rows, of which directors take hundreds of bytes each while it is done."""
    return torch.cat([work(rows) for rows in values.split(BATCH)])


def plant(samples: JointSamples, family: SiteFamily, order: int, size: float, generator: torch.Generator) -> Planted:
    """Return reference samples in which groups of neighbouring sites are correlated, by about ``size`` nats in all.

    The last site of a group has x ~ p(x|z) exp(J ρ·t(x)) / norm, with ρ the product of the residuals of all others,
    component by component; all else is independent. To second order the total correlation is
    (J² / 2) sum_groups <|ρ|²> <|r|²> / components, r the last residual, which sets J at every temperature.

    Args:
        samples: joint samples whose reference and latents are taken.
        family: family of the sites.
        order: number of sites in a group; fewer of them show nothing if the reference is symmetric.
        size: total correlation in nats.
        generator: source of the draws.

    Raises:
        ValueError: if there are not as many sites, or ``order`` is below 2.
    """
    sites = samples.statistics.shape[1]
    if not 2 <= order <= sites:
        raise ValueError(f"order: expected a number of sites from 2 to {sites}, got {order}")
    drawn = in_batches(lambda parameters: family.sample(parameters, generator), samples.parameters)
    residuals = drawn - (samples.statistics - samples.residuals)
    index = samples.condition.index
    count = len(samples.condition.temperatures)
    last = slice(order - 1, None, order)
    others = torch.stack([residuals[:, k::order][:, : sites // order] for k in range(order - 1)]).prod(0)
    products, powers, firsts = (
        torch.stack([part[index == level].square().sum(-1).mean(0) for level in range(count)])
        for part in (others, residuals[:, last], residuals[:, : 1 - order : order])
    )
    capacity = (products * powers).sum(1) / (2 * family.components)
    strongest = STRONGEST * (firsts.mean(1) / products.mean(1).clamp(min=torch.finfo(products.dtype).tiny)).sqrt()
    tilt = (size / capacity).sqrt().minimum(strongest)[index, None, None] * others
    reference = samples.parameters[:, last]
    leaning = in_batches(lambda parameters: family.sample(parameters, generator), reference + tilt)
    normaliser = partial(in_batches, family.log_normaliser)
    log_ratio = (tilt * leaning).sum(-1) - normaliser(reference + tilt) + normaliser(reference)
    statistics = drawn.clone()
    residuals = residuals.clone()
    residuals[:, last] += leaning - drawn[:, last]
    statistics[:, last] = leaning
    return Planted(samples._replace(statistics=statistics, residuals=residuals), log_ratio.sum(1))
