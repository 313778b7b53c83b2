"""A hundred damages of stores and a hundred of runs and other folders: each is named, or changes nothing.

Folders, finished or stopped in the middle, are damaged at random and read by everything that reads them, or gone on
with. A ledger counts what came of it: a file named, the result of an undamaged folder, another one in silence, a
traceback, or an error without a name. Where a seal is removed with an edit nothing is left that could tell.
"""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from helpers.commands import RECORDING, Result, run_all
from helpers.damages import KINDS, Damage, damaged, made
from helpers.discovery import TINY, hopfield, options

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.runs.folder import find_runs
from vae_mf.runs.models import load
from vae_mf.store.sample_store import open_store
from vae_mf.tables import read_metrics, read_tables

COUNT = int(os.environ.get("VAE_MF_DAMAGES", "100"))
SEED = int(os.environ.get("VAE_MF_DAMAGE_SEED", "3"))
STORE = "made/store.zarr"
SEED_OPTION = "seed=1"
SAMPLE = [
    *("sample", "system=curie_weiss", "sampling=direct", "system.sites=33", "sampling.temperatures=[0.5,1.5]"),
    *("sampling.samples=1200", "sampling.chains=6", "sampling.blocks=6", "threads=1", "verify=true"),
    *(f"store.path={STORE}", "report=report", SEED_OPTION),
]
PATHS = ["paths.outputs=outputs", "paths.data=data"]
TRAIN = [
    *(
        "train",
        *RECORDING,
        "dataset.path=words.npy",
        "dataset.variables=6",
        "training.epochs=3",
        "run.folder=made/run",
        "logger=csv",
    ),
    *(SEED_OPTION, *PATHS),
]
EVALUATE = ["evaluate", "made/run", "evaluation.readings.permutations=20", "evaluation.readings.orders=3", PATHS[1]]
QUICK = TINY | {"training": TINY["training"] | {"epochs": 3}, "stability": {"bootstraps": 0}}
DISCOVER = ["discover", "dataset.path=words.npy", "quick=true", *options(QUICK), "folder=made/found", SEED_OPTION]
COMPARED = ["compare", "dataset.path=words.npy", "blocks=5", SEED_OPTION, *PATHS]
COMPARE = [*COMPARED, "density_models=[independent,pairwise]", "folder=made/compared"]
WITH_RUN = [
    *COMPARED,
    "density_models=[independent]",
    "runs=[made/run]",
    "draws=4",
    "split=time",
    "dataset.variables=6",
]
COLLECT = ["collect", "runs=[made/*]", "report=report"]
INFERRED = ["infer_couplings", SEED_OPTION, PATHS[0]]
INFER = [*INFERRED, "dataset.path=words.npy", "inverse_ising=[naive_mean_field,tap]", "folder=made/couplings"]
FROM_STORE = [*INFERRED, f"dataset.path={STORE}", "inverse_ising=naive_mean_field", "folder=couplings"]
FAULTS = ("silent", "traceback", "unnamed")
CHECKPOINT = "vae_mf.training.callbacks:AtomicCheckpointIO.save_checkpoint"


class Subject(NamedTuple):
    """A folder to damage: how it is made, and the commands of which each reads it or goes on with it."""

    make: list[list[str]]
    readers: list[list[str]]
    stop: tuple[str, int] | None = None
    """Function in which the last command of its making is stopped, and the number of its call."""


