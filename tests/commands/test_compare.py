"""The command that compares density models: what it writes, that it goes on where it stopped, and what it refuses."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers import PROJECT_ROOT
from helpers.commands import RECORDING
from helpers.third_party import Hebb
from hydra.utils import instantiate
from numpy.testing import assert_allclose
from omegaconf import OmegaConf

from vae_mf.commands.compare import (
    Fold,
    Workplace,
    chosen_splits,
    content_of,
    in_every_fold,
    main,
    say_absent,
    scored,
    scorings,
    with_averages,
)
from vae_mf.commands.limited import Worker
from vae_mf.datasets import make_recording
from vae_mf.density_models import BernoulliMixture, Independent
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.comparison import CHOICE, VAE, ModelScores, score_density_model
from vae_mf.inverse_ising import InverseIsing
from vae_mf.plotting.density_models import FAMILIES
from vae_mf.runs.folder import Run
from vae_mf.tables import read_tables

SMALL = [
    "dataset.variables=5",
    "density_models=[independent,mixtures]",
    *(f"~density_models.mixture_{count}" for count in (8, 16, 32, 64)),
    "draws=4",
    "blocks=5",
]
TRAINING = [*RECORDING, "dataset.variables=5"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a recording of 12 repeats of 40 bins, in which all variables share a rate that the movie sets."""
    folder = tmp_path_factory.mktemp("comparison")
    random = np.random.default_rng(1)
    rate = 0.1 + 0.5 * (np.sin(np.arange(40) / 2) > 0.5)
    np.save(folder / "recording.npy", (random.random((12, 5, 40)) < rate).astype(np.uint8))
    return folder


def test_scores_are_those_of_the_weights_of_a_run_whatever_it_is_called(tmp_path):
    """A run that was trained anew, or one of the same name elsewhere, once had the scores of the former."""
    config = OmegaConf.create({"density_models": {}, "draws": 4, "seed": 1, "device": "cpu"})
    names = []
    for place, weights in (("a/run", b"1"), ("a/run", b"2"), ("b/run", b"3"), ("c/run", b"3")):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "model.safetensors").write_bytes(weights)
        found = scorings(config, [np.zeros((4, 2), np.uint8)] * 3, [Run(tmp_path / place, OmegaConf.create({}))])
        names.append(list(found)[-1])
    assert len(set(names)) == 3
    assert all(name.rpartition("-")[0] == "run" for name in names)


def run(place: Path, script: str, *options: str) -> subprocess.CompletedProcess:
    paths = [f"dataset.path={place}/recording.npy", f"paths.outputs={place}/outputs"]
    command = [sys.executable, PROJECT_ROOT / "scripts" / f"{script}.py", *paths, *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=place)


def test_every_node_of_the_configuration_is_a_density_model(compose_config):
    config = compose_config("compare", "dataset.path=recording.npy")
    models = {name: instantiate(node) for name, node in config.density_models.items()}
    assert all(isinstance(model, DensityModel) for model in models.values())
    assert {type(model).__name__ for model in models.values()} | {VAE, CHOICE} == set(FAMILIES)
    assert Path(config.folder).name.startswith("comparison-")


@pytest.mark.slow
def test_models_are_compared_once_and_added_to(place):
    first = run(place, "compare", *SMALL, "dataset.split.split=[random,time]")
    assert first.returncode == 0, first.stderr
    (folder,) = (place / "outputs").glob("comparison-*")
    table = read_tables(folder)["comparison"]
    assert list(table.split.unique()) == ["random", "time"]
    assert set(table.model) == {"independent", "mixture_2", "mixture_4"}
    assert len(table) == 6
    gains = table.set_index(["split", "model"]).gain_over_independent
    assert gains["random", "mixture_2"] > 0.1
    assert (folder / "figures" / "comparison.png").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.npz")}
    assert len(before) == 6
    again = run(place, "compare", *SMALL[:-3], "blocks=5", "split=time", "density_models.mixture_4.n_components=3")
    assert again.returncode == 0, again.stderr
    after = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.npz")}
    assert before.items() <= after.items()
    assert len(after) > len(before)


