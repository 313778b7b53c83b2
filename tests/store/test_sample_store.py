"""The promises of a sample store: what was committed stays, what is damaged or different is named."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers.files import tree
from helpers.writer_process import ATTRS, LAYOUT, PATTERNS, block, fill, writer
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore

from vae_mf.packing import unpack_spins
from vae_mf.store.sample_store import StoreError, StoreLayout, is_sealed, open_store, open_writer

PROCESS = Path(__file__).parents[1] / "helpers" / "writer_process.py"
ARRAYS = {"patterns": PATTERNS}


def start(path, mode):
    command = [sys.executable, str(PROCESS), str(path), mode]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def expected_rows(blocks):
    """All packed spins and scalars of the first blocks, by temperature."""
    packed, scalars = zip(*(block(index) for index in range(blocks)), strict=True)
    return np.concatenate(packed, 1), {name: np.concatenate([s[name] for s in scalars], 1) for name in LAYOUT.scalars}


def assert_holds(store, blocks):
    assert (store.blocks, store.rows) == (blocks, blocks * LAYOUT.rows_per_block)
    if blocks == 0:
        assert store.spins(0).shape == (0, LAYOUT.sites)
        return
    packed, scalars = expected_rows(blocks)
    for t in range(3):
        np.testing.assert_array_equal(store.packed(t), packed[t])
        np.testing.assert_array_equal(store.spins(t), unpack_spins(packed[t], LAYOUT.sites))
        for name, values in scalars.items():
            np.testing.assert_array_equal(store.scalar(name, t), values[t])
            assert store.scalar(name, t).dtype == LAYOUT.scalars[name]


@pytest.fixture
def sealed(uninterrupted, tmp_path):
    return Path(shutil.copytree(uninterrupted, tmp_path / "store"))


@pytest.fixture
def fail_after(monkeypatch):
    """Let the disk be full after a number of writes; None makes room again."""
    left: list[int | None] = [None]

    def spend():
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")

    def limit(owner, name):
        original = getattr(owner, name)

        def write(self, *args):
            spend()
            return original(self, *args)

        monkeypatch.setattr(owner, name, write)

    limit(Path, "write_bytes")
    limit(LocalStore, "set")
    if hasattr(LocalStore, "set_sync"):
        limit(LocalStore, "set_sync")
    return lambda writes: left.__setitem__(0, writes)


def test_a_sealed_store_returns_everything_that_was_written(uninterrupted):
    store = open_store(str(uninterrupted))
    assert_holds(store, LAYOUT.blocks)
    assert store.temperatures.tolist() == [1.5, 2.25, 3.0]
    assert (store.sites, store.rows_per_block, store.path) == (13, 6, str(uninterrupted))
    assert (store.attrs, store.scalar_names) == (ATTRS, ("energy", "basin"))
    assert store.diagnostics == {"rhat": [1.0, 1.01, None]}
    np.testing.assert_array_equal(store.array("patterns"), PATTERNS)
    assert store.array("patterns").dtype == np.int8


def test_other_zarr_readers_find_plain_arrays_and_no_chunk_is_left_out(uninterrupted):
    root = zarr.open_group(uninterrupted, mode="r")
    np.testing.assert_array_equal(root["T001/energy"][:], expected_rows(LAYOUT.blocks)[1]["energy"][1])
    assert root["T001"].attrs["temperature"] == 2.25
    assert len(list((uninterrupted / "T001/energy").glob("c.*"))) == LAYOUT.blocks
    codecs = json.loads((uninterrupted / "T001/spins/zarr.json").read_text())["codecs"]
    assert [codec["name"] for codec in codecs] == ["bytes", "zstd", "crc32c"]


@settings(max_examples=12, deadline=None)
@given(
    sites=st.integers(1, 20),
    temperatures=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=3, unique=True),
    blocks=st.integers(1, 3),
    rows_per_block=st.integers(1, 5),
    dtype=st.sampled_from(["f4", "f8", "i1", "i8", "u2", "bool"]),
    cut=st.integers(0, 3),
)
def test_any_layout_survives_writing_closing_resuming_and_reading(
    sites, temperatures, blocks, rows_per_block, dtype, cut
):
    layout = StoreLayout(sites, tuple(temperatures), blocks, rows_per_block, {"value": dtype})
    written = [block(index + 1, layout) for index in range(blocks)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "store"
        for stop in (min(cut, blocks), blocks):
            with open_writer(path, layout, {}) as store:
                for index in range(store.committed, stop):
                    store.write_block(index, *written[index])
        with open_writer(path, layout, {}) as store:
            store.seal({})
        store = open_store(path)
        assert store.temperatures.tolist() == temperatures
        for t in range(len(temperatures)):
            rows = np.concatenate([spins[t] for spins, _ in written])
            np.testing.assert_array_equal(store.packed(t), rows)
            np.testing.assert_array_equal(store.spins(t), unpack_spins(rows, sites))
            values = store.scalar("value", t)
            assert values.dtype == dtype
            np.testing.assert_array_equal(values, np.concatenate([scalars["value"][t] for _, scalars in written]))


def test_a_resumed_store_is_the_uninterrupted_one_bit_for_bit(tmp_path, uninterrupted):
    path = tmp_path / "store"
    with writer(path) as store:
        for index in range(3):
            store.write_block(index, *block(index))
    (path / "T000" / "spins" / "c.3.abc.partial").write_bytes(b"half")
    with writer(path) as store:
        assert store.committed == 3
    fill(path)
    assert tree(path) == tree(uninterrupted)


def test_the_writer_shows_what_is_committed_and_only_that(tmp_path):
    with writer(tmp_path / "store") as store:
        assert_holds(store.read(), 0)
        for index in range(2):
            store.write_block(index, *block(index))
        view = store.read()
        assert_holds(view, 2)
        np.testing.assert_array_equal(view.array("patterns"), PATTERNS)
        assert view.diagnostics == {}


def test_killed_writers_lose_no_committed_row_and_resume_to_the_same_bits(tmp_path, uninterrupted):
    path = tmp_path / "store"
    rng = np.random.default_rng(0)
    marks = []
    for writes in [6, *rng.integers(5, 28, size=6)]:
        process = start(path, f"kill:{writes}:{rng.uniform(0, 0.04):.3f}")
        assert process.wait(60) == -signal.SIGKILL
        if writes == 6:
            assert [file.name for file in tmp_path.glob("store.c*")] == ["store.creating"]
            assert not path.exists()
            continue
        shape = zarr.open_array(path, path="T000/energy", mode="r").shape
        assert shape == (LAYOUT.rows,)
        assert not is_sealed(path)
        with pytest.raises(StoreError, match=r"is not finished: \d of 8 blocks; run the same command again"):
            open_store(path)
        with writer(path) as store:
            marks.append(store.committed)
            assert_holds(store.read(), store.committed)
    assert marks == sorted(marks)
    assert 0 < marks[-1] < LAYOUT.blocks
    assert start(path, "fill").wait(60) == 0
    assert tree(path) == tree(uninterrupted)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store", "store.lock"]


@pytest.mark.parametrize("writes", [0, 1, 7, 16])
def test_a_writer_stopped_while_creating_leaves_nothing_in_the_way(tmp_path, uninterrupted, fail_after, writes):
    path = tmp_path / "store"
    fail_after(writes)
    with pytest.raises(OSError, match=r"No space left on device: .*store.$"):
        writer(path)
    fail_after(None)
    assert not path.exists()
    assert not is_sealed(path)
    other = tmp_path / "store.creating" / "T009" / "zarr.json"
    other.parent.mkdir(parents=True)
    other.write_text("of another layout")
    fill(path)
    assert tree(path) == tree(uninterrupted)


@pytest.mark.parametrize("writes", range(10))
def test_a_full_disk_raises_oserror_and_commits_nothing(tmp_path, uninterrupted, fail_after, writes):
    path = tmp_path / "store"
    with writer(path) as store:
        store.write_block(0, *block(0))
        fail_after(writes)
        with pytest.raises(OSError, match=r"No space left on device: .*store.$") as caught:
            store.write_block(1, *block(1))
        fail_after(None)
        assert caught.value.errno == errno.ENOSPC
        assert store.committed == 1
    with writer(path) as store:
        assert store.committed == 1
        store.write_block(1, *block(1))
    fill(path)
    assert tree(path) == tree(uninterrupted)


def test_a_full_disk_leaves_the_store_unsealed(tmp_path, uninterrupted, fail_after):
    path = tmp_path / "store"
    with writer(path) as store:
        for index in range(LAYOUT.blocks):
            store.write_block(index, *block(index))
        fail_after(0)
        with pytest.raises(OSError, match=r"No space left on device: .*store.$"):
            store.seal({"rhat": [1.0, 1.01, float("nan")]})
        fail_after(None)
        assert not store.sealed
        assert not is_sealed(path)
        store.seal({"rhat": [1.0, 1.01, float("nan")]})
    assert tree(path) == tree(uninterrupted)


def test_a_second_writer_is_refused_while_the_first_is_open(tmp_path):
    path = tmp_path / "store"
    process = start(path, "hold")
    assert process.stdout.readline() == "open\n"
    with pytest.raises(StoreError, match="expected to be the only writer"):
        writer(path)
    process.communicate("")
    assert process.returncode == 0
    with writer(path), pytest.raises(StoreError, match="expected to be the only writer"):
        writer(path)
    with writer(path) as store:
        assert store.committed == 0


def test_a_closed_writer_writes_nothing(tmp_path):
    with writer(tmp_path / "store") as store:
        pass
    before = tree(tmp_path / "store")
    with pytest.raises(StoreError, match="expected an open writer"):
        store.write_block(0, *block(0))
    assert tree(tmp_path / "store") == before


def test_a_sealed_store_has_nothing_left_to_write(sealed):
    before = tree(sealed)
    with writer(sealed) as store:
        assert store.sealed
        assert store.committed == LAYOUT.blocks
        with pytest.raises(ValueError, match="expected 8 of 8 blocks, got 8"):
            store.write_block(8, *block(8))
        with pytest.raises(StoreError, match="got a sealed store"):
            store.seal({})
    assert tree(sealed) == before


def test_sealing_needs_all_blocks(tmp_path):
    with writer(tmp_path / "store") as store:
        store.write_block(0, *block(0))
        with pytest.raises(StoreError, match="expected 8 blocks not yet sealed, got 1"):
            store.seal({})
    assert not is_sealed(tmp_path / "store")


def test_is_sealed_tells_absent_empty_and_finished_apart(tmp_path, uninterrupted):
    (tmp_path / "empty").mkdir()
    assert not is_sealed(tmp_path / "absent")
    assert not is_sealed(tmp_path / "empty")
    assert is_sealed(uninterrupted)
    with pytest.raises(StoreError, match="got nothing there"):
        open_store(tmp_path / "absent")


def test_an_empty_folder_becomes_a_store(tmp_path, uninterrupted):
    path = tmp_path / "store"
    path.mkdir()
    fill(path)
    assert tree(path) == tree(uninterrupted)


@pytest.mark.parametrize(
    "file", ["T002/spins/c.4.0", "T000/energy/c.0", "T001/basin/zarr.json", "system/patterns/c.0.0"]
)
def test_a_missing_file_is_reported_by_name(sealed, file):
    intact = open_store(sealed)
    (sealed / file).unlink()
    with pytest.raises(StoreError, match=f"truncated: expected the file {file}, got none"):
        open_store(sealed)
    with pytest.raises(StoreError, match="truncated"):
        [intact.packed(2), intact.scalar("energy", 0), intact.scalar("basin", 1), intact.array("patterns")]


def test_a_short_file_is_reported_on_opening(sealed):
    file = sealed / "T001/energy/c.2"
    size = file.stat().st_size
    os.truncate(file, size - 1)
    with pytest.raises(StoreError, match=r"truncated: T001/energy: expected \d+ bytes, got \d+"):
        open_store(sealed)


@pytest.mark.parametrize("position", [0, 8, -1])
def test_a_flipped_bit_is_reported_on_reading_and_names_the_array(sealed, position):
    for file in ("T001/spins/c.3.0", "T001/energy/c.2", "system/patterns/c.0.0"):
        data = bytearray((sealed / file).read_bytes())
        data[position] ^= 1
        (sealed / file).write_bytes(data)
    store = open_store(sealed)
    with pytest.raises(StoreError, match="damaged: T001/spins does not match its checksum"):
        store.spins(1)
    with pytest.raises(StoreError, match="damaged: T001/energy does not match its checksum"):
        store.scalar("energy", 1)
    with pytest.raises(StoreError, match="damaged: system/patterns does not match its checksum"):
        store.array("patterns")
    np.testing.assert_array_equal(store.packed(0), expected_rows(LAYOUT.blocks)[0][0])


@pytest.mark.parametrize("part", ["T000", "T001/energy"])
def test_an_unfinished_store_is_not_gone_on_with_through_a_link(tmp_path, part):
    path = tmp_path / "sent.zarr"
    with writer(path) as store:
        store.write_block(0, *block(0))
    (path / part).rename(tmp_path / "mine")
    (path / part).symlink_to(tmp_path / "mine")
    before = tree(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"{part}: expected a folder, got a link to .*mine: remove the link"):
        fill(path)
    assert tree(tmp_path / "mine") == before


def test_a_lost_or_damaged_committed_chunk_stops_resuming(tmp_path):
    path = tmp_path / "store"
    with writer(path) as store:
        for index in range(2):
            store.write_block(index, *block(index))
    (path / "T000/spins/c.1.0").unlink()
    with pytest.raises(StoreError, match=r"truncated: expected the file T000/spins/c.1.0"):
        writer(path)
    (path / "committed/c").write_bytes(b"")
    with pytest.raises(StoreError, match="damaged: committed"):
        writer(path)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
@pytest.mark.parametrize("file", ["T000/spins/c.1.0", "T002/energy/c.0", "system/patterns/c.0.0"])
def test_a_store_is_not_resumed_on_damaged_rows(tmp_path, file, damage):
    path = tmp_path / "store"
    with writer(path) as store:
        for index in range(2):
            store.write_block(index, *block(index))
    (path / file).write_bytes(damage((path / file).read_bytes()))
    before = tree(path)
    with pytest.raises(StoreError, match=f"damaged: {file.rpartition('/')[0]} does not match its checksum"):
        writer(path)
    assert tree(path) == before


def test_a_sealed_store_is_found_again_by_many_at_once_and_without_any_right_to_write(sealed, fail_after):
    fail_after(0)
    with writer(sealed) as first, writer(sealed) as second:
        assert first.sealed
        assert second.sealed
    assert [file.name for file in sealed.parent.iterdir()] == ["store"]


def foreign_file(path):
    path.write_text("mine")


def foreign_folder(path):
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


def foreign_group(path):
    zarr.create_group(path, attributes={"schema": "other"})


def foreign_array(path):
    zarr.create_array(path, shape=(2,), dtype="i4")[:] = 1


def foreign_text(path):
    path.mkdir()
    (path / "zarr.json").write_text("{mine")


@pytest.mark.parametrize("make", [foreign_file, foreign_folder, foreign_group, foreign_array, foreign_text])
def test_what_is_not_a_store_is_refused_and_left_alone(tmp_path, make):
    path = tmp_path / "store"
    make(path)
    before = tree(tmp_path)
    for use in (writer, is_sealed, open_store):
        with pytest.raises(StoreError, match="something else, which is left alone"):
            use(path)
    assert tree(tmp_path) == before


def test_another_schema_version_is_refused(sealed):
    header = json.loads((sealed / "zarr.json").read_text())
    header["attributes"]["schema_version"] = 2
    (sealed / "zarr.json").write_text(json.dumps(header))
    for use in (writer, is_sealed, open_store):
        with pytest.raises(StoreError, match="expected schema_version 1, got 2"):
            use(sealed)


@pytest.mark.parametrize(
    ("layout", "attrs", "arrays", "message"),
    [
        (replace(LAYOUT, sites=14), ATTRS, ARRAYS, "sites: expected 13, got 14"),
        (replace(LAYOUT, temperatures=(1.5, 2.0)), ATTRS, ARRAYS, r"temperatures: expected \[1.5, 2.25, 3.0\], got"),
        (replace(LAYOUT, blocks=9), ATTRS, ARRAYS, "blocks: expected 8, got 9"),
        (replace(LAYOUT, rows_per_block=5), ATTRS, ARRAYS, "rows_per_block: expected 6, got 5"),
        (replace(LAYOUT, scalars={"energy": "f8"}), ATTRS, ARRAYS, "scalars.basin: expected 'int64', got 'nothing'"),
        (LAYOUT, ATTRS | {"seed": 8}, ARRAYS, "attrs.seed: expected 7, got 8"),
        (LAYOUT, ATTRS | {"versions": {"numpy": "y"}}, ARRAYS, "attrs.versions.numpy: expected 'x', got 'y'"),
        (LAYOUT, ATTRS | {"more": 1}, ARRAYS, "attrs.more: expected 'nothing', got 1"),
        (LAYOUT, ATTRS, {"patterns": -PATTERNS}, "arrays.patterns.sha256: expected"),
        (LAYOUT, ATTRS, {}, "arrays.patterns: expected .* got 'nothing'"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_a_store_of_other_samples_names_the_first_difference(
    tmp_path, uninterrupted, layout, attrs, arrays, message, finished
):
    path = tmp_path / "store"
    if finished:
        shutil.copytree(uninterrupted, path)
    else:
        writer(path).close()
    before = tree(path)
    with pytest.raises(StoreError) as refusal:
        open_writer(path, layout, attrs, arrays)
    assert tree(path) == before
    with writer(path) as store:
        assert store.sealed == finished
    assert refusal.match(f"holds other samples: {message}")


def test_spellings_of_the_same_request_match(tmp_path):
    writer(tmp_path / "store").close()
    layout = replace(LAYOUT, scalars={"basin": "int64", "energy": "float64"})
    with open_writer(tmp_path / "store", layout, ATTRS | {"chains": (2, 3)}, ARRAYS) as store:
        assert store.committed == 0


def test_blocks_of_the_wrong_index_name_shape_or_dtype_are_refused(tmp_path):
    spins, scalars = block(1)
    with writer(tmp_path / "store") as store:
        before = tree(tmp_path / "store")
        for index, packed, values, message in [
            (1, spins, scalars, "index: expected 0 of 8 blocks, got 1"),
            (
                0,
                spins[:2],
                {n: v[:2] for n, v in scalars.items()},
                r"spins: expected uint8 \(3, 6, 2\), got uint8 \(2, 6, 2\)",
            ),
            (0, spins[:, :5], {n: v[:, :5] for n, v in scalars.items()}, r"spins: expected uint8 \(3, 6, 2\)"),
            (0, spins.astype(np.int8), scalars, "spins: expected uint8 .*, got int8"),
            (0, spins, scalars | {"energy": scalars["energy"].astype("f4")}, "energy: expected float64 .* float32"),
            (0, spins, {"energy": scalars["energy"]}, r"scalars: expected \['energy', 'basin'\], got \['energy'\]"),
            (0, spins, scalars | {"extra": scalars["energy"]}, "scalars: expected .* 'extra'"),
        ]:
            with pytest.raises(ValueError, match=message):
                store.write_block(index, packed, values)
        assert tree(tmp_path / "store") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": 0}, "sites: expected an integer >= 1, got 0"),
        ({"temperatures": (1.0, 1.0)}, "temperatures: expected at least one and no duplicates"),
        ({"scalars": {"spins": "f8"}}, "identifiers other than 'spins', got 'spins'"),
        ({"scalars": {"a/b": "f8"}}, "identifiers .* got 'a/b'"),
        ({"scalars": {"energy": "U3"}}, "scalars.energy: expected a boolean, integer or float dtype"),
        ({"scalars": {"energy": "real"}}, "scalars.energy: expected a NumPy dtype, got 'real'"),
    ],
)
def test_layouts_that_cannot_be_stored_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(LAYOUT, **change)


def test_attributes_that_are_not_json_and_arrays_that_are_not_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"attrs: expected JSON values, got one that is not: .* int64"):
        open_writer(tmp_path / "store", LAYOUT, {"seed": np.int64(1)})
    with pytest.raises(ValueError, match=r"arrays.patterns: expected a boolean, integer or float"):
        open_writer(tmp_path / "store", LAYOUT, {}, {"patterns": np.array(["a"])})
    with pytest.raises(ValueError, match=r"arrays.patterns: expected at least one entry"):
        open_writer(tmp_path / "store", LAYOUT, {}, {"patterns": np.zeros((0, 13))})
    assert list(tmp_path.iterdir()) == []


def test_questions_a_store_cannot_answer_are_refused(uninterrupted, without_type_checks):
    store = open_store(uninterrupted)
    for ask, message in [
        (lambda: store.spins(3), "level: expected an index from 0 to 2, got 3"),
        (lambda: store.packed(-1), "level: expected an index from 0 to 2, got -1"),
        (
            lambda: store.spins(1.5),
            r"level: expected an index from 0 to 2, got 1.5; the temperatures are \[1.5, 2.25, 3.0\]",
        ),
        (lambda: store.scalar("energy", "a"), "level: expected an index from 0 to 2, got 'a'"),
        (lambda: store.spins(True), "level: expected an index from 0 to 2, got True"),
        (lambda: store.scalar("spins", 0), "name: expected one of energy, basin, got 'spins'"),
        (lambda: store.array("fields"), "name: expected patterns, got 'fields'"),
    ]:
        with pytest.raises(ValueError, match=message):
            ask()


def test_a_path_without_a_store_is_told_from_what_was_meant(tmp_path, uninterrupted, without_type_checks):
    shutil.copytree(uninterrupted, tmp_path / "data" / "ising.zarr")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    (tmp_path / "rows.npy").touch()
    for path, message in [
        (tmp_path / "data" / "isng.zarr", f"got nothing there: did you mean {tmp_path}/data/ising.zarr?"),
        (tmp_path / "data", f"left alone: it holds stores, such as {tmp_path}/data/ising.zarr"),
        (tmp_path / "run", "left alone: it is a run, which vae_mf.load opens"),
        (tmp_path / "rows.npy", "got something else, which is left alone"),
    ]:
        with pytest.raises(StoreError, match=f"{re.escape(message)}$"):
            open_store(path)
    for path in (None, 3, "", open_store(uninterrupted)):
        with pytest.raises(ValueError, match="path: expected a path, got "):
            open_store(path)


def test_a_store_is_shown_in_a_line(uninterrupted, tmp_path):
    with open_writer(tmp_path / "store", LAYOUT, {"system": "ising2d", "chains": 4, "draws": 5}) as writer:
        drawn = f"ising2d: {LAYOUT.sites} spins, 4 chains x 5 draws at T = [1.5, 2.25, 3.0]"
        assert repr(writer.read()) == f"SampleStore({drawn}, unknown ensemble, '{tmp_path}/store')"
    assert "unknown: " in repr(open_store(uninterrupted))
