"""House rules of code and prose that a syntax tree can tell.

`python tests/helpers/house_rules.py` lists the lines that break one; `... vae_mf/samplers` those of a room.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.architecture import DEFINITIONS, Source, called, sources

ROOT = Path(__file__).resolve().parents[2]
HEAD = re.compile(r"(What|Whether|How|Where|Which|Everything that)\b")
CLAUSE = re.compile(r"(What|Whether|How)\b")
DOCTEST = re.compile(r"(?m)^ *>>>.*(\n(?! *\n).*)*")
SENTENCES = re.compile(r"(?<=[.:])\s+|\n *\n")
PREPOSITION = re.compile(
    r"(of|per|by|for|from|in|to|with|without|among|at|on|into|between|behind|under|over|against)\b"
)
ENTRY = re.compile(r"( +)\*{0,2}(\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?: *(.*)")
SECTIONS = ("Args:", "Attributes:")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
RETIRED = {
    "block": "stretch stretches",
    "density model, baseline": "rival rivals contestant contestants",
    "opposite start": "witness witnesses",
    "predictive check": "likeness",
    "write": "tell tells told",
    "decide": "conclude concludes",
    "evaluate, evaluation": "judge judges judged judgement judgements",
    "recovered": "returning",
    "saturated": "levelled",
    "min_count": "rarest",
}
"""Words that no identifier holds any more, by the word that took their place."""
RETIRED_OF_DATA = {"variable": "cell cells", "row": "word words"}
"""Words that are retired where anybody's rows are meant; bits have words, and an analysis of spikes has cells."""
SYSTEMS = {
    "CurieWeiss",
    "EdwardsAnderson",
    "Hopfield",
    "Ising",
    "Ising2D",
    "KSat",
    "MaierSaupe",
    "SherringtonKirkpatrick",
}
DATA_ROOMS = ("vae_mf/datasets", "vae_mf/density_models", "vae_mf/discovery")
OF_FILES = ("vae_mf/datasets/readers/", "vae_mf/datasets/spike_times.py")
"""Readers speak the language of their files, where cells have spikes."""

WAYS = {
    "Console": ("vae_mf/runs/terminal.py",),
    "Text": ("vae_mf/runs/terminal.py",),
    "TextColumn": (),
    "print": ("vae_mf/runs/status.py", "vae_mf/commands/main.py"),
    "stderr": ("vae_mf/runs/status.py", "vae_mf/commands/main.py"),
    "escape": ("vae_mf/texts.py", "vae_mf/files.py", "vae_mf/discovery/report.py"),
    "glob": ("vae_mf/files.py",),
    "to_csv": ("vae_mf/tables.py",),
    "read_csv": ("vae_mf/tables.py", "vae_mf/datasets/readers/"),
}
"""Names of other libraries that lead to a medium or to files, and the modules that see to names from data there."""


class Place(NamedTuple):
    """Line of a module that breaks a rule, and its words."""

    line: int
    text: str


def packed_calls(source: Source) -> Iterator[Place]:
    """Assignments of a tuple that holds a call to a tuple of names: statements that only share a line."""
    for node in source.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            several = any(isinstance(target, ast.Tuple) and len(target.elts) > 1 for target in node.targets)
            if several and any(isinstance(part, ast.Call) for part in ast.walk(node.value)):
                yield Place(node.lineno, ast.unparse(node))


def clause_heads(source: Source) -> Iterator[Place]:
    """Heads of modules that are no noun phrase."""
    head = ast.get_docstring(source.tree) or ""
    if HEAD.match(head):
        yield Place(1, head.splitlines()[0])


