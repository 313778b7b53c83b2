"""The battery of verdicts: laws against enumeration, draws against laws, what answers are worth, and the command."""

from functools import partial

import numpy as np
import pytest
from omegaconf import OmegaConf
from scipy.special import entr

from vae_mf.benchmarks.verdicts import correlations, independents, latents, laws
from vae_mf.benchmarks.verdicts.case import (
    FRESH,
    MENDED,
    NOT,
    NOTHING,
    NOTHING_AT_ALL,
    NOTHING_BUT_DRIFT,
    NOTHING_IN_REPEATS,
    ONLY_GROUPS,
    TRIED,
    classes,
    found,
)
from vae_mf.benchmarks.verdicts.cases import (
    CASES,
    FRESH_CASES,
    MENDED_CASES,
    NULLS,
    TRIED_CASES,
    case_of,
    draw_of,
    null,
)
from vae_mf.benchmarks.verdicts.jobs import SETS, jobs
from vae_mf.benchmarks.verdicts.other_thresholds import answer_by, threshold_table
from vae_mf.benchmarks.verdicts.outcome import Given, Outcome, Side, false_positive, given, mark, side
from vae_mf.benchmarks.verdicts.page import (
    confusion_table,
    coverage_table,
    exact,
    false_positives,
    page,
    wrong_sentence,
)
from vae_mf.commands import benchmark_verdicts
from vae_mf.commands.options import compose
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.packing import all_configurations
from vae_mf.runs.terminal import Terminal
from vae_mf.statistics.averages import Average, average
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.readings import reading

ROWS = 20_000
THRESHOLDS = discovery_settings(*discovery_config(quick=True)).assessment.thresholds
SMALL = {
    "heterogeneous": partial(independents.heterogeneous, sites=6),
    "rare": partial(independents.rare, sites=6, rates=(0.05, 0.2)),
    "autocorrelated": partial(independents.autocorrelated, sites=6, times=(2.0, 4.0)),
    "one": partial(latents.one, sites=7, strength=1.2, mean=-1.0, spread=0.7),
    "one with memory": partial(latents.one, sites=7, strength=1.0, memory=5.0),
    "graded": partial(latents.graded, sites=7, strengths=(1.2, 0.8)),
    "thresholded": partial(latents.thresholded, sites=7, latents=2),
    "ring": partial(latents.ring, sites=8, baseline=-1.5, height=3.0),
    "narrow ring": partial(latents.ring, sites=8, baseline=-3.5, height=6.0, width=0.41),
    "mixture": partial(latents.mixture, sites=6, shares=(0.5, 0.3, 0.2), spread=1.2, constant=2),
    "patterns": partial(latents.noisy_patterns, sites=7, shares=(0.7, 0.3), flips=0.15),
    "switching": partial(latents.switching, sites=6, rates=(0.2, 0.3), off=(-1.0, 0.6), rise=1.8),
    "Curie-Weiss": partial(latents.curie_weiss, sites=7, temperature=1.0),
    "Hopfield": partial(latents.hopfield, sites=8, patterns=2, temperature=0.9),
    "blocks": partial(latents.blocks, groups=2, size=4, temperature=0.9),
    "chain": partial(correlations.chain, sites=7, coupling=0.5, field=0.2),
    "spin glass": partial(correlations.spin_glass, sites=7, temperature=0.7),
    "sparse": partial(correlations.sparse, sites=7, strength=0.6, degree=3.0),
    "lattice": partial(correlations.lattice, side=3, temperature=2.5),
    "triples": partial(correlations.products, sites=7, order=3, share=0.8),
    "parity": partial(correlations.products, sites=8, order=4),
    "rare pairs": partial(correlations.rare_pairs, sites=7, pairs=3, rate=0.1, both=0.03),
    "duplicates": partial(correlations.duplicates, sites=6, pairs=((0, 1), (2, 5))),
    "one hot": partial(correlations.one_hot, sites=7, choices=4),
    "latent and pairs": partial(correlations.latent_and_pairs, sites=7, strength=0.8, coupling=0.4, pairs=3),
    "latent and products": partial(
        correlations.latent_and_products, sites=4, strength=1.2, groups=1, order=3, share=0.85
    ),
}
"""Every generator whose law is known, small enough to enumerate."""


def enumerated(law):
    states = all_configurations(len(law.rates))
    with np.errstate(invalid="ignore"):
        return states, np.exp(law.log_probability(states))


@pytest.fixture(scope="module", params=SMALL)
def small(request):
    return SMALL[request.param](np.random.default_rng(7), ROWS)


