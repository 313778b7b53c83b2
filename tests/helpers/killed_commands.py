"""Commands in forked processes, for tests that kill them: a kill during the imports would test nothing."""

import os
import runpy
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from helpers.commands import FORKS, SCRIPTS


def run_command(name: str, arguments: list[str], folder: Path) -> None:
    """Run a command as the shell would; git, whose state may change between two runs, is out of its sight."""
    # A shell that runs the tests in the background has made them deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["GIT_DIR"] = os.devnull
    os.chdir(folder)
    script = str(SCRIPTS / f"{name}.py")
    sys.argv = [script, *arguments]
    with open(os.devnull, "w") as sys.stdout, open("errors", "w") as sys.stderr:
        runpy.run_path(script, run_name="__main__")


def start_command(name: str, arguments: list[str], folder: Path) -> BaseProcess:
    """Start a command in a process of its own."""
    process = FORKS.Process(target=run_command, args=(name, arguments, folder))
    process.start()
    return process
