"""Replica-symmetric theory of the Hopfield network at any load: states, free energies and the lines between phases."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.integrate import trapezoid
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from vae_mf.checks import require_energy_scale, require_positive

WIDEST = 2.0
"""Width of the local fields beyond that of any retrieval state, which ends at 0.46 for T = 0."""
NARROWEST = 1e-6
COLDEST = 1e-3
"""Lowest temperature: the points of an average grow as 1 / T."""
WIDEST_NOISE = 2e4
"""Largest deviation of the reduced fields, as the points of an average grow with it."""
RANGE = 8.0
"""Standard deviations of the noise over which averages are taken."""
STEPS = 60
"""Widths at which the largest load of a retrieval state is looked for first."""
SMALLEST_FIELD = 1e-6
"""Smallest reduced field of a condensed pattern; a smaller one counts as none."""


class NetworkState(NamedTuple):
    """A replica-symmetric state of the infinite network with random patterns (J = k_B = 1)."""

    temperature: float
    load: float
    """Patterns for each spin, alpha = P / N."""
    overlap: float
    """Overlap m with the one pattern that is condensed, 0 for none."""
    order: float
    """Edwards-Anderson order parameter q = <s_i>^2, averaged over sites."""
    noise: float
    """Variance r of the overlaps with the other patterns, in units of alpha."""
    free_energy: float
    """Free energy of a spin, for couplings without a diagonal."""
    stability: float
    """Smallest eigenvalue of fluctuations between replicas, in units of 1; below 0 replica symmetry is broken."""


class RetrievalLoads(NamedTuple):
    """Loads at which retrieval states of one temperature change.

    >>> loads = retrieval_loads(0.5)
    >>> loads.largest > loads.coexistence
    True
    """

    largest: float
    """Load beyond which none exists."""
    coexistence: float
    """Load beyond which the spin glass has the lower free energy."""
    symmetric: float
    """Load beyond which their replica symmetry is broken; that of the largest where it never is."""


def spin_glass_temperature(load: float) -> float:
    """Return T_g = 1 + sqrt(alpha), below which the network without a condensed pattern freezes.

    >>> spin_glass_temperature(0.25)
    1.5
    """
    return 1 + float(np.sqrt(require_positive("load", load)))


def retrieval_overlap(temperature: float, load: float) -> float:
    """Return the overlap m of the retrieval state, zero where there is none.

    >>> round(retrieval_overlap(0.1, 0.05), 3), retrieval_overlap(0.1, 0.2)
    (1.0, 0.0)
    """
    state = retrieval_state(temperature, load)
    return 0.0 if state is None else state.overlap


def retrieval_state(temperature: float, load: float) -> NetworkState | None:
    """Return the locally stable state with one condensed pattern, None where there is none.

    It solves m = <tanh b>, q = <tanh^2 b>, r = q / (1 - beta (1 - q))^2 over a standard normal z, with
    b = beta (m + sqrt(alpha r) z).

    Source: Amit, Gutfreund and Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985), equations 3 to 5.

    >>> state = retrieval_state(temperature=0.2, load=0.1)
    >>> round(state.overlap, 3), round(state.order, 3), retrieval_state(0.2, 0.15)
    (0.989, 0.984, None)

    Raises:
        ValueError: if a number is not positive.
    """
    require_positive("load", load)
    if require_warm(temperature) >= 1:
        return None
    widest = widest_retrieval(temperature)
    if load > retrieval_at(temperature, widest).load:
        return None

    def excess(log_width: float) -> float:
        return np.log(retrieval_at(temperature, np.exp(log_width)).load / load)

    return retrieval_at(temperature, np.exp(brentq(excess, *np.log([NARROWEST * widest, widest]), xtol=1e-12)))


def spin_glass_state(temperature: float, load: float) -> NetworkState | None:
    """Return the frozen state without a condensed pattern, None above its temperature.

    >>> state = spin_glass_state(temperature=0.5, load=0.1)
    >>> state.overlap, state.stability < 0, spin_glass_state(1.4, 0.1)
    (0.0, True, None)

    Raises:
        ValueError: if a number is not positive.
    """
    if require_warm(temperature) >= spin_glass_temperature(load):
        return None
    largest = max(WIDEST_NOISE * temperature / WIDEST - 1, 0) ** 2
    if load > largest:
        raise ValueError(
            f"load: expected at most {largest:.3g} at T = {temperature:g}, "
            f"got {load:g}: too many points to average over"
        )

    def excess(log_width: float) -> float:
        state = frozen(temperature, np.exp(log_width))
        return -np.inf if state is None else np.log(state.load / load)

    narrow, wide = np.log([NARROWEST * np.sqrt(load), WIDEST * (1 + np.sqrt(load))]).tolist()
    return frozen(temperature, np.exp(bisected(excess, narrow, wide)))


def paramagnetic_free_energy(temperature: float, load: float) -> float:
    """Return the free energy of a spin of the state without order, that of T >= 1 + sqrt(alpha).

    >>> round(paramagnetic_free_energy(2.0, 0.1), 4)
    -1.4056

    Raises:
        ValueError: at T <= 1, or if the load is not positive.
    """
    if require_energy_scale("temperature", temperature) <= 1:
        raise ValueError(f"temperature: expected one above 1, got {temperature:g}")
    beta = 1 / temperature
    return float(require_positive("load", load) / 2 + load / (2 * beta) * np.log(1 - beta) - temperature * np.log(2))


def retrieval_loads(temperature: float) -> RetrievalLoads:
    """Return the loads at which retrieval states change at this temperature below 1.

    >>> [round(load, 3) for load in retrieval_loads(0.02)]
    [0.138, 0.052, 0.138]

    Args:
        temperature: temperature T, above 0 and below 1 (J = k_B = 1).

    Raises:
        ValueError: unless 0 < T < 1.
    """
    if require_warm(temperature) >= 1:
        raise ValueError(f"temperature: expected one below 1, where patterns are retrieved, got {temperature:g}")
    widest = widest_retrieval(temperature)

    def crossing(height: Callable[[NetworkState], float]) -> float:
        """Return the load where a quantity of the states falls to zero, the largest if it does not."""
        if height(retrieval_at(temperature, widest)) > 0:
            return retrieval_at(temperature, widest).load
        log_widths = np.log([NARROWEST * widest, widest])
        width = brentq(lambda log_width: height(retrieval_at(temperature, np.exp(log_width))), *log_widths)
        return retrieval_at(temperature, np.exp(width)).load

    return RetrievalLoads(
        largest=retrieval_at(temperature, widest).load,
        coexistence=crossing(ahead_of_the_glass),
        symmetric=crossing(lambda state: state.stability),
    )


def ahead_of_the_glass(state: NetworkState) -> float:
    """Return by how much the free energy of a state is below that of the spin glass at its load, which T < 1 has."""
    glass = spin_glass_state(state.temperature, state.load)
    assert glass is not None
    return glass.free_energy - state.free_energy


def require_warm(temperature: float) -> float:
    """Return a temperature, or raise ValueError if it is so low that averages take too many points."""
    if require_energy_scale("temperature", temperature) < COLDEST:
        raise ValueError(f"temperature: expected at least {COLDEST:g}, got {temperature:g}")
    return temperature


def mixture_overlap(temperature: float) -> float:
    """Return the overlap of the symmetric mixture of three patterns with each of them, at vanishing load.

    It solves m = (tanh 3 b + tanh b) / 4 with b = beta m, and is locally stable below T = 0.46.

    Source: Amit, Gutfreund and Sompolinsky, Phys. Rev. A 32, 1007 (1985), section IV.

    >>> round(mixture_overlap(0.01), 6), mixture_overlap(1.0)
    (0.5, 0.0)
    """
    if require_energy_scale("temperature", temperature) >= 1:
        return 0.0
    beta = 1 / temperature
    return float(brentq(lambda m: (np.tanh(3 * beta * m) + np.tanh(beta * m)) / 4 - m, 1e-3 * (1 - temperature), 1.0))


def mixture_stability(temperature: float) -> float:
    """Return the smallest curvature of the free energy at that mixture, below 0 where it is no minimum.

    >>> mixture_stability(0.4) > 0 > mixture_stability(0.5)
    True
    """
    field = mixture_overlap(temperature) / temperature
    aligned = np.tanh(3 * field) ** 2
    mixed = np.tanh(field) ** 2
    order = (aligned + 3 * mixed) / 4
    pair = (aligned - mixed) / 4  # <xi^1 xi^2 tanh^2>
    return float(1 - (1 - order + max(pair, -2 * pair)) / temperature)


@lru_cache(maxsize=1024)
def widest_retrieval(temperature: float) -> float:
    """Return the width of the local fields of the retrieval state at the largest load, where it meets the unstable one.

    At fixed temperature the width sqrt(alpha r) parametrises the states: the load rises with it, then falls.
    """

    def fallen(log_width: float) -> float:
        state = condensed(temperature, float(np.exp(log_width)))
        return 0.0 if state is None else -state.load

    grid = np.linspace(np.log(0.01 * (1 - temperature)), np.log(WIDEST), STEPS)
    best = int(np.argmin([fallen(log_width) for log_width in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, STEPS - 1)]
    return float(np.exp(minimize_scalar(fallen, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x))


def retrieval_at(temperature: float, width: float) -> NetworkState:
    """Return the retrieval state with fields of this width, at most that of the largest load."""
    state = condensed(temperature, width)
    assert state is not None
    return state


def condensed(temperature: float, width: float) -> NetworkState | None:
    """Return the state with a condensed pattern and fields of this width, None if there is none."""
    noise = float(width) / temperature

    def excess(log_field: float) -> float:
        return averages(np.exp(log_field), noise)[0] / np.exp(log_field) - temperature

    narrow, wide = np.log([SMALLEST_FIELD, 1.0001 / temperature])
    if excess(narrow) <= 0:
        return None
    return state_of(temperature, float(np.exp(brentq(excess, narrow, wide, xtol=1e-13))), noise)


def frozen(temperature: float, width: float) -> NetworkState | None:
    """Return the state without a condensed pattern and fields of this width, None if there is none."""
    state = state_of(temperature, 0.0, float(width) / temperature)
    return None if state is None else state._replace(overlap=0.0)  # free of the rounding of a sum


def state_of(temperature: float, field: float, noise: float) -> NetworkState | None:
    """Return the state whose reduced fields are normal with this mean and deviation, None if it responds infinitely."""
    overlap, order, log_cosh, fourth = averages(field, noise).tolist()
    response = (1 - order) / temperature
    if response >= 1:
        return None
    variance = order / (1 - response) ** 2
    load = (noise * temperature) ** 2 / variance
    fluctuations = load * temperature / 2 * (float(np.log1p(-response)) - order / temperature / (1 - response))
    free_energy = (load + overlap**2) / 2 + fluctuations + load * variance * response / 2 - temperature * log_cosh
    stability = 1 - load / temperature**2 / (1 - response) ** 2 * fourth
    return NetworkState(temperature, load, overlap, order, variance, free_energy, stability)


def averages(field: float, noise: float) -> Float[np.ndarray, "4"]:
    """Return <tanh b>, <tanh^2 b>, <ln 2 cosh b> and <sech^4 b>, b normal with this mean and deviation."""
    # A step of the fields of a quarter, for which such sums are exact to rounding.
    z = np.linspace(-RANGE, RANGE, 401 + int(4 * 2 * RANGE * noise))
    reduced = field + noise * z
    tanh = np.tanh(reduced)
    table = np.stack([tanh, tanh**2, np.logaddexp(reduced, -reduced), (1 - tanh**2) ** 2])
    return trapezoid(table * norm.pdf(z), z)


def bisected(function: Callable[[float], float], lower: float, upper: float) -> float:
    """Return where an increasing function that may be minus infinity crosses zero."""
    while function(lower) == -np.inf and upper - lower > 1e-13:
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if function(middle) < 0 else (lower, middle)
    return float(brentq(function, lower, upper, xtol=1e-13))