def test_laws_are_normalised_and_know_their_rates(small):
    states, probabilities = enumerated(small.law)
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(probabilities @ (states > 0), small.law.rates, atol=1e-9)


def test_rows_are_drawn_from_their_law(small):
    states, probabilities = enumerated(small.law)
    assert small.rows.dtype == np.int8
    sites = states.shape[1]
    wanted = np.einsum("s,si,sj->ij", probabilities, states, states)
    for i in range(sites):
        for j in range(i):
            assert_near(average((small.rows[:, i] * small.rows[:, j]).astype(float), 50), wanted[i, j])
    for i in range(sites - 2):
        product = states[:, i : i + 3].prod(axis=1)
        assert_near(average(small.rows[:, i : i + 3].prod(axis=1).astype(float), 50), probabilities @ product)
    assert_near(average(small.law.log_probability(small.rows), 50), -entr(probabilities).sum())


def assert_near(measured, wanted, errors=5.0):
    assert abs(measured.value - wanted) <= errors * measured.error + 1e-9


def test_total_correlation_is_that_of_the_enumeration(small):
    states, probabilities = enumerated(small.law)
    rates = probabilities @ (states > 0)
    wanted = (entr(rates) + entr(1 - rates)).sum() - entr(probabilities).sum()
    assert_near(laws.total_correlation(small.rows, small.law), wanted)


def test_total_correlation_of_products_is_their_closed_form():
    data = correlations.products(np.random.default_rng(1), 50_000, 20, order=5, share=0.9)
    wanted = 4 * (np.log(2) - entr(0.9) - entr(0.1))
    assert wanted == pytest.approx(1.472, abs=5e-4)
    assert_near(laws.total_correlation(data.rows, data.law), wanted)


def test_a_wrong_law_is_noticed():
    data = latents.one(np.random.default_rng(2), ROWS, 7, strength=1.0)
    other = laws.independent(np.zeros(7))
    _, probabilities = enumerated(other)
    assert abs(average(data.law.log_probability(data.rows), 50).value + entr(probabilities).sum()) > 0.05


def test_large_models_know_their_partition_functions():
    data = correlations.spin_glass(np.random.default_rng(3), 1000, 9, temperature=0.7)
    _, probabilities = enumerated(data.law)
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    chain = correlations.chain(np.random.default_rng(4), 5, 60, coupling=0.5)
    free = 60 * np.log(2) + 59 * np.log(np.cosh(0.5))
    assert chain.law.log_probability(np.ones((1, 60), np.int8))[0] == pytest.approx(59 * 0.5 - free)


def test_held_columns_remember():
    data = independents.autocorrelated(np.random.default_rng(5), 100_000, 3, times=(10.0, 10.0))
    columns = data.rows - data.rows.mean(axis=0)
    correlation = (columns[1:] * columns[:-1]).mean(axis=0) / columns.var(axis=0)
    np.testing.assert_allclose(correlation, 0.9, atol=0.02)


def test_shifted_columns_are_uncorrelated_and_unshifted_ones_are_not():
    data = independents.shifted(np.random.default_rng(6), 20_000, 10)
    correlation = np.corrcoef(data.rows.T) - np.eye(10)
    assert np.abs(correlation).max() < 0.06
    aligned = np.stack([np.roll(column, -gap) for column, gap in zip(data.rows.T, offsets(data.rows), strict=True)])
    assert np.corrcoef(aligned)[np.triu_indices(10, 1)].mean() > 0.1


def offsets(rows):
    """The shifts that bring columns into line with the first, of those that the generator knows."""
    steps = len(rows) // rows.shape[1] * np.arange(rows.shape[1])
    return [
        max(steps, key=lambda step, column=column: np.corrcoef(rows[:, 0], np.roll(column, -step))[0, 1])
        for column in rows.T
    ]


def test_a_stimulus_is_the_same_in_all_repeats():
    data = latents.stimulus(np.random.default_rng(8), 200, 5, times=30)
    assert data.rows.shape == (200, 5, 30)
    first, second = (half.mean(axis=0).ravel() for half in np.split(data.rows, 2))
    assert np.corrcoef(first, second)[0, 1] > 0.8


def test_rates_drift():
    rows = independents.drifting(np.random.default_rng(9), 20_000, 30).rows
    early, late = (half.mean(axis=0) for half in np.split(rows, 2))
    assert np.abs(early - late).max() > 0.1


