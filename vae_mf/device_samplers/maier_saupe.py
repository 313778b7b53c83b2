"""Independent exact draws of the Maier-Saupe nematic in plain torch.

The draw is that of `vae_mf.samplers.maier_saupe`: eigenvalues of the tensor A from a table, a Haar rotation, and given
them all directors from their Bingham law. Each rejection takes the first accepted of up to 64 numbered candidates (the
last with probability below 10^-23), so that nothing depends on the way to it: a few candidates for all, then more for
the rest, which is given room for many more than there can be, as to count it would wait for the device. Computed in
float64 and kept in float32: two devices differ in the last digit of one number in some 10^7.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vae_mf.arrays import Directors
from vae_mf.device_samplers.base import DeviceSampler, fused, placed
from vae_mf.device_samplers.words import high_uniform, low_uniform, random_word, uniform
from vae_mf.models.devices import AUTO
from vae_mf.models.directors.bingham_draws import envelope_parameter
from vae_mf.models.directors.rotations import rotation_matrices
from vae_mf.samplers.base import Group
from vae_mf.samplers.kernels.tensor_table import tensor_table
from vae_mf.systems.base import System
from vae_mf.systems.maier_saupe import LARGEST_RADIUS, MaierSaupe

PASSES = ((4, 1), (8, 8), (52, 64))
"""Candidates of each pass, and its share of the items: one in so many. At most 3.4 % and 0.004 % are left for it."""
LEAST_ROOM = 4096
"""Items that every pass has room for, if there are so many: of few, more may be left by chance."""
CANDIDATES = sum(count for count, _ in PASSES)
EIGENVALUES, TURN = 0, 4 * CANDIDATES
DIRECTORS = TURN + 3
"""Numbers of the first words of a draw for its eigenvalues, its rotation and its directors."""
AT_ONCE = 2**21
"""Directors that are computed together."""
BYTES_PER_DIRECTOR = 272
"""Bytes for each of these: candidates in double precision, their numbers, and what is accepted."""
Draws = Float64[torch.Tensor, "draws 3"]
Candidate = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class Table(NamedTuple):
    """The table of `vae_mf.samplers.kernels.tensor_table` on a device."""

    radii: Float64[torch.Tensor, " edges"]
    shapes: Float64[torch.Tensor, " column_edges"]
    log_density: Float64[torch.Tensor, "edges column_edges"]
    bounds: Float64[torch.Tensor, "rows columns"]
    cumulative: Float64[torch.Tensor, " cells"]


class Envelope(NamedTuple):
    """The envelope of the Bingham law of every draw, see `vae_mf.samplers.kernels.bingham`."""

    scales: Draws
    b: Float64[torch.Tensor, "draws 1"]
    log_bound: Float64[torch.Tensor, "draws 1"]


@dataclass
class NematicState:
    """Random stream of every chain, and the number of its current draw, which is computed when it is asked for."""

    temperatures: Float[np.ndarray, " chains"]
    keys: Int64[torch.Tensor, " chains"]
    drawn: int = 0


class DeviceMaierSaupeDirect(DeviceSampler):
    """Exact sampler of a `MaierSaupe` system on a device: every draw is independent.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import MaierSaupe
    >>> sampler = DeviceMaierSaupeDirect(MaierSaupe(5), device="cpu")
    >>> sample_chains(sampler, np.array([0.2]), chains=3, schedule=Schedule(2, 0, 1), seed=1).shape
    (1, 3, 2, 5, 3)

    Args:
        system: Maier-Saupe system.
        device: "auto" for CUDA where there is one and else the processor, "cpu", "cuda", or one of several, "cuda:1".

    Raises:
        ValueError: if the system is no `MaierSaupe` one, or there is no such device.
    """

    name = "maier_saupe_direct_device"
    serves = MaierSaupe
    exact = True
    starts = ("random",)

    def __init__(self, system: System, device: str | torch.device = AUTO):
        super().__init__(system, device)
        self._proposals = Proposals(*(fused(propose, self.device) for propose in Proposals()))

    def bytes_of(self, chains: int) -> int:
        """Return about the bytes of the draws that are computed together, of however many chains."""
        return BYTES_PER_DIRECTOR * max(AT_ONCE, self.sites)

    def begin(self, group: Group, start: str) -> NematicState:
        """Return chains at their first configuration."""
        return NematicState(np.array(group.temperatures, np.float64), placed(group.keys, self.device))

    def sweep(self, state: NematicState, count: int) -> None:
        """Replace every configuration by an independent one (once, whatever ``count`` is, unless it is zero)."""
        state.drawn += bool(count)

    def draw(self, state: NematicState, count: int) -> Directors:
        """Return ``count`` draws of every chain, those that as many sweeps would have given."""
        out = np.empty((len(state.temperatures), count, self.sites, 3), np.float32)
        for temperature in np.unique(state.temperatures):
            chosen = np.flatnonzero(state.temperatures == temperature)
            table = Table(*(placed(part, self.device) for part in tensor_table(self.system, float(temperature))))
            numbers = state.drawn + 1 + torch.arange(count, device=self.device)
            keys = random_word(state.keys[placed(chosen, self.device)][:, None], numbers).view(-1)
            slope = torch.full((), 1.5 * self.system.coupling / temperature, dtype=torch.float64, device=self.device)
            parts = [
                draw_directors(part, table, slope, self.sites, self._proposals).cpu()
                for part in keys.split(max(1, AT_ONCE // self.sites))
            ]
            out[chosen] = torch.cat(parts).view(len(chosen), count, self.sites, 3).numpy()
        state.drawn += count
        return out

    def configurations(self, state: NematicState) -> Directors:
        """Return the current directors, float32 (chains, N, 3)."""
        return self.draw(NematicState(state.temperatures, state.keys, state.drawn - 1), 1)[:, 0]


def draw_directors(
    keys: Int64[torch.Tensor, " draws"],
    table: Table,
    slope: Float64[torch.Tensor, ""],
    sites: int,
    proposals: "Proposals",
) -> Float32[torch.Tensor, "draws sites 3"]:
    """Return independent draws of all directors, each draw from its own key, with slope = 3 beta J / 2."""
    eigenvalues = draw_eigenvalues(keys, table, proposals)
    principal = draw_bingham(keys, slope * eigenvalues, sites, proposals)
    return (principal @ rotations(keys).mT).float()


def first_accepted(propose: Candidate, like: torch.Tensor) -> Float64[torch.Tensor, "items values"]:
    """Return for every item the values of its first accepted candidate, the last one if none is.

    Args:
        propose: function of the numbers of items and that of a candidate to its values and whether it is accepted.
        like: values of any candidate for all items, to be replaced.
    """
    total = len(like)
    # One item more takes what is written for the room that stays empty.
    found = torch.cat([like, like[:1]])
    items = torch.arange(total, device=like.device)
    candidates = iter(torch.arange(CANDIDATES, device=like.device))
    for count, share in PASSES:
        items = items[: max(total // share, min(total, LEAST_ROOM))]
        pending = items < total
        values = found[items]
        for candidate in islice(candidates, count):
            new, accepted = propose(items.clamp(max=total - 1), candidate)
            values = torch.where(pending[:, None], new, values)
            pending = pending & ~accepted
        found = found.index_copy(0, items, values)
        items = gathered(items, pending, total)
    return found[:total]


def gathered(
    items: Int64[torch.Tensor, " room"], pending: Bool[torch.Tensor, " room"], empty: int
) -> Int64[torch.Tensor, " room"]:
    """Return the pending items first, and ``empty`` behind them; their number stays on the device."""
    place = torch.where(pending, pending.cumsum(0) - 1, len(items))
    room = torch.full((len(items) + 1,), empty, dtype=items.dtype, device=items.device)
    return room.scatter(0, place, items)[:-1]


def draw_eigenvalues(keys: Int64[torch.Tensor, " draws"], table: Table, proposals: "Proposals") -> Draws:
    """Draw the eigenvalues of A, by rejection from the cells of the table."""
    empty = torch.zeros(len(keys), 2, dtype=torch.float64, device=keys.device)
    radius, shape = first_accepted(partial(proposals.tensor, keys, table), empty).T
    angle = 2 / 3 * torch.asin(shape.sqrt())
    turns = 2 * math.pi / 3 * (torch.arange(1, 4, device=keys.device) % 3 - 1)
    return LARGEST_RADIUS * radius[:, None] * torch.cos(angle[:, None] - turns)


def propose_tensors(
    keys: Int64[torch.Tensor, " draws"],
    table: Table,
    items: Int64[torch.Tensor, " items"],
    candidate: Int64[torch.Tensor, ""],
) -> tuple[Float64[torch.Tensor, "items 2"], Bool[torch.Tensor, " items"]]:
    """Return radius and shape of a candidate for A of some draws, and whether each is accepted."""
    places = EIGENVALUES + 4 * candidate + torch.arange(4, device=keys.device)
    u = uniform(random_word(keys[items, None], places)).T
    columns = table.bounds.shape[1]
    cell = torch.searchsorted(table.cumulative, u[0] * table.cumulative[-1], right=True)
    row, column = cell // columns, cell % columns
    inner, outer = table.radii[row] ** 5, table.radii[row + 1] ** 5
    left, right = table.shapes[column], table.shapes[column + 1]
    radius, shape = (inner + u[1] * (outer - inner)) ** 0.2, left + u[2] * (right - left)
    log_density = interpolated(table, row, column, radius, shape)
    return torch.stack([radius, shape], 1), u[3] < torch.exp(log_density - table.bounds[row, column])


def interpolated(table: Table, row: torch.Tensor, column: torch.Tensor, radius: torch.Tensor, shape: torch.Tensor):
    """Return the log density in cell (row, column) of the table, by cubics through 4 x 4 nodes."""
    row = (row - 1).clamp(0, len(table.radii) - 4)
    column = (column - 1).clamp(0, len(table.shapes) - 4)
    across = cubic_weights(table.shapes, column, shape)
    total = torch.zeros_like(radius)
    for i, along in enumerate(cubic_weights(table.radii, row, radius)):
        line = torch.zeros_like(radius)
        for j, weight in enumerate(across):
            line = line + weight * table.log_density[row + i, column + j]
        total = total + along * line
    return total


def cubic_weights(nodes: torch.Tensor, start: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the weights at t of the Lagrange cubic through four nodes from ``start`` on."""
    a, b, c, d = nodes[start], nodes[start + 1], nodes[start + 2], nodes[start + 3]
    return (
        (t - b) * (t - c) * (t - d) / ((a - b) * (a - c) * (a - d)),
        (t - a) * (t - c) * (t - d) / ((b - a) * (b - c) * (b - d)),
        (t - a) * (t - b) * (t - d) / ((c - a) * (c - b) * (c - d)),
        (t - a) * (t - b) * (t - c) / ((d - a) * (d - b) * (d - c)),
    )


