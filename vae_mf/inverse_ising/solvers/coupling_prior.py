"""Prior of couplings, learnt from their estimates, with one width for all or two where the graph is sparse.

Estimates x_ij with variances s_ij^2 of couplings from a Gaussian mixture of widths sigma_k are themselves distributed
as sum_k pi_k Normal(0, sigma_k^2 + s_ij^2), whose likelihood the shares pi_k and widths maximise: empirical Bayes for
normal means (Efron and Morris 1973, Stephens 2017).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings

STARTS = np.array([1 / 30, 2.0])
"""Squared widths from which the two kinds set out, in units of the mean one."""
MOST_PAIRS = 20_000
"""Largest number of couplings, evenly spread, from which widths and shares are learnt."""
MOST_STEPS = 2000
SETTLED = 1e-4
"""Gain in log-likelihood at which the widths have settled."""
Estimates = Float[np.ndarray, " pairs"]
Kinds = Float[np.ndarray, " kinds"]


class Curvatures(NamedTuple):
    """Worth of every spin's objective as a measure of its parameters."""

    means: Float[np.ndarray, " sites"]
    """Mean second derivative with respect to theta."""
    dispersions: Float[np.ndarray, "*columns sites"]
    """kappa, the mean square of the first derivative in units of the mean second one: 1 for a likelihood."""


FLAT = Curvatures(np.ones(1), np.ones(1))
"""Curvatures of a likelihood at J = h = 0."""


class Posterior(NamedTuple):
    """Couplings as known from the data and a Gaussian prior."""

    means: Couplings
    variances: Float[np.ndarray, "sites sites"]
    curvatures: Curvatures = FLAT


class KindStrengths(NamedTuple):
    """Penalty of couplings of one kind (numbers) or two (arrays)."""

    strengths: float | Estimates | Couplings
    doubts: float | Estimates | Couplings
    """Variance of the posterior mean over the kinds, in units of its square."""


class WidthMixture(NamedTuple):
    """Kinds of couplings, each normal with mean zero."""

    shares: Kinds
    variances: Kinds
    """sigma_k^2."""
    log_likelihood: float


def evidence_strength(posterior: Posterior, strength: float, samples: float) -> float:
    """Return the strength that the posterior under the present one makes most likely (MacKay 1992).

    lambda = gamma / sum_ij J_ij^2, where gamma = sum_ij (1 - lambda s_ij^2) counts the couplings that the data
    determine better than the prior. It lies between 1 and M, a prior of standard deviation 1 and one that no coupling
    can be told from.
    """
    others = ~np.eye(len(posterior.means), dtype=bool)
    determined = (1 - strength * posterior.variances[others]).sum()
    squares = max(float((posterior.means**2).sum()), 1e-300)
    return float(np.clip(determined / squares, 1.0, max(samples, 1.0)))


def kind_strengths(posterior: Posterior, strength: float) -> KindStrengths | None:
    """Return the strength of every coupling if they are of two kinds, none and some say, or None for one kind.

    Args:
        posterior: posterior under a Gaussian prior of one strength. J_ij and J_ji, which separate regressions find
            from nearly the same information, are averaged, and their precisions too.
    """
    upper = np.triu_indices(len(posterior.means), 1)
    precisions = 1 / np.where(np.eye(len(posterior.means), dtype=bool), np.inf, posterior.variances)
    precisions, means = ((matrix + matrix.T)[upper] / 2 for matrix in (precisions, posterior.means))
    variances = 1 / np.maximum(precisions - strength, 1e-12 * precisions)
    kinds = strengths_of_kinds(means * variances * precisions, variances)
    if np.ndim(kinds.strengths) == 0:
        return None
    return KindStrengths(*(_symmetric(np.asarray(values), posterior.means.shape) for values in kinds))


