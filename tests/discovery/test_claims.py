"""Sentences of a report are true: what they say is planted, drawn again and again, and counted."""

import re
import shlex
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import binom

import vae_mf
from vae_mf.commands.arguments import read_arguments
from vae_mf.commands.mistakes import understood
from vae_mf.commands.table import COMMANDS
from vae_mf.density_models.comparison import ModelScores, compare_models
from vae_mf.discovery.decision import NOTHING, Decision
from vae_mf.discovery.document import dependence, how_many, in_nats
from vae_mf.discovery.findings import Choices, Findings, gains_of, is_saturated
from vae_mf.discovery.model_selection import TREE, Choice, Description
from vae_mf.discovery.sentences import (
    beyond_pairs,
    by_a_tree,
    circular,
    compared,
    detected,
    drifting,
    explained,
    explained_range,
    headline,
    left_over,
    left_range,
    next_steps,
    nothing,
    without_latents,
)
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.packing import all_configurations
from vae_mf.plotting.discovery import (
    class_areas_figure,
    classes_figure,
    gains_figure,
    latents_figure,
    left_figure,
    planes_figure,
)
from vae_mf.plotting.style import new_figure
from vae_mf.statistics.independent import largest_total_correlation
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, Verdict, decide_mean_field, rows_to_decide
from vae_mf.verdict.independence import Independence, independence_of
from vae_mf.verdict.readings import reading
from vae_mf.verdict.time_order import time_order

SETTINGS = discovery_settings(*discovery_config()).independence
LEVEL = 1e-3
"""Probability that a test of a true claim fails."""


def sets_that_agree(rows: int, variables: int, order: int, count: int, nats: float, seed: int) -> np.ndarray:
    """Columns of which ``count`` sets of ``order`` share ``nats`` in all, in their products alone."""
    random = np.random.default_rng(seed)
    x = random.choice(np.int8([-1, 1]), (rows, variables))
    correlation = np.sqrt(2 * nats / count)
    for number in range(count):
        *rest, last = range(number * order, (number + 1) * order)
        agree = random.random(rows) < (1 + correlation) / 2
        x[:, last] = np.where(agree, 1, -1) * x[:, rest].prod(1)
    return x


def outcome(rows: np.ndarray, **changes) -> Independence:
    settings = replace(SETTINGS, **changes)
    return independence_of(rows, time_order(rows, np.zeros(len(rows), int)), settings, seed=1)


@pytest.mark.parametrize(
    ("rows", "variables", "order", "count"),
    [
        (500, 5, 2, 1),
        pytest.param(500, 8, 2, 4, marks=pytest.mark.slow),
        pytest.param(300, 6, 3, 1, marks=pytest.mark.slow),
        pytest.param(1000, 20, 2, 1, marks=pytest.mark.slow),
        pytest.param(1000, 20, 2, 10, marks=pytest.mark.slow),
    ],
)
def test_correlations_of_so_many_nats_would_have_been_seen_95_times_in_100(rows, variables, order, count):
    """And those of two thirds as many would not."""
    draws = 60
    changes = {"orders": order, "order_rows": rows}
    stated = outcome(sets_that_agree(rows, variables, order, count, 0.0, seed=0), **changes).detectable(order)

    def seen(nats):
        planted = (sets_that_agree(rows, variables, order, count, nats, 1 + seed) for seed in range(draws))
        return sum(order in outcome(x, **changes).seen for x in planted)

    assert binom.cdf(seen(stated), draws, 0.95) > LEVEL
    assert binom.cdf(seen(stated / 1.5), draws, 0.95) < LEVEL


