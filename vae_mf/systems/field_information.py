"""What the Hubbard-Stratonovich field of a mean-field system knows of its configurations: an upper bound on any cut.

Given the field the sites are independent, so that a cut into A and B has I(x_A; x_B) <= I(x; field), by data processing
(paper, eqs. 60-61). The field is the order parameter plus Gaussian noise of variance v ~ 1/N per component, and so

    I(x; field) = h(field) - (d / 2) ln(2 pi e v) = (d / 2) ln N + O(1),

which is also the rate of the exact variational autoencoder of the system.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.checks import require_positive
from vae_mf.systems.base import System
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import QUADRATURE_PATTERNS, Hopfield
from vae_mf.systems.maier_saupe import MaierSaupe


def field_information(system: System, temperature: float) -> float:
    """Return I(x; field) in nats, exactly.

    Raises:
        ValueError: for a system without such a field, and for a Hopfield model of more than three patterns.
    """
    require_positive("temperature", temperature)
    if isinstance(system, CurieWeiss):
        network = Hopfield(np.ones((1, system.sites), np.int8), system.coupling)
        return overlap_field_information(network, temperature)
    if isinstance(system, Hopfield):
        return overlap_field_information(system, temperature)
    if isinstance(system, MaierSaupe):
        return tensor_field_information(system, temperature)
    raise ValueError(f"field_information: expected curie_weiss, hopfield or maier_saupe, got {system.name}")


def overlap_field_information(system: Hopfield, temperature: float) -> float:
    """Return I(s; phi) of phi = m + Normal(0, v), v = T / (J N), with m the overlaps of the configuration s.

    p(phi) = w(phi) / W with ln w = -|phi|^2 / (2 v) + sum_i ln 2cosh(J xi_i.phi / T), hence h = ln W - <ln w>.

    Raises:
        ValueError: for more than three patterns.
    """
    patterns, sites = system.patterns.shape
    if patterns > QUADRATURE_PATTERNS:
        raise ValueError(f"field_information: expected at most {QUADRATURE_PATTERNS} patterns, got {patterns}")
    beta = system.coupling / temperature
    width = 1 / np.sqrt(beta * sites)
    # As in `Hopfield.thermodynamics`: the trapezium rule at 3/4 of the width of the noise errs by 1e-15.
    line = np.arange(-1 - 9 * width, 1 + 9 * width, 0.75 * width)
    others, points = patterns - 1, line.size ** (patterns - 1)
    plane = line[np.indices((line.size,) * others, dtype=np.int64).reshape(others, points)].T
    classes, sizes = np.unique(system.patterns * system.patterns[0], axis=1, return_counts=True)
    log_weights = []
    for first in line:
        fields = beta * (first * classes[0] + plane @ classes[1:])
        square = first**2 + (plane**2).sum(1)
        log_weights.append(np.logaddexp(fields, -fields) @ sizes - square / (2 * width**2))
    return entropy_on_grid(np.stack(log_weights), (line[1] - line[0]) ** patterns) - gaussian_entropy(width, patterns)


def tensor_field_information(system: MaierSaupe, temperature: float) -> float:
    """Return I(n; A) of A = Q / N + Normal(0, v) per component, v = 2 T / (3 J N), Q the tensor of the directors n."""
    law = system.tensor_law(temperature)
    log_weights = system.log_field_density(law.radius, ((1 - law.shape) / 2) ** 0.25, temperature)
    width = np.sqrt(system.field_variance(temperature))
    log_volume = law.log_partition + 2.5 * np.log(2 * np.pi * width**2)
    return float(log_volume - law.probabilities @ log_weights) - gaussian_entropy(width, 5)


def sampled_field_bound(order: Float[np.ndarray, "rows components"], noise_variance: float) -> float:
    """Return (1/2) ln det(I + Cov(m) / v), an upper bound on I(x; field) from sampled order parameters m.

    Of all fields with this covariance the Gaussian one has the largest entropy.

    Args:
        order: components of the order parameter of every configuration.
        noise_variance: v of every component of the field, given the configuration.
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
    """Return the differential entropy of independent Gaussians of standard deviation ``width``."""
    return dimensions * (0.5 * np.log(2 * np.pi * np.e) + float(np.log(width)))
