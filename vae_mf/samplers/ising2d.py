"""Sampler of the 2D Ising model by the cheaper algorithm at each temperature: clusters near T_c, else single flips."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_positive
from vae_mf.packing import packed_bytes
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.multispin import MultispinMetropolis
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.base import System
from vae_mf.systems.ising2d import Ising2D


class Part(NamedTuple):
    """Chains of one group that the same algorithm advances."""

    rows: Int64[np.ndarray, " part"]
    sampler: Any
    state: Any


@dataclass
class MixedState:
    """Chains of a group, in the hands of one or two algorithms."""

    temperatures: Float[np.ndarray, " chains"]
    parts: list[Part]


class Ising2DAuto(SystemSampler):
    """Wolff from T / J = ``wolff_from`` to ``wolff_to``, else multispin Metropolis (only Wolff if the side is odd).

    The choice is made once, from the temperature a chain is set up with, and holds while it is annealed or tempered.

    >>> from vae_mf.systems import Ising2D
    >>> sampler = Ising2DAuto(Ising2D(4))
    >>> sampler.algorithm(1.5), sampler.algorithm(2.27)
    ('multispin_metropolis', 'wolff')

    Args:
        system: two-dimensional Ising system.
        wolff_from: lowest T / J of Wolff's algorithm.
        wolff_to: highest T / J of Wolff's algorithm.

    Raises:
        ValueError: if the system is no `Ising2D` one, or ``wolff_from`` not below ``wolff_to``.
    """

    name = "ising2d_auto"
    serves = Ising2D

    def __init__(self, system: System, wolff_from: float = 2.1, wolff_to: float = 2.5):
        super().__init__(system)
        self.wolff_from = require_positive("wolff_from", wolff_from)
        self.wolff_to = require_positive("wolff_to", wolff_to)
        if wolff_from >= wolff_to:
            raise ValueError(f"wolff_to: expected more than wolff_from = {wolff_from}, got {wolff_to}")
        self._samplers: dict[str, Wolff | MultispinMetropolis] = {Wolff.name: Wolff(self.system)}
        if self.system.side % 2 == 0:
            self._samplers[MultispinMetropolis.name] = MultispinMetropolis(self.system)

    def algorithm(self, temperature: float) -> str:
        """Return the name of the sampler used at ``temperature``."""
        near = self.wolff_from <= temperature / self.system.coupling <= self.wolff_to
        return Wolff.name if near or self.system.side % 2 else MultispinMetropolis.name

    def begin(self, group: Group, start: str) -> MixedState:
        """Hand each chain to the algorithm of its temperature, at random or (``start="pattern"``) with all spins up."""
        names = np.array([self.algorithm(t) for t in group.temperatures.tolist()])
        parts = []
        for name, sampler in self._samplers.items():
            rows = np.flatnonzero(names == name)
            if rows.size:
                own = Group(*(values[rows] for values in group))
                parts.append(Part(rows, sampler, sampler.initial(own, start)))
        return MixedState(np.array(group.temperatures, np.float64), parts)

    def sweep(self, state: MixedState, count: int) -> None:
        """Advance every chain by ``count`` sweeps of its algorithm."""
        for part in state.parts:
            part.state.temperatures[:] = state.temperatures[part.rows]
            part.sampler.sweep(part.state, count)

    def configurations(self, state: MixedState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        packed = np.empty((len(state.temperatures), packed_bytes(self.sites)), np.uint8)
        for part in state.parts:
            packed[part.rows] = part.sampler.configurations(part.state)
        return packed

    def energies(self, state: MixedState) -> Float[np.ndarray, " chains"]:
        """Return the current energy of every chain."""
        energies = np.empty(len(state.temperatures))
        for part in state.parts:
            energies[part.rows] = part.sampler.energies(part.state)
        return energies
