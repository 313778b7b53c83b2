"""Curves called exact: theory between the temperatures of the samples, too, or no line."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.analysis.exact_information import information_curves
from vae_mf.analysis.total_correlation import exact_total_correlation
from vae_mf.plotting.observables import draw_observable
from vae_mf.plotting.runs import draw_sampling
from vae_mf.plotting.style import new_figure
from vae_mf.statistics.chain_tables import sampling_tables
from vae_mf.statistics.exact_curves import exact_curve
from vae_mf.systems import CurieWeiss, Hopfield, Ising2D, MaierSaupe, SherringtonKirkpatrick
from vae_mf.systems.base import order_statistics
from vae_mf.systems.enumeration import feasible_law, feasible_thermodynamics

REPORT = {"autocorrelation_time": 1.0, "effective_size": 10.0, "split_rhat": 1.0, "ensemble": "equilibrium"}
COARSE = [0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4]
BETWEEN = [0.3, 0.5, 0.75, 0.85, 1.03, 1.3]


def coarse_tables(system, temperatures) -> dict[str, pd.DataFrame]:
    series = {t: np.linspace(-1, 1, 10) for t in temperatures}
    return sampling_tables(system, series, series, 10, [REPORT] * len(temperatures))


def line_of(ax, label: str):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line


def read(line, temperature: float) -> float:
    return float(np.interp(temperature, *line.get_data()))


@pytest.mark.parametrize("system", [Hopfield.random(256, 2, seed=1), CurieWeiss(256)], ids=lambda system: system.name)
def test_the_lines_of_a_report_at_coarse_temperatures_are_exact_between_them(system):
    axes = draw_sampling(coarse_tables(system, COARSE)).axes[:4]
    lines = [line_of(ax, "exact") for ax in axes]
    for temperature in BETWEEN:
        thermodynamics = feasible_thermodynamics(system, temperature)
        order = order_statistics(feasible_law(system, temperature), system.sites, temperature)
        per_site = [thermodynamics.energy / system.sites, thermodynamics.heat_capacity / system.sites]
        for line, exact in zip(lines, [*per_site, *order[:2]], strict=True):
            assert read(line, temperature) == pytest.approx(exact, rel=0.01)


def test_the_heat_capacity_of_two_temperatures_has_its_maximum_between_them():
    system = Ising2D(8)
    (ax, *_), table = new_figure(1, 1)[1], coarse_tables(system, [1.8, 3.0])["observables"]
    draw_observable(ax, table, "heat_capacity")
    exact = [feasible_thermodynamics(system, t).heat_capacity / 64 for t in (1.8, 2.3, 3.0)]
    assert [read(line_of(ax, "exact"), t) for t in (1.8, 2.3, 3.0)] == pytest.approx(exact, rel=0.01)
    assert exact[1] > 2 * exact[0]


def test_theory_at_the_temperatures_of_the_samples_alone_is_ticks_without_a_line():
    table = coarse_tables(CurieWeiss(64), COARSE)["observables"]
    _, (ax,) = new_figure(1, 1)
    draw_observable(ax, table[table.temperature.isin(COARSE)], "heat_capacity")
    assert (line_of(ax, "exact").get_linestyle(), line_of(ax, "exact").get_marker()) == ("None", "_")


@pytest.mark.parametrize("system", [CurieWeiss(64), Ising2D(8), MaierSaupe(16)], ids=lambda s: s.name)
def test_information_is_exact_between_the_temperatures(system):
    low, high = (1.9, 3.1) if isinstance(system, Ising2D) else (0.15, 1.2)
    table = information_curves(system, [low, high])
    middle = 0.3 * low + 0.7 * high
    found = {name: np.interp(middle, rows.temperature, rows.value) for name, rows in table.groupby("quantity")}
    exact = {"total_correlation": exact_total_correlation(system, middle)}
    if not isinstance(system, Ising2D):
        exact["field"] = system.field_information(middle).value
    if not isinstance(system, MaierSaupe):
        exact |= system.quick_cuts(middle)
    assert found == pytest.approx(exact, rel=0.02)


def test_what_takes_seconds_or_no_sum_is_feasible_for_has_no_curve():
    assert Ising2D(12).quick_cuts(2.0) == {}
    assert set(information_curves(Ising2D(12), [2.0, 2.5]).quantity) == {"total_correlation"}
    assert information_curves(Hopfield.random(64, 5, seed=1), [0.5, 1.5]).empty
    large = SherringtonKirkpatrick.random(40, seed=1)
    assert exact_curve([0.5, 1.0], lambda t: feasible_thermodynamics(large, t)) == {}


def test_a_single_temperature_and_a_gap_in_theory_have_no_more_than_was_asked_for():
    assert exact_curve([0.5], lambda t: (t,)) == {0.5: (0.5,)}
    assert exact_curve([0.5, 1.0, 2.0], lambda t: (t,) if t > 0.7 else None) == {1.0: (1.0,), 2.0: (2.0,)}
