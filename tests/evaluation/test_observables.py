"""Order statistics: errors that cover the truth, exact values where they exist, tables that compare the two."""

import numpy as np
import pytest

from vae_mf.evaluation.observables import (
    GROUPS,
    compare_observables,
    estimate_statistics,
    exact_statistics,
    largest_error,
    order_parameter_histogram,
)
from vae_mf.systems.base import OrderStatistics, order_statistics
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

SYSTEM, TEMPERATURE = CurieWeiss(16), 0.9


def exact_draws(rows: int, seed: int, temperature: float = TEMPERATURE) -> np.ndarray:
    law = SYSTEM.order_parameter_law(temperature)
    return np.random.default_rng(seed).choice(law.values, rows, p=law.probabilities)


def z_scores(repetitions: int, draw) -> np.ndarray:
    """Deviation from the exact value in standard errors, shape (repetitions, statistics)."""
    exact = exact_statistics(SYSTEM, TEMPERATURE)
    estimates = [estimate_statistics(draw(seed), SYSTEM.sites, TEMPERATURE) for seed in range(repetitions)]
    return np.array([(np.array(e.value) - exact) / np.array(e.error) for e in estimates])


def test_values_are_the_moments():
    order = exact_draws(1003, 1)
    value = estimate_statistics(order, 16, TEMPERATURE).value
    second = np.mean(order**2)
    assert value.order_parameter == pytest.approx(np.abs(order).mean())
    assert value.susceptibility == pytest.approx(16 / TEMPERATURE * np.var(np.abs(order)))
    assert value.binder == pytest.approx(1 - np.mean(order**4) / (3 * second**2))


def test_the_error_of_a_mean_is_the_standard_error_of_the_group_means():
    order = exact_draws(50 * GROUPS, 2)
    groups = np.abs(order).reshape(GROUPS, 50).mean(1)
    error = estimate_statistics(order, 16, TEMPERATURE).error.order_parameter
    assert error == pytest.approx(groups.std(ddof=1) / np.sqrt(GROUPS))


def test_errors_cover_the_exact_values():
    """400 repetitions: deviations follow Student's t with 19 degrees of freedom, within binomial error."""
    deviations = z_scores(400, lambda seed: exact_draws(2000, seed))
    coverage = (np.abs(deviations) < 2.093).mean(0)
    assert (np.abs(coverage - 0.95) < 0.045).all(), coverage
    assert (np.abs(deviations.std(0) - np.sqrt(19 / 17)) < 0.16).all(), deviations.std(0)


def test_errors_cover_the_exact_values_of_correlated_rows():
    """Rows that repeat 20 times, as in a slow chain, still come with honest errors: chains stay inside a group."""
    deviations = z_scores(200, lambda seed: np.repeat(exact_draws(400, seed), 20))
    assert (np.abs((np.abs(deviations) < 2.093).mean(0) - 0.95) < 0.07).all()


def test_the_exact_statistics_are_those_of_the_law():
    law = SYSTEM.order_parameter_law(TEMPERATURE)
    assert exact_statistics(SYSTEM, TEMPERATURE) == order_statistics(law, 16, TEMPERATURE)


def test_infeasible_theory_is_none():
    patterns = np.random.default_rng(1).choice([-1, 1], (12, 200)).astype(np.int8)
    assert exact_statistics(Hopfield(patterns), 0.5) is None


TEMPERATURES = np.array([0.5, 1.5])
ORDERS = {
    "samples": [exact_draws(4000, 3, 0.5), exact_draws(4000, 4, 1.5)],
    "model": [exact_draws(4000, 5, 0.5), np.full(4000, 0.25)],
}


def test_the_table_compares_every_source_at_every_temperature():
    table = compare_observables(SYSTEM, TEMPERATURES, ORDERS)
    assert len(table) == 2 * 3 * 3
    assert set(table.source) == {"samples", "model", "exact"}
    assert set(table.observable) == set(OrderStatistics._fields)
    exact = table[table.source == "exact"]
    assert (exact.error == 0).all()
    row = table.query("source == 'model' and temperature == 1.5 and observable == 'order_parameter'")
    assert row.value.item() == pytest.approx(0.25)
    samples = table[table.source == "samples"]
    assert (np.abs(samples.value.to_numpy() - exact.value.to_numpy()) < 5 * samples.error.to_numpy()).all()


def test_the_largest_error_is_taken_from_exact_theory():
    table = compare_observables(SYSTEM, TEMPERATURES, ORDERS)
    exact = exact_statistics(SYSTEM, 1.5).order_parameter
    assert largest_error(table, "order_parameter") == pytest.approx(abs(0.25 - exact))


@pytest.mark.parametrize("gap", [slice(None), slice(0, 1)])
def test_the_largest_error_falls_back_on_the_samples(gap):
    """Where exact theory is missing, at all temperatures or at one."""
    table = compare_observables(
        SYSTEM, TEMPERATURES, {"samples": ORDERS["samples"], "model": [ORDERS["samples"][0] / 2] * 2}
    )
    hidden = table.temperature.isin(TEMPERATURES[gap]) & (table.source == "exact")
    table = table[~hidden & (table.temperature == 0.5)]
    samples = np.abs(ORDERS["samples"][0]).mean()
    assert largest_error(table, "order_parameter") == pytest.approx(samples / 2)


def test_histograms_are_densities_that_agree_with_the_law():
    bins = 17
    table = order_parameter_histogram(SYSTEM, TEMPERATURES, ORDERS, bins)
    for (_, _), rows in table.groupby(["source", "temperature"]):
        assert len(rows) == bins
        assert rows.density.sum() * 2 / bins == pytest.approx(1)
    law = SYSTEM.order_parameter_law(0.5)
    exact = table[(table.source == "exact") & (table.temperature == 0.5)].density * 2 / bins
    np.testing.assert_allclose(exact, law.probabilities, atol=1e-12)
    model = table[(table.source == "model") & (table.temperature == 1.5)]
    assert model.m[model.density > 0].item() == pytest.approx(0.25, abs=1 / bins)


def test_histograms_do_without_infeasible_theory():
    patterns = np.random.default_rng(1).choice([-1, 1], (12, 200)).astype(np.int8)
    table = order_parameter_histogram(Hopfield(patterns), TEMPERATURES, ORDERS)
    assert set(table.source) == {"samples", "model"}
