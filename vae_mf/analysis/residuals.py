"""Observables that a model misses, by ridge regression of ln r on spins and on pairs of spins (paper, IX.5).

ln r(x) = sum_i b_i s_i + const, or sum_{i<j} b_ij s_i s_j + const, over joint samples. Groups of neighbouring rows are
deleted in turn: cross-validation chooses λ, the jackknife gives the errors, and z = b / error is about standard normal
where there is no structure. With fewer features than rows that is done by the normal equations. With more, in the dual
form, it costs no further fit: with centred features Φ (rows, features) and A = (Φ Φᵀ + λ)⁻¹ the coefficients are
b = Φᵀ α, α = A y, and deleting the rows g leaves α - A_:g A_gg⁻¹ α_g and predicts them with the residuals A_gg⁻¹ α_g.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.linalg import solve

from vae_mf.analysis.total_correlation import CriticResult
from vae_mf.arrays import Spins
from vae_mf.checks import require_integer
from vae_mf.statistics.averages import evenly_spaced

PENALTIES = np.logspace(-3, 3, 13)
"""Candidates of λ, in units of the mean of the diagonal of Φ Φᵀ."""
PRIMAL_FEATURES = 1500
"""Largest number of features of the normal equations."""
DUAL_ROWS = 4000
"""Rows that the dual form takes at most: it keeps all their products."""


class Columns:
    """Features of some rows as they are.

    Attributes:
        values: features (rows, features).
    """

    def __init__(self, values: Float[np.ndarray, "rows features"]) -> None:
        self.values = values

    @property
    def width(self) -> int:
        """Number of features."""
        return self.values.shape[1]

    def of(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen features"]:
        """Return the features of some rows."""
        return self.values[rows]

    def products(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen chosen"]:
        """Return the products of centred rows."""
        centred = self.values[rows] - self.values[rows].mean(0)
        return (centred @ centred.T).astype(np.float64)

    def combined(
        self, rows: Int[np.ndarray, " chosen"], weights: Float[np.ndarray, "chosen columns"]
    ) -> Float[np.ndarray, "features columns"]:
        """Return the sums of centred rows with some weights."""
        return (self.values[rows] - self.values[rows].mean(0)).T @ weights


class PairColumns:
    """Products s_i s_j of every pair i < j, which are not kept: rows x N(N - 1)/2 of them may exceed any memory.

    Products of rows follow from x_a . x_b, as sum_{i<j} s_i s_j t_i t_j = ((s . t)² - N) / 2.

    Attributes:
        spins: spins (rows, sites).
    """

    def __init__(self, spins: Spins) -> None:
        self.spins = spins

    @property
    def width(self) -> int:
        """Number of pairs."""
        return math.comb(self.spins.shape[1], 2)

    def of(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen pairs"]:
        """Return the products of some rows."""
        return pair_products(self.spins[rows])

    def products(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen chosen"]:
        """Return the products of centred rows."""
        spins = self.spins[rows].astype(np.float32)
        overlaps = (spins @ spins.T).astype(np.float64)
        products = (overlaps**2 - spins.shape[1]) / 2
        means = products.mean(axis=1)
        return products - means - means[:, np.newaxis] + means.mean()

    def combined(
        self, rows: Int[np.ndarray, " chosen"], weights: Float[np.ndarray, "chosen columns"]
    ) -> Float[np.ndarray, "pairs columns"]:
        """Return the sums of centred rows with some weights."""
        spins = self.spins[rows].astype(np.float64)
        upper = np.triu_indices(spins.shape[1], 1)
        centred = weights - weights.mean(axis=0)
        return np.stack([(spins.T @ (column[:, np.newaxis] * spins))[upper] for column in centred.T], axis=1)


class RidgeFit(NamedTuple):
    """Coefficients of a ridge regression with their significance."""

    coefficients: Float[np.ndarray, " features"]
    significance: Float[np.ndarray, " features"]
    """z = coefficient / jackknife error, 0 where both vanish."""
    explained: float
    """Cross-validated R²: the part of the variance of ln r that is predicted in groups left out of the fit."""


def ridge(features: Columns | PairColumns, values: Float[np.ndarray, " rows"], groups: int) -> RidgeFit:
    """Return the ridge regression of ``values`` on ``features``, its penalty chosen over groups of rows.

    Args:
        features: features of the same rows.
        values: numbers to predict; if all are the same, as for a critic that sees nothing, all coefficients are 0.

    Raises:
        ValueError: unless there are from 2 groups up to one per row.
    """
    rows = len(values)
    if not 2 <= require_integer("groups", groups) <= rows:
        raise ValueError(f"groups: expected from 2 to {rows}, the number of rows, got {groups}")
    target = values - values.mean()
    if not target.any():
        return RidgeFit(np.zeros(features.width), np.zeros(features.width), 0.0)
    if features.width <= min(rows, PRIMAL_FEATURES):
        fit = primal_ridge(features, target, groups)
    else:
        chosen = evenly_spaced(rows, DUAL_ROWS)
        fit = dual_ridge(features, chosen, values[chosen] - values[chosen].mean(), groups)
    spread = fit.replicas.std(axis=1) * np.sqrt(groups - 1)
    significance = np.divide(fit.coefficients, spread, out=np.zeros_like(fit.coefficients), where=spread > 0)
    return RidgeFit(fit.coefficients, significance, fit.explained)


class DeletedFit(NamedTuple):
    """Coefficients, and those after the deletion of each group."""

    coefficients: Float[np.ndarray, " features"]
    replicas: Float[np.ndarray, "features groups"]
    explained: float
    """Cross-validated R²."""


def primal_ridge(features: Columns | PairColumns, target: Float[np.ndarray, " rows"], groups: int) -> DeletedFit:
    """Return the regression from the normal equations, for fewer features than rows; one group is kept at a time."""
    parts = np.array_split(np.arange(len(target)), groups)
    width = features.width
    mean = sum(features.of(part).sum(0, dtype=np.float64) for part in parts) / len(target)
    grams = np.empty((groups, width, width))
    moments = np.empty((groups, width))
    for group, part in enumerate(parts):
        centred = features.of(part) - mean
        grams[group] = centred.T @ centred
        moments[group] = centred.T @ target[part]
    gram = grams.sum(0)
    moment = moments.sum(0)
    fits = []
    for strength in PENALTIES * np.trace(gram) / len(target):
        penalty = strength * np.eye(width)
        replicas = np.stack(
            [
                solve(gram - less + penalty, moment - part, assume_a="pos")
                for less, part in zip(grams, moments, strict=True)
            ],
            axis=1,
        )
        # Of each group that is left out |y - Φ b|² = |y|² - 2 b . m + b . G b: its rows are not needed again.
        error = float(target @ target) + sum(
            float(replica @ (left @ replica) - 2 * replica @ part)
            for left, part, replica in zip(grams, moments, replicas.T, strict=True)
        )
        explained = 1 - error / float(target @ target)
        fits.append(DeletedFit(solve(gram + penalty, moment, assume_a="pos"), replicas, explained))
    return max(fits, key=lambda fit: fit.explained)


def dual_ridge(
    features: Columns | PairColumns,
    rows: Int[np.ndarray, " chosen"],
    target: Float[np.ndarray, " chosen"],
    groups: int,
) -> DeletedFit:
    """Return the regression from the products of some rows, for more features than rows."""
    eigenvalues, vectors = np.linalg.eigh(features.products(rows))
    parts = np.array_split(np.arange(len(target)), groups)
    fits = [
        deleted_weights(vectors / (eigenvalues.clip(min=0) + penalty) @ vectors.T, target, parts)
        for penalty in PENALTIES * eigenvalues.mean()
    ]
    weights, replicas, error = min(fits, key=lambda fit: fit.error)
    combined = features.combined(rows, np.column_stack([weights, replicas]))
    return DeletedFit(combined[:, 0], combined[:, 1:], 1 - error / float(target @ target))


class DualFit(NamedTuple):
    """Weights of the rows in the dual form."""

    weights: Float[np.ndarray, " rows"]
    replicas: Float[np.ndarray, "rows groups"]
    """Weights with each group deleted in turn."""
    error: float
    """Sum of the squared residuals of the groups when deleted."""


def deleted_weights(
    inverse: Float[np.ndarray, "rows rows"], target: Float[np.ndarray, " rows"], parts: list[np.ndarray]
) -> DualFit:
    """Return the weights A y with A = ``inverse``, and those after the deletion of each part."""
    weights, replicas, error = inverse @ target, [], 0.0
    for part in parts:
        residuals = np.linalg.solve(inverse[np.ix_(part, part)], weights[part])
        replicas.append(weights - inverse[:, part] @ residuals)
        error += float(residuals @ residuals)
    return DualFit(weights, np.stack(replicas, axis=1), error)


def pair_products(spins: Spins) -> Float[np.ndarray, "rows pairs"]:
    """Return s_i s_j of every pair i < j, row by row.

    >>> pair_products(np.array([[1, -1, -1]], np.int8))
    array([[-1., -1.,  1.]], dtype=float32)
    """
    first, second = np.triu_indices(spins.shape[1], 1)
    return (spins[:, first] * spins[:, second]).astype(np.float32)


def displacement_sums(spins: Spins) -> Float[np.ndarray, "rows displacements"]:
    """Return sum_y,x s(y, x) s(y + dy, x + dx) on an L x L torus for the L² - 1 displacements, row by row."""
    side = math.isqrt(spins.shape[1])
    power = np.abs(np.fft.fft2(spins.reshape(-1, side, side))) ** 2
    return np.rint(np.fft.ifft2(power).real).reshape(len(spins), -1)[:, 1:].astype(np.float32)


def residual_tables(result: CriticResult, temperature: float, groups: int) -> dict[str, pd.DataFrame]:
    """Return the structure that a critic has found at one temperature, on samples its weights were not fitted to.

    Returns:
        "residual_fields" (site, coefficient, significance), "residual_pairs" (first, second, ...), on a lattice
        "residual_displacements" (dy, dx, ...), and "residual_summary": cross-validated R² per set of observables.

    Raises:
        ValueError: for directors, or a temperature that is not there.
    """
    parts = result.samples
    if parts.kind != "spins":
        raise ValueError("residual_tables: expected a critic of spins, got one of directors")
    if temperature not in parts.temperatures:
        raise ValueError(f"temperature: expected one of {parts.temperatures}, got {temperature}")
    level = parts.temperatures.index(temperature)
    spins = []
    log_ratio = []
    for samples in (parts.validation, parts.test):
        chosen = samples.select((samples.condition.index == level).nonzero()[:, 0])
        spins.append(chosen.statistics[..., 0].to(torch.int8).numpy(force=True))
        log_ratio.append(result.critic.log_ratio(chosen).double().numpy(force=True))
    return regressions(np.concatenate(spins), np.concatenate(log_ratio), parts.lattice, groups)


def regressions(
    spins: Spins, log_ratio: Float[np.ndarray, " rows"], lattice: bool, groups: int
) -> dict[str, pd.DataFrame]:
    """Return the tables of `residual_tables` from configurations and their ln r."""
    sites = spins.shape[1]
    first, second = np.triu_indices(sites, 1)
    fits = {
        "fields": ({"site": np.arange(sites)}, ridge(Columns(spins.astype(np.float32)), log_ratio, groups)),
        "pairs": ({"first": first, "second": second}, ridge(PairColumns(spins), log_ratio, groups)),
    }
    if lattice:
        side = math.isqrt(sites)
        dy, dx = centred_displacements(side)
        fits["displacements"] = ({"dy": dy, "dx": dx}, ridge(Columns(displacement_sums(spins)), log_ratio, groups))
    tables = {
        f"residual_{name}": pd.DataFrame({**keys, "coefficient": fit.coefficients, "significance": fit.significance})
        for name, (keys, fit) in fits.items()
    }
    summary = [(name, fit.explained, np.abs(fit.significance).max()) for name, (_, fit) in fits.items()]
    tables["residual_summary"] = pd.DataFrame(summary, columns=["observables", "explained", "largest_significance"])
    return tables


def centred_displacements(side: int) -> Int[np.ndarray, "2 displacements"]:
    """Return the displacements (dy, dx) on a torus, none beyond half its side, in the order of `displacement_sums`.

    >>> centred_displacements(2)
    array([[ 0, -1, -1],
           [-1,  0, -1]])
    """
    numbers = np.arange(1, side * side)
    return (np.stack([numbers // side, numbers % side]) + side // 2) % side - side // 2
