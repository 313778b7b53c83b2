"""Answers to a name that there is not: its name of today, the nearest names, choices and commands that have it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from vae_mf.commands.arguments import Assignment, Mistake
from vae_mf.commands.options import Composition, compose
from vae_mf.commands.table import COMMANDS, Command
from vae_mf.runs.names import MOVED

SIMILAR = 0.65
REALLY_SIMILAR = 0.8
MANY = 8
RENAMED = {"splits": "split", "dataset.split.split": "split", "dataset.split": "split"} | {
    first: today for today, first in MOVED
}
"""Options of version 0.1 by their names of today."""
ABSENT = object()


def unknown_command(name: str) -> Mistake:
    """Return what to say of a command that there is not."""
    found = nearest(name.replace("_", "-"), COMMANDS)
    hint = f"; did you mean vae-mf {found[0]}?" if found else ""
    return Mistake(f"expected one of {', '.join(COMMANDS)}, got {name}{hint}")


def unknown_option(command: Command, assignment: Assignment, composition: Composition) -> Mistake:
    """Return what to say of an option that a command does not have."""
    name = assignment.name
    today = next((f"{RENAMED[old]}{name[len(old) :]}" for old in RENAMED if f"{name}.".startswith(f"{old}.")), None)
    if today is not None:
        used = today in composition.choices or node(composition, today) is not ABSENT
        value = str(assignment.value).strip("[]") if today == "split" else assignment.value
        places = choices_with(today, composition)
        other = f"it comes with {' or '.join(places)}" if places else f"{command.name} does not use it"
        what = f"use {today}={value}" if used else other
        return Mistake(f"{name}: this option is called {today} now; {what}")
    said = f"expected an option of {command.name}, got {assignment}"
    choices = choices_with(name, composition)
    if choices:
        return Mistake(f"{said}; it comes with {' or '.join(choices)}")
    near = [f"{found}={assignment.value}" for found in nearest(name, names_of(composition))]
    others = [] if near else [other.name for other in COMMANDS.values() if has(other, name)]
    return Mistake(f"{said}; {' and '.join(others)} would take it" if others else said + advice(command, near))


def not_an_option(command: Command, assignment: Assignment, composition: Composition) -> Mistake:
    """Return what to say where a value is given to a node that holds options."""
    if assignment.name in RENAMED:
        return unknown_option(command, assignment, composition)
    group = assignment.name.replace(".", "/")
    inner = [name for name in names_of(composition) if name.startswith((f"{assignment.name}.", f"{group}/"))]
    groups = [group, *(name for name in inner if "/" in name)]
    near = [f"{name}={assignment.value}" for name in groups if name in composition.choices]
    near = [choice for choice in near if choice.split("=")[1] in composition.choices_of(choice.split("=")[0])]
    near = near or [f"{name}=VALUE" for name in inner[:3]]
    return Mistake(f"{assignment.name}: expected one of its options, got {assignment.value}{advice(command, near)}")


def no_such(name: str, got: str, known: list[str]) -> Mistake:
    """Return what to say of a value that is none of those known; of many, only the nearest are named."""
    near = [f"{name}={found}" for found in nearest(got, known)]
    expected = f"one of {len(known)}" if near and len(known) > MANY else f"one of {', '.join(known)}"
    return Mistake(f"{name}: expected {expected}, got {got}" + (f"; did you mean {' or '.join(near)}?" if near else ""))


def choices_with(name: str, composition: Composition) -> list[str]:
    """Return the choices of a command with which it would have an option of this name."""
    files = [
        (group, choice) for group in composition.groups if "@" not in group for choice in composition.choices_of(group)
    ]
    return [
        f"{group}={choice}" for group, choice in files if name in composition.comments(f"{group}/{choice}").names(group)
    ]


def has(command: Command, name: str) -> bool:
    """Return whether a command has a group or, by its default choices, an option of this name."""
    composition = compose(command.module)
    return name in composition.choices or node(composition, name) is not ABSENT


def node(composition: Composition, name: str) -> Any:
    """Return what the configuration has under a dotted name, not resolved, or ABSENT."""
    found: Any = composition.plain
    for part in name.split("."):
        found = found.get(part, ABSENT) if isinstance(found, dict) else ABSENT
    return found


def names_of(composition: Composition) -> list[str]:
    """Return the names of all options and groups of a composition."""
    return [*(option.name for option in composition.options()), *composition.groups]


def nearest(word: str, names: Iterable[str], similar: float = SIMILAR) -> list[str]:
    """Return at most three names that a word may have been meant for, as a whole or by their last parts.

    >>> nearest("latent", ["model.latents", "model.prior.layers", "seed"])
    ['model.latents']
    """
    every = list(dict.fromkeys(names))
    last = {name: re.split(r"[./]", name)[-1] for name in every}
    mine = re.split(r"[./]", word)[-1]
    same = [name for name in every if last[name] == mine and word == mine]
    whole = get_close_matches(word, every, 3, REALLY_SIMILAR)
    parts = get_close_matches(mine, list(dict.fromkeys(last.values())), 2, REALLY_SIMILAR)
    by_part = [name for part in parts for name in every if last[name] == part]
    return (same or whole or by_part or get_close_matches(word, every, 3, similar))[:3]


def example(name: str, composition: Composition) -> str:
    """Return a value that an option may have, to show how it is given."""
    value = node(composition, name)
    return str(not value).lower() if isinstance(value, bool) else "VALUE"


def advice(command: Command, near: list[str]) -> str:
    """Return the end of a sentence on a mistake: what may have been meant, or where all options are listed."""
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; vae-mf {command.name} --help lists all options"
