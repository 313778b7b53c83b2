"""Studies of random formulas: crossings that are known, entropies against exact counts, tables that can be drawn."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from vae_mf.plotting.satisfiability import draw_energy, draw_search, draw_threshold
from vae_mf.studies import k_sat_threshold
from vae_mf.studies.k_sat_energy import annealed, energy_tables, infinite_temperature, integrated_entropy, measured
from vae_mf.studies.k_sat_search import ALGORITHMS, search_tables
from vae_mf.studies.k_sat_threshold import crossing_tables, fitted_log_odds, half_point, threshold_tables
from vae_mf.systems import KSat

SCAN = {"length": 2, "threshold": 1.0, "ratios": [0.7, 1.0, 1.3, 1.6], "sizes": [10, 20], "formulas": [20, 20]}
SCAN |= {"solver": "look_ahead", "factor": 2}
SIZES = {"members": 400, "discarded": 10, "kept": 10, "populations": 2}


def curves(threshold, nu, sizes, formulas):
    """Curves whose crossing and exponent are known, with shares that are exact up to rounding."""
    rows = []
    for sites in sizes:
        for ratio in np.linspace(threshold - 0.4, threshold + 0.3, 8):
            share = 1 / (1 + np.exp(0.5 * (ratio - threshold) * sites ** (1 / nu) - 0.8))
            row = {"length": 3, "threshold": threshold, "sites": sites, "ratio": ratio, "formulas": formulas}
            rows.append(row | {"satisfiable": round(share * formulas), "probability": share})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("threshold", "nu"), [(4.3, 1.5), (1.0, 3.0)])
def test_crossings_and_exponents_are_found(threshold, nu):
    found = crossing_tables(curves(threshold, nu, [50, 100, 200], 2000), 2, np.random.default_rng(1)).crossings
    assert list(found.small) == [50, 100]
    assert (np.abs(found.ratio - threshold) < 3 * found.error + 1e-3).all()
    assert (np.abs(found.nu - nu) < 3 * found.nu_error).all()
    assert (found.error < 0.1).all()


def test_half_points_are_found():
    tables = crossing_tables(curves(4.3, 1.5, [50, 100, 200, 400], 4000), 2, np.random.default_rng(1))
    expected = 4.3 + 1.6 * tables.halves.sites ** (-1 / 1.5)
    assert (np.abs(tables.halves.ratio - expected) < 3 * tables.halves.error).all()
    assert (tables.halves.error < 0.05).all()


@pytest.mark.parametrize("steepness", [20, 60, 100, 1000])
def test_a_curve_is_fitted_to_its_end_and_tells_no_half_point_between_two_ratios(steepness, monkeypatch):
    ratios, formulas = np.linspace(3.8, 4.6, 9), np.full(9, 400)
    satisfiable = np.round(400 / (1 + np.exp(steepness * (ratios - 4.23))))
    found = half_point(ratios, formulas, satisfiable)
    assert np.isnan(found) == (steepness > 60)
    assert not abs(found - 4.23) > 0.02
    ended = fitted_log_odds(ratios - 4.2, satisfiable, formulas)
    monkeypatch.setattr(k_sat_threshold, "STEPS", 5_000)
    np.testing.assert_array_equal(fitted_log_odds(ratios - 4.2, satisfiable, formulas), ended)


@pytest.mark.slow
@pytest.mark.parametrize("steepness", [10, 25, 50])
def test_the_error_of_a_half_point_covers_it_whatever_the_form_of_the_fall(steepness):
    random = np.random.default_rng(1)
    forms = (expit, lambda odds: norm.cdf(odds / 1.6), lambda odds: 1 - np.exp(-np.log(2) * np.exp(odds)))
    inside = []
    for form in 20 * forms:
        place, ratios = random.uniform(4.05, 4.35), np.linspace(3.8, 4.6, 9)
        satisfiable = random.binomial(1000, form(steepness * (place - ratios)))
        table = pd.DataFrame({"length": 3, "threshold": 4.2, "sites": 50, "ratio": ratios, "formulas": 1000})
        table = table.assign(satisfiable=satisfiable, probability=satisfiable / 1000)
        half = crossing_tables(table, 2, random).halves.iloc[0]
        inside += [abs(half.ratio - place) < 2 * half.error] if np.isfinite(half.ratio) else []
    assert len(inside) > 15
    assert np.mean(inside) > 0.88


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ratios": [1.0]}, r"ratios: expected 3 or more, all different, to fit curves to, got \[1.0\]"),
        ({"ratios": [1.0, 1.0, 1.2]}, "ratios: expected 3 or more, all different"),
        ({"ratios": [1.0, -1.0, 1.2]}, "ratios: expected a finite number > 0, got -1.0"),
        ({"formulas": [0, 20]}, "formulas: expected an integer >= 1, got 0"),
        ({"formulas": [20]}, r"formulas: expected a number for each of the sizes \[10, 20\], got \[20\]"),
        ({"sizes": [], "formulas": []}, "formulas: expected a number for each of the sizes"),
        ({"sizes": [1, 20]}, "sizes: expected an integer >= 2, got 1"),
        ({"factor": 1}, "factor: expected an integer >= 2, got 1"),
    ],
)
def test_scans_that_no_curve_fits_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        threshold_tables([SCAN | changed], seed=1)


@pytest.mark.parametrize(("place", "inside"), [(1.057, True), (1.065, False), (0.895, False)])
def test_a_half_point_lies_within_the_ratios_that_were_tried(place, inside):
    ratios = np.array([0.9, 0.94, 0.97, 1.0, 1.03, 1.06])
    found = half_point(ratios, np.full(6, 1e6), 1e6 / (1 + np.exp(30 * (ratios - place))))
    assert np.isfinite(found) == inside
    assert not inside or abs(found - place) < 1e-4


def drifting(omega, sizes, formulas):
    """Curves whose crossings of sizes N and 2 N approach 1.0 from below, as N^(-omega)."""
    table = curves(1.0, 3.0, sizes, formulas)
    scale = table.sites ** (1 / 3)
    log_odds = -3.0 * (table.ratio - 1.0) * scale + 1.0 + 3.0 * scale * table.sites**-omega
    return table.assign(probability=1 / (1 + np.exp(-log_odds)), satisfiable=0)


def drawn_limits(omega, repeats):
    """Limits of repeated draws of drifting curves, one row each."""
    random = np.random.default_rng(1)
    exact = drifting(omega, [50, 100, 200, 400, 800], 4000)
    for _ in range(repeats):
        drawn = exact.assign(satisfiable=random.binomial(exact.formulas, exact.probability))
        drawn = drawn.assign(probability=drawn.satisfiable / drawn.formulas)
        yield crossing_tables(drawn, 2, random).limits.iloc[0]


def test_the_limit_of_drifting_crossings_is_the_threshold():
    assert crossing_tables(curves(1.0, 3.0, [50], 400), 2, np.random.default_rng(1)).crossings.empty
    (found,) = drawn_limits(1.0, 1)
    assert abs(found.ratio - 1.0) < 3 * found.error
    assert found.error < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("omega", [0.8, 1.2])
def test_the_error_of_the_limit_covers_the_threshold(omega):
    found = list(drawn_limits(omega, 30))
    inside = [abs(limit.ratio - 1.0) < 2 * limit.error for limit in found]
    assert np.mean(inside) > 0.8


@pytest.mark.slow
def test_the_error_of_a_crossing_is_its_spread():
    exact = curves(4.3, 1.5, [50, 100], 500)
    random = np.random.default_rng(1)
    places = []
    for _ in range(40):
        drawn = exact.assign(satisfiable=random.binomial(500, exact.probability))
        found = crossing_tables(drawn.assign(probability=drawn.satisfiable / 500), 2, random).crossings
        places.append((found.ratio[0], found.error[0]))
    spread = np.std([place for place, _ in places], ddof=1)
    assert 0.6 < np.median([error for _, error in places]) / spread < 1.6


def test_log_odds_are_fitted_by_largest_likelihood():
    ratios = np.linspace(-1, 1, 9)
    formulas = np.full(9, 10**6)
    expected = np.array([0.3, -2.0, 0.5])
    satisfiable = formulas / (1 + np.exp(-(ratios[:, None] ** np.arange(3)) @ expected))
    np.testing.assert_allclose(
        fitted_log_odds(ratios, satisfiable, formulas), expected, atol=1e-5
    )  # by half a formula in a million
    assert np.isfinite(fitted_log_odds(ratios, formulas, formulas)).all()


@pytest.mark.parametrize("solver", ["clause_learning", "look_ahead"])
def test_few_formulas_make_a_figure(solver):
    pytest.importorskip("pysat")
    tables = threshold_tables([SCAN | {"solver": solver}], seed=1)
    shares = tables["threshold"].probability
    assert shares[0] > shares[3]
    assert shares[4] > shares[7]
    assert len(draw_threshold(tables).axes) == 3


def test_integrated_entropy_is_that_of_exact_counts():
    formula = KSat.random(20, 3, seed=3, clauses_per_site=4.0)
    temperatures = np.array([0.12, 0.16, 0.2, 0.25, 0.32, 0.41, 0.54, 0.75, 1.1, 2.0, 4.0])
    exact = [formula.thermodynamics(t) for t in temperatures]
    energies = np.array([state.energy for state in exact])
    variances = np.array([state.heat_capacity * state.temperature**2 for state in exact])
    found = integrated_entropy(formula, temperatures, energies, variances)
    np.testing.assert_allclose(found, [state.entropy for state in exact], atol=0.02)
    sampled = measured(formula, temperatures, 6, 2000, seed=1)
    np.testing.assert_allclose(sampled[0], energies, atol=0.15)
    np.testing.assert_allclose(sampled[1], found, atol=0.3)


def test_infinite_temperature_is_the_mean_of_all_assignments():
    formula = KSat.random(14, 3, seed=3, clauses=40)
    counts = formula.configuration_counts.sum(1)
    mean = counts @ np.arange(41) / counts.sum()
    assert infinite_temperature(formula)[0] == pytest.approx(mean)


def test_a_large_formula_is_the_annealed_one_when_hot():
    formula = KSat.random(3000, 3, seed=1, clauses_per_site=3.0)
    temperatures = np.array([2.0, 4.0, 8.0])
    found = measured(formula, temperatures, 2, 300, seed=1) / 3000
    np.testing.assert_allclose(found, annealed(3, 3.0, 1 / temperatures), atol=0.003)


def test_energies_and_searches_make_figures():
    tables = energy_tables(3, 30, [1.0, 3.0], 2.0, [0.3, 1.0, 2.0], 2, 2, 100, SIZES, seed=1)
    energy = tables["energy"]
    assert (energy[energy.ratio == 3.0].energy.to_numpy() > energy[energy.ratio == 1.0].energy.to_numpy()).all()
    assert energy.entropy.between(0, np.log(2)).all()
    assert list(tables["solutions"].ratio) == [1.0]
    left, right = draw_energy(tables).axes
    for ax, exact in zip((left, right), annealed(3, 1.0, np.array([1 / 0.55])).ravel(), strict=True):
        curve = next(line for line in ax.lines if len(line.get_xdata()) > 3)
        assert np.interp(0.55, *curve.get_data()) == pytest.approx(exact, rel=1e-3)
    searches = search_tables(3, 4.2667, {200: [2.0, 4.0]}, 2, 50, seed=1)
    table = searches["search"]
    assert list(table.algorithm.unique()) == list(ALGORITHMS)
    assert (table[table.ratio == 2.0].solved == 2).all()
    assert (table.steps_per_variable <= 50).all()
    assert len(draw_search(searches).axes) == 1
