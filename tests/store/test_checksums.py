"""Checksums of a store: whatever is done to one of its files is named, or changes nothing that is read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.writer_process import LAYOUT, block, fill, writer

from vae_mf.store.checksums import CHECKSUMS, DIGEST, header_digest
from vae_mf.store.sample_store import StoreError, open_store

BLOCKS = 3


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    path = tmp_path_factory.mktemp("unfinished") / "store"
    with writer(path) as store:
        for index in range(BLOCKS):
            store.write_block(index, *block(index))
    return path


def content(store):
    """Everything that a store says."""
    levels = range(len(LAYOUT.temperatures))
    rows = [store.packed(level).tobytes() for level in levels]
    scalars = [store.scalar(name, level).tobytes() for name in LAYOUT.scalars for level in levels]
    arrays = store.array("patterns").tobytes()
    sizes = store.sites, store.kind, store.blocks, store.rows_per_block, store.temperatures.tolist()
    return rows, scalars, arrays, sizes, store.attrs, store.diagnostics


def flipped(place):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << (place % 7)
        path.write_bytes(data)

    return damage


def swapped(path):
    """Put the next file of the folder in the place of this one, and this one in its place."""
    files = sorted(file for file in path.parent.iterdir() if file.is_file())
    other = files[(files.index(path) + 1) % len(files)]
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def of_another_temperature(path):
    other = Path(str(path).replace("T000", "T002"))
    path.write_bytes(other.read_bytes())


def another_number(path):
    """Change the last digit of a text, which stays as long as it was."""
    text = path.read_text(encoding="utf-8")
    place = max(k for k, letter in enumerate(text) if letter.isdigit())
    path.write_text(f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}", encoding="utf-8")


DAMAGES = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "first bit": flipped(0),
    "middle bit": flipped(41),
    "last bit": flipped(-1),
    "swapped": swapped,
    "of another temperature": of_another_temperature,
}


def files_of(path):
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())


def told(uninterrupted, place, name, damage):
    """The sentence about a damaged file of a copy of a store, None if everything that it says is as it was."""
    path = Path(shutil.copytree(uninterrupted, place / "store"))
    damage(path / name)
    try:
        assert content(open_store(path)) == content(open_store(uninterrupted))
    except StoreError as error:
        return str(error)
    finally:
        shutil.rmtree(path)
    return None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["T000/spins/c.1.0", "T000/energy/zarr.json", "system/patterns/c.0.0"])
def test_a_damaged_file_of_a_sealed_store_is_named(uninterrupted, tmp_path, name, damage):
    if damage == "of another temperature" and name != "T000/spins/c.1.0":
        pytest.skip("there it is the same file")
    assert name.rpartition("/")[0] in told(uninterrupted, tmp_path, name, DAMAGES[damage])


@pytest.mark.slow
def test_every_damage_of_every_file_of_a_sealed_store_is_named_or_harmless(uninterrupted, tmp_path):
    found = {}
    for name in files_of(uninterrupted):
        found |= {(str(name), what): told(uninterrupted, tmp_path, name, damage) for what, damage in DAMAGES.items()}
    assert sum(said is not None for said in found.values()) > 300
    # The marker and the table of blocks serve a store that is not finished; descriptions of groups say nothing, and
    # rows that are all zero are so at every temperature.
    spare = ("committed/", f"{CHECKSUMS}/", "system/zarr.json", "T000/zarr.json", "T001/zarr.json", "T002/zarr.json")
    unexplained = [
        (name, what)
        for (name, what), said in found.items()
        if said is None
        and not name.startswith(spare)
        and what != "of another temperature"
        and (name, what) != ("zarr.json", "swapped")  # alone in its folder
    ]
    assert not unexplained


def test_every_change_of_a_header_is_named(uninterrupted, tmp_path):
    path = Path(shutil.copytree(uninterrupted, tmp_path / "store"))
    file = path / "zarr.json"
    text = file.read_text(encoding="utf-8")
    end = text.index('"zarr_format"')
    places = [place for place, letter in enumerate(text[:end]) if letter.isalnum()]
    for place in places[:: len(places) // 100]:
        letter = "7" if text[place] != "7" else "8"
        file.write_text(f"{text[:place]}{letter}{text[place + 1 :]}", encoding="utf-8")
        with pytest.raises(StoreError):
            open_store(path)


@pytest.mark.parametrize("edit", ["temperatures", "sites", "rows_per_block", "attrs", "diagnostics", CHECKSUMS, DIGEST])
def test_an_edited_header_is_named(uninterrupted, tmp_path, edit):
    path = Path(shutil.copytree(uninterrupted, tmp_path / "store"))
    header = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    if edit == DIGEST:
        del header["attributes"][DIGEST]
    else:
        text = json.dumps(header["attributes"][edit])
        digit = next(letter for letter in text if letter.isdigit())
        header["attributes"][edit] = json.loads(text.replace(digit, "9" if digit != "9" else "8", 1))
    (path / "zarr.json").write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(StoreError, match=r"damaged: its header zarr\.json is not the one that it was sealed with"):
        open_store(path)


FORGERIES = {
    "sites": [None, "8", -1, 10**12],
    "temperatures": [None, 0.5, ["x"], []],
    "blocks": [None, 0, 10**12, 1.5],
    "rows_per_block": [None, [], 10**12],
    "scalars": [None, 3, {"energy": "object"}],
    "configurations": [None, {}, "words"],
    "arrays": [None, [], {"patterns": {}}],
    "attrs": [None, [], "x"],
    "diagnostics": [None, 3],
    "array_bytes": [None, [], {}],
    CHECKSUMS: [[], {"T009/spins": [1]}, {"T000/spins": ["x"]}],
}
"""Values that make no sense, under a header that agrees with its own digest; None for an entry that is absent."""


@pytest.mark.parametrize("entry", FORGERIES)
def test_a_header_that_describes_no_store_is_refused_though_its_digest_is_right(uninterrupted, tmp_path, entry):
    path = Path(shutil.copytree(uninterrupted, tmp_path / "store"))
    whole = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    for value in FORGERIES[entry]:
        forged = {key: old for key, old in whole["attributes"].items() if key != entry}
        forged |= {} if value is None else {entry: value}
        forged[DIGEST] = header_digest(forged)
        (path / "zarr.json").write_text(json.dumps(whole | {"attributes": forged}), encoding="utf-8")
        with pytest.raises(StoreError, match=r"is (damaged|truncated): ") as told:
            content(open_store(path))
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["T000/energy", "T001/spins", CHECKSUMS, "committed", "system/patterns"])
def test_edited_descriptions_of_arrays_of_an_unfinished_store_are_named(unfinished, tmp_path, name):
    path = Path(shutil.copytree(unfinished, tmp_path / "store"))
    file = path / name / "zarr.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    spare = ("attributes", "storage_transformers", "dimension_names")
    edits = [{key: said[key] for key in said if key != left} for left in said if left not in spare]
    for edited in (*edits, said | {"shape": [*said["shape"][:-1], 3]}):
        file.write_text(json.dumps(edited), encoding="utf-8")
        with pytest.raises(StoreError, match=rf"is damaged: {name} "):
            writer(path)


@pytest.mark.parametrize("damage", ["swapped", "of another temperature", "first bit", "last bit", "cut", "deleted"])
def test_damage_before_a_resumption_is_named(unfinished, tmp_path, damage):
    for name in ("T000/spins/c.1.0", "T000/energy/c.2", f"{CHECKSUMS}/c.1.0"):
        if name.startswith(CHECKSUMS) and damage == "of another temperature":
            continue
        path = Path(shutil.copytree(unfinished, tmp_path / "store"))
        DAMAGES[damage](path / name)
        with pytest.raises(StoreError, match=name.rpartition("/")[0]):
            writer(path)
        shutil.rmtree(path)


def test_blocks_that_change_places_whole_are_named_before_a_resumption(unfinished, tmp_path):
    path = Path(shutil.copytree(unfinished, tmp_path / "store"))
    for first in path.rglob("c.0*"):
        second = first.with_name(first.name.replace("c.0", "c.1", 1))
        if second.exists():
            mine, theirs = first.read_bytes(), second.read_bytes()
            first.write_bytes(theirs)
            second.write_bytes(mine)
    with pytest.raises(StoreError, match=rf"{CHECKSUMS} holds the rows of blocks \[1, 0, 2\]"):
        writer(path)


def without_checksums(path):
    """Make a store one of version 0.1."""
    shutil.rmtree(path / CHECKSUMS)
    header = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    for key in (CHECKSUMS, DIGEST):
        header["attributes"].pop(key, None)
    (path / "zarr.json").write_text(json.dumps(header), encoding="utf-8")
    return path


def test_a_store_without_checksums_is_read_with_a_remark(uninterrupted, tmp_path):
    path = without_checksums(Path(shutil.copytree(uninterrupted, tmp_path / "store")))
    store = open_store(path)
    assert content(store) == content(open_store(uninterrupted))
    assert "earlier version, without checksums" in store.remarks[0]
    assert open_store(uninterrupted).remarks == ()


def test_a_store_without_checksums_is_resumed_and_stays_without(unfinished, uninterrupted, tmp_path):
    path = without_checksums(Path(shutil.copytree(unfinished, tmp_path / "store")))
    fill(path)
    assert content(open_store(path))[:4] == content(open_store(uninterrupted))[:4]
    assert open_store(path).remarks


def test_verifying_reads_every_array(uninterrupted, tmp_path):
    open_store(uninterrupted).verify()
    path = Path(shutil.copytree(uninterrupted, tmp_path / "store"))
    swapped(path / "T001/energy/c.2")
    with pytest.raises(StoreError, match="T001/energy"):
        open_store(path).verify()


def test_rows_are_those_that_were_written(uninterrupted):
    store = open_store(uninterrupted)
    for index in range(LAYOUT.blocks):
        rows = slice(index * LAYOUT.rows_per_block, (index + 1) * LAYOUT.rows_per_block)
        spins, _ = block(index)
        np.testing.assert_array_equal(store.packed(1)[rows], spins[1])
