"""Ising models with any couplings and fields, and the two classical spin glasses; exact up to 20 sites."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.checks import plain_array, require_choice, require_fraction, require_integer, require_positive
from vae_mf.packing import MAXIMUM_SITES
from vae_mf.rng import generator
from vae_mf.systems.base import Magnet, OrderParameterLaw, Thermodynamics
from vae_mf.systems.couplings import checked_couplings
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.planar import planar_thermodynamics, square_places


@dataclass(frozen=True, eq=False)
class Ising(Magnet):
    """Generic Ising model, E = -sum_{i<j} J_ij s_i s_j - sum_i h_i s_i.

    The order parameter is the magnetisation per site and the basin its sign: the only labels that need no knowledge of
    the valleys, which in a glass are many and unknown.

    >>> chain = Ising(np.eye(3, k=1) + np.eye(3, k=-1))
    >>> chain.energy(np.array([[1, 1, 1]], np.int8)).tolist()
    [-2.0]

    Args:
        couplings: J, shape (N, N), symmetric with zero diagonal; a SciPy sparse matrix is kept sparse (CSR).
        fields: h, shape (N,), or None for none.

    Raises:
        ValueError: if a shape is wrong, a value is not finite, J is not symmetric or its diagonal not zero.
    """

    couplings: Couplings | sparse.sparray | sparse.spmatrix
    fields: Fields | None = None
    name = "ising"
    default_sampler = "vae_mf.samplers.IsingMetropolis"

    def __post_init__(self) -> None:
        couplings = checked_couplings(self.couplings)
        object.__setattr__(self, "couplings", couplings)
        object.__setattr__(self, "fields", checked_fields(self.fields, couplings.shape[0]))

    @property
    def symmetries(self) -> tuple[str, ...]:
        """The flip of all spins, unless a field breaks it."""
        return () if np.any(self.fields) else ("spin_flip",)

    @property
    def sites(self) -> int:
        """Number of spins N."""
        return self.couplings.shape[0]

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the energy of each configuration (..., N)."""
        rows = spins.reshape(-1, self.sites).astype(np.float64)
        pairs = np.einsum("ri,ri->r", rows, rows @ self.couplings)
        return (-0.5 * pairs - rows @ np.asarray(self.fields)).reshape(spins.shape[:-1])

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S by enumeration.

        Raises:
            ValueError: above 20 sites.
        """
        return enumerate_system(self, temperature).thermodynamics

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the law of the magnetisation by enumeration."""
        exact = enumerate_system(self, temperature)
        up = (exact.spins > 0).sum(-1)
        probabilities = np.bincount(up, exact.probabilities, minlength=self.sites + 1)
        return OrderParameterLaw(2 * np.arange(self.sites + 1) / self.sites - 1, probabilities)


class SherringtonKirkpatrick(Ising):
    """Fully connected spin glass with Gaussian couplings; its transition is at T_c = J for J0 = 0.

    Source: Sherrington and Kirkpatrick, Physical Review Letters 35 (1975) 1792.

    >>> glass = SherringtonKirkpatrick.random(sites=12, seed=1)
    >>> glass.couplings.shape, round(glass.thermodynamics(0.5).energy / 12, 3)
    ((12, 12), -0.502)
    """

    name = "sherrington_kirkpatrick"

    @classmethod
    def random(cls, sites: int, seed: int, mean: float = 0.0, scale: float = 1.0) -> "SherringtonKirkpatrick":
        """Return one sample of the disorder, J_ij ~ Normal(J0 / N, J^2 / N) for i < j, J0 = ``mean`` and J = ``scale``.

        >>> SherringtonKirkpatrick.random(sites=100, seed=1).couplings.shape
        (100, 100)
        """
        require_integer("sites", sites, minimum=2)
        require_positive("scale", scale)
        if not np.isfinite(mean):
            raise ValueError(f"mean: expected a finite number, got {mean!r}")
        noise = generator(require_integer("seed", seed, minimum=0), "couplings").standard_normal((sites, sites))
        upper = np.triu(mean / sites + scale / np.sqrt(sites) * noise, 1)
        return cls(upper + upper.T)


