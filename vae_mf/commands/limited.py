"""Work in a process of its own, which is ended at a limit of processor time."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PROCESSES = multiprocessing.get_context("spawn")
"""A forked process may inherit locks that nobody opens: these begin afresh."""

FEWER = "give fewer rows, or choose dataset.variables"
"""Advice where a fit does not fit into memory."""
ENTRY_BYTES = 16
"""Bytes that fits take for each entry of the rows, at the most of almost all models: a copy in double precision."""
WORKER_BYTES = 300_000_000
"""Bytes of the process beside this one, with its libraries."""


def bytes_of_fits(entries: int) -> int:
    """Return about the bytes of fits in a process of their own, beside what models of many variables check themselves.

    Args:
        entries: number of entries of the rows.
    """
    return ENTRY_BYTES * entries + WORKER_BYTES


class Worker:
    """A process that runs one generator after the other; after one that had to be ended it is replaced.

    >>> with Worker() as worker:
    ...     list(worker.run(range, 3, seconds=60.0))
    [0, 1, 2]
    """

    def __init__(self) -> None:
        self.process: BaseProcess | None = None

    def __enter__(self) -> "Worker":
        """Return the worker, whose process starts with the first work."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.stop()

    def run(self, work: Callable[..., Any], *arguments: Any, seconds: float | None) -> Iterator[Any]:
        """Yield what an iterable yields that the process makes of the arguments.

        Args:
            seconds: processor time of all its threads, which other processes do not use up; None for no limit.

        Raises:
            TimeoutError: if it has not ended after so much processor time.
            RuntimeError: if the process has ended, as for lack of memory.
            Exception: what the work raises.
        """
        process = self.process or self.start()
        done = False
        self.pipe.send((work, arguments, seconds))
        try:
            while True:
                kind, value = self.pipe.recv()
                done = kind != "item"
                if kind == "error":
                    raise value
                if done:
                    return
                yield value
        except EOFError:
            process.join()
            if process.exitcode == -signal.SIGPROF:
                raise TimeoutError(f"stopped after {seconds:g} s of processor time") from None
            raise RuntimeError("its process was ended from outside, perhaps for lack of memory") from None
        finally:
            if not done:
                self.stop()

    def start(self) -> BaseProcess:
        """Start the process, wait until it is ready, and return it."""
        self.pipe, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=serve, args=(theirs,), daemon=True)
        self.process = process
        process.start()
        theirs.close()
        self.pipe.recv()
        return process

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


def serve(pipe: Connection) -> None:
    """Run what comes through a pipe until its other end is closed; Ctrl-C is the other end's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError):  # the other end is closed, or its process was ended
        pipe.send(("ready", None))
        while True:
            serve_one(pipe, *pipe.recv())


def serve_one(pipe: Connection, work: Callable[..., Any], arguments: tuple, seconds: float | None) -> None:
    """Send through a pipe what an iterable yields, and last an error or that it has ended."""
    # The system ends the process when this timer runs out, inside a compiled loop too.
    signal.setitimer(signal.ITIMER_PROF, seconds or 0.0)
    try:
        for item in work(*arguments):
            pipe.send(("item", item))
    except Exception as error:
        last = "error", error
    else:
        last = "end", None
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    pipe.send(last)
