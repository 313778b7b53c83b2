"""Files appear whole or not at all; a folder has one process at a time."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from vae_mf.files import (
    LOCK,
    again_of,
    matching,
    only_one,
    put_in_place,
    replacing,
    require_unchanged,
    require_unlinked,
    write_sealed,
    write_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("content", "found"), [("β ≥ 1\n", "β ≥ 1\n".encode()), (b"\r\n\0", b"\r\n\0")], ids=repr)
def test_a_file_holds_what_was_written_and_nothing_lies_beside_it(tmp_path, content, found):
    write_whole(tmp_path / "new" / "a.txt", "before")
    write_whole(tmp_path / "new" / "a.txt", content)
    assert (tmp_path / "new" / "a.txt").read_bytes() == found
    assert names(tmp_path / "new") == ["a.txt"]


def test_an_error_while_writing_leaves_the_former_file_alone(tmp_path):
    write_whole(tmp_path / "a", "before")

    def write_half():
        with replacing(tmp_path / "a") as place:
            place.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_kill_before_the_rename_leaves_the_former_file_and_the_next_writer_clears_up(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", "before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda source, _: os.link(source, tmp_path / "seen"))
        write_whole(tmp_path / "a", "after")
    assert (tmp_path / "seen").read_text() == "after"
    assert (tmp_path / "a").read_text() == "before"
    (tmp_path / "a.partial").write_text("half")
    write_whole(tmp_path / "a", "after")
    assert (tmp_path / "a").read_text() == "after"
    assert names(tmp_path) == ["a", "seen"]


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path):
    other = FileLock(tmp_path / LOCK, thread_local=False)
    said = []
    with only_one(tmp_path, said.append), pytest.raises(Timeout):
        other.acquire(blocking=False)
    assert said == []
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(other.acquire).result()
        threading.Timer(0.3, other.release).start()
        with only_one(tmp_path, said.append):
            assert not other.is_locked
    assert said == [f"waiting for another process that works on {tmp_path}"]
    other.acquire(blocking=False)
    other.release()


def filled(folder, **contents):
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return folder


def test_a_folder_is_replaced_as_a_whole_once_it_is_complete(tmp_path):
    folder = filled(tmp_path / "run", metrics="old", verdict="old")
    again = filled(again_of(folder), weights="new")
    put_in_place(folder, "metrics")
    assert names(folder) == ["metrics", "verdict"]
    (again / "metrics").write_text("new")
    put_in_place(folder, "metrics")
    assert {name: (folder / name).read_text() for name in names(folder)} == {"metrics": "new", "weights": "new"}
    assert names(tmp_path) == ["run"]
    put_in_place(folder, "metrics")
    assert names(folder) == ["metrics", "weights"]


@pytest.mark.parametrize("step", ["the former folder is away", "its remains lie there"])
def test_a_replacement_that_was_killed_is_completed(tmp_path, step):
    folder = tmp_path / "run"
    former = filled(folder.with_name(".run.former"), metrics="old")
    if step == "its remains lie there":
        filled(folder, metrics="old")
        former.joinpath("metrics").unlink()
    filled(again_of(folder), metrics="new")
    put_in_place(folder, "metrics")
    assert (folder / "metrics").read_text() == "new"
    assert names(tmp_path) == ["run"]


def test_a_folder_that_is_made_again_is_not_matched_by_globs(tmp_path):
    again_of(tmp_path / "run-1").mkdir()
    assert glob(f"{tmp_path}/*") == glob(f"{tmp_path}/run-*") == []


def test_brackets_of_a_folder_that_exists_are_no_pattern_and_others_are(tmp_path):
    for name in ("out [v2]/run-1", "out [v2]/run-2", "out 2", "*"):
        (tmp_path / name).mkdir(parents=True)
    for pattern, found in {
        "out [v2]": ["out [v2]"],
        "out [v2]/run-*": ["run-1", "run-2"],
        "out [v2]/run-[2-9]": ["run-2"],
        "out [0-9]": ["out 2"],
        "*": ["*"],
        "**/run-1": ["run-1"],
        "out [v3]/*": [],
    }.items():
        assert names_of(matching(tmp_path / pattern)) == found, pattern


def names_of(paths):
    return sorted(path.name for path in paths)


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_made(tmp_path):
    with (
        pytest.raises(ValueError, match="folder: expected a path in utf-8"),
        only_one(tmp_path / "gr\udcf6sse" / "run"),
    ):
        pass
    assert not names(tmp_path)


def test_what_is_written_never_goes_through_a_link_that_lies_in_the_way(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine", encoding="utf-8")
    for way in (Path.symlink_to, Path.hardlink_to):
        way(tmp_path / "table.csv.partial", mine)
        write_whole(tmp_path / "table.csv", "a,b")
        assert mine.read_text(encoding="utf-8") == "mine"
        assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "a,b"


def test_a_linked_folder_is_replaced_twice_and_what_it_led_to_stays(tmp_path):
    kept = tmp_path / "scratch" / "last"
    write_whole(kept, "old")
    run = tmp_path / "run"
    run.symlink_to(kept.parent)
    for number in range(2):
        write_whole(again_of(run) / "last", str(number))
        put_in_place(run, "last")
        assert (run / "last").read_text(encoding="utf-8") == str(number)
    assert kept.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "scratch"]


def test_a_link_inside_a_folder_is_named(tmp_path):
    (tmp_path / "figures").symlink_to(tmp_path / "thesis")
    require_unlinked(tmp_path / "tables")
    with pytest.raises(ValueError, match=r"figures: expected a folder, got a link to .*thesis: remove the link"):
        require_unlinked(tmp_path / "tables", tmp_path / "figures")


def test_a_link_to_a_folder_is_named_wherever_it_stands_and_one_to_a_file_may_be(tmp_path):
    mine = tmp_path / "mine"
    (mine / "thesis").mkdir(parents=True)
    write_whole(mine / "thesis.tex", "mine")
    deep = tmp_path / "run" / "logs" / "version_0"
    deep.mkdir(parents=True)
    (deep / "metrics.csv").symlink_to(mine / "thesis.tex")
    require_unlinked(*(tmp_path / "run").iterdir())
    (deep / "deeper").symlink_to(mine / "thesis")
    with pytest.raises(ValueError, match=r"version_0/deeper: expected a folder, got a link to "):
        require_unlinked(*(tmp_path / "run").iterdir())


def test_a_lock_that_is_a_link_is_named(tmp_path):
    write_whole(tmp_path / "thesis.tex", "mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(ValueError, match=r"\.lock: expected a file, got a link to "), only_one(tmp_path / "run"):
        pass
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "mine"


def sealed_until(moment, tmp_path, monkeypatch):
    """Write a sealed folder whose process ends when the last file is about to get its name."""

    def rename(source, target):
        if Path(target).name == "metrics.json":
            raise moment
        return os_replace(source, target)

    os_replace = os.replace
    (tmp_path / "table.csv").write_text("a\n1\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", rename)
        with pytest.raises(type(moment)):
            write_sealed(tmp_path / "metrics.json", "{}")


@pytest.mark.parametrize("killed", [True, False])
def test_a_folder_whose_last_file_has_no_name_yet_is_one_that_goes_on(killed, tmp_path, monkeypatch):
    """A discovery that was killed in that moment once called its own checkpoints damaged, at every start."""
    if killed:  # nothing is cleared away
        monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    sealed_until(KeyboardInterrupt(), tmp_path, monkeypatch)
    assert ((tmp_path / "SHA256SUMS").exists(), (tmp_path / "metrics.json.partial").exists()) == (killed, killed)
    require_unchanged(tmp_path)
    if killed:
        (tmp_path / "table.csv").write_text("a\n2\n")
        with pytest.raises(ValueError, match=r"table\.csv: expected the content"):
            require_unchanged(tmp_path)
    monkeypatch.undo()
    write_sealed(tmp_path / "metrics.json", "{}")
    require_unchanged(tmp_path)
