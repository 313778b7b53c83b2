"""A mistyped word gets one line with the nearest name and exit status 2, and leaves nothing behind."""

import os
import re
import sys
from random import Random

import numpy as np
import pytest
from helpers.commands import paths, run, run_all
from hydra import compose, initialize_config_dir

from vae_mf.commands import options
from vae_mf.commands.arguments import Mistake, read_arguments
from vae_mf.commands.main import main
from vae_mf.commands.mistakes import LAUNCHERS, understood
from vae_mf.commands.reproduce import stages_of
from vae_mf.commands.table import COMMANDS
from vae_mf.commands.unknown import names_of
from vae_mf.paths import configurations
from vae_mf.runs.resolvers import register

TYPOS = {
    "traain": "expected one of sample, train, .*got traain; did you mean vae-mf train",
    "infer_couplings F": "did you mean vae-mf infer-couplings",
    "--completion fish": "expected --completion bash or --completion zsh, got --completion fish",
    "discover dataset.pth=F": "expected an option of discover, got dataset.pth=F; did you mean dataset.path=F",
    "train model.latent=3": "did you mean model.latents=3",
    "train latents=3": "did you mean model.latents=3",
    "discover F discovery.selection.largest_latent=2": "did you mean discovery.selection.largest_latents=2",
    "discover --path F --quick": "expected options as NAME=VALUE, got --path F; did you mean dataset.path=F",
    "discover F --quick": "got --quick; did you mean quick=true",
    "train --seed=3": "did you mean seed=3",
    "train --cfg": "argument --cfg/-c: expected one argument",
    "train --config-dir=": "--config-dir: expected a value, as in --config-dir=VALUE, got none",
    "train --config-dir nowhere": "--config-dir: expected a folder of configurations, got .*/nowhere",
    "train --multirun=2": "ignored explicit argument '2'",
    "train -- --cfg": "expected NAME=VALUE, got --cfg",
    "discover F -- -odd.npy": "expected one dataset.path, got 2: F -odd.npy",
    "train --cfg jobs": "invalid choice: 'jobs'",
    "train experiment=hopfeld_quick": "expected one of \\d+, got hopfeld_quick; did you mean experiment=hopfield_quick",
    "train system=isng": "system: expected one of .*, got isng; did you mean system=ising",
    "train logger=wandv": "did you mean logger=wandb",
    "train -m hydra/launcher=jobib": "did you mean hydra/launcher=joblib",
    "train experiment=": "experiment: expected a value, as in experiment=VALUE, got none",
    "discover F quick=": "quick: expected a value",
    "discover dataset.path=": "dataset.path: expected a value",
    "discover": "dataset.path: expected a value, as in dataset.path=FILE, got none",
    "evaluate": "run: expected a value",
    "train experiment=retina": "dataset.path: expected a value",
    "discover quick": "expected NAME=VALUE, got quick; did you mean quick=true",
    "discover quik": "expected a file or folder, got quik; did you mean quick=true",
    "discover spiks.npy": "expected a file or folder, got spiks.npy; did you mean spikes.npy",
    "discover spikes.npy F": "expected one dataset.path, got 2: spikes.npy F",
    "train retina": "did you mean dataset=retina or experiment=retina",
    "collect outputs": "expected NAME=VALUE, got outputs; did you mean paths.outputs=VALUE",
    "train model.encoder=cnn": "did you mean model/encoder=cnn",
    "train model=cnn": "did you mean model/encoder=cnn or model/decoder=cnn",
    "sample system=hopfield,ising": "expected one choice, got hopfield,ising; add -m",
    "sample seed=1,2": "seed: expected one value, got 1,2",
    "sample experiment=hopfield_quick": "chooses model/prior, which sample does not use",
    "sample model.latents=2": "got model.latents=2; train would take it",
    "sample ~nosuch": "got ~nosuch",
    "sample ~system.sits": "did you mean ~system.sites\\?",
    "sample experiment=hopfield": "did you mean experiment=sampling/hopfield\\?",
    "train traning.x=2": "got traning.x=2; vae-mf train --help lists all options",
    "train sytem=isng": "did you mean system=ising\\?",
    "train model.latent=1,2": "did you mean -m model.latents=1,2\\?",
    "train dataset.split.validation=0.2": "it comes with split=random",
    "train experiment=retina dataset.path=F dataset.split.validaton=0.2": "did you mean training.validation=0.2",
    "discover F dataset.repeats=2": "got dataset.repeats=2; compare would take it",
    "train experiment=retina F": "expected NAME=VALUE, got F; did you mean dataset.path=F",
    "compare F splits=[tme]": "called split now; use split=time",
    "figure nothere": "run: expected a run folder, got nothere; (there is none|did you mean|the newest)",
    "evaluate zoo:hopfield": r"run: expected a run folder, got zoo:hopfield; it comes without samples: vae_mf.load",
    "collect runs=[a,b]": "runs: expected globs that match run folders, got \\[a,b\\]; ",
    "train dataset.variables=3": "it comes with dataset=mnist8 or dataset=recording",
    "train experiment=retina dataset.path=F dataset.cells=3": "called dataset.variables now; use dataset.variables=3",
    "sample sampling.witnesses=3": "called sampling.opposite_starts now; use sampling.opposite_starts=3",
    "discover F split=time": "got split=time; train and compare would take it",
    "discover F dataset.split.split=time": "called split now; discover does not use it",
    "discover F dataset.repeats=first_half": "got dataset.repeats=first_half",
    "infer-couplings F split=time": "train and compare would take it",
    "infer-couplings F dataset.repeats=first_half": "got dataset.repeats=first_half",
    "compare F splits=[time]": "called split now; use split=time",
    "evaluate F paths.outputs=x": "got paths.outputs=x",
    "reproduce retreival": "figure: expected one of .* got retreival; did you mean figure=retrieval",
    "train +nosuch.x=3": "got .?nosuch.x=3",
    "train hydra.swepper.x=1": "got hydra.swepper.x=1",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("F", "spikes.npy"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("typed", TYPOS)
def test_a_typo_is_told_in_one_line_with_the_nearest_name(place, monkeypatch, capsys, typed):
    monkeypatch.setattr(sys, "argv", ["vae-mf", *typed.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert re.search(TYPOS[typed], line), line
    assert not {"search path", "append", "hydra.cc"} & set(line.lower().split())
    assert {path.name for path in place.iterdir()} == {"F", "spikes.npy"}


def suggestions(name: str, words: list[str]) -> list[str]:
    """Everything that may stand in the place of what was mistyped."""
    with pytest.raises(Mistake) as caught:
        understood(COMMANDS[name], read_arguments(words))
    found = re.search(r"(?:did you mean|it comes with|; use) (.+?)\??$", str(caught.value))
    return found[1].split(" or ") if found else []


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_suggested_is_understood(place, name):
    rng = Random(name)
    names = names_of(options.compose(COMMANDS[name].module))
    count = 0
    for right in rng.sample(names, min(4, len(names))):
        cut = rng.randrange(max(right.rfind("."), right.rfind("/")) + 1, len(right))
        for typo in (right[:cut] + right[cut + 1 :], f"{right}s", right.rpartition(".")[2]):
            for value in ("1,2", "hopfeld"):
                if typo in names or typo.startswith("hydra"):
                    continue
                for suggested in suggestions(name, [f"{typo}={value}", "--help"]):
                    understood(COMMANDS[name], read_arguments([*suggested.split(), "--help"]))
                    count += 1
    assert count


@pytest.mark.parametrize(
    ("before", "typo"),
    [
        ("train", "traning.x=2"),
        ("train", "model=cnn"),
        ("train", "retina"),
        ("train", "--system isng"),
        ("train", "--trainr"),
        ("train", "dataset.split.validation=0.2"),
        ("train", "dataset.split.split=tme"),
        ("train experiment=retina", "dataset.split.validaton=0.2"),
        ("train experiment=retina", "F"),
        ("discover F", "discovery.latnets=2"),
        ("discover F", "dataset.repeats=2"),
        ("discover", "quik"),
        ("compare F", "splits=[tme]"),
        ("sample", "~system.sits"),
        ("reproduce", "retreival"),
    ],
)
def test_what_is_suggested_in_the_place_of_a_mistake_is_understood(place, before, typo):
    name, *words = before.split()
    for suggested in suggestions(name, [*words, *typo.split(), "--help"]):
        understood(COMMANDS[name], read_arguments([*words, *suggested.split(), "--help"]))


def made(place, *names: str) -> None:
    """Folders of runs that have begun, the last the newest."""
    for age, name in enumerate(reversed(names)):
        folder = place / "outputs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
        os.utime(folder, (1e9 - age, 1e9 - age))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("evaluate outputs/hopfild_quick-01", "did you mean run=outputs/hopfield_quick-01?"),
        ("evaluate hopfield_quick", "did you mean run=outputs/hopfield_quick-01?"),
        ("evaluate run=xyzzy", "the newest are run=outputs/retina-23, run=outputs/hopfield_quick-01"),
        ("figure outputs/retin-*", "did you mean run=outputs/retina-23?"),
        ("collect runs=outputs/hopfeld*", "did you mean runs=outputs/hopfield_quick-01?"),
        ("compare F runs=[retina*]", "did you mean runs=outputs/retina-23?"),
    ],
)
def test_a_run_that_there_is_not_is_answered_with_the_nearest(place, monkeypatch, typed, said):
    monkeypatch.setattr("vae_mf.commands.mistakes.workplace", lambda: place)
    name, *words = typed.split()
    with pytest.raises(Mistake, match=r"; there is none in .*/outputs: vae-mf train makes one"):
        understood(COMMANDS[name], read_arguments(words))
    made(place, "hopfield_quick-01", "retina-23")
    with pytest.raises(Mistake) as caught:
        understood(COMMANDS[name], read_arguments(words))
    assert str(caught.value).endswith(f"; {said}")


def config(name: str, *words: str):
    """The configuration that Hydra composes of what was typed."""
    register()
    command = COMMANDS[name]
    texts = [text for text in understood(command, read_arguments(words))[0] if not text.startswith("-")]
    with initialize_config_dir(str(configurations()), version_base="1.3"):
        return compose(command.module, texts)


NAMES = [
    "größe.npy", "x y.npy", "x#1.npy", "run (1).npy", "a=b.npy", "a,b.npy", "x[1].npy", "x{1}.npy", "it's.npy",
    "$x.npy", "${x}.npy", "${oc.env:HOME}", r"\${x}.npy", "50%.npy",
    "x:1.npy", "~/x.npy", "null", "[a]", "-x.npy", "back\\slash", "seed=1.npy",
]  # fmt: skip
"""The thirteen of the reports of users, and more."""


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_file_reaches_the_command(place, monkeypatch, name):
    monkeypatch.setenv("HOME", str(place))
    file = place / name.removeprefix("~/")
    file.touch()
    expected = str(file) if name.startswith("~/") else name
    assert config("discover", f"dataset.path={name}").dataset.path == expected
    assert config("sample", "system=ising", f"system.couplings.file={name}").system.couplings.file == expected
    assert config("evaluate", f"run={name}").run == expected
    assert list(config("collect", f"runs={name}").runs) == [expected]
    if name != "seed=1.npy":  # an option, where nothing says that it is none
        assert config("infer-couplings", name).dataset.path == expected
        assert config("figure", name).run == expected


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_file_reaches_the_stages_of_a_figure(place, monkeypatch, name):
    monkeypatch.setenv("HOME", str(place))
    file = place / name.removeprefix("~/")
    file.touch()
    stages = stages_of(config("reproduce", "5", f"dataset.path={name}"))
    command, *words = stages[0]
    expected = str(file) if name.startswith("~/") else name
    assert config(command, *words).dataset.path == expected


def test_a_figure_that_needs_a_recording_asks_for_it(place):
    with pytest.raises(ValueError, match=r"dataset\.path: expected the file of a recording, which figure=5 needs"):
        stages_of(config("reproduce", "5"))


@pytest.mark.slow
def test_files_of_awkward_names_are_read_end_to_end(tmp_path):
    rows = np.random.default_rng(1).integers(0, 2, (60, 4))
    names = [
        name for name in NAMES if not name.startswith(("~", "-")) and name.endswith(".npy") and name != "seed=1.npy"
    ]
    # Of all names the configuration is tested above.
    names = names[::3]
    for name in names:
        np.save(tmp_path / name, rows)
    fast = ["inverse_ising=naive_mean_field", "folds=2", f"paths.outputs={tmp_path}/outputs"]
    half = len(names) // 2
    results = run_all(
        [
            *(["infer_couplings", f"{tmp_path}/{name}", *fast] for name in names[:half]),
            *(["infer_couplings", f"dataset.path={tmp_path}/{name}", *fast] for name in names[half:]),
        ]
    )
    assert [result.err for result in results] == [""] * len(names)
    assert [result.code for result in results] == [0] * len(names)


def test_what_is_no_mistake_is_left_to_hydra():
    def words(name, *typed):
        return understood(COMMANDS[name], read_arguments(typed))[0]

    assert words("train", "-m", "model.latents=1,2", "seed=range(0,3)") == [
        "model.latents=1,2",
        "seed=range(0,3)",
        "-m",
    ]
    assert words("train", "--cfg", "job") == ["--cfg", "job"]
    assert words("sample", "experiment=null") == []
    assert words("train", "experiment=null", "model.latents=2")[0] == "~experiment"
    assert words("train", "+trainer.max_time=00:01:00:00") == ["+trainer.max_time=00:01:00:00"]
    assert words("train", "+seed=3") == ["seed=3"]
    assert words("discover", "dataset=mnist8", "dataset.variables=[14,größe]") == [
        "dataset=mnist8",
        "dataset.variables=[14,'größe']",
    ]
    assert config("train", "experiment=null", "system=curie_weiss", "model.latents=1").system.sites == 256


@pytest.mark.parametrize("glued", [False, True])
def test_a_flag_takes_its_value_as_a_word_or_behind_an_equals_sign(place, glued):
    (place / "mine" / "experiment").mkdir(parents=True)
    (place / "mine" / "experiment" / "mine.yaml").write_text("# @package _global_\nmodel:\n  latents: 7\n")

    def words(flag, value, *more):
        given = [f"{flag}={value}"] if glued else [flag, value]
        return understood(COMMANDS["train"], read_arguments([*given, *more]))[0]

    for flag in ("--config-dir", "-cd"):
        assert words(flag, "mine", "experiment=mine") == ["experiment=mine", flag, "mine"]
    for flag, value in [("--cfg", "job"), ("-c", "hydra"), ("--info", "plugins"), ("--package", "training")]:
        assert words(flag, value) == [flag, value]


def test_what_stands_behind_two_dashes_is_no_flag(place):
    (place / "-odd.npy").touch()
    assert config("discover", "--", "-odd.npy").dataset.path == "-odd.npy"
    assert config("discover", "quick=true", "--", "-odd.npy", "seed=7").seed == 7
    (place / "--help").touch()
    assert config("infer-couplings", "--", "--help").dataset.path == "--help"


def test_options_of_a_launcher_are_understood():
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    typed = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=4", "-m"]
    assert understood(COMMANDS["train"], read_arguments(typed))[0][-1] == "-m"


def test_a_launcher_without_its_plugin_names_the_extra():
    assert set(LAUNCHERS.values()) == {"joblib", "slurm", "ray"}


def test_a_mistake_reaches_the_shell(tmp_path):
    result = run("train", "experiment=hopfeld_quick", *paths(tmp_path))
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
