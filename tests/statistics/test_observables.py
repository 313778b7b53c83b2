"""Order statistics: errors that cover the truth, exact values where they exist, tables that compare the two."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.statistics.observables import (
    GROUPS,
    compare_energies,
    compare_observables,
    estimate_statistics,
    exact_laws,
    infinite_order_parameter,
    largest_error,
    lattice_bins,
    order_parameter_histogram,
)
from vae_mf.systems.base import OrderStatistics, order_statistics
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.systems.spin_glass import SherringtonKirkpatrick

SYSTEM, TEMPERATURE = CurieWeiss(16), 0.9


def exact_draws(rows: int, seed: int, temperature: float = TEMPERATURE) -> np.ndarray:
    law = SYSTEM.order_parameter_law(temperature)
    return np.random.default_rng(seed).choice(law.values, rows, p=law.probabilities)


def exact_statistics(temperature: float) -> OrderStatistics:
    return order_statistics(SYSTEM.order_parameter_law(temperature), SYSTEM.sites, temperature)


def scores_of_estimates(repetitions: int, chains: int, draw) -> np.ndarray:
    """Deviation from the exact value in standard errors, shape (repetitions, statistics)."""
    exact = exact_statistics(TEMPERATURE)
    estimates = [estimate_statistics(draw(seed), SYSTEM.sites, TEMPERATURE, chains) for seed in range(repetitions)]
    return np.array([(np.array(e.value) - exact) / np.array(e.error) for e in estimates])


def test_values_are_the_moments():
    order = exact_draws(1003, 1)
    value = estimate_statistics(order, 16, TEMPERATURE, 1003).value
    second = np.mean(order**2)
    assert value.order_parameter == pytest.approx(np.abs(order).mean())
    assert value.susceptibility == pytest.approx(16 / TEMPERATURE * np.var(np.abs(order)))
    assert value.binder == pytest.approx(1 - np.mean(order**4) / (3 * second**2))


def test_the_error_of_a_mean_is_the_standard_error_of_the_group_means():
    order = exact_draws(50 * GROUPS, 2)
    groups = np.abs(order).reshape(GROUPS, 50).mean(1)
    error = estimate_statistics(order, 16, TEMPERATURE, len(order)).error.order_parameter
    assert error == pytest.approx(groups.std(ddof=1) / np.sqrt(GROUPS))


def test_errors_cover_the_exact_values():
    """400 repetitions: deviations follow Student's t with 19 degrees of freedom, within binomial error."""
    deviations = scores_of_estimates(400, 2000, lambda seed: exact_draws(2000, seed))
    coverage = (np.abs(deviations) < 2.093).mean(0)
    assert (np.abs(coverage - 0.95) < 0.045).all(), coverage
    assert (np.abs(deviations.std(0) - np.sqrt(19 / 17)) < 0.16).all(), deviations.std(0)


def test_errors_cover_the_exact_values_of_correlated_rows():
    """Rows that repeat 20 times, as in a slow chain, still come with honest errors: chains stay inside a group."""
    deviations = scores_of_estimates(200, 400, lambda seed: np.repeat(exact_draws(400, seed), 20))
    assert (np.abs((np.abs(deviations) < 2.093).mean(0) - 0.95) < 0.07).all()


@pytest.mark.parametrize("chains", [2, 7, 30])
def test_no_chain_is_cut(chains):
    """Seven rows of a frozen chain say no more than one."""
    order = exact_draws(chains, 3)
    once = estimate_statistics(order, 16, TEMPERATURE, chains)
    repeated = estimate_statistics(np.repeat(order, 7), 16, TEMPERATURE, chains)
    np.testing.assert_allclose(repeated.value, once.value)
    np.testing.assert_allclose(repeated.error, once.error)


def test_a_single_chain_has_no_errors():
    value, error = estimate_statistics(exact_draws(100, 1), 16, TEMPERATURE, 1)
    assert np.isfinite(value).all()
    assert np.isnan(error).all()


def test_chains_are_equally_long():
    with pytest.raises(ValueError, match="chains: expected a divisor of the 100 rows, got 30"):
        estimate_statistics(exact_draws(100, 1), 16, TEMPERATURE, 30)


def test_infeasible_theory_is_none():
    patterns = np.random.default_rng(1).choice([-1, 1], (12, 200)).astype(np.int8)
    assert exact_laws(Hopfield(patterns), [0.5, 0.9]) == {0.5: None, 0.9: None}


