"""Hundreds of bad inputs over all commands: one clear line each, at once, and nothing left behind.

They are made of tables: options and values that none of their kind may have, files of every format and the ways in
which they break, systems and samplers that do not go together, and damaged run folders.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import data_files
from helpers.bad_files import BAD_FILES
from helpers.commands import HOPFIELD, TRAINING, only, paths, run_all, write_recording
from helpers.forked import Ended, run_forked

from vae_mf.commands.table import COMMANDS
from vae_mf.files import write_whole

SECONDS, MEGABYTES = 5, 300
FOREIGN = re.compile(
    r"\[Errno|Traceback|Found array|Expected more than|enforce fail|full_key|object_type|\w+Error\b|NoneType|<class|"
    r"has no attribute|not supported between|unsupported operand|could not convert|Missing key|interpolation"
)
"""Words of other libraries, which a user cannot follow."""


class Bad(NamedTuple):
    """A command that is to be refused, and what its sentence has to name."""

    words: list[str]
    named: str


NO_NUMBER = ("abc", ".nan", "[1,2]", "{a: 1}", "true")
VALUES = {
    "count": (*NO_NUMBER, "0", "-1", "0.5", "1e300", "null"),
    "natural": (*NO_NUMBER, "-1", "0.5", "1e300"),
    "optional count": (*NO_NUMBER, "0", "-1", "0.5", ".inf"),
    "positive": (*NO_NUMBER, "0", "-1", ".inf"),
    "rate": (*NO_NUMBER, "-1", ".inf"),
    "fraction": (*NO_NUMBER, "0", "1", "-1", "2", ".inf"),
    "flag": ("perhaps", "3", "[true]", ".nan"),
    "choice": ("abc", "3", "[a,b]", "{a: 1}"),
    "list": ("abc", "-1", "[a]", "[[1]]", "{a: 1}", "null"),
    "numbers": ("abc", ".nan", "{a: 1}", "true", "0", "-1", "0.5", "1e300", "[0.5]", "[-1]"),
}
"""Values that no option of a kind may have."""
SAMPLES = {
    "system.sites": "count", "system.patterns": "count", "system.coupling": "positive", "seed": "natural",
    "threads": "optional count", "sampling.samples": "count", "sampling.chains": "optional count",
    "sampling.blocks": "count", "sampling.anneal": "natural", "sampling.thinning": "optional count",
    "sampling.start": "choice", "sampling.temperatures": "list", "sampler.jump_every": "natural",
}  # fmt: skip
OPTIONS = {
    "sample": SAMPLES,
    "train": {
        "model.latents": "count", "model.encoder.hidden": "count", "model.prior.components": "count",
        "model.decoder.bias": "flag", "training.epochs": "count", "training.batch_size": "count",
        "training.validation": "fraction", "training.start": "choice", "training.symmetries": "list",
        "training.module.learning_rate": "positive", "training.module.weight_decay": "rate",
        "evaluation.generated": "count", "evaluation.restarts": "count", "trainer.devices": "count",
        "trainer.log_every_n_steps": "natural", "torch_threads": "count",
    },
    "discover": {
        "dataset.bin_width": "positive", "dataset.transpose": "flag", "dataset.threshold": "choice",
        "dataset.drop_unusable": "flag", "seed": "natural", "order": "choice", "quick": "flag",
        "discovery.training.module.weight_decay": "rate", "discovery.training.epochs": "count",
        "discovery.model.prior.layers": "natural", "discovery.model.decoder.bias": "flag",
        "discovery.independence.pairs_seen": "positive", "discovery.assessment.critic.fit.epochs": "count",
        "discovery.assessment.critic.planted_orders": "list",
        "discovery.rows.training": "count", "discovery.selection.largest_latents": "count",
        "discovery.stability.seeds": "natural",
    },
    "infer-couplings": {
        "dataset.variables": "numbers", "dataset.temperature": "natural", "seed": "natural", "folds": "count",
        "blocks": "count", "time_limit": "positive",
    },
    "compare": {
        "training_rows": "numbers", "folds": "count", "blocks": "count", "draws": "count", "seed": "natural",
        "time_limit": "positive", "dataset.split.test": "fraction", "dataset.split.validation": "fraction",
        "torch_threads": "count",
    },
    "evaluate": {
        "torch_threads": "count", "evaluation.components": "count", "evaluation.proposals": "count",
        "evaluation.critic.validation": "fraction", "evaluation.critic.fit.epochs": "count",
        "evaluation.readings.level": "fraction", "evaluation.readings.draws": "count",
    },
    "benchmark": {
        "rows": "count", "seed": "natural", "time_limit": "positive", "again": "flag", "cases": "list",
        "estimators": "list", "estimator": "choice", "tolerance.absolute": "rate", "tolerance.relative": "rate",
        "page": "choice",
    },
}  # fmt: skip
SYSTEMS = ("curie_weiss", "hopfield", "ising2d", "edwards_anderson", "k_sat", "sherrington_kirkpatrick", "maier_saupe")
SAMPLERS = ("curie_weiss", "wolff", "multispin", "maier_saupe", "maier_saupe_gibbs")
TOGETHER = {
    "curie_weiss": {"curie_weiss"},
    "ising2d": {"wolff", "multispin"},
    "maier_saupe": {"maier_saupe", "maier_saupe_gibbs"},
}
RUN_FILES = ("config.yaml", "run.json", "metrics.json", "model.safetensors", "tables/observables.csv")
READS = {"evaluate": RUN_FILES[:2] + RUN_FILES[3:], "collect": ("config.yaml", "metrics.json"), "figure": RUN_FILES[4:]}
"""Files of a run folder that each command reads."""
FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "bytes": lambda content: bytes(range(256)) * 4,
    "a web page": lambda content: b"<!DOCTYPE html><title>Sign in</title>",
}
"""What a file may hold in the place of its content, whatever its format."""
DATA_COMMANDS = ("discover", "infer-couplings", "compare", "train")


def on_data(command: str, path: object, *more: str) -> list[str]:
    """Return the words of a command for a recording."""
    if command == "train":
        return ["train", "experiment=retina", f"dataset.path={path}", "dataset.variables=all", *more]
    return [command, f"dataset.path={path}", *more]


def option_cases(recording: Path, run: Path) -> Iterator[Bad]:
    """Yield every option of the tables with every value that it may not have."""
    for command, options in OPTIONS.items():
        base = on_data(command, recording) if command in ("discover", "infer-couplings", "compare") else [command]
        base += [f"run={run}"] if command == "evaluate" else []
        for option, kind in options.items():
            for value in VALUES[kind]:
                yield Bad([*base, f"{option}={value}"], option.rpartition(".")[2])


def pair_cases() -> Iterator[Bad]:
    """Yield systems with samplers of others."""
    for system in SYSTEMS:
        for sampler in SAMPLERS:
            if sampler not in TOGETHER.get(system, ()):
                yield Bad(["sample", f"system={system}", f"sampler={sampler}"], "")


def broken_cases(folder: Path) -> Iterator[Bad]:
    """Yield a file of every format, broken in every way, for one command after the other."""
    commands = cycle(DATA_COMMANDS)
    for name, write in data_files.FILES.items():
        whole = folder / f"whole-{name}"
        write(whole)
        for fault, change in {**FAULTS, "a folder": None, "a pipe": None, "nothing": None}.items():
            place = folder / fault.replace(" ", "-") / name
            place.parent.mkdir(exist_ok=True)
            if fault == "a folder":
                place.mkdir()
            elif fault == "a pipe":
                os.mkfifo(place)
            elif change is not None and whole.is_file():
                place.write_bytes(change(whole.read_bytes()))
            elif change is not None:
                shutil.copytree(whole, place)
                for file in filter(Path.is_file, place.rglob("*")):
                    file.write_bytes(change(file.read_bytes()))
            yield Bad(on_data(next(commands), place), name)


def bad_file_cases(folder: Path) -> Iterator[Bad]:
    """Yield the files of docs/bad_files.md, for one command after the other."""
    commands = cycle(DATA_COMMANDS)
    for number, bad in enumerate(BAD_FILES):
        place = folder / f"bad-{number}" / bad.name
        place.parent.mkdir()
        bad.write(place)
        options = [f"dataset.{name}={value}" for name, value in bad.options.items()]
        if "too large" not in bad.kind:
            yield Bad(on_data(next(commands), place, *options), bad.name)


def run_cases(folder: Path, run: Path) -> Iterator[Bad]:
    """Yield run folders of which a file that the command reads is broken."""
    for command, files in READS.items():
        for name in files:
            for fault, change in FAULTS.items():
                broken = folder / f"{command}-{name.replace('/', '-')}-{fault.replace(' ', '-')}"
                shutil.copytree(run, broken)
                (broken / name).write_bytes(change((broken / name).read_bytes()))
                if not (fault == "a web page" and name.endswith("csv")):  # which is a table of one column
                    yield Bad([command, f"{'runs' if command == 'collect' else 'run'}={broken}"], broken.name)
    others = folder / "others"
    write_whole(others / "tables/observables.csv", "a,b\n1,2\n")
    yield Bad(["figure", f"run={others}"], "observables")
    for name in ("recording", "predictive_check", "equilibrium"):
        yield Bad(["evaluate", f"run={run}", f"evaluation={name}"], name)


def other_cases(recording: Path) -> Iterator[Bad]:
    """Yield words that are no options, and places that cannot be written or read."""
    for words in (
        ["sample", "system=heisenberg"], ["sample", "bogus=1"], ["train", "experiment=nope"], ["reproduce", "nope"],
        ["reproduce", "figure=null"], ["evaluate", "run=nowhere"], ["figure", "nowhere"], ["figure", "run=null"],
        ["collect", "runs=3"], ["collect", "runs=null"], ["compare", str(recording), "density_models=nope"],
        ["compare", str(recording), "runs=[nowhere]"], ["infer-couplings", str(recording), "inverse_ising=nope"],
        ["sample", "report=null"], ["sample", "store.path=null"], ["train", "run.folder=null"],
        ["discover", str(recording), "folder=null"], ["infer-couplings", str(recording), "folder=null"],
        ["compare", str(recording), "folder=null"], ["discover", str(recording), "truth=3"],
        ["sample", "paths.data=data", "paths.outputs=null"],
        ["benchmark", "verdicts", "cases=null"], ["benchmark", "verdicts", "draws=0"],
        ["benchmark", "subject=verdicts"],
        ["benchmark", "inverse-ising", "samples=null"], ["benchmark", "inverse-ising", "models=nope"],
        ["train", "trainer.accelerator=abacus"], ["train", "trainer.precision=3"], ["train", "trainer.nope=1"],
    ):  # fmt: skip
        option, _, value = words[-1].rpartition("=")
        yield Bad(words, option if value == "null" or option == "truth" else value.strip("[]"))


def complaints(bad: Bad, ended: Ended) -> list[str]:
    """Return what is wrong with the way in which a command refused."""
    lines = [line for line in ended.said.splitlines() if line.strip()]
    clear = len(lines) == 1 and lines[0].startswith("error: ") and not FOREIGN.search(lines[0])
    found = {
        f"status {ended.status}": ended.status not in (1, 2),
        f"no clear line: {lines[-1][:300] if lines else ''}": not clear,
        f"{bad.named} is not named: {ended.said.strip()[:300]}": clear and bad.named not in lines[0],
        f"{ended.seconds:.1f} s": ended.seconds > SECONDS,
        f"{ended.megabytes} MB": ended.megabytes > MEGABYTES,
        f"left {ended.left[:4]}": any(part.partition("/")[2] for part in ended.left),
    }
    return [text for text, wrong in found.items() if wrong]


def judged(cases: Sequence[Bad], folder: Path) -> dict[str, list[str]]:
    """Return the complaints about the commands that have any."""
    here = ["paths.outputs=outputs", "paths.data=data"]
    commands = [[*bad.words, *(place for place in here if takes(bad.words, place))] for bad in cases]
    ended = run_forked(commands, folder, SECONDS + 1)
    found = {" ".join(bad.words): complaints(bad, end) for bad, end in zip(cases, ended, strict=True)}
    return {words: said for words, said in found.items() if said}


def takes(words: Sequence[str], place: str) -> bool:
    """Return True if a command has the option of a place, and is not given it."""
    option = place.partition("=")[0]
    absent = {"evaluate": {"paths.outputs", "paths.data"}, "figure": {"paths.outputs", "paths.data"}}
    only_outputs = {"discover", "infer-couplings", "compare", "collect", "benchmark"}
    if option in absent.get(words[0], ()) or (words[0] in only_outputs and option == "paths.data"):
        return False
    return not any(word.startswith(f"{option}=") for word in words)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad_inputs")
    (trained,) = run_all([["train", "model.latents=2", *HOPFIELD, *TRAINING, *paths(folder)]])
    assert trained.code == 0, trained.err
    return folder, write_recording(folder / "recording.npy"), only(folder / "outputs", "hopfield_quick-*")


@pytest.mark.slow
def test_every_bad_input_is_refused_in_one_clear_line_at_once_and_leaves_nothing(workplace):
    folder, recording, run = workplace
    cases = [
        *list(option_cases(recording, run))[::2], *pair_cases(), *list(broken_cases(folder))[::2],
        *bad_file_cases(folder), *run_cases(folder, run), *other_cases(recording),
    ]  # fmt: skip
    assert len(cases) >= 300
    assert {bad.words[0] for bad in cases} == set(COMMANDS)
    found = judged(cases, folder)
    assert not found, "\n".join(f"{words}: {said}" for words, said in found.items())


@pytest.mark.slow
def test_a_bad_input_of_each_kind_is_refused_at_once(tmp_path):
    """Slow, as it asks for seconds of the processor, which other tests beside it make more."""
    recording = write_recording(tmp_path / "recording.npy")
    cases = [
        *[Bad(["sample", f"{option}=abc"], option) for option in list(SAMPLES)[:4]],
        *list(broken_cases(tmp_path))[::34], *list(bad_file_cases(tmp_path))[::46], *list(other_cases(recording))[::8],
    ]  # fmt: skip
    found = judged(cases, tmp_path)
    assert not found, "\n".join(f"{words}: {said}" for words, said in found.items())


def test_a_refusal_that_is_slow_unclear_or_untidy_is_complained_of(tmp_path):
    good = Ended(2, "error: seed: expected an integer, got 'abc'\n", 0.1, 9, ("outputs",))
    bad = Bad(["sample", "seed=abc"], "seed")
    assert complaints(bad, good) == []
    said = "Traceback (most recent call last):\nTypeError: 'NoneType' object is not iterable\n"
    for worse in (
        {"status": 0}, {"status": -24}, {"said": said}, {"said": "error: expected another value\n"},
        {"seconds": 6.0}, {"megabytes": 1000}, {"left": ("outputs", "outputs/run/config.yaml")},
    ):  # fmt: skip
        assert len(complaints(bad, good._replace(**worse))) == 1
