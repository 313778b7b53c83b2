"""Heat-bath chains of an Ising model, 64 side by side, maybe with a potential of the number K of spins +1.

Spin i becomes +1 where L / 2 < sum_j J_ij s_j + h_i + (V(K' + 1) - V(K')) / 2, with L a standard logistic number and K'
the count without spin i, the sites in order. NumPy draws the numbers and the kernel compares them, so that both run in
SIMD registers.
"""

import numpy as np
from jaxtyping import Float, Float32

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.kernels import kernel

LANES = 64
NOISE = 2**15
"""Largest number of random numbers drawn at once (unless one sweep needs more)."""


class GibbsChains:
    """Markov chains of Ising models; every chain persists when the model changes between calls of `sweep`."""

    def __init__(self, spins: Spins, random: np.random.Generator):
        self.count, self._sites = spins.shape
        groups = -(-self.count // LANES)
        padded = np.resize(spins, (groups * LANES, self._sites)).reshape(groups, LANES, self._sites)
        self.lanes = np.ascontiguousarray(padded.transpose(0, 2, 1), np.float32)
        """Current configurations of whole groups, shape (groups, N, LANES), of which the last may repeat chains."""
        self._random = random

    @property
    def spins(self) -> Spins:
        """Current configurations, shape (chains, N)."""
        rows = self.lanes.transpose(0, 2, 1).reshape(-1, self._sites)
        return rows[: self.count].astype(np.int8)

    def sweep(
        self,
        couplings: Couplings,
        fields: Fields,
        count: int = 1,
        potential: Float[np.ndarray, " counts"] | None = None,
    ) -> None:
        """Advance every chain by ``count`` sweeps under J (N, N), h (N,) and V(0) ... V(N), which is 0 for None."""
        bonds = couplings.astype(np.float32)
        biases = fields.astype(np.float32)
        steps = None if potential is None else (np.diff(potential, append=0) / 2).astype(np.float32)
        block = max(1, NOISE // (self._sites * LANES))
        for lanes in self.lanes:
            for first in range(0, count, block):
                shape = (min(block, count - first), self._sites, LANES)
                heat_bath(bonds, biases, steps, lanes, half_logistic(self._random, shape))


def half_logistic(random: np.random.Generator, shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
    """Return L / 2 for standard logistic L, whose distribution function is 1 / (1 + exp(-x))."""
    # Half a unit of the 24 random bits keeps both logarithms finite.
    uniform = random.random(shape, dtype=np.float32) * np.float32(1 - 2**-23) + np.float32(2**-25)
    noise = np.log(uniform)
    noise -= np.log1p(-uniform, out=uniform)
    noise *= np.float32(0.5)
    return noise


@kernel(fastmath={"contract", "nsz", "reassoc"})
def heat_bath(couplings, fields, steps, lanes, noise):
    """Set every spin in turn to +1 where its noise lies below its local field, once per row of the noise.

    ``lanes`` holds the spins as float32 (N, lanes), ``noise`` has shape (sweeps, N, lanes), ``steps`` is
    (V(K + 1) - V(K)) / 2 or None; Numba compiles no branch on a count where it is None.
    """
    sites, width = lanes.shape
    local = np.empty(width, np.float32)
    counts = np.zeros(width, np.int32)
    if steps is not None:
        for i in range(sites):
            for c in range(width):
                counts[c] += np.int32(lanes[i, c] > np.float32(0.0))
    for t in range(noise.shape[0]):
        for i in range(sites):
            for c in range(width):
                local[c] = fields[i]
            if steps is not None:
                for c in range(width):
                    counts[c] -= np.int32(lanes[i, c] > np.float32(0.0))
                    local[c] += steps[counts[c]]
            for j in range(sites):
                bond = couplings[i, j]
                for c in range(width):
                    local[c] += bond * lanes[j, c]
            for c in range(width):
                lanes[i, c] = np.float32(1.0) if noise[t, i, c] < local[c] else np.float32(-1.0)
            if steps is not None:
                for c in range(width):
                    counts[c] += np.int32(lanes[i, c] > np.float32(0.0))
