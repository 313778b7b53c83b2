"""Memory of rows in time: the information of the present row in those before it.

It is the mean of ln p(s_t | s_1 ... s_t-1) - ln p(s_t) over held-out rows, both under one model that is fitted to other
rows. A model that does not hold all memory states too little; one whose law of single rows is poor, too much.
"""

from time import process_time
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Rows
from vae_mf.checks import require_integer
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import Split
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.sequences import SequenceModel, run_lengths, sequence_starts
from vae_mf.statistics.averages import Average, average
from vae_mf.statistics.row_order import INDEPENDENT, TIMES, autocorrelation_time, correlation_time

FEWEST_BLOCKS = 5
"""Blocks of times, at least: fewer tell no error."""
SEQUENCES = 20
"""Sequences whose means give the error of an entropy rate."""


class Memory(NamedTuple):
    """Information of held-out rows in those before them, under one model."""

    static: Average
    """ln p(s_t), in nats per row."""
    given_past: Average
    """ln p(s_t | s_1 ... s_t-1), in nats per row; the entropy rate is at most its negative."""
    information: Average
    """Paired difference of the two, in nats per row."""
    correlation_time: float
    """Correlation time of this difference, averaged over repeats, in steps of time."""
    blocks: int
    """Blocks of times whose means give the errors."""
    rows: int
    """Number of held-out rows that have a past."""
    parameters: int
    """Free parameters of the model."""
    seconds: float
    """Processor time of the fit."""


def memory_of(model: Any, recording: Recording, split: Split, blocks: int = 20) -> Memory:
    """Fit a model to the training rows in their order, and return the information of the test rows in their past.

    The past of a test row is all rows before it in its repeat, training and validation rows among them.

    >>> from vae_mf.datasets import make_recording, split_rows
    >>> state = (np.random.default_rng(0).random(2000) < 0.05).cumsum() % 2
    >>> recording = make_recording(np.where(np.random.default_rng(1).random((2000, 3)) < 0.9, state[:, None], 0))
    >>> found = memory_of(HiddenMarkov(2), recording, split_rows(recording, "time", test=0.4))
    >>> 0.3 < found.information.value < 0.6
    True

    Args:
        model: model, not fitted yet.
        recording: all rows.
        split: training and test rows.
        blocks: number of blocks of test times, at most; each is longer than the correlation time.

    Raises:
        ValueError: if the rows have no order, there is no room for five blocks, or the model is too large for the rows.
    """
    if not isinstance(model, SequenceModel):
        raise ValueError(f"model: expected one of rows in time, such as HiddenMarkov, got {type(model).__name__}")
    own = rows_with_a_past(recording, split.test)
    start = process_time()
    train = split.train
    model.fit(recording.rows[train], lengths=run_lengths(recording.repeat[train], recording.time[train]))
    seconds = process_time() - start
    given_past = model.score_samples_given_past(recording.rows, run_lengths(recording.repeat, recording.time))[own]
    static = model.score_samples(recording.rows[own])
    found = time_blocks(given_past - static, recording.time[own], blocks, state_time(recording, own))
    if found.count < FEWEST_BLOCKS:
        length = max(1.0, TIMES * found.correlation_time * (found.correlation_time > 1))
        raise ValueError(
            f"recording: expected {FEWEST_BLOCKS} blocks of {length:.3g} held-out times, for a correlation time of "
            f"{found.correlation_time:.3g}, got room for {found.count}; hold out more times, or give longer data"
        )
    repeat = recording.repeat[own]
    return Memory(
        static=block_average(static, repeat, found.count),
        given_past=block_average(given_past, repeat, found.count),
        information=block_average(given_past - static, repeat, found.count),
        correlation_time=found.correlation_time,
        blocks=found.count,
        rows=len(own),
        parameters=model.n_parameters_,
        seconds=seconds,
    )


def rows_with_a_past(recording: Recording, rows: Rows) -> Rows:
    """Return those of some rows that follow another row, in the order of their time.

    Raises:
        ValueError: if none does.
    """
    starts = sequence_starts(run_lengths(recording.repeat, recording.time), len(recording.rows))
    later = np.setdiff1d(rows, starts)
    if not len(later):
        raise ValueError(
            "recording: expected rows in the order of their time, got rows of which none follows another: memory needs "
            "an order, as an array (repeats, variables, times) has"
        )
    return later[np.argsort(recording.time[later], kind="stable")]


class TimeBlocks(NamedTuple):
    """Blocks of times, each 2.5 correlation times long or longer."""

    correlation_time: float
    count: int


def state_time(recording: Recording, own: Rows) -> float:
    """Return the correlation time of some rows if they are of one repeat, else 0.

    A state that rows stay in for long is seen but a few times, and the noise of single values hides that; where there
    are several repeats, the spread of these shows it.
    """
    return 0.0 if np.ptp(recording.repeat[own]) else correlation_time(recording.rows[own])


def time_blocks(values: Float[np.ndarray, " rows"], time: Rows, most: int, least: float = 0.0) -> TimeBlocks:
    """Return the correlation time of values, averaged over all rows of a time, and of blocks longer than it.

    >>> time_blocks(np.random.default_rng(1).normal(size=400), np.arange(400), 20)
    TimeBlocks(correlation_time=1.0, count=20)

    Args:
        values: a number of every row.
        time: time of every row, never falling.
        most: number of blocks, at most.
        least: correlation time that is known to be there, at least.
    """
    require_integer("blocks", most, minimum=FEWEST_BLOCKS)
    each = np.unique(time, return_inverse=True)[1]
    means = np.bincount(each, values) / np.bincount(each)
    duration = max(2 * autocorrelation_time(means[None]), least)
    duration = duration if duration >= INDEPENDENT else 1.0
    count = int(len(means) / (TIMES * duration if duration > 1 else 1))
    return TimeBlocks(duration, min(count, most))


def block_average(values: Float[np.ndarray, " rows"], repeat: Rows, blocks: int) -> Average:
    """Return the mean of values in the order of their times, with the larger of two errors.

    These are of means over blocks of times, in all repeats, and of means over repeats if there are several.
    """
    found = average(values, blocks)
    each = np.unique(repeat, return_inverse=True)[1]
    counts = np.bincount(each)
    if len(counts) < FEWEST_BLOCKS:
        return found
    shares = np.bincount(each, values - found.value) / len(values)
    return found._replace(error=max(found.error, float(np.sqrt((shares**2).sum()))))


def entropy_rate(model: HiddenMarkov, rows: int = 100_000, random_state: Any = None) -> Average:
    """Return the entropy rate of a fitted model in nats per row, from sequences of its own.

    Args:
        model: fitted model.
        rows: number of rows that are drawn.
        random_state: seed of the draws.
    """
    length = -(-require_integer("rows", rows, minimum=SEQUENCES) // SEQUENCES)
    drawn = model.sample_sequences(SEQUENCES, length, random_state).reshape(-1, model.n_features_in_)
    return average(-model.score_samples_given_past(drawn, np.full(SEQUENCES, length)), SEQUENCES)
