"""Graphs of bonds of one strength and either sign, laid out for samplers that hold one spin of 64 chains in a word.

Sites are numbered anew: colour by colour, no two neighbours of one colour, and within a colour those of even degree
before those of odd degree. A site has six neighbours; those that it lacks are itself, in pairs of one satisfied and one
unsatisfied bond, which cost nothing, and at an odd degree one satisfied bond alone.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt64
from scipy import sparse

from vae_mf.kernels import kernel
from vae_mf.samplers.kernels.random_bits import ALL
from vae_mf.systems.spin_glass import Ising

DEGREE = 6
"""Largest number of bonds of a site."""
BLOCK = 128
"""Most sites that are updated together."""
GROUPED = 7
"""Bonds counted together: their unsatisfied ones make three binary digits."""


class SignedGraph(NamedTuple):
    """Neighbours of every place and the list of bonds; a place is the new number of a site."""

    strength: float
    """Absolute value J of a bond."""
    place: Int64[np.ndarray, " sites"]
    """Place of each site."""
    neighbours: UInt64[np.ndarray, "six sites"]
    negative: UInt64[np.ndarray, "six sites"]
    """Word of ones where the bond is -J, else zero."""
    starts: Int64[np.ndarray, " edges"]
    """First place of each block of places of one colour and parity, and at last the number of sites."""
    odd: Int64[np.ndarray, " blocks"]
    """1 where the degrees of a block are odd."""
    bonds: UInt64[np.ndarray, "three groups seven"]
    """Left place, right place and sign word of every bond, filled up with bonds that are always satisfied."""
    bond_count: int


def signed_graph(system: Ising) -> SignedGraph:
    """Return the graph of a glass whose couplings are multiples of one strength; |J_ij| = 2 J stands for two bonds.

    Raises:
        ValueError: if there are fields, couplings of several strengths, or more than six bonds to a site.
    """
    if np.any(system.fields):
        raise ValueError("fields: expected none for bonds of one strength, got some; take sampler=ising")
    couplings = sparse.csr_array(system.couplings)
    couplings.eliminate_zeros()
    strength = float(np.abs(couplings.data).min(initial=np.inf)) if couplings.nnz else 1.0
    counts = np.rint(np.abs(couplings.data) / strength)
    if not np.allclose(np.abs(couplings.data), counts * strength, rtol=1e-9, atol=0):
        raise ValueError(
            "couplings: expected +-J of one strength J (disorder=pm), got other values; take sampler=edwards_anderson"
        )
    degrees = np.bincount(np.repeat(np.arange(system.sites), np.diff(couplings.indptr)), counts, system.sites)
    if degrees.max() > DEGREE:
        raise ValueError(f"couplings: expected at most {DEGREE} bonds to a site, got {degrees.max():.0f}")
    return laid_out(couplings, counts.astype(np.int64), degrees.astype(np.int64), strength)


def laid_out(
    couplings: sparse.csr_array,
    counts: Int64[np.ndarray, " entries"],
    degrees: Int64[np.ndarray, " sites"],
    strength: float,
) -> SignedGraph:
    """Return the graph of couplings that have passed."""
    sites = len(degrees)
    classes = 2 * greedy_colours(couplings.indptr.astype(np.int64), couplings.indices.astype(np.int64)) + degrees % 2
    order = np.argsort(classes, kind="stable")
    place = np.empty(sites, np.int64)
    place[order] = np.arange(sites)
    rows = np.repeat(np.arange(sites), np.diff(couplings.indptr))
    left = place[np.repeat(rows, counts)]
    right = place[np.repeat(couplings.indices, counts)]
    negative = np.repeat(couplings.data < 0, counts)
    neighbours, signs = neighbour_table(left, right, negative, sites)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(classes[order])) + 1, [sites]])
    starts = np.unique(np.concatenate([np.arange(a, b, BLOCK) for a, b in pairwise(edges)]))
    once = left < right
    bonds = bond_groups(left[once], right[once], negative[once])
    return SignedGraph(
        strength,
        place,
        neighbours,
        signs,
        np.append(starts, sites),
        classes[order][starts] % 2,
        bonds,
        int(np.count_nonzero(once)),
    )


def neighbour_table(
    left: np.ndarray, right: np.ndarray, negative: np.ndarray, sites: int
) -> tuple[UInt64[np.ndarray, "six sites"], UInt64[np.ndarray, "six sites"]]:
    """Return six neighbours of every place and the words of their signs."""
    order = np.argsort(left, kind="stable")
    degrees = np.bincount(left, minlength=sites)
    rank = np.arange(len(left)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    neighbours = np.tile(np.arange(sites, dtype=np.uint64), (DEGREE, 1))
    # Counted from the last, every second of the bonds that are lacking is unsatisfied.
    lacking = np.arange(DEGREE)[:, None] >= degrees
    signs = np.where(lacking & (np.arange(DEGREE)[:, None] % 2 == 0) & ~first_of_odd(degrees), ALL, np.uint64(0))
    neighbours[rank, left[order]] = right[order]
    signs[rank, left[order]] = np.where(negative[order], ALL, np.uint64(0))
    return neighbours, signs


def first_of_odd(degrees: np.ndarray) -> np.ndarray:
    """Return True at the one lacking bond that evens an odd degree out."""
    return (np.arange(DEGREE)[:, None] == degrees) & (degrees % 2 == 1)


def bond_groups(left: np.ndarray, right: np.ndarray, negative: np.ndarray) -> UInt64[np.ndarray, "three groups seven"]:
    """Return the list of bonds in groups of seven."""
    groups = max(1, -(-len(left) // GROUPED))
    bonds = np.zeros((3, groups * GROUPED), np.uint64)
    bonds[0, : len(left)] = left
    bonds[1, : len(left)] = right
    bonds[2, : len(left)] = np.where(negative, ALL, np.uint64(0))
    return bonds.reshape(3, groups, GROUPED)


@kernel()
def greedy_colours(starts, neighbours):
    """Return the smallest colour of every site that no neighbour before it has."""
    sites = starts.shape[0] - 1
    colours = np.full(sites, -1, np.int64)
    for i in range(sites):
        colour = 0
        taken = True
        while taken:
            taken = False
            for k in range(starts[i], starts[i + 1]):
                taken |= colours[neighbours[k]] == colour
            colour += taken
        colours[i] = colour
    return colours
