"""Figures of the inverse-Ising sources from tables made up for the purpose: labelled axes, all methods, all panels."""

from itertools import pairwise

import numpy as np
import pandas as pd
from helpers.figure_tables import crossed
from helpers.figures import entries_of, in_one_line, labels_of, words_of

from vae_mf.plotting.couplings import comparison_figure, couplings_figure
from vae_mf.plotting.inverse_ising import (
    LOOKS,
    draw_accuracy,
    draw_digits,
    draw_ferromagnet,
    draw_glass,
    draw_kinetic_errors,
    draw_learning,
    draw_times,
)
from vae_mf.plotting.style import PALETTE

METHODS = ["erasure machine", "pseudo-likelihood", "Hebb"]


def labels(figure):
    return set(labels_of(figure))


def legend_of(figure):
    return set(entries_of(figure))


def test_kinetic_errors_show_methods_and_prediction():
    methods = ["maximum likelihood", "exact mean field", "TAP", "naive mean field"]
    table = crossed(strength=[0.5, 1.0], disorder=[0, 1], length=[100, 1000], method=methods)
    table["error"] = 1 / np.sqrt(table.length) + 0.01 * table.disorder
    table["predicted"] = (1 / np.sqrt(table.length)).where(table.method == "maximum likelihood")
    figure = draw_kinetic_errors({"kinetic_errors": table})
    assert labels(figure) == {("length T [steps]", "RMS error of J")}
    assert legend_of(figure) == {*methods, "predicted, max. likelihood"}
    drawn = np.asarray(figure.axes[0].containers[0].lines[0].get_ydata(), float)
    np.testing.assert_allclose(drawn, [0.105, 0.005 + 1 / np.sqrt(1000)])


def test_learning_shows_both_generators_and_the_chosen_epsilon():
    table = crossed(
        generator=["equilibrium", "resampled"], samples=[50, 90], iteration=range(5), epsilon=[0.3, 0.5, 0.9]
    )
    table["error"], table["energy"] = 1 / (1 + table.iteration), -(table.iteration + table.epsilon)
    final = table[table.iteration == 4].assign(chosen=lambda rows: rows.epsilon == 0.3)
    figure = draw_learning({"learning": table, "epsilons": final})
    assert len(figure.axes) == 8
    assert [ax.get_title() for ax in figure.axes[::4]] == ["equilibrium data", "resampled data"]
    circles = [line for line in figure.axes[2].lines if line.get_markersize() == 10]
    assert [line.get_xdata()[0] for line in circles] == [0.3, 0.3]


def test_accuracy_counts_points_outside():
    table = crossed(
        generator=["equilibrium", "resampled"], strength=[0.5], disorder=[0], samples=[50, 90], method=METHODS
    )
    table["error"] = 1 / table.samples
    pairs = table.merge(pd.DataFrame({"true": [-1.0, 0.5, 1.0], "inferred": [-1.1, 5.0, 0.9]}), how="cross")
    figure = draw_accuracy({"accuracy": table, "couplings": pairs})
    assert len(figure.axes) == 6
    assert in_one_line(figure.axes[0].get_title()) == "equilibrium, g = 0.5, 90 samples"
    assert words_of(figure.axes[0]) == ["2 outside"]
    assert legend_of(figure) == set(METHODS)


def test_times_have_units():
    table = crossed(sites=[10, 20], samples=[1000], method=METHODS[:2]).assign(seconds=0.1)
    assert labels(draw_times({"times": table})) == {("spins N", "processor time, 1000 samples [s]")}


def test_digits_colour_missing_and_wrong_pixels():
    original = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1])
    torn, filled = original.copy(), original.copy()
    torn[[0, 4]], filled[4] = 0, -1
    stages = {"original": original, "torn": torn, "erasure machine": filled}
    parts = [
        pd.DataFrame({"image": 0, "stage": name, "pixel": np.arange(9), "value": value})
        for name, value in stages.items()
    ]
    completion = pd.DataFrame(
        {"method": ["erasure machine", "usual values"], "wrong": [1, 2], "images": 1, "missing": 2}
    )
    figure = draw_digits({"pixels": pd.concat(parts), "completion": completion})
    image = np.asarray(figure.axes[1].images[0].get_array())
    np.testing.assert_allclose(image[0, 0], [0.13, 0.53, 0.2])
    np.testing.assert_allclose(np.asarray(figure.axes[2].images[0].get_array())[1, 1], [0.8, 0.2, 0.07])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["original", "torn: 2 pixels missing", "erasure machine: 1 wrong"]
    assert "of 1 images filled rightly: erasure machine 50.0%, usual values 0.0%" in figure.get_suptitle()


