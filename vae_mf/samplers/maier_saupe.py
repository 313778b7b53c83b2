"""The Maier-Saupe nematic: independent exact draws, and Hubbard-Stratonovich block Gibbs.

Both use the symmetric traceless tensor A of `vae_mf.systems.maier_saupe`, given which all directors are independent,
    p(n_i | A) proportional to exp((3 beta J / 2) n_i^T A n_i)   (Bingham).
The direct sampler draws A from its marginal: eigenvalues from a table (`samplers.kernels.tensor_table`), then a Haar
rotation. Block Gibbs draws it from A | n ~ Normal(Q / N, 2 / (3 beta J N) per component), which near the transition
takes hundreds of sweeps to cross between the nematic and the isotropic phase.
"""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt64

from vae_mf.arrays import Directors
from vae_mf.kernels import FAST, kernel
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.bingham import BLOCK, diagonalise, fill_bingham, random_rotation
from vae_mf.samplers.kernels.random_bits import F32, fill_normals
from vae_mf.samplers.kernels.tensor_table import draw_eigenvalues, tensor_table
from vae_mf.systems.maier_saupe import MaierSaupe


@dataclass
class NematicState:
    """Random stream and directors of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    components: Float32[np.ndarray, "chains 3 sites"]
    """All x, then all y, then all z, which is what fills SIMD registers."""


class _Nematic(SystemSampler):
    """Base of the two samplers: starts chains, and reads directors and energies from their state."""

    serves = MaierSaupe

    def configurations(self, state: NematicState) -> Directors:
        """Return the current directors, float32 (chains, N, 3)."""
        directors = np.empty((len(state.components), self.sites, 3), np.float32)
        interleave(directors, state.components)
        return directors

    def energies(self, state: NematicState) -> Float[np.ndarray, " chains"]:
        """Return the current energies."""
        energies = np.empty(len(state.components))
        tensor_energies(energies, state.components)
        return self.system.coupling * energies

    def begin(self, group: Group, start: str) -> NematicState:
        """Return chains at their first configuration."""
        components = np.empty((len(group.keys), 3, self.sites), np.float32)
        counters = np.zeros(len(group.keys), np.uint64)
        state = NematicState(np.array(group.temperatures, np.float64), group.keys.copy(), counters, components)
        self.fill(state, start)
        return state

    @abstractmethod
    def fill(self, state: NematicState, start: str) -> None:
        """Fill in the first configuration of every chain."""


class MaierSaupeDirect(_Nematic):
    """Exact sampler of a `MaierSaupe` system: every draw is independent, so burn-in and thinning have no effect.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import MaierSaupe
    >>> directors = sample_chains(MaierSaupeDirect(MaierSaupe(20)), np.array([0.1]), 4, Schedule(2, 0, 1), seed=1)
    >>> directors.shape, bool(np.allclose(np.linalg.norm(directors, axis=-1), 1))
    ((1, 4, 2, 20, 3), True)

    Args:
        system: Maier-Saupe system.

    Raises:
        ValueError: if the system is no `MaierSaupe` one.
    """

    name = "maier_saupe_direct"
    exact = True
    starts = ("random",)

    def fill(self, state: NematicState, start: str) -> None:
        """Make the first draw."""
        self.sweep(state, 1)

    def sweep(self, state: NematicState, count: int) -> None:
        """Replace every configuration by an independent one (once, whatever ``count`` is, unless it is zero)."""
        if not count:
            return
        for temperature in np.unique(state.temperatures):
            chosen = np.flatnonzero(state.temperatures == temperature)
            table = tensor_table(self.system, float(temperature))
            slope = 1.5 * self.system.coupling / temperature
            draw_directors(state.components, chosen, slope, table, state.keys, state.counters)


class MaierSaupeGibbs(_Nematic):
    """Block Gibbs sampler of a `MaierSaupe` system, alternating between A and the directors.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import MaierSaupe
    >>> directors = sample_chains(MaierSaupeGibbs(MaierSaupe(20)), np.array([0.1]), 4, Schedule(2, 20, 1), seed=1)
    >>> directors.shape, bool(np.allclose(np.linalg.norm(directors, axis=-1), 1))
    ((1, 4, 2, 20, 3), True)

    Args:
        system: Maier-Saupe system.

    Raises:
        ValueError: if the system is no `MaierSaupe` one.
    """

    name = "maier_saupe_gibbs"

    def fill(self, state: NematicState, start: str) -> None:
        """Start every chain isotropic, or (``start="pattern"``) with all directors along one random axis."""
        if start == "pattern":
            align(state.components, state.keys, state.counters)
        else:
            draw_isotropic(state.components, state.keys, state.counters)

    def sweep(self, state: NematicState, count: int) -> None:
        """Advance every chain by ``count`` block updates of A and all directors."""
        slope = 1.5 * self.system.coupling / state.temperatures
        gibbs_sweeps(state.components, slope, count, state.keys, state.counters)


@kernel()
def draw_directors(components, chosen, slope, table, keys, counters):
    """Draw A from ``table`` and then all directors of the chains ``chosen``, with slope = 3 beta J / 2."""
    work = np.empty((3, components.shape[2] + BLOCK), F32)
    eigenvalues = np.empty(3)
    axes = np.empty((3, 3))
    for c in chosen:
        draw_eigenvalues(eigenvalues, table, keys[c], counters, c)
        random_rotation(axes, keys[c], counters, c)
        fill_bingham(components[c], slope * eigenvalues, axes, work, keys[c], counters, c)


@kernel()
def gibbs_sweeps(components, slope, count, keys, counters):
    """Alternate ``count`` times between A | n and n | A, with slope (chains,) = 3 beta J / 2."""
    sites = components.shape[2]
    work = np.empty((3, sites + BLOCK), F32)
    noise = np.empty(6, F32)
    tensor = np.empty((3, 3))
    axes = np.empty((3, 3))
    for c in range(components.shape[0]):
        width = F32(1 / np.sqrt(slope[c] * sites))
        for _ in range(count):
            traceless_moment(tensor, components[c])
            fill_normals(noise, width, keys[c], counters, c)
            add_noise(tensor, noise)
            diagonalise(tensor, axes)
            exponents = slope[c] * np.diag(tensor)
            fill_bingham(components[c], exponents, axes, work, keys[c], counters, c)


@kernel()
def align(components, keys, counters):
    """Point all directors of a chain along one random axis."""
    axes = np.empty((3, 3))
    for c in range(components.shape[0]):
        random_rotation(axes, keys[c], counters, c)
        for a in range(3):
            components[c, a] = F32(axes[a, 0])


@kernel()
def draw_isotropic(components, keys, counters):
    """Draw all directors uniformly: Bingham draws without exponents."""
    work = np.empty((3, components.shape[2] + BLOCK), F32)
    for c in range(components.shape[0]):
        fill_bingham(components[c], np.zeros(3), np.eye(3), work, keys[c], counters, c)


@kernel(error_model="numpy")
def interleave(directors, components):
    """Copy components (chains, 3, N) into directors (chains, N, 3), four times as fast as NumPy's transposed copy."""
    for c in range(components.shape[0]):
        for i in range(components.shape[2]):
            for a in range(3):
                directors[c, i, a] = components[c, a, i]


