"""Training steps on a CUDA device that is not there: nothing waits, all is on the device, kernels are counted.

Every step runs on tensors without values (`helpers.device_record`), in one process of its own.
"""

import csv
from pathlib import Path

import pytest
import torch
from helpers.device_cases import MISTAKES, asked_of_device, cases

WRITTEN = Path(__file__).with_name("kernels.csv")
"""Kernels that every phase of a step launches, as `helpers.device_cases` counts them, so that a rise is noticed."""
MADE_WITH = "2.13"
"""Version of torch that these were counted with."""
NAMES = [name for name, _ in cases()]
STEPS = [name for name in NAMES if not name.startswith("mistake")]
FOUND_AS = {"read": "waits", "mask": "waits", "processor": "copies", "generator": "faults", "double": "doubles"}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """What every step asks of the device."""
    return asked_of_device(tmp_path_factory.mktemp("fake_cuda"), "steps")


@pytest.mark.parametrize("name", STEPS)
def test_a_step_waits_for_nothing_and_stays_on_the_device(records, name):
    found = records[name]
    assert [found[kind] for kind in ("waits", "faults", "copies", "doubles")] == [{}] * 4
    assert [found["validation"][kind] for kind in ("waits", "faults", "copies", "doubles")] == [{}] * 4


def test_a_step_that_is_prepared_to_be_recorded_keeps_to_the_device_and_to_its_memory(records):
    prepared = {name: records[name]["recorded"] for name in STEPS if "recorded" in records[name]}
    assert len(prepared) > 30
    clean = {kind: {} for kind in ("waits", "faults", "copies", "doubles")}
    assert prepared == dict.fromkeys(prepared, clean | {"strangers": 0, "prepared": clean})


@pytest.mark.skipif(not torch.__version__.startswith(MADE_WITH), reason=f"counted with torch {MADE_WITH}")
def test_kernels_of_a_step_are_those_that_are_written_down(records):
    with WRITTEN.open(newline="") as file:
        written = {row.pop("step"): {phase: int(count) for phase, count in row.items()} for row in csv.DictReader(file)}
    assert {name: records[name]["kernels"] for name in STEPS} == written


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(records, mistake):
    found = records[f"mistake: {mistake}"]
    if mistake == "anew":
        assert found["recorded"]["strangers"]
        return
    assert [kind for kind in ("waits", "faults", "copies", "doubles") if found[kind]] == [FOUND_AS[mistake]]