def draw_bingham(
    keys: Int64[torch.Tensor, " draws"], exponents: Draws, sites: int, proposals: "Proposals"
) -> Float64[torch.Tensor, "draws sites 3"]:
    """Draw directors from exp(sum_k exponents_k y_k^2) in principal axes, as `vae_mf.samplers.kernels.bingham` does."""
    rates = exponents.amax(1, keepdim=True) - exponents
    b = envelope_parameter(rates)
    envelope = Envelope((1 + 2 * rates / b).rsqrt(), b, 1.5 * torch.log(3 / b) - (3 - b) / 2)
    empty = torch.zeros(len(keys) * sites, 3, dtype=torch.float64, device=keys.device)
    return first_accepted(partial(proposals.directors, keys, envelope, sites), empty).view(len(keys), sites, 3)


def propose_directors(
    keys: Int64[torch.Tensor, " draws"],
    envelope: Envelope,
    sites: int,
    items: Int64[torch.Tensor, " items"],
    candidate: Int64[torch.Tensor, ""],
) -> tuple[Float64[torch.Tensor, "items 3"], Bool[torch.Tensor, " items"]]:
    """Return a candidate for some directors, of which every draw has ``sites``, and whether each is accepted."""
    draw, site = items // sites, items % sites
    place = DIRECTORS + 2 * (candidate * sites + site)
    scales, b, log_bound = (part[draw] for part in envelope)
    y = uniform_points(random_word(keys[draw], place)) * scales
    t = 1 / y.square().sum(1)
    height = torch.exp(b[:, 0] / 2 * (1 - t) - log_bound[:, 0]) * t * t.sqrt()
    return y * t.sqrt()[:, None], uniform(random_word(keys[draw], place + 1)) < height


class Proposals(NamedTuple):
    """Functions that propose, which a device compiles."""

    tensor: Callable = propose_tensors
    directors: Callable = propose_directors


def uniform_points(word: Int64[torch.Tensor, " items"]) -> Float64[torch.Tensor, "items 3"]:
    """Return points uniform on the sphere, whose height is uniform (Archimedes); half a step off 0."""
    z = 2 * high_uniform(word) - (1 - 2.0**-32)
    angle = 2 * math.pi * low_uniform(word)
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * torch.cos(angle), ring * torch.sin(angle), z], 1)


def rotations(keys: Int64[torch.Tensor, " draws"]) -> Float64[torch.Tensor, "draws 3 3"]:
    """Return rotations from the Haar measure, those of uniform unit quaternions (Shoemake 1992)."""
    share, *turns = uniform(random_word(keys[:, None], TURN + torch.arange(3, device=keys.device))).T
    first, second = (2 * math.pi * turn for turn in turns)
    a = (1 - share).sqrt() * torch.sin(first)
    b = (1 - share).sqrt() * torch.cos(first)
    c = share.sqrt() * torch.sin(second)
    d = share.sqrt() * torch.cos(second)
    return rotation_matrices(torch.stack([a, b, c, d], 1))
