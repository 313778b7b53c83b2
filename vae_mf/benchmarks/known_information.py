"""Exact nats of laws of rows: total correlations, what is left of them given a noisy order parameter, and planted ones.

The order parameter of a Curie-Weiss ferromagnet with Gaussian noise, z = m + Normal(0, c v), v = T / (J N), is its
Hubbard-Stratonovich field for c = 1, given which nothing is left. For any other c all arrangements of k spins up remain
equally likely, so that sums over k and a grid of z give C(x|z) = N <h(x_i|z)> - H(x|z) exactly.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import entr, logsumexp

from vae_mf.checks import require_positive
from vae_mf.packing import all_configurations
from vae_mf.systems import CurieWeiss
from vae_mf.systems.field_information import gaussian_entropy

WIDTHS = 9.0
"""Reach of a grid beyond the order parameter, in widths of its noise."""
STEP = 0.25
"""Distance of its points in these widths."""
NODES = 80
"""Points of the quadrature over a normal latent variable."""


def noise_variance(system: CurieWeiss, temperature: float, noise: float) -> float:
    """Return c v, v = T / (J N), the variance of the noise on the magnetisation."""
    return require_positive("noise", noise) * temperature / (system.coupling * system.sites)


def left_by_noisy_order(system: CurieWeiss, temperature: float, noise: float) -> float:
    """Return C(x|z) in nats of a Curie-Weiss ferromagnet given z = m + Normal(0, noise T / (J N)).

    >>> abs(left_by_noisy_order(CurieWeiss(32), 0.9, noise=1.0)) < 1e-9
    True

    Args:
        system: the ferromagnet.
        temperature: T.
        noise: variance of the noise, in units of that of the Hubbard-Stratonovich field.
    """
    law = system.order_parameter_law(temperature)
    width = np.sqrt(noise_variance(system, temperature, noise))
    grid = np.arange(-1 - WIDTHS * width, 1 + WIDTHS * width, STEP * width)
    with np.errstate(divide="ignore"):
        log_joint = np.log(law.probabilities) - (grid[:, None] - law.values) ** 2 / (2 * width**2)
    log_density = logsumexp(log_joint, axis=1)
    weights = np.exp(log_density - logsumexp(log_density))
    mean = np.exp(log_joint - log_density[:, None]) @ law.values
    of_sites = system.sites * float(weights @ binary_entropy(mean))
    log_cell = np.log(STEP * width)
    of_z = float(-weights @ (np.log(weights.clip(min=np.finfo(float).tiny)) - log_cell))
    information = of_z - gaussian_entropy(width, 1)
    return of_sites - (system.thermodynamics(temperature).entropy - information)


def binary_entropy(mean: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the entropy in nats of signs with these means.

    >>> binary_entropy(np.array([0.0, 1.0])).round(4).tolist()
    [0.6931, 0.0]
    """
    up = ((1 + mean) / 2).clip(0, 1)
    return entr(up) + entr(1 - up)


def group_law(order: int, tilt: float, field: Float[np.ndarray, " fields"]) -> Float[np.ndarray, "fields states"]:
    """Return the probabilities of all states of a group of signs, the last of which follows the product of the others.

    All but the last are independent with log-odds 2 h; the last has the log-odds 2 (h + tilt x_1 ... x_{k-1}). State
    number n has sign i up where bit i of n is set.

    >>> group_law(2, 0.0, np.zeros(1)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]

    Args:
        order: number k of signs.
        tilt: strength of the product.
        field: values of h.
    """
    states = all_configurations(order).astype(np.float64)
    products = states[:, :-1].prod(1)
    own = field[:, None] * states[:, :-1].sum(1) - (order - 1) * np.logaddexp(field, -field)[:, None]
    last = field[:, None] + tilt * products
    return np.exp(own + last * states[:, -1] - np.logaddexp(last, -last))


def group_total_correlation(law: Float[np.ndarray, "fields states"]) -> Float[np.ndarray, " fields"]:
    """Return the total correlation in nats of the laws of a group.

    >>> round(float(group_total_correlation(np.array([[0.5, 0.0, 0.0, 0.5]]))[0]), 4)
    0.6931
    """
    order = law.shape[1].bit_length() - 1
    means = law @ all_configurations(order).astype(np.float64)
    return binary_entropy(means).sum(1) - entr(law).sum(1)


def group_information(law: Float[np.ndarray, " states"], members: int) -> float:
    """Return the mutual information in nats of the first members of a group and the others.

    >>> round(group_information(np.array([0.5, 0.0, 0.0, 0.5]), 1), 4)
    0.6931
    """
    joint = law.reshape(-1, 2**members)
    return float(entr(joint.sum(0)).sum() + entr(joint.sum(1)).sum() - entr(joint).sum())


def normal_nodes() -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
    """Return points and weights of the Gauss-Hermite rule for means over a standard normal variable."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return points, weights / weights.sum()


def left_in_groups(groups: int, order: int, tilt: float, loading: float) -> float:
    """Return C(x|z) in nats of groups of signs with fields ``loading`` z, z a standard normal variable.

    >>> round(left_in_groups(3, 2, 20.0, 0.0), 4)  # three pairs of equal signs
    2.0794
    """
    points, weights = normal_nodes()
    return float(groups * weights @ group_total_correlation(group_law(order, tilt, loading * points)))
