"""Memory of the rows of a discovery: nats that a model of single rows leaves and the rows before them hold."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from vae_mf.arrays import Rows
from vae_mf.datasets.splits import in_pieces
from vae_mf.density_models.comparison import ModelScores
from vae_mf.density_models.memory import FEWEST_BLOCKS, block_average, state_time, time_blocks
from vae_mf.density_models.sequences import SequenceModel, run_lengths, sequence_starts
from vae_mf.discovery.split import SplitRows
from vae_mf.statistics.row_order import autocorrelation_time


class TimedRows(NamedTuple):
    """Rows in the order of their repeats and times."""

    rows: Rows
    """Numbers of the rows."""
    lengths: Int[np.ndarray, " runs"]
    """Lengths of the runs of them that follow each other."""

    @property
    def transitions(self) -> int:
        """Number of pairs that follow each other."""
        return len(self.rows) - len(self.lengths)


class TimedParts(NamedTuple):
    """Rows of a recording in the order of time."""

    split: SplitRows
    train: TimedRows
    """Some rows of the training part, in pieces that follow each other."""
    held_out: TimedRows
    """All rows of the other parts."""
    has_past: Bool[np.ndarray, " test"]
    """True for test rows with rows before them that are held out, too."""

    @property
    def later(self) -> Rows:
        """Numbers of these test rows, in the order of their times."""
        return self.split.rows.test[self.has_past]


def require_order(split: SplitRows, given: Collection[str]) -> None:
    """Raise ValueError if an option of memory was asked for, and rows have no order in time.

    Args:
        split: parts of a recording.
        given: names of the settings that were asked for.
    """
    asked = next((option for option in given if option.startswith("memory.")), None)
    if asked and split.split == "random":
        raise ValueError(
            f"{asked}: expected rows in the order of their time, got rows that are independent of each other: these "
            "have no memory; leave it out, or give the order"
        )


def timed_parts(split: SplitRows, most: int) -> TimedParts:
    """Return the parts of a recording in the order of time.

    Args:
        split: parts of a recording, held out by time or by repeat.
        most: number of rows of the training part, at most.
    """
    recording = split.recording
    units = recording.time if split.split == "time" else recording.repeat
    after = units >= units[split.rows.validation].min()
    before = np.flatnonzero(~after)
    kept = in_pieces(before, min(most, len(before)))
    train, held_out = (
        TimedRows(rows, run_lengths(recording.repeat[rows], recording.time[rows]))
        for rows in (kept, np.flatnonzero(after))
    )
    starts = held_out.rows[sequence_starts(held_out.lengths, len(held_out.rows))[:-1]]
    return TimedParts(split, train, held_out, ~np.isin(split.rows.test, starts))


def memory_table(
    parts: TimedParts, models: Mapping[str, SequenceModel], static: ModelScores, blocks: int
) -> pd.DataFrame:
    """Return the nats of held-out rows that the rows before them hold, a line per model, of which one is chosen.

    These are ln p(s_t | s_1 ... s_t-1) less ln p(s_t), the latter by the model itself or by a model of single rows,
    whichever predicts the held-out rows better: against a poor one they would be too many. Chosen is the model that
    predicts validation rows best.

    Args:
        parts: rows that models are fitted to, and those that they predict.
        models: models by their names, not fitted yet.
        static: scores of a model of single rows.
        blocks: number of blocks of time, at most, whose means give the errors.
    """
    split, train, held_out, has_past = parts
    rows = split.recording.rows
    lines = []
    for name, model in models.items():
        model.fit(rows[train.rows], lengths=train.lengths)
        given = np.full(len(rows), np.nan)
        given[held_out.rows] = model.score_samples_given_past(rows[held_out.rows], held_out.lengths)
        single = max(static.test[has_past], model.score_samples(rows[parts.later]), key=np.mean)
        line = {"model": name, "parameters": model.n_parameters_, "validation": given[split.rows.validation].mean()}
        lines.append(line | gain_line(single, given[parts.later], parts, blocks))
    table = pd.DataFrame(lines)
    return table.assign(chosen=table.validation == table.validation.max())


def gain_line(
    single: Float[np.ndarray, " later"], given: Float[np.ndarray, " later"], parts: TimedParts, blocks: int
) -> dict[str, float]:
    """Return means of log-likelihoods without and with the past, and of their difference, with errors from blocks."""
    recording = parts.split.recording
    found = time_blocks(given - single, recording.time[parts.later], blocks, state_time(recording, parts.later))
    # Blocks that are too few tell no error.
    count = found.count if found.count >= FEWEST_BLOCKS else 1
    numbers = {"correlation_time": found.correlation_time, "blocks": count}
    for name, values in {"static": single, "given_past": given, "memory": given - single}.items():
        mean = block_average(values, recording.repeat[parts.later], count)
        numbers |= {name: mean.value, f"{name}_error": mean.error}
    return numbers


def latent_time(z: Float[np.ndarray, "rows latents"], places: pd.DataFrame) -> float:
    """Return the correlation time of the slowest latent variable in rows; NaN for runs of several lengths.

    Args:
        z: mean of the latent variables given each row.
        places: repeat and time of every row.
    """
    lengths = run_lengths(places["repeat"].to_numpy(), places["time"].to_numpy())
    if np.ptp(lengths):
        return float("nan")
    paths = z.reshape(len(lengths), lengths[0], -1)
    return max(2 * autocorrelation_time(paths[..., k].astype(np.float64)) for k in range(paths.shape[2]))
