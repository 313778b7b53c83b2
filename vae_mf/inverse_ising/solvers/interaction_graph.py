"""Interaction graph of an Ising model, and groups of its parameters that are the same."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from vae_mf.checks import require_choice

Groups = Int[np.ndarray, " members"]


class Graph(NamedTuple):
    """Bonds of an Ising model and groups of its parameters that are the same."""

    bonds: Int[np.ndarray, "bonds 2"]
    """Pairs of sites, each once."""
    bond_groups: Groups
    """Number of the coupling of every bond, from 0 on."""
    site_groups: Groups
    """Number of the field of every site, from 0 on, or -1 for no field."""

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.site_groups)

    @property
    def couplings(self) -> int:
        """Number of different couplings."""
        return int(self.bond_groups.max()) + 1

    @property
    def parameters(self) -> int:
        """Number of different couplings and fields."""
        return self.couplings + int(self.site_groups.max()) + 1

    def design(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return the indicators of groups, parameters by bonds and parameters by sites."""
        bonds = np.arange(len(self.bonds))
        sites = np.flatnonzero(self.site_groups >= 0)
        shape = (self.parameters, len(self.bonds)), (self.parameters, self.sites)
        fields = self.couplings + self.site_groups[sites]
        return (
            sparse.csr_array((np.ones(bonds.size), (self.bond_groups, bonds)), shape=shape[0]),
            sparse.csr_array((np.ones(sites.size), (fields, sites)), shape=shape[1]),
        )

    def matrix(self, per_bond: Float[np.ndarray, " bonds"]) -> Float[np.ndarray, "sites sites"]:
        """Return the symmetric matrix with given values on the bonds."""
        matrix = np.zeros((self.sites, self.sites))
        first, second = self.bonds.T
        matrix[first, second] = matrix[second, first] = per_bond
        return matrix


def complete_graph(sites: int) -> Graph:
    """Return the graph of all pairs, i < j row by row, with couplings and fields of their own.

    >>> complete_graph(3).bonds.tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    bonds = np.column_stack(np.triu_indices(sites, 1))
    return Graph(bonds, np.arange(len(bonds)), np.arange(sites))


class LatticeBonds(NamedTuple):
    """Nearest-neighbour bonds of a rectangle of pixels, numbered row by row."""

    bonds: Int[np.ndarray, "bonds 2"]
    axes: Groups
    """0 for bonds between rows, 1 for bonds between columns."""


def lattice_bonds(rows: int, columns: int, periodic: bool = False) -> LatticeBonds:
    """Return the bonds between nearest neighbours; with ``periodic`` across the border too, if a side exceeds 2.

    >>> lattice_bonds(2, 2).bonds.tolist()
    [[0, 2], [1, 3], [0, 1], [2, 3]]
    """
    sites = np.arange(rows * columns).reshape(rows, columns)
    pairs = [(sites[:-1], sites[1:]), (sites[:, :-1], sites[:, 1:])]
    across = [(sites[-1:], sites[:1], rows), (sites[:, -1:], sites[:, :1], columns)]
    bonds, axes = [], []
    for axis, ((first, second), (last, begin, side)) in enumerate(zip(pairs, across, strict=True)):
        ends = [(first, second), *([(last, begin)] if periodic and side > 2 else [])]
        bonds += [np.stack([a.ravel(), b.ravel()], axis=1) for a, b in ends]
        axes += [np.full(a.size, axis) for a, _ in ends]
    return LatticeBonds(np.concatenate(bonds), np.concatenate(axes))


def checked_bonds(bonds: Any, sites: int) -> Int[np.ndarray, "bonds 2"]:
    """Return bonds as an integer array, or raise ValueError unless they are different pairs of different sites."""
    pairs = np.asarray(bonds)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs) or pairs.dtype.kind not in "iu":
        raise ValueError(f"bonds: expected an integer array (bonds, 2), got {pairs.dtype} of shape {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= sites or (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"bonds: expected pairs of different sites from 0 to {sites - 1}, got others")
    if len(np.unique(np.sort(pairs, axis=1), axis=0)) != len(pairs):
        raise ValueError("bonds: expected each pair once, got repeated ones")
    return pairs.astype(np.int64)


def numbered(name: str, value: Any, count: int, choices: dict[str, str]) -> Groups:
    """Return the group of each of ``count`` members from a word or an array of numbers."""
    if isinstance(value, str):
        rule = choices[require_choice(name, value, choices)]
        return {"each": np.arange(count), "one": np.zeros(count, np.int64), "no": np.full(count, -1)}[rule]
    groups = np.asarray(value)
    if groups.shape != (count,) or groups.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected one of {', '.join(choices)} or {count} integers, got shape {groups.shape}")
    if not np.array_equal(np.unique(groups), np.arange(groups.max() + 1)):
        raise ValueError(f"{name}: expected group numbers 0, 1, ... without gaps, got {np.unique(groups)[:5].tolist()}")
    return groups.astype(np.int64)
