"""Exit statuses of a command, by the conventions of the shell, and what it says when it ends."""

import sys

from vae_mf.texts import on_terminal

USAGE = 2
"""Mistake in the words that were typed; 1 stands for everything else."""
STOPPED = 130
"""It was stopped, from the keyboard or by a signal to end."""
UNREAD = 141
"""Nobody reads its output on: the status of tools that end by SIGPIPE."""


def complain(*lines: str) -> None:
    """Print lines for the user beside the output of a command."""
    print(*map(on_terminal, lines), sep="\n", file=sys.stderr)