STORES = {
    "store": Subject([SAMPLE], [SAMPLE, FROM_STORE]),
    "store, half": Subject([SAMPLE], [SAMPLE], ("vae_mf.store.sample_store:StoreWriter.write_block", 4)),
}
RUNS = {
    "run": Subject([TRAIN], [TRAIN, COLLECT, WITH_RUN, ["figure", "made/run"], EVALUATE]),
    "run, not judged": Subject([TRAIN], [TRAIN], ("vae_mf.runs.stages:write_tables", 1)),
    "run, half": Subject([TRAIN], [TRAIN], (CHECKPOINT, 4)),
    "verdict": Subject([TRAIN, EVALUATE], [EVALUATE]),
    "discovery": Subject([DISCOVER], [DISCOVER]),
    "discovery, half": Subject([DISCOVER], [DISCOVER], ("vae_mf.discovery.report:draw_discovery", 1)),
    "discovery, training": Subject([DISCOVER], [DISCOVER], (CHECKPOINT, 4)),
    "comparison": Subject([COMPARE], [COMPARE]),
    "comparison, half": Subject([COMPARE], [COMPARE], ("vae_mf.commands.compare:write_tables", 2)),
    "couplings": Subject([INFER], [INFER]),
    "couplings, half": Subject([INFER], [INFER], ("vae_mf.commands.infer_couplings:estimator_row", 2)),
}


def run_in(place: Path, commands: list[list[str]], stop: tuple[str, int] | None = None) -> list[Result]:
    """Run commands in a folder, where the last is stopped if it is to be."""
    there = f"import os; os.chdir({str(place)!r})\n"
    patch = f"from helpers.damages import stop_at; stop_at(*{stop!r})\n" if stop else ""
    return run_all(commands, there + patch, GIT_DIR=os.devnull, COLUMNS="200")


def prepared(place: Path, subject: Subject, seed: int) -> Path:
    """Make the folder of a subject in a new place and return it."""
    place.mkdir(parents=True)
    np.save(place / "words.npy", hopfield(600, 6, 1)[0])
    commands = [[word.replace(SEED_OPTION, f"seed={seed}") for word in command] for command in subject.make]
    ended = run_in(place, commands, subject.stop)
    assert [each.code for each in ended] == [*[0] * (len(ended) - 1), 130 if subject.stop else 0], ended[-1]
    return place


def read_here(place: Path) -> list[object]:
    """What the library reads of the folders in a place."""
    found: list[object] = []
    for folder in sorted((place / "made").iterdir()):
        if folder.suffix == ".zarr":
            found.append(content(folder))
        elif (folder / "metrics.json").exists():
            found += [read_metrics(folder), {name: t.to_csv() for name, t in read_tables(folder).items()}]
            found.append(encoded(load(folder, device="cpu"), np.load(place / "words.npy")).tobytes())
        if (folder / "run.json").exists():
            found.append([run.config for run in find_runs([str(folder)])])
        if (folder / "verdict" / "verdict.json").exists():
            found.append({name: t.to_csv() for name, t in read_tables(folder / "verdict").items()})
    return found


def encoded(model: TrainedModel | LatentClasses, rows: np.ndarray) -> np.ndarray:
    """What a model says of rows."""
    return model.encode(rows).mean if isinstance(model, TrainedModel) else model.class_probabilities(rows)


def content(path: Path) -> list[object]:
    """Everything that a store says."""
    store = open_store(path)
    store.verify()
    levels = range(len(store.temperatures))
    rows = [store.packed(level).tobytes() for level in levels]
    scalars = [store.scalar(name, level).tobytes() for name in ("energy",) for level in levels]
    return [rows, scalars, store.temperatures.tolist(), store.sites, store.attrs, store.diagnostics]


def told_here(place: Path) -> Result:
    """What the library says of the folders in a place, as a command would."""
    try:
        return Result(0, repr(read_here(place)), "")
    except (ValueError, OSError) as error:
        return Result(1, "", str(error))
    except Exception as error:
        return Result(1, "", f"Traceback: {error!r}")


class Ended(NamedTuple):
    """What came of a damage, and what was said of it."""

    what: str
    told: str


class Reading(NamedTuple):
    """What readers of a place said, one after the other, and what was there afterwards."""

    results: list[Result]
    files: dict[str, bytes]


def read(place: Path, subject: Subject, readers: list[list[str]]) -> Reading:
    """Read a place by the library, if it is finished, and by commands; a store that they finish by the library, too."""
    before = [] if subject.stop else [told_here(place)]
    results = before + run_in(place, readers)
    after = [told_here(place)] if subject.stop and (place / STORE).exists() else []
    return Reading(results + after, made(place))


