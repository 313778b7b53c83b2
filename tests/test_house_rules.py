"""House rules of code and prose, each shown able to fail by a planted line."""

import pytest
from helpers import PROJECT_ROOT, house_rules
from helpers.architecture import Source, examples, sources

from vae_mf import systems

EXAMPLES = 660
"""Public functions and classes with a doctest; the number only rises."""


def arguments(entries: str) -> str:
    """A function whose docstring has these entries."""
    return f'def f():\n    """Mean.\n\n    Args:\n        {entries}\n\n    Returns:\n        One.\n    """'


PLANTS = {
    "packed_calls": ["a, b = f(x), g(y)", "a, (b, c) = 1, [f(x), 2]", "a, b = x, -f(y)"],
    "clause_heads": ['"""What every sampler offers."""', '"""Where a store lives."""'],
    "clause_sentences": [
        'def f():\n    """Energy.\n\n    How it is found: by hand."""',
        'class C:\n    """Chain: Whether it mixes."""',
        'def f(x):\n    """Energy.\n\n    >>> f(1)\n    2\n\n    What is left is zero.\n    """',
    ],
    "dangling_entries": [
        arguments("rows: per gradient step"),
        arguments("x, y (float): of the chosen"),
        arguments("a: number of rows,\n            in a step\n        b: among those left"),
    ],
    "retired_words": [
        "def find_rivals(): ...",
        "f(witnesses=3)",
        "x.has_levelled",
        "from a import b as toldOf",
        "cells = 1",
    ],
    "system_classes": [
        "isinstance(system, Hopfield)",
        "isinstance(self.system, CurieWeiss | Hopfield)",
        "issubclass(kind, (int, spin_glass.Ising))",
    ],
    "guessed_attributes": ["getattr(system, 'kind', 'spins')"],
    "unguarded_ways": [
        "Console()",
        "rich.console.Console()",
        "print(name)",
        "table.to_csv(path)",
        "pd.read_csv(path)",
        "html.escape(name)",
        "glob(folder)",
        "sys.stderr.write(name)",
    ],
    "locale_encodings": [
        "path.read_text()",
        "path.write_text(text)",
        "open(path)",
        "open(path, 'w')",
        "path.open('w')",
    ],
}
INNOCENT = '''"""Exact energies of a chain: what is known of it, in short.

>>> What = 1
"""

from vae_mf.tables import read_csv

a, b = 1, x
a, b = b, a
a, b = f(x)
a = f(x), g(y)
read_csv(path)
path.glob("*")
path.read_text("utf-8")
open(path, mode="rb")
path.open("wb")
Image.open(path)
for a, b in [(f(x), g(y))]:
    pass


def f(rows, shelled):
    """Is it found? What a question.

    Args:
        rows: number of rows,
            of the chosen
    Returns:
        rows: of the chosen
    """
'''


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_package_and_the_scripts_keep_the_rule(rule):
    found = house_rules.broken(rule, PROJECT_ROOT / "vae_mf") + house_rules.broken(rule, PROJECT_ROOT / "scripts")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_planted_line_breaks_the_rule(rule):
    for text in PLANTS[rule.__name__]:
        assert list(rule(Source("vae_mf/datasets/planted.py", text))), text


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.__name__)
def test_innocent_lines_break_no_rule(rule):
    assert not list(rule(Source("vae_mf/samplers/innocent.py", INNOCENT)))


def test_words_of_bits_are_no_words_of_data():
    text = "def fill_random_words(words): ..."
    assert not list(house_rules.retired_words(Source("vae_mf/samplers/kernels/random_bits.py", text)))
    assert list(house_rules.retired_words(Source("vae_mf/discovery/rows.py", text)))


def test_public_functions_show_examples():
    shown = [name for source in sources(PROJECT_ROOT / "vae_mf") for name in examples(source.tree)]
    assert len(shown) >= EXAMPLES
    assert examples(Source("", 'def f():\n    """One.\n\n    >>> f()  # doctest: +SKIP\n    """').tree) == []


def test_the_rule_knows_every_system():
    named = {name for name in systems.__all__ if hasattr(getattr(systems, name), "default_sampler")}
    assert named == house_rules.SYSTEMS
