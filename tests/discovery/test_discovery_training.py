"""Trainings of a discovery: their length, and which of them end with a closer encoder."""

import pytest
import torch
from helpers.discovery import TINY, independent
from rich.progress import Progress

from vae_mf.datasets.recording import make_recording
from vae_mf.discovery.report import discover
from vae_mf.discovery.settings import Schedule, discovery_config, discovery_settings
from vae_mf.discovery.split import prepare
from vae_mf.discovery.stages import Study
from vae_mf.discovery.training import long_enough, require_enough_epochs
from vae_mf.files import WEIGHTS
from vae_mf.runs.models import build_vae
from vae_mf.training.recipe import Recipe
from vae_mf.training.vae_module import VAEModule


@pytest.mark.parametrize(("rows", "epochs"), [(200_000, 6), (30_000, 6), (4680, 39), (100, 700)])
def test_few_rows_are_passed_over_more_often(rows, epochs):
    recipe = Recipe(epochs=6, batch_size=256, module=VAEModule)
    assert long_enough(recipe, Schedule(steps=700, fall=0.05), rows).epochs == epochs


def test_a_number_of_epochs_has_an_effect_or_is_refused():
    schedule = Schedule(steps=700, fall=0.05)
    require_enough_epochs(Recipe(epochs=39, batch_size=256, module=VAEModule), schedule, 4680)
    with pytest.raises(ValueError, match=r"training.epochs: expected 39 or more, .* got 38; .* lower schedule.steps"):
        require_enough_epochs(Recipe(epochs=38, batch_size=256, module=VAEModule), schedule, 4680)


@pytest.mark.parametrize("given", [{"training": {"epochs": 1}}, {"training.epochs": 1}])
def test_a_discovery_refuses_a_number_of_epochs_without_effect(given, tmp_path):
    with pytest.raises(ValueError, match=r"training.epochs: expected .* as schedule.steps=3000 takes"):
        discover(independent(), folder=tmp_path / "found", **given)
    assert list(tmp_path.iterdir()) == []


def test_models_of_which_no_rows_are_encoded_keep_the_encoder_of_their_training(monkeypatch, tmp_path):
    recipes, refits = {}, []

    def trained(data, latents, settings, seed, folder, device, callbacks):
        recipes[folder.name] = settings.training
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).touch()
        return build_vae({**settings.model, "latents": latents}, data.train.sites, seed)

    monkeypatch.setattr("vae_mf.discovery.stages.model_of", trained)
    monkeypatch.setattr(
        "vae_mf.discovery.training.refit", lambda vae, data, recipe, seed: refits.append(recipe.encoder_refit_steps)
    )
    settings = discovery_settings(*discovery_config(quick=True, training={"encoder_refit_steps": 5}))
    rows = prepare(make_recording(independent()), "independent", settings)
    study = Study(rows, settings, tmp_path, torch.device("cpu"), Progress(disable=True))
    study.score(1)
    study.trainings(1)
    study.repetitions(1)
    assert not refits
    for _ in range(2):
        study.best(1)
    assert refits == [5]
    steps = {name: recipe.encoder_refit_steps for name, recipe in recipes.items()}
    assert steps == {"latents-1": 0, "seed-1": 0, "first-half": 0, "second-half": 0}


def test_an_encoder_that_is_refitted_later_is_the_same(tmp_path):
    settings = discovery_settings(*discovery_config(quick=True, **TINY))
    rows = prepare(make_recording(independent()), "independent", settings)
    study = Study(rows, settings, tmp_path, torch.device("cpu"), Progress(disable=True))
    at_once = study.model(1, rows.train, settings.seed, "at-once", encodes=True)
    trained = study.trained(1).state_dict()
    for _ in range(2):  # made, and read from its file
        later = study.best(1)
        assert not later.training
        for name, weights in later.state_dict().items():
            assert torch.equal(weights, at_once.state_dict()[name])
            assert torch.equal(weights, trained[name]) == (not name.startswith("encoder"))
