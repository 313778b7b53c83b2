"""Heat-bath chains of Potts models, ln Z and samples of them."""

from typing import NamedTuple

import numpy as np

from vae_mf.arrays import Rows
from vae_mf.inverse_ising.potts.kernels import heat_bath
from vae_mf.inverse_ising.potts.model import PottsParameters, exponents
from vae_mf.inverse_ising.potts.rows import Picks, States, all_rows, picked
from vae_mf.inverse_ising.solvers.annealing import Annealed, PerChain, population_annealing
from vae_mf.inverse_ising.solvers.log_partition import LogPartition

ENUMERATED = 2**20
"""Largest number of rows that are summed over."""
CHAINS, ISLANDS = 2**12, 16
RESOLUTION, SWEEPS = 0.2, 2
"""Length of the steps of annealing in nats, and the sweeps of each."""


class PottsChains:
    """Markov chains of Potts models; every chain persists when the model changes between calls of `sweep`."""

    def __init__(self, picks: Picks, states: int, random: np.random.Generator):
        self.picks = np.ascontiguousarray(picks)
        """States of the chains as one-hot columns, shape (chains, N)."""
        self.states, self._random = states, random

    @classmethod
    def uniform(cls, count: int, sites: int, states: int, random: np.random.Generator) -> "PottsChains":
        """Return chains that start where all states are equally likely."""
        return cls(picked(random.integers(0, states, (count, sites), np.int8), states), states, random)

    @property
    def rows(self) -> States:
        """Current states, shape (chains, N)."""
        return (self.picks % self.states).astype(np.int8)

    def sweep(self, model: PottsParameters, count: int = 1) -> None:
        """Advance every chain by ``count`` sweeps, the sites in order."""
        chains, sites = self.picks.shape
        tiles = model.couplings.reshape(-1, sites, self.states).transpose(1, 0, 2).astype(np.float32, order="C")
        fields = model.fields.reshape(sites, self.states).astype(np.float32)
        for _ in range(count):
            heat_bath(self.picks, tiles, fields, self._random.random((sites, chains)))


class AnnealedPotts:
    """Chains from uniform rows to a Potts model (an `AnnealedChains`)."""

    def __init__(self, model: PottsParameters, states: int, count: int, random: np.random.Generator):
        self._model = model
        sites = len(model.fields) // states
        self.chains = PottsChains.uniform(count, sites, states, random)
        """Chains on their way."""
        self.start_log_partition = float(sites * np.log(states))

    @property
    def spins(self) -> States:
        """Current states, shape (chains, N)."""
        return self.chains.rows

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(x) / d beta of every chain."""
        return exponents(self.chains.picks, self._model)

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(x) - ln f_beta(x) of every chain."""
        return (ahead - beta) * self.slopes(beta)

    def move(self, beta: float) -> None:
        """Advance every chain by a sweep at beta."""
        self.chains.sweep(PottsParameters(beta * self._model.couplings, beta * self._model.fields))

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        self.chains.picks = self.chains.picks[chosen]


class Population(NamedTuple):
    """Chains in equilibrium with a model, and its ln Z."""

    chains: PottsChains
    annealed: Annealed


def annealed_population(model: PottsParameters, states: int, count: int, random: np.random.Generator) -> Population:
    """Return chains annealed from uniform rows."""
    way = AnnealedPotts(model, states, count, random)
    annealed = population_annealing(way, RESOLUTION, SWEEPS, ISLANDS, random)
    return Population(way.chains, annealed)


def enumerable(sites: int, states: int) -> bool:
    """Return True if all rows can be summed over.

    >>> enumerable(12, 3), enumerable(13, 3)
    (True, False)
    """
    return states**sites <= ENUMERATED


def log_partition(model: PottsParameters, states: int) -> LogPartition:
    """Return ln Z, exact where q^N <= 2^20, else by population annealing."""
    sites = len(model.fields) // states
    if enumerable(sites, states):
        values = exponents(picked(all_rows(sites, states), states), model)
        return LogPartition(float(np.logaddexp.reduce(values)), 0.0)
    annealed = annealed_population(model, states, CHAINS, np.random.default_rng(0)).annealed
    return LogPartition(annealed.log_partition, annealed.error)
