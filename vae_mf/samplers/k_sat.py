"""Metropolis for formulas: the energy is the number of violated clauses, many chains at once.

Sites are visited in order, one chain at a time. Each chain keeps the number of true literals of every clause, so that a
move reads the clauses of one variable: it breaks those that its literal alone satisfies, and makes the violated ones.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Int32, Int64, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import kernel, padded
from vae_mf.packing import pack_spins
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import F32, fill_exponentials, fill_random_spins
from vae_mf.systems.base import HasClauses, System

COOLING = 100
"""Sweeps of annealing that make the cold start."""
HOT, COLD = 2.0, 0.05
"""Temperatures between which the cold start is annealed, in violated clauses."""


@dataclass
class KSatState:
    """Spins, true literals of every clause, energy and random stream of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    spins: Int8[np.ndarray, "chains sites"]
    true_literals: Int32[np.ndarray, "chains clauses"]
    energies: Int64[np.ndarray, " chains"]


class SignedClauses(NamedTuple):
    """Clauses of every variable, one variable after the other."""

    starts: Int64[np.ndarray, " sites_plus_one"]
    clauses: Int32[np.ndarray, " literals"]
    """Numbers of clauses from 1, negative where the variable is negated."""


class KSatMetropolis(SystemSampler):
    """Single-spin Metropolis sampler of formulas, for thermal equilibrium and not for a solution.

    `vae_mf.satisfiability` searches for solutions, faster and without a law.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import KSat
    >>> formula = KSat.random(sites=20, length=3, seed=1, clauses_per_site=2.0)
    >>> chains = sample_chains(KSatMetropolis(formula), np.array([0.1]), 4, Schedule(1, 200, 1), seed=1)
    >>> formula.energy(chains[0, :, 0])  # violated clauses
    array([0., 0., 0., 0.])

    Args:
        system: random or given formula, such as `KSat`.

    Raises:
        ValueError: if the system has no clauses.
    """

    name = "k_sat_metropolis"
    serves = HasClauses

    def __init__(self, system: System):
        super().__init__(system)
        if self.system.offsets.size < 2:
            raise ValueError("system: expected a formula with clauses, got none: every assignment is equally likely")
        self._starts, self._clauses = signed_clauses(self.system)

    def begin(self, group: Group, start: str) -> KSatState:
        """Start each chain at random, or (``start="pattern"``) in a low-energy state found by annealing from one.

        The two approach equilibrium from above and from below, so that their agreement is a test of it.
        """
        chains = len(group.keys)
        counters = np.zeros(chains, np.uint64)
        spins = np.empty((chains, self.sites), np.int8)
        fill_random_spins(spins, np.int8(-1), np.int8(1), group.keys, counters)
        true_literals = np.zeros((chains, self.system.offsets.size - 1), np.int32)
        energies = np.empty(chains, np.int64)
        count_true(true_literals, energies, self._starts, self._clauses, spins)
        temperatures = np.array(group.temperatures, np.float64)
        state = KSatState(temperatures, group.keys.copy(), counters, spins, true_literals, energies)
        if start == "pattern":
            self._cool(state)
        return state

    def sweep(self, state: KSatState, count: int) -> None:
        """Advance every chain by ``count`` sweeps over all sites."""
        beta = (1 / state.temperatures).astype(np.float32)
        sweep_formula(
            self._starts, self._clauses, state.spins, state.true_literals, state.energies, beta, padded(self.sites),
            state.keys, state.counters, count,
        )  # fmt: skip

    def configurations(self, state: KSatState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return pack_spins(state.spins)

    def energies(self, state: KSatState) -> Float[np.ndarray, " chains"]:
        """Return the number of violated clauses of each chain."""
        return state.energies.astype(np.float64)

    def _cool(self, state: KSatState) -> None:
        """Anneal every chain to a small fraction of one violated clause, then restore its temperature."""
        temperatures = state.temperatures.copy()
        for temperature in np.geomspace(HOT, COLD, COOLING):
            state.temperatures[:] = temperature
            self.sweep(state, 1)
        state.temperatures[:] = temperatures


def signed_clauses(formula: HasClauses) -> SignedClauses:
    """Return the clauses of every variable.

    >>> from vae_mf.systems import KSat
    >>> signed_clauses(KSat.from_clauses([[1, -2], [2]], sites=2)).clauses.tolist()
    [1, -1, 2]
    """
    variables = np.abs(formula.literals) - 1
    clauses = np.repeat(np.arange(1, formula.offsets.size, dtype=np.int32), np.diff(formula.offsets))
    order = np.argsort(variables, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(variables, minlength=formula.sites))])
    return SignedClauses(starts, (np.sign(formula.literals) * clauses)[order].astype(np.int32))


@kernel()
def count_true(true_literals, energies, starts, clauses, spins):
    """Set the true literals of every clause, from zero, and the energies to the clauses without one."""
    for b in range(spins.shape[0]):
        for i in range(starts.shape[0] - 1):
            for place in range(starts[i], starts[i + 1]):
                if (clauses[place] > 0) == (spins[b, i] > 0):
                    true_literals[b, abs(clauses[place]) - 1] += 1
        energies[b] = 0
        for clause in range(true_literals.shape[1]):
            energies[b] += true_literals[b, clause] == 0


@kernel()
def sweep_formula(starts, clauses, spins, true_literals, energies, beta, noise_length, keys, counters, count):
    """Advance every chain by ``count`` Metropolis sweeps, flipping spin i where noise_i > beta (E' - E)."""
    noise = np.empty(noise_length, F32)
    for b in range(spins.shape[0]):
        for _ in range(count):
            fill_exponentials(noise, keys[b], counters, b)
            for i in range(spins.shape[1]):
                up = spins[b, i] > 0
                first, end = starts[i], starts[i + 1]
                rise = energy_change(clauses[first:end], true_literals[b], up)
                if noise[i] > beta[b] * F32(rise):
                    spins[b, i] = -spins[b, i]
                    energies[b] += rise
                    turn_literals(clauses[first:end], true_literals[b], up)


@kernel(inline="always")
def energy_change(clauses, true_literals, up):
    """Return the change of the energy when a variable turns that is in these clauses, negative where negated."""
    rise = 0
    for place in range(clauses.shape[0]):
        others = true_literals[abs(clauses[place]) - 1]
        if (clauses[place] > 0) == up:
            rise += others == 1
        else:
            rise -= others == 0
    return rise


@kernel(inline="always")
def turn_literals(clauses, true_literals, up):
    """Change the numbers of true literals as a variable turns."""
    for place in range(clauses.shape[0]):
        true_literals[abs(clauses[place]) - 1] += -1 if (clauses[place] > 0) == up else 1
