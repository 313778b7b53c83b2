"""Work in a process of its own, which is ended at a limit of processor time, and of time in which it waits."""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

import psutil

PROCESSES = multiprocessing.get_context("spawn")
"""A forked process may inherit locks that nobody opens: these begin afresh."""

WAITING = 4.0
"""Multiple of its processor time that work may wait, asleep or for a file, another machine or its own processes."""
LOOK = 0.2
"""Seconds between two looks at a process that says nothing."""
ENDING = 30.0
"""Seconds in which a process that has closed its pipe is to end, and give back its memory."""
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

    Processes that the work has started end with it.

    >>> with Worker() as worker:
    ...     list(worker.run(range, 3, seconds=60.0))
    [0, 1, 2]
    """

    def __init__(self) -> None:
        self.process: BaseProcess | None = None
        self.waited = 0.0

    def __enter__(self) -> "Worker":
        """Return the worker, whose process starts with the first work."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.stop()

    def run(self, work: Callable[..., Any], *arguments: Any, seconds: float | None) -> Iterator[Any]:
        """Yield what an iterable yields that the process makes of the arguments.

        Args:
            seconds: processor time of all its threads, which other processes do not use up, and a quarter of the time
                that it may wait; None for no limit.

        Raises:
            TimeoutError: if it has not ended after so much processor time, or has waited `WAITING` times as long.
            RuntimeError: if the process has ended, as for lack of memory.
            Exception: what the work raises.
        """
        if self.process is not None and not self.process.is_alive():
            self.stop()  # something ended it between two works
        process = self.process or self.start()
        done = False
        self.waited = 0.0
        self.pipe.send((work, arguments, seconds))
        try:
            while True:
                kind, value = self.received(process, seconds)
                done = kind != "item"
                if kind == "error":
                    raise value
                if done:
                    return
                yield value
        finally:
            if not done:
                self.stop()

    def received(self, process: BaseProcess, seconds: float | None) -> tuple[str, Any]:
        """Return what the process sends next: the kind of it, and an item or an error.

        Raises:
            TimeoutError: if nothing comes in time.
            RuntimeError: if the process has ended.
        """
        try:
            while not self.looked(process):
                if process.exitcode is not None and not self.pipe.poll():
                    raise EOFError  # which does not come by itself while processes that it started hold the pipe
                if seconds is not None and self.waited > WAITING * seconds:
                    raise TimeoutError(
                        f"stopped as it waited {WAITING * seconds:g} s, {WAITING:g} times its limit of processor time"
                    )
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            end = time.monotonic() + ENDING
            while process.exitcode is None and time.monotonic() < end:
                time.sleep(LOOK / 10)  # join would wait for ever if it has closed all its files
            raise ended(process.exitcode, seconds) from None

    def looked(self, process: BaseProcess) -> bool:
        """Return whether the process has sent something, after a moment in which it may.

        The moment counts as waiting unless the process computes or would, if others left it a processor, or this one
        was suspended.
        """
        start = time.monotonic()
        found = self.pipe.poll(LOOK)
        if not found and process.is_alive() and psutil.Process(process.pid).status() != psutil.STATUS_RUNNING:
            self.waited += min(time.monotonic() - start, 2 * LOOK)
        return found

    def start(self) -> BaseProcess:
        """Start the process, wait until it is ready, and return it.

        Raises:
            RuntimeError: if it ends before, as for lack of memory.
        """
        self.pipe, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=serve, args=(theirs,))
        self.process = process
        process.start()
        theirs.close()
        self.received(process, None)
        return process

    def stop(self) -> None:
        """End the process and those that it has started, whatever they do."""
        if self.process is not None and self.process.pid is not None:
            with suppress(ProcessLookupError, PermissionError):  # nothing of its group is left, or not begun
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


def ended(status: int | None, seconds: float | None) -> Exception:
    """Return the error of a process that has ended by itself or by a signal.

    >>> ended(3, None)
    RuntimeError('it ended its process, with exit status 3')

    Args:
        status: exit status, below zero for a signal, None if it has not ended but closed its pipe.
        seconds: processor time that it was allowed.
    """
    if status is None:
        return RuntimeError("it closed the files of its process that it had not opened")
    if status >= 0:
        return RuntimeError(f"it ended its process, with exit status {status}")
    if status == -signal.SIGPROF:
        return TimeoutError(f"stopped after {seconds:g} s of processor time")
    name = signal.Signals(-status).name
    if status == -signal.SIGKILL:
        return RuntimeError(f"its process was ended from outside ({name}), perhaps for lack of memory")
    return RuntimeError(f"its process was ended by {name}")


def serve(pipe: Connection) -> None:
    """Run what comes through a pipe until its other end is closed; Ctrl-C is the other end's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)  # so that what it starts can be ended with it
    Thread(target=end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):  # the other end is closed, or its process was ended
        pipe.send(("ready", None))
        while True:
            serve_one(pipe, *pipe.recv())


def end_with_parent() -> None:
    """End this process, and those that it has started, when the process that started it ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "it is started by another process"
    parent.join()
    os.killpg(0, signal.SIGKILL)


def serve_one(pipe: Connection, work: Callable[..., Any], arguments: tuple, seconds: float | None) -> None:
    """Send through a pipe what an iterable yields, and last an error or that it has ended."""
    # The system ends the process when this timer runs out, inside a compiled loop too.
    signal.setitimer(signal.ITIMER_PROF, seconds or 0.0)
    try:
        for item in work(*arguments):
            pipe.send(("item", item))
    except Exception as error:
        last = "error", portable(error)
    else:
        last = "end", None
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    pipe.send(last)


def portable(error: Exception) -> Exception:
    """Return an error that another process can read: itself, or its text where its class cannot be built again.

    >>> portable(ValueError("expected rows"))
    ValueError('expected rows')
    """
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a class of somebody's raises when it is built
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