@pytest.mark.slow
def test_runs_are_scored_on_their_own_split_and_no_other(place):
    trained = run(place, "train", *TRAINING)
    assert trained.returncode == 0, trained.stderr
    glob = f"runs=[{place}/outputs/retina-*]"
    found = run(place, "compare", *SMALL, "dataset.split.split=[repeat,time]", glob)
    assert found.returncode == 0, found.stderr
    (folder,) = (place / "outputs").glob("comparison-*")
    table = read_tables(folder)["comparison"]
    (row,) = table[table.family == "VAE"].itertuples()
    assert row.split == "time"
    assert row.model == "VAE d=1 mixture linear, seed 42"
    assert np.isfinite(row.log_likelihood)
    refused = run(place, "compare", *SMALL, "split=repeat", glob)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "'split': ['repeat']" in line
    assert "'split': 'time'" in line
    assert "retina-" in line


@pytest.mark.parametrize(
    ("shape", "split", "names", "said"),
    [
        ((12, 5, 40), "all", ["random", "repeat", "time"], []),
        ((400, 5), "all", ["random", "time"], ["left out: split=repeat, as there are too few repeats"]),
        ((400, 5), "time", ["time"], []),
    ],
)
def test_splits_that_the_data_cannot_give_are_left_out_and_named(shape, split, names, said, compose_config):
    recording = make_recording((np.random.default_rng(3).random(shape) < 0.5).astype(np.int8))
    lines = []
    config = compose_config("compare", "dataset.path=recording.npy", f"split={split}")
    assert list(chosen_splits(config, recording, lines.append)) == [(name, "all", 0) for name in names]
    assert lines == said


@pytest.mark.parametrize("split", ["random", "time", "repeat"])
def test_every_row_is_tested_in_one_fold(split, compose_config):
    recording = make_recording((np.random.default_rng(3).random((12, 5, 40)) < 0.5).astype(np.int8))
    config = compose_config("compare", "dataset.path=recording.npy", f"split={split}", "folds=5")
    folds = chosen_splits(config, recording, pytest.fail)
    assert list(folds) == [(split, "all", number) for number in range(5)]
    assert sorted(np.concatenate([parts.test for parts in folds.values()])) == list(range(480))
    for parts in folds.values():
        assert sorted(np.concatenate(parts)) == list(range(480))
        if split == "time":
            trained, validated, tested = (set(recording.time[part]) for part in parts)
            assert not tested & validated
            assert not (tested | validated) & trained
            # Validation comes before the test, around the end of the movie.
            assert (min(tested) - 1) % 40 in validated


def test_a_model_too_large_and_blocks_too_short_are_told_in_a_sentence_each(tmp_path, compose_config, capsys):
    """Rows are frozen in every other ten, and there are too few of them for the transitions of nine states."""
    rows = np.random.default_rng(3).integers(0, 2, (200, 4))
    rows[100:] = np.repeat(np.random.default_rng(7).integers(0, 2, (10, 1)), 10, axis=0)
    np.save(tmp_path / "recording.npy", rows)
    options = [
        "density_models=[independent,hidden_markov,mixtures]",
        "split=time",
        "dataset.split.test=0.5",
        "blocks=10",
        "density_models.hidden_markov_8.n_states=9",
    ]
    paths = [f"dataset.path={tmp_path}/recording.npy", f"folder={tmp_path}/out"]
    dropped = [f"~density_models.mixture_{count}" for count in (4, 8, 16, 32, 64)]
    main(compose_config("compare", *options, *dropped, *paths))
    out = capsys.readouterr().out
    assert "left out: hidden_markov_8 in time: n_states: expected at most" in out
    assert "blocks: expected" in out
    assert "got 10: errors may be too small; longer data have room" in out


