"""Words of the shell as flags and assignments, and assignments in the grammar of Hydra."""

import os
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from vae_mf.runs.literal import literal

HELP = ("-h", "--help")
SWEEP = ("-m", "--multirun")
SHOW = ("-c", "--cfg", "-i", "--info", "--hydra-help")
"""Flags with which nothing is run."""
FLAGS = (
    *HELP,
    *SWEEP,
    *SHOW,
    "-r",
    "--run",
    "--resolve",
    "-p",
    "--package",
    "-cn",
    "--config-name",
    "-cd",
    "--config-dir",
)
VALUES = ("-c", "--cfg", "-p", "--package", "-cn", "--config-name", "-cd", "--config-dir")
"""Flags behind which a value comes; those of --info may follow or not."""
END = "--"
"""Word behind which nothing is a flag."""
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
ASSIGNMENT = re.compile(r"(~|\+{0,2})([^\W\d][\w./@:-]*)=(.*)", re.DOTALL)
DELETION = re.compile(r"~([^\W\d][\w.@:-]*(?:/[\w.@:-]+)*)")
PLACES = ("path", "file", "folder", "run", "truth", "report", "data", "outputs", "name")
"""Last parts of the names of options that are files, folders or their names: any character may stand in them."""
FUNCTION = re.compile(r"\w+\(.*\)", re.DOTALL)
"""A function of Hydra's grammar, such as range(1,4)."""
QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)
ITEMS = re.compile(r"""(?:'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|[^,])+""")
"""A piece of a list between commas, outside quotation marks."""


class Mistake(Exception):
    """Something mistyped: its text says what was expected, what came, and what may have been meant."""


class Assignment(NamedTuple):
    """One ``name=value`` of the command line; a value of None deletes the option."""

    sign: str
    name: str
    value: str | None

    def __str__(self) -> str:
        return f"{self.sign}{self.name}" + ("" if self.value is None else f"={self.value}")


class Arguments(NamedTuple):
    """Words behind the name of a command."""

    flags: list[str]
    assignments: list[Assignment]
    words: list[str]
    """Words that are neither."""
    typed: list[str]
    """Everything, as typed."""

    @property
    def sweep(self) -> bool:
        """True if every combination of the values is to be run."""
        return not set(SWEEP).isdisjoint(self.flags)

    @property
    def folders(self) -> list[Path]:
        """Folders of configurations of one's own, of -cd or --config-dir."""
        return [
            Path(value).absolute() for flag, value in pairwise(self.flags) if flag in ("-cd", "--config-dir") and value
        ]

    @property
    def search(self) -> tuple[Path, ...]:
        """Folders of configurations of one's own, those of hydra.searchpath first."""
        listed = (self.value_of("hydra.searchpath") or "").strip("[]")
        places = [item.strip("'\" ").removeprefix("file://") for item in listed.split(",") if item]
        return (*(Path(place).absolute() for place in places), *self.folders)

    @property
    def asks_for_help(self) -> bool:
        """True if the page of help is asked for."""
        return not set(HELP).isdisjoint(self.flags)

    @property
    def only_shows(self) -> bool:
        """True if nothing is to be run."""
        return not set(SHOW).isdisjoint(self.flags)

    def value_of(self, name: str | None) -> str | None:
        """Return the value that an option is given, None if it is given none."""
        given = [assignment.value for assignment in self.assignments if assignment.name == name]
        return given[-1] if given else None


def read_arguments(words: Iterable[str]) -> Arguments:
    """Sort the words behind the name of a command.

    >>> read_arguments(["-m", "seed=1,2", "~experiment", "spikes.npy"]).words
    ['spikes.npy']
    >>> read_arguments(["--config-dir=conf", "--", "-odd.npy"])[:3]
    (['--config-dir', 'conf'], [], ['-odd.npy'])
    """
    found = Arguments([], [], [], list(words))
    end = found.typed.index(END) if END in found.typed else len(found.typed)
    for word in found.typed[:end]:
        before = found.flags[-1] if found.flags else ""
        asked = before in VALUES or (before in ("-i", "--info") and word in INFO)
        if asked or (word.startswith("-") and not exists(word)):
            found.flags.extend(parted(word))
        else:
            sort(word, found)
    for word in found.typed[end + 1 :]:
        sort(word, found)
    return found


