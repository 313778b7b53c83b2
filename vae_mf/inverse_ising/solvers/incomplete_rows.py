"""Rows of spins with missing entries, which are 0: sums over these, and draws of them, under an Ising model.

Given the observed spins the missing ones are an Ising model in the fields h_i + sum_j J_ij s_j over observed j. Up to
`ENUMERATED` of them are summed over; more are annealed from J = 0 between them (importance sampling, Neal 2001).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8
from scipy.special import logsumexp

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.energies import exponents, log_pseudo_likelihood
from vae_mf.inverse_ising.solvers.gibbs import half_logistic
from vae_mf.kernels import kernel
from vae_mf.packing import all_configurations

ENUMERATED = 10
"""Largest number of missing entries of a row that are summed over."""
HELD = 2**20
"""Largest number of numbers in an array (unless one row needs more)."""


class Annealing(NamedTuple):
    """Effort of annealing the missing entries of a row."""

    chains: int
    temperatures: int


DRAWN = Annealing(4, 12)
"""Effort for one draw."""
SUMMED = Annealing(64, 32)
"""Effort for a sum."""


class Completions(NamedTuple):
    """Values of the k missing entries of some rows, all of them or a weighted sample."""

    rows: Int[np.ndarray, " rows"]
    """Numbers of the rows."""
    places: Int[np.ndarray, "rows k"]
    """Missing spins of each row."""
    values: Int8[np.ndarray, "#rows completions k"]
    logs: Float[np.ndarray, "rows completions"]
    """Logarithms of weights, whose expected sum is that of exp(ln p + ln Z) over all completions, without the factor of
    the observed spins alone."""


def observed_exponents(spins: Spins, couplings: Couplings, fields: Fields) -> Float[np.ndarray, " samples"]:
    """Return ln p(observed entries) + ln Z of each row, the logarithm of the sum over its missing entries.

    >>> observed_exponents(np.array([[1, 0]], np.int8), np.array([[0.0, 0.5], [0.5, 0.0]]), np.zeros(2)).round(3)
    array([0.813])
    """
    found = exponents(spins, couplings, fields)
    for part in completions(spins, couplings, fields, np.random.default_rng(0), SUMMED):
        found[part.rows] += logsumexp(part.logs, axis=1)
    return found


def observed_log_pseudo_likelihood(spins: Spins, couplings: Couplings, fields: Fields) -> Float[np.ndarray, " samples"]:
    """Return sum_i ln p(s_i | other observed entries) over the observed entries of each row.

    The mean over the missing entries, given all observed ones, of 1 / p(s_i | all others) is 1 / p(s_i | observed).
    """
    found = log_pseudo_likelihood(spins, couplings, fields)
    local = np.float64(spins) @ couplings.T + fields
    for part in completions(spins, couplings, fields, np.random.default_rng(0), SUMMED, per_site=len(fields)):
        own = spins[part.rows, None]
        theta = local[part.rows, None] + part.values @ couplings.T[part.places]
        logs = part.logs - logsumexp(part.logs, axis=1)[:, None]
        scores = -logsumexp(logs[:, :, None] + np.logaddexp(0.0, -2 * own * theta), axis=1)
        found[part.rows] = np.where(own[:, 0] == 0, 0.0, scores).sum(axis=1)
    return found


def completed(spins: Spins, couplings: Couplings, fields: Fields, random: np.random.Generator) -> Spins:
    """Return the rows with their missing entries drawn from p(missing | observed)."""
    rows = spins.copy()
    for part in completions(spins, couplings, fields, random, DRAWN):
        sums = np.exp(part.logs - part.logs.max(axis=1, keepdims=True)).cumsum(axis=1)
        chosen = (sums[:, :-1] < random.random((len(sums), 1)) * sums[:, -1:]).sum(axis=1)
        values = np.broadcast_to(part.values, (len(part.rows), *part.values.shape[1:]))
        rows[part.rows[:, None], part.places] = values[np.arange(len(chosen)), chosen]
    return rows


def completions(
    spins: Spins,
    couplings: Couplings,
    fields: Fields,
    random: np.random.Generator,
    effort: Annealing,
    per_site: int = 1,
) -> Iterator[Completions]:
    """Yield completions of all rows (M, N) with missing entries, those with the same number of them together.

    Args:
        per_site: number of values that the caller holds for each completion.
    """
    missing = spins == 0
    counts = missing.sum(axis=1)
    for count in np.unique(counts[counts > 0]).tolist():
        members = np.flatnonzero(counts == count)
        enumerated = count <= ENUMERATED
        size = 2**count * per_site if enumerated else effort.chains * max(count * effort.temperatures, per_site)
        step = max(1, HELD // size)
        for first in range(0, len(members), step):
            rows = members[first : first + step]
            places = np.nonzero(missing[rows])[1].reshape(-1, count)
            biases = fields[places] + np.take_along_axis(np.float64(spins[rows]) @ couplings.T, places, axis=1)
            if enumerated:
                yield Completions(rows, places, *_enumerated(places, biases, couplings))
            else:
                yield Completions(rows, places, *_annealed(places, biases, couplings, random, effort))


def _enumerated(places: np.ndarray, biases: np.ndarray, couplings: Couplings) -> tuple[np.ndarray, np.ndarray]:
    states = all_configurations(places.shape[1])
    first, second = np.triu_indices(places.shape[1], 1)
    bonds = couplings[places[:, first], places[:, second]]
    return states[None], biases @ states.T + bonds @ (states[:, first] * states[:, second]).T


def _annealed(
    places: np.ndarray, biases: np.ndarray, couplings: Couplings, random: np.random.Generator, effort: Annealing
) -> tuple[np.ndarray, np.ndarray]:
    values = np.empty((len(places), effort.chains, places.shape[1]), np.int8)
    logs = np.zeros(values.shape[:2])
    betas = np.linspace(0, 1, effort.temperatures)
    noise = half_logistic(random, (*values.shape, len(betas)))
    anneal(couplings[places[:, :, None], places[:, None]], biases, betas, noise, values, logs)
    return values, logs + (np.logaddexp(biases, -biases).sum(axis=1) - np.log(effort.chains))[:, None]


@kernel()
def anneal(bonds, biases, betas, noise, values, logs):
    """Fill ``values`` (rows, chains, k) by a heat-bath sweep at each inverse temperature, and add ln w to ``logs``.

    Row r has ``bonds`` (k, k) and ``biases`` (k) of its own. The first inverse temperature is 0, where a sweep draws
    from the law without bonds; ``noise`` is (rows, chains, k, temperatures).
    """
    rows, chains, count = values.shape
    for r in range(rows):
        for c in range(chains):
            spins = values[r, c]
            for t in range(len(betas)):
                if t > 0:
                    for a in range(count):
                        for b in range(a):
                            logs[r, c] += (betas[t] - betas[t - 1]) * bonds[r, a, b] * spins[a] * spins[b]
                for a in range(count):
                    local = 0.0
                    if t > 0:
                        for b in range(count):
                            local += bonds[r, a, b] * spins[b]
                    spins[a] = 1 if noise[r, c, a, t] < biases[r, a] + betas[t] * local else -1
