"""The user's own samples: a store made once, exact theory where it agrees with them, and none made up."""

import shutil
import threading

import numpy as np
import pytest
from rich.progress import Progress

from vae_mf.commands.arguments import Mistake, read_arguments
from vae_mf.commands.mistakes import understood
from vae_mf.commands.table import COMMANDS
from vae_mf.runs.names import present_names
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.stages import prepare
from vae_mf.runs.tasks import build_task
from vae_mf.samplers import sample
from vae_mf.store import from_arrays, open_store
from vae_mf.store.local import LocalFolder
from vae_mf.systems import CurieWeiss

SITES = 12
TEMPERATURES = [0.6, 1.0, 2.0]
DRAWN = dict(zip(TEMPERATURES, sample(CurieWeiss(SITES), TEMPERATURES, count=800, seed=3), strict=True))
FEW = ("evaluation.generated=1000", "evaluation.likelihood_draws=4", "evaluation.likelihood_samples=40")
SYSTEM = ("system=curie_weiss", f"system.sites={SITES}")


@pytest.fixture
def config_of(compose_config, tmp_path, monkeypatch):
    """Compose the configuration of samples by temperature, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", **{f"T_{t}": values for t, values in DRAWN.items()})

    def build(*options, path="own.npz"):
        words = ["experiment=samples", f"dataset.path={path}", f"paths.data={tmp_path}/data", *FEW, *options]
        return compose_config("train", *words)

    return build


@pytest.fixture
def task_of(config_of):
    """Build model and data of samples by temperature."""
    return lambda *options, path="own.npz": prepare(config_of(*options, path=path), Progress(disable=True))


def test_samples_of_a_system_are_judged_by_its_theory(task_of, tmp_path):
    task = task_of(*SYSTEM)
    assert set(task.data.evidence.ensembles.values()) == {"equilibrium"}
    evaluation = task.data.evaluate(task.module.vae)
    assert "exact" in set(evaluation.tables["observables"].source)
    assert evaluation.tables["likelihood"].kl.notna().all()
    assert task.data.evidence.temperatures == TEMPERATURES
    (stored,) = (tmp_path / "data").glob("*.zarr")
    (tmp_path / "own.npz").rename(tmp_path / "away.npz")
    assert open_store(stored).attrs["system"] == "curie_weiss"


def test_without_a_system_there_is_no_theory(task_of, config_of):
    assert build_task(config_of(), Progress(disable=True)).system is None
    task = task_of()
    evaluation = task.data.evaluate(task.module.vae)
    assert set(evaluation.tables["observables"].source) == {"samples", "model"}
    assert not {"energy", "heat_capacity"} & set(evaluation.tables["observables"].observable)
    assert evaluation.tables["likelihood"].kl.isna().all()
    assert "energy_max_error" not in evaluation.metrics
    assert np.isfinite(evaluation.metrics["order_parameter_max_error"])


def test_what_a_model_is_judged_on_needs_no_trainer(config_of):
    config = config_of(*SYSTEM)
    config.training.module._target_ = "vae_mf.training.Absent"
    data = build_task(config, Progress(disable=True)).data()
    assert data.evidence.temperatures == TEMPERATURES


def test_samples_that_are_none_of_their_system_are_not_held_against_its_theory(task_of):
    wrong = task_of(*SYSTEM, "system.coupling=3.0").data.evidence.ensembles
    assert set(wrong.values()) == {"other than theory"}


def test_one_valley_alone_is_not_equilibrium(task_of):
    np.savez("up.npz", temperatures=[0.4], spins=[np.where(DRAWN[0.6].sum(1, keepdims=True) < 0, -1, 1) * DRAWN[0.6]])
    assert set(task_of(*SYSTEM, path="up.npz").data.evidence.ensembles.values()) == {"other than theory"}


def test_a_store_that_another_process_makes_is_waited_for(task_of, tmp_path, monkeypatch):
    monkeypatch.setattr("vae_mf.runs.tasks.POLL_SECONDS", 0.02)
    first = task_of().data.evidence
    (stored,) = (tmp_path / "data").glob("*.zarr")
    shutil.rmtree(stored)
    writer = LocalFolder(stored).lock()
    threading.Timer(0.3, writer.release).start()
    assert task_of().data.evidence.temperatures == first.temperatures
    assert not writer.is_locked


def test_a_store_of_ones_own_is_taken_as_it_is(task_of, tmp_path):
    own = from_arrays(DRAWN, folder=tmp_path / "mine.zarr", chains=40)
    assert task_of(path="mine.zarr").data.evidence.chains == own.attrs["chains"] == 80
    assert not (tmp_path / "data").exists()
    with pytest.raises(ValueError, match=r"dataset.chains: expected null, as the samples are a store"):
        task_of("dataset.chains=40", path="mine.zarr")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["sampler=auto"], "sampler: expected nothing, as samples are there"),
        (["split=time"], r"dataset.split: expected nothing, as samples are there"),
        (["system=curie_weiss"], "one of 12 sites, as in the arrays, got curie_weiss of 256"),
        (["system=maier_saupe"], "system: expected one of spins, got maier_saupe"),
        (["~store"], "expected an experiment, as in experiment=samples, or with it store=samples"),
        (
            ["model/encoder=director_linear", "model/decoder=bingham_shared"],
            "expected one for the spins of samples, got DirectorLinearEncoder",
        ),
    ],
)
def test_what_samples_do_not_use_is_refused(options, match, task_of):
    with pytest.raises(ValueError, match=match):
        task_of(*options)


def test_the_data_set_brings_its_experiment():
    words = ["dataset=samples", "dataset.path=own.npz", "system=ising2d"]
    overrides, composition = understood(COMMANDS["train"], read_arguments(words))
    assert overrides[0] == "experiment=samples"
    assert composition.choices["sampler"] is None
    assert understood(COMMANDS["train"], read_arguments(["dataset=samples", "experiment=retina", *words[1:]]))
    with pytest.raises(Mistake, match=r"dataset\.path: expected a value"):
        understood(COMMANDS["train"], read_arguments(["dataset=samples"]))


def test_a_command_for_recordings_refuses_samples(compose_config, task_of):
    config = compose_config("discover", "dataset=samples", "dataset.path=own.npz")
    with pytest.raises(ValueError, match=r"dataset: expected a recording, got dict of .*; vae-mf train takes samples"):
        build_recording(config.dataset)


def test_the_evaluation_of_samples_stays_that_of_equilibrium():
    config = {"dataset": {}, "evaluation": {"_target_": "vae_mf.verdict.EquilibriumSettings", "restarts": 5}}
    assert present_names(config)["evaluation"] == config["evaluation"]