@pytest.mark.parametrize(
    "nulls", [pytest.param(0.0, marks=pytest.mark.slow), pytest.param(1.0, marks=pytest.mark.slow), 3.0]
)
def test_pairs_share_less_than_the_bound(nulls):
    """Over draws of true correlations of so many errors of the null the bound is above the truth: two errors."""
    rows, variables, draws = 500, 6, 60
    truth = nulls * outcome(sets_that_agree(rows, variables, 2, 1, 0.0, seed=0), orders=2).pairs.null_error
    planted = [outcome(sets_that_agree(rows, variables, 2, 1, truth, 1 + seed), orders=2) for seed in range(draws)]
    bounds = np.array([test.bound for test in planted])
    assert binom.cdf((bounds >= truth).sum(), draws, 0.975) > LEVEL
    # And no further away than that: of so much what was read, or less, comes out at two errors.
    read = np.array([max(test.pairs.value, 0.0) for test in planted])
    nulls_of = np.array([test.pairs.null_error for test in planted])
    np.testing.assert_allclose((bounds - read) / np.sqrt(nulls_of**2 + 2 * bounds / rows), 2.0, rtol=1e-6)


def test_rows_in_effect_are_as_many_independent_ones_as_the_mean_is_worth():
    """Columns that follow a slow series: the means of 400 of them vary as the stated number of rows says."""
    rows = 4000
    random = np.random.default_rng(1)
    slow = lfilter([1.0], [1.0, -0.9], random.normal(size=(rows, 400)), axis=0)
    x = np.where(slow > 0, 1, -1).astype(np.int8)
    settings = replace(SETTINGS, orders=2, shifts=9)
    stated = independence_of(x[:, :4], time_order(x[:, :4], np.arange(rows)), settings, 1)
    # The slowest of several estimates: a little fewer rows than the mean is worth.
    assert 1 / 1.4 < stated.effective * x.mean(0).var() < 1.15


def test_no_variables_share_more_than_is_called_possible():
    random = np.random.default_rng(2)
    states = all_configurations(5)
    for sharpness in (0.5, 3.0, 30.0):
        p = np.exp(sharpness * random.normal(size=len(states)))
        p /= p.sum()
        up = p @ (states > 0)
        independent = np.where(states > 0, up, 1 - up).prod(1)
        shared = float(p @ np.log(p / independent))
        assert shared <= largest_total_correlation(up)
    # Copies of one variable share all of it.
    assert largest_total_correlation(np.array([0.5, 0.5, 0.5])) == pytest.approx(2 * np.log(2))


def findings(**parts) -> Findings:
    """Findings of which only some parts are known."""
    found = object.__new__(Findings)
    settings = discovery_settings(*discovery_config())
    found.__dict__.update({"settings": settings, "model": None, "assessment": None} | parts)
    return found


def decision(answer=NOT_DECIDED, *, drift=False, latents_drift=False, drift_alone=False) -> Decision:
    return Decision(answer, drift, latents_drift, drift_alone, 0, [])


def described(*lines: dict, latents=2, gain=1.0, gain_error=0.01, by_estimation=0.0, **ends) -> Findings:
    """Findings on a description whose readings these are; by default pairs leave .01 to .03 of 1 nat."""
    numbers = {"lower": 0.01, "upper": 0.03, "least": "order 2", "most": "order 2", "tolerance": 0.02} | ends
    lead = reading("lead of pairwise Ising (maximum likelihood)", "direct dependence", Estimate(-0.2, 0.01, 0.01))
    lines = lines or (reading("order 2", "pairs", Estimate(0.02, 0.005, 0.005)), lead)
    metrics = {"left_lower": numbers["lower"], "left_upper": numbers["upper"], "largest_left": 5.0}
    metrics |= {"left_by_estimation": by_estimation}
    metrics |= {"share_lower": numbers["lower"] / gain, "share_upper": numbers["upper"] / gain}
    metrics |= {"gain_over_independent": gain, "gain_over_independent_error": gain_error, "tolerance": 0.02}
    tables = {"readings": pd.DataFrame(lines), "left": pd.DataFrame([numbers])}
    return findings(description=Description(latents, 0), metrics=metrics, tables=tables, decision=decision())


