"""Work in a process of its own, which is ended at a time limit."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


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

        Raises:
            TimeoutError: if it has not ended after so many seconds.
            RuntimeError: if the process has ended, as for lack of memory.
            Exception: what the work raises.
        """
        if self.process is None:
            self.start()
        done = False
        end = None if seconds is None else time.monotonic() + seconds
        self.pipe.send((work, arguments))
        try:
            while True:
                if not self.pipe.poll(None if end is None else max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"stopped after {seconds:g} s")
                kind, value = self.pipe.recv()
                done = kind != "item"
                if kind == "error":
                    raise value
                if done:
                    return
                yield value
        except EOFError:
            raise RuntimeError("its process was ended from outside, perhaps for lack of memory") from None
        finally:
            if not done:
                self.stop()

    def start(self) -> None:
        """Start the process, and wait until it is ready."""
        # A forked process may inherit locks that nobody opens: this one begins afresh.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.process = process
        process.start()
        theirs.close()
        self.pipe.recv()

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
    pipe.send(("ready", None))
    while True:
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        try:
            for item in work(*arguments):
                pipe.send(("item", item))
        except Exception as error:
            pipe.send(("error", error))
        else:
            pipe.send(("end", None))
