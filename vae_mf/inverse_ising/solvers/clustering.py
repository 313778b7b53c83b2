"""Spherical k-means of spin configurations, which tells the thermodynamic states of a sample apart."""

import numpy as np
from jaxtyping import Float, Float32, Int

from vae_mf.arrays import Spins
from vae_mf.inverse_ising.energies import BLOCK, Weights
from vae_mf.inverse_ising.moments import Moments, spin_moments

SUBSET = 20_000
"""Configurations from which the centres start."""
SETTLED = 1e-6
"""Relative gain of the total overlap at which Lloyd's iteration ends."""
PASSES = 3
"""Assignments of all configurations after those of the subset have settled."""
Labels = Int[np.ndarray, " samples"]
Centres = Float32[np.ndarray, "clusters sites"]


def spherical_clusters(
    spins: Spins, weights: Weights, count: int, random: np.random.Generator, restarts: int, max_iter: int
) -> Labels:
    """Return the cluster of every configuration: that of the centre of unit length with the largest overlap.

    Lloyd's iteration on a subset, from k-means++ starts, the best of several; then a few passes over all data.
    """
    if count == 1:
        return np.zeros(len(spins), dtype=np.int64)
    chosen = random.choice(len(spins), min(SUBSET, len(spins)), replace=False)
    subset, share = spins[chosen], weights[chosen]
    best = max((_lloyd(subset, share, count, random, max_iter) for _ in range(restarts)), key=lambda found: found[0])
    centres = best[1]
    for _ in range(PASSES - 1):
        centres = _centres(spins, weights, _nearest(spins, centres)[0], centres)
    return _nearest(spins, centres)[0]


def cluster_moments(spins: Spins, weights: Weights, labels: Labels, smallest: float) -> list[Moments]:
    """Return the moments of every cluster of at least ``smallest`` total weight."""
    members = [labels == label for label in range(labels.max() + 1)]
    return [spin_moments(spins[rows], weights[rows]) for rows in members if weights[rows].sum() >= smallest]


def _lloyd(
    spins: Spins, weights: Weights, count: int, random: np.random.Generator, max_iter: int
) -> tuple[float, Centres]:
    """Return total overlap and centres after Lloyd's iteration from one start."""
    centres = _plus_plus(spins, count, random)
    total = -np.inf
    for _ in range(max_iter):
        labels, overlaps = _nearest(spins, centres)
        centres = _centres(spins, weights, labels, centres)
        old = total
        total = float(weights @ overlaps)
        if total - old <= SETTLED * abs(total):
            break
    return total, centres


def _plus_plus(spins: Spins, count: int, random: np.random.Generator) -> Centres:
    """Return configurations as first centres, each drawn in proportion to one less the largest overlap with others."""
    sites = spins.shape[1]
    chosen = [int(random.integers(len(spins)))]
    distances = np.full(len(spins), 2.0)
    for _ in range(count - 1):
        distances = np.minimum(distances, 1 - spins @ spins[chosen[-1]].astype(np.float32) / sites)
        chosen.append(int(random.choice(len(spins), p=distances / distances.sum())) if distances.any() else chosen[0])
    return spins[chosen].astype(np.float32) / np.float32(np.sqrt(sites))


def _nearest(spins: Spins, centres: Centres) -> tuple[Labels, Float[np.ndarray, " samples"]]:
    """Return the centre nearest to every configuration, and the overlap with it."""
    labels = np.empty(len(spins), np.int64)
    overlaps = np.empty(len(spins))
    for first in range(0, len(spins), BLOCK):
        scores = spins[first : first + BLOCK].astype(np.float32) @ centres.T
        part = slice(first, first + len(scores))
        labels[part] = scores.argmax(axis=1)
        overlaps[part] = scores.max(axis=1)
    return labels, overlaps


def _centres(spins: Spins, weights: Weights, labels: Labels, old: Centres) -> Centres:
    """Return the directions of the clusters' centres of mass; an empty cluster keeps its centre."""
    sums = np.zeros(old.shape)
    for first in range(0, len(spins), BLOCK):
        part = slice(first, first + BLOCK)
        members = np.zeros((len(labels[part]), len(old)), np.float32)
        members[np.arange(len(members)), labels[part]] = weights[part]
        sums += members.T @ spins[part].astype(np.float32)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 0, sums / np.maximum(lengths, 1e-30), old).astype(np.float32)
