"""Information that a Hubbard-Stratonovich field has of its configurations: an upper bound on any cut.

Given the field the sites are independent, so that a cut into A and B has I(x_A; x_B) <= I(x; field), by data processing
(paper, eqs. 60-61). The field is the order parameter plus Gaussian noise of variance v ~ 1/N per component, and so

    I(x; field) = h(field) - (d / 2) ln(2 pi e v) = (d / 2) ln N + O(1),

which is also the rate of the exact variational autoencoder of the system.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.arrays import Patterns
from vae_mf.checks import require_energy_scale, require_positive

QUADRATURE_PATTERNS = 3
"""Largest number of patterns over whose field a quadrature is feasible."""
HOTTEST_FIELD = 1e6
"""Largest T / J at which moments of the order parameter are not lost in those of the noise of the field."""
FEWEST = 1000
"""Points in the time of one line of a quadrature at least."""
QUADRATURE_POINTS = 10**8
"""Largest number of points of a quadrature whose values are kept, 1 GB."""


def require_points(name: str, lines: float, width: float | int, largest: int) -> None:
    """Raise ValueError if a quadrature, whose grid is finer the colder it is, takes too many points."""
    points = lines * max(width, FEWEST)
    if points > largest:
        raise ValueError(
            f"{name}: expected a quadrature of at most {largest:.0e} points, got {points:.1e}: raise the temperature"
        )


def overlap_field_information(patterns: Patterns, coupling: float, temperature: float) -> float:
    """Return I(s; phi) of phi = m + Normal(0, v), v = T / (J N), with m the overlaps of s with patterns (P, N).

    p(phi) = w(phi) / W with ln w = -|phi|^2 / (2 v) + sum_i ln 2cosh(J xi_i.phi / T), hence h = ln W - <ln w>.

    >>> round(overlap_field_information(np.ones((1, 256), np.int8), 1.0, 1.0), 2)
    1.46

    Raises:
        ValueError: for more than three patterns, and where it is so cold that the quadrature takes too many points.
    """
    count, sites = patterns.shape
    if count > QUADRATURE_PATTERNS:
        raise ValueError(f"field_information: expected at most {QUADRATURE_PATTERNS} patterns, got {count}")
    beta = coupling / require_energy_scale("temperature", temperature)
    width = 1 / np.sqrt(beta * sites)
    # As in `Hopfield.thermodynamics`: the trapezium rule at 3/4 of the width of the noise errs by 1e-15.
    intervals = (2 + 18 * width) / (0.75 * width)
    require_points("field_information", intervals, intervals ** (count - 1), QUADRATURE_POINTS)
    line = np.arange(-1 - 9 * width, 1 + 9 * width, 0.75 * width)
    others = count - 1
    plane = line[np.indices((line.size,) * others, dtype=np.int64).reshape(others, line.size**others)].T
    classes, sizes = np.unique(patterns * patterns[0], axis=1, return_counts=True)
    log_weights = []
    for first in line:
        fields = beta * (first * classes[0] + plane @ classes[1:])
        square = first**2 + (plane**2).sum(1)
        log_weights.append(np.logaddexp(fields, -fields) @ sizes - square / (2 * width**2))
    return entropy_on_grid(np.stack(log_weights), (line[1] - line[0]) ** count) - gaussian_entropy(width, count)


def sampled_field_bound(order: Float[np.ndarray, "rows components"], noise_variance: float) -> float:
    """Return (1/2) ln det(I + Cov(m) / v), an upper bound on I(x; field) from sampled order parameters m.

    Of all fields with this covariance the Gaussian one has the largest entropy.

    >>> round(sampled_field_bound(np.array([[-0.5], [0.5]]), 0.01), 2)
    1.63
    """
    centred = order - order.mean(0)
    covariance = centred.T @ centred / len(order)
    identity = np.eye(order.shape[1])
    return float(0.5 * np.linalg.slogdet(identity + covariance / require_positive("noise_variance", noise_variance))[1])


def entropy_on_grid(log_weights: Float[np.ndarray, "..."], cell: float) -> float:
    """Return the differential entropy of a density known up to a factor on a grid of cells of equal volume."""
    total = logsumexp(log_weights)
    probabilities = np.exp(log_weights - total)
    return float(total + np.log(cell) - (probabilities * log_weights).sum())


def gaussian_entropy(width: float, dimensions: int) -> float:
    """Return the differential entropy of independent Gaussians of standard deviation ``width``.

    >>> round(gaussian_entropy(1.0, 2), 4)
    2.8379
    """
    return float(dimensions * (0.5 * np.log(2 * np.pi * np.e) + float(np.log(width))))
