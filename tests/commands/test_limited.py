"""Work in another process: its items, its errors, its end at a limit, and work after all of these."""

import os
import signal
import sys
import time

import psutil
import pytest

from vae_mf.commands import limited
from vae_mf.commands.limited import Worker


def asleep(seconds):
    time.sleep(seconds)


def at_work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def counted(count, wait, seconds):
    for item in range(count):
        if item:
            wait(seconds)
        yield item


def refusing():
    yield "first"
    raise ValueError("expected other rows")


def dying():
    yield "first"
    os._exit(1)


def collect(found, items):
    for item in items:
        found.append(item)


def process_of():
    yield os.getpid()


class Unreadable(Exception):
    """Its text alone does not make another."""

    def __init__(self, code, text):
        super().__init__(text)


def unreadable():
    yield "first"
    raise Unreadable(1, "no idea")


def closing():
    yield "first"
    os.closerange(3, 100)
    time.sleep(60)


def leaving():
    yield "first"
    sys.exit(3)


def with_a_child(seconds):
    """Start a process that holds everything open which this one has, tell which, and go on."""
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    yield child
    at_work(seconds)


def is_alive(process):
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def test_a_worker_runs_one_work_after_the_other_in_one_process():
    with Worker() as worker:
        (first,) = worker.run(process_of, seconds=None)
        assert first != os.getpid()
        found = []
        with pytest.raises(ValueError, match="expected other rows"):
            collect(found, worker.run(refusing, seconds=60.0))
        assert found == ["first"]
        assert list(worker.run(process_of, seconds=None)) == [first]
        os.kill(first, signal.SIGKILL)
        assert worker.process is not None
        worker.process.join()
        (second,) = worker.run(process_of, seconds=None)  # it was a broken pipe, which ends a command silently
        assert second != first
    assert worker.process is None


def test_work_is_ended_at_its_limit_of_processor_time_and_what_came_before_is_kept():
    with Worker() as worker:
        found = []
        with pytest.raises(TimeoutError, match=r"stopped after 0\.2 s of processor time"):
            collect(found, worker.run(counted, 2, at_work, 1000.0, seconds=0.2))
        assert found == [0]
        # Others that use the processor meanwhile do not count, nor does the time of work that came before.
        assert list(worker.run(counted, 2, asleep, 0.4, seconds=0.3)) == [0, 1]
        assert list(worker.run(counted, 2, at_work, 0.2, seconds=0.3)) == [0, 1]
        assert list(worker.run(counted, 2, at_work, 0.4, seconds=None)) == [0, 1]


def test_work_that_sleeps_is_ended_at_a_multiple_of_its_limit():
    """It went on for ever: time asleep is no processor time."""
    with Worker() as worker:
        with pytest.raises(TimeoutError, match=r"stopped as it waited 0\.4 s, 4 times its limit"):
            list(worker.run(counted, 2, asleep, 60.0, seconds=0.1))
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=r"stopped after 0\.2 s of processor time"):
            list(worker.run(with_a_child, 1000.0, seconds=0.2))  # whose child holds the pipe open
        assert time.monotonic() - start < 30
        child = next(worker.run(with_a_child, 0.0, seconds=None))
        worker.stop()
        end = time.monotonic() + 10
        while is_alive(child) and time.monotonic() < end:
            time.sleep(0.05)
        assert not is_alive(child)


def test_a_process_that_ends_by_itself_is_told(monkeypatch):
    monkeypatch.setattr(limited, "ENDING", 0.2)
    with Worker() as worker:
        for work, said in (
            (unreadable, "Unreadable: no idea"),
            (dying, "it ended its process, with exit status 1"),
            (leaving, "it ended its process, with exit status 3"),
            (closing, "it closed the files of its process"),
        ):
            with pytest.raises(RuntimeError, match=said):
                list(worker.run(work, seconds=60.0))
        assert list(worker.run(counted, 1, asleep, 0.0, seconds=60.0)) == [0]