def strengths_of_kinds(estimates: Estimates, variances: Estimates) -> KindStrengths:
    """Return the strength of the prior of values with errors, one for all, or one for each where two kinds are likely.

    A value's strength lambda shrinks it, were it alone, to its posterior mean: with s^2 its variance,
    1 / (1 + lambda s^2) = sum_k r_k g_k, g_k = sigma_k^2 / (sigma_k^2 + s^2), with r_k the probability of kind k. The
    normal posterior under lambda has the mean variance of the kinds; what their means differ is the doubt
    sum_k r_k g_k^2 / (sum_k r_k g_k)^2 - 1.
    """
    prior = likely_widths(estimates, variances)
    if len(prior.shares) == 1:
        return KindStrengths(1 / float(prior.variances[0]), 0.0)
    gains = prior.variances[:, None] / (prior.variances[:, None] + variances)
    parts = assigned(prior, estimates, variances)[0]
    kept = np.maximum((parts * gains).sum(axis=0), 1e-12)
    doubts = (parts * gains**2).sum(axis=0) / kept**2 - 1
    return KindStrengths((1 / kept - 1) / variances, doubts)


def likely_widths(estimates: Estimates, variances: Estimates) -> WidthMixture:
    """Return the mixture of one or two kinds that values with errors make likely.

    Two kinds are those whose likelihood exceeds that of one by more than Bayes' information criterion asks for their
    two more parameters.
    """
    part = slice(None, None, -(-len(estimates) // MOST_PAIRS))
    one, two = (fit_widths(estimates[part], variances[part], starts) for starts in (np.ones(1), STARTS))
    return two if two.log_likelihood - one.log_likelihood > np.log(len(estimates[part])) else one


def shrunk(estimates: Estimates, variances: Estimates) -> tuple[Estimates, Estimates]:
    """Return the posterior means and standard errors of values under the prior that they make likely themselves.

    Args:
        variances: squared errors of the values, infinite where nothing is known.

    Raises:
        ValueError: if nothing is known of any value.
    """
    known = np.isfinite(variances)
    if not known.any():
        raise ValueError("shrink: expected finite errors to learn a prior from, got none; set l2 > 0 in the fits")
    prior = likely_widths(estimates[known], variances[known])
    finite = np.where(known, variances, 1e100)
    gains = prior.variances[:, None] / (prior.variances[:, None] + finite)
    parts = assigned(prior, estimates, finite)[0]
    means = (parts * gains * estimates).sum(axis=0)
    squares = (parts * (gains * finite + (gains * estimates) ** 2)).sum(axis=0)
    return means, np.sqrt(np.maximum(squares - means**2, 0))


def _symmetric(values: Estimates, shape: tuple[int, ...]) -> Couplings:
    """Return the symmetric matrix of values above its diagonal, which is zero."""
    result = np.zeros(shape)
    result[np.triu_indices(len(result), 1)] = values
    return result + result.T


def fit_widths(estimates: Estimates, variances: Estimates, starts: Kinds) -> WidthMixture:
    """Return the mixture of largest likelihood, by expectation maximisation.

    Args:
        starts: first sigma_k^2 in units of <x^2>, one per kind.
    """
    shares = np.full(len(starts), 1 / len(starts))
    mixture = WidthMixture(shares, starts * max(float(np.mean(estimates**2)), 1e-300), -np.inf)
    for _ in range(MOST_STEPS):
        parts, likelihood = assigned(mixture, estimates, variances)
        settled = likelihood - mixture.log_likelihood <= SETTLED
        mixture = mixture._replace(log_likelihood=likelihood)
        if settled:
            break
        gains = mixture.variances[:, None] / (mixture.variances[:, None] + variances)
        squares = (gains * estimates) ** 2 + gains * variances
        counts = np.maximum(parts.sum(axis=1), 1e-12)
        widths = np.maximum((parts * squares).sum(axis=1) / counts, 1e-300)
        mixture = mixture._replace(shares=counts / counts.sum(), variances=widths)
    return mixture


def assigned(
    mixture: WidthMixture, estimates: Estimates, variances: Estimates
) -> tuple[Float[np.ndarray, "kinds pairs"], float]:
    """Return the probabilities of the kinds of every coupling, and the log-likelihood (up to a constant)."""
    total = mixture.variances[:, None] + variances
    logs = np.log(mixture.shares)[:, None] - (np.log(total) + estimates**2 / total) / 2
    peaks = logs.max(axis=0)
    parts = np.exp(logs - peaks)
    sums = parts.sum(axis=0)
    return parts / sums, float((peaks + np.log(sums)).sum())
