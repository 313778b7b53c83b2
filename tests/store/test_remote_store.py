"""A store in an object store keeps the promises of one on disk, and is the same, object by file."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from filelock import Timeout
from fsspec.implementations.memory import MemoryFileSystem
from helpers.files import tree
from helpers.writer_process import ATTRS, LAYOUT, PATTERNS, block, fill, writer

from vae_mf.packing import unpack_spins
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.plan import Sampling
from vae_mf.simulation import simulate
from vae_mf.store import claim
from vae_mf.store.remote import CREATING, FRESH, RemoteFolder
from vae_mf.store.sample_store import StoreError, is_sealed, open_store, open_writer
from vae_mf.store.schema import METADATA
from vae_mf.systems.curie_weiss import CurieWeiss

PROCESS = Path(__file__).parents[1] / "helpers" / "writer_process.py"
SERVER = PROCESS.with_name("s3_server.py")
LEASE = 6.0
"""Seconds, in tests with other processes."""
MEMORY = fsspec.filesystem("memory")
ARRAYS = {"patterns": PATTERNS}
MARKER = "committed/c"
BLOCK_WRITES = len(LAYOUT.temperatures) * 3 + 2


class Died(BaseException):
    """The process is no more: not even its clearing up is done."""


def objects(url):
    """The contents of all objects below a URL by name."""
    filesystem, root = fsspec.url_to_fs(url, use_listings_cache=False)
    return {name.removeprefix(f"{root}/"): filesystem.cat_file(name) for name in filesystem.find(root)}


def flip(url):
    filesystem, path = fsspec.url_to_fs(url)
    data = bytearray(filesystem.cat_file(path))
    data[-1] ^= 1
    filesystem.pipe_file(path, bytes(data))


def put(url, content=b"mine"):
    filesystem, path = fsspec.url_to_fs(url)
    filesystem.pipe_file(path, content)


def delete(url):
    filesystem, path = fsspec.url_to_fs(url)
    filesystem.rm_file(path)


def clear():
    MEMORY.store.clear()
    MEMORY.pseudo_dirs[:] = [""]


@pytest.fixture
def url():
    yield "memory://bucket/store"
    clear()


class Passing:
    """Time that passes only while somebody waits for a claim; its writers renew it then, if they live."""

    def __init__(self):
        self.now = 0.0
        self.living = []

    def sleep(self, seconds):
        self.now += seconds
        for each in self.living:
            each._lock._renew()


@pytest.fixture
def passing(monkeypatch):
    time_passing = Passing()
    monkeypatch.setattr(claim, "clock", lambda: time_passing.now)
    monkeypatch.setattr(claim, "sleep", time_passing.sleep)
    return time_passing


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "store"
    fill(path)
    return tree(path)


@pytest.fixture
def dies(monkeypatch):
    """Let the process die after a number of writes and deletions; None lets a new one live."""
    left: list[int | None] = [None]

    def limit(name):
        original = getattr(MemoryFileSystem, name)

        def change(self, *args, **kwargs):
            if left[0] is not None:
                if left[0] == 0:
                    raise Died
                left[0] -= 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(MemoryFileSystem, name, change)

    limit("pipe_file")
    limit("rm_file")
    return lambda writes: left.__setitem__(0, writes)


def test_a_remote_store_is_the_local_one_object_by_file(url, uninterrupted):
    fill(url)
    assert objects(url) == uninterrupted
    assert list(objects("memory://bucket")) == [f"store/{name}" for name in sorted(uninterrupted)]
    store = open_store(f"{url}/")
    assert store.path == url
    assert is_sealed(url)
    packed = np.concatenate([block(index)[0] for index in range(LAYOUT.blocks)], 1)
    for t in range(3):
        np.testing.assert_array_equal(store.spins(t), unpack_spins(packed[t], LAYOUT.sites))


def test_a_file_url_is_a_local_folder(tmp_path, uninterrupted):
    fill(f"file://{tmp_path}/store")
    assert tree(tmp_path / "store") == uninterrupted
    assert (tmp_path / "store.lock").exists()
    assert open_store(f"file://{tmp_path}/store").path == str(tmp_path / "store")


def test_simulate_fills_a_url(url, tmp_path):
    system = CurieWeiss(21)
    request = (system, CurieWeissDirect(system), Sampling((0.7, 1.4), 60, chains=12, blocks=4))
    simulate(*request, url, seed=3)
    simulate(*request, tmp_path / "store", seed=3)
    assert objects(url) == tree(tmp_path / "store")
    assert simulate(*request, url, seed=3).path == url


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_whichever_write_is_the_last_nothing_committed_is_lost(url, uninterrupted, dies, passing, stride):
    creation = 1 + 1 + len(uninterrupted) - LAYOUT.blocks * (BLOCK_WRITES - 1) + 1  # claim, mark, files, mark removed
    sealing = creation + LAYOUT.blocks * BLOCK_WRITES + 1
    for writes in range(sealing, 0, -stride):
        clear()
        dies(writes)
        with pytest.raises(Died):
            fill(url)
        dies(None)
        left = objects(url)
        assert is_sealed(url) == (writes == sealing)
        assert MEMORY.exists("/bucket/store.lock")
        with writer(url) as store:
            assert store.committed == min(max(0, writes - creation) // BLOCK_WRITES, LAYOUT.blocks)
        if METADATA in left:
            assert objects(url) == {name: data for name, data in left.items() if name != CREATING}
        fill(url)
        assert objects(url) == uninterrupted


def test_leftovers_of_another_creation_are_replaced(url, uninterrupted):
    put(f"{url}/{CREATING}")
    put(f"{url}/T009/zarr.json", b"of another layout")
    assert not is_sealed(url)
    with pytest.raises(StoreError, match="got nothing there"):
        open_store(url)
    fill(url)
    assert objects(url) == uninterrupted


def test_an_empty_folder_becomes_a_store(url, uninterrupted):
    MEMORY.makedirs("/bucket/store")
    fill(url)
    assert objects(url) == uninterrupted


def test_a_store_that_appears_between_two_looks_is_seen(url, uninterrupted, monkeypatch):
    find, early = MemoryFileSystem.find, iter([True])

    def find_late(self, path, **options):
        if next(early, False):
            fill(url)
        return find(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "find", find_late)
    assert is_sealed(url)
    assert objects(url) == uninterrupted


@pytest.mark.parametrize("name", ["store", "store/thesis.tex", "store/T000/zarr.json", "store/zarr.json"])
def test_what_is_not_a_store_is_refused_and_left_alone(url, name):
    put(f"memory://bucket/{name}")
    for use in (writer, is_sealed, open_store):
        with pytest.raises(StoreError, match="something else, which is left alone"):
            use(url)
    assert objects("memory://bucket") == {name: b"mine"}


def test_neighbours_with_a_longer_name_do_not_count(url, uninterrupted):
    put(f"{url}2/thesis.tex")
    fill(url)
    assert objects(url) == uninterrupted


def test_other_requests_and_schema_versions_are_refused(url):
    writer(url).close()
    with pytest.raises(StoreError, match=f"^{url} holds other samples: attrs.seed: expected 7, got 8"):
        open_writer(url, LAYOUT, ATTRS | {"seed": 8}, ARRAYS)
    header = objects(url)[METADATA]
    put(f"{url}/{METADATA}", header.replace(b'"schema_version": 1', b'"schema_version": 2'))
    with pytest.raises(StoreError, match="expected schema_version 1, got 2"):
        open_store(url)


@pytest.mark.parametrize(
    ("damage", "opening", "reading"),
    [
        (lambda url: delete(f"{url}/T001/energy/c.2"), "truncated: expected the file T001/energy/c.2, got none", None),
        (lambda url: put(f"{url}/T001/energy/c.2", b"short"), r"truncated: T001/energy: expected \d+ bytes", None),
        (lambda url: flip(f"{url}/T001/energy/c.2"), None, "damaged: T001/energy does not match its checksum"),
    ],
    ids=["missing", "truncated", "flipped"],
)
def test_damage_is_reported_by_name(url, damage, opening, reading):
    fill(url)
    damage(url)
    if opening:
        with pytest.raises(StoreError, match=opening):
            open_store(url)
    else:
        with pytest.raises(StoreError, match=reading):
            open_store(url).scalar("energy", 1)


@pytest.mark.parametrize("damage", [delete, put, lambda chunk: flip(chunk)], ids=["missing", "truncated", "flipped"])
def test_a_damaged_committed_object_stops_resuming_and_frees_the_claim(url, damage):
    with writer(url) as store:
        for index in range(2):
            store.write_block(index, *block(index))
    damage(f"{url}/T000/spins/c.1.0")
    with pytest.raises(StoreError, match=r"truncated: expected the file T000/spins/c.1.0|damaged: T000/spins"):
        writer(url)
    assert not MEMORY.exists("/bucket/store.lock")


def test_a_second_writer_is_told_who_holds_the_claim(url, passing):
    with writer(url) as store:
        passing.living.append(store)
        with pytest.raises(StoreError) as refusal:
            writer(url)
        store.write_block(0, *block(0))
    assert refusal.match(
        rf"^{url}\.lock: expected to be the only writer, got the claim of process {os.getpid()} on \S+ since \S+, \S+, "
        "which still writes$"
    )
    assert isinstance(refusal.value.__cause__, Timeout)
    assert passing.now < claim.LEASE_SECONDS / 2
    with writer(url) as store:
        assert store.committed == 1


def test_a_claim_is_taken_over_once_it_has_not_changed_for_its_lease(url, passing, uninterrupted):
    dead, told = writer(url), []
    dead.write_block(0, *block(0))
    passing.now = 1e6
    with open_writer(url, LAYOUT, ATTRS, ARRAYS, told.append) as store:
        assert 1e6 + claim.LEASE_SECONDS <= passing.now < 1e6 + claim.LEASE_SECONDS + 2 * claim.POLL_SECONDS
        assert store.committed == 1
        assert list(objects(f"{url}.lock")) == ["2"]
    (sentence,) = told
    holder = rf"process {os.getpid()} on \S+ since \S+, \S+"
    assert re.fullmatch(rf"{url}\.lock: the claim of {holder}, is watched for 60 s: does it still write\?", sentence)
    assert not MEMORY.exists("/bucket/store.lock")
    fill(url)
    assert objects(url) == uninterrupted


def test_a_claim_that_ends_while_it_is_watched_is_free(url, passing, monkeypatch):
    first = writer(url)
    monkeypatch.setattr(claim, "sleep", lambda _: first.close())
    with writer(url):
        assert list(objects(f"{url}.lock")) == ["1"]
    assert passing.now == 0


@pytest.mark.parametrize("clock_runs", [True, False], ids=["slept", "virtual machine on hold"])
def test_a_writer_that_was_away_for_longer_than_its_lease_writes_nothing_more(url, passing, clock_runs):
    first = writer(url)
    first.write_block(0, *block(0))
    second = writer(url)
    second.write_block(1, *block(1))
    before = objects("memory://bucket")
    if not clock_runs:
        passing.now = 0.0
    reason = (
        "renew the claim of this writer within 40 s, which failed: this process" if clock_runs else "which took over"
    )
    for use in (lambda: first.write_block(1, *block(1)), lambda: first._folder.create({}), first._lock._renew):
        with pytest.raises(StoreError, match=reason):
            use()
    first.close()
    assert objects("memory://bucket") == before
    passing.now = claim.clock() if clock_runs else 60.0
    second.write_block(2, *block(2))
    second.close()


def test_a_claim_lost_during_a_block_leaves_it_uncommitted(url, passing, monkeypatch):
    pipe = MemoryFileSystem.pipe_file

    def taken(self, path, value, **options):
        pipe(self, path, value, **options)
        if path.endswith("T002/energy/c.1"):
            pipe(self, "/bucket/store.lock/2", b"another one")

    with writer(url) as store:
        store.write_block(0, *block(0))
        monkeypatch.setattr(MemoryFileSystem, "pipe_file", taken)
        with pytest.raises(
            StoreError, match="got that of another one, which took over; the same command goes on later"
        ):
            store.write_block(1, *block(1))
        assert store.committed == 1
        assert store.read().rows == LAYOUT.rows_per_block


def test_a_renewal_that_fails_is_tried_again_and_the_last_failure_is_told(url, passing, monkeypatch):
    store = writer(url)
    pipe, fails = MemoryFileSystem.pipe_file, [True]

    def put(self, path, value, **options):
        if fails[0]:
            raise TimeoutError("no answer")
        pipe(self, path, value, **options)

    def wait(seconds):
        passing.now += seconds
        return next(waits, True)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", put)
    monkeypatch.setattr(store._lock._ended, "wait", wait)
    waits = iter([False, False])
    store._lock._keep()
    fails[0] = False
    waits = iter([False] * 20)
    store._lock._keep()
    assert passing.now > 3 * claim.LEASE_SECONDS
    assert store._lock.is_locked
    fails[0] = True
    waits = iter([False] * 20)
    store._lock._keep()
    with pytest.raises(
        StoreError, match=r"which failed: memory://bucket/store.lock: no answer; the same command goes on"
    ):
        store.write_block(0, *block(0))


def test_a_claim_that_nobody_renews_has_to_be_deleted_by_hand(url, passing):
    put(f"{url}.lock", b"process 7 of a former version")
    with pytest.raises(StoreError, match=r"of process 7 of a former version, .*delete this object and run") as refusal:
        writer(url)
    assert refusal.value.__cause__ is None
    delete(f"{url}.lock")
    writer(url).close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_writer_without_its_claim_writes_nothing_more_and_leaves_the_claim_of_another(url, replaced):
    with writer(url) as store:
        store.write_block(0, *block(0))
        before = objects(url)
        delete(f"{url}.lock/1")
        if replaced:
            put(f"{url}.lock/1", b"another one")
        got = "that of another one, which took over" if replaced else "none, as somebody deleted it"
        with pytest.raises(StoreError, match=f"expected the claim of this writer, got {got}; the same command goes on"):
            store.write_block(1, *block(1))
        assert objects(url) == before
    assert MEMORY.exists("/bucket/store.lock") == replaced
    with pytest.raises(StoreError, match="expected an open writer, got one that was closed or has lost its lock"):
        store.write_block(1, *block(1))


def test_of_two_that_come_at_once_the_conditional_creation_lets_one_in(url, monkeypatch):
    first = writer(url)
    find, early = MemoryFileSystem.find, iter([True])
    monkeypatch.setattr(
        MemoryFileSystem,
        "find",
        lambda self, path, **options: [] if ".lock" in path and next(early, False) else find(self, path, **options),
    )
    with pytest.raises(StoreError, match="got the claim of process"):
        writer(url)
    assert first._lock.is_locked


def test_a_driver_without_conditional_creation_still_refuses_a_late_writer(url, passing, monkeypatch):
    pipe = MemoryFileSystem.pipe_file
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda self, path, value, **_: pipe(self, path, value))
    with writer(url) as store:
        passing.living.append(store)
        with pytest.raises(StoreError, match="got the claim of process"):
            writer(url)


def test_a_creation_of_the_claim_that_was_sent_twice_is_still_ours(url, monkeypatch):
    pipe = MemoryFileSystem.pipe_file

    def twice(self, path, value, mode="overwrite"):
        pipe(self, path, value, mode)
        if mode == "create":
            pipe(self, path, value, mode)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", twice)
    with writer(url) as store:
        store.write_block(0, *block(0))


def test_a_sealed_store_needs_no_right_to_write(url, uninterrupted, dies):
    fill(url)
    dies(0)
    fill(url)
    assert open_store(url).rows == LAYOUT.rows


@pytest.mark.parametrize("name", ["cat_file", "pipe_file", "find"])
def test_errors_of_a_driver_say_where_and_are_those_of_a_disk(url, monkeypatch, name):
    class Unreachable(Exception):
        """A driver's own."""

    def fail(*_, **__):
        raise Unreachable("no route to host")

    monkeypatch.setattr(MemoryFileSystem, name, fail)
    with pytest.raises(OSError, match=rf"^{url}(\.lock)?: no route to host$"):
        writer(url)


