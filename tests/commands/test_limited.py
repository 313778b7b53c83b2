"""Work in another process: its items, its errors, its end at a limit, and work after all of these."""

import os
import time

import pytest

from vae_mf.commands.limited import Worker


def counted(count, wait):
    for item in range(count):
        time.sleep(wait * (item > 0))
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


def test_a_worker_runs_one_work_after_the_other_in_one_process():
    with Worker() as worker:
        (first,) = worker.run(process_of, seconds=None)
        assert first != os.getpid()
        found = []
        with pytest.raises(ValueError, match="expected other rows"):
            collect(found, worker.run(refusing, seconds=60.0))
        assert found == ["first"]
        assert list(worker.run(process_of, seconds=None)) == [first]
    assert worker.process is None


def test_work_is_ended_at_its_limit_and_what_came_before_is_kept():
    with Worker() as worker:
        found = []
        with pytest.raises(TimeoutError, match="stopped after 1 s"):
            collect(found, worker.run(counted, 2, 1000.0, seconds=1.0))
        assert found == [0]
        assert list(worker.run(counted, 3, 0.0, seconds=60.0)) == [0, 1, 2]


def test_a_process_that_ends_by_itself_is_told():
    with Worker() as worker:
        with pytest.raises(RuntimeError, match="ended from outside"):
            list(worker.run(dying, seconds=60.0))
        assert list(worker.run(counted, 1, 0.0, seconds=60.0)) == [0]
