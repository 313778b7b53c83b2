"""Residual structure: the dual algebra against refits, a planted interaction found, noise left featureless."""

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from vae_mf.analysis.residuals import (
    Columns,
    PairColumns,
    centred_displacements,
    deleted_weights,
    displacement_sums,
    dual_ridge,
    pair_products,
    primal_ridge,
    regressions,
    ridge,
)

SIDE, ROWS, GROUPS = 4, 300, 15


def spins(rows: int = ROWS, sites: int = SIDE**2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1, 1], (rows, sites)).astype(np.int8)


def test_coefficients_are_those_of_ridge_regression():
    """At the penalty that was chosen, found again among the candidates."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, 90))
    values = features[:, :3] @ np.array([1.0, -2.0, 0.5]) + 0.1 * generator.normal(size=60)
    found = ridge(Columns(features), values, 6)
    centred = features - features.mean(0)
    scale = (centred**2).sum() / 60
    refits = [Ridge(alpha=scale * 10.0**power).fit(features, values).coef_ for power in np.arange(-3, 3.5, 0.5)]
    assert min(np.abs(found.coefficients - refit).max() for refit in refits) < 1e-8


def test_deleting_a_group_equals_a_fit_without_it():
    generator = np.random.default_rng(2)
    features, target, penalty = generator.normal(size=(12, 5)), generator.normal(size=12), 0.7
    parts = [np.arange(5), np.arange(5, 12)]
    fit = deleted_weights(np.linalg.inv(features @ features.T + penalty * np.eye(12)), target, parts)
    error = 0.0
    for column, (left_out, kept) in enumerate((parts, parts[::-1])):
        one = Ridge(alpha=penalty, fit_intercept=False).fit(features[kept], target[kept])
        np.testing.assert_allclose(features.T @ fit.replicas[:, column], one.coef_, atol=1e-10)
        error += ((target[left_out] - one.predict(features[left_out])) ** 2).sum()
    assert fit.error == pytest.approx(error)


def test_normal_equations_and_dual_form_agree():
    generator = np.random.default_rng(4)
    features, values = generator.normal(size=(50, 8)), generator.normal(size=50)
    columns, target = Columns(features), values - values.mean()
    first, second = primal_ridge(columns, target, 7), dual_ridge(columns, np.arange(50), target, 7)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("rows", "sites"), [(40, 16), (300, 8)], ids=["dual", "primal"])
def test_products_of_pairs_are_regressed_on_as_if_they_were_kept(rows, sites):
    drawn = spins(rows, sites)
    values = np.random.default_rng(6).normal(size=rows) + drawn[:, 0] * drawn[:, 1]
    found, kept = (ridge(columns, values, 5) for columns in (PairColumns(drawn), Columns(pair_products(drawn))))
    for one, other in zip(found, kept, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_products_of_many_pairs_are_never_kept():
    drawn = spins(400, 600)
    values = np.random.default_rng(7).normal(size=len(drawn))
    tracemalloc.start()
    ridge(PairColumns(drawn), values, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * 4 * len(drawn) * 600 * 599 / 2


def test_displacement_sums_are_sums_of_pairs():
    rows = spins(3)
    found, (dy, dx) = displacement_sums(rows), centred_displacements(SIDE)
    lattice = rows.reshape(-1, SIDE, SIDE).astype(int)
    for column in range(SIDE**2 - 1):
        expected = (lattice * np.roll(lattice, (-dy[column], -dx[column]), (1, 2))).sum((1, 2))
        np.testing.assert_array_equal(found[:, column], expected)
    assert np.abs(np.stack([dy, dx])).max() == SIDE // 2


def test_a_missed_interaction_is_found_and_nothing_else():
    rows, generator = spins(), np.random.default_rng(3)
    lattice = rows.reshape(-1, SIDE, SIDE).astype(float)
    bonds = (lattice * (np.roll(lattice, 1, 1) + np.roll(lattice, 1, 2))).sum((1, 2))
    tables = regressions(rows, 0.4 * bonds + generator.normal(size=ROWS), lattice=True, groups=GROUPS)
    unfolded = tables["residual_displacements"]
    neighbour = unfolded.dy.abs() + unfolded.dx.abs() == 1
    # A displacement and its opposite are one observable, and share the coefficient.
    np.testing.assert_allclose(unfolded.coefficient[neighbour], 0.2, atol=0.03)
    assert unfolded.significance[neighbour].min() > 8
    assert unfolded.significance[~neighbour].abs().max() < 5
    pairs = tables["residual_pairs"]
    apart = np.abs(np.stack(np.divmod(pairs["first"], SIDE)) - np.stack(np.divmod(pairs["second"], SIDE)))
    bonded = np.minimum(apart, SIDE - apart).sum(0) == 1
    assert bonded.sum() == 2 * SIDE**2
    assert np.quantile(pairs.coefficient[bonded], 0.05) > np.quantile(pairs.coefficient[~bonded], 0.95)
    explained = tables["residual_summary"].set_index("observables").explained
    assert explained["displacements"] > 0.8
    assert explained["pairs"] > 0.6
    assert explained["fields"] < 0.05


def test_noise_is_featureless():
    tables = regressions(spins(), np.random.default_rng(4).normal(size=ROWS), lattice=True, groups=GROUPS)
    # The best of 13 penalties is a little above 0 by chance.
    assert (tables["residual_summary"].explained < 0.05).all()
    z = tables["residual_pairs"].significance
    # Student's t with 14 degrees of freedom exceeds 3.8 once in 500.
    assert (z.abs() > 3.8).sum() <= 4


def test_significance_is_in_units_of_its_error():
    """The mean square of 1,440 coefficients of noise is that of Student's t with 14 degrees of freedom."""
    squares = []
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=ROWS)
        tables = regressions(spins(seed=seed + 100), noise, lattice=False, groups=GROUPS)
        squares.append((tables["residual_pairs"].significance ** 2).mean())
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.sqrt(14 / 12), rel=0.12)


def test_a_silent_critic_has_no_structure():
    tables = regressions(spins(), np.zeros(ROWS), lattice=False, groups=GROUPS)
    assert "residual_displacements" not in tables
    assert not tables["residual_pairs"][["coefficient", "significance"]].any(axis=None)
    assert not tables["residual_summary"].explained.any()


@pytest.mark.parametrize("groups", [1, ROWS + 1])
def test_numbers_of_groups_out_of_range_are_refused(groups):
    with pytest.raises(ValueError, match=f"groups: expected from 2 to {ROWS}, the number of rows, got {groups}"):
        ridge(PairColumns(spins()), np.ones(ROWS), groups)