def test_slow_columns_are_independent_and_remember():
    rows = independents.slow(np.random.default_rng(10), 100_000, 4, dwell=50.0).rows
    columns = rows - rows.mean(axis=0)
    # Of a share .048 of the variance, whose correlations fall by a factor e in 25 rows.
    correlation = np.mean([(columns[lag:] * columns[:-lag]).mean(axis=0) for lag in (10, 15)], axis=0)
    np.testing.assert_allclose((correlation / columns.var(axis=0)).mean(), 0.048 * np.exp(-12.5 / 25), rtol=0.25)
    assert np.abs(np.corrcoef(rows.T) - np.eye(4)).max() < 0.02


def test_repeated_rows_and_sorted_latents():
    repeated = independents.repeated(np.random.default_rng(11), 400, 24, times=4).rows
    assert set(np.unique(repeated, axis=0, return_counts=True)[1]) == {4}
    assert (np.diff(repeated, axis=0) != 0).any(axis=1).mean() > 0.9
    data = latents.one(np.random.default_rng(12), 4000, 10, strength=1.5, ordered=True)
    early, late = (half.mean(axis=0) for half in np.split(data.rows @ data.patterns.T / 10, 2))
    assert (late - early) > 0.5
    run = line(answer="not decided", headline="Rows are repeated, and nothing is decided")
    assert given(run).named == {"repeats"}


def test_cases_are_many_and_have_names_of_their_own():
    groups = {TRIED: TRIED_CASES, MENDED: MENDED_CASES, FRESH: FRESH_CASES}
    assert len(CASES) == sum(map(len, groups.values()))
    assert {origin: len(cases) for origin, cases in groups.items()} == {TRIED: 30, MENDED: 13, FRESH: 23}
    assert all(case.origin == origin and case.right for origin, cases in groups.items() for case in cases)


def test_draws_differ_and_come_again():
    assert np.array_equal(draw_of("tiny", 1).rows, draw_of("tiny", 1).rows)
    assert not np.array_equal(draw_of("tiny", 1).rows, draw_of("tiny", 2).rows)
    assert not np.array_equal(draw_of("tiny", 0).rows[:, :12], draw_of("graded", 0).rows[:, :12])


@pytest.mark.parametrize("number", range(10))
def test_independent_sets_are_found_by_their_names(number):
    case = null(number)
    assert case_of(case.name).name == case.name
    assert list(NULLS)[number % 5] in case.name
    rows = draw_of(case.name, 0).rows
    assert 10 <= rows.shape[1] <= 60
    assert 3_000 <= len(rows) <= 20_000
    assert case.right == (NOTHING_BUT_DRIFT if "drifting" in case.name else (NOTHING_AT_ALL,))


def said(answer, *named, number=0):
    return Given(answer, frozenset(named), number)


@pytest.mark.parametrize(
    ("right", "answer", "outcome", "number_right"),
    [
        ((found(1),), said("found", number=1), "right", True),
        ((found(1),), said("found", number=2), "right", False),
        ((found(),), said("found", number=4), "right", None),
        ((found(1),), said("found", "drift", number=1), "wrong", None),
        ((found(1),), said("found", "classes", number=2), "wrong", None),
        ((found(1),), said("not found", number=1), "wrong", None),
        ((found(1),), said("nothing to find"), "wrong", None),
        ((found(1),), said("not decided", number=1), "open", None),
        ((classes(6), found(5)), said("found", "classes", number=6), "right", True),
        ((classes(6), found(5)), said("found", "classes", number=5), "right", False),
        ((classes(6), found(5)), said("found", number=5), "right", True),
        ((NOT,), said("not found", number=5), "right", None),
        ((NOT,), said("not found", "drift"), "wrong", None),
        ((NOT,), said("found", number=5), "wrong", None),
        (ONLY_GROUPS, said("found", "groups", number=2), "right", None),
        (ONLY_GROUPS, said("found", number=2), "wrong", None),
        ((NOTHING_AT_ALL,), said("nothing to find"), "right", None),
        ((NOTHING_AT_ALL,), said("nothing to find", "drift"), "wrong", None),
        (NOTHING_BUT_DRIFT, said("found", "drift", number=1), "right", True),
        (NOTHING_BUT_DRIFT, said("found", number=1), "wrong", None),
        (NOTHING_BUT_DRIFT, said("nothing to find"), "wrong", None),
        (NOTHING_BUT_DRIFT, said("not decided", "drift"), "open", None),
        (NOTHING_IN_REPEATS, said("not decided", "repeats"), "right", None),
        (NOTHING_IN_REPEATS, said("not decided", number=1), "open", None),
        (NOTHING_IN_REPEATS, said("not found", number=1), "wrong", None),
        ((found(1),), said("not decided", "repeats"), "open", None),
    ],
)
def test_answers_are_right_open_or_wrong(right, answer, outcome, number_right):
    assert mark(right, answer) == (Outcome(outcome), number_right)


