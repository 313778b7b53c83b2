"""Readings of what a latent-variable model leaves unexplained, from rows of the data and rows of its own."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from vae_mf.checks import require_fraction, require_integer, require_non_negative, require_positive
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average, evenly_spaced
from vae_mf.statistics.latent_model import LatentModel, Residuals, Variables
from vae_mf.statistics.pair_scores import pair_scores, significant_pairs
from vae_mf.statistics.residual_information import affordable_blocks, pair_information, pair_sums
from vae_mf.statistics.residual_orders import SampledRows, residual_orders
from vae_mf.statistics.residual_orders import thinned as thinned_sample
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.set_scores import SET_COLUMNS, affordable_order, set_bound, set_scores, significant_sets
from vae_mf.statistics.tilt import tilt_bound
from vae_mf.statistics.u_statistics import Blocks, Estimate

COLUMNS = (
    "temperature",
    "reading",
    "kind",
    "value",
    "error",
    "null_error",
    "allowance",
    "estimation",
    "misfit",
    "degrees",
)
"""Columns of a table of readings."""

StateRows = Shaped[np.ndarray, "rows *site"]


@dataclass(frozen=True)
class ReadingSettings:
    """Settings of the readings of what a model leaves.

    >>> from hydra.utils import instantiate
    >>> from omegaconf import OmegaConf
    >>> from vae_mf.paths import configurations
    >>> options = OmegaConf.load(configurations() / "evaluation" / "assessment.yaml")
    >>> instantiate(options.readings, rows=4000).rows
    4000

    Args:
        draws: number of draws of z for every row.
        rows: number of rows that are read, at most, evenly spaced.
        entries: number of residuals that are kept at once, of all rows, variables and draws of z.
        model_rows: number of the model's own rows, whose averages are the zero, for each row of the data.
        orders: highest order of residual information.
        order_rows: number of rows from which orders above the second are estimated, at most.
        order_variables: number of variables up to which they are.
        sets: number of sets of three or of four variables up to which they are looked through one by one.
        set_rows: number of rows of the data, and of the model, from which that is done, at most.
        permutations: number of random deals that give the law of the most significant pair, and set.
        level: probability that any pair is listed if the model is right, and any set.
        tilt_level: false discovery rate of the pairs of the tilt.
        tilt_pairs: number of these pairs, at most, and of sets.
        estimation: nats that a fitted model leaves as its parameters are estimated, in units of parameters / (2 rows).
        optimism: nats by which pairs show less on rows that a model was fitted to, in the same units.

    Raises:
        ValueError: if a number is out of range.
    """

    draws: int
    rows: int
    entries: int
    model_rows: float
    orders: int
    order_rows: int
    order_variables: int
    sets: int
    set_rows: int
    permutations: int
    level: float
    tilt_level: float
    tilt_pairs: int
    estimation: float
    optimism: float

    def __post_init__(self) -> None:
        for name in ("draws", "rows", "entries", "order_rows", "set_rows", "permutations", "tilt_pairs"):
            require_integer(name, getattr(self, name))
        require_integer("orders", self.orders, minimum=2)
        for name in ("order_variables", "sets"):
            require_integer(name, getattr(self, name), minimum=0)
        require_positive("model_rows", self.model_rows)
        for name in ("level", "tilt_level"):
            require_fraction(name, getattr(self, name))
        for name in ("estimation", "optimism"):
            require_non_negative(name, getattr(self, name))


class Left(NamedTuple):
    """Readings of what a model leaves at one condition."""

    readings: pd.DataFrame
    """Table of readings, see `decision.decide_mean_field`."""
    pairs: pd.DataFrame
    """Pairs of variables that are correlated beyond the model, table of `pair_scores.significant_pairs`."""
    sets: pd.DataFrame
    """Sets of three and of four that are so beyond all pairs, table of `set_scores.significant_sets`."""
    scan: pd.DataFrame
    """Line about these: order (number of variables in the largest, 0 if none were looked at), critical (score that none
    of them exceeds by chance but with the probability ``level``), detectable (nats of a single set that would have)."""


class BlockedRows(NamedTuple):
    """Rows that a model is evaluated on."""

    rows: StateRows
    """Rows in the order of their blocks."""
    blocks: Blocks
    allowance: float
    """Nats that these rows do not show: the model was fitted to some of them."""


def what_is_left(
    model: LatentModel, everything: BlockedRows, held_out: BlockedRows, settings: ReadingSettings, seed: int
) -> Left:
    """Return the readings of what a model leaves.

    All rows are read, those that the model was fitted to among them, with an allowance for that; held-out rows alone if
    that costs less precision than it saves allowance. Orders above the second are read on held-out rows.

    Args:
        model: latent-variable model.
        everything: all rows.
        held_out: rows that the model has not seen.
        settings: sizes and levels.
        seed: seed of the model's rows.
    """
    found = read_pairs(model, everything, settings, seed)
    # Errors fall as 1 / rows.
    saved = everything.allowance - held_out.allowance
    if saved > 2 * found.pairs.error * (len(everything.rows) / len(held_out.rows) - 1):
        found = read_pairs(model, held_out, settings, seed)
    readings = [
        reading("order 2", "pairs", found.pairs, found.allowance),
        reading("fitted tilt", "tilt", Estimate(*found.tilt, found.tilt.error)),
    ]
    if settings.orders > 2 and len(np.unique(model.variables)) <= settings.order_variables:
        orders = read_orders(model, held_out, settings, integer(seed, "orders"))
        readings += [reading(f"order {k}", "higher order", each) for k, each in orders.items() if k > 2]
    if found.sets.order:
        readings.append(reading("tilt of sets", "sets", Estimate(*found.sets.bound, found.sets.bound.error)))
    scan = pd.DataFrame([{name: getattr(found.sets, name) for name in ("order", "critical", "detectable")}])
    return Left(pd.DataFrame(readings), found.significant, found.sets.significant, scan)


def reading(name: str, kind: str, found: Estimate, allowance: float = 0.0, degrees: float = np.inf) -> dict:
    """Return the line of a reading, but for its condition; neither misfit nor cost of estimation is known.

    >>> reading("order 2", "pairs", Estimate(0.1, 0.02, 0.01))["null_error"]
    0.01
    """
    line = {"reading": name, "kind": kind, **found._asdict()}
    return line | {"allowance": allowance, "estimation": 0.0, "misfit": 0.0, "degrees": degrees}


class SetReadings(NamedTuple):
    """Readings of sets of three and of four variables."""

    order: int
    critical: float
    detectable: float
    bound: Average
    significant: pd.DataFrame


class PairReadings(NamedTuple):
    """Readings of pairs of variables, and of larger sets."""

    pairs: Estimate
    tilt: Average
    allowance: float
    significant: pd.DataFrame
    sets: SetReadings


def read_pairs(model: LatentModel, blocked: BlockedRows, settings: ReadingSettings, seed: int) -> PairReadings:
    """Return residual information of order 2, bounds of fitted tilts, and the significant pairs and sets."""
    data = thinned(blocked, settings, model)
    own = own_rows(model, data, settings, seed)
    parts, own_parts = (
        list(model.residuals(each.rows, settings.draws, integer(seed, name)))
        for name, each in (("data", data), ("model", own))
    )
    sums = pair_sums(parts, data.blocks, model.variables)
    own_sums = pair_sums(own_parts, own.blocks, model.variables)
    tilt = tilt_bound(sums, own_sums, parts, own_parts, settings.tilt_level, settings.tilt_pairs)
    products = model.variance_products()
    scores = pair_scores(sums, own_sums, settings.permutations, integer(seed, "deals"))
    pairs = significant_pairs(scores, sums, products, model.variables, settings.level)
    samples = first_draws(parts, data.blocks, settings), first_draws(own_parts, own.blocks, settings)
    # Residuals take more memory than all sums.
    del parts, own_parts
    return PairReadings(
        pair_information(sums, own_sums, products),
        tilt,
        blocked.allowance,
        pairs,
        read_sets(*samples, model.variables, pairs, settings, integer(seed, "sets")),
    )


def first_draws(parts: list[Residuals], blocks: Blocks, settings: ReadingSettings) -> SampledRows:
    """Return the residuals of some rows at the first draw of z."""
    return thinned_sample(SampledRows(np.concatenate([part[:, 0] for part in parts]), blocks), settings.set_rows)


def read_sets(
    data: SampledRows,
    model: SampledRows,
    variables: Variables,
    pairs: pd.DataFrame,
    settings: ReadingSettings,
    seed: int,
) -> SetReadings:
    """Return the bound of a tilt by sets of three and of four variables that hold no significant pair, and these sets.

    Args:
        data: residuals of the rows of the data.
        model: residuals of the model's own rows.
        variables: variable of every column.
        pairs: table of the significant pairs.
        settings: sizes and levels.
        seed: seed of the deals.
    """
    order = affordable_order(len(variables), settings.sets)
    if not order:
        return SetReadings(0, np.inf, np.inf, Average(0.0, 0.0), pd.DataFrame(columns=list(SET_COLUMNS)))
    scores = set_scores(data, model, variables, order, settings.permutations, seed)
    correlated = np.zeros((variables[-1] + 1,) * 2, bool)
    correlated[pairs["first"], pairs["second"]] = True
    chosen = scores.apart_from(correlated[np.ix_(variables, variables)]), settings.level, settings.tilt_pairs
    return SetReadings(
        order,
        scores.largest.critical(settings.level),
        scores.detectable(settings.level),
        set_bound(scores, data, model, *chosen),
        significant_sets(scores, data, model, variables, *chosen),
    )


def read_order_2(model: LatentModel, blocked: BlockedRows, settings: ReadingSettings, seed: int) -> Estimate:
    """Return residual information of order 2 alone, for which no residuals are kept."""
    data = thinned(blocked, settings, model)
    own = own_rows(model, data, settings, seed)
    sums, own_sums = (
        pair_sums(model.residuals(each.rows, settings.draws, integer(seed, name)), each.blocks, model.variables)
        for name, each in (("data", data), ("model", own))
    )
    return pair_information(sums, own_sums, model.variance_products())


def own_rows(model: LatentModel, data: BlockedRows, settings: ReadingSettings, seed: int) -> BlockedRows:
    """Return rows of the model, whose averages are the zero of those of the data."""
    rows = model.draw_rows(max(2, round(settings.model_rows * len(data.rows))), seed)
    return BlockedRows(rows, row_blocks(len(rows), most=affordable_blocks(len(model.variables))), 0.0)


def read_orders(model: LatentModel, blocked: BlockedRows, settings: ReadingSettings, seed: int) -> dict[int, Estimate]:
    """Return residual information of all orders, from one draw of z for each of some rows."""
    data = thinned(blocked, settings, model, settings.order_rows)
    own = model.draw_rows(len(data.rows), seed)
    samples = []
    for name, rows, blocks in (("data", *data[:2]), ("model", own, row_blocks(len(own), most=len(own)))):
        residuals = model.residuals(rows, 1, integer(seed, name))
        samples.append(SampledRows(np.concatenate([part[:, 0] for part in residuals]), blocks))
    spread = data.rows.std(axis=0, dtype=np.float64) if data.rows.ndim == 2 else None
    return residual_orders(samples[0], model.variables, settings.orders, len(own), samples[1], spread)


def thinned(
    blocked: BlockedRows, settings: ReadingSettings, model: LatentModel, most: int | None = None
) -> BlockedRows:
    """Return as many evenly spaced rows as the settings allow; blocks that keep none of theirs are gone."""
    each = len(model.variables) * settings.draws * (1 + settings.model_rows)
    most = min(most or settings.rows, max(2, int(settings.entries / each)))
    kept = evenly_spaced(len(blocked.rows), most)
    labels = np.unique(blocked.blocks.labels[kept], return_inverse=True)[1]
    return blocked._replace(rows=blocked.rows[kept], blocks=Blocks(labels, blocked.blocks.gap))
