"""Spelling of prose: no common mistake, and British words, in documents, docstrings, comments and configurations."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import codespell_lib
from helpers import PROJECT_ROOT
from helpers.documents import DOCUMENTS

TO_AMERICAN = Path(codespell_lib.__file__).with_name("data") / "dictionary_en-GB_to_en-US.txt"
BOTH = {"biased", "focused", "license", "program"}
"""Words of both spellings: British English spells programs of computers so, and licence is a key of CITATION.cff."""
PROSE = re.compile(r'(?m)^ *r?"""([\s\S]*?)"""|# (.*)')
CODE = re.compile(r"(?m)```[\s\S]*?```|``[\s\S]*?``|`[^`\n]*`|\"[^\"\n]*\"|^\s*(?:>>>|\.\.\.).*|\S*[/_.]\w\S*")
WORD = re.compile(r"[A-Za-z]+")


@cache
def british() -> dict[str, str]:
    """Return the British spelling of every American word that has another one."""
    pairs = (line.split("->") for line in TO_AMERICAN.read_text("utf-8").splitlines())
    found = {word.strip().lower(): own for own, others in pairs for word in others.split(",")}
    return {word: own for word, own in found.items() if word not in BOTH}


def american_words(prose: str) -> list[str]:
    """Return the American words of a text, its code left out."""
    return sorted({word.lower() for word in WORD.findall(CODE.sub(" ", prose))} & british().keys())


def prose_of(path: Path) -> str:
    """Return what people read in a file: documents as they are, of other files docstrings and comments."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    return "\n".join(docstring or comment for docstring, comment in PROSE.findall(text))


def test_no_word_is_misspelled():
    done = subprocess.run([sys.executable, "-m", "codespell_lib"], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_prose_is_in_british_english():
    files = [*DOCUMENTS, *(file for kind in ("vae_mf/**/*.py", "conf/**/*.yaml") for file in PROJECT_ROOT.glob(kind))]
    found = {str(file.relative_to(PROJECT_ROOT)): american_words(prose_of(file)) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


def test_american_words_are_seen(tmp_path):
    module = tmp_path / "planted.py"
    module.write_text(
        'def f(color):\n    """Return the Color of `neighbor`.\n\n    >>> center()\n    """  # optimize it\n'
    )
    assert american_words(prose_of(module)) == ["color", "optimize"]
    assert american_words("The normalised rows, e.g. `x.normalize()`.") == []
