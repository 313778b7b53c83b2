"""Controls of a verdict: the same readings of rows whose answer is known."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32

from vae_mf.rng import integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.latent_model import LatentModel
from vae_mf.statistics.residual_information import affordable_blocks, pair_information, pair_sums
from vae_mf.statistics.row_order import chunks, row_blocks, shift_columns
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.readings import BlockedRows, ReadingSettings, StateRows, read_order_2
from vae_mf.verdict.settings import Thresholds
from vae_mf.verdict.time_order import TimeOrder

SHIFTED = "residuals shifted in time"
PAIRWISE = "rows of the pairwise model"
REFIT = "a fit to rows of the latent model"
ControlLine = dict[str, Any]


class KnownRows(NamedTuple):
    """Independent rows of a law whose divergence from the model is known."""

    rows: StateRows
    divergence: Average
    """KL(law || model) in nats per row."""


def controls(
    model: LatentModel,
    data: BlockedRows,
    settings: ReadingSettings,
    thresholds: Thresholds,
    tolerance: float,
    seed: int,
    pairwise: KnownRows | None = None,
) -> pd.DataFrame:
    """Return the readings of control rows: columns control, known, value, error, passed, overstated, coarse.

    Rows of the model leave nothing: they should come out as zero, with an upper end below the tolerance. Rows of a
    pairwise model may differ in orders that pairs do not show, and must not come out further away than they are known
    to be: readings would be overstated then.

    Args:
        model: latent-variable model that the verdict is on.
        data: rows that it is evaluated on.
        settings: settings of the readings.
        thresholds: errors by which a control may be off, and factors on the information of pairs.
        tolerance: nats that a model may leave.
        seed: seed of all randomness.
        pairwise: rows of a pairwise model of the data, None if there are none.
    """
    own = model.draw_rows(min(len(data.rows), settings.rows), integer(seed, "own"))
    found = read_control(model, own, settings, integer(seed, "own readings"))
    lines = [own_control("rows of the latent model", found, thresholds, tolerance)]
    if pairwise is not None:
        found = read_control(model, pairwise.rows, settings, integer(seed, "pairwise readings"))
        known, error = pairwise.divergence
        errors = thresholds.control
        # A divergence that comes out below zero, as that of a ln Z that is off does, is none.
        most = max(known, 0.0) + errors * error
        overstated = (found.value - errors * found.error) / thresholds.pairs_over > most
        lines.append(control(PAIRWISE, known, found, passed=not overstated, overstated=overstated))
    return pd.DataFrame(lines)


def read_too_much(controls: pd.DataFrame, pairs: float, thresholds: Thresholds) -> float:
    """Return the nats by which a reading of pairs is too large if it is by the factor that the pairwise model shows.

    Many pairs that overlap, as those of a collective variable that is left do, share less than the sum of them.

    Args:
        controls: table of `controls`.
        pairs: information of pairs that was read.
        thresholds: factor that is granted in any case.
    """
    lines = controls[controls.control.eq(PAIRWISE) & controls.overstated]
    factors = (lines.known.clip(lower=0) / lines.value).tolist()
    return sum((max(pairs, 0.0) * max(1 / thresholds.pairs_over - factor, 0.0) for factor in factors), 0.0)


def control(
    name: str, known: float, found: Estimate, *, passed: bool, overstated: bool, coarse: bool = False
) -> ControlLine:
    """Return the line of one control."""
    line = {"control": name, "known": known, "value": found.value, "error": found.error}
    return line | {"passed": bool(passed), "overstated": bool(overstated), "coarse": bool(coarse)}


def own_control(name: str, found: Estimate, thresholds: Thresholds, tolerance: float) -> ControlLine:
    """Return the control by rows that a model leaves nothing of: they must be within the tolerance, and near zero.

    One that is near zero and yet may lie beyond the tolerance is coarse: rows are too few for it.
    """
    off = thresholds.control * found.error
    under = thresholds.pairs_under if found.value > 0 else 1.0
    upper = under * found.value + thresholds.errors * found.error
    near = abs(found.value) <= off
    fine = upper <= tolerance
    return control(name, 0.0, found, passed=near and fine, overstated=found.value > off, coarse=near and not fine)


def shifted_control(
    model: LatentModel, rows: StateRows, order: TimeOrder, thresholds: Thresholds, seed: int
) -> ControlLine:
    """Return the control by residuals of the data that are shifted against each other in time: they are independent.

    Change of a variable that the model does not explain, slower than blocks of rows, makes them come out above zero:
    readings of the data are then too large by as much.

    Args:
        model: latent-variable model that the verdict is on.
        rows: rows of the data.
        order: their order in time.
        thresholds: errors by which the control may be off.
        seed: seed of the draws of z and of the shifts.
    """
    residuals = single_draws(model, rows, integer(seed, "draws"))
    residuals -= residuals.mean(0)
    shift_columns(residuals, 0, integer(seed, "shifts"))
    parts = (part[:, None] for part in chunks(residuals, order.order))
    sums = pair_sums(parts, order.blocks(len(model.variables)), model.variables)
    found = pair_information(sums, None, model.variance_products())
    off = thresholds.control * found.null_error
    found = found._replace(error=found.null_error)
    passed = abs(found.value) <= off
    return control(SHIFTED, 0.0, found, passed=passed, overstated=found.value > off)


def single_draws(model: LatentModel, rows: StateRows, seed: int) -> Float32[np.ndarray, "rows columns"]:
    """Return the residuals of all rows, at one draw of z each, in an array that is filled part by part: it is large."""
    residuals = np.empty((len(rows), len(model.variables)), np.float32)
    start = 0
    for part in model.residuals(rows, 1, seed):
        residuals[start : start + len(part)] = part[:, 0]
        start += len(part)
    return residuals


def read_control(model: LatentModel, rows: StateRows, settings: ReadingSettings, seed: int) -> Estimate:
    """Return residual information of order 2 of independent rows."""
    blocks = row_blocks(len(rows), most=affordable_blocks(len(model.variables)))
    return read_order_2(model, BlockedRows(rows, blocks, 0.0), settings, seed)
