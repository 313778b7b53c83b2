"""The answer about a data set says what tests, models and the verdict say together."""

import shlex

import numpy as np
import pandas as pd
import pytest

from vae_mf.commands.arguments import read_arguments
from vae_mf.commands.mistakes import understood
from vae_mf.commands.table import COMMANDS
from vae_mf.density_models.comparison import ModelScores
from vae_mf.discovery.decision import MORE_LATENTS, NOTHING, decide, lead_readings
from vae_mf.discovery.model_selection import Description
from vae_mf.discovery.sentences import couplings_command
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.statistics.averages import Average
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.assessment import Assessment, AssessmentSettings, concluded, with_misfit
from vae_mf.verdict.controls import REFIT, SHIFTED
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, Remark, Subject, Verdict
from vae_mf.verdict.independence import Independence, StrongestSet
from vae_mf.verdict.readings import reading

SETTINGS = discovery_settings(*discovery_config()).independence
NONE, ONE, SIX_CLASSES = Description(0, 0), Description(1, 0), Description(0, 6)
GAIN = [Average(1.0, 0.1)]
NO_GAIN = [Average(0.3, 0.1)]


def independence(pairs=0.0, local=None, triples=0.0, drift=1.0, time=1.0, rows=10_000) -> Independence:
    """Test whose estimates have a null error of 1."""
    local = pairs if local is None else local
    return Independence(
        Estimate(pairs, 1.0, 1.0),
        Estimate(local, 1.0, 1.0),
        {3: Estimate(triples, 1.0, 1.0)},
        drift,
        time,
        rows,
        SETTINGS,
    )


def verdict(answer: str) -> Verdict:
    remarks = [Remark(Subject.PARTITION_FUNCTION, "of course"), Remark(Subject.ROWS, "a remark")]
    return Verdict(answer, pd.DataFrame(), remarks, pd.DataFrame({"tolerance": [1.0]}))


@pytest.mark.parametrize(
    ("alone", "nats", "answer"), [(True, 0.1, NOT_DECIDED), (False, 0.1, FOUND), (True, 0.01, FOUND)]
)
def test_a_set_apart_from_all_others_is_no_collective_variable(alone, nats, answer):
    """Classes can cover a product of three variables that nothing else follows."""
    seen = StrongestSet([0, 1, 2], alone, nats, score=20.0, p_value=1e-9, detectable=0.003)
    found = verdict(FOUND)._replace(left=pd.DataFrame({"tolerance": [0.02]}))
    decided = decide(independence(9.0)._replace(sets={3: seen}), NO_GAIN, ONE, found)
    assert decided.answer == answer
    assert ("set of 3 variables" in " ".join(decided.remarks)) == (answer == NOT_DECIDED)


def test_variables_that_look_independent_to_tests_and_models_are_nothing_to_find():
    assert decide(independence(3.9, triples=4.9), NO_GAIN, NONE, None).answer == NOTHING
    # A description that gains nothing beyond doubt is none.
    assert decide(independence(), NO_GAIN, ONE, verdict(FOUND)).answer == NOTHING


@pytest.mark.parametrize("test", [independence(4.1), independence(triples=5.1)], ids=["pairs", "triples"])
def test_what_is_seen_at_any_order_is_not_nothing(test):
    assert decide(test, NO_GAIN, NONE, None).answer == NOT_FOUND
    assert decide(test, NO_GAIN, ONE, verdict(FOUND)).answer == FOUND


def control(name: str, *, passed: bool, overstated: bool, coarse: bool = False) -> pd.DataFrame:
    line = {"control": name, "known": 0.0, "value": 0.1, "error": 0.01, "passed": passed, "overstated": overstated}
    return pd.DataFrame([line | {"coarse": coarse}])


