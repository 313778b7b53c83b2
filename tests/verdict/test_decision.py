"""The answer follows from an interval: noise never helps, doubt decides nothing, and all is said."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.assessment import Assessment, correlation_readings
from vae_mf.verdict.decision import (
    FOUND,
    NOT_DECIDED,
    NOT_FOUND,
    POOLED,
    Subject,
    decide_mean_field,
    family_errors,
    is_near,
    left_intervals,
    rows_to_decide,
)
from vae_mf.verdict.readings import reading
from vae_mf.verdict.report import as_json, as_markdown
from vae_mf.verdict.settings import Thresholds

SITES, ROWS = 100, 10_000
THRESHOLDS = Thresholds(
    share=0.02,
    per_site=0.002,
    errors=2.0,
    pairs_over=1.2,
    pairs_under=1.25,
    sets_under=2.0,
    order_seen=4.0,
    ahead=3.0,
    control=4.0,
    near=2.0,
)
GAIN = 5.0
"""The tolerance is .02 * 5 = .1, less than .002 * 100 = .2."""
BOUND = THRESHOLDS.share * GAIN


def readings(*lines: dict, temperature: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(lines).assign(temperature=temperature)


def pairs(value: float, error: float = 0.01, allowance: float = 0.0, estimation: float = 0.0) -> dict:
    return reading("order 2", "pairs", Estimate(value, error, error), allowance) | {"estimation": estimation}


def exact(value: float, error: float = 0.01, bracket: float = 0.0) -> dict:
    return reading("exact identity", "identity", Estimate(value, error, error), bracket)


def lead(value: float, error: float = 0.01, kind: str = "direct dependence") -> dict:
    return reading("lead of it", kind, Estimate(value, error, error))


def higher(value: float, error: float = 0.02) -> dict:
    return reading("order 3", "higher order", Estimate(value, error, error))


def gains(*values: float) -> pd.DataFrame:
    lines = [{"temperature": 1.0 + k, "gain": value} for k, value in enumerate(values)]
    return pd.DataFrame(lines).assign(gain_error=0.1, rows=ROWS, sites=SITES, most=np.inf)


def answer(*lines: dict, gain: float = GAIN) -> str:
    return decide_mean_field(readings(*lines), gains(gain), THRESHOLDS).answer


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([pairs(0.0)], FOUND),
        ([pairs(0.05, 0.01)], FOUND),
        ([pairs(0.3)], NOT_FOUND),
        ([pairs(BOUND, 0.01)], NOT_DECIDED),
        # Up to 20 % of the information of pairs may be an artefact of their scale.
        ([pairs(1.1 * BOUND, 0.0001)], NOT_DECIDED),
        ([pairs(0.0, 0.001, allowance=BOUND)], NOT_DECIDED),
        # What the best model of the kind would not leave does not speak against the kind.
        ([pairs(0.0, 0.001, estimation=BOUND)], FOUND),
        ([pairs(BOUND, 0.01, estimation=BOUND)], NOT_DECIDED),
        ([pairs(0.0), lead(0.3)], NOT_FOUND),
        ([pairs(0.0), lead(0.3, 0.2)], FOUND),
        ([pairs(0.0), lead(0.11, 0.02)], NOT_DECIDED),
        ([pairs(0.0), lead(0.11, 0.04)], FOUND),
        ([pairs(0.0), lead(-1.0)], FOUND),
        ([pairs(0.0), lead(0.3, kind="latent model")], NOT_DECIDED),
        ([pairs(0.0), lead(0.05, 0.04, kind="latent model")], NOT_DECIDED),
        ([pairs(0.0), lead(0.05, 0.02, kind="latent model")], FOUND),
        ([pairs(0.0), higher(0.3)], NOT_FOUND),
        ([pairs(0.0), higher(0.3, 0.2)], FOUND),
        ([pairs(0.0), higher(0.07, 0.017)], NOT_DECIDED),
        ([pairs(0.3), exact(0.0)], FOUND),
        ([pairs(0.0), exact(0.3)], NOT_FOUND),
        ([pairs(0.0), exact(0.05, bracket=0.1)], NOT_DECIDED),
        ([pairs(0.0), exact(0.25, bracket=0.5)], NOT_DECIDED),
        ([pairs(0.0), exact(0.05, np.nan)], NOT_DECIDED),
        ([pairs(0.0, np.nan)], NOT_DECIDED),
        ([pairs(0.0), lead(0.3, np.nan)], FOUND),
    ],
)  # fmt: skip
def test_the_answer_follows_from_the_interval(lines, expected):
    assert answer(*lines) == expected


@pytest.mark.parametrize("value", [0.0, 0.05, BOUND, 0.5, 5.0])
@pytest.mark.parametrize("make", [pairs, exact])
def test_noise_never_helps_a_description(value, make):
    """A larger error may turn an answer into an open one, and never an open one or a denial into "found"."""
    order = {NOT_DECIDED: 0, FOUND: 1, NOT_FOUND: 1}
    answers = [answer(make(value, error)) for error in (1e-4, 0.01, 0.05, 0.5, 2.5)]
    ranks = [order[each] for each in answers]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(answers) - {NOT_DECIDED}) <= 1


def test_the_tolerance_is_a_share_of_all_correlations_and_small_in_nats():
    (line,) = decide_mean_field(readings(pairs(0.3, 0.01)), gains(GAIN), THRESHOLDS).left.to_dict("records")
    assert line["total"] == pytest.approx(GAIN + 0.3)
    assert line["tolerance"] == pytest.approx(THRESHOLDS.share * (GAIN + 0.3))
    large = decide_mean_field(readings(pairs(0.3, 0.01)), gains(100.0), THRESHOLDS).left.iloc[0]
    assert large.tolerance == pytest.approx(THRESHOLDS.per_site * SITES)


def test_the_ends_are_shares_of_the_total_correlation():
    line = left_intervals(readings(pairs(0.3, 0.01)), gains(GAIN), THRESHOLDS).iloc[0]
    assert line.lower == pytest.approx(0.28 / 1.2)
    assert line.upper == pytest.approx(1.25 * 0.3 + 0.02)
    assert line.share_lower == pytest.approx(line.lower / 5.3)
    assert line.share_upper == pytest.approx(line.upper / (5.3 + line.upper - line.lower))
    assert (line.least, line.most) == ("order 2", "order 2")


def test_a_reading_below_zero_leaves_no_share():
    line = left_intervals(readings(pairs(-0.1, 0.01)), gains(GAIN), THRESHOLDS).iloc[0]
    assert (line.upper, line.share_lower, line.share_upper) == (0, 0, 0)
    unknown = left_intervals(readings(pairs(0.0, np.nan)), gains(GAIN), THRESHOLDS).iloc[0]
    assert (unknown.upper, unknown.share_upper) == (np.inf, 1)


def test_what_another_reading_sees_beyond_pairs_is_added_to_them():
    line = left_intervals(readings(pairs(0.1, 0.001), higher(0.3)), gains(GAIN), THRESHOLDS).iloc[0]
    assert line.upper == pytest.approx(0.3 + 2 * 0.02 + 0.1)
    assert line.most == "order 3"


def test_of_several_higher_orders_the_first_sets_the_lower_end():
    """Two triples that depend on each other are a product of six: order 6 counts them once more."""
    sixth = higher(3.0) | {"reading": "order 6"}
    line = left_intervals(readings(pairs(0.0, 0.001), higher(1.0), sixth), gains(GAIN), THRESHOLDS).iloc[0]
    assert (line.least, line.lower) == ("order 3", pytest.approx(1.0 - 2 * 0.02))
    unseen = left_intervals(readings(pairs(0.0, 0.001), higher(0.05), sixth), gains(GAIN), THRESHOLDS).iloc[0]
    assert unseen.least == "order 6"


def test_heavy_tails_of_the_residuals_are_no_reading_of_a_higher_order():
    """One latent, 8 variables, 3,000 rows: order 4 at 4.4 errors where nothing is left, at 2.3 of its own."""
    few = higher(0.0774, 0.0336) | {"null_error": 0.0177}
    assert left_intervals(readings(pairs(0.0, 0.001), few), gains(GAIN), THRESHOLDS).iloc[0].lower == 0


def test_products_of_the_pairs_that_are_left_are_no_news_at_a_higher_order():
    fourth = higher(2.0) | {"reading": "order 4"}
    line = left_intervals(readings(pairs(1.2, 0.001), fourth), gains(GAIN), THRESHOLDS).iloc[0]
    assert line.least == "order 2"
    line = left_intervals(readings(pairs(0.4, 0.001), fourth), gains(GAIN), THRESHOLDS).iloc[0]
    assert (line.least, line.lower) == ("order 4", pytest.approx(2.0 - 2 * 0.02 - 3 * 0.4**2))
    # Three variables are no pairs.
    line = left_intervals(readings(pairs(1.2, 0.001), higher(2.0)), gains(GAIN), THRESHOLDS).iloc[0]
    assert line.least == "order 3"


def test_no_end_exceeds_what_there_can_be():
    few = gains(GAIN).assign(most=6.0)
    line = left_intervals(readings(pairs(0.0, 0.001), higher(26.0, 6.0) | {"null_error": 1.0}), few, THRESHOLDS).iloc[0]
    left = 6.0 - (GAIN - 2 * 0.1)
    assert (line.lower, line.upper, line.total) == (pytest.approx(left), pytest.approx(left), 6.0)


def test_what_training_alone_leaves_is_no_lower_end():
    assert answer(pairs(0.2, 0.001)) == NOT_FOUND
    assert answer(pairs(0.2, 0.001) | {"misfit": 0.08}) == NOT_DECIDED
    assert answer(pairs(0.0), lead(0.3) | {"misfit": 0.25}) == NOT_DECIDED


@pytest.mark.parametrize(
    ("value", "near"),
    [(0.0, False), (0.4 * BOUND, False), (0.6 * BOUND, True), (2.0 * BOUND, True), (4.0 * BOUND, False)],
)
def test_a_model_is_fitted_once_more_near_the_tolerance_alone(value, near):
    left = decide_mean_field(readings(exact(value, 1e-4)), gains(GAIN), THRESHOLDS).left
    assert is_near(left, THRESHOLDS.near) is near


def test_one_level_holds_over_all_conditions():
    many = pd.concat([readings(pairs(0.0), temperature=float(k)) for k in range(10)])
    assert family_errors(many, 1, 2.0) == pytest.approx(2.0)
    expected = norm.isf(norm.sf(2.0) / 10)
    assert family_errors(many, 10, 2.0) == pytest.approx(expected, rel=1e-6)
    few = many.assign(degrees=9)
    assert family_errors(few, 1, 2.0) == pytest.approx(t.isf(norm.sf(2.0), 9))


@pytest.mark.slow
def test_exact_models_are_denied_at_the_stated_level():
    """Ten temperatures with nothing left, each a measurement: "not found" hardly ever, as far as errors are right."""
    rng = np.random.default_rng(1)
    count = 400
    denied = 0
    for _ in range(count):
        lines = [readings(exact(BOUND * 0.99 + rng.normal() * 0.01), temperature=1.0 + k) for k in range(10)]
        found = decide_mean_field(pd.concat(lines, ignore_index=True), gains(*[GAIN] * 10), THRESHOLDS)
        denied += found.answer == NOT_FOUND
    # At most 5 % and two errors of a binomial count.
    assert denied <= count * 0.05 + 2 * np.sqrt(count * 0.05)


def test_a_single_condition_can_speak_against_a_description_but_not_for_it():
    lines = [readings(exact(0.0), temperature=1.0), readings(exact(0.5), temperature=2.0)]
    found = decide_mean_field(pd.concat(lines, ignore_index=True), gains(40.0, 5.0), THRESHOLDS)
    assert found.answer == NOT_FOUND
    whole, single = found.evidence.to_dict("records")
    assert whole["temperature"] == POOLED
    assert (single["temperature"], single["holds"]) == (2.0, False)
    # The same is left of more: within the tolerance there, and open whether it is everywhere.
    lines = [readings(exact(0.0), temperature=1.0), readings(exact(0.1, 0.05), temperature=2.0)]
    found = decide_mean_field(pd.concat(lines, ignore_index=True), gains(40.0, 5.0), THRESHOLDS)
    assert found.answer == FOUND
    assert found.evidence.holds.tolist() == [True, None]


def test_a_condition_with_hardly_any_correlations_decides_nothing():
    lines = [readings(exact(0.0), temperature=1.0), readings(exact(0.05, 0.001), temperature=2.0)]
    found = decide_mean_field(pd.concat(lines, ignore_index=True), gains(40.0, 0.1), THRESHOLDS)
    assert found.answer == FOUND
    assert found.left.tolerance[1] == pytest.approx(found.left.tolerance[2])


def test_deviations_of_independent_conditions_average_out():
    lines = [readings(pairs(0.0, 0.05), temperature=1.0 + k) for k in range(16)]
    left = left_intervals(pd.concat(lines, ignore_index=True), gains(*[GAIN] * 16), THRESHOLDS)
    single, whole = left.iloc[0], left.iloc[-1]
    assert whole.upper == pytest.approx(single.upper / 4)
    assert whole.rows == 16 * ROWS


def test_as_many_rows_are_named_as_bring_the_upper_end_within_the_tolerance():
    left = decide_mean_field(readings(pairs(0.0, 0.1)), gains(GAIN), THRESHOLDS).left
    needed = rows_to_decide(left)
    assert needed == pytest.approx(ROWS * 0.2 / BOUND)
    # The error of pairs falls as 1 / rows.
    after = readings(pairs(0.0, 0.1 * ROWS / (1.01 * needed)))
    assert decide_mean_field(after, gains(GAIN), THRESHOLDS).answer == FOUND
    verdict = decide_mean_field(readings(pairs(0.0, 0.1)), gains(GAIN), THRESHOLDS)
    assert verdict.remarks[-1].subject == Subject.ROWS
    assert f"{needed:,.0f} rows" in verdict.remarks[-1].text


def test_no_rows_are_named_where_another_model_sets_the_upper_end():
    verdict = decide_mean_field(readings(pairs(0.0), lead(0.2, 0.02, kind="latent model")), gains(GAIN), THRESHOLDS)
    assert verdict.answer == NOT_DECIDED
    assert rows_to_decide(verdict.left) == np.inf
    assert not any(remark.subject == Subject.ROWS for remark in verdict.remarks)


def capacity_table(rates, information=0.5, cut="half") -> pd.DataFrame:
    rates = np.array(rates, dtype=float)
    information = np.broadcast_to(information, rates.shape)
    table = pd.DataFrame(
        {
            "temperature": [1.0 + k for k in range(len(rates))],
            "rate": rates,
            "rate_error": 0.01,
            "information": information,
            "information_error": 0.0,
            "cut": np.where(np.isnan(information), None, cut),
            "field": 2.0,
            "useful_rate": rates - 0.01,
            "excess_kl": 0.01,
        }
    )
    return table.assign(satisfied=(rates >= information - 0.02).astype(object))


@pytest.mark.parametrize(
    ("rate", "information", "cut", "expected"),
    [
        (1.0, 0.5, "half", FOUND),
        (0.1, 0.5, "half", NOT_FOUND),
        (0.1, 0.5, "sublattice", NOT_FOUND),
        # An estimate is no bound.
        (0.1, 0.5, "sampled_half", FOUND),
        (0.1, 0.5, "area_law_half", FOUND),
        (0.1, np.nan, "half", FOUND),
    ],
)
def test_only_information_that_is_exactly_known_speaks_against_a_rate(rate, information, cut, expected):
    capacity = capacity_table([rate], information, cut)
    found = decide_mean_field(readings(exact(0.0)), gains(GAIN), THRESHOLDS, None, capacity)
    assert found.answer == expected


def correlation_table(count: int, *, known: bool, decided: bool = True, agrees: bool = True) -> pd.DataFrame:
    identity = 0.05 if known else np.nan
    return pd.DataFrame(
        {
            "temperature": [1.0 + k for k in range(count)],
            "test": 0.05,
            "test_error": 0.01,
            "identity": identity,
            "identity_error": 0.01 if known else np.nan,
            "bracket": 0.0 if known else np.nan,
            "divergence": 0.05,
            "divergence_error": 0.01,
            "floor": 0.05,
            "correlation_per_site": 0.0005,
            "decided": decided,
            "samples_needed": np.nan if decided else 5000.0,
            "agrees": agrees if known else np.nan,
            "source": "identity" if known else "critic",
        }
    )


def test_what_is_missing_is_said_with_the_reason():
    correlation = correlation_table(2, known=False, decided=False)
    lines = pd.concat([readings(pairs(0.0)), readings(pairs(0.0), temperature=2.0)], ignore_index=True)
    remarks = decide_mean_field(
        lines, gains(GAIN, GAIN), THRESHOLDS, correlation, capacity_table([1, 1], np.nan)
    ).remarks
    assert [remark.subject for remark in remarks] == [Subject.PARTITION_FUNCTION, Subject.SAMPLES, Subject.CUTS]
    said = " ".join(remark.text for remark in remarks)
    assert "ln Z is not known" in said
    assert "about 5,000 to learn from at every temperature" in said
    assert "No cut whose information is exactly known" in said


def test_a_critic_of_unknown_error_is_named():
    correlation = correlation_table(1, known=False, decided=False).assign(samples_needed=np.nan)
    remarks = decide_mean_field(readings(pairs(0.0)), gains(GAIN), THRESHOLDS, correlation).remarks
    assert [remark.subject for remark in remarks] == [Subject.PARTITION_FUNCTION, Subject.SAMPLES]
    assert "The error of the critic is not known" in remarks[1].text


def sensitivity(*lines: tuple[int, float, float]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["order", "planted", "floor"]).assign(temperature=1.0)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(2, 0.2, 0.03)], "the critic may miss 0.03 of 0.2 nats of order 2."),
        (
            [(2, 0.2, np.nan), (2, 1.0, 0.1), (3, 0.2, 0.14), (5, 0.2, np.nan), (5, 0.8, np.nan)],
            "the critic may miss 0.1 of 1 nats of order 2, 0.14 of 0.2 nats of order 3; the critic is blind to order 5 "
            "(0.8 nats went unseen) and may miss any amount.",
        ),
        (
            [(2, 1.0, np.nan)],
            "the critic is blind to order 2 (1 nats went unseen) and may miss any amount.",
        ),
    ],
)
def test_a_critic_says_to_which_correlations_it_is_blind(lines, expected):
    verdict = decide_mean_field(readings(pairs(0.0)), gains(GAIN), THRESHOLDS, sensitivity=sensitivity(*lines))
    (remark,) = verdict.remarks
    assert remark.subject == Subject.BLINDNESS
    assert remark.text == f"Of correlations planted in products of neighbours, {expected}"


@pytest.mark.parametrize(("satisfied", "holds"), [([True, np.nan], None), ([False, np.nan], False), ([True], True)])
def test_a_rate_of_unknown_error_satisfies_nothing(satisfied, holds):
    capacity = capacity_table([1.0] * len(satisfied), 0.5).assign(satisfied=pd.Series(satisfied, dtype=object))
    found = decide_mean_field(readings(pairs(0.0)), gains(GAIN), THRESHOLDS, capacity=capacity)
    assert found.evidence.holds.tolist()[-1] is holds


def test_the_reading_of_a_critic_is_its_bound_on_the_divergence():
    """Faults of an encoder add to C(x|z) and are not left by the model, and an unknown error sets no end."""
    table = correlation_table(1, known=False).assign(test=0.5, divergence=0.07, divergence_error=0.01)
    (line,) = correlation_readings(table, blocks=20).to_dict("records")
    assert (line["kind"], line["value"], line["error"], line["degrees"]) == ("critic", 0.07, 0.01, 19.0)
    unknown = correlation_readings(table.assign(divergence=9.0, divergence_error=np.nan), blocks=1)
    left = decide_mean_field(pd.concat([readings(pairs(0.0)), unknown]), gains(GAIN), THRESHOLDS).left
    assert left.least.item() == left.most.item() == "order 2"


def test_a_critic_that_disagrees_with_the_identity_is_named():
    correlation = correlation_table(1, known=True, agrees=False)
    (remark,) = decide_mean_field(readings(exact(0.0)), gains(GAIN), THRESHOLDS, correlation).remarks
    assert "disagrees with the exact identity at T = 1;" in remark.text
    assert remark.subject == Subject.DISAGREEMENT


@pytest.mark.parametrize("known", [True, False])
def test_the_report_tells_a_person_and_the_json_a_program(known):
    lines = [readings(exact(0.0), temperature=1.0), readings(exact(3.0), temperature=2.0)]
    tables = {
        "readings": pd.concat(lines, ignore_index=True),
        "gains": gains(GAIN, GAIN),
        "conditional_correlation": correlation_table(2, known=known),
        "capacity": capacity_table([1.0, 1.0]),
    }
    verdict = decide_mean_field(
        tables["readings"], tables["gains"], THRESHOLDS, tables["conditional_correlation"], tables["capacity"]
    )
    found = Assessment(verdict, tables | {"left": verdict.left})
    text, content = as_markdown("hopfield", found), json.loads(as_json(found))
    assert text.startswith("# hopfield: not found\n")
    # A bar of C(x|z) must not end a cell: every line of a table has as many of them as its head.
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({line.replace("\\|", "").count("|") for line in block}) == 1 for block in blocks)
    assert all(remark.text in text for remark in verdict.remarks)
    assert content["mean_field_description"] == "not found"
    assert [row["holds"] for row in content["evidence"]] == [False, False, True]
    assert content["evidence"][1]["lower"] == pytest.approx(verdict.left.lower[1])


def test_the_upper_end_of_the_best_model_of_a_kind_leaves_out_the_cost_of_estimation():
    lines = readings(pairs(0.02, 0.001, estimation=0.03), higher(0.0))
    (left,) = left_intervals(lines, gains(GAIN), THRESHOLDS).itertuples()
    assert left.upper - left.upper_best == pytest.approx(0.03)
    both = pd.concat([lines, lines.assign(temperature=2.0)])
    whole = left_intervals(both, gains(GAIN, GAIN), THRESHOLDS).iloc[-1]
    assert whole.lower <= whole.centre <= whole.upper_best <= whole.upper
