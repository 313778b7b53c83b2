"""From a sampler to a sealed store: the only place where the two meet."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vae_mf.arrays import Chains, PackedSpins
from vae_mf.checks import require_choice, require_integer, require_temperatures
from vae_mf.packing import unpack_spins
from vae_mf.provenance import git_revision, software_versions
from vae_mf.samplers.base import Sampler, Schedule, sample_block
from vae_mf.samplers.diagnostics import basin_indicators, diagnose
from vae_mf.store.sample_store import SampleStore, StoreLayout, open_store, open_writer
from vae_mf.systems.base import System

SCALARS = {"energy": "f8", "order_parameter": "f8", "basin": "i4"}
PREFERRED_CHAINS = 100
Progress = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True)
class Sampling:
    """How many samples to draw, where, and how the chains are run.

    Args:
        temperatures: distinct T > 0 (J = k_B = 1).
        samples: configurations per temperature, chains x draws.
        burn_in, thinning, anneal, anneal_from: in sweeps and T, see `Schedule`.
        chains: independent chains per temperature; None for the divisor of ``samples`` nearest 100.
        blocks: at most this many parts of whole chains, committed one by one and kept whole by every split.
        start: "random" or "pattern".
        witnesses: chains per temperature started the other way, to test that they are in equilibrium; 0 for none.

    Raises:
        ValueError: if a number is out of range or ``chains`` does not divide ``samples``.
    """

    temperatures: Sequence[float]
    samples: int
    burn_in: int = 0
    thinning: int = 1
    anneal: int = 0
    anneal_from: float = 2.0
    chains: int | None = None
    blocks: int = 10
    start: str = "random"
    witnesses: int = 0

    def __post_init__(self) -> None:
        require_temperatures(self.temperatures)
        require_integer("samples", self.samples)
        require_integer("blocks", self.blocks)
        require_integer("witnesses", self.witnesses, minimum=0)
        require_choice("start", self.start, ("random", "pattern"))
        if self.samples % require_integer("chains", self.chain_count):
            raise ValueError(f"samples: expected a multiple of chains = {self.chain_count}, got {self.samples}")
        _ = self.schedule

    @property
    def levels(self) -> np.ndarray:
        """Temperatures as a float64 array."""
        return require_temperatures(self.temperatures)

    @property
    def chain_count(self) -> int:
        """Chains per temperature."""
        return nearest_divisor(self.samples, PREFERRED_CHAINS) if self.chains is None else self.chains

    @property
    def block_count(self) -> int:
        """Blocks of equally many whole chains: the largest number up to ``blocks`` that divides the chains."""
        return max(n for n in range(1, self.blocks + 1) if self.chain_count % n == 0)

    @property
    def schedule(self) -> Schedule:
        """Schedule of every chain."""
        draws = self.samples // self.chain_count
        return Schedule(draws, self.burn_in, self.thinning, self.anneal, self.anneal_from)


def nearest_divisor(number: int, target: int) -> int:
    """Return the divisor of ``number`` nearest to ``target``.

    >>> nearest_divisor(4000, 100), nearest_divisor(90, 100)
    (100, 90)
    """
    return min((n for n in range(1, number + 1) if number % n == 0), key=lambda n: abs(n - target))


def simulate(
    system: System,
    sampler: Sampler,
    sampling: Sampling,
    path: str | Path,
    seed: int,
    progress: Progress = iter,
    threads: int | None = None,
) -> SampleStore:
    """Fill the store at ``path`` block by block, diagnose the chains, seal it, and return it.

    A sealed store of the same request is returned as it is; an interrupted one is resumed and ends up bit for bit as
    if it had never been interrupted.

    Args:
        progress: wraps the iteration over blocks, for a progress bar.
        threads: worker threads; the samples do not depend on their number.

    Raises:
        StoreError: if ``path`` holds anything but a store of this very request.
    """
    chains = sampling.chain_count // sampling.block_count
    rows_per_block = chains * sampling.schedule.draws
    temperatures = tuple(sampling.levels.tolist())
    layout = StoreLayout(system.sites, temperatures, sampling.block_count, rows_per_block, SCALARS)
    attrs, arrays = describe(system, sampler, sampling, seed)
    with open_writer(path, layout, attrs, arrays) as writer:
        if not writer.sealed:
            for block in progress(range(writer.committed, sampling.block_count)):
                numbers = range(block * chains, (block + 1) * chains)
                packed = sample_block(
                    sampler, sampling.levels, numbers, sampling.schedule, seed, sampling.start, threads
                )
                rows = packed.reshape(len(packed), -1, packed.shape[-1])
                writer.write_block(block, rows, scalars(system, rows))
            writer.seal(diagnostics(system, sampler, sampling, writer.read(), seed, threads))
    return open_store(path)


def scalars(system: System, packed: PackedSpins) -> dict[str, np.ndarray]:
    """Return energy, order parameter and basin of packed configurations (..., bytes)."""
    spins = unpack_spins(packed, system.sites)
    return {
        "energy": system.energy(spins),
        "order_parameter": system.order_parameter(spins),
        "basin": system.basin(spins).astype(np.int32),
    }


def describe(
    system: System, sampler: Sampler, sampling: Sampling, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what identifies the request: JSON attributes, and arrays (the patterns, if any)."""
    schedule = sampling.schedule
    attrs = {
        "system": system.name,
        "coupling": float(getattr(system, "coupling", 1.0)),
        "sampler": sampler.name,
        "jump_every": int(getattr(sampler, "jump_every", 0)),
        "seed": seed,
        "chains": sampling.chain_count,
        "draws": schedule.draws,
        "burn_in": schedule.burn_in,
        "thinning": schedule.thinning,
        "anneal": schedule.anneal,
        "anneal_from": schedule.anneal_from,
        "start": sampling.start,
        "witnesses": sampling.witnesses,
    }
    patterns = getattr(system, "patterns", None)
    return attrs, {} if patterns is None else {"patterns": patterns}


