"""Trained models and samplers on a CUDA device that is not there: nothing is on the wrong device.

It runs on tensors without values (`helpers.device_record`), in one process of its own.
"""

import pytest
from helpers.device_cases import EVALUATED, asked_of_device


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """What every reading of a model and every sampler asks of the device."""
    return asked_of_device(tmp_path_factory.mktemp("fake_cuda"), "evaluations")


@pytest.mark.parametrize("model", EVALUATED)
def test_a_device_would_refuse_nothing(records, model):
    found = {name: record for name, record in records.items() if name.startswith(f"{model}: ")}
    assert len(found) >= 10
    assert {name: record["faults"] for name, record in found.items() if record["faults"]} == {}


def test_steps_of_critics_wait_for_nothing(records):
    steps = {name: record["waits"] | record["doubles"] for name, record in records.items() if name.endswith(" step")}
    assert len(steps) == 12
    assert {name for name, waits in steps.items() if waits} == set()


def test_directors_and_latent_components_are_drawn_without_waiting(records):
    for model in ("hopfield_quick", "retina", "maier_saupe_quick"):
        assert records[f"{model}: generate"]["waits"] == {}


@pytest.mark.parametrize("name", ["hopfield", "multispin", "maier_saupe"])
def test_sweeps_of_samplers_wait_for_nothing(records, name):
    sweep, read = (records[f"{name} sampler: {what}"] for what in ("sweep", "read"))
    assert sweep["waits"] == sweep["faults"] == read["waits"] == read["faults"] == {}
    # Once in a call, for all of its sweeps: numbers that follow from the temperatures.
    assert all("samplers/base.py" in copy for copy in sweep["copies"])
    assert sum(sweep["copies"].values()) <= 3
    assert sum("samplers/base.py" not in copy for copy in read["copies"]) == 1


@pytest.mark.slow
def test_sweeps_of_samplers_are_one_graph_each(tmp_path):
    found = asked_of_device(tmp_path, "samplers")
    assert found == dict.fromkeys(found, True)
    assert len(found) == 5
