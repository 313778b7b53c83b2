"""Order of rows: their correlation time, blocks that are longer than it, drift, and columns shifted in time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy.fft import next_fast_len
from scipy.special import chdtri, fdtrc

from vae_mf.arrays import Chains, Rows
from vae_mf.checks import require_integer
from vae_mf.rng import generator
from vae_mf.statistics.u_statistics import Blocks

Columns = Shaped[np.ndarray, "rows columns"]
"""Binary variables as ±1, or any numbers, one row after the other."""

WINDOW = 6.0
"""Autocorrelation times, or half as many correlation times, up to which correlations are summed on either side."""
INDEPENDENT = 1.5
"""Correlation time in rows below which they count as independent: the noise of the largest of many estimates."""
TIMES = 2.5
"""Correlation times in a block."""
CHUNK = 8192
"""Rows at a time."""
SLOWEST = 4
"""Slowest cosines over the rows, which count as drift and not as memory."""
FEWEST_MEANS = 20
"""Blocks whose means are compared, at least."""
LENGTHS = 6
"""Lengths of such blocks that are tried, each half of the one before."""
CHANCE = 1e-3
"""Probability that means of blocks of independent rows are taken to spread more than those."""
RHAT_LIMIT = 1.1
"""Split R-hat from which chains are said not to mix."""


def autocorrelation_time(chains: Chains) -> float:
    """Return the integrated autocorrelation time tau = 1/2 + sum_t rho(t), in draws; 1/2 for independent draws.

    The sum stops at the first t >= 6 tau (Sokal's window). Chains are centred on their common mean, so chains that sit
    in different valleys show as a long time. A constant observable counts as independent.

    >>> autocorrelation_time(np.ones((4, 10)))
    0.5
    """
    length = chains.shape[1]
    if np.ptp(chains) == 0:
        return 0.5
    centred = chains - chains.mean()
    padded = next_fast_len(2 * length - 1, real=True)
    spectrum = np.fft.rfft(centred, padded, axis=1)
    covariance = np.fft.irfft((np.abs(spectrum) ** 2).mean(0), padded)[:length] / np.arange(length, 0, -1)
    times = 0.5 + np.concatenate([[0.0], np.cumsum(covariance[1:] / covariance[0])])
    inside = np.arange(length) < WINDOW * times
    return max(0.5, float(times[-1] if inside.all() else times[np.argmin(inside)]))


def split_rhat(chains: Chains) -> float:
    """Return the split potential scale reduction factor (Gelman et al., Bayesian Data Analysis, section 11.4).

    Each chain is cut in two; 1 means that the spread between chains is that within them. It needs four draws per chain:
    nan for fewer; 1 for a constant observable, infinite for chains frozen apart.

    >>> split_rhat(np.array([[0.0] * 8, [1.0] * 8]))
    inf
    """
    half = chains.shape[1] // 2
    if half < 2:
        return float("nan")
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    if not np.ptp(halves, axis=1).any():
        return 1.0 if np.ptp(halves) == 0 else float("inf")
    within = halves.var(axis=1, ddof=1).mean()
    between = half * halves.mean(axis=1).var(ddof=1)
    return float(np.sqrt((half - 1) / half + between / (half * within)))


def chunks(rows: Columns, order: Rows | None = None) -> Iterator[Float[np.ndarray, "chunk columns"]]:
    """Yield consecutive rows in single precision, in another order where one is given: a copy of all is large."""
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        yield rows[part if order is None else order[part]].astype(np.float32)


def covariance(rows: Columns) -> Float[np.ndarray, "columns columns"]:
    """Return the covariances of the columns.

    >>> covariance(np.array([[1, 1], [-1, -1]], np.int8)).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    total = sum((part.T @ part).astype(np.float64) for part in chunks(rows))
    mean = rows.mean(0, dtype=np.float64)
    return total / len(rows) - np.outer(mean, mean)


def correlations(rows: Columns) -> Float[np.ndarray, "columns columns"]:
    """Return the correlations of the columns; those of a constant one are 0, with itself too.

    >>> correlations(np.array([[1, 1], [-1, 1]], np.int8)).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    products = covariance(rows)
    variances = products.diagonal()
    spread = np.sqrt(np.outer(variances, variances))
    return np.divide(products, spread, out=np.zeros_like(products), where=spread > 0)


def correlation_time(rows: Columns) -> float:
    """Return τ = 1 + 2 Σ_t ρ(t) in rows, the largest of all columns and of their first principal component.

    The mean of n rows has the variance of n / τ independent ones. Below 1.5 it is returned as 1.

    >>> correlation_time(np.random.default_rng(1).choice(np.int8([-1, 1]), (1000, 5)))
    1.0
    """
    component = np.linalg.eigh(covariance(rows))[1][:, -1].astype(np.float32)
    series = (rows[:, column].astype(np.float64) for column in range(rows.shape[1]))
    slowest = max(autocorrelation_time(values[None]) for values in series)
    projected = np.concatenate([part @ component for part in chunks(rows)]).astype(np.float64)
    time = 2 * max(slowest, autocorrelation_time(projected[None]))
    return time if time >= INDEPENDENT else 1.0


def block_time(rows: Columns) -> float:
    """Return the number of rows that are worth an independent one, by the spread of means over blocks of them.

    That of the slowest column at the length of blocks at which it is largest. Weak memory that lasts shows so, which
    the sum of correlations over a few lags does not hold. Where chance explains the spread it is 1.

    >>> block_time(np.random.default_rng(1).choice(np.int8([-1, 1]), (4000, 5)))
    1.0
    """
    longest = len(rows) // FEWEST_MEANS
    variances = covariance(rows).diagonal()
    times = [1.0]
    for length in (longest >> halving for halving in range(LENGTHS)):
        if length < 2:
            break
        count = len(rows) // length
        means = rows[: count * length].reshape(count, length, -1).mean(1, dtype=np.float64)
        spread = length * means.var(0, ddof=1)
        ratio = np.divide(spread, variances, out=np.zeros_like(spread), where=variances > 0).max()
        limit = chdtri(count - 1, CHANCE / (LENGTHS * rows.shape[1])) / (count - 1)
        times.append(float(ratio) if ratio > limit else 1.0)
    return max(times) if max(times) >= INDEPENDENT else 1.0


def row_blocks(rows: int, time: float = 1.0, most: int = 1000) -> Blocks:
    """Return blocks of about equal length, at least 2.5 correlation times each.

    Blocks of correlated rows still resemble those that they touch: these are not paired.

    Args:
        rows: number of rows.
        time: correlation time in rows, 1 for independent rows.
        most: largest number of blocks.

    >>> row_blocks(8, most=4)
    Blocks(labels=array([0, 0, 1, 1, 2, 2, 3, 3]), gap=0)
    """
    length = TIMES * time if time > 1 else 1
    count = int(np.clip(rows // length, 1, require_integer("most", most)))
    return Blocks(np.arange(rows) * count // rows, int(time > 1))


def cosines(rows: int, count: int) -> Float[np.ndarray, "rows cosines"]:
    """Return the slowest cosines over the rows, orthogonal to each other and to a constant, each of length one."""
    phases = np.pi * (np.arange(rows) + 0.5) / rows
    return np.cos(phases[:, None] * np.arange(1, count + 1)) * (2 / rows) ** 0.5


def drift(rows: Columns, slowest: int = SLOWEST, count: int = 24) -> float:
    """Return the p-value that no column follows the order of the rows, Bonferroni's over the columns.

    F test of the power of the slowest cosines of a column against that of the next ones. It holds if correlations die
    within about a fiftieth of the rows.

    >>> line = np.linspace(-1, 1, 500)[:, None]
    >>> drift(line + np.random.default_rng(1).normal(size=(500, 1))) < 1e-6
    True
    """
    power = amplitudes(rows, count) ** 2
    fast = power[slowest:].mean(0)
    ratio = np.divide(power[:slowest].mean(0), fast, out=np.zeros_like(fast), where=fast > 0)
    return float(min(1.0, len(ratio) * fdtrc(slowest, count - slowest, ratio.max())))


def amplitudes(rows: Columns, count: int) -> Float[np.ndarray, "cosines columns"]:
    """Return the amplitudes of the slowest cosines of every column."""
    waves = np.split(cosines(len(rows), count), range(CHUNK, len(rows), CHUNK))
    return np.array([wave.T @ part for wave, part in zip(waves, chunks(rows), strict=True)]).sum(0)


def without_drift(rows: Columns) -> Float[np.ndarray, "rows columns"]:
    """Return rows less their means and their slowest cosines.

    >>> line = np.linspace(-1, 1, 1000)[:, None]
    >>> round(float(without_drift(line).var() / line.var()), 4)
    0.0023
    """
    mean = rows.mean(0, dtype=np.float64).astype(np.float32)
    waves = cosines(len(rows), SLOWEST).astype(np.float32)
    slow = amplitudes(rows, SLOWEST).astype(np.float32)
    residuals = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        residuals[part] = rows[part] - mean - waves[part] @ slow
    return residuals


def local_residuals(rows: Columns, windows: int) -> Float[np.ndarray, "rows columns"]:
    """Return rows less the mean of their window, scaled so that covariances stay unbiased: drift is taken out.

    >>> local_residuals(np.array([[1, 1], [-1, 1]]), windows=1).astype(float).round(3).tolist()
    [[1.414, 0.0], [-1.414, 0.0]]

    Raises:
        ValueError: unless every window holds at least two rows.
    """
    if require_integer("windows", windows) > len(rows) // 2:
        raise ValueError(f"windows: expected at most {len(rows) // 2}, half the number of rows, got {windows}")
    residuals = np.empty(rows.shape, np.float32)
    for own, part in zip(np.array_split(residuals, windows), np.array_split(rows, windows), strict=True):
        own[:] = (part - part.mean(0)) * (len(part) / (len(part) - 1)) ** 0.5
    return residuals


def shifted_columns(rows: Columns, count: int, seed: int) -> Iterator[Columns]:
    """Yield surrogates: every column shifted in time by a lag of its own, round the ends.

    Correlations between columns are lost, the law and the memory of each stay.

    Args:
        rows: the data.
        count: number of surrogates.
        seed: seed of the lags.
    """
    for number in range(require_integer("count", count)):
        surrogate = rows.copy()
        shift_columns(surrogate, number, seed)
        yield surrogate


def shift_columns(rows: Columns, number: int, seed: int) -> None:
    """Make rows their own surrogate of this number, see `shifted_columns`, without a second array."""
    lags = generator(seed, "shifts", number).integers(len(rows), size=rows.shape[1])
    for column, lag in zip(rows.T, lags.tolist(), strict=True):
        column[:] = np.roll(column, lag)


class SurrogateTest(NamedTuple):
    """A number of the data beside those of surrogates."""

    value: float
    null_mean: float
    null_spread: float
    """Standard deviation over the surrogates."""
    p_value: float
    """Share of the surrogates that are at least as large, the data counted among them."""

    @property
    def excess(self) -> float:
        """Value less the mean of the surrogates."""
        return self.value - self.null_mean

    @property
    def significance(self) -> float:
        """Excess in standard deviations of the surrogates."""
        return self.excess / self.null_spread


class ShiftTest(NamedTuple):
    """Tests of independence of the columns, whatever the memory of each."""

    information: SurrogateTest
    """½ Σ ρ_ij² over pairs of columns, the information in nats at order 2 that no latent variable explains."""
    eigenvalue: SurrogateTest
    """Largest eigenvalue of the correlation matrix."""


def shift_test(
    rows: Columns, count: int, seed: int, variables: Shaped[np.ndarray, " columns"] | None = None
) -> ShiftTest:
    """Return the correlations of the columns beside those of columns shifted against each other in time.

    Args:
        rows: the data.
        count: number of surrogates.
        seed: seed of the surrogates.
        variables: variable that every column belongs to, columns of one being no pair; None for a column a variable.
    """
    variables = np.arange(rows.shape[1]) if variables is None else variables
    pairs = variables[:, None] < variables
    found = [correlation_numbers(rows, pairs)]
    found += [correlation_numbers(surrogate, pairs) for surrogate in shifted_columns(rows, count, seed)]
    return ShiftTest(*(surrogate_test(values) for values in np.array(found).T))


def correlation_numbers(rows: Columns, pairs: Shaped[np.ndarray, "columns columns"]) -> tuple[float, float]:
    """Return ½ Σ ρ_ij² over the pairs, and the largest eigenvalue of the correlations; constant columns have none."""
    matrix = correlations(rows)
    return float((matrix[pairs] ** 2).sum()) / 2, float(np.linalg.eigvalsh(matrix)[-1])


def surrogate_test(values: Float[np.ndarray, " surrogates"]) -> SurrogateTest:
    """Return the test of the first value against the others.

    >>> surrogate_test(np.array([3.0, 1.0, -1.0]))
    SurrogateTest(value=3.0, null_mean=0.0, null_spread=1.4142135623730951, p_value=0.3333333333333333)
    """
    null = values[1:]
    return SurrogateTest(
        float(values[0]), float(null.mean()), float(null.std(ddof=1)), float((values >= values[0]).mean())
    )