def line(case="ring", answer="found", headline="Two collective variables", latents=2, draw=0, **changes):
    return {
        "case": case,
        "draw": draw,
        "answer": answer,
        "headline": headline,
        "latents": latents,
        "metrics": {},
        "exact": {},
        "tables": {},
        "rows": [12_000, 24],
        "cpu_seconds": 20.0,
        "megabytes": 500.0,
        "revision": "abc",
    } | changes


def test_the_headline_says_what_was_found():
    assert given(line()) == said("found", number=2)
    assert given(line(headline="Six classes", metrics={"classes": 6})) == said("found", "classes", number=6)
    assert given(line(answer="not found", metrics={"classes": 6}, headline="More than six classes")).named == set()
    assert given(line(headline="One variable, which is a drift")).named == {"drift"}
    assert given(line(headline="Two groups of variables")).text == "found + groups"


def test_independent_variables_have_no_collective_ones():
    assert false_positive(said("found", number=1))
    assert false_positive(said("not decided", number=1))
    assert false_positive(said("found", "classes", number=2))
    assert not false_positive(said("found", "drift", number=1))
    assert not false_positive(said("not found"))
    assert not false_positive(said(NOTHING))


def test_intervals_hold_exact_values_or_do_not():
    assert side(0.0, 0.1, Average(0.05, 0.0)) is Side.INSIDE
    assert side(0.0, 0.1, Average(0.15, 0.0)) is Side.ABOVE
    assert side(0.0, 0.1, Average(0.15, 0.03)) is Side.INSIDE
    assert side(0.2, 0.3, Average(0.15, 0.01)) is Side.BELOW


def test_shares_are_those_of_the_exact_total_correlation():
    run = line(exact={"total_correlation": [4.0, 0.4], "left": [1.0, 0.1]})
    share = exact(run, "share")
    assert share.value == 0.25
    assert share.error == pytest.approx(np.hypot(0.1, 0.25 * 0.4) / 4)
    assert exact(line(exact={"total_correlation": [0.0, 0.0], "left": [0.1, 0.1]}), "share") is None
    assert exact(line(), "left") is None


def interval(lower, upper):
    return {"share_lower": lower, "share_upper": upper, "left_lower": 4 * lower, "left_upper": 4 * upper}


def test_the_page_counts_what_was_said():
    truth = {"total_correlation": [4.0, 0.001], "left": [0.04, 0.001]}
    runs = [
        line(metrics=interval(0.0, 0.02), exact=truth),
        line(draw=1, metrics=interval(0.0, 0.005), exact=truth),
        line("xor", "not decided", latents=0),
        line("product5", "nothing to find", "Nothing to find", 0),
        line("null-rare-0", "nothing to find", "Nothing to find", 0),
        line("null-heterogeneous-1", "found", "One collective variable", 1),
    ]
    known = runs[:4]
    confusion = confusion_table(known).splitlines()
    assert confusion[0] == "| right answer | found | not decided | nothing to find |"
    assert confusion[2:] == ["| found | 2 |  |  |", "| not found |  | 1 | 1 |"]
    assert "| share left | found | 2 | 1 | 0 | 1 |" in coverage_table(known)
    assert "| nats left | not decided | 0 | 0 | 0 | 0 |" in coverage_table(known)
    assert "1 of 2 sets, 50.0%" in false_positives(runs[4:])
    assert "1.3% to 98.7%" in false_positives(runs[4:])
    text = page(runs, "python command", "a machine", failed=1)
    assert "| tried before | 3 | 2 | 1 | 0 | 2 of 2 |" in text
    assert "| fresh | 1 | 0 | 0 | 1 | 0 of 0 |" in text
    assert "Failed and missing: 1." in text
    assert "0.000 to 0.020 | 0.010 ± 0.000 |" in text
    assert "**wrong**" in text