def test_the_first_sentence_says_the_share_and_names_the_best_other_model():
    assert explained(described()) == (
        "Two latent variables explain 97.0% to 99.0% of the total correlation, and the best model of direct "
        "dependence, pairwise Ising (maximum likelihood), predicts held-out rows worse, by 0.200 ± 0.010 nats per row."
    )
    assert "0.01 to 0.03 are left unexplained, where 0.02 would be tolerable" in left_over(described())


def test_of_what_is_refuted_the_least_that_is_left_is_stated():
    refuted = described(lower=0.1, upper=0.3)
    refuted.__dict__["decision"] = decision(NOT_FOUND)
    assert "at least 0.1 (as far as is seen up to 0.3) are left unexplained" in left_over(refuted)
    assert "explain at most 90.0% (as far as is seen from 70.0%) of the total correlation" in explained(refuted)


@pytest.mark.parametrize(("kind", "offered"), [("pairs", True), ("direct dependence", True), ("sets", False)])
def test_couplings_of_pairs_are_offered_for_what_pairs_may_hold(kind, offered):
    line = reading("what is seen", kind, Estimate(0.5, 0.01, 0.01))
    refuted = described(line, lower=0.4, upper=0.6, least="what is seen")
    refuted.__dict__.update(
        decision=decision(NOT_FOUND), assessment=SimpleNamespace(verdict=SimpleNamespace(answer=NOT_FOUND))
    )
    steps = [text for text, _ in next_steps(refuted, "discover(data)")]
    assert ("The couplings of pairs" in steps) == offered


def test_a_thorough_look_is_offered_where_the_largest_number_was_chosen():
    for unsaturated in (True, False):
        said = decision(NOT_FOUND)._replace(unsaturated=unsaturated)
        steps = next_steps(findings(decision=said, independence=None), "discover(data, quick=True)")
        assert any("More training" in text for text, _ in steps) == unsaturated


def test_the_number_of_latent_variables_is_saturated_below_the_largest_that_was_tried():
    def choices(latents, likeliest):
        sweep = pd.DataFrame({"latents": [0, 1, 2], "validation_log_likelihood": [-3.0, -2.0, -1.0]})
        classes = pd.DataFrame({"latents": [0, 2, 16], "validation_log_likelihood": [-3.0, -2.0, likeliest]})
        return Choices(Choice(latents, sweep), Choice(16, classes))

    tried = [2, 16]
    assert [is_saturated(Description(k, 0), choices(k, -1.0), tried) for k in (1, 2)] == [True, False]
    assert [is_saturated(Description(0, 16), choices(0, score), tried) for score in (-2.5, -1.0)] == [True, False]


def test_a_set_is_named_with_its_chance():
    sets = pd.DataFrame([{"first": 0, "second": 1, "third": 2, "fourth": np.nan, "score": 4.2, "p_value": 0.03}])
    names = SimpleNamespace(recording=SimpleNamespace(names=("a", "b", "c")))
    (text,) = beyond_pairs(findings(tables={"sets": sets}, rows=names))
    assert text.endswith("are a, b and c, as a set (4.2 errors; so large a set by chance: 0.03).")


def test_what_is_not_seen_beyond_shifted_columns_is_said_to_be_that():
    for shifted in (True, False):
        test = outcome(sets_that_agree(300, 5, 2, 1, 0.0, seed=3), orders=2)._replace(shifted=shifted)
        rows = SimpleNamespace(recording=SimpleNamespace(rows=np.zeros((300, 5))))
        text, _ = nothing(findings(independence=test, decision=decision(NOTHING), rows=rows))
        assert ("beyond what they do when shifted against each other in time" in text) == shifted


