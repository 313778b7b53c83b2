"""Exact draws of the eigenvalues of the Maier-Saupe tensor A: a table proposes, rejection makes it exact.

Radius r and shape w = 1 - 2q (see `vae_mf.systems.maier_saupe`) are cut into cells, uniform in r and in q^(1/4). The
log density f(r, q) per volume r^4 dr dq is known at the corners. In a cell it is at most
    max(f(r_0, q_0), f(r_1, q_0)) + h^2 / (8 s^2),   h = r_1 - r_0,
because it falls with q, and because p(A) is a mixture of Gaussians of variance s^2, so that d^2 f / dr^2 >= -1 / s^2
and f nowhere rises further above its chord. A cell is drawn in proportion to its volume times exp(bound), a point
uniformly in it, and accepted with probability exp(f - bound). Between corners f is interpolated by cubics in r and q,
within 1e-5 where draws fall.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.checks import require_reduced_temperature
from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import double_uniform, random_word
from vae_mf.systems.maier_saupe import COLDEST, LARGEST_RADIUS, MaierSaupe

ROWS_PER_WIDTH = 8
"""Cells in r per standard deviation s: enough for the cubics, and to accept nine proposals in ten."""
COLUMNS = 64
NEGLIGIBLE = 50.0
"""Rows of the table end where the density is e^50 below its maximum."""


class TensorTable(NamedTuple):
    """Cells of (r, q) and the log density at their corners."""

    radii: Float[np.ndarray, " edges"]
    shapes: Float[np.ndarray, " column_edges"]
    """Values of q."""
    log_density: Float[np.ndarray, "edges column_edges"]
    bounds: Float[np.ndarray, "rows columns"]
    cumulative: Float[np.ndarray, " cells"]
    """Running sum of the weights of the cells, row by row."""


@lru_cache(maxsize=64)
def tensor_table(system: MaierSaupe, temperature: float) -> TensorTable:
    """Return the table of a system at one temperature, or raise ValueError where it is too cold for one."""
    require_reduced_temperature(temperature, system.coupling, COLDEST, np.inf)
    width = np.sqrt(system.field_variance(temperature))
    step = width / ROWS_PER_WIDTH
    radius = step * np.arange(np.ceil((LARGEST_RADIUS + 12 * width) / step) + 1)
    # The largest density at each radius is that of a rod, w = 1.
    ridge = system.log_field_density(radius[1:], np.zeros(len(radius) - 1), temperature) + 4 * np.log(radius[1:])
    kept = np.flatnonzero(ridge > ridge.max() - NEGLIGIBLE)
    radius = radius[kept[0] : kept[-1] + 2]
    node = np.arange(COLUMNS + 1) / COLUMNS
    rows, columns = np.meshgrid(radius, node, indexing="ij")
    log_density = system.log_field_density(rows, columns, temperature)
    log_density -= log_density.max()
    bounds = np.maximum(log_density[:-1, :-1], log_density[1:, :-1]) + step**2 / (8 * width**2)
    cumulative = np.cumsum(np.exp(bounds) * np.diff(radius**5)[:, None] * np.diff(node**4))
    return TensorTable(radius, node**4, log_density, bounds, cumulative)


@kernel()
def draw_eigenvalues(eigenvalues, table, key, counters, chain):
    """Draw the eigenvalues of A, largest first, by rejection, advancing ``counters[chain]``."""
    columns = table.bounds.shape[1]
    while True:
        uniforms = next_uniforms(key, counters, chain)
        cell = np.searchsorted(table.cumulative, uniforms[0] * table.cumulative[-1], side="right")
        row, column = cell // columns, cell % columns
        inner, outer = table.radii[row] ** 5, table.radii[row + 1] ** 5
        left, right = table.shapes[column], table.shapes[column + 1]
        radius, shape = (inner + uniforms[1] * (outer - inner)) ** 0.2, left + uniforms[2] * (right - left)
        log_density = interpolate(table.log_density, table.radii, table.shapes, row, column, radius, shape)
        if uniforms[3] < np.exp(log_density - table.bounds[row, column]):
            break
    angle = 2 / 3 * np.arcsin(np.sqrt(shape))
    for k in range(3):
        eigenvalues[k] = LARGEST_RADIUS * radius * np.cos(angle - 2 * np.pi / 3 * ((k + 1) % 3 - 1))


@kernel(inline="always")
def next_uniforms(key, counters, chain):
    """Return four float64 uniforms on [0, 1)."""
    counter = counters[chain]
    counters[chain] += np.uint64(4)
    return (
        double_uniform(random_word(key, counter)),
        double_uniform(random_word(key, counter + np.uint64(1))),
        double_uniform(random_word(key, counter + np.uint64(2))),
        double_uniform(random_word(key, counter + np.uint64(3))),
    )


@kernel()
def interpolate(values, xs, ys, row, column, x, y):
    """Return ``values`` at (x, y) in cell (row, column) of the grid ``xs`` by ``ys``, by cubics through 4 x 4 nodes."""
    row = min(max(row - 1, 0), xs.shape[0] - 4)
    column = min(max(column - 1, 0), ys.shape[0] - 4)
    across = cubic_weights(ys, column, y)
    total = 0.0
    for i, along in enumerate(cubic_weights(xs, row, x)):
        line = 0.0
        for j, weight in enumerate(across):
            line += weight * values[row + i, column + j]
        total += along * line
    return total


@kernel(error_model="numpy")
def cubic_weights(nodes, start, t):
    """Return the weights at t of the Lagrange cubic through four nodes from ``start`` on."""
    a, b, c, d = nodes[start], nodes[start + 1], nodes[start + 2], nodes[start + 3]
    return (
        (t - b) * (t - c) * (t - d) / ((a - b) * (a - c) * (a - d)),
        (t - a) * (t - c) * (t - d) / ((b - a) * (b - c) * (b - d)),
        (t - a) * (t - b) * (t - d) / ((c - a) * (c - b) * (c - d)),
        (t - a) * (t - b) * (t - c) / ((d - a) * (d - b) * (d - c)),
    )
