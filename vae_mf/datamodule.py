"""Configurations resident on the training device, spins as bits; split by blocks of whole chains, never by draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from vae_mf.arrays import PackedSpins, Spins, States
from vae_mf.checks import require_fraction
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import Split
from vae_mf.models.base import ReadsSums
from vae_mf.models.directors.equal_area import from_disc, to_disc
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.tensors import Batch, Condition, ConfigurationTensor, DirectorTensor, SpinTensor
from vae_mf.models.vae import VAE
from vae_mf.packing import pack_spins, unpack_spins
from vae_mf.store.sample_store import SampleStore

BIT_TABLE = torch.from_numpy(unpack_spins(np.arange(256, dtype=np.uint8)[:, None], 8)).float()
"""The eight spins of every byte, so that unpacking is one row lookup per byte."""

LONGEST = 1e-5
"""Largest deviation of a director's length from 1: the disc has no place for longer ones."""
SUMMED = 4096
"""Configurations of directors whose sums are taken at once."""
PIECE = 2**26
"""Bytes of a store of directors that are read at once."""


@dataclass(frozen=True, eq=False)
class ResidentSet:
    """Configurations resident in memory, on one device."""

    data: torch.Tensor
    """One row per configuration, in the form of the subclass."""
    level: Int64[torch.Tensor, " rows"]
    """Level of each row, the index of its temperature."""
    temperatures: Float[torch.Tensor, " levels"]
    """Distinct temperatures."""
    sites: int

    def __len__(self) -> int:
        """Return the number of configurations."""
        return len(self.data)

    def to(self, device: torch.device) -> "ResidentSet":
        """Return the same set on ``device``."""
        tensors = {name: part.to(device) for name, part in vars(self).items() if isinstance(part, torch.Tensor)}
        return replace(self, **tensors)

    def share(self, rank: int, processes: int) -> "ResidentSet":
        """Return every n-th row, the part of one process of n; the last rows are left out if not all get one.

        Raises:
            ValueError: if there are fewer rows than processes.
        """
        if len(self) < processes:
            raise ValueError(f"trainer.devices: expected at most {len(self)}, the number of rows, got {processes}")
        # Every process has to take the same number of steps.
        rows = slice(rank, len(self) // processes * processes, processes)
        return replace(self, data=self.data[rows], level=self.level[rows])

    def batch(self, rows: Int64[torch.Tensor, " batch"]) -> Batch:
        """Return some rows as float tensors, spins (batch, sites) or directors (batch, sites, 3)."""
        return Batch(self.unpack(rows), Condition(self.temperatures, self.level[rows]))

    def unpack(self, rows: Int64[torch.Tensor, " batch"]) -> ConfigurationTensor:
        """Return some rows as a model takes them."""
        raise NotImplementedError

    def states(self) -> States:
        """Return all configurations as a NumPy array."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class SpinSet(ResidentSet):
    """Spins, eight to a byte."""

    table: Float[torch.Tensor, "256 8"] = BIT_TABLE

    def unpack(self, rows: Int64[torch.Tensor, " batch"]) -> SpinTensor:
        """Return spins (batch, sites) in {-1, +1} as floats."""
        packed = self.data.index_select(0, rows).int()  # whole rows of a table are a third of the work of an index
        return self.table.index_select(0, packed.flatten()).view(len(rows), -1)[:, : self.sites]

    def states(self) -> Spins:
        """Return all configurations (rows, sites) in {-1, +1}."""
        return unpack_spins(self.data.cpu().numpy(), self.sites)


@dataclass(frozen=True, eq=False)
class DirectorSet(ResidentSet):
    """Directors as points of a disc (`vae_mf.models.directors.equal_area`), four bytes to a director."""

    def unpack(self, rows: Int64[torch.Tensor, " batch"]) -> DirectorTensor:
        """Return unit vectors (batch, sites, 3)."""
        return from_disc(self.data[rows])

    def states(self) -> Float[np.ndarray, "rows sites 3"]:
        """Return all configurations (rows, sites, 3)."""
        return from_disc(self.data.cpu()).numpy()


@dataclass(frozen=True, eq=False)
class SummedSet(ResidentSet):
    """Three vectors in float32 in the place of every configuration of directors, with the same Σ n nᵀ.

    They serve models that read no more (`vae_mf.models.base.ReadsSums`), at a small part of the work, and are turned as
    the directors are.
    """

    def unpack(self, rows: Int64[torch.Tensor, " batch"]) -> DirectorTensor:
        """Return vectors (batch, 3, 3)."""
        return self.data[rows]

    def states(self) -> Float[np.ndarray, "rows 3 3"]:
        """Return the vectors of all configurations (rows, 3, 3)."""
        return self.data.cpu().numpy()


class DataSplit(NamedTuple):
    """Three disjoint sets: fitted to, selected on, judged on."""

    train: ResidentSet
    validation: ResidentSet
    test: ResidentSet

    def share(self, rank: int, processes: int) -> "DataSplit":
        """Return the split with the part of one process of the sets that a training reads."""
        if processes == 1:
            return self
        train, validation = (part.share(rank, processes) for part in (self.train, self.validation))
        return self._replace(train=train, validation=validation)

    def to(self, device: torch.device) -> "DataSplit":
        """Return the split with the sets that a training reads on ``device``; the test set stays where it is."""
        return self._replace(train=self.train.to(device), validation=self.validation.to(device))


def spin_set(packed: PackedSpins, level: np.ndarray, temperatures: Sequence[float], sites: int) -> SpinSet:
    """Return a resident set from packed spins (rows, bytes) and the level of each row.

    >>> data = spin_set(np.array([[7], [0]], np.uint8), np.array([1, 0]), [0.5, 2.0], sites=3)
    >>> data.states(), data.batch(torch.tensor([0])).condition.temperature
    (array([[ 1,  1,  1],
           [-1, -1, -1]], dtype=int8), tensor([2.]))
    """
    return SpinSet(
        torch.from_numpy(np.ascontiguousarray(packed)),
        torch.from_numpy(np.asarray(level, np.int64)),
        torch.tensor(list(temperatures), dtype=torch.float32),
        sites,
    )


def unconditioned_set(rows: Spins) -> SpinSet:
    """Return a resident set of rows without a temperature, all of them at `UNCONDITIONED`.

    >>> unconditioned_set(np.array([[1, -1]], np.int8)).states()
    array([[ 1, -1]], dtype=int8)
    """
    return spin_set(pack_spins(rows), np.zeros(len(rows)), [UNCONDITIONED], rows.shape[1])


def director_set(
    directors: Float[np.ndarray, "rows sites 3"], level: np.ndarray, temperatures: Sequence[float], sums: bool = False
) -> DirectorSet | SummedSet:
    """Return a resident set from directors and the level of each row.

    Args:
        directors: unit vectors.
        level: level of each row.
        temperatures: distinct temperatures.
        sums: True to hold vectors with the same sums alone.

    Raises:
        ValueError: if the vectors have other lengths.
    """
    return (SummedSet if sums else DirectorSet)(
        held(torch.from_numpy(np.ascontiguousarray(directors, np.float32)), sums),
        torch.from_numpy(np.asarray(level, np.int64)),
        torch.tensor(list(temperatures), dtype=torch.float32),
        directors.shape[1],
    )


def held(directors: Float[torch.Tensor, "rows sites 3"], sums: bool) -> torch.Tensor:
    """Return what is held of directors; ValueError unless they are unit vectors."""
    lengths = torch.linalg.vector_norm(directors, dim=-1)
    if not bool(((lengths - 1).abs() <= LONGEST).all()):
        raise ValueError(
            f"directors: expected vectors of length 1, got lengths from {lengths.min():.6g} to {lengths.max():.6g}: "
            "divide each by its length"
        )
    return three_vectors(directors) if sums else to_disc(directors)


def three_vectors(directors: Float[torch.Tensor, "rows sites 3"]) -> Float[torch.Tensor, "rows 3 3"]:
    """Return three vectors for every configuration, with the same Σ n nᵀ."""
    parts = (part.double() for part in directors.split(SUMMED))
    sums = [part.mT @ part for part in parts]
    values, axes = torch.linalg.eigh(torch.cat(sums))
    vectors = axes * values.clamp(min=0).sqrt()[:, None, :]
    return vectors.mT.to(directors.dtype).contiguous()


def split_blocks(blocks: int, validation: float, test: float) -> tuple[range, range, range]:
    """Return the blocks of the training, validation and test sets: the last for validation, those before for the test.

    Raises:
        ValueError: A fraction lies outside (0, 1), or a part gets no block.

    >>> split_blocks(10, validation=0.1, test=0.2)
    (range(0, 7), range(9, 10), range(7, 9))
    """
    held = [
        max(1, round(require_fraction(name, f) * blocks)) for name, f in (("validation", validation), ("test", test))
    ]
    train = blocks - sum(held)
    if train < 1:
        raise ValueError(
            f"store: expected blocks for training, validation ({held[0]}) and test ({held[1]}), got {blocks}"
        )
    return range(train), range(blocks - held[0], blocks), range(train, train + held[1])


def split_store(store: SampleStore, validation: float, test: float, vae: VAE | None = None) -> DataSplit:
    """Load a sealed store and split it by blocks of whole Markov chains.

    Args:
        store: sealed store.
        validation: fraction of the blocks for validation.
        test: fraction of the blocks for the test.
        vae: model that is trained; one that reads sums of directors alone is given no more to train and validate on.
    """
    parts = split_blocks(store.blocks, validation, test)
    if store.kind == "spins":
        columns = [store.packed(level) for level in range(len(store.temperatures))]
        return DataSplit(*(load_spins(store, columns, blocks) for blocks in parts))
    sums = vae is not None and all(isinstance(part, ReadsSums) for part in (vae.encoder, vae.decoder))
    return DataSplit(
        *(load_directors(store, blocks, few) for blocks, few in zip(parts, (sums, sums, False), strict=True))
    )


def load_spins(store: SampleStore, columns: list[PackedSpins], blocks: range) -> SpinSet:
    """Return some blocks of a store as a resident set, from its arrays at every temperature."""
    rows = slice(blocks.start * store.rows_per_block, blocks.stop * store.rows_per_block)
    data = np.concatenate([part[rows] for part in columns])
    return spin_set(data, levels_of(store, blocks), store.temperatures.tolist(), store.sites)


def load_directors(store: SampleStore, blocks: range, sums: bool) -> DirectorSet | SummedSet:
    """Return some blocks of a store as a resident set; no more than a piece is held as it stands there."""
    levels = levels_of(store, blocks)
    each = max(1, PIECE // (12 * store.sites * store.rows_per_block))
    pieces = [
        (level, blocks[at : at + each])
        for level in range(len(store.temperatures))
        for at in range(0, len(blocks), each)
    ]
    data, filled = None, 0
    for level, some in pieces:
        part = held(torch.from_numpy(store.directors(level, some)), sums)
        data = part.new_empty(len(levels), *part.shape[1:]) if data is None else data
        data[filled : filled + len(part)] = part
        filled += len(part)
    assert data is not None
    temperatures = torch.tensor(store.temperatures.tolist(), dtype=torch.float32)
    return (SummedSet if sums else DirectorSet)(data, torch.from_numpy(levels), temperatures, store.sites)


def levels_of(store: SampleStore, blocks: range) -> Int64[np.ndarray, " rows"]:
    """Return the level of every row of some blocks, one temperature after the other."""
    return np.repeat(np.arange(len(store.temperatures)), len(blocks) * store.rows_per_block)


def states(store: SampleStore, level: int) -> States:
    """Return all configurations of a store at a level, spins or directors."""
    return store.spins(level) if store.kind == "spins" else store.directors(level)


def split_recording(recording: Recording, split: Split) -> DataSplit:
    """Split a recording, which has no temperature (T = 1), into the given rows."""
    packed = pack_spins(recording.rows)
    variables = len(recording.names)
    return DataSplit(*(spin_set(packed[rows], np.zeros(len(rows)), [1.0], variables) for rows in split))


class EpochBatches:
    """Batches of one epoch by index, shuffled by its own seed; the rows left over by a shuffled epoch are dropped.

    Args:
        seed: Seed of the order of rows; None for the order of the data.

    >>> data = spin_set(np.zeros((5, 1), np.uint8), np.zeros(5), [1.0], sites=3)
    >>> [len(batch.configurations) for batch in EpochBatches(data, 2)], len(EpochBatches(data, 2, seed=1))
    ([2, 2, 1], 2)
    """

    def __init__(self, data: ResidentSet, batch_size: int, seed: int | None = None):
        self.data = data
        self.seed = seed
        self.batch_size = min(batch_size, len(data))

    def __len__(self) -> int:
        """Return the number of batches."""
        rows = len(self.data)
        return rows // self.batch_size if self.seed is not None else -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        device = self.data.level.device
        if self.seed is None:
            order = torch.arange(len(self.data), device=device)
        else:
            generator = torch.Generator(device).manual_seed(self.seed)
            order = torch.randperm(len(self.data), generator=generator, device=device)
        for step in range(len(self)):
            yield self.data.batch(order[step * self.batch_size : (step + 1) * self.batch_size])
