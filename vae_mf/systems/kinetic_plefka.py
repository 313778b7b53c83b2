"""Moments of the kinetic Ising model, step by step, by the Plefka expansions of Aguilera, Moosavi and Shimazaki 2021.

    P(s_i(t) | s(t-1)) = exp(s_i theta_i) / 2cosh theta_i,    theta_i = g_i + d_i,    g_i = h_i + sum_j J_ij m_j(t-1)

with d_i = sum_j J_ij (s_j - m_j). From m and covariances C at t-1 each expansion gives those at t, and the delayed
covariances D_il = <ds_i(t) ds_l(t-1)>. V_ik = sum_jl J_ij J_kl C_jl are covariances of the fields.

- "naive": the first order in J of independent spins at both times, m_i = tanh g_i.
- "t-1,t": the second order, m_i = tanh(g_i - m_i V_ii) with the V of independent spins (the TAP equations of Roudi and
  Hertz 2011), C_ik = (1 - m_i^2)(1 - m_k^2) V_ik, D_il = (1 - m_i^2) J_il C_ll (1 + 2 J_il m_i m_l).
- "t": the same with spins at t alone made independent, and so with the C of t-1.
- "t-1": averages over Gaussian fields, of the variance of independent spins, as many spins make them (Mezard and
  Sakellariou 2011).
- "pairs": the second order about pairs ("Plefka2[t]"): given s_l(t-1), the mean field of i is g_i + (V'_il / C_ll)
  (s_l - m_l) with V'_il = sum_j J_ij C_jl, and its variance what is left; given s_k(t) it is g_i + V_ik (s_k - m_k).

Here the second order of D has the factor 2 that the third moment -2 m (1 - m^2) of a spin gives, in "t-1,t" as in "t".
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields
from vae_mf.checks import require_array, require_choice, require_integer

EXPANSIONS = ("naive", "t-1,t", "t", "t-1", "pairs")
HALVINGS = 60
"""Halvings of the interval of a root, to the last digit."""
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
"""Average over a standard normal number."""


class KineticMoments(NamedTuple):
    """Moments of the spins at one time, and with those of the time before.

    >>> from vae_mf.systems import kinetic_moments
    >>> now = kinetic_moments(np.array([[0.0, 0.1], [0.0, 0.0]]), None, steps=1, expansion="t-1,t")[1]
    >>> now.magnetisations.shape, now.covariances.shape, now.delayed.round(2)
    ((2,), (2, 2), array([[0. , 0.1],
           [0. , 0. ]]))
    """

    magnetisations: Float[np.ndarray, " sites"]
    """m_i(t)."""
    covariances: Float[np.ndarray, "sites sites"]
    """C_ik(t) = <ds_i(t) ds_k(t)>, with 1 - m_i^2 on the diagonal."""
    delayed: Float[np.ndarray, "sites sites"]
    """D_il(t) = <ds_i(t) ds_l(t-1)>; zero at the start."""


class LocalFields(NamedTuple):
    """Law of the local fields theta, as one expansion has it."""

    means: Float[np.ndarray, " sites"]
    """g_i."""
    covariances: Float[np.ndarray, "sites sites"]
    """V_ik."""
    with_spins: Float[np.ndarray, "sites sites"]
    """V'_il, covariances with the spins at t-1."""


def kinetic_moments(
    couplings: Float[np.ndarray, "sites sources"],
    fields: Float[np.ndarray, " fields"] | None,
    steps: int,
    expansion: str,
    start: Float[np.ndarray, " starts"] | None = None,
) -> list[KineticMoments]:
    """Return the moments at times 0 ... ``steps``, from independent spins at time 0.

    Source: Aguilera, Moosavi and Shimazaki 2021.

    >>> moments = kinetic_moments(np.zeros((2, 2)), np.array([0.5, 0.0]), steps=1, expansion="t-1,t")
    >>> moments[1].magnetisations.round(4).tolist()
    [0.4621, 0.0]

    Args:
        couplings: J (N, N), J_ij from j to i, any finite real matrix; its diagonal acts too. Temperature is absorbed.
        fields: h, shape (N,), or None for none.
        steps: number of steps.
        expansion: one of `EXPANSIONS`.
        start: magnetisations at time 0, zero by default.

    Raises:
        ValueError: if a shape is wrong, a number not finite, or the expansion unknown.
    """
    matrix = finite("couplings", couplings)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"couplings: expected shape (N, N), got {matrix.shape}")
    external = site_values("fields", fields, len(matrix))
    m = site_values("start", start, len(matrix))
    if (np.abs(m) > 1).any():
        raise ValueError(f"start: expected magnetisations from -1 to 1, got {np.abs(m).max():g}")
    require_integer("steps", steps, minimum=0)
    require_choice("expansion", expansion, EXPANSIONS)
    moments = [KineticMoments(m, np.diag(1 - m**2), np.zeros_like(matrix))]
    for _ in range(steps):
        moments.append(STEPS[expansion](matrix, external, moments[-1]))
    return moments