@pytest.mark.parametrize(("upper", "cost", "said"), [(0.03, 0.015, True), (0.03, 0.005, False), (0.015, 0.005, False)])
def test_the_cost_of_estimation_is_named_where_the_answer_turns_on_it(upper, cost, said):
    text = left_over(described(upper=upper, by_estimation=cost))
    clause = f"unexplained, up to {cost:.2g} of them because its parameters are estimated from so many rows, which does"
    assert (clause in text) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.2, "better, by 0.200 ± 0.010"), (0.019, "as well within errors"), (-0.03, "worse, by 0.030 ± 0.010")],
)
def test_a_model_is_better_only_beyond_its_errors(value, said):
    lines = [
        reading(f"lead of {name}", "direct dependence", Estimate(lead, 0.01, 0.01))
        for name, lead in (("another", -1.0), ("this one", value))
    ]
    assert "this one, predicts held-out rows" in compared(described(*lines))
    assert said in compared(described(*lines))
    assert not by_a_tree(described(*lines))
    # A latent model is none of direct dependence, however far ahead.
    lines.append(reading("lead of mixture", "latent model", Estimate(3.0, 0.01, 0.01)))
    assert said in compared(described(*lines))


def test_no_model_is_better_by_chance_however_many_there_are():
    """Of 12 models that are as good as the description one is two errors ahead now and then, and not called better."""
    random = np.random.default_rng(5)
    found = described()
    said = []
    for _ in range(400):
        leads = random.standard_t(39, size=12) * 0.01
        lines = [
            reading(f"lead of {k}", "direct dependence", Estimate(lead, 0.01, 0.01), degrees=39.0)
            for k, lead in enumerate(leads)
        ]
        found.tables["readings"] = pd.DataFrame(lines)
        said.append(compared(found))
    assert binom.sf(sum(" better, " in text for text in said), 400, 0.023) > LEVEL
    found.tables["readings"] = pd.DataFrame([reading("order 2", "pairs", Estimate(0.0, 0.1, 0.1))])
    assert compared(found) == "and no model of direct dependence was tried"


@pytest.mark.parametrize(("lead", "said"), [(0.03, True), (0.02, False), (-0.03, False)])
def test_a_tree_is_said_to_explain_more_only_beyond_its_errors(lead, said):
    lines = [
        reading(f"lead of {name}", "direct dependence", Estimate(value, 0.01, 0.01))
        for name, value in ((TREE, lead), ("mixture of 2 trees", 0.04))
    ]
    text = "A tree, on which every variable depends on one other alone, explains the correlations better than "
    assert by_a_tree(described(*lines)) == ([f"{text}two latent variables do."] if said else [])
    assert by_a_tree(described(*lines, latents=1)) == ([f"{text}one latent variable does."] if said else [])


@pytest.mark.parametrize(("gain", "said"), [(0.05, True), (0.03, False)])
def test_a_model_that_is_ahead_without_any_description_is_named(gain, said):
    line = {"model": TREE, "validation_log_likelihood": -1.0, "gain_over_independent": gain, "direct": True}
    others = pd.DataFrame([line, line | {"model": "mixture of 2 classes", "direct": False}])
    models = others.assign(gain_over_independent_error=0.01)
    test = outcome(sets_that_agree(300, 5, 2, 1, 0.0, seed=3), orders=2)
    found = findings(independence=test, tables={"models": models})
    text = "The best model of direct dependence, Chow-Liu tree, does, by 0.050 ± 0.010 nats per row."
    assert without_latents(found) == ([text] if said else [])
    assert without_latents(findings(independence=test, tables={"models": models.assign(direct=False)})) == []


def test_the_errors_of_gains_hold_that_of_the_partition_function():
    test = np.tile([0.0, 0.2], 50)
    scores = [
        ModelScores(name, name, 1, test * slope, test * slope, error, 0.0)
        for name, slope, error in (("Independent", 0.0, 0.0), ("pairwise", 1.0, 0.3), ("mixture", 0.5, 0.0))
    ]
    table = compare_models(scores, np.arange(100), blocks=4)
    found = table.set_index("model")
    known = [score._replace(log_partition_error=0.0) for score in scores]
    before = compare_models(known, np.arange(100), blocks=4).set_index("model")
    assert found.best_baseline["pairwise"]
    for name, own, best in (("pairwise", 0.3, 0.0), ("mixture", 0.0, 0.3), ("Independent", 0.0, 0.3)):
        for column, error in (("gain_over_independent_error", own), ("gain_over_best_baseline_error", best)):
            assert found[column][name] == pytest.approx(np.hypot(before[column][name], error))
    assert gains_of(table)[0].error >= 0.3


