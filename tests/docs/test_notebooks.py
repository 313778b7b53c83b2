"""The notebooks: what is stored is what they print today, small, and the same on another machine."""

import re
import sys

import nbformat
import pytest
from helpers import PROJECT_ROOT
from helpers.printed import alike, printed

sys.path.insert(0, str(PROJECT_ROOT / "scripts" / "site"))
import notebooks

LARGEST = 1_500_000
"""Bytes of all notebooks together."""
SLOW = {"recording", "four_systems", "spin_glasses"}
"""Notebooks that take longer than a few seconds."""
NOTEBOOKS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
    for path in notebooks.notebooks()
]


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_prints_what_is_stored(path):
    stored = list(notebooks.code_cells(nbformat.read(path, as_version=4)))
    fresh = list(notebooks.code_cells(notebooks.executed(path)))
    for before, now in zip(stored, fresh, strict=True):
        assert alike(printed(before), printed(now)), before.source


@pytest.mark.parametrize("path", notebooks.notebooks(), ids=lambda path: path.stem)
def test_a_notebook_installs_first_and_holds_its_outputs(path):
    cells = list(notebooks.code_cells(nbformat.read(path, as_version=4)))
    assert "%pip install" in cells[0].source
    assert not cells[0].outputs
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(
        "image/png" in output.get("data", {}) or "<iframe" in str(output) for cell in cells for output in cell.outputs
    )
    assert not re.search(r"/(home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_notebooks_are_small_and_listed():
    assert sum(path.stat().st_size for path in notebooks.notebooks()) < LARGEST
    listed = (notebooks.FOLDER / "index.md").read_text(encoding="utf-8").split()
    assert {path.stem for path in notebooks.notebooks()} <= set(listed)


@pytest.mark.parametrize(
    ("stored", "fresh"), [("KL 1.00", "KL 2.00"), ("KL 1", "TC 1"), ("", "KL 1"), ("1 2", "1 2 3")]
)
def test_a_stale_output_is_seen(stored, fresh):
    assert not alike(stored, fresh)
    assert alike(fresh, fresh.replace("1", "1.01"))
