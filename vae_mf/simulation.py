"""From a sampler to a sealed store: the only place where the two meet."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vae_mf.checks import plain_number, require_integer
from vae_mf.provenance import git_revision, software_versions
from vae_mf.samplers.base import Sampler, record_names, sample_block
from vae_mf.samplers.diagnostics import diagnose, start_ensemble
from vae_mf.samplers.plan import Sampling, chain_observables, plan, scalars
from vae_mf.store.sample_store import SampleStore, StoreLayout, open_store, open_writer
from vae_mf.store.schema import system_parameters
from vae_mf.systems.base import HasCouplings, HasMeanFieldCouplings, System

SCALARS = {"energy": "f8", "order_parameter": "f8", "basin": "i4"}
Progress = Callable[[Iterable[int]], Iterable[int]]


def simulate(
    system: System,
    sampler: Sampler,
    sampling: Sampling,
    path: str | Path,
    seed: int,
    progress: Progress = iter,
    threads: int | None = None,
    waiting: Callable[[str], Any] = lambda _: None,
) -> SampleStore:
    """Fill the store at ``path`` block by block, diagnose the chains, seal it, and return it.

    A sealed store of the same request is returned as it is; an interrupted one is resumed and ends up bit for bit as
    if it had never been interrupted.

    >>> from vae_mf.samplers import CurieWeissDirect
    >>> from vae_mf.systems import CurieWeiss
    >>> system = CurieWeiss(9)
    >>> sampling = Sampling(temperatures=[0.5, 1.5], samples=200)
    >>> store = simulate(system, CurieWeissDirect(system), sampling, "memory://examples/curie_weiss.zarr", seed=1)
    >>> store.spins(level=0).shape, store.temperatures
    ((200, 9), array([0.5, 1.5]))

    Args:
        system: system to sample.
        sampler: sampler of that system.
        sampling: temperatures, number of samples and course of the chains.
        path: folder of the store, or its URL.
        seed: seed of all randomness.
        progress: wraps the iteration over blocks, for a progress bar.
        threads: worker threads; the samples do not depend on their number.
        waiting: called with a sentence before the claim of another writer on a remote store is watched.

    Raises:
        StoreError: if ``path`` holds anything but a store of this very request.
        ValueError: if an argument is no such thing, or the sampler is one of another system.
    """
    seed = require_integer("seed", seed, minimum=0)
    sampling = plan(system, sampler, sampling, seed, threads)
    chains = sampling.chain_count // sampling.block_count
    rows_per_block = chains * sampling.schedule.draws
    temperatures = tuple(sampling.levels.tolist())
    columns = SCALARS | dict.fromkeys(record_names(sampler), "f8")
    layout = StoreLayout(system.sites, temperatures, sampling.block_count, rows_per_block, columns, system.kind)
    attrs, arrays = describe(system, sampler, sampling, seed)
    with open_writer(path, layout, attrs, arrays, waiting) as writer:
        if not writer.sealed:
            for block in progress(range(writer.committed, sampling.block_count)):
                numbers = range(block * chains, (block + 1) * chains)
                draws = sample_block(
                    sampler, sampling.levels, numbers, sampling.schedule, seed, sampling.start, threads
                )
                rows = draws.configurations.reshape(len(temperatures), rows_per_block, *draws.configurations.shape[3:])
                records = {name: values.reshape(rows.shape[:2]) for name, values in draws.records.items()}
                writer.write_block(block, rows, scalars(system, rows) | records)
            writer.seal(diagnostics(system, sampler, sampling, writer.read(), seed, threads))
    return open_store(path)


def bytes_of_samples(system: System, sampling: Sampling) -> int:
    """Return about the bytes that drawing takes at its peak: a block at all temperatures, and all scalars."""
    levels = len(sampling.levels)
    drawn = max(sampling.chain_count // sampling.block_count, sampling.opposite_starts) * sampling.schedule.draws
    scalars = 200 * sampling.samples + 24 * levels * sampling.samples
    return levels * drawn * system.sites * bytes_of_site(system) + scalars


def bytes_of_site(system: System) -> int:
    """Return about the bytes of a site while energies are computed: products with couplings are in double precision."""
    if system.kind != "spins":
        return 48
    return 20 if isinstance(system, HasCouplings) and not isinstance(system, HasMeanFieldCouplings) else 6


def describe(
    system: System, sampler: Sampler, sampling: Sampling, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what identifies the request: numbers of system, sampler and schedule, and arrays (patterns, couplings)."""
    numbers, arrays = system_parameters(system)
    plain = {name: plain_number(value) for name, value in vars(sampler).items()}
    settings: dict[str, Any] = {name: value for name, value in plain.items() if isinstance(value, int | float | str)}
    algorithms = [sampler.algorithm(t) for t in sampling.levels.tolist()]
    if set(algorithms) != {sampler.name}:
        settings["algorithms"] = algorithms
    attrs = {
        "system": system.name,
        **numbers,
        "sampler": sampler.name,
        **settings,
        "seed": seed,
        "chains": int(sampling.chain_count),
        **{name: plain_number(value) for name, value in asdict(sampling.schedule).items()},
        "start": sampling.start,
        "witnesses": int(sampling.opposite_starts),  # the name in stores
    }
    return attrs, arrays


def diagnostics(
    system: System, sampler: Sampler, sampling: Sampling, store: SampleStore, seed: int, threads: int | None
) -> dict[str, Any]:
    """Return per-temperature chain diagnostics, beside the software that produced the samples."""
    shape = (sampling.chain_count, sampling.schedule.draws)
    opposite_starts = opposite_scalars(system, sampler, sampling, seed, threads)
    reports = []
    for t in range(len(sampling.levels)):
        drawn = {name: store.scalar(name, t).reshape(shape) for name in SCALARS}
        checked = {name: values[t] for name, values in opposite_starts.items()}
        labels = np.union1d(drawn["basin"], checked.get("basin", drawn["basin"]))
        opposite = chain_observables(checked, labels) if checked else None
        otherwise = start_ensemble(sampling.start, drawn["basin"])
        report = diagnose(chain_observables(drawn, labels), opposite, otherwise, sampler.exact)
        moves = {name: mean_record(store.scalar(name, t)) for name in record_names(sampler)}
        reports.append(report._asdict() | moves)
    return {"temperatures": reports, "software": software_versions(), "revision": git_revision()}


def mean_record(values: Float[np.ndarray, " rows"]) -> float:
    """Return the mean of what a sampler recorded where it recorded anything, else nan."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def opposite_scalars(
    system: System, sampler: Sampler, sampling: Sampling, seed: int, threads: int | None
) -> dict[str, np.ndarray]:
    """Return the scalars (temperatures, chains, draws) of chains started the opposite way, if any are asked for."""
    if sampler.exact or not sampling.opposite_starts:
        return {}
    opposite = "pattern" if sampling.start == "random" else "random"
    numbers = range(sampling.opposite_starts)
    draws = sample_block(sampler, sampling.levels, numbers, sampling.schedule, seed, opposite, threads)
    return scalars(system, draws.configurations)