def test_no_share_is_known_where_the_gain_is_within_its_errors():
    assert explained_range(described(gain=1.0, gain_error=0.6)) == "not known"
    assert explained_range(described(upper=2.0)) == "at most 99.0%"


def test_no_more_is_left_than_there_can_be():
    assert left_range(described(lower=1.0, upper=np.inf)) == "1 to 5"


def test_orders_above_the_second_are_named_by_their_errors_and_not_in_nats():
    order = reading("order 3", "higher order", Estimate(11.0, 0.5, 0.2))
    found = described(order)
    assert not detected(found)
    found.tables["left"] = found.tables["left"].assign(least="order 3", lower=10.0)
    said = " ".join([explained(found), left_over(found), left_range(found), explained_range(found)])
    assert "order 3 is significant (55 errors)" in said
    assert "11" not in said
    assert "%" not in said
    # Few nats, within the tolerance, are nats.
    found.tables["left"] = found.tables["left"].assign(tolerance=12.0)
    assert not detected(found)


def test_what_would_have_been_seen_is_said_where_it_would_count():
    """Of columns of few effective rows no sensitivity of higher orders is stated: nothing is concluded from them."""
    x = sets_that_agree(300, 5, 2, 1, 0.0, seed=3)
    test = outcome(x, orders=3, order_rows=300)
    rows = SimpleNamespace(recording=SimpleNamespace(rows=x))
    found = findings(independence=test, decision=decision(NOTHING), rows=rows, description=Description(0, 0))
    assert (
        f"Separate pairs that share {test.detectable(2):.2g} nats in all, or {test.detectable(3):.2g} in sets"
        in (nothing(found)[0])
    )
    assert headline(found) == "Nothing to find"
    few = findings(**found.__dict__ | {"independence": test._replace(correlation_time=10.0)})
    assert "in sets of 3" not in nothing(few)[0]
    assert headline(few) == "Nothing seen in few independent rows"


def test_rows_that_drift_or_change_are_not_said_to_have_no_memory():
    test = outcome(sets_that_agree(300, 5, 2, 1, 0.0, seed=3), orders=2)._replace(rows=9000)
    tests = pd.DataFrame({"rows": ["all rows"], "order": [2], "value": [0.1], "significance": [1.0], "possible": True})

    def section(split="time", **changes):
        parts = {"rows": SimpleNamespace(split=split), "tables": {"independence": tests.assign(detectable=0.1)}}
        return dependence(findings(independence=test._replace(**changes), **parts))

    assert "Rows show no memory." in section()
    assert "Rows drift." in section(drift=1e-9)
    assert "Rows have 3.0 rows of memory and drift." in section(drift=1e-9, correlation_time=3.0)
    assert "Rows resemble each other over long times. Errors of pairs over all rows are those of" in section(
        shifted=True
    )
    assert "Rows are taken as independent of each other." in section("random", drift=1e-9)
    change = findings(
        independence=test._replace(change=Estimate(0.3, 0.01, 0.01)), decision=decision(FOUND), description=None
    )
    assert drifting(change) == [
        "Correlations of pairs differ between the first half of the rows and the second (30 errors): no single law "
        "holds of all rows."
    ]


