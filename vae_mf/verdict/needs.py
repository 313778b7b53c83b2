"""Memory that a verdict takes, from sizes alone; docs/benchmarks/memory.md holds it against what was measured."""

from vae_mf.analysis.generation import BATCH
from vae_mf.statistics.residual_information import affordable_blocks
from vae_mf.systems.base import HasOrderParameter, HasPatterns
from vae_mf.verdict.readings import ReadingSettings

SINGLE = 4
"""Bytes of a number in single precision."""
BATCH_COPIES = 16
"""Residuals of a batch of rows that are held at once: their draws, means, weights and products."""
COPIES = 10
"""Bytes for each site of the configurations of which observables are computed."""
PATTERN_COPIES = 36
"""Bytes for each site of the configurations in which patterns are looked for, in double precision."""
FIXED = 150_000_000
"""Bytes of what does not grow with the data: products of blocks, tables, figures."""


def bytes_of_pairs(columns: int) -> int:
    """Return about the bytes of the sums of products of residuals over blocks, and of numbers for every pair."""
    return SINGLE * affordable_blocks(columns) * columns**2 // 2 + 100 * columns**2


def bytes_of_independence(rows: int, columns: int) -> int:
    """Return about the bytes of a test of independence: rows in order, and less their local means."""
    return (SINGLE + 2) * rows * columns + bytes_of_pairs(columns) + FIXED


def bytes_of_assessment(rows: int, columns: int, settings: ReadingSettings) -> int:
    """Return about the bytes of an assessment at its peak, beside the rows themselves.

    Args:
        rows: number of rows of a condition.
        columns: number of columns of their residuals.
        settings: sizes of the readings.
    """
    batch = BATCH_COPIES * SINGLE * min(rows, BATCH) * columns
    read = min(settings.entries, round(min(rows, settings.rows) * settings.draws * (1 + settings.model_rows)) * columns)
    readings = SINGLE * read + 2 * bytes_of_pairs(columns) + settings.draws * batch
    shifted = (SINGLE + 6) * rows * columns + bytes_of_pairs(columns) + batch
    return max(readings, shifted) + FIXED


def bytes_of_discovery(rows: int, variables: int, settings: ReadingSettings) -> int:
    """Return about the bytes of a discovery at its peak: test of independence, or assessment of what is found."""
    return max(bytes_of_independence(rows, variables), bytes_of_assessment(rows, variables, settings))


def bytes_of_training(system: HasOrderParameter, rows: int, levels: int, generated: int) -> int:
    """Return about the bytes of training on samples and of the evaluation: all samples, and one temperature's at work.

    Args:
        system: system of the samples.
        rows: number of samples at every temperature.
        levels: number of temperatures.
        generated: number of configurations that are drawn from the model at a temperature.
    """
    site = 1 if system.kind == "spins" else 3 * SINGLE
    work = PATTERN_COPIES if isinstance(system, HasPatterns) else COPIES
    held = 3 * levels * rows * system.sites * site // 2 + 16 * levels * rows
    return held + (work * rows + COPIES * generated) * system.sites * site + FIXED


def bytes_of_recording(rows: int, variables: int, generated: int) -> int:
    """Return about the bytes of training on a recording and of the evaluation, beside the recording itself.

    Args:
        rows: number of rows.
        variables: number of variables.
        generated: number of rows that are drawn from the model.
    """
    return (4 * rows + COPIES * generated) * variables + 16 * rows + FIXED
