"""The number of a process of a distributed run: that of Lightning, without it."""

import pytest
from lightning_fabric.utilities.rank_zero import _get_rank

from vae_mf.runs.sweeps import NUMBERS, process_number


@pytest.mark.parametrize("first", range(len(NUMBERS) + 1))
def test_processes_are_numbered_as_by_lightning(first, monkeypatch):
    for name in NUMBERS:
        monkeypatch.delenv(name, raising=False)
    for number, name in enumerate(NUMBERS[first:], 3):
        monkeypatch.setenv(name, str(number))
    assert process_number() == (_get_rank() or 0) == (3 if NUMBERS[first:] else 0)
