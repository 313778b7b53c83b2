"""Names for the shapes of the NumPy arrays that cross module boundaries.

The annotations are enforced by beartype under pytest and cost nothing elsewhere.
"""

import numpy as np
from jaxtyping import Float, Int, Int8, UInt8

Spins = Int8[np.ndarray, "*batch sites"]
"""Configurations of spins in {-1, +1}."""
PackedSpins = UInt8[np.ndarray, "*batch bytes"]
"""Configurations as bits, eight spins to a byte (see `vae_mf.packing`)."""
Directors = Float[np.ndarray, "*batch sites 3"]
"""Unit vectors on the sphere, n and -n being the same state."""
States = Spins | Directors
"""Configurations as arrays to compute with: spins or directors."""
Configurations = UInt8[np.ndarray, "..."] | Float[np.ndarray, "..."]
"""Packed spins or directors, with any leading axes."""
Patterns = Int8[np.ndarray, "patterns sites"]
"""Stored patterns, entries in {-1, +1}."""
Couplings = Float[np.ndarray, "sites sites"]
"""Symmetric interaction matrix with zero diagonal."""
Fields = Float[np.ndarray, " sites"]
"""One local field per site."""
Chains = Float[np.ndarray, "chains draws"]
"""One scalar observable along each of several Markov chains."""
Rows = Int[np.ndarray, " rows"]
"""Indices of rows of a data set."""
