"""Mistakes behind the name of a command, answered with the nearest names before anything heavy is imported."""

import re
import shutil
from collections.abc import Iterator
from difflib import get_close_matches
from glob import has_magic
from itertools import pairwise, product
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException

from vae_mf.commands.arguments import (
    FLAGS,
    FUNCTION,
    PLACES,
    VALUES,
    Arguments,
    Assignment,
    Mistake,
    exists,
    parse,
    spelled,
)
from vae_mf.commands.nearby import RUN, RUNS, refuse_absent
from vae_mf.commands.options import Composition, compose
from vae_mf.commands.table import Command
from vae_mf.commands.unknown import (
    ABSENT,
    REALLY_SIMILAR,
    advice,
    examples,
    meant,
    names_of,
    nearest,
    no_such,
    node,
    not_an_option,
    unknown_option,
)
from vae_mf.paths import workplace

LAUNCHERS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "ray_aws": "ray"}
"""The extra of this package that installs each launcher of sweeps."""
SLURM = "submitit_slurm"
NO_LAUNCHER = "expected its plugin, got none; install it with pip install -e "


def understood(command: Command, arguments: Arguments) -> tuple[list[str], Composition]:
    """Return the flags and assignments of a command in Hydra's grammar, and the configuration that is chosen by them.

    Raises:
        Mistake: if there is one.
    """
    for folder in arguments.folders:
        if not folder.is_dir():
            raise Mistake(f"--config-dir: expected a folder of configurations, got {folder}")
    base = compose(command.module, (), arguments.search)
    arguments = files_apart(command, arguments, base)
    refuse_unknown_flags(command, arguments, base)
    parser = get_args_parser()
    parser.error = refuse
    parser.parse_args(arguments.flags)
    by_word = word_as_option(command, arguments, base) if command.word in base.choices else []
    given = [*experiment_of_data(arguments, base), *by_word, *arguments.assignments]
    for assignment in given:
        if assignment.value == "":
            raise Mistake(f"{assignment.name}: expected a value, as in {assignment.name}=VALUE, got none")
    chosen = [choice for item in given if is_group(item, base) for choice in checked_choice(item, base, arguments)]
    compositions = [composed(command, combination, arguments) for combination in combinations(chosen, arguments)]
    by_word = [] if command.word in base.choices else word_as_option(command, arguments, compositions[0])
    options = [*by_word, *(item for item in given if not is_group(item, base))]
    texts = [checked_option(command, item, compositions, arguments) for item in options]
    refuse_unknown_recipe(command, options, compositions[0])
    if not (arguments.only_shows or arguments.asks_for_help):
        if not arguments.sweep:
            refuse_absent_runs(options, compositions[0])
        refuse_missing(options, compositions)
    return [*map(str, chosen), *texts, *arguments.flags], compositions[0]


def experiment_of_data(arguments: Arguments, base: Composition) -> list[Assignment]:
    """Return the choice of the experiment of a data set's name, if there is one and no experiment was chosen.

    That of the command has a system, which data of one's own replace.
    """
    name = arguments.value_of("dataset")
    chosen = {item.name for item in arguments.assignments}
    if "experiment" in chosen or "experiment" not in base.choices or name not in base.choices_of("experiment"):
        return []
    return [Assignment("", "experiment", name)]


def files_apart(command: Command, arguments: Arguments, base: Composition) -> Arguments:
    """Return the arguments with files such as "a=b.npy", whose names look like assignments, among the words."""
    if command.word is None or command.choices is not None:
        return arguments
    files = [str(item) for item in arguments.assignments if exists(str(item)) and not is_known(item.name, base)]
    others = [item for item in arguments.assignments if str(item) not in files]
    return arguments._replace(words=[*arguments.words, *files], assignments=others)


def is_known(name: str, base: Composition) -> bool:
    """Return whether a name begins like that of an option or a group."""
    return name.partition(".")[0] in base.plain or name.partition("/")[0] in (*base.plain, *base.choices)


def refuse(message: str) -> NoReturn:
    """Raise Mistake with a message."""
    raise Mistake(message)