@dataclass(frozen=True, eq=False)
class EdwardsAnderson(Ising):
    """Nearest-neighbour spin glass on a lattice; it orders at T > 0 in three dimensions and only at T = 0 in two.

    Source: Edwards and Anderson, Journal of Physics F 5 (1975) 965.

    >>> glass = EdwardsAnderson.random(side=6, dimension=2, disorder="pm", seed=1, boundary="free")
    >>> round(glass.thermodynamics(1.0).energy / glass.sites, 3)  # exact at any size on an open square
    -1.074

    Args:
        open_side: side of a square lattice with free boundaries, whose sums are exact at any size; None otherwise.
    """

    open_side: int | None = None
    name = "edwards_anderson"

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S, by a determinant on a square with free boundaries, else by enumeration.

        Raises:
            ValueError: above 20 sites elsewhere, and where the determinant is lost in rounding, at low temperatures.
        """
        if self.open_side is None or self.sites <= MAXIMUM_SITES:
            return super().thermodynamics(temperature)
        return planar_thermodynamics(self.couplings, square_places(self.open_side), temperature)

    @classmethod
    def random(
        cls,
        side: int,
        dimension: int,
        disorder: str,
        seed: int,
        positive: float = 0.5,
        boundary: str = "periodic",
    ) -> "EdwardsAnderson":
        """Return one sample of the disorder, one bond per site and direction.

        >>> glass = EdwardsAnderson.random(side=4, dimension=3, disorder="pm", seed=1)
        >>> glass.sites, glass.couplings.nnz
        (64, 384)

        Args:
            side: linear size L >= 2; at L = 2 the torus joins neighbours twice and their two bonds add.
            disorder: "pm" for +1 and -1, "gaussian" for Normal(0, 1).
            positive: probability of +1 for "pm", strictly between 0 and 1.
            boundary: "periodic" for a torus, "free" for a square or a cube, which in two dimensions is planar.
        """
        require_integer("side", side, minimum=2)
        if dimension not in (2, 3):
            raise ValueError(f"dimension: expected 2 or 3, got {dimension!r}")
        require_choice("disorder", disorder, ("pm", "gaussian"))
        require_fraction("positive", positive)
        require_choice("boundary", boundary, ("periodic", "free"))
        if disorder == "gaussian" and positive != 0.5:
            raise ValueError(f"positive: expected 0.5, for it says nothing of disorder=gaussian, got {positive:g}")
        random = generator(require_integer("seed", seed, minimum=0), "couplings")
        shape = (dimension, side**dimension)
        if disorder == "gaussian":
            bonds = random.standard_normal(shape)
        elif positive == 0.5:  # drawn as it was before there was a bias, so that a seed still gives its glass
            bonds = random.choice([-1.0, 1.0], shape)
        else:
            bonds = np.where(random.random(shape) < positive, 1.0, -1.0)
        free = boundary == "free"
        return cls(lattice_couplings(bonds, side, free), open_side=side if free and dimension == 2 else None)


def lattice_couplings(bonds: Float[np.ndarray, "dimension sites"], side: int, free: bool = False) -> sparse.csr_array:
    """Return the couplings of a torus from the bond of each site (row-major) to its next one along each axis.

    >>> lattice_couplings(np.ones((2, 9)), side=3).sum(0).tolist()  # four neighbours
    [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]

    Args:
        free: leave out the bonds that close the torus.
    """
    dimension, sites = bonds.shape
    lattice = np.arange(sites).reshape((side,) * dimension)
    following = np.array([np.roll(lattice, -1, axis).ravel() for axis in range(dimension)])
    here = np.broadcast_to(lattice.ravel(), bonds.shape)
    closing = np.indices(lattice.shape).reshape(dimension, sites) == side - 1
    values = np.where(closing & free, 0.0, bonds)
    upper = sparse.coo_array((values.ravel(), (here.ravel(), following.ravel())), (sites, sites))
    couplings = sparse.csr_array(upper + upper.T)
    couplings.eliminate_zeros()
    return couplings


def checked_fields(fields: Any, sites: int) -> Fields:
    """Return fields as a float64 array, zeros for None, or raise ValueError unless they are N finite numbers."""
    values = np.zeros(sites) if fields is None else np.array(plain_array(fields), np.float64)
    if values.shape != (sites,):
        raise ValueError(f"fields: expected shape {(sites,)}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"fields: expected finite numbers, got {np.count_nonzero(~np.isfinite(values))} others")
    return values
