"""Every figure from the tables that the evaluation makes: labelled axes, known colours, complete legends."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers.figures import entries_of, in_one_line, labels_of, words_of
from helpers.files import tree
from matplotlib.colors import is_color_like, to_hex, to_rgb
from PIL import Image

from vae_mf.analysis.stored_patterns import match_patterns, overlap_table
from vae_mf.plotting.recordings import draw_retina
from vae_mf.plotting.runs import draw_run
from vae_mf.plotting.style import (
    COLOURS,
    LABELS,
    PALETTE,
    SETTINGS,
    house_style,
    new_figure,
    save_figure,
    with_few_colours,
)  # fmt: skip
from vae_mf.statistics.joint_moments import moment_table, word_table
from vae_mf.statistics.observables import compare_energies, compare_observables, exact_laws, order_parameter_histogram
from vae_mf.statistics.overlaps import overlap_law_table
from vae_mf.statistics.spike_counts import count_table
from vae_mf.systems.curie_weiss import CurieWeiss

TEMPERATURES = [0.6, 0.9, 1.2, 1.5]


def equilibrium_tables(temperatures=TEMPERATURES, patterns: int = 0) -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(1)
    system, sources = CurieWeiss(12), ("samples", "model")
    laws = exact_laws(system, temperatures)
    orders = {source: {t: generator.uniform(-1, 1, 200) for t in temperatures} for source in sources}
    chains = dict.fromkeys(sources, 200)
    likelihood = pd.DataFrame(
        {
            "temperature": temperatures,
            "kl": 0.1 * np.array(temperatures),
            "kl_error": 0.01,
            "factorised_prior": True,
            "tolerable_kl": 0.4,
        }
    )
    spins = {source: {t: generator.choice([-1, 1], (200, 12)) for t in temperatures} for source in sources}
    tables = {
        "overlap_distribution": overlap_law_table(spins, chains, {t: system.overlap_law(t) for t in temperatures}),
        "observables": pd.concat(
            [compare_observables(system, laws, orders, chains), compare_energies(system, orders, chains)]
        ),
        "order_parameter": order_parameter_histogram(system, laws, orders),
        "likelihood": likelihood,
    }
    if patterns:
        truth = generator.choice([-1, 1], (patterns, 50)).astype(np.int8)
        matches = {route: match_patterns(truth, truth) for route in ("vae", "classical")}
        tables["overlaps"] = overlap_table(matches)
    return tables


def recording_tables(patterns: int = 2) -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(2)
    cells, sources = 6, ("test", "model", "independent")
    words = {source: generator.choice([-1, 1], (40, cells)).astype(np.int8) for source in sources}
    columns = {"cell": np.arange(cells), "firing_probability": 0.1, "field": -1.0}
    columns |= {f"pattern_{k + 1}": generator.normal(size=cells) for k in range(patterns)}
    return {
        "spike_counts": count_table(
            {source: generator.dirichlet(np.ones(7)) for source in ("test", "model", "independent", "train")}
        ),
        "cells": pd.DataFrame(columns),
        "overlap_distribution": overlap_law_table(
            {source: {1.0: rows} for source, rows in words.items()}, dict.fromkeys(sources, 40)
        ),
        "words": word_table(words, 4, 2, seed=1),
        "moments": moment_table(words, 20, seed=1),
    }


def legend(ax) -> dict[str, str]:
    """Colour of everything that a panel has in the legend below the figure."""
    handles, names = ax.get_legend_handles_labels()
    assert set(names) <= set(entries_of(ax.figure))
    lines = [handle.lines[0] if hasattr(handle, "lines") else handle for handle in handles]
    return {name: to_hex(line.get_color()) for name, line in zip(names, lines, strict=True)}


def colours(*sources: str) -> dict[str, str]:
    return {LABELS[source]: COLOURS[source] for source in sources}


def test_the_verdict_shows_statistics_divergence_and_two_laws():
    figures = draw_run(equilibrium_tables())
    assert figures.keys() == {"observables", "correlations"}
    found = labels_of(figures["observables"])
    assert [y.split(" [")[0] for _, y in found] == [
        "order parameter ⟨|m|⟩",
        "susceptibility χ",
        "Binder cumulant U₄",
        "energy per site ⟨E⟩ / N",
        "heat capacity per site C / N",
        "KL(p ‖ p_VAE)",
        "probability density",
        "probability density",
    ]
    assert [x for x, _ in found] == ["temperature T"] * 6 + ["magnetisation m"] * 2
    axes = figures["observables"].axes
    assert legend(axes[0]) == colours("exact", "samples", "model", "infinite")
    for ax in (*axes[1:5], *axes[6:]):
        assert legend(ax) == colours("exact", "samples", "model")
    assert [ax.get_title() for ax in axes[6:]] == ["T = 0.9", "T = 1.5"]
    assert axes[1].get_yscale() == "log"


def test_the_verdict_draws_the_values_of_the_tables():
    tables = equilibrium_tables()
    ax = draw_run(tables)["observables"].axes[0]
    rows = tables["observables"].query("source == 'model' and observable == 'order_parameter'")
    handles, names = ax.get_legend_handles_labels()
    drawn = handles[names.index("VAE")].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, rows[["temperature", "value"]])


def test_the_curve_of_the_infinite_system_is_a_thin_dashed_line_behind_the_data():
    tables = equilibrium_tables()
    ax = draw_run(tables)["observables"].axes[0]
    (curve,) = [line for line in ax.lines if line.get_label() == "N → ∞"]
    rows = tables["observables"].query("source == 'infinite'")
    np.testing.assert_allclose(curve.get_xydata(), rows[["temperature", "value"]])
    assert curve.get_linestyle() == "--"
    assert curve.get_linewidth() < SETTINGS["lines.linewidth"]
    assert curve.get_zorder() < min(container.lines[0].get_zorder() for container in ax.containers)


@pytest.mark.parametrize(("tolerable", "circled"), [(0.1, [0.12, 0.15]), (0.4, [])])
@pytest.mark.parametrize(("factorised", "prior"), [(True, " (factorised prior)"), (False, "")])
def test_what_is_not_captured_is_circled_whatever_the_prior(tolerable, circled, factorised, prior):
    tables = equilibrium_tables()
    tables["likelihood"] = tables["likelihood"].assign(factorised_prior=factorised, tolerable_kl=tolerable)
    ax = draw_run(tables)["observables"].axes[5]
    circles = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([y for line in circles for y in line.get_ydata()], circled)
    assert in_one_line(ax.get_title()) == (f"circled: KL > 0.1 nat{prior}" if circled else "")


@pytest.mark.parametrize(("name", "least", "symbol", "limits"), [
    ("leading overlap m", -0.9, "m", (-1.03, 1.03)), ("nematic order S", 0.0, "S", (-0.02, 1.03)),
])  # fmt: skip
def test_the_order_parameter_is_called_by_its_name_and_drawn_over_its_range(name, least, symbol, limits):
    tables = equilibrium_tables()
    for table in ("observables", "order_parameter"):
        tables[table] = tables[table].assign(order_name=name)
    tables["order_parameter"].loc[tables["order_parameter"].m < least, "density"] = 0.0
    axes = draw_run(tables)["observables"].axes
    assert axes[0].get_ylabel() == f"order parameter ⟨|{symbol}|⟩"
    assert (axes[6].get_xlabel(), axes[6].get_xlim()) == (name, limits)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_temperatures_leave_out_a_law_rather_than_fail(count):
    figure = draw_run(equilibrium_tables(TEMPERATURES[:count]))["observables"]
    titles = [ax.get_title() for ax in figure.axes if ax.get_ylabel() == "probability density"]
    assert titles == [["T = 0.6"], ["T = 0.9"], ["T = 0.9", "T = 1.2"]][count - 1]
    assert all(ax.get_xlabel() for ax in figure.axes)


def test_unknown_divergences_and_absent_theory_are_left_out():
    tables = equilibrium_tables()
    tables["likelihood"][["kl", "kl_error"]] = np.nan
    for name in ("observables", "order_parameter"):
        tables[name] = tables[name][tables[name].source.isin(["samples", "model"])]
    axes = draw_run(tables)["observables"].axes
    assert legend(axes[0]) == colours("samples", "model")


@pytest.mark.parametrize("patterns", [3, 12])
def test_patterns_are_compared_by_both_routes(patterns):
    figures = draw_run(equilibrium_tables(patterns=patterns))
    assert figures.keys() == {"observables", "correlations", "patterns"}
    axes = figures["patterns"].axes[:2]
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes] == [("stored pattern μ", "recovered pattern")] * 2
    assert [ax.get_title() for ax in axes] == ["VAE decoder", "PCA + FastICA"]
    for ax in axes:
        np.testing.assert_allclose(np.diagonal(ax.images[0].get_array()), 1)
        assert len(words_of(ax)) == (patterns**2 if patterns <= 8 else 0)


@pytest.mark.parametrize("patterns", [1, 2, 4])
def test_a_recording_shows_counts_covariances_fields_and_every_pattern(patterns):
    figures = draw_run(recording_tables(patterns))
    assert figures.keys() == {"recording"}
    axes = figures["recording"].axes
    assert labels_of(figures["recording"]) == [
        ("active variables K", "P(K)"),
        ("overlap q of two rows", "probability density P(q)"),
        ("frequency of a state of 4 variables, held out", "frequency, model"),
        ("mean ⟨s$_i$⟩, held-out rows", "mean ⟨s$_i$⟩, model"),
        ("pair covariance, held-out rows", "pair covariance, model"),
        ("triplet moment, held-out rows", "triplet moment, model"),
        ("variable", "field b"),
        *(("variable", f"pattern {k + 1}") for k in range(patterns)),
    ]
    assert len(axes) == 7 + patterns
    assert legend(axes[0]) == colours("test", "model", "independent")
    assert axes[0].get_yscale() == "log"
    assert len(axes[7].patches) == 6


def test_every_source_has_a_colour_and_a_label():
    assert COLOURS.keys() == LABELS.keys()
    assert all(map(is_color_like, COLOURS.values()))


def test_the_style_stays_inside_its_context():
    before = {name: mpl.rcParams[name] for name in SETTINGS}
    with house_style():
        assert {name: mpl.rcParams[name] for name in SETTINGS} == SETTINGS
    draw_run(recording_tables())
    assert {name: mpl.rcParams[name] for name in SETTINGS} == before


def test_figures_need_no_display_and_no_pyplot():
    figure, axes = new_figure(2, 3)
    assert len(axes) == 6
    figure.savefig(io.BytesIO())
    assert type(figure.canvas).__name__ == "FigureCanvasAgg"


def test_figures_are_saved_for_screen_and_print(tmp_path):
    path = save_figure(draw_run(recording_tables())["recording"], tmp_path / "figures", "recording")
    assert path == tmp_path / "figures" / "recording.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    pdf = path.with_suffix(".pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert "states of small groups" in path.with_suffix(".txt").read_text()


def test_a_picture_has_300_dots_per_inch_unless_it_is_told_otherwise(tmp_path):
    figure, _ = new_figure(1, 1)
    with mpl.rc_context({"savefig.dpi": "figure"}):
        path = save_figure(figure, tmp_path, "a")
    with Image.open(path) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.size == (960, 810)


def test_a_picture_keeps_white_the_palette_and_shades():
    figure, (map_of_shades, bars) = new_figure(1, 2)
    map_of_shades.imshow(np.linspace(-1, 1, 400).reshape(20, 20), cmap="RdBu_r")
    bars.bar(range(len(PALETTE)), 1, color=list(PALETTE.values()))
    bars.bar(range(len(PALETTE)), -1, color=list(PALETTE.values()), alpha=0.2)
    bars.axhspan(-3, -2, color=PALETTE["tan"], alpha=0.3)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    pixels = []
    for png in (with_few_colours(drawn.getvalue()), drawn.getvalue()):
        with Image.open(io.BytesIO(png)) as picture:
            pixels.append(np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(float))
    off = np.abs(pixels[0] - pixels[1]).max(axis=1)
    assert off.max() < 30
    assert np.mean(off > 2) < 0.02
    found = np.unique(pixels[0], axis=0)
    for colour in ("white", *PALETTE.values()):
        assert np.abs(found - 255 * np.array(to_rgb(colour))).max(axis=1).min() < 1.5


def test_a_layout_of_matplotlib_s_own_settings_is_not_taken(tmp_path):
    """One of them would be laid out anew for every file, and refuses a figure with a scale of colours."""
    for number, settings in enumerate(({}, {"figure.autolayout": True}, {"figure.constrained_layout.use": True})):
        figure, (left, right) = new_figure(1, 2)
        figure.colorbar(left.imshow(np.eye(3)), ax=left)
        right.set_ylabel("a label\nof two lines")
        layout = figure.get_layout_engine()
        with mpl.rc_context(settings):
            save_figure(figure, tmp_path / str(number), "a")
        assert figure.get_layout_engine() is layout
        assert tree(tmp_path / str(number)) == tree(tmp_path / "0")


def test_the_same_figure_makes_the_same_files_at_another_time(tmp_path, monkeypatch):
    for year in range(2):
        # The date that matplotlib would take for now.
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(year * 31_536_000))
        save_figure(draw_run(recording_tables())["recording"], tmp_path / str(year), "recording")
    first, second = tree(tmp_path / "0"), tree(tmp_path / "1")
    assert set(first) == {"recording.pdf", "recording.png", "recording.txt"}
    assert first == second


def test_figure_5_has_two_rows_for_every_recording():
    own = recording_tables(2)
    tilt = {"axis": 1, "tilt": np.linspace(-1, 1, 5), "cumulant": 0.5, "error": 0.0, "gaussian": 0.4}
    own["cumulants"] = pd.DataFrame(tilt)
    tables = {f"{name}_{key}": table for name in ("retina_160", "retina_40") for key, table in own.items()}
    tables["retina_40_cells"] = own["cells"].head(4)
    figure = draw_retina(tables)
    assert len(figure.axes) == 20
    assert [ax.get_ylabel() for ax in figure.axes[:4]] == [
        "pattern 1",
        "pattern 2",
        "field b",
        "frequency, model",
    ]
    assert [figure.axes[place].get_title(loc="left") for place in (0, 10)] == ["4 cells", "6 cells"]