def test_a_lost_connection_leaves_the_block_uncommitted(url, uninterrupted, monkeypatch):
    pipe = MemoryFileSystem.pipe_file

    def fail(self, path, value, **options):
        if path.endswith("T002/energy/c.1"):
            raise TimeoutError("no answer")
        pipe(self, path, value, **options)

    with writer(url) as store:
        store.write_block(0, *block(0))
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", fail)
        with writer(url) as store:
            with pytest.raises(OSError, match="no answer"):
                store.write_block(1, *block(1))
            assert store.committed == 1
    fill(url)
    assert objects(url) == uninterrupted


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket", "s3://bucket: expected a URL of a folder, such as s3://bucket/samples.zarr"),
        ("teapot://bucket/store", "teapot://bucket/store: expected a URL with a driver that is installed: .*teapot"),
        (
            "reference://a/b::/tmp/refs.json",
            "reference://a/b::/tmp/refs.json: expected the URL of one driver, got a chain",
        ),
        ("zip://bucket/store", "zip://bucket/store: expected a URL with a driver that is installed: "),
        ("hf://bucket/store", "hf://bucket/store: expected a URL with a driver that is installed: .*huggingface_hub"),
    ],
)
def test_urls_that_cannot_be_opened_are_refused(url, message):
    if url.startswith("s3"):
        pytest.importorskip("s3fs")
    for use in (writer, is_sealed, open_store):
        with pytest.raises(StoreError, match=f"^{message}"):
            use(url)


