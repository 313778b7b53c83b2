"""A store in an object store keeps the promises of one on disk, and is the same, object by file."""

import os
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from helpers.files import tree
from helpers.writer_process import ATTRS, LAYOUT, PATTERNS, block, fill, writer

from vae_mf.packing import unpack_spins
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.plan import Sampling
from vae_mf.simulation import simulate
from vae_mf.store.remote import CREATING
from vae_mf.store.sample_store import StoreError, is_sealed, open_store, open_writer
from vae_mf.store.schema import METADATA
from vae_mf.systems.curie_weiss import CurieWeiss

PROCESS = Path(__file__).parents[1] / "helpers" / "writer_process.py"
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
def test_whichever_write_is_the_last_nothing_committed_is_lost(url, uninterrupted, dies, stride):
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
        if writes < sealing:
            with pytest.raises(
                StoreError, match=r"store\.lock: expected to be the only writer, got the claim of process"
            ):
                writer(url)
            delete(f"{url}.lock")
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


def test_a_second_writer_is_told_who_holds_the_claim_and_what_to_delete(url):
    with writer(url) as store:
        with pytest.raises(StoreError) as refusal:
            writer(url)
        store.write_block(0, *block(0))
    assert refusal.match(
        rf"^{url}\.lock: expected to be the only writer, got the claim of process {os.getpid()} on \S+ since \S+, \S+; "
        "if that writer is dead, delete this object and run the same command again$"
    )
    with writer(url) as store:
        assert store.committed == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_writer_without_its_claim_writes_nothing_more_and_leaves_the_claim_of_another(url, replaced):
    with writer(url) as store:
        store.write_block(0, *block(0))
        before = objects(url)
        delete(f"{url}.lock")
        if replaced:
            put(f"{url}.lock", b"another one")
        with pytest.raises(StoreError, match="expected an open writer, got one that was closed or has lost its lock"):
            store.write_block(1, *block(1))
        assert objects(url) == before
    assert MEMORY.exists("/bucket/store.lock") == replaced


def test_of_two_that_come_at_once_the_conditional_creation_lets_one_in(url, monkeypatch):
    first = writer(url)
    exists, early = MemoryFileSystem.exists, iter([False])
    monkeypatch.setattr(MemoryFileSystem, "exists", lambda self, path: next(early, True) and exists(self, path))
    with pytest.raises(StoreError, match="got the claim of process"):
        writer(url)
    assert first._lock.is_locked


def test_a_driver_without_conditional_creation_still_refuses_a_late_writer(url, monkeypatch):
    pipe = MemoryFileSystem.pipe_file
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda self, path, value, **_: pipe(self, path, value))
    with writer(url), pytest.raises(StoreError, match="got the claim of process"):
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
    """A bucket of a server that speaks the protocol of S3: `pip install s3fs 'moto[server]'`."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "anything")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3", use_listings_cache=False).mkdir("bucket")
        yield "s3://bucket"
    server.stop()


def start(url, mode):
    return subprocess.Popen([sys.executable, str(PROCESS), url, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.slow
def test_killed_writers_on_s3_lose_no_committed_row_and_resume_to_the_same_objects(bucket, uninterrupted):
    filesystem = fsspec.filesystem("s3", use_listings_cache=False)
    rng = np.random.default_rng(0)
    url, marks, code = f"{bucket}/killed/store", [0], None
    while code != 0:
        process = start(url, "fill")
        while process.poll() is None and not filesystem.exists(f"{url}.lock"):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2 * len(marks)))
        process.kill()
        code = process.wait(60)
        samples = {name: data for name, data in objects(url).items() if name not in (METADATA, CREATING, MARKER)}
        assert samples.items() <= uninterrupted.items()
        if filesystem.exists(f"{url}.lock"):
            if not is_sealed(url):
                with pytest.raises(StoreError, match="got the claim of process"):
                    writer(url)
            filesystem.rm_file(f"{url}.lock")
        with writer(url) as store:
            marks.append(store.committed)
    assert objects(url) == uninterrupted
    assert marks == sorted(marks)
    assert len(marks) > 5


@pytest.mark.slow
def test_s3_creates_a_claim_only_where_there_is_none(bucket):
    with writer(f"{bucket}/claimed/store"), pytest.raises(FileExistsError):
        fsspec.filesystem("s3").pipe_file(f"{bucket}/claimed/store.lock", b"another", mode="create")


@pytest.mark.slow
def test_a_missing_bucket_is_named(bucket):
    with pytest.raises(OSError, match=r"^s3://elsewhere/store: The specified bucket does not exist$"):
        writer("s3://elsewhere/store")
