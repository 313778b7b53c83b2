"""The console command ``vae-mf`` and its sub-commands; what they import comes after what was typed is understood."""

import atexit
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from vae_mf.commands.table import COMMANDS, Command
from vae_mf.runs.garbage import collect_rarely, importing
from vae_mf.runs.status import STOPPED, TERMINATED, UNREAD, USAGE, complain, status_of

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables from which libraries of linear algebra take their number of threads, when they are loaded."""
GOES_ON = "the same command goes on where it was"


def main() -> None:
    """Run ``vae-mf`` with the words of the command line."""
    name, *words = sys.argv[1:] or ["--help"]
    if name == "help":
        name, *words = [*words, "--help"]
    with shell():
        if name in COMMANDS:
            run(COMMANDS[name], words)
        else:
            about(name, words)


@contextmanager
def shell() -> Iterator[None]:
    """End a command as a shell expects it: with one line where the user stops it, silently where nobody reads on."""
    atexit.register(end_deaf)
    try:
        try:
            spell_what_cannot_be_encoded()
            yield
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        complain(f"stopped; {str(stop) or GOES_ON}")
        sys.exit(status_of(stop))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in the buffer
        sys.exit(UNREAD)


def end_deaf() -> None:
    """Let a signal to stop pass by while the process ends anyway, with a status that says how."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def spell_what_cannot_be_encoded() -> None:
    """Let the output hold an escape for a character that its encoding lacks, as the errors beside it do."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() not in ("utf-8", "utf8"):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def start() -> Iterator[None]:
    """Let a stop end the process at once while nothing is done yet: some packages fail otherwise if it meets them."""

    def end(number: int, _: object) -> None:
        os.write(sys.stderr.fileno(), f"stopped; {GOES_ON}\n".encode())
        os._exit(TERMINATED if number == signal.SIGTERM else STOPPED)

    # In the background of a script Ctrl-C is ignored, and stays so.
    own = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: handler for number, handler in own.items() if signal.getsignal(number) is handler}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def about(flag: str, words: list[str]) -> None:
    """Print what a flag of ``vae-mf`` itself asks for, or refuse what is neither flag nor command."""
    from vae_mf import __version__
    from vae_mf.commands.completion import SCRIPTS, candidates
    from vae_mf.commands.help import overview
    from vae_mf.commands.unknown import unknown_command

    if flag in ("-h", "--help"):
        print(overview())
    elif flag == "--version":
        print(f"vae-mf {__version__}")
    elif flag == "--completion" and words and words[0] in SCRIPTS:
        print(SCRIPTS[words[0]], end="")
    elif flag == "--completion":
        sys.exit(refusal(f"expected --completion {' or --completion '.join(SCRIPTS)}, got {' '.join([flag, *words])}"))
    elif flag == "--complete" and words:
        print("\n".join(candidates(words[0])))
    else:
        sys.exit(refusal(unknown_command(flag)))


def script(name: str) -> Callable[[], None]:
    """Return the main function of a script that is one of the commands."""

    def main() -> None:
        with shell():
            run(COMMANDS[name], sys.argv[1:])

    return main


def run(command: Command, words: list[str]) -> None:
    """Run a command with the words behind its name."""
    # The last digits of a product of matrices depend on the number of threads: every machine shall print the same.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    collect_rarely()
    with start(), importing():
        from vae_mf.commands.arguments import Mistake, read_arguments
        from vae_mf.commands.mistakes import understood

        arguments = read_arguments(words)
        try:
            overrides, composition = understood(command, arguments)
        except Mistake as mistake:
            sys.exit(refusal(mistake))
        if arguments.asks_for_help:
            from vae_mf.commands.help import page

            print(page(command, composition, arguments.value_of(command.word)))
            return
        from vae_mf.runs.command import launch

        job = import_module(f"vae_mf.commands.{command.module}").main
    launch(job, command.module, overrides)


def refusal(mistake: object) -> int:
    """Print what was mistyped and return the exit status."""
    complain(f"error: {mistake}")
    return USAGE