@pytest.fixture(scope="module")
def bucket():
    """A bucket of a server process that speaks the protocol of S3."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    server = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{int(server.stdout.readline())}")
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "anything")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            fsspec.filesystem("s3", **FRESH).mkdir("bucket")
            yield "s3://bucket"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def short_lease(monkeypatch):
    monkeypatch.setattr(claim, "LEASE_SECONDS", LEASE)
    monkeypatch.setattr(claim, "POLL_SECONDS", LEASE / 20)


def start(url, mode, lease=LEASE):
    command = [sys.executable, str(PROCESS), url, mode, str(lease)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """Return the status, the lines and the last error of a process."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out.splitlines(), (err.strip().splitlines() or [""])[-1]


def claims(url):
    return fsspec.filesystem("s3", **FRESH).find(f"{url}.lock")


def wait_for_a_claim(process, url):
    while process.poll() is None and not claims(url):
        time.sleep(0.02)


def wait_until_stopped(process):
    while (state := Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]) != "T":
        assert state != "Z"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_writers_on_s3_are_taken_over_and_lose_no_committed_row(bucket, uninterrupted, short_lease):
    rng = np.random.default_rng(0)
    url, marks, left = f"{bucket}/killed/store", [0], 0
    while not is_sealed(url):
        process = start(url, "log:0.2")
        wait_for_a_claim(process, url)
        time.sleep(rng.uniform(0, 0.3 * len(marks)))
        process.kill()
        process.communicate(timeout=60)
        samples = {name: data for name, data in objects(url).items() if name not in (METADATA, CREATING, MARKER)}
        assert samples.items() <= uninterrupted.items()
        left += bool(claims(url))
        with writer(url) as store:
            marks.append(store.committed)
        assert is_sealed(url) or not claims(url)
    assert objects(url) == uninterrupted
    assert marks == sorted(marks)
    assert left > 3


