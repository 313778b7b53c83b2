"""Commands, each in a fork of one process that has everything imported, with what they took and what they left."""

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from helpers.commands import FORKS

PLACES = ("outputs", "data")


class Ended(NamedTuple):
    """How a command ended, what it said, took and left behind."""

    status: int
    """Exit status; negative for a signal, such as that of the limit of processor time."""
    said: str
    """Everything on standard error."""
    seconds: float
    """Processor time beyond the imports."""
    megabytes: int
    """Memory at the peak beyond the imports."""
    left: tuple[str, ...]
    """Files and folders in the folder that it worked in."""


def run_forked(commands: Sequence[Sequence[str]], folder: Path, seconds: int) -> list[Ended]:
    """Run commands one after the other, each in an empty folder and for so much processor time at most."""
    answers, answer = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=serve, args=(answer, commands, folder, seconds))
    process.start()
    answer.close()
    ended = [answers.recv() for _ in commands]
    process.join()
    return ended


def serve(answer: Connection, commands: Sequence[Sequence[str]], folder: Path, seconds: int) -> None:
    """Import what the commands import, and send how each of them ended."""
    from vae_mf.commands.options import compose
    from vae_mf.commands.table import COMMANDS
    from vae_mf.datasets.file_formats import load_readers

    load_readers()
    for command in COMMANDS.values():
        import_module(f"vae_mf.commands.{command.module}")
        compose(command.module)
    for words in commands:
        answer.send(in_fork(words, folder, seconds))


def in_fork(words: Sequence[str], folder: Path, seconds: int) -> Ended:
    """Run a command in a fork of this process."""
    place, said = folder / "here", folder / "said"
    place.mkdir()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        run_child(words, place, said, writing, seconds)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        taken = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = tuple(sorted(str(path.relative_to(place)) for path in place.rglob("*")))
    shutil.rmtree(place)
    used, grown = json.loads(taken) if taken else (float(seconds), 0)
    return Ended(status, said.read_text(), used, grown, left)


def run_child(words: Sequence[str], place: Path, said: Path, pipe: int, seconds: int) -> None:
    """Run a command to the end of this process."""
    from vae_mf.commands.main import main

    os.chdir(place)
    os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.argv = ["vae-mf", *words]
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else bool(end.code)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    used = resource.getrusage(resource.RUSAGE_SELF)
    os.write(pipe, json.dumps([used.ru_utime + used.ru_stime, (used.ru_maxrss - before) // 1024]).encode())
    os._exit(status)
