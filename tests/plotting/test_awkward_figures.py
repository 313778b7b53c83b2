"""Every figure holds with one, three and forty things to show, long names and a single temperature."""

import inspect
import warnings
from importlib import import_module
from itertools import cycle, product
from pkgutil import iter_modules

import matplotlib as mpl
import pytest
from helpers.figure_faults import faults_of
from helpers.figure_tables import DRAWINGS
from matplotlib.figure import Figure

import vae_mf.plotting
from vae_mf.plotting.layout import finish, legend_below
from vae_mf.plotting.style import new_figure


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


def drawn_in_turn() -> list:
    """Return every figure with one of the counts in turn, and with the others among the slow tests."""
    turns = list(zip(DRAWINGS, cycle((1, 3, 1, 40)), strict=False))
    return [pytest.param(*each, marks=() if each in turns else pytest.mark.slow) for each in EVERY]


@pytest.mark.parametrize(("name", "count"), drawn_in_turn())
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
    elif fault == "no caption":
        figure.set_label("")
    return figure


FAULTS = ["over data", "over each other", "outside", "no letter", "without a unit", "an axis without a name",
          "in no legend", "no caption"]  # fmt: skip


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_planted_fault_is_found(fault):
    found = faults_of(faulty_figure(fault))
    assert any(fault in each for each in found) if fault else found == []
