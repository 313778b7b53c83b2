"""Naive mean-field and TAP equations of any Ising model: magnetisations and free energies from couplings and fields.

    naive  m_i = tanh beta(sum_j J_ij m_j + h_i)
    TAP    m_i = tanh beta(sum_j J_ij m_j + h_i - beta m_i sum_j J_ij^2 (1 - m_j^2))

Solutions are the stationary points of the matching free energy (Thouless, Anderson and Palmer 1977; Plefka 1982). Deep
in a glass the naive equations have very many, while the TAP iteration, however damped, seldom finds any but m = 0,
whose `tap_stability` is then negative: the expansion behind it has broken down.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import xlogy

from vae_mf.arrays import Couplings, Fields
from vae_mf.checks import require_choice, require_fraction, require_integer, require_positive
from vae_mf.rng import generator
from vae_mf.systems.spin_glass import Ising

Magnetisations = Float[np.ndarray, " sites"]
AnyCouplings = Couplings | sparse.sparray | sparse.spmatrix
TOLERANCE = 1e-10
ITERATIONS = 10_000
SAME_SOLUTION = 1e-5
"""Largest difference of a magnetisation within one solution."""


class MeanFieldSolution(NamedTuple):
    """End of the iteration from one start."""

    magnetisations: Magnetisations
    residual: float
    """Largest violation of the equations, max_i |m_i - tanh(...)|."""
    iterations: int
    converged: bool


class MeanFieldSolutions(NamedTuple):
    """Distinct solutions that the iteration reached, the lowest free energy first."""

    magnetisations: Float[np.ndarray, "solutions sites"]
    free_energies: Float[np.ndarray, " solutions"]
    """Extensive, in units of J = k_B = 1."""
    starts: Int[np.ndarray, " solutions"]
    """Starts that ended in each solution."""
    failed: int
    """Starts that did not converge."""


def naive_mean_field(
    couplings: AnyCouplings,
    fields: Fields | None,
    temperature: float,
    start: Magnetisations | None = None,
    damping: float = 0.5,
    tolerance: float = TOLERANCE,
    iterations: int = ITERATIONS,
) -> MeanFieldSolution:
    """Solve m_i = tanh beta(sum_j J_ij m_j + h_i) by damped iteration.

    Args:
        couplings: J (N, N), symmetric with zero diagonal, dense or sparse.
        fields: h (N,), or None for none.
        temperature: T.
        start: first m (N,), each from -1 to 1; a half up everywhere if None.
        damping: share of the old m kept in every step, from 0 up to but not including 1.
        tolerance: residual at which the iteration has converged.
        iterations: at most this many steps.

    Raises:
        ValueError: if an argument is out of range.
    """
    return _solve_one("naive", couplings, fields, temperature, start, damping, tolerance, iterations)


def tap(
    couplings: AnyCouplings,
    fields: Fields | None,
    temperature: float,
    start: Magnetisations | None = None,
    damping: float = 0.9,
    tolerance: float = TOLERANCE,
    iterations: int = ITERATIONS,
) -> MeanFieldSolution:
    """Solve the TAP equations, naive mean field with Onsager's reaction term, by damped iteration.

    Arguments and errors are those of `naive_mean_field`; the reaction term asks for stronger damping.
    """
    return _solve_one("tap", couplings, fields, temperature, start, damping, tolerance, iterations)


def mean_field_solutions(
    couplings: AnyCouplings,
    fields: Fields | None,
    temperature: float,
    method: str = "naive",
    starts: int = 100,
    seed: int = 0,
    damping: float | None = None,
    tolerance: float = TOLERANCE,
    iterations: int = ITERATIONS,
) -> MeanFieldSolutions:
    """Return all distinct solutions reached from random starts, m_i uniform from -1 to 1, with their free energies.

    Solutions that repel the iteration, such as m = 0 of a ferromagnet below T_c, are not reached.

    Args:
        method: "naive" or "tap".
        starts: number of random starts.
        seed: of the starts.
        damping: None for 0.5 (naive) or 0.9 (TAP).

    Raises:
        ValueError: if an argument is out of range.
    """
    require_choice("method", method, ("naive", "tap"))
    system = Ising(couplings, fields)
    random = generator(require_integer("seed", seed, minimum=0), "mean field starts")
    first = random.uniform(-1, 1, (require_integer("starts", starts), system.sites))
    step = _equations(method, system, temperature)
    damping = {"naive": 0.5, "tap": 0.9}[method] if damping is None else damping
    m, residuals, _ = _iterate(step, first, damping, tolerance, iterations)
    solved = residuals <= tolerance
    groups: list[list[Magnetisations]] = []
    for row in m[solved]:
        home = next((group for group in groups if np.abs(group[0] - row).max() < SAME_SOLUTION), None)
        home.append(row) if home else groups.append([row])
    distinct = np.array([group[0] for group in groups]).reshape(-1, system.sites)
    free = _free_energies(method, system, temperature, distinct)
    order = np.argsort(free)
    counts = np.array([len(group) for group in groups], np.int64)
    return MeanFieldSolutions(distinct[order], free[order], counts[order], int((~solved).sum()))


def naive_free_energy(
    couplings: AnyCouplings, fields: Fields | None, temperature: float, magnetisations: Magnetisations
) -> float:
    """Return F = -1/2 sum_ij J_ij m_i m_j - sum_i h_i m_i - T sum_i S(m_i), an upper bound of the exact -T ln Z.

    S(m) = -sum_+- (1 +- m)/2 ln (1 +- m)/2 is the entropy of one spin. Stationary at naive mean-field solutions.
    """
    return _free_energy("naive", couplings, fields, temperature, magnetisations)


def tap_free_energy(
    couplings: AnyCouplings, fields: Fields | None, temperature: float, magnetisations: Magnetisations
) -> float:
    """Return the naive free energy minus (beta / 4) sum_ij J_ij^2 (1 - m_i^2)(1 - m_j^2), Plefka's second order."""
    return _free_energy("tap", couplings, fields, temperature, magnetisations)


