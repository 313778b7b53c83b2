"""Training, validation and test rows of a discovery."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import require_choice
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import Split, split_rows
from vae_mf.discovery.settings import DiscoverySettings, RowSettings
from vae_mf.statistics.averages import evenly_spaced

ORDERS = ("auto", "time", "repeat", "independent")
"""Orders of the rows: the same stimulus time in all repeats, or only repeats, or none that is known."""


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Rows of a recording in three parts; those held out are in the order of their time, in blocks of equal length.

    Args:
        recording: recording of the variables that were kept.
        split: "time", "repeat" or "random", see `splits.split_rows`.
        remarks: sentences about what was left out.
        rows: numbers of the rows of each part.
    """

    recording: Recording
    split: str
    remarks: list[str]
    rows: Split

    @cached_property
    def train(self) -> Spins:
        """Rows that models are fitted to."""
        return self.recording.rows[self.rows.train]

    @cached_property
    def validation(self) -> Spins:
        """Rows that number of latents, epoch and best baseline are chosen on."""
        return self.recording.rows[self.rows.validation]

    @cached_property
    def test(self) -> Spins:
        """Rows that everything is evaluated on."""
        return self.recording.rows[self.rows.test]


def prepare(recording: Recording, order: str, settings: DiscoverySettings) -> SplitRows:
    """Return the rows of a recording in three parts.

    Rows with an order in time are held out as one piece of it, in all repeats, for neighbours in time resemble each
    other; rows without are held out at random.

    Args:
        recording: all rows.
        order: one of `ORDERS`; "auto" for "time" if there is more than one time, else "independent".
        settings: fractions and numbers of rows.

    Raises:
        ValueError: if the order is not known, or there are too few rows or variables.
    """
    require_choice("order", order, ORDERS)
    sizes = settings.rows
    kept = without_rare(recording, sizes.min_count)
    remarks = dropped_remarks(recording, kept, sizes.min_count)
    if order == "auto":
        order = "time" if kept.time.max() > 0 else "independent"
    split = "random" if order == "independent" else order
    rows = split_rows(kept, split, settings.training.test, settings.training.validation, settings.seed)
    require_rows(rows, sizes.blocks)
    train = rows.train[evenly_spaced(len(rows.train), sizes.training)]
    validation = in_blocks(kept, rows.validation, sizes)
    test = in_blocks(kept, rows.test, sizes)
    return SplitRows(kept, split, remarks, Split(train, validation, test))


def without_rare(recording: Recording, min_count: int) -> Recording:
    """Return the recording without variables that are in their rarer state in fewer than ``min_count`` rows.

    Raises:
        ValueError: if fewer than three are left.
    """
    active = (recording.rows > 0).sum(axis=0)
    kept = np.flatnonzero(np.minimum(active, len(recording.rows) - active) >= min_count)
    if len(kept) < 3:
        raise ValueError(
            f"data: expected at least 3 variables with {min_count} rows in either state, got {len(kept)} of "
            f"{len(active)}; give more rows or other variables"
        )
    if len(kept) == len(active):
        return recording
    names = tuple(recording.names[k] for k in kept)
    return replace(recording, rows=recording.rows[:, kept], variables=recording.variables[kept], names=names)


def dropped_remarks(given: Recording, kept: Recording, min_count: int) -> list[str]:
    """Return a sentence about the variables that were left out, if there are any."""
    count = len(given.names) - len(kept.names)
    if not count:
        return []
    what, left = ("variable that is in its", "was") if count == 1 else ("variables that are in their", "were")
    return [f"{count} {what} rarer state in fewer than {min_count} rows {left} left out."]


def require_rows(rows: Split, blocks: int) -> None:
    """Raise ValueError unless every held-out part has two rows in each block."""
    fewest = min(len(rows.validation), len(rows.test))
    if fewest < 2 * blocks:
        raise ValueError(
            f"data: expected at least {2 * blocks} rows in validation and test, got {fewest}; give more rows or "
            "hold out more, by training.validation and training.test"
        )


def in_blocks(recording: Recording, rows: Rows, sizes: RowSettings) -> Int[np.ndarray, " kept"]:
    """Return evenly spaced held-out rows in the order of their time, the same number for every block."""
    ordered = rows[np.argsort(recording.time[rows], kind="stable")]
    chosen = ordered[evenly_spaced(len(ordered), sizes.held_out)]
    return chosen[: len(chosen) // sizes.blocks * sizes.blocks]