@kernel()
def tensor_energies(energies, components):
    """Write -(3 N / 4) Tr (Q / N)^2 of every chain."""
    tensor = np.empty((3, 3))
    for c in range(components.shape[0]):
        traceless_moment(tensor, components[c])
        energies[c] = -0.75 * components.shape[2] * (tensor * tensor).sum()


@kernel(fastmath=FAST | {"reassoc"}, error_model="numpy")
def traceless_moment(tensor, directors):
    """Write Q / N, the mean of n n^T - I / 3 over directors (3, N), into ``tensor``."""
    xx, yy, xy, xz, yz = 0.0, 0.0, 0.0, 0.0, 0.0
    sites = directors.shape[1]
    for i in range(sites):
        x = np.float64(directors[0, i])
        y = np.float64(directors[1, i])
        z = np.float64(directors[2, i])
        xx += x * x
        yy += y * y
        xy += x * y
        xz += x * z
        yz += y * z
    # Unit length gives the third diagonal entry, and makes the trace vanish exactly.
    tensor[0, 0], tensor[1, 1] = xx / sites - 1 / 3, yy / sites - 1 / 3
    tensor[2, 2] = -tensor[0, 0] - tensor[1, 1]
    tensor[0, 1] = tensor[1, 0] = xy / sites
    tensor[0, 2] = tensor[2, 0] = xz / sites
    tensor[1, 2] = tensor[2, 1] = yz / sites


@kernel()
def add_noise(tensor, noise):
    """Add the symmetric traceless matrix whose five orthonormal components are the first five of ``noise``."""
    half = np.sqrt(1 / 2)
    sixth = np.sqrt(1 / 6)
    tensor[0, 0] += half * noise[0] + sixth * noise[1]
    tensor[1, 1] += sixth * noise[1] - half * noise[0]
    tensor[2, 2] -= 2 * sixth * noise[1]
    for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        tensor[i, j] += half * noise[2 + k]
        tensor[j, i] = tensor[i, j]
