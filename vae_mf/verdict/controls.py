"""Controls of a verdict: the same readings of rows whose answer is known."""

from typing import NamedTuple

import pandas as pd

from vae_mf.rng import integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.latent_model import IndependentColumns, LatentModel
from vae_mf.statistics.residual_information import affordable_blocks, pair_information, pair_sums
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.u_statistics import Blocks, Estimate
from vae_mf.verdict.decision import KINDS
from vae_mf.verdict.readings import BlockedRows, ReadingSettings, StateRows, read_pairs

PASSED = 4.0
"""Errors by which a control may be off."""


class KnownRows(NamedTuple):
    """Independent rows of a law whose divergence from the model is known."""

    rows: StateRows
    divergence: Average
    """KL(law || model) in nats per row."""


def controls(
    model: LatentModel,
    data: BlockedRows,
    settings: ReadingSettings,
    tolerance: float,
    seed: int,
    shifted: StateRows,
    pairwise: KnownRows | None = None,
) -> pd.DataFrame:
    """Return the readings of control rows: columns control, known, value, error, passed.

    Columns of the data that are shifted against each other in time are independent, and rows of the model leave
    nothing: both must come out as zero, the latter with an upper end below the tolerance. Rows of a pairwise model must
    be seen to differ if they do by more than the tolerance, and not come out further away than they are known to be.

    Args:
        model: latent-variable model that the verdict is on.
        data: rows that it is evaluated on.
        settings: settings of the readings.
        tolerance: nats that a model may leave.
        seed: seed of all randomness.
        shifted: rows of the data whose columns were shifted against each other in time, in the same blocks.
        pairwise: rows of a pairwise model of the data, None if there are none.
    """
    lines = [shifted_control(shifted, data.blocks)]
    own = model.draw_rows(len(data.rows), integer(seed, "own"))
    found = read_control(model, own, settings, integer(seed, "own readings"))
    upper = KINDS["pairs"].upper * max(found.value + 2 * found.error, 0.0)
    passed = abs(found.value) <= PASSED * found.error and upper <= tolerance
    lines.append(control("rows of the latent model", 0.0, found, passed))
    if pairwise is not None:
        found = read_control(model, pairwise.rows, settings, integer(seed, "pairwise readings"))
        known, error = pairwise.divergence
        overstated = KINDS["pairs"].lower * (found.value - PASSED * found.error) > known + PASSED * error
        seen = found.value > PASSED * found.error
        passed = not overstated and (seen or known - PASSED * error <= tolerance)
        lines.append(control("rows of the pairwise model", known, found, passed))
    return pd.DataFrame(lines)


def control(name: str, known: float, found: Estimate, passed: bool) -> dict[str, str | float | bool]:
    """Return the line of one control."""
    return {"control": name, "known": known, "value": found.value, "error": found.error, "passed": bool(passed)}


def shifted_control(rows: StateRows, blocks: Blocks) -> dict[str, str | float | bool]:
    """Return the control by columns that were shifted in time."""
    model = IndependentColumns(rows)
    sums = pair_sums(model.residuals(rows, 1, 0), blocks, model.variables)
    found = pair_information(sums, None, model.variance_products())
    passed = abs(found.value) <= PASSED * found.null_error
    return control("columns shifted in time", 0.0, found._replace(error=found.null_error), passed)


def read_control(model: LatentModel, rows: StateRows, settings: ReadingSettings, seed: int) -> Estimate:
    """Return residual information of order 2 of independent rows."""
    blocks = row_blocks(len(rows), most=affordable_blocks(len(model.variables)))
    return read_pairs(model, BlockedRows(rows, blocks, 0.0), settings, seed).pairs
