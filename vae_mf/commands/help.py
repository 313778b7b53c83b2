"""Pages of help, for terminals of 80 columns, from docstrings and from the comments of the configuration."""

from textwrap import fill, wrap

from vae_mf import __version__
from vae_mf.commands.options import Composition, Option, read_comments
from vae_mf.commands.table import COMMANDS, Command

WIDTH = 80
LEFT = 32
"""Columns for the names of options, beyond which the comment takes a new line."""
PLACES = "paths"
"""Group of which there is one choice for each command."""
FLAGS = {
    "-h, --help": "this page; after choices, as in experiment=NAME --help, with theirs",
    "-m, --multirun": "run every combination of values that commas part, as in seed=0,1",
    "hydra/launcher=joblib": "run them side by side (or submitit_local, submitit_slurm)",
    "--cfg job": "print the configuration and stop; with --resolve, its final values",
}


def overview() -> str:
    """Return the help of ``vae-mf`` itself."""
    lines = [f"vae-mf {__version__}: latent mean-field structure of binary data", ""]
    lines += ["usage: vae-mf COMMAND [FILE] [OPTION=VALUE ...]", "", "commands:"]
    lines += [entry(name, command.summary, 16) for name, command in COMMANDS.items()]
    lines += ["", "flags:"]
    lines += [entry("-h, --help", "this page; vae-mf COMMAND --help explains a command and its options", 20)]
    lines += [entry("--version", "print the version", 20)]
    lines += [entry("--completion SHELL", "print what completes words in bash or zsh", 20)]
    return "\n".join(lines)


def page(command: Command, composition: Composition, recipe: str | None) -> str:
    """Return the help of a command.

    Args:
        command: command to explain.
        composition: configuration of the choices whose options are listed.
        recipe: key in the node ``command.choices`` whose options are listed, None for all keys.
    """
    word = f" [{command.word.rpartition('.')[2].upper()}]" if command.word else ""
    parts = [f"usage: vae-mf {command.name}{word} [OPTION=VALUE ...]", *paragraphs(command)]
    groups = [group_entry(group, composition) for group in composition.groups if "@" not in group and group != PLACES]
    if groups:
        parts.append("\n".join(["choices, as GROUP=CHOICE (those of now in brackets):", *groups]))
    if command.choices and recipe is None:
        parts.append("\n".join([f"{command.word}s:", *recipe_entries(command)]))
    options = [option_entry(option) for option in shown(command, composition, recipe)]
    parts.append("\n".join(["options, as NAME=VALUE (with the values of now):", *options]))
    parts.append("\n".join(["flags:", *(entry(flag, text, 24) for flag, text in FLAGS.items())]))
    return "\n\n".join(parts)


def paragraphs(command: Command) -> list[str]:
    """Return the paragraphs of a command's docstring; its examples, each on a line, stay as they are."""
    found = []
    for text in command.document.split("\n\n"):
        if text.startswith("vae-mf "):
            found.append("\n".join(["examples:", *(f"  {line}" for line in text.splitlines())]))
        else:
            found.append(fill(" ".join(text.split()), WIDTH))
    return found


def examples(command: Command) -> list[str]:
    """Return the command lines in a command's docstring."""
    joined = command.document.replace("\\\n", " ")
    return [line.partition("  #")[0].strip() for line in joined.splitlines() if line.startswith("vae-mf ")]


def shown(command: Command, composition: Composition, recipe: str | None) -> list[Option]:
    """Return the options to list, and of a node of recipes those of one recipe."""
    own = {option.name for option in read_comments(command.module).options}
    recipes, asked = f"{command.choices}.", f"{command.choices}.{recipe}.tables."
    found = [o for o in composition.options() if not o.name.startswith(recipes) or o.name.startswith(asked)]
    return sorted(found, key=lambda option: (option.name != command.word, option.name not in own))


def recipe_entries(command: Command) -> list[str]:
    """Return a line for every key of the node that a command chooses from."""
    nodes = read_comments(command.module).nodes
    prefix = f"{command.choices}."
    return [entry(name.removeprefix(prefix), nodes[name], 20) for name in nodes if name.startswith(prefix)]


def group_entry(group: str, composition: Composition) -> str:
    """Return the choices of a group, that of now in brackets, and what the root file says of it."""
    choice = composition.choices[group]
    now = [choice] if isinstance(choice, str) or choice is None else list(choice)
    names = [f"[{name}]" if name in now else name for name in composition.choices_of(group)]
    comment = next((c for name, _ in composition.files if (c := composition.comments(name).groups.get(group))), "")
    return entry(group, f"{comment}: {', '.join(names)}", 18)


def option_entry(option: Option) -> str:
    """Return a line for an option, its default and its comment."""
    default = " ".join(option.default.split())
    value = "..." if option.required or (default.startswith("${") and default.count("${") > 1) else default
    left = f"{option.name}={value}"
    return entry(left if len(left) <= WIDTH - 2 else f"{left[: WIDTH - 5]}...", option.comment, LEFT)


def entry(left: str, right: str, width: int) -> str:
    """Return two columns; where the left one is too wide, the right one begins on the next line."""
    lines = wrap(right, WIDTH - width - 2, break_long_words=False) or [""]
    start = f"  {left:<{width - 1}} {lines.pop(0)}" if len(left) < width else f"  {left}"
    indent = " " * (width + 2)
    return "\n".join([start.rstrip(), *(f"{indent}{line}" for line in lines)])