@pytest.mark.parametrize(
    ("name", "overstated", "found", "not_found"),
    [
        ("rows of the latent model", False, NOT_DECIDED, NOT_FOUND),
        ("rows of the latent model", True, NOT_DECIDED, NOT_DECIDED),
        ("rows of the pairwise model", True, NOT_DECIDED, NOT_DECIDED),
        # What these show too much is taken off the readings instead.
        (SHIFTED, True, FOUND, NOT_FOUND),
        (SHIFTED, False, NOT_DECIDED, NOT_FOUND),
        (REFIT, True, FOUND, NOT_FOUND),
    ],
)
def test_a_failed_control_takes_an_answer_back(name, overstated, found, not_found):
    failed = control(name, passed=False, overstated=overstated)
    for answer, expected in ((FOUND, found), (NOT_FOUND, not_found), (NOT_DECIDED, NOT_DECIDED)):
        decision = decide(independence(10.0), GAIN, ONE, verdict(answer), failed)
        assert decision.answer == expected
        said = f"A control failed, by {name}: 0.1 ± 0.01 nats were read where 0 are known."
        assert (said in decision.remarks) == (answer != expected)
    if not overstated:
        coarse = decide(
            independence(10.0), GAIN, ONE, verdict(FOUND), control(name, passed=False, overstated=False, coarse=True)
        )
        assert coarse.answer == found
    passed = control(name, passed=True, overstated=False)
    assert decide(independence(10.0), GAIN, ONE, verdict(FOUND), passed).answer == FOUND


def taken_off(found: Assessment, misfit: dict[str, float], settings: AssessmentSettings) -> Assessment:
    return concluded(found.tables | {"readings": with_misfit(found.tables["readings"], misfit)}, settings)


def test_what_controls_show_too_much_is_taken_off_the_lower_end_alone():
    settings = discovery_settings(*discovery_config()).assessment
    read = reading("order 2", "pairs", Estimate(1.2, 0.0, 0.0)) | {"temperature": 1.0}
    gains = {"temperature": 1.0, "gain": 5.0, "gain_error": 0.1, "rows": 1000, "sites": 100, "most": np.inf}
    before = concluded({"readings": pd.DataFrame([read]), "gains": pd.DataFrame([gains])}, settings)
    after = taken_off(before, {"pairs": 0.3, "direct dependence": 9.0}, settings)
    twice = taken_off(after, {"pairs": 0.2}, settings)
    assert [each.verdict.left.lower[0] for each in (before, after, twice)] == pytest.approx([1.0, 0.7, 0.5])
    assert {each.verdict.left.upper[0] for each in (before, after, twice)} == {1.5}
    # A control below zero raises nothing.
    assert taken_off(before, {"pairs": -1.0}, settings).verdict.left.lower[0] == pytest.approx(1.0)


def test_classes_that_go_on_to_gain_are_not_found():
    """A circle is covered by many classes, the better the more there are."""
    found = decide(independence(10.0), GAIN, SIX_CLASSES, verdict(FOUND), saturated=False)
    assert found.answer == NOT_DECIDED
    assert "rows may vary continuously" in found.remarks[0]
    assert decide(independence(10.0), GAIN, SIX_CLASSES, verdict(FOUND)).answer == FOUND
    assert decide(independence(10.0), GAIN, SIX_CLASSES, verdict(NOT_FOUND), saturated=False).answer == NOT_FOUND
    assert decide(independence(10.0), GAIN, ONE, verdict(FOUND), saturated=False).answer == FOUND


def test_that_more_latent_variables_might_explain_the_rest_is_said():
    found = decide(independence(10.0), GAIN, ONE, verdict(NOT_FOUND), saturated=False)
    assert found.unsaturated
    assert MORE_LATENTS in found.remarks
    known = decide(independence(10.0), GAIN, ONE, verdict(NOT_FOUND))
    assert (known.answer, known.unsaturated) == (NOT_FOUND, False)
    assert MORE_LATENTS not in known.remarks


def test_a_model_that_is_far_ahead_is_not_nothing_either():
    assert decide(independence(), GAIN, NONE, None).answer == NOT_DECIDED
    assert decide(independence(), GAIN, ONE, verdict(FOUND)).answer == FOUND


@pytest.mark.parametrize("said", [FOUND, NOT_FOUND, NOT_DECIDED])
@pytest.mark.parametrize("description", [ONE, SIX_CLASSES], ids=["latents", "classes"])
def test_the_verdict_decides_on_a_description(said, description):
    found = decide(independence(100.0), GAIN, description, verdict(said))
    assert (found.answer, found.remarks) == (said, ["a remark"])