def test_a_store_whose_first_object_is_put_during_a_look_is_vacant():
    """The listing was empty, then s3fs asks for the place itself, and finds a folder."""
    entry = {"name": "bucket/store", "size": 0, "type": "directory"}
    filesystem = SimpleNamespace(find=lambda *_, **__: {"bucket/store": entry})
    assert RemoteFolder("s3://bucket/store", filesystem, "bucket/store").vacant()


@pytest.mark.slow
def test_of_writers_that_are_started_at_once_on_s3_one_writes_at_any_time(bucket, uninterrupted):
    url = f"{bucket}/crowd/store"
    waiting, puts, refused = [start(url, "log:0.3") for _ in range(3)], [], 0
    while waiting:
        for process in list(waiting):
            if process.poll() is not None:
                waiting.remove(process)
                code, lines, error = finish(process)
                puts += [(int(line.split()[0]), process.pid) for line in lines]
                if code:
                    assert re.search(
                        r"expected to be the only writer, got the claim of .*, which still writes$", error
                    ), error
                    refused += 1
                    waiting.append(start(url, "log:0.3"))
        time.sleep(0.05)
    turns = [pid for index, (_, pid) in enumerate(sorted(puts)) if index == 0 or sorted(puts)[index - 1][1] != pid]
    assert len(turns) == len(set(turns)) == 1
    assert refused > 0
    assert objects(url) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_writer_on_s3_that_is_stopped_beyond_its_lease_changes_nothing_after_it_goes_on(bucket, uninterrupted, seed):
    url = f"{bucket}/stopped-{seed}/store"
    sleeper = start(url, "log:0.1")
    wait_for_a_claim(sleeper, url)
    time.sleep(np.random.default_rng(seed).uniform(0, 1.5))
    sleeper.send_signal(signal.SIGSTOP)
    other = start(url, "log:0.4")
    wait_for_another_put(other)
    sleeper.send_signal(signal.SIGCONT)
    code, _, error = finish(sleeper)
    assert code == 1
    assert re.search(r"which failed: this process was stopped|which took over", error), error
    assert finish(other)[0] == 0
    assert objects(url) == uninterrupted
    assert not claims(url)


