"""Names that act elsewhere pass through reports, their tables and figures, and every command that meets them."""

import re
import shlex
import warnings

import matplotlib.mathtext
import numpy as np
import pandas as pd
import pytest
from helpers.commands import RECORDING, run, run_all
from helpers.discovery import TINY, options
from helpers.hostile import FOLDER, NAMES, Page, without_isolates, write_csv

from vae_mf.discovery.document import html_table
from vae_mf.discovery.report import discover
from vae_mf.plotting.couplings import comparison_figure, couplings_figure
from vae_mf.plotting.density_models import draw_comparison, draw_learning_curves
from vae_mf.plotting.discovery import classes_figure, draw_discovery, left_figure
from vae_mf.plotting.style import in_figure, save_figure
from vae_mf.plotting.sweeps import draw_collection
from vae_mf.tables import read_tables
from vae_mf.texts import visible

RUN = ["dataset.variables=8", "split=time"]
TRAINING = [*RECORDING, "dataset.variables=8"]


@pytest.fixture
def nothing_read(monkeypatch):
    """Fail where anything but a formula of the house is read as one, and on every warning."""
    parse = matplotlib.mathtext.MathTextParser.parse

    def checked(self, text, *arguments, **options):
        shown = [name for name in NAMES if in_figure(name, 16) in text]
        assert not shown, text
        return parse(self, text, *arguments, **options)

    monkeypatch.setattr(matplotlib.mathtext.MathTextParser, "parse", checked)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A tiny discovery of graded patterns in variables of such names, and its folder."""
    random = np.random.default_rng(3)
    drive = random.normal(size=(500, 2)) @ random.normal(size=(2, len(NAMES)))
    rows = (random.random(drive.shape) < 1 / (1 + np.exp(2 * drive))).astype(int)
    folder = tmp_path_factory.mktemp("discovery") / FOLDER
    name = "<b> $x$ [b] שלום.csv"
    return discover(rows, names=NAMES, order="independent", quick=True, folder=folder, name=name, **TINY), folder


def test_a_report_holds_every_name_as_text(report):
    found, _ = report
    page = Page(found.html)
    assert not {"script", "b", "i"} & set(page.tags)
    assert "<b> $x$ [b] שלום.csv" in without_isolates(page.text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found.html)
    kinds = found.tables["pattern_summary"]
    table = pd.DataFrame({"variables": NAMES, "kind": kinds.kind.iloc[0]})
    rows = Page(html_table(table, {"variables": "variables", "kind": "kind"}, {}))
    assert set(rows.tags) == {"div", "table", "thead", "tr", "th", "tbody", "td"}
    assert all(visible(name) in without_isolates(rows.text) for name in NAMES)


def test_the_tables_of_a_report_hold_every_name_whole(report):
    found, folder = report
    assert read_tables(folder)["patterns"].variable.tolist() == NAMES
    assert found.patterns.variable.tolist() == NAMES


def test_figures_of_a_report_read_no_formula_in_a_name(report, nothing_read, tmp_path):
    found, _ = report
    tables = found.tables | {"models": found.tables["models"].assign(model=lambda t: NAMES[: len(t)])}
    figures = draw_discovery(tables, 0.5)
    assert save_figure(figures["patterns"], tmp_path, "patterns").exists()
    figures["gains"].canvas.draw()
    readings = found.tables["readings"].assign(reading=lambda t: NAMES[: len(t)])
    shifts = pd.DataFrame({"variable": NAMES, "class_1": 0.5, "class_2": -0.5})
    summary = pd.DataFrame({"class": [1, 2], "weight": [0.4, 0.6]})
    for figure in (left_figure(readings, found.tables["left"]), classes_figure(shifts, summary)):
        figure.canvas.draw()


def test_figures_of_couplings_comparisons_and_sweeps_read_no_formula_in_a_name(nothing_read):
    count = len(NAMES)
    numbers = np.linspace(0.1, 1, count)
    gains = {"gain_over_independent": numbers, "gain_over_independent_error": 0.1}
    pairs = pd.DataFrame({"coupling": np.linspace(-1, 1, count * (count - 1) // 2)})
    scores = {**gains, **{f"pseudo_{name}": value for name, value in gains.items()}, "seconds": numbers}
    estimators = pd.DataFrame({"estimator": NAMES, "converged": True, "runaway": False, **scores})
    crossed = pd.MultiIndex.from_product([NAMES, NAMES], names=["first", "second"]).to_frame(index=False)
    models = pd.DataFrame({"model": NAMES, "family": "VAE", "split": NAMES[0], "training_rows": numbers * 100, **gains})
    every = models.assign(training_rows=100, validation_log_likelihood=-numbers)
    runs = pd.DataFrame({"line": NAMES, NAMES[2]: NAMES[::-1], NAMES[1]: numbers})
    averages = pd.DataFrame({"line": NAMES, NAMES[2]: NAMES[::-1], "mean": numbers, "error": 0.1, "runs": 2})
    figures = [
        couplings_figure(np.eye(count), pairs, NAMES[1], NAMES),
        comparison_figure(estimators, crossed.assign(correlation=1.0)),
        draw_comparison(every),
        draw_learning_curves(models.assign(validation_log_likelihood=-numbers)),
        draw_collection(runs, averages, NAMES[1], NAMES[2]),
    ]
    for figure in figures:
        figure.canvas.draw()
    *_, sweep = figures
    shown = [text.get_text() for text in sweep.axes[0].get_legend().get_texts()]
    assert shown == [in_figure(name) for name in NAMES]


@pytest.mark.slow
def test_every_command_takes_a_hostile_file_in_a_hostile_folder(tmp_path):
    place = tmp_path / FOLDER
    of_header = [name for name in NAMES if name not in ("NA", "-1-1")]  # of a header these make a row of data
    data = write_csv(place / "[b] <i> $y$ '{x}'.csv", of_header)
    given = [str(data), f"paths.outputs={place}/outputs"]
    runs = f"runs={place}/outputs/retina-*"
    commands = [
        ["discover", *given, "quick=true", *options(TINY)],
        ["infer_couplings", *given, "folds=2"],
        ["train", f"dataset.path={data}", *given[1:], *TRAINING, "seed=1"],
        ["train", f"dataset.path={data}", *given[1:], *TRAINING, "seed=2"],
        ["collect", *given[1:]],
        ["collect", *given[1:], runs, "report=" + str(place / "[x] collected")],
        ["compare", *given, *RUN, "density_models=independent", runs, "draws=4", "blocks=5"],
    ]
    results = run_all(commands)
    assert [result.code for result in results] == [0] * len(commands), [result.err for result in results]
    for result in results:
        said = result.out + result.err
        assert str(place) in said
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|missing from font", said)
    (report,) = place.glob("outputs/discover-*/report.html")
    document = report.read_text("utf-8")
    assert not {"script", "i"} & set(Page(document).tags)
    call = re.findall(r"<pre>(.*?)</pre>", document, re.DOTALL)[-2]
    (typed,) = Page(f"<pre>{call}</pre>").text.splitlines()
    (again,) = run_all([shlex.split(typed)[1:]])
    assert (again.code, "finished before" in again.out) == (0, True)


@pytest.mark.slow
def test_a_terminal_of_ascii_and_an_old_locale_get_escapes_and_the_same_files(tmp_path, monkeypatch):
    data = write_csv(tmp_path / "größe שלום.csv", ["größe", "β", "c", "d"])
    given = [str(data), f"paths.outputs={tmp_path}/outputs", "quick=true", *options(TINY)]
    first = run("discover", *given)
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    for name, value in old.items():
        monkeypatch.setenv(name, value)
    again = run("discover", *given, "force=true")
    refused = run("discover", str(data.with_name("größer.csv")))
    assert (first.code, again.code, refused.code) == (0, 0, 2), first.err + again.err
    assert again.out.isascii()
    assert r"gr\xf6\xdfer.csv" in refused.err
    (folder,) = tmp_path.glob("outputs/discover-*")
    assert "größe שלום.csv" in without_isolates((folder / "report.html").read_text("utf-8"))
