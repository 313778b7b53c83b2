"""Tasks on the user's own samples at several temperatures: their store, and theory that they must agree with."""

from collections.abc import Callable
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from scipy.special import stdtr

from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.names import public_name
from vae_mf.statistics.averages import average
from vae_mf.store.chains import chains_of
from vae_mf.store.imported import EQUILIBRIUM, from_arrays
from vae_mf.store.sample_store import SampleStore, is_sealed, open_store
from vae_mf.store.schema import NoStoreError
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import feasible_law, feasible_thermodynamics

READER = "vae_mf.datasets.read_samples"
OTHERWISE = "other than theory"
"""Ensemble of samples that cannot be those of their system."""
CHANCE = 1e-3
"""Probability, over all temperatures, that samples of a system are said to be none of it."""
NOT_USED = ("sampler", "tempering", "sampling", "dataset.split")


def are_samples(config: DictConfig) -> bool:
    """Return whether the data of a configuration are samples at several temperatures."""
    target = OmegaConf.select(config, "dataset.read._target_")
    return isinstance(target, str) and public_name(target) == READER


def store_of_samples(
    config: DictConfig, system: System | None, waiting: Callable[[str], Any] = lambda _: None
) -> SampleStore:
    """Return the store of the samples of a configuration, which is made once.

    Args:
        config: root configuration.
        system: system of the samples, None if it is not known.
        waiting: called with a sentence before the claim of another writer on a remote store is watched.

    Raises:
        ValueError: if an option is given that only other data have, or the samples are none of the system.
        StoreError: if something else is where the store belongs.
    """
    for name in NOT_USED:
        if OmegaConf.select(config, name) is not None:
            raise ValueError(
                f"{name}: expected nothing, as samples are there and are held out by whole chains; leave it out"
            )
    declared = {"chains": config.dataset.chains, "spacing": config.dataset.spacing}
    own = own_store(config.dataset.path)
    if own is not None:
        for name, value in declared.items():
            if value is not None:
                raise ValueError(
                    f"dataset.{name}: expected null, as the samples are a store that knows it, got {value}"
                )
        return own
    if is_sealed(config.store.path):
        return open_store(config.store.path)
    arrays = instantiate(config.dataset.read)
    return from_arrays(arrays, folder=config.store.path, system=system, waiting=waiting, **declared)


def own_store(path: str) -> SampleStore | None:
    """Return the store of vae_mf that the samples are already, None if they are something else.

    Raises:
        StoreError: It is damaged.
    """
    try:
        sealed = is_sealed(path)
    except NoStoreError:
        return None
    return open_store(path) if sealed else None


def ensembles(store: SampleStore, system: System | None) -> list[str]:
    """Return the ensemble of the samples at every temperature: that of their chains, unless theory contradicts it."""
    tags = [found["ensemble"] for found in chains_of(store).reports]
    if system is None:
        return tags
    agreed = [p * len(tags) >= CHANCE for p in (agreement(store, system, level) for level in range(len(tags)))]
    return [tag if agrees or tag != EQUILIBRIUM else OTHERWISE for tag, agrees in zip(tags, agreed, strict=True)]


def agreement(store: SampleStore, system: System, level: int) -> float:
    """Return the p-value that energy and order parameter have the exact averages, 1 where theory knows none.

    Student's t of the means of the pieces of chains, Bonferroni's over the two.
    """
    temperature = float(store.temperatures[level])
    rows = store.spins(level)
    exact = feasible_thermodynamics(system, temperature)
    law = feasible_law(system, temperature)
    tests = [] if exact is None else [(system.energy(rows), exact.energy)]
    tests += [] if law is None else [(system.order_parameter(rows), float(law.values @ law.probabilities))]
    return min((2 * len(tests) * tail(values, value, chains_of(store).count) for values, value in tests), default=1.0)


def tail(values: np.ndarray, expected: float, chains: int) -> float:
    """Return the probability of Student's t beyond the distance of a mean from its expectation."""
    found = average(values, chains)
    distance = abs(found.value - expected)
    if found.error > 0:
        return float(stdtr(chains - 1, -distance / found.error))
    return 0.5 if np.isclose(found.value, expected, rtol=1e-3) else 0.0


def said_of(store: SampleStore, system: System | None, tags: list[str]) -> list[str]:
    """Return a sentence on the samples, and one for each sort of temperatures at which exact theory is left out."""
    name = "no system" if system is None else system.name
    chains, draws, reports = chains_of(store)
    memory = 2 * max(found["autocorrelation_time"] for found in reports)
    left = store.attrs.get("rows_left_out", 0)
    more = f"; {left} rows left out at each temperature" if left else ""
    said = [
        f"samples: {len(tags)} temperatures x {store.rows} rows of {store.sites} spins, {name}; {chains} pieces of "
        f"{draws} rows, memory up to {memory:.3g} rows{more}"
    ]
    reasons = {
        OTHERWISE: f"energy or order parameter are not those of {name}: temperatures in another unit, sites in another "
        "order, another Hamiltonian, or no equilibrium",
        "imported": "chains, or the halves of one, differ by more than their memory explains",
    }
    for tag, reason in reasons.items():
        at = [f"{t:g}" for t, found in zip(store.temperatures.tolist(), tags, strict=True) if found == tag]
        said += [f"not taken for equilibrium at T = {', '.join(at)}: {reason}"] if at else []
    return said