def differing(found: Reading, whole: Reading) -> set[str]:
    """Names of the files that two readings found, or made, different."""
    return {name for name in found.files.keys() | whole.files if found.files.get(name) != whole.files.get(name)}


def left_out(found: Reading, whole: Reading) -> set[str]:
    """Sentences on what was left out that nobody says of an undamaged folder."""
    lines = [{line for each in one.results for line in each.out.splitlines()} for one in (found, whole)]
    return {line for line in lines[0] - lines[1] if "left out" in line}


def outcome(found: Reading, whole: Reading, damage: Damage, place: Path, half: bool) -> str:
    """What came of a damage, in a word."""
    said = "\n".join([each.out + each.err for each in found.results if each.code] + sorted(left_out(found, whole)))
    if "Traceback" in said:
        return "traceback"
    if said:
        return "noticed" if damage.named_in(said) else "unnamed"
    # What is read and not written again stays as it is, as do descriptions of groups of a store.
    is_read = not half or (place / STORE) in damage.paths[0].parents
    own = {path.relative_to(place).as_posix() for path in damage.paths} if is_read else set()
    told = [each.results[-1 if half else 0] for each in (found, whole)]
    if not differing(found, whole) - own and (not is_read or told[0] == told[1]):
        return "harmless"
    return "silent" if damage.vouched else "not vouched for"


def damage_of(subject: Subject, copies: tuple[Path, Path], reader: list[str], kind: str, rng, wholes: dict) -> Ended:
    """Damage a copy of a folder, let a command read it or go on with it, and return what came of it.

    Args:
        subject: the folder.
        copies: it, and another of its sort.
        reader: the command.
        kind: kind of damage.
        rng: source of its choices.
        wholes: what the commands say and make of an undamaged one.
    """
    here = copies[0].with_name("here")
    if tuple(reader) not in wholes:
        shutil.copytree(copies[0], here)
        wholes[tuple(reader)] = read(here, subject, [reader])
        assert not any(each.code for each in wholes[tuple(reader)].results), [
            each.err for each in wholes[tuple(reader)].results
        ]
        shutil.rmtree(here)
    shutil.copytree(copies[0], here)
    damage = damaged(here / "made", copies[1] / "made", kind, rng)
    found = read(here, subject, [reader])
    shutil.rmtree(here)
    whole = wholes[tuple(reader)]
    what = outcome(found, whole, damage, here, bool(subject.stop))
    said = [each.err[-600:] for each in found.results]
    return Ended(what, f"{reader[0]}, {kind}: {damage.paths}: {said} {sorted(differing(found, whole))}")


def ledger_of(subjects: dict[str, Subject], tmp_path: Path, rng: np.random.Generator) -> Counter:
    """Damage folders of every subject in turn, and count what comes of it."""
    ledger, faults = Counter(), []
    for place, (name, subject) in enumerate(subjects.items()):
        first, second = (prepared(tmp_path / f"{place}-{seed}", subject, seed) for seed in (1, 2))
        wholes = {}
        for number in range(place, COUNT, len(subjects)):
            reader = subject.readers[number // len(subjects) % len(subject.readers)]
            kind = str(rng.choice(KINDS))
            what, told = damage_of(subject, (first, second), reader, kind, rng, wholes)
            ledger[name, kind, what] += 1
            if what in FAULTS:
                faults.append((name, what, told))
    for (name, kind, what), count in sorted(ledger.items()):
        print(f"{name:20} {kind:22} {what:16} {count}")
    print({what: sum(count for key, count in ledger.items() if key[2] == what) for _, _, what in ledger})
    assert not faults, "\n".join(map(str, faults))
    return ledger


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [STORES, RUNS], ids=["stores", "runs"])
def test_every_damage_is_named_or_harmless(subjects, tmp_path):
    assert ledger_of(subjects, tmp_path, np.random.default_rng(SEED)).total() == COUNT