def test_the_ferromagnet_has_a_panel_per_method_on_one_scale():
    methods = ["one state", "two states", "pseudo-likelihood"]
    table = crossed(beta=[0.5, 1.5], run=[0, 1], samples=[100, 1000], method=methods)
    table["deviation"] = 1 / np.sqrt(table.samples)
    figure = draw_ferromagnet({"ferromagnet": table})
    assert [ax.get_title() for ax in figure.axes] == methods
    assert labels(figure) == {("inverse temperature β", "RMS deviation of J / β")}
    assert len({ax.get_ylim() for ax in figure.axes}) == 1


def test_the_glass_shows_correlation_and_slope_beside_pseudo_likelihood():
    methods = ["naive", "TAP", "pseudo-likelihood"]
    table = crossed(disorder=[0, 1, 2], beta=[0.5, 1.5], clusters=[1, 8], method=methods)
    table = table[(table.method != "pseudo-likelihood") | (table.clusters == 8)]
    table = table.assign(samples=1000 * table.clusters, slope=0.9)
    table["one_minus_r"] = table.beta * np.array([0.1, 0.2, 0.9])[table.disorder]
    figure = draw_glass({"glass": table})
    assert [in_one_line(ax.get_ylabel()) for ax in figure.axes] == ["1 − r"] * 2 + [
        "slope of found on true couplings"
    ] * 2
    assert legend_of(figure) == {"k = 1, M = 1,000", "k = 8, M = 8,000", "pseudo-likelihood, M = 8,000"}
    median, bar = figure.axes[0].containers[0].lines[0], figure.axes[0].containers[0].lines[2][0]
    np.testing.assert_allclose(np.asarray(median.get_ydata(), float), [0.1, 0.3])
    np.testing.assert_allclose(bar.get_segments()[1][:, 1], [0.15, 1.35])


def compared(**columns) -> pd.DataFrame:
    """Table of estimators with the columns that the comparison draws."""
    table = pd.DataFrame({"estimator": ["naive_mean_field", "boltzmann", "sessak_monasson", "bethe"]})
    table = table.assign(seconds=[0.1, 9.0, 0.2, np.nan], converged=[None, False, None, None])
    table = table.assign(runaway=[True, False, False, None])
    for kind in ("", "pseudo_"):
        table[f"{kind}gain_over_independent"] = [0.5, 1.0, -159.0, np.nan]
        table[f"{kind}gain_over_independent_error"] = [0.1, 0.1, 3.0, np.nan]
    return table.assign(**columns)


def test_the_comparison_marks_what_has_not_converged_and_what_runs_away():
    table = compared()
    correlations = crossed(first=table.estimator[:2], second=table.estimator[:2]).assign(correlation=[1, 0.5, 0.5, 1])
    figure = comparison_figure(table, correlations)
    labels = [" ".join(ax.get_xlabel().split()) for ax in figure.axes[:3:2]]  # however they are wrapped
    assert labels == ["gain in log-likelihood [nats per held-out row]", "processor time of the fit [s]"]
    naive, boltzmann = (container.lines[0] for container in figure.axes[0].containers)
    assert (naive.get_marker(), boltzmann.get_marker()) == ("X", "o")
    assert (naive.get_markerfacecolor(), boltzmann.get_markerfacecolor()) == (PALETTE["red"], "white")
    expected = "hollow: not converged; crosses: own rows in a phase that the data do not have"
    assert figure.get_suptitle() == expected
    known = comparison_figure(compared(converged=True), correlations).get_suptitle()
    assert known == "crosses: own rows in a phase that the data do not have"
    np.testing.assert_allclose(figure.axes[3].images[0].get_array(), [[1, 0.5], [0.5, 1]])
    assert not comparison_figure(compared(runaway=False, converged=True), correlations).get_suptitle()


def test_one_formula_that_runs_away_does_not_set_the_scale():
    table = compared(rmse=[0.05, 0.04, 900.0, np.inf])
    correlations = crossed(first=table.estimator, second=table.estimator).assign(correlation=1.0)
    figure = comparison_figure(table, correlations, "$k_B T$")
    gains, rmse = figure.axes[0], figure.axes[3]
    assert gains.get_xlim()[0] > -2
    assert words_of(gains) == ["◂ -159"]
    assert in_one_line(rmse.get_xlabel()) == "RMSE of couplings [$k_B T$]"
    assert rmse.get_xlim()[1] < 5
    assert words_of(rmse) == ["900 ▸", "inf ▸"]