def wait_for_another_put(process):
    """Wait until a process has written a block."""
    for line in process.stdout:
        if line.split()[1] == MARKER:
            return
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), [(METADATA, 1), (MARKER, 1), (MARKER, 4), (METADATA, 2)])
def test_a_put_on_s3_that_was_decided_before_the_take_over_undoes_no_commit(bucket, uninterrupted, name, number):
    url = f"{bucket}/late-{name.partition('/')[0]}-{number}/store"
    sleeper = start(url, f"stop:{name}:{number}")
    wait_until_stopped(sleeper)
    assert finish(start(url, "fill"))[0] == 0
    assert objects(url) == uninterrupted
    sleeper.send_signal(signal.SIGCONT)
    code, _, error = finish(sleeper)
    sealing = (name, number) == (METADATA, 2)  # which the other one has done, word by word
    assert code == (0 if sealing else 1)
    assert sealing or "which failed: this process was stopped" in error
    assert objects(url) == uninterrupted


@pytest.mark.slow
def test_a_block_on_s3_may_take_longer_than_the_lease(bucket, uninterrupted, short_lease):
    url = f"{bucket}/slow/store"
    process = start(url, f"log:{1.5 * LEASE}")
    wait_for_a_claim(process, url)
    with pytest.raises(StoreError, match="which still writes"):
        writer(url)
    code, lines, _ = finish(process)
    assert code == 0
    assert len(lines) > LAYOUT.blocks
    assert objects(url) == uninterrupted


@pytest.mark.slow
def test_s3_creates_a_claim_only_where_there_is_none(bucket):
    with writer(f"{bucket}/claimed/store"), pytest.raises(FileExistsError):
        fsspec.filesystem("s3").pipe_file(f"{bucket}/claimed/store.lock/1", b"another", mode="create")


@pytest.mark.slow
def test_a_missing_bucket_is_named(bucket):
    with pytest.raises(OSError, match=r"^s3://elsewhere/store: The specified bucket does not exist$"):
        writer("s3://elsewhere/store")