def test_a_wrong_temperature_is_not_taken_for_infeasible_theory():
    with pytest.raises(ValueError, match="temperature: expected a finite number > 0, got 0"):
        exact_laws(SYSTEM, [0.5, 0.0])


LAWS = exact_laws(SYSTEM, [0.5, 1.5])
ORDERS = {
    "samples": {0.5: exact_draws(4000, 3, 0.5), 1.5: exact_draws(4000, 4, 1.5)},
    "model": {0.5: exact_draws(4000, 5, 0.5), 1.5: np.full(4000, 0.25)},
}
CHAINS = {"samples": 4000, "model": 4000}


def test_the_table_compares_every_source_at_every_temperature():
    table = compare_observables(SYSTEM, LAWS, ORDERS, CHAINS)
    table = table[(table.source != "infinite") & table.temperature.isin(list(LAWS))]
    assert len(table) == 2 * 3 * 3
    assert set(table.source) == {"samples", "model", "exact"}
    assert set(table.observable) == set(OrderStatistics._fields)
    exact = table[table.source == "exact"]
    assert (exact.error == 0).all()
    row = table.query("source == 'model' and temperature == 1.5 and observable == 'order_parameter'")
    assert row.value.item() == pytest.approx(0.25)
    samples = table[table.source == "samples"]
    assert (np.abs(samples.value.to_numpy() - exact.value.to_numpy()) < 5 * samples.error.to_numpy()).all()


def test_every_source_has_its_own_chains():
    """The same rows, told to be independent and told to be chains of 200."""
    orders = {source: {0.5: np.repeat(exact_draws(20, 3, 0.5), 200)} for source in ("samples", "model")}
    table = compare_observables(SYSTEM, exact_laws(SYSTEM, [0.5]), orders, {"samples": 10, "model": 4000})
    error = table[table.observable == "order_parameter"].set_index("source").error
    means = np.abs(orders["samples"][0.5]).reshape(10, 400).mean(1)
    assert error["samples"] == pytest.approx(means.std(ddof=1) / np.sqrt(10))
    means = np.abs(orders["model"][0.5]).reshape(GROUPS, 200).mean(1)
    assert error["model"] == pytest.approx(means.std(ddof=1) / np.sqrt(GROUPS))


@pytest.mark.parametrize("system", [CurieWeiss(16, 1.2), Hopfield(np.ones((1, 16), np.int8), 1.2)])
def test_the_curve_of_the_infinite_system_solves_its_equation(system):
    table = compare_observables(system, exact_laws(system, [0.5, 1.5]), ORDERS, CHAINS)
    curve = table[table.source == "infinite"]
    assert set(curve.observable) == {"order_parameter"}
    assert (curve.temperature.min(), curve.temperature.max()) == (0.5, 1.5)
    assert len(curve) > 100
    np.testing.assert_allclose(curve.value, np.tanh(1.2 * curve.value / curve.temperature), atol=1e-9)
    assert ((curve.value > 0) == (curve.temperature < 1.2)).all()


def test_infinite_lattice_and_nematic_have_their_own_curves():
    assert infinite_order_parameter(Ising2D(4), 2.0) == pytest.approx((1 - np.sinh(1) ** -4) ** 0.125)
    assert infinite_order_parameter(Ising2D(4), 2.5) == 0
    assert infinite_order_parameter(MaierSaupe(10), 0.2201) == pytest.approx(0.4290, abs=2e-3)
    assert infinite_order_parameter(MaierSaupe(10), 0.2203) == 0
    assert infinite_order_parameter(SherringtonKirkpatrick.random(4, 1), 0.5) is None


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.4])
def test_energies_and_their_errors_against_exact_theory(temperature):
    system, random = CurieWeiss(20), np.random.default_rng(1)
    law, exact = system.order_parameter_law(temperature), system.thermodynamics(temperature)
    table = pd.concat(
        compare_energies(
            system,
            {"samples": {temperature: -10 * random.choice(law.values, 4000, p=law.probabilities) ** 2}},
            {"samples": 4000},
        )
        for _ in range(250)
    )
    for name, truth in (("energy", exact.energy / 20), ("heat_capacity", exact.heat_capacity / 20)):
        rows = table[table.observable == name]
        assert rows[rows.source == "exact"].value.to_numpy() == pytest.approx(truth)
        sampled = rows[rows.source == "samples"]
        pulls = (sampled.value - truth) / sampled.error
        assert abs(pulls.mean()) < 4.5 / np.sqrt(250)
        assert pulls.std() == pytest.approx(1, abs=0.18)


