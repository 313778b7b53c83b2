"""Population annealing: many chains are cooled together, and those of low energy are copied as it grows colder.

From beta to beta' each of R chains is copied in proportion to exp(-(beta' - beta) E), R being kept, and moved by a few
sweeps (Hukushima and Iba 2003; Machta 2010). The mean weights multiply to Z / 2^N, without bias at any R, which no
other sampler here gives. Members of a family descend from one chain of the start; a population of few families says
little, and rho_t = R sum_families (share)^2 must be small against R (Wang, Machta and Katzgraber 2015).
"""

import warnings
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from scipy.special import logsumexp

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_integer, require_memory, require_temperatures
from vae_mf.rng import generator, keys
from vae_mf.samplers.base import Group
from vae_mf.samplers.tempering import EnergySampler

BYTES = 5
"""Bytes for each spin of a chain: itself, and its local field."""
FEW_FAMILIES = 0.1
"""Share of the population that rho_t must stay below; from there on ln Z is off by more than its own spread says."""


@runtime_checkable
class PopulationSampler(EnergySampler, Protocol):
    """A sampler whose chains can be copied over each other."""

    def copy_chains(self, state: Any, parents: Int64[np.ndarray, " chains"]) -> None:
        """Give every chain the configuration of its parent."""
        ...


class Annealed(NamedTuple):
    """Population at every temperature, from hot to cold."""

    temperatures: Float[np.ndarray, " levels"]
    log_partition: Float[np.ndarray, " levels"]
    """Estimate of ln Z; that of Z has no bias, and so this one is low by half its variance."""
    energy: Float[np.ndarray, " levels"]
    """Mean energy of the system."""
    families: Int64[np.ndarray, " levels"]
    """Number of families left."""
    family_size: Float[np.ndarray, " levels"]
    """rho_t, the mean square size of a family."""
    entropic_family_size: Float[np.ndarray, " levels"]
    """rho_s = R exp(sum_families share ln share)."""
    configurations: PackedSpins
    """Spins at the coldest temperature, bit-packed, shape (population, bytes)."""


def population_annealing(
    sampler: PopulationSampler, temperatures: Any, population: int, sweeps: int, seed: int
) -> Annealed:
    """Cool a population from infinite temperature through the given ones.

    It warns where few families are left, at the step that cost most of them: nothing is right then.

    Source: Hukushima and Iba 2003; Machta 2010.

    >>> from vae_mf.samplers import IsingMetropolis
    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> glass = SherringtonKirkpatrick.random(sites=12, seed=1)
    >>> found = population_annealing(IsingMetropolis(glass), [2.0, 1.0, 0.5], population=500, sweeps=5, seed=1)
    >>> exact = [glass.thermodynamics(t).log_partition for t in (2.0, 1.0, 0.5)]
    >>> bool(np.abs(found.log_partition - exact).max() < 0.1)
    True

    Args:
        sampler: sampler of spins that copies chains, such as `IsingMetropolis`.
        temperatures: distinct T > 0, in any order, the hottest so hot that couplings are small beside it, and so near
            each other that few families die at a step.
        population: number of chains R.
        sweeps: sweeps at every temperature.
        seed: seed of all randomness.

    Returns:
        ln Z, mean energy and families at every temperature, from hot to cold, and the coldest configurations.

    Raises:
        ValueError: if the sampler cannot copy chains, or a number is out of range.
    """
    if not isinstance(sampler, PopulationSampler):
        raise ValueError(f"sampler: expected one that copies chains, such as IsingMetropolis, got {sampler.name}")
    levels = np.sort(require_temperatures(temperatures))[::-1].copy()
    count = require_integer("population", population, minimum=2)
    require_integer("sweeps", sweeps)
    require_memory("population", count * BYTES * sampler.sites, "ask for fewer chains")
    random = generator(require_integer("seed", seed, minimum=0), "population")
    chain_keys = keys(seed, "population", count=count)
    state = sampler.initial(Group(np.full(count, levels[0]), chain_keys, np.arange(count)), "random")
    family = np.arange(count)
    beta = 0.0
    log_partition = sampler.sites * np.log(2)
    rows = []
    for temperature in levels:
        log_weights = -(1 / temperature - beta) * sampler.energies(state)
        beta = 1 / temperature
        log_partition += logsumexp(log_weights) - np.log(count)
        parents = systematic_parents(log_weights, random.random())
        sampler.copy_chains(state, parents)
        family = family[parents]
        state.temperatures[:] = temperature
        sampler.sweep(state, sweeps)
        rows.append((log_partition, sampler.energies(state).mean(), *family_sizes(family)))
    logs, energies, families, squares, entropic = (np.array(column) for column in zip(*rows, strict=True))
    warn_of_few_families(levels, families, squares, count)
    return Annealed(levels, logs, energies, families, squares, entropic, sampler.configurations(state))


def warn_of_few_families(
    levels: Float[np.ndarray, " levels"],
    families: Int64[np.ndarray, " levels"],
    sizes: Float[np.ndarray, " levels"],
    population: int,
) -> None:
    """Warn if rho_t is no longer small against the population, and tell the step that cost most families."""
    if sizes[-1] <= FEW_FAMILIES * population:
        return
    before = np.concatenate([[population], families[:-1]])
    worst = int(np.argmin(families / before))
    hotter = f"T = {levels[worst - 1]:g}" if worst else "infinity"
    warnings.warn(
        f"population annealing: {families[-1]} of {population} families are left, rho_t = {sizes[-1]:.3g}, ln Z and "
        f"energies cannot be trusted: give temperatures between {hotter} and T = {levels[worst]:g}, or a larger "
        "population",
        stacklevel=3,
    )


def systematic_parents(log_weights: Float[np.ndarray, " chains"], uniform: float) -> Int64[np.ndarray, " chains"]:
    """Return the parent of every chain; each has the whole number of children above or below its expected one.

    >>> systematic_parents(np.log([0.25, 0.25, 0.5]), 0.5).tolist()
    [0, 1, 2]
    """
    count = len(log_weights)
    shares = np.exp(log_weights - logsumexp(log_weights))
    edges = np.cumsum(shares)
    return np.searchsorted(edges / edges[-1], (np.arange(count) + uniform) / count)


def family_sizes(family: Int64[np.ndarray, " chains"]) -> tuple[int, float, float]:
    """Return the number of families, rho_t and rho_s of the family of every chain.

    >>> family_sizes(np.array([0, 0, 3, 3]))
    (2, 2.0, 2.0)
    """
    shares = np.unique(family, return_counts=True)[1] / len(family)
    entropy = -float(shares @ np.log(shares))
    return len(shares), float(len(family) * (shares**2).sum()), float(len(family) * np.exp(-entropy))
