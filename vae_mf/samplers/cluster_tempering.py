"""Parallel tempering of pairs of replicas with cluster moves that change no energy, for glasses in few dimensions.

Two replicas a, b at one temperature have the overlap q_i = a_i b_i at site i. Bonds between a cluster of sites of one
sign of q and its surroundings cost a_i a_j + b_i b_j = 0 in sum, so that both replicas may be turned over in any of
these clusters, E(a) + E(b) and q being what they were (Houdayer 2001; Zhu, Ochoa and Katzgraber 2015). Every cluster
here is turned with probability 1/2; with fields, whose symmetry is lacking, only those of q = -1, where turning is
exchanging. Beyond the threshold of percolation, as in three dimensions, two clusters hold nearly all sites and little
is gained.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_integer
from vae_mf.kernels import kernel
from vae_mf.packing import unpack_spins
from vae_mf.samplers.base import Group, Sampler
from vae_mf.samplers.kernels.random_bits import U64, random_word
from vae_mf.samplers.tempering import SWAP_STREAM, EnergySampler, ParallelTempering, TemperingState

TWIN_STREAM = SWAP_STREAM - U64(1)
"""Counter of a chain whose random word is the key of its twin."""


@runtime_checkable
class ClusterSampler(EnergySampler, Protocol):
    """A sampler that turns clusters over in pairs of its chains."""

    def turn_clusters(
        self,
        state: Any,
        first: Int64[np.ndarray, " pairs"],
        second: Int64[np.ndarray, " pairs"],
    ) -> None:
        """Turn, in both chains of every pair, each cluster of equal overlap with probability 1/2."""
        ...


class ClusterTempering(ParallelTempering):
    """Parallel tempering of two replicas at every temperature, with cluster moves between the two.

    A chain is a pair of ladders, of which the first is drawn: no two chains ever touch, and their draws are as
    independent as ever. With every draw goes the overlap of the pair, q = sum_i a_i b_i / N, whose law is P(q).

    Source: Houdayer 2001; Zhu, Ochoa and Katzgraber 2015.

    >>> from vae_mf.samplers import MultispinGlass, Schedule, sample_chains
    >>> from vae_mf.systems import EdwardsAnderson
    >>> glass = EdwardsAnderson.random(side=4, dimension=2, disorder="pm", seed=1)
    >>> sampler = ClusterTempering(MultispinGlass(glass), cluster_every=2)
    >>> sample_chains(sampler, np.array([0.5, 1.0, 2.0]), chains=2, schedule=Schedule(3, 10, 1), seed=1).shape
    (3, 2, 3, 16)

    Args:
        sampler: sampler of the replicas, `MultispinGlass` or `IsingMetropolis`.
        swap_every: sweeps between exchanges of temperatures.
        cluster_every: exchanges between cluster moves.

    Raises:
        ValueError: if the sampler has no cluster moves or a number is not a positive integer.
    """

    record_names = ("swap_acceptance", "round_trip_rate", "overlap")

    def __init__(self, sampler: Sampler, swap_every: int = 1, cluster_every: int = 10):
        super().__init__(sampler, swap_every)
        if not isinstance(sampler, ClusterSampler):
            raise ValueError(
                "sampler: expected one with cluster moves, such as multispin_glass or edwards_anderson, "
                f"got {sampler.name}; take tempering=parallel"
            )
        self.clusters: ClusterSampler = sampler
        self.cluster_every = require_integer("cluster_every", cluster_every)
        self.name = f"cluster_tempered_{sampler.name}"

    @property
    def group(self) -> int:
        """Chains that one thread advances together, half of those of the wrapped sampler."""
        return self.sampler.group // 2

    def initial(self, group: Group, start: str) -> TemperingState:
        """Return pairs of ladders: those of ``group``, and after them as many twins under keys of their own."""
        twins = np.empty_like(group.keys)
        derive_twin_keys(twins, group.keys)
        temperatures, _, chains = (np.concatenate([part, part]) for part in group)
        return super().initial(Group(temperatures, np.concatenate([group.keys, twins]), chains), start)

    def configurations(self, state: TemperingState) -> PackedSpins:
        """Return the configurations of the first ladder of every pair, in the order of the slots."""
        return super().configurations(state)[: len(state.holder) // 2]

    def energies(self, state: TemperingState) -> Float[np.ndarray, " slots"]:
        """Return the energies of the first ladder of every pair, in the order of the slots."""
        return super().energies(state)[: len(state.holder) // 2]

    def records(self, state: TemperingState) -> dict[str, Float[np.ndarray, " slots"]]:
        """Return what parallel tempering records, of the first ladder of every pair, and the overlap of the two."""
        slots = len(state.holder) // 2
        records = {name: values[:slots] for name, values in super().records(state).items()}
        return records | {"overlap": self.overlaps(state)}

    def overlaps(self, state: TemperingState) -> Float[np.ndarray, " slots"]:
        """Return the overlap of the two replicas at every slot."""
        spins = unpack_spins(super().configurations(state), self.sites)
        first, second = np.split(spins, 2)
        return (first * second).mean(-1, dtype=np.float64)

    def _swap(self, state: TemperingState) -> None:
        super()._swap(state)
        if state.rounds % self.cluster_every == 0:
            first, second = np.split(state.holder, 2)
            self.clusters.turn_clusters(state.replicas, first, second)


@kernel()
def derive_twin_keys(twins, keys):
    """Set the key of every twin to a hash of that of its chain."""
    for chain in range(keys.shape[0]):
        twins[chain] = random_word(keys[chain], TWIN_STREAM)
