"""Every figure holds with one, three and forty things to show, long names and a single temperature."""

import gc
import inspect
import warnings
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pkgutil import iter_modules

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers.figure_faults import faults_of
from helpers.figure_tables import DRAWINGS
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

import vae_mf.plotting
from vae_mf.plotting.layout import finish, legend_below
from vae_mf.plotting.leaderboards import leaderboard_figure
from vae_mf.plotting.style import new_figure
from vae_mf.plotting.sweeps import draw_collection


def drawing_functions() -> set[str]:
    found = set()
    for module in iter_modules(vae_mf.plotting.__path__):
        members = inspect.getmembers(import_module(f"vae_mf.plotting.{module.name}"), inspect.isfunction)
        for name, function in members:
            own = function.__module__ == f"vae_mf.plotting.{module.name}"
            if own and inspect.signature(function).return_annotation is Figure:
                found.add(f"{module.name}.{name}")
    return found


def test_every_drawing_function_is_tried():
    assert drawing_functions() - {"style.empty_figure"} == set(DRAWINGS)


COUNTS = (1, 3, 40)
EVERY = list(product(DRAWINGS, COUNTS))
QUICK = {
    3: """couplings.comparison_figure density_models.draw_comparison density_models.draw_learning_curves
        discovery.patterns_figure discovery.latents_figure discovery.class_pictures inverse_ising.draw_glass
        inverse_ising.draw_ferromagnet k_sat_clusters.draw_clusters leaderboards.leaderboard_figure
        runs.observables_figure runs.draw_retrieval satisfiability.draw_energy sweeps.draw_collection""",
    40: """attractors.draw_phases contacts.draw_contacts discovery.stability_figure
        discovery.left_figure discovery.truth_figure discovery.classes_figure discovery.class_areas_figure
        discovery.predictive_figure inverse_ising.draw_times inverse_ising.draw_learning
        kinetic_moments.draw_kinetic_moments paper.draw_systems paper.draw_decodings runs.patterns_figure
        runs.draw_sampling spin_glasses.draw_disorder""",
}
"""Figures that are quick to draw with several things, by their number; the others are with one."""


def drawn_quickly() -> list:
    """Return every figure with all numbers of things to show, marked as slow but with one of them."""
    quick = {name: count for count, names in QUICK.items() for name in names.split()}
    return [
        pytest.param(name, count, marks=() if quick.get(name, 1) == count else pytest.mark.slow)
        for name, count in EVERY
    ]


@pytest.fixture(scope="module", autouse=True)
def _no_search_through_what_stays() -> Iterator[None]:
    """Figures are garbage in cycles; what was there before them is not gone through each time that they are freed."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(("name", "count"), drawn_quickly())
def test_nothing_is_cut_off_covered_or_left_out(name, count):
    with warnings.catch_warnings(), mpl.rc_context({"figure.dpi": 72}):
        warnings.simplefilter("error")
        assert faults_of(DRAWINGS[name](count)) == []


def faulty_figure(fault: str) -> Figure:
    """Return a figure with one fault."""
    figure, axes = new_figure(1, 2)
    for ax in axes:
        ax.plot([0, 1], [0, 1], label="model")
        ax.set(xlabel="temperature T", ylabel="susceptibility χ")
    legend_below(figure, axes)
    finish(figure)
    figure.set_label("Two lines that say nothing. No error bars: they are made up.")
    ax = axes[0]
    if fault == "over data":
        ax.legend()
    elif fault == "over each other":
        ax.set_title("a title that is longer than its panel is wide, and so runs into the letter of the next")
    elif fault == "outside":
        figure.text(0.9, 0.5, "beyond the right edge of all")
    elif fault == "no letter":
        ax.texts[0].remove()
    elif fault == "without a unit":
        ax.set_ylabel("processor time")
    elif fault == "an axis without a name":
        ax.set_xlabel("")
    elif fault == "in no legend":
        ax.plot([0, 1], [1, 0], label="another")
    elif fault == "run together":
        ax.set_xticks([0.5, 0.6], ["0.50000", "0.60000"])
    elif fault == "at the end of an axis":
        ax.yaxis.set_major_formatter(ScalarFormatter(useOffset=1.0))
    elif fault == "no caption":
        figure.set_label("")
    return figure


FAULTS = ["over data", "over each other", "outside", "no letter", "without a unit", "an axis without a name",
          "in no legend", "run together", "at the end of an axis", "no caption"]  # fmt: skip


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_planted_fault_is_found(fault):
    found = faults_of(faulty_figure(fault))
    assert any(fault in each for each in found) if fault else found == []


AWKWARD = {
    "very close": 2.269 + 1e-6 * np.arange(40),
    "of either sign": np.linspace(-0.162, 0.188, 40),
    "large": np.linspace(1e7, 3e7, 40),
    "beyond all measure": np.linspace(1e300, 3e300, 40),
    "small": np.linspace(1e-7, 3e-7, 40),
    "near nothing": np.linspace(1e-307, 3e-307, 40),
    "one": np.array([2.2690001]),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_numbers_at_axes_are_whole_and_apart(name):
    values = AWKWARD[name]
    figure, axes = new_figure(1, 3)
    for ax, scale in zip(axes, ("linear", "log", "linear"), strict=True):
        ax.plot(values, values, "o")
        ax.set(xlabel="temperature T", ylabel="susceptibility χ", xscale=scale, yscale=scale)
    axes[2].set_xticks(values)
    finish(figure)
    figure.set_label("Points at awkward places. No error bars: they are made up.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert faults_of(figure) == []
    drawn = axes[0].xaxis.get_ticklabels()
    assert len({text.get_text() for text in drawn}) == len(drawn)


@pytest.mark.parametrize("temperatures", [AWKWARD["very close"], np.geomspace(0.01, 10, 40), np.geomspace(0.01, 10, 8)])
def test_a_metric_against_awkward_temperatures(temperatures):
    averages = pd.DataFrame({"line": "linear", "temperature": temperatures, "mean": 1e5, "error": 0.1, "runs": 3})
    runs = averages.rename(columns={"mean": "kl"})
    assert faults_of(draw_collection(runs, averages, "kl", "temperature")) == []


def test_estimates_beyond_all_measure_stand_at_the_edge():
    board = pd.DataFrame({"estimator": ["a", "b"], "median_off": [1e306, np.nan], "answered": 1, "cpu_seconds": 1.0})
    scores = pd.DataFrame({"estimator": ["a", "b"], "exact": 0.01, "value": [1e306, -np.inf]})
    figure = leaderboard_figure(scores, board)
    assert faults_of(figure) == []
    assert figure.axes[1].get_ylim()[1] < 1e4