def refuse_unknown_flags(command: Command, arguments: Arguments, base: Composition) -> None:
    """Raise Mistake for a flag that there is not, with the option that was perhaps meant."""
    for name, value in pairwise(arguments.flags):
        if name in VALUES and not value:
            raise Mistake(f"{name}: expected a value, as in {name}=VALUE, got none")
    for flag in arguments.flags:
        name, equals, value = flag.partition("=")
        if not flag.startswith("-") or name in FLAGS:
            continue
        if not equals:
            behind = arguments.typed[arguments.typed.index(flag) + 1 :]
            value = behind[0] if behind and not behind[0].startswith("-") and "=" not in behind[0] else ""
        word = name.lstrip("-").replace("-", "_")
        near = meant(word, value, base) if value else examples(nearest(word, names_of(base)), base)
        got = flag if equals or not value else f"{flag} {value}"
        raise Mistake(f"expected options as NAME=VALUE, got {got}{advice(command, near[:1])}")


def word_as_option(command: Command, arguments: Arguments, base: Composition) -> list[Assignment]:
    """Return the option that a word without "=" stands for, if there is one."""
    if not arguments.words:
        return []
    word, *more = arguments.words
    known = [name for name in names_of(base) if word in (name, name.rpartition(".")[2])]
    if known:
        raise Mistake(f"expected NAME=VALUE, got {word}{advice(command, examples(known, base))}")
    if command.word is None:
        files = [o.name for o in base.options() if o.required and o.name.rpartition(".")[2] in PLACES]
        near = [f"{name}={word}" for name in files if exists(word)]
        near = near or [f"{group}={word}" for group in base.groups if word in base.choices_of(group)]
        near = near or examples(nearest(word, names_of(base)), base)
        raise Mistake(f"expected NAME=VALUE, got {word}{advice(command, near)}")
    if more:
        got = " ".join(arguments.words)
        raise Mistake(f"expected one {command.word}, got {len(arguments.words)}: {got}; put a pattern in quotes")
    of_file = command.word != RUN and command.choices is None and command.word not in base.choices
    if of_file and not (exists(word) or has_magic(word) or "://" in word):
        options = examples(nearest(word, names_of(base), REALLY_SIMILAR), base)
        files = get_close_matches(word, map(str, Path(word).parent.glob("*")), 3, REALLY_SIMILAR)
        raise Mistake(f"{command.word}: expected a file or folder, got {word}{advice(command, [*files, *options])}")
    return [Assignment("", command.word, word)]


def is_group(assignment: Assignment, base: Composition) -> bool:
    """Return whether an assignment chooses from a group."""
    return assignment.name in base.choices or assignment.name.startswith("hydra/")


def checked_choice(assignment: Assignment, base: Composition, arguments: Arguments) -> list[Assignment]:
    """Return a choice of a group as Hydra wants it: "null", for none, deletes the group.

    Raises:
        Mistake: if there is no such choice.
    """
    sign, group, value = assignment
    if value is None:
        return [assignment] if base.choices.get(group) is not None else []
    if value == "null":
        return [Assignment("~", group, None)] if base.choices.get(group) is not None else []
    pieces = [] if FUNCTION.fullmatch(value) else value.strip("[]").split(",")
    if len(pieces) > 1 and not value.startswith("[") and not arguments.sweep:
        raise Mistake(f"{group}: expected one choice, got {value}; add -m to run each of them")
    known = base.choices_of(group)
    absent = LAUNCHERS if group == "hydra/launcher" else {}
    for piece in pieces:
        if piece not in [*known, "null"]:
            if piece in absent:
                raise Mistake(f"{group}={piece}: {NO_LAUNCHER}'.[{absent[piece]}]'")
            raise no_such(group, piece, list(dict.fromkeys([*known, *absent])), base)
    if group == "hydra/launcher" and SLURM in pieces and arguments.sweep and not arguments.only_shows:
        require_slurm()
    return [assignment._replace(sign="" if group in base.choices else sign)]


