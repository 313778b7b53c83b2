"""Pairs of sites in contact, from the strengths of their couplings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.checks import require_integer
from vae_mf.inverse_ising.potts.model import StateCouplings

Scores = Float[np.ndarray, "sites sites"]


class Contacts(NamedTuple):
    """Pairs of sites, the strongest first."""

    pairs: Int[np.ndarray, "contacts 2"]
    scores: Float[np.ndarray, " contacts"]


def frobenius_norms(couplings: StateCouplings) -> Scores:
    """Return sqrt(sum_ab J_ij(a, b)^2) of every pair, of J in zero-sum gauge (Ekeberg et al. 2013)."""
    return np.sqrt(np.square(couplings).sum(axis=(2, 3)))


def average_product_corrected(scores: Scores) -> Scores:
    """Return S_ij - S_i S_j / S, of means over the other sites, which removes what sites have in common with all.

    Entropic sites and sites of few rows have large norms with any other (Dunn, Wahl and Gloor 2008).
    """
    sites = len(scores)
    others = scores.sum(axis=1) / (sites - 1)
    mean = max(float(others.mean()), np.finfo(float).tiny)
    corrected = scores - np.outer(others, others) / mean
    np.fill_diagonal(corrected, 0)
    return corrected


def contact_scores(couplings: StateCouplings, left_out: int | None = None) -> Scores:
    """Return the Frobenius norms of couplings in zero-sum gauge with the average-product correction.

    Source: Dunn, Wahl and Gloor 2008, for the correction; Ekeberg et al. 2013, for the norm.

    >>> from vae_mf.inverse_ising import PottsPseudoLikelihood
    >>> rows = np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]] * 50)
    >>> contact_scores(PottsPseudoLikelihood().fit(rows).couplings_).round(1)
    array([[0. , 1.7, 0. ],
           [1.7, 0. , 0. ],
           [0. , 0. , 0. ]])

    Args:
        couplings: J, shape (N, N, q, q).
        left_out: state that does not count, as the gap of alignments, whose runs couple neighbours.
    """
    kept = couplings if left_out is None else np.delete(np.delete(couplings, left_out, axis=2), left_out, axis=3)
    return average_product_corrected(frobenius_norms(kept))


def strongest_contacts(scores: Scores, count: int, separation: int = 1) -> Contacts:
    """Return the pairs of largest score among sites that are far enough apart along the chain.

    >>> strongest_contacts(np.array([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]]), 1, separation=2).pairs
    array([[0, 2]])

    Args:
        scores: score of every pair, shape (N, N).
        count: number of pairs, if there are as many.
        separation: least |i - j|; neighbours along the chain of a protein touch anyway.

    Raises:
        ValueError: if a number is no positive integer.
    """
    first, second = np.triu_indices(len(scores), require_integer("separation", separation))
    values = scores[first, second]
    order = np.argsort(-values, kind="stable")[: require_integer("count", count)]
    return Contacts(np.column_stack([first[order], second[order]]), values[order])