def docstrings(source: Source) -> Iterator[tuple[int, str]]:
    """Lines and docstrings of a module and of its definitions."""
    for node in source.nodes:
        if isinstance(node, (ast.Module, *DEFINITIONS)) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def clause_sentences(source: Source) -> Iterator[Place]:
    """Sentences of docstrings that begin with a What-, Whether- or How-clause; a question is none."""
    for line, text in docstrings(source):
        for sentence in SENTENCES.split(DOCTEST.sub("", text)):
            if CLAUSE.match(sentence.strip()) and "?" not in sentence:
                yield Place(line, " ".join(sentence.split()))


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Names and first lines of the entries in the sections of arguments of a docstring."""
    inside, indent = False, ""
    for line in text.splitlines():
        if line.strip() in SECTIONS:
            inside, indent = True, ""
        elif line.strip() and not line.startswith(" "):
            inside = False
        elif inside and (match := ENTRY.fullmatch(line)):
            indent = indent or match[1]
            if match[1] == indent:
                yield match[2], match[3]


def dangling_entries(source: Source) -> Iterator[Place]:
    """Entries of arguments that begin with a bare preposition and so do not stand alone."""
    for line, text in docstrings(source):
        for name, words in entries(text):
            if PREPOSITION.match(words):
                yield Place(line, f"{name}: {words}")


def identifiers(source: Source) -> Iterator[tuple[int, str]]:
    """Lines and names of whatever a module defines, reads, imports or passes by name."""
    for node in source.nodes:
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(name := getattr(node, field, None), str):
                yield getattr(node, "lineno", 1), name


def retired_words(source: Source) -> Iterator[Place]:
    """Identifiers with a word that the glossary has retired."""
    of_data = source.room in DATA_ROOMS and not source.path.startswith(OF_FILES)
    retired = " ".join((RETIRED | (RETIRED_OF_DATA if of_data else {})).values()).split()
    for line, name in identifiers(source):
        if any(part.lower() in retired for part in PARTS.findall(name)):
            yield Place(line, name)


def system_classes(source: Source) -> Iterator[Place]:
    """Questions for the class of a system outside its own room, where its capabilities are to be asked for."""
    if source.room == "vae_mf/systems":
        return
    for node in source.nodes:
        asked = isinstance(node, ast.Call) and called(node) in ("isinstance", "issubclass")
        if asked and any(ast.unparse(part).rpartition(".")[2] in SYSTEMS for part in ast.walk(node.args[1])):
            yield Place(node.lineno, ast.unparse(node))


def guessed_attributes(source: Source) -> Iterator[Place]:
    """Attributes with a default: contracts that nobody has written down."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and called(node) == "getattr" and len(node.args) == 3:
            yield Place(node.lineno, ast.unparse(node))


def unguarded_ways(source: Source) -> Iterator[Place]:
    """Ways to a medium past the module that sees to names from data in it."""
    if not source.path.startswith("vae_mf/"):
        return
    own = {"read_csv"} if imports_from(source, "vae_mf.tables", "read_csv") else set()
    for node in source.nodes:
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        method = isinstance(node, ast.Attribute) and name in ("glob", "print")  # of a path, or of the one console
        if name in WAYS and name not in own and not method and not source.path.startswith(WAYS[name]):
            yield Place(node.lineno, ast.unparse(node))


def imports_from(source: Source, module: str, name: str) -> bool:
    """True if a module imports a name from another."""
    found = (node for node in source.nodes if isinstance(node, ast.ImportFrom) and node.module == module)
    return any(alias.name == name for node in found for alias in node.names)


def locale_encodings(source: Source) -> Iterator[Place]:
    """Text files in the encoding of the locale, which is another on other machines."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and not any(word.arg == "encoding" for word in node.keywords):
            name = called(node)
            bare = {"read_text": not node.args, "write_text": len(node.args) < 2, "open": opens_text(node)}
            if bare.get(name):
                yield Place(node.lineno, ast.unparse(node))


def opens_text(call: ast.Call) -> bool:
    """True for a call of open without a mode, or with one of text; of archives and pictures the mode is another."""
    of_path = isinstance(call.func, ast.Attribute)
    modes = [*call.args[0 if of_path else 1 :], *(word.value for word in call.keywords if word.arg == "mode")]
    if of_path and call.args and not isinstance(call.args[0], ast.Constant):
        return False
    return not any("b" in str(mode.value) for mode in modes if isinstance(mode, ast.Constant))


RULES: tuple[Callable[[Source], Iterator[Place]], ...] = (
    packed_calls,
    clause_heads,
    clause_sentences,
    dangling_entries,
    retired_words,
    system_classes,
    guessed_attributes,
    unguarded_ways,
    locale_encodings,
)


def broken(rule: Callable[[Source], Iterator[Place]], folder: Path) -> list[str]:
    """Lines below a folder of the project that break a rule."""
    return [f"{source.path}:{place.line}: {place.text}" for source in sources(folder) for place in rule(source)]


def main(rooms: list[str]) -> None:
    for rule in RULES:
        for line in broken(rule, ROOT / "vae_mf") + broken(rule, ROOT / "scripts"):
            if line.startswith(tuple(rooms) or ""):
                print(f"{rule.__name__}: {line}")


if __name__ == "__main__":
    main(sys.argv[1:])