def finite(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as a float64 array, or raise ValueError unless all are finite."""
    array = require_array(name, values).astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} others")
    return array


def site_values(name: str, values: Any, sites: int) -> Fields:
    """Return one number for every site, zeros for None, or raise ValueError unless they are such."""
    array = np.zeros(sites) if values is None else finite(name, values)
    if array.shape != (sites,):
        raise ValueError(f"{name}: expected shape {(sites,)}, got {array.shape}")
    return array


def local_fields(couplings: Couplings, fields: Fields, before: KineticMoments, independent: bool) -> LocalFields:
    """Return the law of the local fields from all moments before, or as if the spins had been independent."""
    m = before.magnetisations
    covariances = np.diag(1 - m**2) if independent else before.covariances
    with_spins = couplings @ covariances
    return LocalFields(fields + couplings @ m, with_spins @ couplings.T, with_spins)


def naive_step(couplings: Couplings, fields: Fields, before: KineticMoments) -> KineticMoments:
    """Return the moments of the first order."""
    law = local_fields(couplings, fields, before, independent=True)
    m = np.tanh(law.means)
    return KineticMoments(m, np.diag(1 - m**2), (1 - m**2)[:, None] * law.with_spins)


def independent_step(couplings: Couplings, fields: Fields, before: KineticMoments) -> KineticMoments:
    """Return the moments of Plefka[t-1,t]."""
    return second_order(couplings, local_fields(couplings, fields, before, independent=True), before)


def correlated_step(couplings: Couplings, fields: Fields, before: KineticMoments) -> KineticMoments:
    """Return the moments of Plefka[t]."""
    return second_order(couplings, local_fields(couplings, fields, before, independent=False), before)


def second_order(couplings: Couplings, law: LocalFields, before: KineticMoments) -> KineticMoments:
    """Return the moments of the second order in the fluctuations of the local fields."""
    m = np.tanh(reacting_fields(law.means, np.diag(law.covariances)))
    gain = 1 - m**2
    skewed = 1 + 2 * couplings * np.outer(m, before.magnetisations)
    covariances = with_diagonal(np.outer(gain, gain) * law.covariances, gain)
    return KineticMoments(m, covariances, gain[:, None] * law.with_spins * skewed)


def gaussian_step(couplings: Couplings, fields: Fields, before: KineticMoments) -> KineticMoments:
    """Return the moments of Plefka[t-1], averages over Gaussian fields."""
    law = local_fields(couplings, fields, before, independent=False)
    variances = couplings**2 @ (1 - before.magnetisations**2)
    widths = np.sqrt(variances)
    values = np.tanh(law.means + widths * NODES[:, None])
    m = NODE_WEIGHTS @ values
    gain = 1 - NODE_WEIGHTS @ values**2
    scale = np.where(widths > 0, widths, 1)
    correlations = np.clip(law.covariances / np.outer(scale, scale), -1, 1)
    products = gaussian_products(law.means, widths, correlations, values)
    covariances = with_diagonal((products + products.T) / 2 - np.outer(m, m), 1 - m**2)
    return KineticMoments(m, covariances, gain[:, None] * law.with_spins)


def gaussian_products(
    means: Fields,
    widths: Fields,
    correlations: Float[np.ndarray, "sites sites"],
    values: Float[np.ndarray, "nodes sites"],
) -> Float[np.ndarray, "sites sites"]:
    """Return <tanh theta_i tanh theta_k> of Gaussian fields; ``values`` are tanh theta_i at the nodes."""
    products = np.zeros_like(correlations)
    rest = np.sqrt(1 - correlations**2)
    for node, weight, value in zip(NODES, NODE_WEIGHTS, values, strict=True):
        # theta_k given that of i
        second = sum(
            other_weight * np.tanh(means + widths * (correlations * node + rest * other))
            for other, other_weight in zip(NODES, NODE_WEIGHTS, strict=True)
        )
        products += weight * value[:, None] * second
    return products


def pair_step(couplings: Couplings, fields: Fields, before: KineticMoments) -> KineticMoments:
    """Return the moments of the expansion about pairs."""
    law = local_fields(couplings, fields, before, independent=False)
    own = 1 - before.magnetisations**2
    shifts = np.divide(law.with_spins, own, out=np.zeros_like(law.with_spins), where=own > 0)
    variances = np.maximum(np.diag(law.covariances)[:, None] - shifts**2 * own, 0)
    means, delayed = given_spins(law.means, shifts, variances, before.magnetisations)
    m = means.mean(1)
    _, equal = given_spins(law.means, law.covariances, np.diag(law.covariances)[:, None], m)
    return KineticMoments(m, with_diagonal((equal + equal.T) / 2, 1 - m**2), delayed)


class GivenSpins(NamedTuple):
    """Averages of tanh theta_i over the two values of another spin."""

    means: Float[np.ndarray, "sites sites"]
    covariances: Float[np.ndarray, "sites sites"]


def given_spins(
    means: Fields, shifts: Float[np.ndarray, "sites sites"], variances: Float[np.ndarray, "sites any"], m: Fields
) -> GivenSpins:
    """Return <tanh theta_i> and its covariance with a spin of magnetisation m_l that shifts the field of i."""
    up, down = (np.tanh(reacting_fields(means[:, None] + shifts * (s - m), variances)) for s in (1, -1))
    return GivenSpins((1 + m) / 2 * up + (1 - m) / 2 * down, (up - down) * (1 - m**2) / 2)


def reacting_fields(means: Any, variances: Any) -> Float[np.ndarray, "..."]:
    """Return the only root of theta = g - V tanh theta, by halving the interval from g - V to g + V."""
    low, high = means - variances, means + variances
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = middle + variances * np.tanh(middle) > means
        low = np.where(above, low, middle)
        high = np.where(above, middle, high)
    return (low + high) / 2


def with_diagonal(
    matrix: Float[np.ndarray, "sites sites"], diagonal: Float[np.ndarray, " sites"]
) -> Float[np.ndarray, "sites sites"]:
    """Return a matrix with another diagonal."""
    changed = matrix.copy()
    np.fill_diagonal(changed, diagonal)
    return changed


STEPS = {
    "naive": naive_step,
    "t-1,t": independent_step,
    "t": correlated_step,
    "t-1": gaussian_step,
    "pairs": pair_step,
}