def test_models_are_pooled_over_the_folds_that_all_have():
    def scores(name: str, value: float) -> ModelScores:
        return ModelScores(name, name, 1, np.array([value]), np.array([value]), 0.0, 1.0)

    first, second = Fold("time", "all", 0), Fold("time", "all", 1)
    both = {first: [scores("a", 1.0), scores("b", 2.0)], second: [scores("a", 3.0)]}
    only, choice = in_every_fold(both)
    assert (only.model, only.test.tolist()) == ("a", [1.0, 3.0])
    assert (choice.model, choice.test.tolist()) == ("baseline chosen in each fold", [1.0, 3.0])
    both[second].append(scores("b", 1.0))
    # Validation rows of a fold choose in that fold alone.
    assert in_every_fold(both)[-1].test.tolist() == [2.0, 3.0]
    both[first].append(scores("a", 5.0))
    with pytest.raises(ValueError, match="several of 'a'"):
        in_every_fold(both)


def test_runs_that_some_folds_lack_are_named():
    config = OmegaConf.create(
        {"model": {"latents": 2, "prior": {"_target_": "m.Mixture"}, "decoder": {"_target_": "m.Linear"}}, "seed": 3}
    )
    run = Run(Path("run"), config)
    said = []
    say_absent({Fold("time", "all", 0): [run], Fold("time", "all", 1): []}, said.append)
    assert said == ["left out: VAE d=2 mixture linear, seed 3: no run in time/fold-2-of-2"]
    say_absent({Fold("time", "all", 0): [run]}, pytest.fail)


def test_a_variable_that_is_constant_in_a_fold_is_told_with_the_fold(compose_config):
    rows = (np.random.default_rng(3).random((100, 3)) < 0.5).astype(np.int8)
    rows[:, 2] = np.arange(100) >= 80
    config = compose_config("compare", "dataset.path=recording.npy", "split=time", "folds=5")
    with pytest.raises(ValueError, match=r"always silent: \[2\]; this is time/fold-5-of-5"):
        chosen_splits(config, make_recording(rows), pytest.fail)


def test_scores_of_other_rows_are_not_taken_for_those_of_these(tmp_path):
    score = ModelScores("a", "b", 1, np.zeros(2), np.zeros(2), 0.0, 1.0)
    fold = Fold("time", "all", 0)
    rows = np.ones((3, 2), np.int8)

    def kept(each: np.ndarray, parameters: int) -> int:
        workplace = Workplace(tmp_path, {fold: content_of([each])}, Worker(), None)
        return workplace.kept(fold, Path("a.npz"), lambda: score._replace(parameters=parameters)).parameters

    assert [kept(rows, 1), kept(rows.copy(), 2), kept(-rows, 3), kept(-rows, 4)] == [1, 1, 3, 3]


