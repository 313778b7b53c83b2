"""The claim of one writer on a store in an object store: a lease, which the writer renews while it lives."""

import json
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Any, NamedTuple
from uuid import uuid4

from filelock import Timeout

from vae_mf.store.schema import StoreError

LEASE_SECONDS = 60.0
"""Time without a renewal after which a claim counts as that of a dead writer."""
RENEWALS = 6
"""Number of renewals within one lease."""
TRUST = 2 / 3
"""Part of its lease in which a writer relies on a renewal; the rest is for requests under way and drifting clocks."""
POLL_SECONDS = 1.0
"""Time between two looks at the claim of another writer."""
PAUSED = "this process was stopped or its machine slept"
"""Reason of a missing renewal, if none failed."""


class Record(NamedTuple):
    """The content of a claim."""

    number: int
    writer: str
    lease: float
    """Seconds; infinite for a claim that no writer renews, as those of former versions."""
    renewal: int


class Claim:
    """The object ``<url>.lock/<number>`` with the highest number, which says who writes a store.

    Its writer renews it from a thread, since a block may take longer than a lease. Another one that finds it watches
    it by its own clock, for clocks of two machines are never compared. A claim that changes is that of a living
    writer; one that stays as it is for its whole lease is taken over, by creation of the next number, and removed.

    A writer starts no request after two thirds of a lease without renewal by its own clock, so it has stopped before
    another one takes over, and it reads the claim before each block and before the commit of it.

    Guaranteed if the driver creates objects conditionally (fsspec's mode "create", as on Amazon S3 and Google Cloud
    Storage): of several that come at once, one gets in. If it does not, two may, and the one whose claim was
    overwritten stops before its next commit. A request that was sent in time and is on its way for longer than a third
    of a lease, as that of a process that is stopped just then, may arrive after another one took over: `RemoteFolder`
    says what it can do.
    """

    def __init__(self, url: str, filesystem: Any, path: str) -> None:
        self._url, self._filesystem, self._path = url, filesystem, path
        now = datetime.now(UTC).isoformat(timespec="seconds")
        own = f"process {os.getpid()} on {socket.gethostname()} since {now}, {uuid4()}"
        self._own = Record(0, own, LEASE_SECONDS, 0)
        self._renewed = -math.inf
        self._loss = ""
        self._trouble = PAUSED
        self._ended = Event()
        self._turn = Lock()

    def acquire(self, waiting: Callable[[str], Any]) -> None:
        """Take a claim that is free or that of a dead writer, after a lease of watching, and begin to renew it.

        Args:
            waiting: called with a sentence before a claim is watched.

        Raises:
            StoreError: If another writer lives; its cause is a Timeout.
            OSError: If the object store cannot be reached.
        """
        self._take(self._watch(waiting) + 1)
        Thread(target=self._keep, name=f"claim of {self._url}", daemon=True).start()

    @property
    def is_locked(self) -> bool:
        """True until the release; the claim is read every time, and StoreError says why it is lost."""
        if self._ended.is_set():
            return False
        self.check()
        self._require_newest()
        return True

    def check(self) -> None:
        """Raise StoreError if another writer may have taken over by now, which needs no request."""
        if self._loss:
            raise StoreError(self._loss)
        if clock() > self._renewed + TRUST * self._own.lease:
            self._loss = (
                f"{self._url}: expected to renew the claim of this writer within {TRUST * self._own.lease:.0f} s, "
                f"which failed: {self._trouble}; the same command goes on from the last block"
            )
            raise StoreError(self._loss)

    def release(self) -> None:
        """Delete the claim, unless it is another's by now."""
        self._ended.set()
        with self._turn:  # a renewal under way would bring it back
            self._remove_own()

    def _watch(self, waiting: Callable[[str], Any]) -> int:
        """Return the number of a claim that has not changed for its whole lease, 0 if there is none."""
        first = self._newest()
        if first is None:
            return 0
        if math.isinf(first.lease):
            raise StoreError(
                f"{self._url}: expected to be the only writer, got the claim of {first.writer}, which is not renewed; "
                "if that writer is dead, delete this object and run the same command again"
            )
        seen = clock()
        waiting(f"{self._url}: the claim of {first.writer}, is watched for {first.lease:.0f} s: does it still write?")
        while clock() < seen + first.lease:
            sleep(POLL_SECONDS)
            found = self._newest()
            if found is None:
                return 0
            if found != first:
                raise self._refusal(found)
        return first.number

    def _take(self, number: int) -> None:
        self._own = self._own._replace(number=number)
        self._renewed = clock()
        self._put(mode="create")
        if (found := self._newest()) is None or found.writer != self._own.writer:
            self._remove_own()
            raise self._refusal(found)
        for old in self._numbers():
            if old < number:
                self._remove(old)

    def _keep(self) -> None:
        while not self._ended.wait(self._own.lease / RENEWALS):
            with self._turn:
                if self._ended.is_set():
                    return
                try:
                    self._renew()
                except StoreError:
                    return  # `check` says why
                except OSError as error:
                    self._trouble = str(error)

    def _renew(self) -> None:
        """Show that this writer lives; a renewal that ends too late counts as none."""
        self.check()
        began = clock()
        self._require_newest()
        self._own = self._own._replace(renewal=self._own.renewal + 1)
        self._put()
        self.check()
        self._renewed, self._trouble = began, PAUSED

    def _require_newest(self) -> None:
        found = self._newest()
        if found is None or found.writer != self._own.writer:
            got = f"that of {found.writer}, which took over" if found else "none, as somebody deleted it"
            self._loss = f"{self._url}: expected the claim of this writer, got {got}; the same command goes on later"
            raise StoreError(self._loss)

    def _refusal(self, found: Record | None) -> StoreError:
        holder = f"{found.writer}, which still writes" if found else "one that just finished"
        refusal = StoreError(f"{self._url}: expected to be the only writer, got the claim of {holder}")
        refusal.__cause__ = Timeout(self._url)
        return refusal

    def _numbers(self) -> list[int]:
        """Return the numbers of all claims; 0 is the one object of former versions."""
        with driver_errors(self._url):
            names = self._filesystem.find(self._path)
        tails = (name.removeprefix(self._path).strip("/") for name in names)
        return sorted(int(tail or 0) for tail in tails if not tail or tail.isdecimal())

    def _newest(self) -> Record | None:
        while numbers := self._numbers():
            if (found := self._read(numbers[-1])) is not None:
                return found
        return None

    def _read(self, number: int) -> Record | None:
        with driver_errors(self._url), suppress(FileNotFoundError):
            return parsed(number, self._filesystem.cat_file(self._object(number)))
        return None

    def _put(self, **options: str) -> None:
        content = json.dumps(self._own._asdict()).encode()
        # A creation refuses itself if it was sent twice, so that only reading tells who got in.
        with driver_errors(self._url), suppress(FileExistsError):
            self._filesystem.pipe_file(self._object(self._own.number), content, **options)

    def _remove_own(self) -> None:
        found = self._read(self._own.number)
        if found is not None and found.writer == self._own.writer:
            self._remove(found.number)

    def _remove(self, number: int) -> None:
        with driver_errors(self._url), suppress(FileNotFoundError):
            self._filesystem.rm_file(self._object(number))

    def _object(self, number: int) -> str:
        return f"{self._path}/{number}" if number else self._path


def parsed(number: int, content: bytes) -> Record:
    """Return what a claim says; that of a former version, or of nobody we know, is never renewed.

    >>> parsed(1, b'{"number": 1, "writer": "process 7", "lease": 60.0, "renewal": 2}')
    Record(number=1, writer='process 7', lease=60.0, renewal=2)
    >>> parsed(0, b"process 7 on host").lease
    inf
    """
    try:
        said = json.loads(content)
        found = Record(number, str(said["writer"]), float(said["lease"]), int(said["renewal"]))
    except (ValueError, KeyError, TypeError):
        return Record(number, content.decode(errors="replace"), math.inf, 0)
    return found if found.lease > 0 else found._replace(lease=math.inf)


def clock() -> float:
    """Return seconds of a clock that also runs while the machine sleeps, where there is one."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Let time pass by the clock of this module."""
    time.sleep(seconds)


@contextmanager
def driver_errors(name: str) -> Iterator[None]:
    """Turn any error of a driver, such as its own for missing credentials, into an OSError that names the place."""
    try:
        yield
    except Exception as error:
        raise OSError(f"{name}: {error}") from error
