"""Answers to a name that there is not: its name of today, the nearest names, choices and commands that have it."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from hydra.errors import HydraException

from vae_mf.commands.arguments import Assignment, Mistake, parse, spelled
from vae_mf.commands.options import Composition, compose
from vae_mf.commands.table import COMMANDS, Command
from vae_mf.runs.names import MOVED

SIMILAR = 0.65
REALLY_SIMILAR = 0.8
MANY = 8
GROUPED = {"splits": "split", "dataset.split.split": "split", "dataset.split": "split"}
"""Options of version 0.1 that are choices of groups today."""
RENAMED = {first: today for today, first in MOVED}
"""Other options of version 0.1, or their beginnings, by their names of today."""
ABSENT = object()


def unknown_command(name: str) -> Mistake:
    """Return what to say of a command that there is not."""
    found = nearest(name.replace("_", "-"), COMMANDS)
    hint = f"; did you mean vae-mf {found[0]}?" if found else ""
    return Mistake(f"expected one of {', '.join(COMMANDS)}, got {name}{hint}")


def unknown_option(command: Command, assignment: Assignment, composition: Composition) -> Mistake:
    """Return what to say of an option that a command does not have."""
    name, value = assignment.name, assignment.value
    today = name_of_today(name)
    if today is not None:
        usable = assigned(today, value and value.strip("[]") if name in GROUPED else value, composition)
        places = choices_with(today, composition)
        other = f"it comes with {' or '.join(places)}" if places else f"{command.name} does not use it"
        return Mistake(f"{name}: this option is called {today} now; {f'use {usable[0]}' if usable else other}")
    said = f"expected an option of {command.name}, got {assignment}"
    choices = choices_with(name, composition)
    if choices:
        return Mistake(f"{said}; it comes with {' or '.join(choices)}")
    near = meant(name, value, composition)
    others = [] if near else [other.name for other in COMMANDS.values() if assigned(name, value, compose(other.module))]
    return Mistake(f"{said}; {' and '.join(others)} would take it" if others else said + advice(command, near))


def name_of_today(name: str) -> str | None:
    """Return the name of today of an option of version 0.1, None if it has none."""
    if name in GROUPED:
        return GROUPED[name]
    return next((f"{RENAMED[old]}{name[len(old) :]}" for old in RENAMED if f"{name}.".startswith(f"{old}.")), None)


def meant(word: str, value: str | None, composition: Composition, similar: float = SIMILAR) -> list[str]:
    """Return at most three assignments of a value that may have been meant and that the command takes."""
    near = {name: found for name in names_of(composition) if (found := assigned(name, value, composition))}
    return [text for name in nearest(word, near, similar) for text in near[name]][:3]


def assigned(name: str, value: str | None, composition: Composition) -> list[str]:
    """Return the assignments of a value, or of choices near it, to an option or a group; none if it does not fit.

    Args:
        name: name of an option or a group, or of neither.
        value: as typed; None deletes the option.
        composition: configuration of the command.
    """
    if value is None:
        there = name in composition.choices or node(composition, name) is not ABSENT
        return [f"~{name}"] if there else []
    if name in composition.choices:
        known = composition.choices_of(name)
        near = [value] if value in known else nearest(value, known)
        return [f"{name}={choice}" for choice in near if goes_with(composition, name, choice)]
    found = node(composition, name)
    if found is ABSENT or (isinstance(found, dict) and found) or not value:
        return []
    read = parse(spelled(Assignment("", name, value), sweep=False, globs=False))
    several = read is not None and read.is_sweep_override()
    return [f"{'-m ' if several else ''}{name}={value}"]


def not_an_option(command: Command, assignment: Assignment, composition: Composition) -> Mistake:
    """Return what to say where a value is given to a node that holds options."""
    if name_of_today(assignment.name):
        return unknown_option(command, assignment, composition)
    group = assignment.name.replace(".", "/")
    inner = [name for name in names_of(composition) if name.startswith((f"{assignment.name}.", f"{group}/"))]
    groups = [name for name in (group, *inner) if name in composition.choices]
    near = [text for name in groups for text in assigned(name, assignment.value, composition)]
    near = near or examples(inner[:3], composition)
    return Mistake(f"{assignment.name}: expected one of its options, got {assignment.value}{advice(command, near)}")


def goes_with(composition: Composition, group: str, choice: str) -> bool:
    """Return whether a choice needs no other groups than a command has."""
    if group.startswith("hydra/"):
        return True
    try:
        compose(composition.root, [f"{group}={choice}"], composition.search)
    except HydraException:
        return False
    return True


def no_such(name: str, got: str, known: list[str], composition: Composition) -> Mistake:
    """Return what to say of a value that is none of those known; of many, only the nearest are named."""
    found = nearest(got, known)
    near = [f"{name}={v}" for v in found if name not in composition.choices or goes_with(composition, name, v)]
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
    # Long names of one node are alike in what they share.
    alike = [name for name in every if SequenceMatcher(None, last[name], mine).ratio() >= similar]
    whole = get_close_matches(word, alike, 3, REALLY_SIMILAR)
    parts = get_close_matches(mine, list(dict.fromkeys(last.values())), 2, REALLY_SIMILAR)
    by_part = [name for part in parts for name in every if last[name] == part]
    return (same or whole or by_part or get_close_matches(word, alike, 3, similar))[:3]


def examples(names: Iterable[str], composition: Composition) -> list[str]:
    """Return assignments of values that options or groups may have, to show how they are given."""
    return [f"{name}={example(name, composition)}" for name in names]


def example(name: str, composition: Composition) -> str:
    """Return a value that an option or a group may have, to show how it is given."""
    if name in composition.choices:
        now = composition.choices[name]
        return now if isinstance(now, str) else composition.choices_of(name)[0]
    value = node(composition, name)
    return str(not value).lower() if isinstance(value, bool) else "VALUE"


def advice(command: Command, near: list[str]) -> str:
    """Return the end of a sentence on a mistake: what may have been meant, or where all options are listed."""
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; vae-mf {command.name} --help lists all options"