def test_damaged_scores_are_named_and_a_model_that_fails_is_left_out(tmp_path):
    """The model of damaged scores was once left out, and with independent variables the comparison ended unnamed."""
    fold = Fold("time", "all", 0)
    score = ModelScores("a", "b", 1, np.zeros(2), np.zeros(2), 0.0, 1.0)

    def told(compute):
        said = []
        workplace = Workplace(tmp_path, {fold: ""}, Worker(), None)
        list(scored(workplace, {fold: {"a-1": compute}}, lambda **_: None, said.append))
        return said

    def failing():
        raise ValueError("too few rows")

    assert told(failing) == ["left out: a in time: too few rows"]
    assert told(lambda: score) == []
    (tmp_path / "time/a-1.npz").write_bytes((tmp_path / "time/a-1.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"a-1\.npz: "):
        told(lambda: score)


@pytest.mark.slow
def test_a_model_that_takes_too_long_is_left_out_in_all_folds():
    """The process that fits it is ended; the next one is fitted in another."""
    rows = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (3, 200, 4))
    folds = [Fold("time", "all", number) for number in range(2)]
    jobs = {
        "endless-1": partial(score_density_model, "endless", BernoulliMixture(2, n_init=10**9), *rows),
        "independent-1": partial(score_density_model, "independent", Independent(), *rows),
    }
    said = []
    with TemporaryDirectory() as folder, Worker() as worker:
        workplace = Workplace(Path(folder), dict.fromkeys(folds, ""), worker, 3.0)
        *_, models = scored(workplace, dict.fromkeys(folds, jobs), lambda **_: None, said.append)
    assert said == [
        "left out: endless: stopped after 3 s of processor time in time/fold-1-of-2; time_limit allows more"
    ]
    assert models[0].model == "independent"
    assert len(models[0].test) == 400


def test_vaes_that_differ_in_their_seed_are_averaged():
    """Densities are, not their logarithms; runs of another kind are in the average of all alone."""

    def scores(name: str, value: float) -> ModelScores:
        return ModelScores(name, VAE, 10, np.log([value]), np.log([value / 2]), 0.0, 1.0)

    kept = [scores("VAE d=2, seed 1", 0.2), scores("VAE d=2, seed 2", 0.4), scores("VAE d=3, seed 1", 0.9)]
    *same, seeds, every = with_averages(kept)
    assert same == kept
    assert (seeds.model, every.model) == ("VAE d=2, average of 2 runs", "VAE, average of all 3 runs")
    assert_allclose(np.exp([*seeds.validation, *seeds.test, *every.test]), [0.3, 0.15, 0.25])
    assert every.parameters == 30
    assert with_averages(kept[1:2]) == kept[1:2]


def test_fewer_training_rows_are_told_apart_from_all(compose_config):
    recording = make_recording((np.random.default_rng(3).random((12, 5, 40)) < 0.5).astype(np.int8))
    config = compose_config("compare", "dataset.path=recording.npy", "split=time", "training_rows=[100,all]")
    few, every = chosen_splits(config, recording, pytest.fail).values()
    assert len(few.train) == 100
    assert set(few.train) < set(every.train)
    assert np.array_equal(few.test, every.test)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["split=time", "folds=500"], "expected fewer folds, more validation, or more data, got time"),
        (
            ["split=random", "training_rows=500"],
            "training_rows: expected at most the 320 that there are, or all, got 500",
        ),
        (["split=repeat"], "split: expected random or time, got repeat with too few repeats"),
        (
            ["dataset.split.test=1.0e-4"],
            "split: expected other fractions .* or more data, got random",
        ),
    ],
)
def test_a_split_that_is_asked_for_and_impossible_is_refused_with_those_that_are_not(options, match, compose_config):
    recording = make_recording((np.random.default_rng(3).random((400, 5)) < 0.5).astype(np.int8))
    config = compose_config("compare", "dataset.path=recording.npy", *options)
    with pytest.raises(ValueError, match=match):
        chosen_splits(config, recording, pytest.fail)


def test_a_density_model_of_a_third_party_is_found_by_its_import_path(compose_config):
    target = "+density_models.histogram._target_=helpers.third_party.Histogram"
    config = compose_config("compare", "dataset.path=recording.npy", "density_models=independent", target)
    rows = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (3, 50, 2))
    scores = [compute() for compute in scorings(config, list(rows), []).values()]
    assert [score.model for score in scores] == ["independent", "histogram"]
    assert scores[1].parameters == 3


def test_models_in_time_are_told_the_sequences_of_the_training_rows(compose_config):
    """Rows that come in pairs of equal ones, without which there are no two states of equal rates."""
    config = compose_config("compare", "dataset.path=recording.npy", "density_models=hidden_markov")
    model = instantiate(config.density_models.hidden_markov_8).set_params(n_states=2)
    rows = np.random.default_rng(3).choice(np.array([-1, 1], np.int8), (3, 60, 4)).repeat(2, axis=1)
    score_density_model("states", model, *rows, lengths=[120])
    assert np.abs(model.transitions_ - model.weights_).max() > 0.2
    score_density_model("states", model, *rows)
    # One transition of each state is added, spread evenly.
    assert np.abs(model.transitions_ - 0.5).max() < 1e-12


def test_an_estimator_of_a_third_party_is_found_by_its_import_path(compose_config):
    target = "+inverse_ising.hebb._target_=helpers.third_party.Hebb"
    config = compose_config("infer_couplings", "dataset.path=recording.npy", target)
    estimators = {name: instantiate(node) for name, node in config.inverse_ising.items()}
    assert type(estimators["hebb"]) is Hebb
    assert all(isinstance(estimator, InverseIsing) for estimator in estimators.values())
