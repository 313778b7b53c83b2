"""Weights and errors for rows that depend on each other, as in a recording or in repeats of a trial."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import clone
from sklearn.utils import check_array

from vae_mf.arrays import Spins
from vae_mf.checks import plain_array, require_integer, shown
from vae_mf.inverse_ising.base import InverseIsing, new_generator
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.independent_spins import beats_independent_spins
from vae_mf.inverse_ising.intervals import Unshrunk

FEWEST = 10
"""Smallest number of blocks or groups whose scatter tells anything."""


def effective_weights(spins: Any, block: Any = None, *, groups: Any = None) -> Float[np.ndarray, " samples"]:
    """Return equal weights whose sum is the number of independent rows with as much scatter of <s_i s_j>.

    Given as ``sample_weight``, they let priors, penalties and errors count what the rows are worth. With x_ij the
    products of deviations from the means, the scatter of their sums over blocks, in units of that of as many
    independent rows, is averaged over all pairs of spins, each in units of its variances; it is at least 1.

    >>> spins = np.random.default_rng(0).choice([-1, 1], (1000, 3)).repeat(5, axis=0)
    >>> weights = effective_weights(spins, block=50)  # 5000 rows, of which 1000 are independent
    >>> weights.shape, int(weights.sum().round(-2))
    ((5000,), 1000)

    Args:
        spins: rows in order, shape (M, N), entries -1 and +1, or 0 and 1; NaN where missing, which scatters nothing.
        block: number of successive rows in a block, several correlation times and at most M / 10.
        groups: label of the block of every row instead, shape (M,), as of its trial; ten or more labels.

    Raises:
        ValueError: if the values are others, fewer than two columns vary, there are fewer than ten blocks, or both or
            neither of block and groups are given.
    """
    rows = signs(spins)
    if (block is None) == (groups is None):
        raise ValueError("block, groups: expected one of them, got " + ("neither" if block is None else "both"))
    labels = _successive(len(rows), block) if groups is None else _numbered(groups, len(rows))
    seen = rows != 0
    magnetisations = rows.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    varying = np.abs(magnetisations) < 1
    if varying.sum() < 2:
        raise ValueError(f"spins: expected two or more columns that vary, got {varying.sum()}")
    deviations = ((rows - magnetisations) * seen)[:, varying]
    deviations /= np.sqrt((deviations**2).mean(axis=0))
    means = deviations.T @ deviations / len(rows)
    squares = ((deviations**2).T @ deviations**2) / len(rows) - means**2
    order = np.argsort(labels, kind="stable")
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    blocks = np.split(deviations[order], edges)
    squared = np.zeros_like(means)
    for part in blocks:
        squared += (part.T @ part - len(part) * means) ** 2
    spread = squared / len(rows) * len(blocks) / (len(blocks) - 1)
    upper = np.triu_indices(len(means), 1)
    return np.full(len(rows), 1 / max(float(spread[upper].sum() / squares[upper].sum()), 1.0))


def bootstrap_errors(
    estimator: Any, spins: Any, groups: Any, resamples: int = 100, random_state: Any = 0
) -> InverseIsing:
    """Return a fit with errors from the scatter over groups of rows, as trials or repeats, that are alike by chance.

    The rows are fitted with their `effective_weights`, and again with groups weighted at random (Bayesian bootstrap,
    Rubin 1981), in which no spin becomes constant. Where a prior leaves the share g of a coupling and the variance v,
    the error is sqrt((1 - g) v + scatter^2), and never below the fit's own.

    >>> from vae_mf.inverse_ising import NaiveMeanField
    >>> rows = np.repeat([[1, 1], [1, 1], [1, -1], [-1, -1], [-1, -1]] * 40, 5, axis=0)  # 200 trials of equal rows
    >>> fit = bootstrap_errors(NaiveMeanField(), rows, groups=np.repeat(np.arange(200), 5), resamples=20)
    >>> NaiveMeanField().fit(rows).couplings_error_[0].round(2), fit.couplings_error_[0].round(2)
    (array([0.  , 0.07]), array([0.  , 0.16]))

    Args:
        estimator: options of the estimator; it is not fitted itself.
        spins: configurations, shape (M, N).
        groups: label of the group of every row, shape (M,); ten or more labels.
        resamples: number of further fits.
        random_state: seed or generator of the weights.

    Raises:
        ValueError: if the estimator is none of couplings from rows, there are fewer than ten groups, the data do not
            suit the estimator, or one of its fits diverges.
    """
    if not isinstance(estimator, InverseIsing):
        raise ValueError(f"estimator: expected one of couplings from rows of spins, got {shown(estimator)}")
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
    rows = signs(spins)
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


def signs(spins: Any) -> Spins:
    """Return rows of users' spins as -1 and +1, and 0 for NaN.

    >>> signs([[0, 1], [1, np.nan]])
    array([[-1,  1],
           [ 1,  0]], dtype=int8)

    Raises:
        ValueError: if they have another number of axes, or other values than -1 and +1, 0 and 1, and NaN.
    """
    values = np.asarray(
        check_array(plain_array(spins), dtype=np.float64, ensure_all_finite="allow-nan", input_name="spins")
    )
    seen = np.unique(values[~np.isnan(values)])
    if not (np.isin(seen, (-1, 1)).all() or np.isin(seen, (0, 1)).all()):
        raise ValueError(f"spins: expected entries -1 and 1, or 0 and 1, got values such as {seen[:5].tolist()}")
    return np.where(np.isnan(values), 0, np.where(values > 0, 1, -1)).astype(np.int8)


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
    known = np.where(np.isfinite(fit.couplings_error_), fit.couplings_error_, 0)
    variances = (1 - shares) * known**2 + scatter**2
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