def test_rates_that_drift_and_nothing_else_are_no_collective_variable():
    found = decide(independence(100.0, local=3.0, drift=1e-6), GAIN, ONE, verdict(FOUND))
    assert (found.answer, found.drift, found.drift_alone) == (NOTHING, True, True)
    # With correlations within windows, or of triples, there is more than drift.
    for test in (independence(100.0, local=50.0, drift=1e-6), independence(100.0, 3.0, triples=6.0, drift=1e-6)):
        found = decide(test, GAIN, ONE, verdict(FOUND))
        assert (found.answer, found.drift, found.drift_alone) == (FOUND, True, False)


def test_slow_memory_is_no_drift():
    assert independence(100.0, local=3.0, drift=1e-6, time=1.0).drifts
    assert not independence(100.0, local=3.0, drift=1e-6, time=100.0).drifts


def test_latent_variables_that_follow_the_rows_are_named():
    found = decide(independence(100.0), GAIN, ONE, verdict(FOUND), latents_drift=True)
    assert (found.drift, found.latents_drift) == (True, True)


def test_few_effective_rows_decide_nothing():
    few = independence(100.0, time=100.0, rows=10_000)
    found = decide(few, GAIN, ONE, verdict(FOUND))
    assert found.answer == NOT_DECIDED
    assert "only 100 independent ones in effect; at least 200 are needed" in found.remarks[0]
    nothing = decide(independence(0.0, triples=9.0, time=100.0, rows=10_000), NO_GAIN, NONE, None)
    assert nothing.answer == NOTHING
    assert nothing.remarks


def test_latent_variables_of_few_variables_are_groups():
    test = independence(100.0)
    found = decide(test, GAIN, ONE, verdict(FOUND), groups=1)
    assert (found.answer, found.groups, found.remarks) == (NOT_FOUND, 1, ["a remark"])
    two = Description(2, 0)
    # Beside a collective variable a group is named, and takes nothing back.
    found = decide(test, GAIN, two, verdict(FOUND), groups=1)
    assert (found.answer, found.groups, found.remarks) == (FOUND, 1, ["a remark"])
    assert decide(test, GAIN, two, verdict(FOUND), groups=2).answer == NOT_FOUND
    assert decide(test, GAIN, two, verdict(NOT_FOUND), groups=2).groups == 0
    assert decide(test, GAIN, two, verdict(FOUND)).groups == 0


def test_a_description_needs_a_verdict():
    with pytest.raises(ValueError, match="expected one on the description that was chosen, got none"):
        decide(independence(100.0), GAIN, ONE, None)


def test_leads_of_other_models_hold_the_error_of_their_partition_function():
    test = np.repeat([0.0, 0.2], 10)
    own, other, mixture = (
        ModelScores(name, name, 1, rows, rows, error, 0.0)
        for name, rows, error in (("VAE", 0 * test, 0.0), ("pairwise", test, 0.3), ("mixture", -test, 0.0))
    )
    table = lead_readings(own, [other], [mixture], blocks=4, temperature=1.0).set_index("reading")
    sampling = np.array([0.0, 0.0, 0.2, 0.2] * 2).std(ddof=1) / np.sqrt(8)
    assert table.value["lead of pairwise"] == pytest.approx(0.1)
    assert table.error["lead of pairwise"] == pytest.approx(np.hypot(sampling, 0.3))
    assert table.kind["lead of mixture"] == "latent model"
    assert table.degrees.eq(7).all()


def test_the_command_for_the_couplings_is_one_that_is_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x=1 y.npy").touch()
    call = "vae-mf discover 'x=1 y.npy' quick=true order=time discovery.rows.blocks=9 dataset.variables=9 seed=2"
    name, *rest = shlex.split(couplings_command(call))[1:]
    assert rest == ["x=1 y.npy", "dataset.variables=9"]
    understood(COMMANDS[name], read_arguments(rest))
