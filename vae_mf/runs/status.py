"""Exit statuses of a command, by the conventions of the shell, and what it says when it ends."""

import sys

from vae_mf.texts import on_terminal

USAGE = 2
"""Mistake in the words that were typed; 1 stands for everything else."""
STOPPED = 130
"""It was stopped from the keyboard."""
TERMINATED = 143
"""It was stopped by a signal to end, as schedulers of clusters send it before they kill."""
UNREAD = 141
"""Nobody reads its output on: the status of tools that end by SIGPIPE."""


class Terminated(KeyboardInterrupt):
    """A signal to end, which stops a command as the user would."""


def terminate(*_: object) -> None:
    """Answer a signal to end.

    Raises:
        Terminated: always.
    """
    raise Terminated


def status_of(stop: BaseException | None) -> int:
    """Return the exit status of a command that was stopped, whatever was made of the stop on its way.

    >>> status_of(KeyboardInterrupt()), status_of(Terminated())
    (130, 143)
    """
    while stop is not None:
        if isinstance(stop, Terminated):
            return TERMINATED
        stop = stop.__cause__ or stop.__context__
    return STOPPED


def complain(*lines: str) -> None:
    """Print lines for the user beside the output of a command."""
    print(*map(on_terminal, lines), sep="\n", file=sys.stderr)
