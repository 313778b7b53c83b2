"""Data to evaluate a model on: groups of rows, each of one condition."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int, Shaped

from vae_mf.checks import require_integer
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.statistics.averages import draws_per_chain
from vae_mf.statistics.residual_information import affordable_blocks
from vae_mf.statistics.row_order import TIMES, correlation_time, row_blocks
from vae_mf.statistics.u_statistics import Blocks
from vae_mf.verdict.readings import BlockedRows
from vae_mf.verdict.time_order import FEWEST_CHOSEN, TimeOrder, time_order

RECORDED = "recorded"
"""Ensemble of rows that are draws of an unknown law."""
FEWEST_BLOCKS = 20
"""Number of chains below which they are cut into pieces by their correlation time."""
GroupRows = Shaped[np.ndarray, "rows *site"]
TrainRows = Shaped[np.ndarray, "train_rows *site"]
HeldOutRows = Shaped[np.ndarray, "held_out_rows *site"]
"""Binary variables (rows, variables), spins (rows, sites) or directors (rows, sites, 3)."""


@dataclass(frozen=True, eq=False)
class EvidenceGroup:
    """Rows of one condition, and which of them a model was fitted to and is evaluated on.

    Args:
        source: all rows, of a simulation those of one Markov chain next to each other; or a function that returns them,
            which is called again and again, as they may be too many to keep.
        blocks: number of blocks of held-out rows that are equally long, Markov chains or pieces of time; the spread of
            their means gives the errors.
        condition: temperature; None for data that have none.
        ensemble: law that the rows are draws of, "equilibrium" or another tag of `samplers.diagnostics`, or `RECORDED`.
        time: time of every held-out row, by which these are cut into blocks; None if they are in the order of chains.
        order: order of all rows in time; None for chains of equal length, which are independent of each other.

    Raises:
        ValueError: unless the held-out rows can be cut into so many blocks, and each has a time or none has.
    """

    source: GroupRows | Callable[[], GroupRows]
    train_rows: slice | Int[np.ndarray, " train_rows"]
    held_out_rows: slice | Int[np.ndarray, " held_out_rows"]
    blocks: int
    condition: float | None = None
    ensemble: str = RECORDED
    time: Int[np.ndarray, " held_out_rows"] | None = None
    order: TimeOrder | None = None

    def __post_init__(self) -> None:
        require_integer("blocks", self.blocks)
        if callable(self.source):
            return
        count = len(self.held_out)
        if self.time is None:
            draws_per_chain(count, self.blocks)
        elif len(self.time) != count:
            raise ValueError(f"time: expected one for each of the {count} held-out rows, got {len(self.time)}")
        elif count < self.blocks:
            raise ValueError(f"blocks: expected at most the {count} held-out rows, got {self.blocks}")

    @property
    def rows(self) -> GroupRows:
        """All rows."""
        return self.source() if callable(self.source) else self.source

    @property
    def temperature(self) -> float:
        """Condition that the model takes."""
        return UNCONDITIONED if self.condition is None else self.condition

    @property
    def chains(self) -> int:
        """Number of Markov chains among all rows, which are as long as those among the held-out ones."""
        return self.blocks * len(self.rows) // len(self.held_out)

    @property
    def train(self) -> TrainRows:
        """Rows that the model was fitted to."""
        return self.rows[self.train_rows] if callable(self.source) else self._kept_train

    @property
    def held_out(self) -> HeldOutRows:
        """Rows that the model is evaluated on, in the order of the data."""
        return self.rows[self.held_out_rows] if callable(self.source) else self._kept_held_out

    @cached_property
    def _kept_train(self) -> TrainRows:
        return self.rows[self.train_rows]

    @cached_property
    def _kept_held_out(self) -> HeldOutRows:
        return self.rows[self.held_out_rows]

    @property
    def in_blocks(self) -> Shaped[np.ndarray, "block_rows *site"]:
        """Held-out rows with those of one block next to each other, equally many of each; the last few may be missing.

        >>> rows = np.arange(7)[:, None]
        >>> group = EvidenceGroup(rows, slice(0, 2), slice(2, 7), blocks=2, time=np.array([3, 0, 2, 0, 1]))
        >>> group.in_blocks[:, 0]
        array([3, 5, 6, 4])
        """
        return self.held_out if self.time is None else self._kept_in_blocks

    @cached_property
    def _kept_in_blocks(self) -> Shaped[np.ndarray, "block_rows *site"]:
        assert self.time is not None
        length = len(self.held_out) // self.blocks
        return self.held_out[np.argsort(self.time, kind="stable")[: length * self.blocks]]

    def blocked(self, columns: int, *, held_out: bool, allowance: float = 0.0) -> BlockedRows:
        """Return the rows that a model is evaluated on, in blocks that do not resemble each other.

        Args:
            columns: number of columns of its residuals.
            held_out: True for held-out rows alone.
            allowance: nats that these rows do not show, as the model was fitted to some of them.
        """
        if self.order is None:
            rows = self.held_out if held_out else self.rows
            chains = self.blocks if held_out else self.chains
            kept = min(chains, affordable_blocks(columns))
            if kept < FEWEST_BLOCKS:
                longest = len(rows) / (FEWEST_CHOSEN * TIMES)
                time = min(correlation_time(rows.reshape(len(rows), -1)), longest)
                return BlockedRows(rows, row_blocks(len(rows), time, affordable_blocks(columns)), allowance)
            return BlockedRows(rows, Blocks(np.arange(len(rows)) * kept // len(rows), 0), allowance)
        is_held_out = np.zeros(len(self.rows), bool)
        is_held_out[self.held_out_rows] = True
        chosen = is_held_out[self.order.order] if held_out else np.ones(len(self.rows), bool)
        return BlockedRows(self.rows[self.order.order[chosen]], self.order.blocks(columns, chosen), allowance)


class ByCondition(Mapping[float, np.ndarray]):
    """Rows of groups by their condition, which are taken when they are asked for."""

    def __init__(self, groups: Sequence[EvidenceGroup], part: Callable[[EvidenceGroup], np.ndarray]):
        self._groups = {group.temperature: group for group in groups}
        self._part = part

    def __getitem__(self, condition: float) -> np.ndarray:
        """Return the rows of a group."""
        return self._part(self._groups[condition])

    def __iter__(self) -> Iterator[float]:
        """Yield the conditions."""
        return iter(self._groups)

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self._groups)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Groups of rows that a model is evaluated on.

    Raises:
        ValueError: if there is no group, a condition occurs twice, or the numbers of blocks differ.
    """

    groups: list[EvidenceGroup]

    def __post_init__(self) -> None:
        temperatures = [group.temperature for group in self.groups]
        if not temperatures or len(set(temperatures)) < len(temperatures):
            raise ValueError(f"groups: expected different conditions, at least one, got {temperatures}")
        blocks = sorted({group.blocks for group in self.groups})
        if len(blocks) > 1:
            raise ValueError(f"groups: expected as many blocks in all of them, got {blocks}")

    @property
    def blocks(self) -> int:
        """Number of blocks among the held-out rows of every group."""
        return self.groups[0].blocks

    @property
    def chains(self) -> int:
        """Number of Markov chains among all rows of every group."""
        return self.groups[0].chains

    @property
    def temperatures(self) -> list[float]:
        """Condition of every group."""
        return [group.temperature for group in self.groups]

    @property
    def samples(self) -> Mapping[float, GroupRows]:
        """All rows of every group by its condition."""
        return ByCondition(self.groups, lambda group: group.rows)

    @property
    def train(self) -> Mapping[float, TrainRows]:
        """Rows that the model was fitted to, by condition."""
        return ByCondition(self.groups, lambda group: group.train)

    @property
    def held_out(self) -> Mapping[float, Shaped[np.ndarray, "..."]]:
        """Rows in blocks that the model is evaluated on, by condition."""
        return ByCondition(self.groups, lambda group: group.in_blocks)

    @property
    def ensembles(self) -> dict[float, str]:
        """Law that the rows are draws of, by condition."""
        return {group.temperature: group.ensemble for group in self.groups}


def recorded(
    rows: Shaped[np.ndarray, "rows variables"],
    time: Int[np.ndarray, " rows"],
    train_rows: Int[np.ndarray, " train_rows"],
    held_out_rows: Int[np.ndarray, " held_out_rows"],
    blocks: int,
) -> Evidence:
    """Return the rows of a recording as one group without a condition, its blocks pieces of time.

    >>> rows = np.ones((6, 3), np.int8)
    >>> recorded(rows, np.arange(6), np.arange(2), np.arange(2, 6), blocks=2).temperatures
    [1.0]
    """
    order = time_order(rows, time)
    return Evidence([EvidenceGroup(rows, train_rows, held_out_rows, blocks, time=time[held_out_rows], order=order)])