def parted(flag: str) -> list[str]:
    """Return a flag and its value, if it has one behind "=", as two words.

    >>> parted("--cfg=job"), parted("--quick=true")
    (['--cfg', 'job'], ['--quick=true'])
    """
    name, equals, value = flag.partition("=")
    return [name, value] if equals and name in (*VALUES, "-i", "--info") else [flag]


def sort(word: str, found: Arguments) -> None:
    """Add a word that is no flag to the assignments or to the words that are neither."""
    if match := ASSIGNMENT.fullmatch(word):
        found.assignments.append(Assignment(*match.groups()))
    elif (match := DELETION.fullmatch(word)) and not exists(word):
        found.assignments.append(Assignment("~", match[1], None))
    else:
        found.words.append(word)


def parse(text: str) -> Override | None:
    """Return an assignment as Hydra understands it, None if it does not."""
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        return None


def spelled(assignment: Assignment, *, sweep: bool, globs: bool) -> str:
    """Return an assignment in Hydra's grammar, in which whatever that would misread is quoted.

    Args:
        assignment: as typed; its value is not empty.
        sweep: True if commas part the values of a sweep.
        globs: True if the option is a list of names of files.
    """
    if assignment.value is None:
        return str(assignment)
    place = assignment.name.rpartition(".")[2] in PLACES
    value = list_of_files(assignment.value) if globs else file(assignment.value, sweep) if place else assignment.value
    text = str(assignment._replace(value=value))
    if parse(text) is not None:
        return text
    value = listed(value) if value.startswith("[") and value.endswith("]") else quoted(value)
    return str(assignment._replace(value=value))


def file(value: str, sweep: bool) -> str:
    """Return the name of a file, or of a sweep the names of several, so that Hydra reads them literally."""
    there = exists(value)
    if not there and (value == "null" or QUOTED.fullmatch(value) or (sweep and FUNCTION.fullmatch(value))):
        return value
    names = value.split(",") if sweep and not there else [value]
    return ",".join(read_as_is(name) for name in names)


def list_of_files(value: str) -> str:
    """Return a list of names of files, or a single one, as a list that Hydra reads literally."""
    if value.startswith("[") and value.endswith("]") and not exists(value):
        return listed(value)
    return f"[{read_as_is(value)}]"


def listed(value: str) -> str:
    """Return a list in which every item that Hydra would misread is quoted.

    >>> listed("[größe,2]")
    "['größe',2]"
    """
    items = (item.strip() for item in ITEMS.findall(value[1:-1]))
    return f"[{','.join(quoted(item) if parse(f'name={item}') is None else item for item in items)}]"


def read_as_is(name: str) -> str:
    """Return the name of a file so that it is read literally: in quotation marks where Hydra would misread it.

    >>> read_as_is("x.npy"), read_as_is("x=1 (2).npy")
    ('x.npy', "'x=1 (2).npy'")
    """
    text = str(at_home(name)) if name.startswith("~/") else name
    text = literal(text) if exists(name) else text
    read = parse(f"name={text}")
    return text if QUOTED.fullmatch(text) or (read is not None and read.value() == text) else quoted(text)


def exists(name: str) -> bool:
    """Return whether there is a file or folder of this name; of a text too long for a name there is none.

    >>> exists("cases=[" + 400 * "a" + "]")
    False
    """
    return os.path.exists(at_home(name))


def at_home(name: str) -> Path:
    """Return the path of a name, of which a leading "~/" is the folder of the user, if there is one."""
    return Path(os.path.expanduser(name) if name.startswith("~/") else name)


def quoted(text: str) -> str:
    """Return a text in quotation marks."""
    return QuotedString(text, Quote.single).with_quotes()
