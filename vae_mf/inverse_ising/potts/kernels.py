"""Inner loops over rows of states, which are sums of picked rows of a matrix and never products with zeros.

Site j in state b picks row j q + b of a matrix (N q, N q). A tile holds the columns of some neighbouring sites of such
a matrix, padded to whole SIMD registers and few enough for the cache.
"""

import numpy as np

from vae_mf.kernels import kernel

ADDITIONS = {"contract", "nsz", "reassoc"}


@kernel(fastmath=ADDITIONS)
def add_picked(picks, tile, local):
    """Add to every row of ``local`` (M, width) the rows of a tile (N q, width) that its ``picks`` (M, N) name."""
    rows, sites = picks.shape
    width = tile.shape[1]
    for m in range(rows):
        out = local[m]
        for j in range(sites):
            row = tile[picks[m, j]]
            for c in range(width):
                out[c] += row[c]


@kernel(fastmath=ADDITIONS)
def add_to_picked(picks, slopes, tile):
    """Add every row of ``slopes`` (M, width) to the rows of a tile (N q, width) that its ``picks`` (M, N) name."""
    rows, sites = picks.shape
    width = tile.shape[1]
    for m in range(rows):
        slope = slopes[m]
        for j in range(sites):
            row = tile[picks[m, j]]
            for c in range(width):
                row[c] += slope[c]


@kernel()
def picked_sums(picks, couplings, fields):
    """Return sum_{i<j} J[p_i, p_j] + sum_i h[p_i] of every row of picks p, J (N q, N q) and h (N q)."""
    rows, sites = picks.shape
    result = np.empty(rows)
    for m in range(rows):
        total = 0.0
        for i in range(sites):
            row = couplings[picks[m, i]]
            total += fields[picks[m, i]]
            for j in range(i):
                total += row[picks[m, j]]
        result[m] = total
    return result


@kernel()
def add_pairs(picks, weights, pairs):
    """Add each row's weight to the entries of ``pairs`` (N q, N q) that it picks, below the diagonal of sites."""
    rows, sites = picks.shape
    for m in range(rows):
        weight = weights[m]
        for i in range(sites):
            row = pairs[picks[m, i]]
            for j in range(i):
                row[picks[m, j]] += weight


@kernel(fastmath=ADDITIONS)
def heat_bath(picks, tiles, fields, uniforms):
    """Draw every site of every row of picks anew given the others, the sites in order.

    ``tiles`` (N, N q, q) holds the rows that are added to the logits of each site, ``uniforms`` (N, rows) its numbers.
    """
    rows, sites = picks.shape
    states = fields.shape[1]
    local = np.empty(states, np.float32)
    for i in range(sites):
        tile = tiles[i]
        for m in range(rows):
            for a in range(states):
                local[a] = fields[i, a]
            for j in range(sites):
                row = tile[picks[m, j]]
                for a in range(states):
                    local[a] += row[a]
            peak = local.max()
            total = np.float64(0.0)
            for a in range(states):
                local[a] = np.exp(local[a] - peak)
                total += local[a]
            left = uniforms[i, m] * total
            state = 0
            while state < states - 1 and left >= local[state]:
                left -= local[state]
                state += 1
            picks[m, i] = i * states + state


@kernel()
def count_relatives(rows, fewest):
    """Return the number of rows, itself among them, that equal each row (M, N) at ``fewest`` sites or more."""
    count, sites = rows.shape
    relatives = np.ones(count, np.int64)
    for m in range(count):
        for n in range(m):
            same = np.int32(0)
            for i in range(sites):
                same += np.int32(rows[m, i] == rows[n, i])
            if same >= fewest:
                relatives[m] += 1
                relatives[n] += 1
    return relatives