def test_drift_is_said_of_what_follows_the_rows_and_else_only_of_what_was_seen():
    x = sets_that_agree(300, 5, 2, 1, 0.0, seed=3)
    test = outcome(x, orders=2)._replace(drift=1e-9, rows=9000, pairs=Estimate(0.2, 0.01, 0.01))
    both = Description(1, 0)
    rates = findings(independence=test, decision=decision(FOUND, drift=True), description=both)
    assert drifting(rates)[0] == "Rates of variables follow the order of the rows."
    assert headline(rates).endswith("explains the correlations; rates drift")
    latents = findings(
        independence=test._replace(drift=1.0),
        decision=decision(FOUND, drift=True, latents_drift=True),
        description=both,
    )
    assert drifting(latents)[0] == "Latent variables follow the order of the rows."
    assert headline(latents).endswith("it drifts with the order of the rows")
    # Whatever the answer is the headline names what drifts.
    gains = {"gain_over_independent": 1.0, "gain_over_independent_error": 0.1}
    for answer, title in (
        (NOT_FOUND, "Correlated, but not by one latent variable alone; it drifts with the order of the rows"),
        (
            NOT_DECIDED,
            "One collective variable is seen; whether it is all is not decided; it drifts with the order of the rows",
        ),
    ):
        said = decision(answer, drift=True, latents_drift=True)
        assert headline(findings(independence=test, decision=said, description=both, metrics=gains)) == title
    for latents_drift, follows in ((False, "rates drift"), (True, "latent variables drift")):
        said = decision(NOT_FOUND, drift=True, latents_drift=latents_drift)
        without = findings(independence=test, decision=said, description=Description(0, 0), metrics=gains)
        assert headline(without) == f"Correlated, but not by collective variables; {follows}"
    # What windows hold beyond doubt is something else than drift.
    for local, said in ((0.0, "nothing else is seen"), (0.015, "hardly anything else is seen")):
        tested = test._replace(local_pairs=Estimate(local, 0.001, 0.001))
        alone = decision(NOTHING, drift=True, drift_alone=True)
        assert headline(findings(independence=tested, decision=alone, description=both)) == f"Rates drift, and {said}"


CALLS = [
    "vae-mf discover 'dataset.path=a b.npy' quick=true folder=out 'dataset.variables=[0,1,3]'",
    "vae-mf discover dataset.path=x.npy quick=true",
    "discover(data, order='auto', quick=True)",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", [FOUND, NOT_FOUND, NOT_DECIDED])
def test_every_command_for_what_to_do_next_runs(call, answer, tmp_path, monkeypatch):
    """Command lines are understood, and Python runs, with another discovery in the place of the real one."""
    monkeypatch.chdir(tmp_path)
    data = np.random.default_rng(1).integers(0, 2, (60, 4))
    for name in ("a b.npy", "x.npy"):
        np.save(tmp_path / name, data)
    asked = []
    known = SimpleNamespace(save=lambda path: asked.append(path), encode=lambda rows: asked.append(rows))
    monkeypatch.setattr(vae_mf, "discover", lambda rows, **options: asked.append((rows, options)) or known)
    steps = next_steps(findings(decision=decision(answer, drift=True), independence=None), call)
    commands = [command for _, command in steps if command]
    assert len(commands) == 2
    for command in commands:
        if command.startswith("vae-mf"):
            name, *given = shlex.split(command)[1:]
            assert not any(each.startswith(("quick=", "folder=")) for each in given)
            understood(COMMANDS[name], read_arguments(given))
        else:
            names = {"data": data, "report": known, "discover": vae_mf.discover}
            exec(command, names)
    halves = [entry for entry in asked if isinstance(entry, tuple) and len(entry[0]) == 30]
    assert len(halves) == 1


def test_latent_variables_are_drawn_over_time_as_means_over_repeats():
    time, repeat = np.tile(np.arange(50), 4), np.repeat(np.arange(4), 50)
    z = np.sin(time / 5) + repeat
    figure = latents_figure(pd.DataFrame({"repeat": repeat, "time": time, "z_1": z}))
    (ax,) = figure.axes
    fine, _ = ax.lines
    np.testing.assert_allclose(fine.get_ydata(), np.sin(np.arange(50) / 5) + 1.5)
    assert ax.get_xlabel() == "time  [bins]"
    # Without repeats every row has a place of its own.
    (ax,) = latents_figure(pd.DataFrame({"repeat": 0, "time": np.arange(200), "z_1": z})).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), z)
    assert ax.get_xlabel() == "row"


