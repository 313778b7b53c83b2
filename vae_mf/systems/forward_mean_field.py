"""Mean-field theories of an Ising model with any couplings and fields: naive, Thouless-Anderson-Palmer, and Bethe.

In reduced units, J / T and h / T, each approximates ln Z by a function of the magnetisations m that is stationary at

    naive    m_i = tanh(h_i + sum_j J_ij m_j)
    TAP      m_i = tanh(h_i + sum_j J_ij m_j - m_i sum_j J_ij^2 (1 - m_j^2))
    Bethe    m_i = tanh(h_i + sum_j u_ji),  u_ji = atanh(tanh J_ij tanh(h_j + sum_{k != i} u_kj))

The ln Z of the first is a lower bound; TAP is of the second order in J (Plefka 1982), and the third, whose messages u
are those of belief propagation, is exact on trees. The curvature of ln Z gives correlations.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.special import xlogy

from vae_mf.checks import (
    require_array,
    require_choice,
    require_energy_scale,
    require_integer,
    require_kind,
    require_memory,
    require_non_negative,
    require_positive,
    shown,
)
from vae_mf.kernels import kernel
from vae_mf.systems.base import HasCouplings

Magnetisations = Float[np.ndarray, " sites"]


class Iteration(NamedTuple):
    """Rules of the iteration of the equations."""

    sweeps: int = 10_000
    """Sweeps over all sites, at most."""
    tolerance: float = 1e-10
    """Largest change of a magnetisation, or of a message u, with which the iteration ends."""
    damping: float = 0.5
    """Share of the old value in the new one, at least 0 and below 1."""


class MeanField(NamedTuple):
    """Solution of the equations of one theory, or what a budget ended with.

    >>> from vae_mf.systems import CurieWeiss, solve_mean_field
    >>> found = solve_mean_field(CurieWeiss(1000), 0.5, "naive", start=np.full(1000, 0.5))
    >>> found.converged, found.magnetisations[:2].round(2)  # m = tanh(m / T)
    (True, array([0.96, 0.96]))
    """

    converged: bool
    """False where the numbers below solve nothing."""
    sweeps: int
    """Sweeps that were made."""
    change: float
    """Largest change in the last sweep."""
    magnetisations: Magnetisations
    """m, shape (N,)."""
    log_partition: float
    """Estimate of ln Z; F = -T ln Z."""


class Bonds(NamedTuple):
    """Couplings and fields in units of the temperature."""

    couplings: sparse.csr_array
    fields: Magnetisations


DEFAULT = Iteration()
METHODS = ("naive", "tap", "bethe")


def solve_mean_field(
    system: HasCouplings,
    temperature: float,
    method: str,
    start: Magnetisations | None = None,
    iteration: Iteration = DEFAULT,
) -> MeanField:
    """Return magnetisations and ln Z by one of `METHODS`.

    Source: Plefka 1982, for TAP.

    >>> from vae_mf.systems import Ising
    >>> chain = Ising(np.eye(3, k=1) + np.eye(3, k=-1), np.array([0.5, 0.0, 0.0]))
    >>> found = solve_mean_field(chain, 1.0, "bethe")
    >>> found.converged, round(found.log_partition, 6) == round(chain.thermodynamics(1.0).log_partition, 6)
    (True, True)

    Args:
        system: spins with couplings and fields.
        temperature: temperature T.
        method: "naive", "tap" or "bethe".
        start: magnetisations to start from, all zero by default: without fields they are a solution in themselves.
        iteration: rules of the iteration.

    Raises:
        ValueError: if an argument is out of range.
    """
    require_choice("method", method, METHODS)
    require_iteration(iteration)
    bonds = reduced(system, temperature)
    first = checked_magnetisations("start", start, bonds.fields.size)
    solve = believe if method == "bethe" else (lambda *given: magnetise(*given, onsager=method == "tap"))
    m, sweeps, change = solve(bonds, first, iteration)
    return MeanField(change < iteration.tolerance, sweeps, change, m, LOG_PARTITIONS[method](bonds, m))


def response_correlations(
    system: HasCouplings, temperature: float, method: str, magnetisations: Magnetisations
) -> Float[np.ndarray, "sites sites"]:
    """Return connected correlations <s_i s_j> - m_i m_j by linear response, dm_i / dh_j, at a solution of a theory.

    They are exact for "bethe" on a tree; the diagonal is 1 - m_i^2 there, and nearly so elsewhere.

    >>> from vae_mf.systems import Ising, solve_mean_field
    >>> chain = Ising(np.eye(3, k=1) + np.eye(3, k=-1))
    >>> found = solve_mean_field(chain, 2.0, "bethe")
    >>> response_correlations(chain, 2.0, "bethe", found.magnetisations).round(3)  # tanh(1/2)^r
    array([[1.   , 0.462, 0.214],
           [0.462, 1.   , 0.462],
           [0.214, 0.462, 1.   ]])

    Args:
        system: spins with couplings and fields.
        temperature: temperature T.
        method: "naive", "tap" or "bethe".
        magnetisations: solution of the equations of this method, shape (N,).

    Raises:
        ValueError: if an argument is out of range, the matrix does not fit into memory, or the solution is not stable.
    """
    require_choice("method", method, METHODS)
    bonds = reduced(system, temperature)
    m = checked_magnetisations("magnetisations", magnetisations, bonds.fields.size)
    if (np.abs(m) == 1).any():
        raise ValueError(
            "magnetisations: expected numbers between -1 and 1, got spins that are frozen and do not respond"
        )
    require_memory("correlations", 24 * m.size**2, "take a smaller system")
    curvature = CURVATURES[method](bonds.couplings, m)
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        raise ValueError(f"magnetisations: expected a stable solution of {method!r}, got one that fluctuations destroy")
    return np.linalg.inv(curvature)


def reduced(system: Any, temperature: float) -> Bonds:
    """Return couplings and fields of a system in units of the temperature."""
    if not isinstance(system, HasCouplings):
        raise ValueError(f"system: expected one with couplings and fields, such as Ising, got {shown(system)}")
    beta = 1 / require_energy_scale("temperature", temperature)
    couplings = sparse.csr_array(system.couplings, copy=True) * beta
    couplings.eliminate_zeros()
    couplings.sort_indices()
    return Bonds(couplings, beta * np.asarray(system.fields, np.float64))


def require_iteration(iteration: Any) -> None:
    """Raise ValueError unless the rules of an iteration can be followed."""
    require_kind("iteration", iteration, Iteration)
    require_integer("sweeps", iteration.sweeps)
    require_positive("tolerance", iteration.tolerance)
    if require_non_negative("damping", iteration.damping) >= 1:
        raise ValueError(f"damping: expected a number from 0 to below 1, got {iteration.damping!r}")


def checked_magnetisations(name: str, values: Any, sites: int) -> Magnetisations:
    """Return magnetisations, zeros for None, or raise ValueError unless they are N numbers from -1 to 1."""
    array = np.zeros(sites) if values is None and name == "start" else require_array(name, values).astype(np.float64)
    if array.shape != (sites,):
        raise ValueError(f"{name}: expected {sites} magnetisations from -1 to 1, got shape {array.shape}")
    if not (np.abs(array) <= 1).all():
        raise ValueError(
            f"{name}: expected {sites} magnetisations from -1 to 1, got {array[~(np.abs(array) <= 1)][0]:g}"
        )
    return array


class Fixed(NamedTuple):
    """Magnetisations at the end of an iteration."""

    magnetisations: Magnetisations
    sweeps: int
    change: float


def magnetise(bonds: Bonds, start: Magnetisations, iteration: Iteration, onsager: bool) -> Fixed:
    """Iterate the naive equations, or those with the reaction term of Onsager.

    That term has m_i from one sweep before, which keeps the iteration stable where the solution is (Bolthausen 2014).
    """
    squares = bonds.couplings**2
    m = before = start
    change = np.inf
    for sweep in range(1, iteration.sweeps + 1):
        reaction = before * (squares @ (1 - m**2)) if onsager else 0.0
        new = np.tanh(bonds.fields + bonds.couplings @ m - reaction)
        change = float(np.abs(new - m).max())
        before = m
        m = new + iteration.damping * (m - new)
        if change < iteration.tolerance:
            return Fixed(m, sweep, change)
    return Fixed(m, iteration.sweeps, change)


def believe(bonds: Bonds, start: Magnetisations, iteration: Iteration) -> Fixed:
    """Iterate the messages of belief propagation."""
    matrix = bonds.couplings
    bonded = matrix.tocoo()
    # Sorted by columns, the entries of a symmetric matrix are the mirror images of those sorted by rows.
    mirror = np.lexsort((bonded.row, bonded.col))
    messages = np.arctanh(np.tanh(matrix.data) * start[matrix.indices])
    fields = np.empty_like(bonds.fields)
    sweeps, change = pass_messages(messages, fields, bonds.fields, matrix.indptr, matrix.data, mirror, *iteration)
    return Fixed(np.tanh(fields), sweeps, change)


@kernel(error_model="numpy")
def pass_messages(messages, fields, external, bounds, couplings, mirror, sweeps, tolerance, damping):
    """Sweep over the messages u, one for every entry of J; return the number of sweeps and the last change."""
    new = np.empty_like(messages)
    change = np.inf
    for sweep in range(sweeps):
        change = 0.0
        for site in range(external.shape[0]):
            fields[site] = external[site]
            for entry in range(bounds[site], bounds[site + 1]):
                fields[site] += messages[entry]
            for entry in range(bounds[site], bounds[site + 1]):
                cavity = fields[site] - messages[entry]
                coupling = couplings[entry]
                # atanh(tanh J tanh h), which keeps its digits at low temperature
                sent = 0.5 * (log_cosh(coupling + cavity) - log_cosh(coupling - cavity))
                new[mirror[entry]] = sent
        for entry in range(messages.shape[0]):
            change = max(change, abs(new[entry] - messages[entry]))
            messages[entry] = new[entry] + damping * (messages[entry] - new[entry])
        if change < tolerance:
            return sweep + 1, change
    return sweeps, change


@kernel(inline="always")
def log_cosh(x):
    """Return ln(2 cosh x)."""
    return abs(x) + np.log1p(np.exp(-2 * abs(x)))


def site_entropy(m: Magnetisations) -> Float[np.ndarray, " sites"]:
    """Return the entropy of independent spins."""
    return -xlogy((1 + m) / 2, (1 + m) / 2) - xlogy((1 - m) / 2, (1 - m) / 2)


def naive_log_partition(bonds: Bonds, m: Magnetisations) -> float:
    """Return ln Z of independent spins in the fields of the others."""
    return float(m @ (bonds.couplings @ m) / 2 + bonds.fields @ m + site_entropy(m).sum())


def tap_log_partition(bonds: Bonds, m: Magnetisations) -> float:
    """Return ln Z with the term of the second order in J."""
    spread = 1 - m**2
    return naive_log_partition(bonds, m) + float(spread @ (bonds.couplings**2 @ spread) / 4)


def bethe_log_partition(bonds: Bonds, m: Magnetisations) -> float:
    """Return ln Z of pairs and sites, sum_bonds (J <ss'> + S_pair - S_i - S_j) + sum_sites (h m + S_i)."""
    upper = sparse.triu(bonds.couplings).tocoo()
    first, second = m[upper.row], m[upper.col]
    product = pair_products(upper.data, first, second)
    joint = np.array([1 + a * first + b * second + a * b * product for a in (1, -1) for b in (1, -1)]) / 4
    joint = np.maximum(joint, 0)  # rounding of a state that is all but impossible
    pairs = upper.data * product - xlogy(joint, joint).sum(0) - site_entropy(first) - site_entropy(second)
    return float(pairs.sum() + bonds.fields @ m + site_entropy(m).sum())


def pair_products(
    couplings: Float[np.ndarray, " bonds"], first: Float[np.ndarray, " bonds"], second: Float[np.ndarray, " bonds"]
) -> Float[np.ndarray, " bonds"]:
    """Return <ss'> of pairs of spins with a coupling, in fields that give them their magnetisations."""
    t = np.tanh(couplings)
    shift = (first - second * t) * (second - first * t)
    root = np.sqrt(np.maximum((1 - t**2) ** 2 - 4 * t * shift, 0))
    return 2 * (t + shift) / (1 + t**2 + root)


def naive_curvature(couplings: sparse.csr_array, m: Magnetisations) -> Float[np.ndarray, "sites sites"]:
    """Return dh_i / dm_j of the naive theory."""
    return np.diag(1 / (1 - m**2)) - couplings.toarray()


def tap_curvature(couplings: sparse.csr_array, m: Magnetisations) -> Float[np.ndarray, "sites sites"]:
    """Return dh_i / dm_j of TAP."""
    reaction = couplings**2 @ (1 - m**2)
    return np.diag(1 / (1 - m**2) + reaction) - couplings.toarray() - 2 * couplings.toarray() ** 2 * np.outer(m, m)


def bethe_curvature(couplings: sparse.csr_array, m: Magnetisations) -> Float[np.ndarray, "sites sites"]:
    """Return dh_i / dm_j of the Bethe theory: the inverse covariances of all pairs, sites counted once."""
    entries = couplings.tocoo()
    first, second = m[entries.row], m[entries.col]
    covariance = pair_products(entries.data, first, second) - first * second
    determinant = (1 - first**2) * (1 - second**2) - covariance**2
    own = (1 - second**2) / determinant - 1 / (1 - first**2)
    curvature = sparse.coo_array((-covariance / determinant, (entries.row, entries.col)), entries.shape).toarray()
    return curvature + np.diag(1 / (1 - m**2) + np.bincount(entries.row, own, minlength=m.size))


LOG_PARTITIONS: dict[str, Callable[[Bonds, Magnetisations], float]] = {
    "naive": naive_log_partition,
    "tap": tap_log_partition,
    "bethe": bethe_log_partition,
}
CURVATURES: dict[str, Callable[[sparse.csr_array, Magnetisations], Float[np.ndarray, "sites sites"]]] = {
    "naive": naive_curvature,
    "tap": tap_curvature,
    "bethe": bethe_curvature,
}
