"""Completion of words on the command line: candidates from the table of options, and scripts for the shells."""

import shlex
from collections.abc import Sequence

from vae_mf.commands.arguments import PLACES, read_arguments
from vae_mf.commands.help import FLAGS
from vae_mf.commands.mistakes import Mistake, understood
from vae_mf.commands.options import Composition, compose
from vae_mf.commands.table import COMMANDS, Command

BASH = r"""_vae_mf() {
    local line="${COMP_LINE:0:COMP_POINT}" word="${COMP_WORDS[COMP_CWORD]}"
    local IFS=$'\n'
    COMPREPLY=($(vae-mf --complete "$line" 2> /dev/null))
    # Bash parts words at "=": what stands before it is not to be typed again.
    local last="${line##*[[:space:]]}"
    [[ $last == *=* ]] && COMPREPLY=("${COMPREPLY[@]#"${last%=*}="}")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _vae_mf vae-mf
"""
ZSH = r"""#compdef vae-mf
_vae_mf() {
    local -a found
    found=("${(@f)$(vae-mf --complete "${(j: :)words[1,CURRENT]}" 2> /dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -S '' -- $found
    else
        compset -P '*='
        _files
    fi
}
compdef _vae_mf vae-mf
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH}


def candidates(line: str) -> list[str]:
    """Return the words that may stand at the end of a line; none where the name of a file may.

    >>> candidates("vae-mf disc")
    ['discover']
    """
    words, current = parted(line)
    if len(words) < 2:
        found = [*COMMANDS, "--help", "--version", "--completion"]
    elif words[1] in COMMANDS:
        found = behind_command(COMMANDS[words[1]], words[2:], current)
    else:
        found = []
    return [word for word in found if word.startswith(current)]


def parted(line: str) -> tuple[list[str], str]:
    """Return the whole words of a line and the one that is being typed, which may be empty."""
    try:
        words = shlex.split(line)
    except ValueError:  # inside quotation marks
        words = line.split()
    return (words, "") if line.endswith(" ") else (words[:-1], words[-1] if words else "")


def behind_command(command: Command, words: Sequence[str], current: str) -> list[str]:
    """Return the candidates behind the name of a command and the words that follow it."""
    composition = composed(command, words)
    name, equals, _ = current.partition("=")
    if equals:
        return [f"{name}={value}" for value in values(command, name, composition)]
    options = [option.name for option in composition.options() if not option.name.startswith(f"{command.choices}.")]
    flags = [flag.split(", ")[-1].split()[0] for flag in FLAGS if flag.startswith("-")]
    return [*(f"{name}=" for name in [*composition.groups, *options]), *flags]


def composed(command: Command, words: Sequence[str]) -> Composition:
    """Return the composition of the choices among words, and of none if one of them is mistyped."""
    arguments = read_arguments([*words, "--help"])
    try:
        return understood(command, arguments)[1]
    except Mistake:
        return compose(command.module)


def values(command: Command, name: str, composition: Composition) -> list[str]:
    """Return the values of a group or an option, as far as they can be listed."""
    if name in composition.choices or name.startswith("hydra/"):
        return composition.choices_of(name)
    if name == command.word and command.choices:
        return list(composition.plain[command.choices])
    options = {option.name: option.default for option in composition.options()}
    is_flag = options.get(name) in ("true", "false") and name.rpartition(".")[2] not in PLACES
    return ["true", "false"] if is_flag else []
