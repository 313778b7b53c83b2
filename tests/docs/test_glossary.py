"""Glossary: no term of a report, a table or a figure is missing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import PROJECT_ROOT

from vae_mf.datasets.splits import UNITS
from vae_mf.discovery.decision import NOTHING
from vae_mf.discovery.document import GLOSSARY
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND
from vae_mf.verdict.report import CAPACITY

PAGE = (PROJECT_ROOT / "docs" / "glossary.md").read_text("utf-8").replace("\\|", "|")
ENTRIES = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line.startswith("| ")]
PACKAGE = PROJECT_ROOT / "vae_mf"
SAYS = [
    *(PACKAGE / "discovery" / name for name in ("document.py", "sentences.py")),
    *sorted((PACKAGE / "verdict").glob("*.py")),
    *sorted((PACKAGE / "plotting").glob("*.py")),
]
"""Modules whose texts people read in reports and figures."""
SHORT = re.compile(r"\b[A-Z]{2,}[0-9]?\b|\b[A-Za-z](?:_[a-z])?\([A-Za-z]?[|;‖]? ?[A-Za-z]\)|\bFastICA\b|R²|R-hat|U₄|Δh")
"""Abbreviations and symbols of laws."""
LETTERS = {"CJK", "CM", "JP", "MS", "PDF", "PNG", "RGB", "SC"}
"""Parts of names of fonts and of Unicode, and of formats of pictures."""


def texts(path: Path) -> Iterator[str]:
    """Texts of a module that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def short_forms(path: Path) -> set[str]:
    """Abbreviations and symbols in the texts of a module."""
    return {form for text in texts(path) for form in SHORT.findall(text)} - LETTERS


@pytest.mark.parametrize("path", SAYS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_short_forms_are_explained(path):
    assert {form for form in short_forms(path) if form not in PAGE} == set()


def test_terms_of_reports_have_entries():
    answers = [FOUND, NOT_FOUND, NOT_DECIDED, NOTHING]
    lost = [term for term in (*GLOSSARY, *CAPACITY.values(), *answers, *UNITS) if not known(term)]
    assert lost == []


def known(term: str) -> bool:
    """True if an entry begins with a term, or names it after a comma."""
    term = re.sub(r" \(.*\)", "", term)
    return any(term.lower() in entry.lower() for entry in ENTRIES)


def test_a_lost_term_is_seen(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text('"""Not of XYZ."""\n\nLABEL = f"WXY and C(x|z) of {1}"\n', encoding="utf-8")
    assert short_forms(planted) == {"WXY", "C(x|z)"}
    assert not known("entanglement")
    assert known("total correlation (TC)")


def test_entries_are_told_once_and_say_where():
    assert len(set(ENTRIES)) == len(ENTRIES) - ENTRIES.count("term") + 1
    assert all(line.count(" | ") == 2 for line in PAGE.splitlines() if line.startswith("| "))