def require_slurm() -> None:
    """Raise Mistake on a machine without the commands of SLURM."""
    if shutil.which("srun") is None:
        raise Mistake(
            f"hydra/launcher={SLURM}: expected a machine of a cluster with SLURM, got one without its command srun: "
            "launch where jobs are submitted, or take submitit_local or joblib to run them here"
        )


def combinations(chosen: list[Assignment], arguments: Arguments) -> Iterator[list[str]]:
    """Yield every combination of choices; a function of Hydra's grammar stands for the default."""
    given = [item for item in chosen if item.value is None or not FUNCTION.fullmatch(item.value)]
    parted = arguments.sweep
    values = [
        [item.value] if item.value is None or not parted or item.value.startswith("[") else item.value.split(",")
        for item in given
    ]
    for combination in product(*values):
        yield [str(item._replace(value=value)) for item, value in zip(given, combination, strict=True)]


def composed(command: Command, choices: list[str], arguments: Arguments) -> Composition:
    """Return the composition of choices that are known each for itself.

    Raises:
        Mistake: if they do not go together in this command.
    """
    try:
        return compose(command.module, choices, arguments.search)
    except HydraException as error:
        foreign = re.search(r"In '([^']+)'.*Could not override '([^']+)'", " ".join(str(error).split()))
        cause = f"{foreign[1]} chooses {foreign[2]}, which {command.name} does not use" if foreign else choices
        raise Mistake(f"expected choices for {command.name}, got {cause}") from None


def checked_option(
    command: Command, assignment: Assignment, compositions: list[Composition], arguments: Arguments
) -> str:
    """Return the assignment of an option in Hydra's grammar.

    Raises:
        Mistake: if the command has no such option, or the value has several that nothing parts.
    """
    if all(node(composition, assignment.name.rpartition(".")[0]) == {} for composition in compositions):
        return spelled(assignment._replace(sign="++"), sweep=arguments.sweep, globs=False)  # free for any option
    for composition in compositions:
        place = found = node(composition, assignment.name)
        if found is ABSENT and assignment.sign.startswith("+"):
            place = node(composition, assignment.name.partition(".")[0])
        if place is ABSENT:
            raise unknown_option(command, assignment, composition)
        if isinstance(found, dict) and found and assignment.value is not None and assignment.value[:1] not in "{$":
            raise not_an_option(command, assignment, composition)
    known = all(node(composition, assignment.name) is not ABSENT for composition in compositions)
    plain = assignment._replace(sign="") if known and assignment.sign.startswith("+") else assignment
    globs = assignment.name == "runs" and isinstance(node(compositions[0], "runs"), list)
    text = spelled(plain, sweep=arguments.sweep, globs=globs)
    read = parse(text)
    if read is not None and read.is_sweep_override() and not arguments.sweep:
        several = assignment.value
        raise Mistake(
            f"{assignment.name}: expected one value, got {several}; [{several}] is a list, -m runs each of them"
        )
    return text


def refuse_unknown_recipe(command: Command, options: list[Assignment], composition: Composition) -> None:
    """Raise Mistake if a command that chooses among the keys of a node is given none of them."""
    known = list(composition.plain.get(command.choices or "", {}))
    for option in options:
        if known and option.name == command.word and option.value not in known:
            raise no_such(option.name, str(option.value), known, composition)


def refuse_absent_runs(options: list[Assignment], composition: Composition) -> None:
    """Raise Mistake if there is nothing where the run folders of a command are said to be."""
    outputs = next((option.value for option in options if option.name == "paths.outputs"), None)
    for option in options:
        if option.name in (RUN, RUNS) and node(composition, option.name) is not ABSENT:
            refuse_absent(option, Path(outputs or workplace() / "outputs"))


def refuse_missing(options: list[Assignment], compositions: list[Composition]) -> None:
    """Raise Mistake if an option without a default has no value."""
    given = {option.name for option in options}
    missing = (option.name for composition in compositions for option in composition.options() if option.required)
    for name in missing:
        if name not in given:
            value = "FILE" if name.rpartition(".")[2] in PLACES else "VALUE"
            raise Mistake(f"{name}: expected a value, as in {name}={value}, got none")
