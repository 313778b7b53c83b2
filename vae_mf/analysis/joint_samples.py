"""Joint samples for a critic: configurations beside an independent reference, a decoder or the marginals."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped

from vae_mf.analysis.generation import BATCH, joined, model_generator
from vae_mf.models.critic import JointSamples
from vae_mf.models.site_families import SiteFamily, SiteVectors, site_family
from vae_mf.models.tensors import Condition
from vae_mf.models.vae import VAE

Configurations = dict[float, Shaped[np.ndarray, "..."]]
"""Spins (rows, sites) or directors (rows, sites, 3) at each temperature."""
STRONGEST = 2.0
"""Largest coupling of a planted correlation: sites that hardly fluctuate cannot hold more."""


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
    sizes = torch.tensor([len(part) for part in configurations.values()])
    index = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
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


def plant(samples: JointSamples, family: SiteFamily, size: float, generator: torch.Generator) -> Planted:
    """Return reference samples in which every odd site leans on the one before it, by about ``size`` nats in all.

    x_i ~ p(x_i|z) exp(J r_{i-1}·t(x_i)) / norm for odd i, r the residual, the other sites independent. To second order
    the total correlation is (J² / 2) sum_i <|r_{i-1}|²> <|r_i|²> / components, which sets J at every temperature.
    """
    drawn = family.sample(samples.parameters, generator)
    residuals = drawn - (samples.statistics - samples.residuals)
    index = samples.condition.index
    count = len(samples.condition.temperatures)
    power = residuals.square().sum(-1)
    powers = torch.stack([power[index == level].mean(0) for level in range(count)])
    even = slice(0, 2 * (power.shape[1] // 2), 2)
    odd = slice(1, None, 2)
    capacity = (powers[:, even] * powers[:, odd]).sum(1) / (2 * family.components)
    coupling = (size / capacity).sqrt().clamp(max=STRONGEST)[index, None, None]
    tilt, reference = coupling * residuals[:, even], samples.parameters[:, odd]
    leaning = family.sample(reference + tilt, generator)
    log_ratio = (tilt * leaning).sum(-1) - family.log_normaliser(reference + tilt) + family.log_normaliser(reference)
    statistics = drawn.clone()
    residuals = residuals.clone()
    residuals[:, odd] += leaning - drawn[:, odd]
    statistics[:, odd] = leaning
    return Planted(samples._replace(statistics=statistics, residuals=residuals), log_ratio.sum(1))