def test_a_pair_that_runs_away_leaves_the_others_in_sight():
    couplings = 0.1 * np.random.default_rng(1).normal(size=(12, 12))
    couplings = couplings + couplings.T
    couplings[0, 1] = couplings[1, 0] = -10.0
    couplings[2, 3] = couplings[3, 2] = -np.inf
    np.fill_diagonal(couplings, 0)
    upper = np.triu_indices(12, 1)
    table = pd.DataFrame({"coupling": couplings[upper], "error": np.inf})
    names = [f"cell {k}" for k in range(12)]
    figure = couplings_figure(couplings, table, "bethe", names)
    matrix, histogram = figure.axes[:2]
    others = np.abs(couplings[(couplings > -9)]).max()
    assert others <= matrix.images[0].norm.vmax < 5 * others
    assert [label.get_text() for label in matrix.get_yticklabels()] == names
    assert [label.get_text() for label in matrix.get_xticklabels()] == names
    assert histogram.get_title() == "2 pairs outside"
    assert histogram.get_xlim()[1] < 6 * others
    assert not any("k_B" in ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes)
    known = couplings_figure(couplings, table.assign(truth=0.1), "bethe", names, "$k_B T$")
    assert known.axes[2].get_ylim()[0] > -9
    assert in_one_line(known.axes[1].get_xlabel()) == "coupling $J_{ij}$ [$k_B T$]"


def test_bars_of_single_pairs_are_seen_and_counts_are_plain_numbers():
    couplings = np.array([0.01] * 8 + [0.3, -0.3])
    figure = couplings_figure(np.zeros((5, 5)), pd.DataFrame({"coupling": couplings}), "bethe", list("abcde"))
    histogram = figure.axes[1]
    figure.draw_without_rendering()
    assert histogram.get_ylim()[0] <= 0.5
    low, high = histogram.get_ylim()
    ticks = zip(histogram.get_yticks(), histogram.get_yticklabels(), strict=True)
    assert [label.get_text() for value, label in ticks if low <= value <= high] == ["0.5", "1", "2", "5", "10"]
    assert not any(label.get_text() for label in histogram.get_yticklabels(minor=True))


def test_numbers_of_twelve_estimators_do_not_touch():
    names = [f"estimator_{k}" for k in range(12)]
    table = pd.DataFrame({"estimator": names, "seconds": 1.0, "converged": True, "runaway": False})
    for kind in ("", "pseudo_"):
        table[f"{kind}gain_over_independent"] = 1.0
        table[f"{kind}gain_over_independent_error"] = 0.1
    figure = comparison_figure(table, crossed(first=names, second=names).assign(correlation=1.0))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[3].get_xticklabels()]
    # Half a digit apart, at least.
    assert all(left.x1 + left.width / 4 <= right.x0 for left, right in pairwise(boxes[9:]))


def test_methods_of_one_figure_have_different_colours():
    kinetic = ["maximum likelihood", "exact mean field", "TAP", "naive mean field"]
    for methods in (kinetic, METHODS):
        assert len({LOOKS[method][0] for method in methods}) == len(methods)


def test_numbers_of_correlations_are_those_of_the_list_of_estimators():
    table = compared(seconds=[0.1, np.nan, 0.2, 0.1])
    fitted = table.estimator[[0, 2, 3]]
    figure = comparison_figure(table, crossed(first=fitted, second=fitted).assign(correlation=1.0))
    gains, matrix = figure.axes[0], figure.axes[3]
    listed = [label.get_text() for label in gains.get_yticklabels()]
    assert [label.split()[-1] for label in listed] == ["1", "2", "3", "4"]
    assert [label.get_text() for label in matrix.get_xticklabels()] == ["1", "3", "4"]
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["1", "3", "4"]
    times = [container.lines[0].get_ydata()[0] for container in figure.axes[2].containers]
    assert times == [0, 2, 3]
    assert not words_of(figure.axes[2])


def test_the_scale_of_gains_is_that_of_models_that_gain():
    table = compared(gain_over_independent=[-30.0, 0.9, 1.0, -20.0])
    gains = comparison_figure(table, crossed(first=["bethe"], second=["bethe"]).assign(correlation=1.0)).axes[0]
    assert gains.get_xlim()[0] > -1.5
    assert words_of(gains) == ["◂ -30", "◂ -20"]


def test_points_stand_inside_the_axes_or_are_words():
    table = compared(gain_over_independent=[-1.05, 0.9, 1.0, -20.0], seconds=[0.1, 31.0, 0.2, 1.0])
    figure = comparison_figure(table, crossed(first=["bethe"], second=["bethe"]).assign(correlation=1.0))
    for ax, words in ((figure.axes[0], ["◂ -1.05", "◂ -20"]), (figure.axes[2], [])):
        places = [ax.transAxes.inverted().transform(ax.transData.transform((line.get_xdata()[0], 0)))[0]
                  for line in (container.lines[0] for container in ax.containers)]  # fmt: skip
        assert 0.03 < min(places) < max(places) < 0.97
        assert words_of(ax) == words
