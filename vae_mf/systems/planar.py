"""Exact theory of planar glasses of any size: partition functions as determinants, ground states by matching.

For a graph drawn in the plane with straight bonds that do not cross (Kac and Ward 1952; Lis 2016)
    Z = 2^N prod_bonds cosh(J / T) sqrt(det(1 - W)),   W_ef = tanh(J_e / T) exp(i angle(e, f) / 2)
for directed bonds e, f such that f begins where e ends and does not go back, angle(e, f) the turn between them. The sum
has no sign to fear: couplings may be anything. In a ground state the unsatisfied bonds join frustrated plaquettes in
pairs, or with the outside, at the least total |J| (Bieche, Maynard, Rammal and Uhry 1980).
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int64
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from vae_mf.arrays import Spins
from vae_mf.checks import require_energy_scale, require_integer
from vae_mf.systems.base import Thermodynamics
from vae_mf.systems.couplings import checked_couplings

LARGEST_ROUNDING = 1e-6
"""Largest bound on the rounding of ln Z that passes; differences make it at most 1e-4 in U at T = 0.3."""
STEP = 5e-3
"""Relative steps in 1 / T of the derivatives of ln Z, by differences of fourth order."""


class GroundState(NamedTuple):
    """Lowest energy and one configuration that has it."""

    energy: float
    spins: Spins


def planar_log_partition(
    couplings: sparse.csr_array, places: Float[np.ndarray, "sites 2"], temperature: float
) -> float:
    """Return ln Z without fields, exact for a graph drawn in the plane with straight bonds that do not cross.

    >>> pair = sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> log_partition = planar_log_partition(pair, np.array([[0.0, 0.0], [0.0, 1.0]]), 1.0)
    >>> bool(abs(log_partition - np.log(4 * np.cosh(1))) < 1e-12)
    True

    Args:
        couplings: J, shape (N, N), symmetric.
        places: coordinates of the sites.
        temperature: T > 0; the determinant is lost in rounding below about 0.15 J at 64 sites, 0.3 J at 4096.

    Raises:
        ValueError: if the couplings are not symmetric, there is not one place for each site, or the temperature is not
            positive, or so low that rounding may change ln Z by 1e-6, or two bonds cross.
    """
    matrix = sparse.csr_array(checked_couplings(couplings))
    if places.shape != (matrix.shape[0], 2) or not np.isfinite(places).all():
        raise ValueError(f"places: expected finite numbers of shape {(matrix.shape[0], 2)}, got shape {places.shape}")
    reduced = sparse.coo_array(matrix / require_energy_scale("temperature", temperature))
    require_no_crossing(reduced, places)
    magnitudes = np.abs(reduced.data)
    log_cosh = magnitudes + np.log1p(np.exp(-2 * magnitudes)) - np.log(2)
    return float(len(places) * np.log(2) + log_cosh.sum() / 2 + log_determinant(reduced, places) / 2)


def require_no_crossing(bonds: sparse.coo_array, places: Float[np.ndarray, "sites 2"]) -> None:
    """Raise ValueError if two bonds without a common site cross, as straight lines between their sites."""
    once = bonds.coords[0] < bonds.coords[1]
    ends = np.stack([coords[once] for coords in bonds.coords], axis=1)
    if len(ends) < 2:
        return
    first, second = places[ends[:, 0]], places[ends[:, 1]]
    # Midpoints of bonds that cross are no further apart than the longest bond.
    longest = float(np.linalg.norm(second - first, axis=1).max())
    pairs = KDTree((first + second) / 2).query_pairs(longest, output_type="ndarray")
    a, b = ends[pairs[:, 0]].T
    c, d = ends[pairs[:, 1]].T
    cross = sides(places, a, b, c) * sides(places, a, b, d) < 0
    cross &= sides(places, c, d, a) * sides(places, c, d, b) < 0
    if cross.any():
        at = int(cross.argmax())
        one = int(a[at]), int(b[at])
        other = int(c[at]), int(d[at])
        raise ValueError(f"places: expected bonds that do not cross, got {one} and {other} that do")


def sides(
    places: Float[np.ndarray, "sites 2"],
    tail: Int[np.ndarray, " pairs"],
    head: Int[np.ndarray, " pairs"],
    other: Int[np.ndarray, " pairs"],
) -> Float[np.ndarray, " pairs"]:
    """Return -1, 0 or 1 for the side of a bond that another site lies on."""
    along = places[head] - places[tail]
    across = places[other] - places[tail]
    return np.sign(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0])


def log_determinant(reduced: sparse.coo_array, places: Float[np.ndarray, "sites 2"]) -> float:
    """Return ln det(1 - W) of the Kac-Ward matrix of J / T."""
    tails, heads = reduced.coords
    ends = sparse.csr_array((np.ones(len(heads)), (np.arange(len(heads)), heads)), (len(heads), len(places)))
    begins = sparse.csr_array((np.ones(len(tails)), (tails, np.arange(len(tails)))), (len(places), len(tails)))
    steps = sparse.coo_array(ends @ begins)
    first, second = steps.coords
    forward = tails[first] != heads[second]
    first, second = first[forward], second[forward]
    direction = np.arctan2(*(places[heads] - places[tails]).T)
    turn = (direction[second] - direction[first] + np.pi) % (2 * np.pi) - np.pi
    values = np.tanh(reduced.data[first]) * np.exp(0.5j * turn)
    matrix = sparse.eye_array(len(heads), format="csc") - sparse.csc_array((values, (first, second)), (len(heads),) * 2)
    pivots = np.abs(splu(sparse.csc_matrix(matrix)).U.diagonal()) if len(heads) else np.ones(1)
    with np.errstate(divide="ignore"):
        rounding = np.finfo(float).eps * (1 / pivots).sum()
    if not rounding < LARGEST_ROUNDING:
        raise ValueError(
            "temperature: expected a higher one, for ln Z is lost in rounding "
            f"(up to {rounding:.1g}, {LARGEST_ROUNDING:g} allowed)"
        )
    return float(np.log(pivots).sum())


def planar_thermodynamics(
    couplings: sparse.csr_array, places: Float[np.ndarray, "sites 2"], temperature: float
) -> Thermodynamics:
    """Return ln Z, U, C and S of a planar glass, U and C by differences of ln Z in 1 / T.

    >>> pair = sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> exact = planar_thermodynamics(pair, np.array([[0.0, 0.0], [0.0, 1.0]]), 1.0)
    >>> bool(abs(exact.energy + np.tanh(1)) < 1e-9)
    True
    """
    beta = 1 / require_energy_scale("temperature", temperature)
    step = STEP * beta
    far_below, below, here, above, far_above = (
        planar_log_partition(couplings, places, 1 / (beta + k * step)) for k in range(-2, 3)
    )
    energy = -(far_below - 8 * below + 8 * above - far_above) / (12 * step)
    curvature = (-far_below + 16 * below - 30 * here + 16 * above - far_above) / (12 * step**2)
    return Thermodynamics(temperature, here, energy, beta**2 * curvature, here + beta * energy)


def square_places(side: int) -> Float[np.ndarray, "sites 2"]:
    """Return the coordinates of the sites of a square lattice, row by row.

    >>> square_places(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    return np.indices((side, side)).reshape(2, -1).T.astype(np.float64)


def square_ground_state(couplings: sparse.csr_array, side: int) -> GroundState:
    """Return a ground state of a square lattice with free boundaries, by minimum-weight perfect matching.

    A square of side 100 takes 0.2 s, one of side 300 three seconds.

    Args:
        couplings: J, shape (N, N), between neighbours of the lattice only, sites row by row.
        side: linear size L, N = L^2.

    Raises:
        ValueError: if couplings are not symmetric or join sites that are no neighbours, or the package pymatching is
            not installed.
    """
    require_integer("side", side, minimum=2)
    lattice = np.arange(side**2).reshape(side, side)
    left = np.concatenate([lattice[:, :-1].ravel(), lattice[:-1].ravel()])
    right = np.concatenate([lattice[:, 1:].ravel(), lattice[1:].ravel()])
    if couplings.shape != (side**2, side**2):
        raise ValueError(
            f"couplings: expected shape {(side**2,) * 2} for a square of side {side}, got {couplings.shape}"
        )
    values = np.asarray(sparse.csr_array(checked_couplings(couplings))[left, right]).ravel()
    elsewhere = couplings.count_nonzero() - 2 * np.count_nonzero(values)
    if elsewhere:
        raise ValueError(f"couplings: expected bonds between neighbours of a square alone, got {elsewhere} others")
    unsatisfied = matched_bonds(left, right - left == side, values, side)
    sign = np.where(values < 0, -1, 1) * np.where(unsatisfied, -1, 1)
    across, down = np.split(sign.astype(np.int8), 2)
    first_column = np.cumprod(np.append(1, down.reshape(side - 1, side)[:, 0]))
    rows = np.column_stack([first_column, across.reshape(side, side - 1)])
    energy = 2 * np.abs(values)[unsatisfied].sum() - np.abs(values).sum()
    return GroundState(float(energy), np.cumprod(rows, axis=1).astype(np.int8).ravel())


def matched_bonds(
    left: Int64[np.ndarray, " bonds"], down: Bool[np.ndarray, " bonds"], values: Float[np.ndarray, " bonds"], side: int
) -> Bool[np.ndarray, " bonds"]:
    """Return True for the bonds of a matching of the frustrated plaquettes at the least total |J|."""
    matching = empty_matching()
    outside = (side - 1) ** 2
    rows, columns = np.divmod(left, side)
    # A bond separates the plaquettes above and below it, or left and right of it.
    before = np.where(down, plaquette(rows, columns - 1, side), plaquette(rows - 1, columns, side))
    after = plaquette(rows, columns, side)
    weakest_first = np.argsort(np.abs(values), kind="stable")
    pairs = np.sort(np.stack([before, after]), axis=0)[:, weakest_first]
    # Of the two outer bonds of a corner the weaker one is enough.
    kept = weakest_first[np.unique(pairs, axis=1, return_index=True)[1]]
    for number, bond in enumerate(kept):
        matching.add_edge(int(before[bond]), int(after[bond]), fault_ids=number, weight=float(abs(values[bond])))
    matching.set_boundary_nodes({outside})
    negative = np.bincount(before, values < 0, outside + 1) + np.bincount(after, values < 0, outside + 1)
    unsatisfied = np.zeros(len(left), bool)
    unsatisfied[kept] = matching.decode(negative[:outside] % 2 == 1)
    return unsatisfied


def empty_matching() -> Any:
    """Return a graph of pymatching to find matchings in.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        from pymatching import Matching  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        said = "matching: expected the package pymatching, got none: pip install 'vae_mf[matching]'"
        raise ValueError(said) from error
    return Matching()


def plaquette(
    rows: Int64[np.ndarray, " bonds"], columns: Int64[np.ndarray, " bonds"], side: int
) -> Int64[np.ndarray, " bonds"]:
    """Return the number of a plaquette by its upper left corner, and (L - 1)^2 for the outside."""
    inside = (rows >= 0) & (rows < side - 1) & (columns >= 0) & (columns < side - 1)
    return np.where(inside, rows * (side - 1) + columns, (side - 1) ** 2)
