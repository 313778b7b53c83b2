"""The answer follows from its evidence: one violation decides against, doubt decides nothing, and all is said."""

import json

import numpy as np
import pandas as pd
import pytest

from vae_mf.verdict.assessment import Assessment
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, Subject, decide_mean_field
from vae_mf.verdict.report import as_json, as_markdown

SITES, TOLERANCE = 100, 0.002
BOUND = SITES * TOLERANCE


def correlation_table(values, error=0.01, *, exact=True, floor=0.05, decided=True, bracket=0.0) -> pd.DataFrame:
    temperatures = [0.5 + 0.5 * k for k in range(len(values))]
    return pd.DataFrame(
        {
            "temperature": temperatures,
            "test": values,
            "test_error": error,
            "identity": values if exact else np.nan,
            "identity_error": error if exact else np.nan,
            "bracket": bracket if exact else np.nan,
            "floor": floor,
            "decided": decided,
            "samples_needed": np.nan if decided else 5000.0,
            "agrees": True if exact else np.nan,
            "correlation": values,
            "correlation_error": error,
            "correlation_per_site": np.array(values) / SITES,
            "source": "identity" if exact else "critic",
        }
    )


def capacity_table(rates, information=0.5) -> pd.DataFrame:
    rates = np.array(rates, dtype=float)
    information = np.broadcast_to(information, rates.shape)
    table = pd.DataFrame(
        {
            "temperature": [0.5 + 0.5 * k for k in range(len(rates))],
            "sites": SITES,
            "rate": rates,
            "rate_error": 0.01,
            "useful_rate": rates - 0.01,
            "excess_kl": 0.01,
            "information": information,
            "information_error": 0.0,
            "cut": "half",
            "field": 2.0,
        }
    )
    table["satisfied"] = (rates >= information - 0.02).astype(object)
    return table


@pytest.mark.parametrize(
    ("correlation", "capacity", "answer"),
    [
        (correlation_table([0.05, 0.1]), capacity_table([1.0, 1.0]), FOUND),
        (correlation_table([0.05, 3.0]), capacity_table([1.0, 1.0]), NOT_FOUND),
        (correlation_table([0.05, 0.1]), capacity_table([1.0, 0.1]), NOT_FOUND),
        (correlation_table([0.05, BOUND + 0.015]), capacity_table([1.0, 1.0]), FOUND),
        (correlation_table([0.05, BOUND + 0.025]), capacity_table([1.0, 1.0]), NOT_FOUND),
        (correlation_table([0.05, BOUND + 0.025], bracket=0.1), capacity_table([1.0, 1.0]), NOT_DECIDED),
        (correlation_table([0.05, 0.1], exact=False), capacity_table([1.0, 1.0]), FOUND),
        (correlation_table([0.05, 0.1], exact=False, floor=0.15), capacity_table([1.0, 1.0]), NOT_DECIDED),
        (correlation_table([0.05, 0.1], exact=False, decided=False), capacity_table([1.0, 1.0]), NOT_DECIDED),
        (correlation_table([0.05, 3.0], exact=False, decided=False), capacity_table([1.0, 1.0]), NOT_FOUND),
        (correlation_table([0.05, 0.1]), capacity_table([1.0, 1.0], np.nan), FOUND),
    ],
)
def test_the_answer_follows_from_the_evidence(correlation, capacity, answer):
    assert decide_mean_field(correlation, capacity, TOLERANCE).answer == answer


def test_the_evidence_is_that_of_the_worst_temperature():
    verdict = decide_mean_field(correlation_table([0.05, 3.0, 0.1]), capacity_table([0.7, 2.0, 0.6]), TOLERANCE)
    first, second = verdict.evidence.to_dict("records")
    assert (first["temperature"], first["value"], first["holds"]) == (1.0, 3.0, False)
    assert first["bound"] == pytest.approx(BOUND)
    assert (second["temperature"], second["value"], second["bound"], second["holds"]) == (1.5, 0.6, 0.5, True)


def test_what_is_missing_is_said_with_the_reason():
    correlation = correlation_table([0.05, 0.1], exact=False, decided=False)
    remarks = decide_mean_field(correlation, capacity_table([1, 1], np.nan), TOLERANCE).remarks
    assert [remark.subject for remark in remarks] == [Subject.PARTITION_FUNCTION, Subject.SAMPLES, Subject.CUTS]
    said = " ".join(remark.text for remark in remarks)
    assert "ln Z is not known" in said
    assert "about 5,000 to learn from at every temperature" in said
    assert "No cut whose information is known" in said
    assert decide_mean_field(correlation_table([0.1]), capacity_table([1]), TOLERANCE).remarks == []


def test_a_critic_that_disagrees_with_the_identity_is_named():
    correlation = correlation_table([0.05, 0.1]).assign(agrees=[True, False])
    (remark,) = decide_mean_field(correlation, capacity_table([1, 1]), TOLERANCE).remarks
    assert "disagrees with the exact identity at T = 1;" in remark.text
    assert remark.subject == Subject.DISAGREEMENT


@pytest.mark.parametrize("exact", [True, False])
def test_the_report_tells_a_person_and_the_json_a_program(exact):
    correlation, capacity = correlation_table([0.05, 3.0], exact=exact), capacity_table([1.0, 1.0])
    verdict = decide_mean_field(correlation, capacity, TOLERANCE)
    found = Assessment(verdict, {"conditional_correlation": correlation, "capacity": capacity})
    text, content = as_markdown("hopfield", found), json.loads(as_json(found))
    assert text.startswith("# hopfield: not found\n")
    # A bar of C(x|z) must not end a cell: every line of a table has as many of them as its head.
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({line.replace("\\|", "").count("|") for line in block}) == 1 for block in blocks)
    assert all(remark.text in text for remark in verdict.remarks)
    assert "| 1 | 3 |" in text if exact else "| 1 | – |" in text
    assert content["mean_field_description"] == "not found"
    assert [row["holds"] for row in content["evidence"]] == [False, True]
    assert content["evidence"][0]["bound"] == pytest.approx(BOUND)
