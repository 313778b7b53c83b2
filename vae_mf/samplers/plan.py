"""Sampling plan: temperatures, numbers of samples and chains, and schedule; a pilot run decides what is left open."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vae_mf.arrays import Chains, Configurations
from vae_mf.checks import (
    require_choice,
    require_fraction,
    require_integer,
    require_positive,
    require_temperatures,
    shown,
)
from vae_mf.packing import unpack_spins
from vae_mf.samplers.base import Sampler, Schedule, SystemSampler, sample_block
from vae_mf.samplers.diagnostics import basin_indicators
from vae_mf.samplers.tempering import ParallelTempering, choose_ladder
from vae_mf.statistics.row_order import autocorrelation_time
from vae_mf.systems.base import System

PREFERRED_CHAINS = 100
FEWEST_CHAINS = 10
PILOT_CHAINS = 16
PILOT_SWEEPS = 20_000
MOST_TEMPERATURES = 10_000
"""Largest number of temperatures of a request; a store of so many takes minutes."""
DECIMALS_UP_TO = 1e-4
"""Temperatures of a grid above this are rounded to ten decimals."""
WITHOUT_EFFECT = {"burn_in": 0, "thinning": 1, "anneal": 0, "opposite_starts": 0, "start": "random"}
"""Options that say nothing of independent draws, and the values that ask for nothing."""


@dataclass(frozen=True)
class Sampling:
    """Request for samples: temperatures, number, and course of the chains.

    >>> Sampling([0.5, 1.0], samples=4000).chain_count
    100

    Args:
        temperatures: distinct T > 0 (J = k_B = 1).
        samples: configurations per temperature, chains x draws.
        burn_in: sweeps before the first record, see `Schedule`; None for 20 autocorrelation times of a pilot run.
        thinning: sweeps between records; None for 2 autocorrelation times of a pilot run.
        anneal: sweeps of cooling, see `Schedule`.
        anneal_from: temperature at which cooling starts.
        swap_acceptance: if given, the temperatures between the coldest and the hottest are replaced by a ladder whose
            neighbours swap at least this often; for parallel tempering.
        effective: if given, draw as many samples as are worth this many independent ones; replaces ``samples``.
        chains: independent chains per temperature; None for the divisor of ``samples`` nearest 100.
        blocks: largest number of parts of whole chains, committed one by one and kept whole by every split.
        start: "random" or "pattern".
        opposite_starts: number of chains per temperature started the other way, to test for equilibrium; 0 for none.

    Raises:
        ValueError: if a number is out of range or ``chains`` does not divide ``samples``.
    """

    temperatures: Sequence[float]
    samples: int
    burn_in: int | None = 0
    thinning: int | None = 1
    anneal: int = 0
    anneal_from: float = 2.0
    chains: int | None = None
    blocks: int = 10
    start: str = "random"
    opposite_starts: int = 0
    effective: int | None = None
    swap_acceptance: float | None = None

    def __post_init__(self) -> None:
        require_few_temperatures(len(require_temperatures(self.temperatures)))
        require_integer("samples", self.samples)
        require_integer("blocks", self.blocks)
        require_integer("opposite_starts", self.opposite_starts, minimum=0)
        require_choice("start", self.start, ("random", "pattern"))
        if self.chains is None and self.chain_count < min(FEWEST_CHAINS, self.samples):
            raise ValueError(f"samples: expected a number with a divisor near {PREFERRED_CHAINS}, got {self.samples}")
        if self.samples % require_integer("chains", self.chain_count):
            raise ValueError(f"samples: expected a multiple of chains = {self.chain_count}, got {self.samples}")
        if self.effective is not None:
            require_integer("effective", self.effective)
        if self.swap_acceptance is not None:
            require_fraction("swap_acceptance", self.swap_acceptance)
        _ = self.schedule

    @property
    def automatic(self) -> bool:
        """True if a pilot run has to decide on something."""
        return self.burn_in is None or self.thinning is None or self.effective is not None

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
        burn_in = 0 if self.burn_in is None else self.burn_in
        thinning = 1 if self.thinning is None else self.thinning
        return Schedule(draws, burn_in, thinning, self.anneal, self.anneal_from)

    def unused(self, sampler: Sampler) -> dict[str, str]:
        """Return the options that have a value and no effect on a sampler, each with the reason.

        >>> from vae_mf.samplers import CurieWeissDirect
        >>> from vae_mf.systems import CurieWeiss
        >>> sorted(Sampling([0.5], samples=4000, burn_in=100).unused(CurieWeissDirect(CurieWeiss(64))))
        ['anneal_from', 'burn_in']
        """
        found = {} if self.anneal else {"anneal_from": "nothing is cooled with anneal=0"}
        if self.effective is not None:
            found["samples"] = "their number follows from effective"
        if self.swap_acceptance is not None and not sampler.tempered:
            found["swap_acceptance"] = "it takes tempering=parallel"
        if sampler.tempered and self.anneal:
            found |= dict.fromkeys(("anneal", "anneal_from"), "tempered chains are not cooled")
        if sampler.exact:
            asked = [name for name, value in WITHOUT_EFFECT.items() if getattr(self, name) not in (None, value)]
            found |= dict.fromkeys(("anneal_from", *asked), f"draws of {sampler.name} are independent")
        return found


def temperature_grid(start: float, stop: float, count: int, spacing: str = "linear") -> list[float]:
    """Return ``count`` temperatures from ``start`` to ``stop``, equally spaced in T ("linear") or in ln T ("log").

    >>> temperature_grid(0.5, 2.0, 3, "log")
    [0.5, 1.0, 2.0]
    """
    ends = require_positive("start", start), require_positive("stop", stop)
    space = {"linear": np.linspace, "log": np.geomspace}[require_choice("spacing", spacing, ("linear", "log"))]
    values = space(*ends, require_few_temperatures(require_integer("count", count, minimum=2))).tolist()
    # Decimals as ever, which names of stores rest on, and digits of what has none among them.
    return [round(t, 10) if t > DECIMALS_UP_TO else float(f"{t:.10g}") for t in values]


def require_few_temperatures(count: int) -> int:
    """Return a number of temperatures, or raise ValueError if it is larger than any ladder, as by a slip."""
    if count > MOST_TEMPERATURES:
        raise ValueError(f"temperatures: expected at most {MOST_TEMPERATURES}, got {count}: ask for fewer")
    return count


def plan(system: System, sampler: Sampler, sampling: Sampling, seed: int, threads: int | None = None) -> Sampling:
    """Return ``sampling`` with every number decided, from the slowest autocorrelation time of a pilot run.

    The ladder comes first, if one is to be chosen. Thinning is 2 tau, so that draws are nearly independent, and
    burn-in 20 tau; ``effective`` independent samples then need about 1.5 times as many draws. Exact samplers need
    neither.

    >>> from vae_mf.samplers import Wolff
    >>> from vae_mf.systems import Ising2D
    >>> system = Ising2D(4)
    >>> found = plan(system, Wolff(system), Sampling([2.0], 100, burn_in=None, thinning=None), seed=1)
    >>> found.burn_in, found.thinning
    (18, 2)

    Args:
        system: system to sample.
        sampler: sampler of that system.
        sampling: request, in which None stands for what a pilot run decides.
        seed: seed of the pilot run.
        threads: worker threads; None for one per core.

    Raises:
        ValueError: if chains do not decorrelate within the longest pilot run (give the numbers yourself then), a
            ladder is asked for without parallel tempering, or an argument is no such thing.
    """
    require_sampler(system, sampler)
    if not isinstance(sampling, Sampling):
        raise ValueError(f"sampling: expected a vae_mf.samplers.Sampling, got {shown(sampling)}")
    if threads is not None:
        require_integer("threads", threads)
    if sampling.swap_acceptance is not None:
        sampling = replace(sampling, temperatures=ladder(sampler, sampling, seed), swap_acceptance=None)
    if not sampling.automatic:
        return sampling
    slowest = 0.5 if sampler.exact else pilot_time(system, sampler, sampling, seed, threads)
    thinning = max(1, round(2 * slowest)) if sampling.thinning is None else sampling.thinning
    burn_in = round(20 * slowest) if sampling.burn_in is None else sampling.burn_in
    samples, chains = sampling.samples, sampling.chains
    if sampling.effective is not None:
        correlation = max(1.0, 3 * slowest / thinning)
        chains = chains or PREFERRED_CHAINS
        samples = chains * max(4, int(np.ceil(sampling.effective * correlation / chains)))
    return replace(sampling, thinning=thinning, burn_in=burn_in, samples=samples, chains=chains, effective=None)


def require_sampler(system: System, sampler: Sampler) -> None:
    """Raise ValueError unless ``sampler`` is one, and one of this very system."""
    if not isinstance(sampler, Sampler):
        raise ValueError(f"sampler: expected an object such as vae_mf.samplers.Wolff(system), got {shown(sampler)}")
    inner = sampler.sampler if isinstance(sampler, ParallelTempering) else sampler
    if isinstance(inner, SystemSampler) and inner.system is not system:
        raise ValueError(f"sampler: expected one of the system {shown(system)}, got one of {shown(inner.system)}")


def ladder(sampler: Sampler, sampling: Sampling, seed: int) -> list[float]:
    """Return temperatures from the coldest to the hottest asked for that swap as often as asked for."""
    if not isinstance(sampler, ParallelTempering) or sampling.swap_acceptance is None:
        raise ValueError(f"swap_acceptance: expected parallel tempering (tempering=parallel), got {sampler.name}")
    ends = float(sampling.levels.min()), float(sampling.levels.max())
    return choose_ladder(sampler.sampler, *ends, sampling.swap_acceptance, seed).temperatures.tolist()


def pilot_time(system: System, sampler: Sampler, sampling: Sampling, seed: int, threads: int | None = None) -> float:
    """Return the autocorrelation time, in sweeps, of the slowest observable at the slowest temperature.

    The pilot is lengthened until it spans 50 times that, the length from which Sokal's estimate can be trusted.
    """
    draws = 250
    while draws <= PILOT_SWEEPS:
        schedule = Schedule(draws, draws, 1, sampling.anneal, sampling.anneal_from)
        pilot = sample_block(sampler, sampling.levels, range(PILOT_CHAINS), schedule, seed, "random", threads)
        found = scalars(system, pilot.configurations)
        times = [slowest_time({name: values[t] for name, values in found.items()}) for t in range(len(sampling.levels))]
        if draws >= 50 * max(times):
            return max(times)
        draws *= 3
    worst = sampling.levels[int(np.argmax(times))]
    raise ValueError(
        f"thinning: expected chains that decorrelate within {PILOT_SWEEPS // 50} sweeps, got slower ones at "
        f"T = {worst:g}; give sampling.thinning and sampling.burn_in, or use parallel tempering"
    )


def nearest_divisor(number: int, target: int) -> int:
    """Return the divisor of ``number`` nearest to ``target``.

    >>> nearest_divisor(4000, 100), nearest_divisor(90, 100)
    (100, 90)
    """
    # 1 divides it, and is nearer than any number from twice the target on.
    return min((n for n in range(1, min(number, 2 * target) + 1) if number % n == 0), key=lambda n: abs(n - target))


def scalars(system: System, configurations: Configurations) -> dict[str, np.ndarray]:
    """Return energy, order parameter and basin of packed spins (..., bytes) or directors (..., sites, 3)."""
    if system.kind == "spins":
        configurations = unpack_spins(configurations, system.sites)
    return {
        "energy": system.energy(configurations),
        "order_parameter": system.order_parameter(configurations),
        "basin": system.basin(configurations).astype(np.int32),
    }


def slowest_time(values: dict[str, np.ndarray]) -> float:
    """Return the largest autocorrelation time, in draws, of all observables of chains at one temperature."""
    return max(
        autocorrelation_time(chains) for chains in chain_observables(values, np.unique(values["basin"])).values()
    )


def chain_observables(values: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, Chains]:
    """Return the observables whose mixing is judged: energy, |m|, m, and the occupation of every basin."""
    order = values["order_parameter"].astype(np.float64)
    return {
        "energy": values["energy"].astype(np.float64),
        "|order parameter|": np.abs(order),
        "order parameter": order,
        **basin_indicators(values["basin"], labels),
    }