def test_a_ring_of_two_latent_variables_is_said_and_drawn():
    angle = np.linspace(0, 2 * np.pi, 500)
    table = pd.DataFrame({"repeat": 0, "time": np.arange(500), "z_1": np.cos(angle), "z_2": np.sin(angle)})
    assert circular(findings(metrics={"circular": True})) != []
    assert circular(findings(metrics={"circular": False})) == []
    ax, bar = planes_figure(table).axes
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("$z_{1}$", "$z_{2}$", "rows")
    (mesh,) = ax.collections
    assert mesh.get_array().sum() == 500
    # Of four variables the first three are drawn, in pairs.
    assert len(planes_figure(table.assign(z_3=angle, z_4=angle)).axes) == 6


@pytest.mark.parametrize(
    ("answer", "groups", "said"),
    [
        (FOUND, 0, "Two collective variables explain the correlations"),
        (FOUND, 1, "One collective variable and one group of a few variables explain the correlations"),
        (NOT_FOUND, 2, "Groups of a few variables, and no collective variables"),
        (NOT_DECIDED, 0, "Two collective variables are seen; whether they are all is not decided"),
        (NOT_DECIDED, 2, "Two groups of a few variables are seen; whether they are all is not decided"),
    ],
)
def test_the_headline_tells_groups_from_collective_variables(answer, groups, said):
    decision = Decision(answer, False, False, False, groups, [])
    metrics = {"gain_over_independent": 1.0, "gain_over_independent_error": 0.1}
    found = {"description": Description(2, 0), "decision": decision}
    assert headline(findings(**found, metrics=metrics)) == said
    # What gains nothing beyond doubt is not said to be seen.
    in_doubt = headline(findings(**found, metrics=metrics | {"gain_over_independent": 0.1}))
    expected = "Correlated; by what is not decided" if answer == NOT_DECIDED and not groups else said
    assert in_doubt == expected


def test_classes_are_drawn_by_their_probabilities_over_the_rows():
    first = np.repeat([0.0, 1.0], 500)
    table = pd.DataFrame({"repeat": 0, "time": np.arange(1000), "class_1": first, "class_2": 1 - first})
    (ax,) = class_areas_figure(table).axes
    lower, upper = (area.get_paths()[0].vertices for area in ax.collections)
    assert lower[:, 1].max() == 1
    assert set(lower[lower[:, 0] < 490, 1]) == {0.0}
    assert upper[:, 1].max() == 1
    assert ax.get_xlabel() == "row"


@pytest.mark.parametrize("names", [("a", "b", "c"), ("0,0", "0,1", "1,0")], ids=["names", "pixels"])
def test_classes_are_drawn_by_what_they_change(names):
    shifts = pd.DataFrame({"variable": names, "class_1": [0.5, 0.0, -0.5], "class_2": [-1.0, 0.0, 1.0]})
    figure = classes_figure(shifts, pd.DataFrame({"class": [1, 2], "weight": [0.7, 0.3]}))
    images = [ax.images[0] for ax in figure.axes if ax.images]
    # One scale for all classes, white where nothing changes.
    assert all(image.get_clim() == (-1, 1) for image in images)
    if names[0] == "a":
        np.testing.assert_allclose(images[0].get_array(), shifts[["class_1", "class_2"]].T)
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["class 1, 70%", "class 2, 30%"]
    else:
        np.testing.assert_allclose(images[1].get_array()[1, 0], 1.0)
        assert figure.axes[1].get_title() == "class 2, 30%"


@pytest.mark.parametrize(
    ("description", "marked"), [(Description(2, 0), "VAE, d = 2"), (Description(0, 3), "mixture of 3 classes")], ids=str
)
def test_the_description_stands_out_among_the_models(description, marked):
    sweep = pd.DataFrame({"latents": [0, 2], "parameters": [3, 9], "chosen": [False, True]})
    models = pd.DataFrame({"model": ["mixture of 3 classes", "VAE, d = 2"], "family": ["BernoulliMixture", "VAE"]})
    tables = {"sweep": sweep, "classes": sweep, "models": models.assign(log_partition_error=0.0)}
    found = findings(tables=tables, description=description)
    page = how_many(found, {"gains": new_figure(1, 1)[0]})
    assert re.findall('<tr class="chosen"><td class="text">([^<]*)</td>', page) == [marked]


