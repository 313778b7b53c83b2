"""What is mistyped gets one line with the nearest name and exit status 2, and leaves nothing behind."""

import re
import sys

import numpy as np
import pytest
from helpers.commands import paths, run, run_all
from hydra import compose, initialize_config_dir

from vae_mf.commands.arguments import read_arguments
from vae_mf.commands.main import main
from vae_mf.commands.mistakes import LAUNCHERS, understood
from vae_mf.commands.reproduce import stages_of
from vae_mf.commands.table import COMMANDS
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
    "train --cfg jobs": "invalid choice: 'jobs'",
    "train experiment=hopfeld_quick": "expected one of \\d+, got hopfeld_quick; did you mean experiment=hopfield_quick",
    "train system=isng": "system: expected one of .*ising.*, got isng; did you mean system=ising",
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
    "sample ~system.sits": "did you mean ~?system.sites",
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


def config(name: str, *words: str):
    """The configuration that Hydra composes of what was typed."""
    register()
    command = COMMANDS[name]
    texts = [text for text in understood(command, read_arguments(words))[0] if not text.startswith("-")]
    with initialize_config_dir(str(configurations()), version_base="1.3"):
        return compose(command.module, texts)


NAMES = [
    "größe.npy", "x y.npy", "x#1.npy", "run (1).npy", "a=b.npy", "a,b.npy", "x[1].npy", "x{1}.npy", "it's.npy",
    "$x.npy", "50%.npy", "x:1.npy", "~/x.npy", "null", "[a]", "-x.npy", "back\\slash", "seed=1.npy",
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


def test_files_of_awkward_names_are_read_end_to_end(tmp_path):
    rows = np.random.default_rng(1).integers(0, 2, (60, 4))
    names = [name for name in NAMES if not name.startswith(("~", "-")) and "." in name and name != "seed=1.npy"]
    for name in names:
        np.save(tmp_path / name, rows)
    fast = ["inverse_ising=naive_mean_field", f"paths.outputs={tmp_path}/outputs"]
    results = run_all([["infer_couplings", f"{tmp_path}/{name}", *fast] for name in names[:6]])
    results += run_all([["infer_couplings", f"dataset.path={tmp_path}/{name}", *fast] for name in names[6:]])
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
