"""Advice of every refusal, followed to the letter: the file is read then, or refused for another reason."""

import gzip
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import scipy.io
from helpers import bad_files
from helpers.bad_files import AVAILABLE, BAD_FILES, TIMES, WORDS, BadFile
from PIL import Image

from vae_mf.datasets import files
from vae_mf.datasets.recording import read_recording

Followed = tuple[Path, dict[str, Any]]
MOST_STEPS = 5
WIDTH = 0.003
"""Width of bins in which the spikes of the bad files are neither all nor none."""


def two_classes(path: Path, options: dict, limit: str, *_: str) -> Followed:
    """Make 1 of what is above a limit."""
    return changed_array(lambda array: array > float(limit))(path, options)


def good(path: Path, options: dict, *_: str) -> Followed:
    """Get the data again: a whole file of the same name, to be read anew."""
    options = {name: value for name, value in options.items() if name == "bin_width" and path.name.startswith("spikes")}
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    name = path.name.lower()
    if path.name == "faces":
        bad_files.pictures(*[(4, 4)] * 60)(path)
    elif "idx" in name:
        path = path.with_name("train-images-idx3-ubyte")
        path.write_bytes(bad_files.idx(200 * WORDS.reshape(60, 2, 2)))
    elif path.suffix in (".fasta", ".sto", ".aln"):
        path = path.with_suffix(".fasta")
        bad_files.fasta(*("".join("CA"[entry] for entry in row) for row in WORDS))(path)
    elif name.startswith("spikes"):
        path = path.with_name("spikes.npz")
        np.savez(path, a=TIMES, b=TIMES[::3])
    elif path.suffix == ".gz" and ".csv" in path.suffixes:
        path.write_bytes(gzip.compress("\n".join(",".join(map(str, row)) for row in WORDS).encode()))
    elif path.suffix in (".csv", ".txt", ".tsv"):
        pd.DataFrame(WORDS, columns=list("abcd")).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".parquet":
        pd.DataFrame(WORDS, columns=list("abcd")).to_parquet(path)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"bint": WORDS})
    elif path.suffix == ".npz":
        np.savez(path, bint=WORDS)
    else:
        path = path.with_name("words.npy")
        np.save(path, WORDS)
    return path, options


def edited_lines(change: Callable) -> Callable[..., Followed]:
    """Return an action that changes the lines of a text."""

    def act(path: Path, options: dict, *found: str) -> Followed:
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{line}\n" for line in change(lines, *found)))
        return path, options

    return act


def without_line(lines: list[str], number: str) -> list[str]:
    return [line for place, line in enumerate(lines, start=1) if place != int(number)]


def without_row(path: Path, options: dict, number: str) -> Followed:
    named = not re.match(r"[\d\s]", path.read_text())
    return edited_lines(without_line)(path, options, str(int(number) + named))


def without_gaps(path: Path, options: dict) -> Followed:
    """Delete the rows that lack an entry."""
    if path.suffix == ".npy":
        array = np.load(path)
        np.save(path, array[~np.isnan(array).any(axis=1)])
        return path, options
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [line for line in path.read_text().splitlines() if all(line.split(mark)) and line.count(mark)]
    path.write_text("\n".join(lines))
    return path, options


def changed_table(change: Callable) -> Callable[..., Followed]:
    """Return an action that changes the table of a csv or parquet file."""

    def act(path: Path, options: dict, *found: str) -> Followed:
        if path.suffix == ".parquet":
            change(pd.read_parquet(path), *found).to_parquet(path)
        else:
            change(pd.read_csv(path), *found).to_csv(path, index=False)
        return path, options

    return act


def changed_array(change: Callable) -> Callable[..., Followed]:
    """Return an action that changes the array of an npy file, or the table of a csv file without names."""

    def act(path: Path, options: dict, *found: str) -> Followed:
        if path.suffix == ".csv":
            pd.DataFrame(change(pd.read_csv(path, header=None).to_numpy())).to_csv(path, index=False, header=False)
        else:
            np.save(path, change(np.load(path, allow_pickle=True)))
        return path, options

    return act


def changed_arrays(change: Callable) -> Callable[..., Followed]:
    """Return an action that changes the arrays of an npz file."""

    def act(path: Path, options: dict, *found: str) -> Followed:
        with np.load(path) as held:
            content = dict(held)
        np.savez(path, **change(content))
        return path, options

    return act