def test_paired_differences_are_drawn_with_their_own_errors():
    table = pd.DataFrame({"latents": [0, 1, 2], "gain": [0.0, 1.0, 1.1], "gain_error": 0.5})
    table = table.assign(behind=[1.1, 0.1, 0.0], behind_error=[0.4, 0.03, 0.0], chosen=[False, False, True])
    models = pd.DataFrame({"model": ["a"], "family": ["VAE"], "gain_over_independent": [1.0]})
    figure = gains_figure(table, models.assign(gain_over_independent_error=0.1))
    bars = figure.axes[1].collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[-0.13, -0.07], [0.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("factor", "least", "most"),
    [
        (1.0, 0.6, 0.95),
        pytest.param(1 / 1.5, 0.0, 0.55, marks=pytest.mark.slow),
        pytest.param(1.5, 0.8, 1.0, marks=pytest.mark.slow),
    ],
)
def test_about_so_many_rows_decide(factor, least, most):
    """Where nothing is left, new data of so many rows decide more often than not, and of fewer rows they do not."""
    random = np.random.default_rng(4)
    thresholds = discovery_settings(*discovery_config()).assessment.thresholds

    def verdict(rows: float) -> Verdict:
        error = 600 / rows
        pairs = reading("order 2", "pairs", Estimate(error * random.normal(), error, error))
        gains = {"temperature": 1.0, "gain": 5.0, "gain_error": 0.1, "rows": rows, "sites": 100, "most": 50.0}
        return decide_mean_field(pd.DataFrame([pairs]).assign(temperature=1.0), pd.DataFrame([gains]), thresholds)

    looks = [verdict(10_000.0) for _ in range(200)]
    undecided = [look for look in looks if look.answer == NOT_DECIDED]
    after = [verdict(factor * rows_to_decide(look.left)).answer for look in undecided]
    assert least < after.count(FOUND) / len(after) < most


def test_tables_of_the_page_hold_no_nats_of_orders_above_the_second():
    x = sets_that_agree(300, 5, 2, 1, 0.0, seed=3)
    test = outcome(x, orders=2)._replace(pairs=Estimate(0.1234, 0.01, 0.01), orders={3: Estimate(1.2345, 0.1, 0.05)})
    rows = SimpleNamespace(split="random")
    page = dependence(findings(independence=test, rows=rows, tables={"independence": test.table}))
    assert "0.1234" in page
    assert "1.23" not in page
    assert ">24.69<" in page
    # Nor of pairs that would share more than all variables can.
    page = dependence(
        findings(
            independence=test,
            rows=rows,
            tables={"independence": test._replace(largest=0.1).table},
        )
    )
    assert "0.1234" not in page


def test_readings_beyond_all_that_can_be_left_are_no_nats():
    orders = {"order 2": "pairs", "order 3": "higher order", "order 4": "higher order"}
    values = {"order 2": 1.3e4, "order 3": 0.01, "order 4": 6e7}
    lines = [reading(name, kind, Estimate(values[name], 1.0, 0.5)) for name, kind in orders.items()]
    readings = pd.DataFrame(lines)
    shown = in_nats(readings, tolerance=0.02, largest=44.0)
    assert shown.value.isna().tolist() == [True, False, True]
    assert shown.significance.tolist() == pytest.approx([2.6e4, 0.02, 1.2e8])
    whole = {"centre": 44.0, "lower": 40.0, "upper": 44.0, "upper_best": 44.0, "tolerance": 0.02}
    figure = left_figure(readings, pd.DataFrame([whole | {"least": "order 2", "most": "order 2"}]))
    assert max(figure.axes[0].get_xlim()) < 100
    figure = left_figure(readings, pd.DataFrame([whole | {"centre": 1.3e4, "least": "order 2", "most": "order 2"}]))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["order 2"]
