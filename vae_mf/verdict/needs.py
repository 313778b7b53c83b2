"""Memory that a verdict takes, from sizes alone; docs/benchmarks/memory.md holds it against what was measured."""

import numpy as np

from vae_mf.analysis.elbo_surgery import DENSITY_BATCH
from vae_mf.analysis.generation import BATCH
from vae_mf.analysis.residuals import DUAL_ROWS
from vae_mf.analysis.total_correlation import CriticSettings
from vae_mf.statistics.residual_information import affordable_blocks
from vae_mf.systems.base import HasOrderParameter, HasPatterns
from vae_mf.verdict.assessment import AssessmentSettings
from vae_mf.verdict.evidence import Evidence
from vae_mf.verdict.readings import ReadingSettings

SINGLE, DOUBLE = 4, 8
"""Bytes of a number in single and in double precision."""
BATCH_COPIES = 16
"""Residuals of a batch of rows that are held at once: their draws, means, weights and products."""
READ_COPIES = 2
"""Copies of the residuals that are read, by measured peaks of ten thousand to a hundred thousand rows."""
COPIES = 10
"""Bytes for each site of the configurations of which observables are computed."""
PATTERN_COPIES = 36
"""Bytes for each site of the configurations in which patterns are looked for, in double precision."""
JOINT = 3 * SINGLE
"""Bytes for each column of a row that a critic learns from: statistics, parameters and residuals."""
PLANTING = 5 * SINGLE
"""Bytes for each column of a row into which correlations are planted, while they are."""
DRAWING = 10 * SINGLE
"""Bytes for each column of a batch of rows while directors are drawn."""
DUAL_COPIES = 4
"""Products of rows, their eigenvectors and inverses that a regression holds at once."""
DENSITY_COPIES = 3
"""Log-densities of a batch of rows under all encodings that are held at once."""
WEIGHTS = 12 * SINGLE
"""Bytes for each pair of columns of a critic: couplings, their gradients and moments, masks, sums of products."""
PACKED = 4
"""Bytes of a director in memory."""
READ = 36
"""Bytes for each of the directors of a temperature of which observables are computed: with those of the one before."""
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
    readings = READ_COPIES * SINGLE * read + 2 * bytes_of_pairs(columns) + settings.draws * batch
    shifted = (SINGLE + 6) * rows * columns + bytes_of_pairs(columns) + batch
    return max(readings, shifted) + 2 * FIXED  # once more for what looks through orders and sets, as measured


def bytes_of_critics(rows: int, held_out: int, conditions: int, columns: int, settings: CriticSettings | None) -> int:
    """Return about the bytes of the critics of an assessment at their peak; 0 without critics.

    The samples of what the model leaves, of the data and of draws from the model are held while correlations are
    planted into the first, or while its log-ratios are regressed on pairs.

    Args:
        rows: number of training rows of all conditions.
        held_out: number of held-out rows of all conditions, which are test samples.
        conditions: number of conditions.
        columns: number of columns of residuals.
        settings: settings of the critics; None if none are asked.
    """
    if settings is None:
        return 0
    learned = min(rows, settings.training_samples)
    drawn = conditions * (settings.generated + settings.generated_test)
    held = JOINT * columns * (2 * (learned + held_out) + drawn)
    tested = max(learned, held_out)
    planted = columns * (JOINT * tested + 2 * SINGLE * (learned + tested) + PLANTING * tested)
    planted += columns * DRAWING * min(tested, BATCH)
    regressed = DUAL_COPIES * DOUBLE * min(held_out, DUAL_ROWS) ** 2
    return held + max(planted, regressed) + WEIGHTS * columns**2 + FIXED


def bytes_of_surgery(held_out: int, settings: AssessmentSettings) -> int:
    """Return about the bytes of the densities of held-out rows of a condition under all encodings."""
    encodings = min(max(held_out, settings.components), 2 * settings.components)
    return DENSITY_COPIES * DOUBLE * DENSITY_BATCH * encodings


def bytes_of_verdict(data: Evidence, columns: int, settings: AssessmentSettings) -> int:
    """Return about the bytes of the verdict on a model at its peak, beside the rows themselves.

    Args:
        data: rows that the model was fitted to and is evaluated on.
        columns: number of columns of their residuals.
        settings: settings of the verdict.
    """
    conditions = len(data.groups)
    group = data.groups[0]  # all have as many rows, which may have to be read
    rows = len(group.rows)
    train, held_out = (number_of(part, rows) for part in (group.train_rows, group.held_out_rows))
    readings = bytes_of_assessment(rows, columns, settings.readings)
    critics = bytes_of_critics(conditions * train, conditions * held_out, conditions, columns, settings.critic)
    # What is freed in between is not given back to the system.
    return bytes_of_surgery(held_out, settings) + max(readings, critics)


def number_of(part: slice | np.ndarray, rows: int) -> int:
    """Return the number of rows that a part of so many has.

    >>> number_of(slice(2, None), 10)
    8
    """
    return len(range(*part.indices(rows))) if isinstance(part, slice) else len(part)


def bytes_of_discovery(rows: int, variables: int, held_out: int, settings: AssessmentSettings) -> int:
    """Return about the bytes of a discovery at its peak: test of independence, or assessment of what is found.

    Args:
        rows: number of rows.
        variables: number of variables.
        held_out: number of held-out rows.
        settings: settings of the assessment.
    """
    return bytes_of_surgery(held_out, settings) + max(
        bytes_of_independence(rows, variables),
        bytes_of_assessment(rows, variables, settings.readings),
        bytes_of_critics(rows, held_out, 1, variables, settings.critic),
    )


def bytes_of_training(system: HasOrderParameter, rows: int, levels: int, generated: int) -> int:
    """Return about the bytes of training on samples and of the evaluation: all samples, and one temperature's at work.

    Args:
        system: system of the samples.
        rows: number of samples at every temperature.
        levels: number of temperatures.
        generated: number of configurations that are drawn from the model at a temperature.
    """
    index = 16 * levels * rows
    if system.kind == "directors":
        read = (READ * rows + COPIES * 3 * SINGLE * generated) * system.sites
        # Rows that were trained on are let go of before those of one temperature after the other are read.
        return max(PACKED * levels * rows * system.sites, read) + index + FIXED
    work = PATTERN_COPIES if isinstance(system, HasPatterns) else COPIES
    held = 3 * levels * rows * system.sites // 2 + index
    return held + (work * rows + COPIES * generated) * system.sites + FIXED


def bytes_of_recording(rows: int, variables: int, generated: int) -> int:
    """Return about the bytes of training on a recording and of the evaluation, beside the recording itself.

    Args:
        rows: number of rows.
        variables: number of variables.
        generated: number of rows that are drawn from the model.
    """
    return (4 * rows + COPIES * generated) * variables + 16 * rows + FIXED