def test_energies_without_exact_theory_have_no_exact_rows():
    table = compare_energies(SherringtonKirkpatrick.random(40, 1), {"samples": {1.0: np.arange(20.0)}}, {"samples": 5})
    assert set(table.source) == {"samples"}


@pytest.mark.parametrize(
    ("system", "temperatures"), [(SherringtonKirkpatrick.random(16, 1), [0.5, 1.5]), (SYSTEM, [0.5])]
)
def test_there_is_no_curve_where_none_applies(system, temperatures):
    table = compare_observables(system, exact_laws(system, temperatures), ORDERS, CHAINS)
    assert set(table.source) == {"samples", "model", "exact"}


def test_the_largest_error_is_taken_from_exact_theory():
    table = compare_observables(SYSTEM, LAWS, ORDERS, CHAINS)
    exact = exact_statistics(1.5).order_parameter
    assert largest_error(table, "order_parameter") == pytest.approx(abs(0.25 - exact))


@pytest.mark.parametrize("gap", [slice(None), slice(0, 1)])
def test_the_largest_error_falls_back_on_the_samples(gap):
    """Where exact theory is missing, at all temperatures or at one."""
    halved = {"samples": ORDERS["samples"], "model": dict.fromkeys(LAWS, ORDERS["samples"][0.5] / 2)}
    table = compare_observables(SYSTEM, LAWS, halved, CHAINS)
    hidden = table.temperature.isin(list(LAWS)[gap]) & (table.source == "exact")
    table = table[~hidden & (table.temperature == 0.5)]
    samples = np.abs(ORDERS["samples"][0.5]).mean()
    assert largest_error(table, "order_parameter") == pytest.approx(samples / 2)


@given(st.integers(1, 600), st.integers(1, 60))
def test_bins_hold_whole_numbers_of_values_and_mirror_each_other(sites, bins):
    first, width, count = lattice_bins(sites, bins)
    last = first + width * count - 1
    assert first + last == sites
    assert -width < first <= 0
    assert count <= bins + 1


def test_histograms_are_densities_that_agree_with_the_law():
    bins, width = 17, 2 / SYSTEM.sites
    table = order_parameter_histogram(SYSTEM, LAWS, ORDERS, bins)
    for (_, _), rows in table.groupby(["source", "temperature"]):
        assert len(rows) == bins
        assert rows.density.sum() * width == pytest.approx(1)
    law = SYSTEM.order_parameter_law(0.5)
    exact = table[(table.source == "exact") & (table.temperature == 0.5)]
    np.testing.assert_allclose(exact.density * width, law.probabilities, atol=1e-12)
    np.testing.assert_allclose(exact.m, law.values, atol=1e-12)
    model = table[(table.source == "model") & (table.temperature == 1.5)]
    assert model.m[model.density > 0].item() == pytest.approx(0.25)


HISTOGRAM_SYSTEMS = [
    CurieWeiss(64),
    CurieWeiss(81),
    CurieWeiss(256),
    Hopfield(np.random.default_rng(1).choice([-1, 1], (2, 75)).astype(np.int8)),
]


@pytest.mark.parametrize("system", HISTOGRAM_SYSTEMS, ids=lambda system: f"{system.name}-{system.sites}")
def test_exact_and_sampled_laws_are_binned_alike(system):
    """Rows that stand for every value of m as often as the law says, up to a rounding of the law."""
    law = system.order_parameter_law(0.9)
    counts = np.rint(20_000 * law.probabilities).astype(int)
    rounded = law._replace(probabilities=counts / counts.sum())
    # The last digit of m must not decide on the bin.
    rows = np.repeat(law.values, counts) * (1 + 1e-14)
    table = order_parameter_histogram(system, {0.9: rounded}, {"samples": {0.9: rows}})
    sampled, exact = (table[table.source == source].density.to_numpy() for source in ("samples", "exact"))
    np.testing.assert_allclose(sampled, exact, rtol=1e-9)


@pytest.mark.parametrize("system", HISTOGRAM_SYSTEMS, ids=lambda system: f"{system.name}-{system.sites}")
def test_the_histogram_of_a_symmetric_law_is_symmetric(system):
    table = order_parameter_histogram(system, exact_laws(system, [0.9]), {})
    np.testing.assert_allclose(table.density, table.density[::-1], rtol=1e-9)
    np.testing.assert_allclose(table.m, -table.m[::-1], atol=1e-12)


def test_histograms_do_without_infeasible_theory():
    table = order_parameter_histogram(SYSTEM, dict.fromkeys(LAWS), ORDERS)
    assert set(table.source) == {"samples", "model"}
