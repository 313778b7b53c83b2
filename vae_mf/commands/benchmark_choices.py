"""Names that an option of a benchmark chooses, and the command that gives the same options again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from shlex import join, quote
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import ListConfig

from vae_mf.checks import shown
from vae_mf.commands.arguments import parse

NEAR = 3
"""Names that are told of those that may have been meant."""
PLACES = ("benchmark", "folder", "page", "paths.outputs", "again", "processes")
"""Options that say where a benchmark is run, how, or which, and not what is asked."""


def chosen_names(option: str, chosen: Any, known: Iterable[str], sets: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names that an option chooses, each once; the name of a set stands for all that are in it.

    >>> chosen_names("cases", ["all", "b"], ["a", "b"], {"all": ["b", "a"]})
    ['b', 'a']

    Raises:
        ValueError: unless it is a name or a list of names, at least one, and there is each of them.
    """
    known = list(known)
    given = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(given, list | ListConfig) or not all(isinstance(each, str) for each in given):
        raise ValueError(f"{option}: expected {in_words(known, sets)}, got {shown(chosen)}")
    if not given:
        raise ValueError(f"{option}: expected {in_words(known, sets)}, got none")
    for name in given:
        if name not in sets and name not in known:
            raise ValueError(
                f"{option}: expected {in_words(known, sets)}, got {shown(name)}{meant(option, name, known)}"
            )
    return list(dict.fromkeys(name for each in given for name in sets.get(each, [each])))


def in_words(known: list[str], sets: Mapping[str, Iterable[str]]) -> str:
    """Return what an option may be, in words.

    >>> in_words(["a", "b"], {"all": "ab"})
    'all, or a list of some of 2 names'
    """
    return f"{', '.join([*sets, ''])}{'or ' if sets else ''}a list of some of {len(known)} names"


def meant(option: str, name: str, known: list[str]) -> str:
    """Return the end of a sentence about a name that there is not: the nearest ones as they are typed, or all.

    >>> print(meant("cases", "quint", ["4 planted quintuples", "a, b"]))
    ; did you mean 'cases=4 planted quintuples'?
    >>> print(meant("cases", "nope", ["a, b", "c"]))
    ; they are "a, b", "c"
    """
    holding = [each for each in known if name and name.lower() in each.lower()]
    near = (holding or get_close_matches(name, known, NEAR))[:NEAR]
    if near:
        return f"; did you mean {' or '.join(quote(assigned(option, each)) for each in near)}?"
    return "; they are " + ", ".join(f'"{each}"' for each in known)


def assigned(option: str, value: Any) -> str:
    """Return an assignment of a plain value in the grammar of Hydra.

    >>> print(assigned("cases", ["a, b", "c d", "1"]), assigned("time_limit", None), assigned("again", True))
    cases=["a, b",c d,"1"] time_limit=null again=true
    """
    return f"{option}={spelled_value(value)}"


def spelled_value(value: Any) -> str:
    """Return a plain value in the grammar of Hydra, a text in quotation marks where that would read another."""
    if isinstance(value, list):
        return f"[{','.join(map(spelled_value, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}: {spelled_value(each)}' for key, each in value.items())}}}"
    if not isinstance(value, str):
        return json.dumps(value)
    read = parse(f"name=[{value}]")
    return value if read is not None and read.value() == [value] else QuotedString(value, Quote.double).with_quotes()


def command_line(benchmark: str, typed: Sequence[str], stated: Mapping[str, Any], folders: Sequence[str] = ()) -> str:
    """Return the command that asks the same of a benchmark again, as a shell reads it.

    >>> command_line("verdicts", ["benchmark=verdicts", "seed=2", "page=p.md"], {"cases": ["a"], "seed": 1})
    "vae-mf benchmark verdicts seed=2 'cases=[a]'"

    Args:
        benchmark: name of the benchmark.
        typed: options as they were given, in the grammar of Hydra; those of places are left out.
        stated: values that are told even if they were not given, as another version may have others.
        folders: folders of configurations of one's own.
    """
    kept = [each for each in typed if each.lstrip("+~").partition("=")[0] not in PLACES]
    names = {each.partition("=")[0] for each in kept}
    more = [assigned(name, value) for name, value in stated.items() if name not in names]
    own = [word for folder in folders for word in ("--config-dir", folder)]
    return join(["vae-mf", "benchmark", benchmark, *kept, *more, *own])
