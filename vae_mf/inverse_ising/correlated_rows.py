"""Weights and errors for rows that depend on each other, as in a recording or in repeats of a trial."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import clone

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer
from vae_mf.inverse_ising.base import InverseIsing, new_generator
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.independent_spins import beats_independent_spins
from vae_mf.inverse_ising.intervals import Unshrunk
from vae_mf.inverse_ising.moments import spin_moments

FEWEST = 10
"""Smallest number of blocks or groups whose scatter tells anything."""


def effective_weights(spins: Any, block: Any = None, *, groups: Any = None) -> Float[np.ndarray, " samples"]:
    """Return equal weights whose sum is the number of independent rows with as much scatter of <s_i s_j>.

    Given as ``sample_weight``, they let priors, penalties and errors count what the rows are worth. With x_ij the
    products of deviations from the means, the scatter of their sums over blocks, in units of that of as many
    independent rows, is averaged over all pairs of spins, each in units of its variances; it is at least 1.

    Args:
        spins: rows in order, shape (M, N), of two values.
        block: number of successive rows in a block, several correlation times and at most M / 10.
        groups: label of the block of every row instead, shape (M,), as of its trial; ten or more labels.

    Raises:
        ValueError: if there are fewer than ten blocks, or both or neither of block and groups are given.
    """
    rows = np.where(np.asarray(spins) > 0, 1, -1).astype(np.int8)
    if (block is None) == (groups is None):
        raise ValueError("block, groups: expected one of them, got " + ("neither" if block is None else "both"))
    labels = _successive(len(rows), block) if groups is None else _numbered(groups, len(rows))
    data = spin_moments(rows)
    scale = np.sqrt(np.maximum(np.diag(data.covariances), 1e-12))
    deviations = (rows - data.magnetisations) / scale
    means = data.covariances / np.outer(scale, scale)
    squares = ((deviations**2).T @ deviations**2) / len(rows) - means**2
    order = np.argsort(labels, kind="stable")
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    blocks = np.split(deviations[order], edges)
    squared = sum(((part.T @ part - len(part) * means) ** 2 for part in blocks), start=np.zeros_like(means))
    spread = squared / len(rows) * len(blocks) / (len(blocks) - 1)
    upper = np.triu_indices(rows.shape[1], 1)
    return np.full(len(rows), 1 / max(float(spread[upper].sum() / squares[upper].sum()), 1.0))


def bootstrap_errors(
    estimator: InverseIsing, spins: Any, groups: Any, resamples: int = 100, random_state: Any = 0
) -> InverseIsing:
    """Return a fit with errors from the scatter over groups of rows, as trials or repeats, that are alike by chance.

    The rows are fitted with their `effective_weights`, and again with groups weighted at random (Bayesian bootstrap,
    Rubin 1981), in which no spin becomes constant. Where a prior leaves the share g of a coupling and the variance v,
    the error is sqrt((1 - g) v + scatter^2), and never below the fit's own.

    Args:
        estimator: options of the estimator; it is not fitted itself.
        spins: configurations, shape (M, N).
        groups: label of the group of every row, shape (M,); ten or more labels.
        resamples: number of further fits.

    Raises:
        ValueError: if there are fewer than ten groups, the data do not suit the estimator, or one of its fits diverges.
    """
    count = require_integer("resamples", resamples, minimum=FEWEST)
    labels = _numbered(groups, len(spins))
    random = new_generator(random_state)
    weights = effective_weights(spins, groups=labels)
    plain = clone(estimator)
    full = clone(estimator)
    options = estimator.get_params()
    if "standard_errors" in options:
        plain.set_params(standard_errors=False)
        # Estimates under absolute values have no posterior width.
        full.set_params(standard_errors=not options.get("l1"))
    full.fit(spins, sample_weight=weights)
    draws = random.exponential(size=(count, int(labels.max()) + 1))[:, labels]
    draws *= len(labels) / draws.sum(axis=1, keepdims=True)
    fits = [clone(plain).fit(spins, sample_weight=weights * each) for each in draws]
    rows = np.where(np.asarray(spins) > 0, 1, -1).astype(np.int8)
    failed = sum(diverged(fit, rows, weights) for fit in [full, *fits])
    if failed:
        raise ValueError(
            f"estimator: expected fits that converge, got {type(estimator).__name__}, which diverged in {failed} of "
            f"{count + 1}: their scatter is no error; take more rows, raise damping, or take another estimator"
        )
    _widen(full, np.std([fit.couplings_ for fit in fits], axis=0, ddof=1))
    fields = np.std([fit.fields_ for fit in fits], axis=0, ddof=1)
    full.fields_error_ = np.maximum(fields, full.fields_error_) if hasattr(full, "fields_error_") else fields
    return full


def diverged(fit: InverseIsing, rows: Spins, weights: Weights) -> bool:
    """Return True if a fit stopped short of its tolerance where independent spins predict no worse."""
    model = fit.couplings_, fit.fields_, fit.determined_
    return not fit.within_tolerance_ and not beats_independent_spins(*model, rows, weights)


def _widen(fit: InverseIsing, scatter: Float[np.ndarray, "sites sites"]) -> None:
    """Set the errors of the couplings of a fit to those of a scatter, and at least to its own."""
    if not hasattr(fit, "couplings_error_"):
        fit.couplings_error_ = scatter
        return
    raw = fit.without_prior()
    shares = np.divide(fit.couplings_, raw.couplings, out=np.ones_like(scatter), where=raw.couplings != 0)
    variances = (1 - shares) * fit.couplings_error_**2 + scatter**2
    fit.couplings_error_ = np.maximum(fit.couplings_error_, np.sqrt(variances))
    if hasattr(fit, "unshrunk_"):
        fit.unshrunk_ = Unshrunk(raw.couplings, np.maximum(raw.errors, scatter / shares))


def _successive(rows: int, block: Any) -> Int[np.ndarray, " samples"]:
    """Return the number of the block of every row; the last one takes up what is left over."""
    length = require_integer("block", block)
    count = rows // length
    if count < FEWEST:
        raise ValueError(f"block: expected at most a tenth of the {rows} rows, got {block!r}")
    return np.minimum(np.arange(rows) // length, count - 1)


def _numbered(groups: Any, rows: int) -> Int[np.ndarray, " samples"]:
    """Return labels of rows as numbers from 0 on."""
    labels = np.asarray(groups)
    if labels.shape != (rows,):
        raise ValueError(f"groups: expected a label of each of the {rows} rows, got shape {labels.shape}")
    names, numbers = np.unique(labels, return_inverse=True)
    if len(names) < FEWEST:
        raise ValueError(f"groups: expected {FEWEST} or more, got {len(names)}; errors need groups that are alike")
    return numbers