def diagnostics(
    system: System, sampler: Sampler, sampling: Sampling, store: SampleStore, seed: int, threads: int | None
) -> dict[str, Any]:
    """Return per-temperature chain diagnostics, beside the software that produced the samples."""
    shape = (sampling.chain_count, sampling.schedule.draws)
    witnesses = witness_scalars(system, sampler, sampling, seed, threads)
    reports = []
    for t in range(len(sampling.levels)):
        drawn = {name: store.scalar(name, t).reshape(shape) for name in SCALARS}
        checked = {name: values[t] for name, values in witnesses.items()}
        labels = np.union1d(drawn["basin"], checked.get("basin", drawn["basin"]))
        opposite = chain_observables(checked, labels) if checked else None
        reports.append(diagnose(chain_observables(drawn, labels), opposite, sampling.start, sampler.exact)._asdict())
    return {"temperatures": reports, "software": software_versions(), "revision": git_revision()}


def witness_scalars(
    system: System, sampler: Sampler, sampling: Sampling, seed: int, threads: int | None
) -> dict[str, np.ndarray]:
    """Return the scalars (temperatures, chains, draws) of chains started the opposite way, if any are asked for."""
    if sampler.exact or not sampling.witnesses:
        return {}
    opposite = "pattern" if sampling.start == "random" else "random"
    numbers = range(sampling.witnesses)
    packed = sample_block(sampler, sampling.levels, numbers, sampling.schedule, seed, opposite, threads)
    return scalars(system, packed)


def chain_observables(values: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, Chains]:
    """Return the observables whose mixing is judged: energy, |m|, m, and the occupation of every basin."""
    order = values["order_parameter"].astype(np.float64)
    return {
        "energy": values["energy"].astype(np.float64),
        "|order parameter|": np.abs(order),
        "order parameter": order,
        **basin_indicators(values["basin"], labels),
    }
