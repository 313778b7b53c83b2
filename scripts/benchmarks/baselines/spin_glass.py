"""Metropolis of glasses near equilibrium (64 chains): Sherrington-Kirkpatrick and Edwards-Anderson."""

# ruff: noqa: NPY002 -- inside Numba the legacy generator is the usual one, and this loop is the usual way.

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numba import njit

from vae_mf.rng import keys
from vae_mf.samplers.base import Group
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.systems.spin_glass import EdwardsAnderson, SherringtonKirkpatrick

from .timing import SEED, Baseline, Row, installed, race

SITES, CHAINS, SWEEPS, LONG, COOLING = 512, 64, 20, 500, 300


@njit
def plain_sweeps(couplings, spins, fields, beta, count):
    """Run Metropolis sweeps at random sites, local fields in float64."""
    for _ in range(count * spins.size):
        i = np.random.randint(0, spins.size)
        cost = 2 * spins[i] * fields[i]
        if cost <= 0 or np.random.random() < np.exp(-beta * cost):
            spins[i] = -spins[i]
            for j in range(spins.size):
                fields[j] += 2 * couplings[i, j] * spins[i]
    return count * spins.size


def dwave(couplings: np.ndarray, spins: np.ndarray, beta: float, target: float | None) -> Baseline:
    """Return sweeps of dwave-samplers from a cooled configuration, less a call of one sweep."""
    name = installed("dwave-samplers")
    if name is None:
        return Baseline("dwave-samplers", None, target)
    from dimod import BinaryQuadraticModel  # pyright: ignore[reportMissingImports]
    from dwave.samplers import SimulatedAnnealingSampler  # pyright: ignore[reportMissingImports]

    bonds = zip(*np.triu_indices(len(spins), 1), strict=True)
    model = BinaryQuadraticModel.from_ising({}, {bond: -couplings[bond] for bond in bonds})
    start = dict(enumerate(spins.astype(int)))
    sampler = SimulatedAnnealingSampler()
    schedule = {"beta_schedule_type": "custom", "beta_schedule": [beta], "initial_states": start, "seed": SEED}

    def run(count: int) -> int:
        sampler.sample(model, num_sweeps_per_beta=count, **schedule)
        return count * len(spins)

    return Baseline(name, partial(run, LONG + 1), target, overhead=partial(run, 1))


def rows(repeats: int) -> Iterator[Row]:
    """Time full couplings, then lattices."""
    yield from full_rows(repeats)
    yield from lattice_rows(repeats)


def lattice_rows(repeats: int) -> Iterator[Row]:
    """Time bonds +-J in words against the sampler of any couplings, at 64 temperatures about the transition."""
    for dimension, side in ((3, 8), (3, 10), (2, 32)):
        system = EdwardsAnderson.random(side, dimension, "pm", SEED)
        timed = []
        for sampler, sweeps in ((MultispinGlass(system), 500), (IsingMetropolis(system), SWEEPS)):
            group = Group(np.linspace(0.6, 2, CHAINS), keys(SEED, "chains", count=CHAINS), np.arange(CHAINS))
            state = sampler.initial(group, "pattern")
            timed.append(partial(advance, sampler, state, sweeps))
        baseline = Baseline("our Metropolis of any couplings", timed[1], 10)
        yield from race(f"Edwards-Anderson +-J in words, {dimension}D", f"L={side}", timed[0], [baseline], repeats)


def advance(sampler: MultispinGlass | IsingMetropolis, state: Any, sweeps: int) -> int:
    """Advance all chains and return the number of spins visited."""
    sampler.sweep(state, sweeps)
    return CHAINS * sweeps * sampler.sites


def full_rows(repeats: int) -> Iterator[Row]:
    """Time a cold and a critical temperature; everybody starts cooled to it."""
    system = SherringtonKirkpatrick.random(SITES, SEED)
    couplings = np.asarray(system.couplings)
    sampler = IsingMetropolis(system)
    for temperature, target in ((0.3, 5), (1.0, None)):
        state = sampler.initial(
            Group(np.full(CHAINS, 2.0), keys(SEED, "chains", count=CHAINS), np.arange(CHAINS)), "random"
        )
        spins = np.random.default_rng(SEED).choice([-1.0, 1.0], SITES)
        fields = couplings @ spins
        for level in np.geomspace(2, temperature, COOLING):
            state.temperatures[:] = level
            sampler.sweep(state, 1)
            plain_sweeps(couplings, spins, fields, 1 / level, 1)

        def ours(state=state) -> int:
            sampler.sweep(state, SWEEPS)
            return CHAINS * SWEEPS * SITES

        plain = partial(plain_sweeps, couplings, spins, fields, 1 / temperature, LONG)
        baselines = [Baseline("Numba float64 fields", plain, target), dwave(couplings, spins, 1 / temperature, target)]
        yield from race(f"SK, T={temperature:g}", f"N={SITES}", ours, baselines, repeats)