def with_option(**chosen: Any) -> Callable[..., Followed]:
    return lambda path, options, *_: (path, {**options, **chosen})


def with_array(path: Path, options: dict, name: str) -> Followed:
    return path, {**options, "array": name}


def without_option(path: Path, options: dict, name: str) -> Followed:
    return path, {other: value for other, value in options.items() if other != name}


def renamed(path: Path, options: dict, suffix: str) -> Followed:
    return path.rename(path.with_suffix(suffix)), options


def elsewhere(path: Path, options: dict, name: str = "words.npy") -> Followed:
    place = path.parent / name
    return (place, options) if place.exists() else good(place, options)


def unpacked(path: Path, options: dict) -> Followed:
    if path.suffix != ".gz":
        return good(path, options)
    plain = path.with_suffix("")
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return plain, options


def in_utf8(path: Path, options: dict) -> Followed:
    content = path.read_bytes()
    if content.startswith((b"PK", b"\xd0\xcf")):
        return good(path, options)
    path.write_text(content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"))
    return path, options


def from_pickle(path: Path, options: dict) -> Followed:
    np.save(path, pickle.loads(path.read_bytes()))
    return path, options


def zeros_and_ones(array: np.ndarray) -> np.ndarray:
    if array.dtype == object:
        return WORDS
    return (array.real if array.dtype.kind == "c" else array.astype(float)) > 0


def reshaped(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, 4) if array.ndim == 1 else array.reshape(-1, array.shape[-1])


def padded(lines: list[str]) -> list[str]:
    length = max(map(len, lines))
    return [line if line[0] == ">" else line.ljust(length, "-") for line in lines]


def without_record(lines: list[str], name: str) -> Iterator[str]:
    keep = True
    for line in lines:
        keep = not line[1:].startswith(name) if line.startswith(">") else keep
        if keep:
            yield line


def pictures_again(path: Path, options: dict, name: str) -> Followed:
    Image.fromarray(np.uint8(255) * WORDS[:4]).save(path / name)
    return path, options


def without_picture(path: Path, options: dict, name: str) -> Followed:
    (path / name).unlink()
    return path, options


def table_of_trials(path: Path, options: dict) -> Followed:
    cells = scipy.io.loadmat(path)["spikes"]
    rows = [(k, t, time) for (t, k), times in np.ndenumerate(cells) for time in times.ravel()]
    table = path.with_suffix(".csv")
    pd.DataFrame(rows, columns=["neuron", "trial", "time"]).to_csv(table, index=False)
    return table, options


def from_start_of_trial(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(time=frame.time - frame.groupby("trial").time.transform("min"))


def in_order(path: Path, options: dict) -> Followed:
    if path.suffix == ".npz":
        return changed_arrays(lambda held: {name: np.sort(own) for name, own in held.items()})(path, options)
    return changed_table(lambda frame: frame.sort_values("time"))(path, options)


def of_one_length(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    length = min(map(len, held.values()))
    return {name: values[:length] for name, values in held.items()}


def if_spikes(act: Callable) -> Callable[..., Followed | None]:
    return lambda path, *others: act(path, *others) if path.name.startswith("spikes") else None


def if_not_spikes(act: Callable) -> Callable[..., Followed | None]:
    return lambda path, *others: None if path.name.startswith("spikes") else act(path, *others)


def as_npy(path: Path, options: dict) -> Followed:
    place = path.with_suffix(".npy")
    np.save(place, np.loadtxt(path, delimiter=",", dtype=np.int8))
    return place, options


def swapped(path: Path, options: dict) -> Followed:
    np.savetxt(path, np.loadtxt(path, delimiter=",", dtype=np.int8).T, fmt="%d", delimiter=",")
    return path, options


def parquet_of_columns(path: Path, options: dict) -> Followed:
    frame = pd.read_parquet(path)
    pd.DataFrame(frame["a"].tolist()).add_prefix("a").assign(b=frame["b"]).to_parquet(path)
    return path, options


def scaled_down(path: Path, options: dict) -> Followed:
    for file in path.glob("*.png"):
        Image.open(file).resize((10, 10)).save(file)
    return path, options


def sample_rate(path: Path, options: dict, line: str) -> Followed:
    (path / "params.py").write_text(line)
    return path, options


def with_clusters(path: Path, options: dict) -> Followed:
    np.save(path / "spikes.clusters.npy", np.arange(len(TIMES)) % 2)
    return path, {**options, "bin_width": WIDTH}


def inside(path: Path, options: dict, *_: str) -> Followed:
    return path / "probe00", options


def labelled(path: Path, options: dict) -> Followed:
    cells = np.unique(np.load(path / "spike_clusters.npy"))
    table = pd.DataFrame({"cluster_id": cells, "group": "good"})
    table.to_csv(path / "cluster_group.tsv", sep="\t", index=False)
    return path, options


ACTIONS: dict[str, Callable[..., Followed | None]] = {
    r"did you mean (\S+)\?": elsewhere,
    r"check the path|give the path of a file$|save the data in one of these formats": elsewhere,
    r"(?:export|download|save|write) (?:\w+ ){1,4}again(?! or)": good,
    r"export its table as csv|save the table in R with write\.csv": lambda path, options: good(
        path.with_name("words.csv"), options
    ),
    r"export its spike times as a table": lambda path, options: good(
        path.with_name("spikes.csv"), {"bin_width": WIDTH}
    ),
    r"threshold its signals|save its frames as npy|save its array with numpy": lambda path, options: good(
        path.with_name("words.npy"), options
    ),
    r"export the alignment as FASTA": lambda path, options: good(path.with_suffix(".fasta"), options),
    r"copy the data into a file|download the file itself|run git lfs pull|check the format|fewer gaps": good,
    r"check that the (?:right data were saved|suffix names its format)": good,
    r"save an array \(rows, variables\)": lambda path, options: good(path.with_name("words.npy"), options),
    r"save fewer rows or variables|export the table behind it|export the folder|not of their labels": good,
    r"that holds all pictures": lambda path, options: good(path.with_name("faces"), options),
    r"line (\d+) has \d+ entries.*mend or delete such lines": edited_lines(without_line),
    r"got line (\d+) without: write NA into it, or delete it": edited_lines(without_line),
    r"got nothing or NaN .*: fill such entries or delete their rows": without_gaps,
    r"row of words in row (\d+): delete that row": without_row,
    r"in row \d+, column (\S+): write 0 and 1 instead of words, or delete that column": changed_table(
        lambda frame, name: frame.drop(columns=name)
    ),
    r"write a line of names above it": edited_lines(lambda lines: ["a,b", *lines]),
    r"or in its place if it is none": edited_lines(lambda lines: ["a,b", *lines[1:]]),
    r"complete the first line": edited_lines(lambda lines: ["a,b,c,d", *lines[1:]]),
    r"turn them into two classes, as in x > (\S+?)[:,]": two_classes,
    r"set `drop_unusable` to leave them out": with_option(drop_unusable=True),
    r"set `transpose`": with_option(transpose=True),
    r"fewer `variables`, such as 1": with_option(variables=1),
    r"reshape it to one of these": changed_array(reshaped),
    r"save the data as an array of 0 and 1": changed_array(zeros_and_ones),
    r"save the array with numpy\.save": from_pickle,
    r"unpack it first": unpacked,
    r"file holds \((\w+).*give one of these": with_array,
    r"got (\w+) \(.*name the right one by `array`": with_array,
    r"expected no `(\w+)`.*leave it out": without_option,
    r"(?:name them so, or|:) leave out `(\w+)`(?! if)": without_option,
    r"expected `(array)`.*leave it out": without_option,
    r'save (?:it|the sheet) as "CSV UTF-8"': in_utf8,
    r"rename it to end in (\.\w+)": renamed,
    r"align them first": edited_lines(padded),
    r"sequence '(\w+)' is empty: complete or delete it": edited_lines(without_record),
    r"'//': mend it": edited_lines(lambda lines: lines[: lines.index("//")]),
    r"write capitals if these are masked residues": edited_lines(
        lambda lines: [line if line[0] == ">" else line.upper() for line in lines]
    ),
    r"write X for an unknown residue": edited_lines(lambda lines: [line.replace("?", "X") for line in lines]),
    r"got (\S+) of .* pixels: crop or scale them first": pictures_again,
    r"picture (\S+) is damaged or no picture: replace or delete it": without_picture,
    r"got (\S+) of more: save it as 8 bit": pictures_again,
    r"give `bin_width` if these are spike times": if_spikes(with_option(bin_width=WIDTH)),
    r"leave out `(bin_width)` if the rows are binned": if_not_spikes(without_option),
    r"give `bin_width` in the unit|give a wider `bin_width`|give it in seconds": with_option(bin_width=WIDTH),
    r"give a narrower `bin_width`": lambda path, options: (path, {**options, "bin_width": options["bin_width"] / 100}),
    r"sort the spikes first, or save binned rows as npy": lambda path, options: good(path.with_suffix(".npy"), options),
    r"save the table with rows and columns swapped": swapped,
    r"swapped, or as npy": as_npy,
    r"check that it is the right file|give a part of the alignment": good,
    r"got list<.*make a column of each of its entries": parquet_of_columns,
    r"scale the pictures down": scaled_down,
    r"write the line (sample_rate = 30000)": sample_rate,
    r"label them in Phy": labelled,
    r"download it into the folder": with_clusters,
    r"give the path of \S*?/subject/(\w+)|give the path of subject": inside,
    r"multiply them by a number": changed_table(lambda frame: frame.assign(count=(2 * frame["count"]).astype(int))),
    r"makes them whole, or delete the column": changed_table(lambda frame: frame.drop(columns="count")),
    r"sort them": in_order,
    r"add a constant to all times": changed_table(lambda frame: frame.assign(time=frame.time + 1)),
    r"delete those entries": changed_arrays(lambda held: {name: own[np.isfinite(own)] for name, own in held.items()}),
    r"put cells first, then times": changed_array(lambda array: array[:, ::-1]),
    r"save the times as float64": changed_arrays(lambda held: {name: own.astype(float) for name, own in held.items()}),
    r"rename vectors that hold": changed_arrays(lambda held: {f"v{k}": own for k, own in enumerate(held.values())}),
    r"save them again": changed_arrays(of_one_length),
    r"save both again": changed_arrays(lambda held: {**held, "times_index": np.minimum(held["times_index"], 200)}),
    r"subtract the start of each": changed_table(from_start_of_trial),
    r"delete column (\w+) to read them": changed_table(lambda frame, name: frame.drop(columns=name)),
    r"save a table with columns neuron, trial and time": table_of_trials,
}
"""Advice as a pattern, with what it says to do; all that match a sentence are followed, each for itself."""


def refusal(path: Path, options: dict) -> str | None:
    """Return the sentence of a refusal, without the path; None if the file is read."""
    try:
        with patch.object(files, "available_memory", lambda: AVAILABLE):
            read_recording(path, **options)
    except (ValueError, OSError) as error:
        return str(error).replace(str(path.parent), "")
    return None


def follow(path: Path, options: dict, earlier: list[str]) -> None:
    """Follow the advice from here on, in a copy of the folder for each, until the file is read."""
    said = refusal(path, options)
    if said is None:
        return
    assert said not in earlier, [*earlier, said]
    assert len(earlier) < MOST_STEPS, [*earlier, said]
    matching = {pattern: found for pattern in ACTIONS if (found := re.search(pattern, said))}
    assert matching, said
    # Every advice of the first sentence, and the first of every later one.
    for number, (pattern, found) in enumerate(list(matching.items())[: 1 if earlier else None]):
        copy = path.parent / f"advice{number}"
        shutil.copytree(path.parent, copy, ignore=shutil.ignore_patterns("advice*"), copy_function=copied)
        if followed := ACTIONS[pattern](copy / path.name, dict(options), *found.groups()):
            follow(*followed, [*earlier, said])


def copied(source: str, target: str) -> None:
    if Path(source).is_file():
        shutil.copyfile(source, target)


@pytest.mark.parametrize(
    "bad",
    [pytest.param(bad, id=bad.kind, marks=[pytest.mark.slow] * bool(place % 8)) for place, bad in enumerate(BAD_FILES)],
)
def test_advice_leads_on_when_it_is_followed(bad: BadFile, tmp_path):
    bad.write(tmp_path / bad.name)
    follow(tmp_path / bad.name, dict(bad.options), [])


def test_every_advice_is_met():
    document = bad_files.DOCUMENT.read_text().replace("\\|", "|")
    assert [pattern for pattern in ACTIONS if not re.search(pattern, document, re.MULTILINE)] == []