def test_other_thresholds_decide_the_same_readings_anew():
    """Of .1 nats that pairs show, 2 % of 10 are tolerable: .2; one per cent, .1, is not enough for its upper end."""
    found = reading("order 2", "pairs", Estimate(0.1, 0.001, 0.001)) | {"temperature": 1.0}
    gains = {"temperature": 1.0, "gain": 10.0, "gain_error": 0.1, "rows": 1000, "sites": 100, "most": 60.0}
    control = {
        "control": "rows",
        "known": 0.0,
        "value": 0.0,
        "error": 0.1,
        "passed": True,
        "overstated": False,
        "coarse": False,
    }
    tables = {"readings": found, "gains": gains, "controls": control}
    run = line(tables={name: {key: [value] for key, value in row.items()} for name, row in tables.items()})
    counts = {each.split(" | ")[0]: each.split(" | ")[1:] for each in threshold_table([run]).splitlines()[2:]}
    assert counts["| as they are"] == ["1", "0", "0 |"]
    assert counts["| share = 0.01 instead of 0.02"] == ["0", "1", "0 |"]
    # An answer that does not follow from readings stays.
    other = threshold_table([run | {"answer": "not found"}, line("xor", "not found", latents=0)])
    assert {each.split(" | ", 1)[1] for each in other.splitlines()[2:]} == {"1 | 0 | 1 |"}
    failed = run | {"tables": run["tables"] | {"controls": {key: [value] for key, value in failing(control).items()}}}
    assert answer_by(failed | {"answer": "not decided"}, THRESHOLDS, THRESHOLDS, 1.0) == "not decided"


def failing(control):
    return control | {"passed": False}


def test_draws_come_one_by_one_and_independent_sets_last():
    names = [(job.case, job.draw) for job in jobs(["ring", "xor"], 2, 1)]
    assert names == [("ring", 0), ("xor", 0), ("ring", 1), ("xor", 1), ("null-rare-0", 0)]
    assert sorted(name for names in SETS.values() for name in names) == sorted(CASES)


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The command on tmp_path, whose runs are instant and counted; "xor" fails."""
    asked = []

    def fake(self, work, case, draw, seconds):
        asked.append((case, draw))
        if case == "xor":
            raise ValueError("too exclusive")
        return iter([line(case, draw=draw)])

    monkeypatch.setattr(benchmark_verdicts.Worker, "run", fake)

    def run(**options):
        asked.clear()
        folder = tmp_path / "out"
        plain = compose("benchmark", ("benchmark=verdicts",)).plain | {"folder": str(folder), "processes": 1} | options
        cfg = OmegaConf.create({key: value for key, value in plain.items() if key not in ("hydra", "paths")})
        benchmark_verdicts.run(cfg, Terminal(), "vae-mf benchmark verdicts")
        return sorted(asked), (folder / "verdicts.md").read_text(), (folder / "leaderboard.md").read_text()

    return run


def test_a_benchmark_that_was_stopped_goes_on(bench):
    asked, text, section = bench(cases=["ring"], draws=2, nulls=1)
    assert asked == [("null-rare-0", 0), ("ring", 0), ("ring", 1)]
    assert "| found | 2 |" in text
    assert "Every case was answered rightly." in section
    asked, text, _ = bench(cases=["ring", "graded"], draws=2, nulls=1)
    assert asked == [("graded", 0), ("graded", 1)]
    assert "| found | 4 |" in text
    asked, _, _ = bench(cases=["ring"], draws=1, nulls=0, again=True)
    assert asked == [("ring", 0)]


def test_runs_that_fail_are_said_and_tried_again(bench, capsys):
    for _ in range(2):
        asked, text, section = bench(cases=["ring", "xor"], draws=1, nulls=0)
        assert ("xor", 0) in asked
        assert "Failed and missing: 1." in text
        assert "Failed and missing: 1." in section
        assert "too exclusive" in capsys.readouterr().out


def test_cases_that_are_not_right_are_named(bench, monkeypatch):
    runs = [line("ring"), line("graded", answer="not decided"), line("xor", answer="found", latents=1)]
    assert wrong_sentence(runs) == "Not right: wrong: xor; open: graded."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"cases": ["potts"]},
            "cases: expected tried, mended, fresh, or a list of some of .* names, got 'potts'; they are",
        ),
        ({"cases": "rings"}, "did you mean cases=ring"),
        ({"cases": None}, "cases: expected .* got None"),
        ({"cases": 3}, "cases: expected .* got 3"),
        ({"cases": [], "nulls": 0}, "cases: expected .* got none"),
        ({"draws": -1}, "draws: expected an integer >= 1"),
        ({"draws": 0}, "draws: expected an integer >= 1"),
        ({"nulls": "abc"}, "nulls: expected"),
        ({"processes": 0}, "processes: expected"),
        ({"again": 3}, "again: expected"),
    ],
)
def test_options_that_say_nothing_are_refused(bench, options, said):
    with pytest.raises(ValueError, match=said):
        bench(**options)