def tap_stability(couplings: AnyCouplings, temperature: float, magnetisations: Magnetisations) -> float:
    """Return 1 - beta^2 rho, negative where the TAP free energy means nothing (Plefka 1982).

    rho is the spectral radius of the matrix J_ij^2 (1 - m_i^2)(1 - m_j^2); for Sherrington-Kirkpatrick couplings the
    condition is Plefka's 1 > (beta^2 / N) sum_i (1 - m_i^2)^2, the line of de Almeida and Thouless.
    """
    system = Ising(couplings)
    spread = 1 - _checked_magnetisations("magnetisations", magnetisations, system.sites) ** 2
    squares = system.couplings * system.couplings
    matrix = spread[:, None] * (squares if isinstance(squares, np.ndarray) else squares.toarray()) * spread
    return float(1 - np.linalg.eigvalsh(matrix)[-1] / require_positive("temperature", temperature) ** 2)


def _free_energy(method, couplings, fields, temperature, magnetisations) -> float:
    system = Ising(couplings, fields)
    m = _checked_magnetisations("magnetisations", magnetisations, system.sites)
    return float(_free_energies(method, system, require_positive("temperature", temperature), m[None])[0])


def _solve_one(method, couplings, fields, temperature, start, damping, tolerance, iterations) -> MeanFieldSolution:
    system = Ising(couplings, fields)
    first = np.full(system.sites, 0.5) if start is None else _checked_magnetisations("start", start, system.sites)
    step = _equations(method, system, temperature)
    m, residuals, used = _iterate(step, first[None], damping, tolerance, iterations)
    return MeanFieldSolution(m[0], float(residuals[0]), int(used[0]), bool(residuals[0] <= tolerance))


def _equations(method: str, system: Ising, temperature: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map m -> tanh(...) on rows of magnetisations (starts, N), of which solutions are the fixed points."""
    beta = 1 / require_positive("temperature", temperature)
    couplings, fields = system.couplings, system.fields

    def naive(m: np.ndarray) -> np.ndarray:
        return np.tanh(beta * (m @ couplings + fields))

    squares = couplings * couplings

    def reaction(m: np.ndarray) -> np.ndarray:
        return np.tanh(beta * (m @ couplings + fields - beta * m * ((1 - m**2) @ squares)))

    return naive if method == "naive" else reaction


def _iterate(step, first: np.ndarray, damping: float, tolerance: float, iterations: int):
    """Iterate every row until its residual is within tolerance; return rows, residuals and iterations used."""
    if damping != 0:
        require_fraction("damping", damping)
    require_positive("tolerance", tolerance)
    m, residuals = first.astype(np.float64), np.full(len(first), np.inf)
    used, active = np.zeros(len(first), np.int64), np.arange(len(first))
    for _ in range(require_integer("iterations", iterations)):
        proposal = step(m[active])
        residuals[active] = np.abs(proposal - m[active]).max(1)
        active, proposal = active[residuals[active] > tolerance], proposal[residuals[active] > tolerance]
        if not active.size:
            break
        m[active] = damping * m[active] + (1 - damping) * proposal
        used[active] += 1
    else:
        residuals[active] = np.abs(step(m[active]) - m[active]).max(1)
    return m, residuals, used


def _free_energies(method: str, system: Ising, temperature: float, m: np.ndarray) -> np.ndarray:
    """Return the free energy of each row of magnetisations (rows, N)."""
    couplings = system.couplings
    entropies = -(xlogy((1 + m) / 2, (1 + m) / 2) + xlogy((1 - m) / 2, (1 - m) / 2)).sum(1)
    energies = -0.5 * (m * (m @ couplings)).sum(1) - m @ np.asarray(system.fields)
    free = energies - temperature * entropies
    if method == "tap":
        spread = 1 - m**2
        free -= (spread * (spread @ (couplings * couplings))).sum(1) / (4 * temperature)
    return free


def _checked_magnetisations(name: str, values: Magnetisations, sites: int) -> Magnetisations:
    m = np.asarray(values, np.float64)
    if m.shape != (sites,):
        raise ValueError(f"{name}: expected shape {(sites,)}, got {m.shape}")
    if not (np.abs(m) <= 1).all():
        raise ValueError(f"{name}: expected magnetisations from -1 to 1, got {m[~(np.abs(m) <= 1)][:3].tolist()}")
    return m
