"""A store of directors keeps the promises of a store of spins, and neither passes for the other."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.files import tree
from helpers.writer_process import ATTRS, LAYOUT, fill, writer

from vae_mf.store.sample_store import StoreError, StoreLayout, open_store, open_writer

DIRECTORS = StoreLayout(5, (0.2, 0.3), blocks=3, rows_per_block=4, scalars={"energy": "f8"}, kind="directors")


def block(index):
    rng = np.random.default_rng(index)
    directors = rng.normal(size=(2, 4, 5, 3)).astype(np.float32)
    return directors / np.linalg.norm(directors, axis=-1, keepdims=True), {"energy": rng.normal(size=(2, 4))}


def fill_directors(path, blocks=3):
    with open_writer(path, DIRECTORS, {}) as store:
        for index in range(store.committed, blocks):
            store.write_block(index, *block(index))
        if blocks == DIRECTORS.blocks:
            store.seal({})


def test_directors_come_back_bit_for_bit_after_a_resume(tmp_path):
    fill_directors(tmp_path / "store", blocks=1)
    with pytest.raises(StoreError, match="is not finished: 1 of 3 blocks"):
        open_store(tmp_path / "store")
    fill_directors(tmp_path / "store")
    fill_directors(tmp_path / "whole")
    assert tree(tmp_path / "store") == tree(tmp_path / "whole")
    store = open_store(tmp_path / "store")
    assert (store.kind, store.sites, store.rows) == ("directors", 5, 12)
    for t in range(2):
        directors = store.directors(t)
        assert directors.dtype == np.float32
        np.testing.assert_array_equal(directors, np.concatenate([block(index)[0][t] for index in range(3)]))
        np.testing.assert_array_equal(
            store.scalar("energy", t), np.concatenate([block(index)[1]["energy"][t] for index in range(3)])
        )


def test_one_chunk_per_block_is_kept_and_checked(tmp_path):
    path = tmp_path / "store"
    fill_directors(path)
    assert sorted(file.name for file in (path / "T000/directors").glob("c.*")) == [f"c.{i}.0.0" for i in range(3)]
    damaged = path / "T001/directors/c.1.0.0"
    data = bytearray(damaged.read_bytes())
    data[9] ^= 1
    damaged.write_bytes(data)
    store = open_store(path)
    with pytest.raises(StoreError, match="damaged: T001/directors does not match its checksum"):
        store.directors(1)
    damaged.unlink()
    with pytest.raises(StoreError, match=r"truncated: expected the file T001/directors/c.1.0.0, got none"):
        open_store(path)


def test_spins_and_directors_are_not_taken_for_each_other(tmp_path):
    fill_directors(tmp_path / "directors")
    fill(tmp_path / "spins")
    nematic, magnet = open_store(tmp_path / "directors"), open_store(tmp_path / "spins")
    assert magnet.kind == "spins"
    for ask in (nematic.spins, nematic.packed):
        with pytest.raises(ValueError, match="expected a store of spins, got one of directors"):
            ask(0)
    with pytest.raises(ValueError, match="expected a store of directors, got one of spins"):
        magnet.directors(0)


def test_directors_of_the_wrong_shape_or_dtype_are_refused(tmp_path):
    directors, scalars = block(0)
    with open_writer(tmp_path / "store", DIRECTORS, {}) as store:
        for values, got in [
            (directors.astype(np.float64), r"float64 \(2, 4, 5, 3\)"),
            (directors[..., :2], r"float32 \(2, 4, 5, 2\)"),
            (directors[:1], r"float32 \(1, 4, 5, 3\)"),
            (np.zeros((2, 4, 1), np.uint8), r"uint8 \(2, 4, 1\)"),
        ]:
            with pytest.raises(ValueError, match=rf"directors: expected float32 \(2, 4, 5, 3\), got {got}"):
                store.write_block(0, values, {"energy": scalars["energy"][: len(values)]})
        with pytest.raises(ValueError, match=r"scalars: expected \['energy'\], got \[\]"):
            store.write_block(0, directors, {})
        assert store.committed == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tensors"}, "kind: expected one of spins, directors, got 'tensors'"),
        ({"scalars": {"directors": "f8"}}, "identifiers other than 'directors', got 'directors'"),
    ],
)
def test_layouts_that_cannot_be_stored_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(DIRECTORS, **change)


def test_a_store_of_one_kind_is_not_resumed_as_the_other(tmp_path):
    path = tmp_path / "store"
    writer(path).close()
    before = tree(path)
    with pytest.raises(StoreError, match="holds other samples: configurations: expected 'spins', got 'directors'"):
        open_writer(path, replace(LAYOUT, kind="directors"), ATTRS)
    assert tree(path) == before
