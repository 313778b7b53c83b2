"""Length of the training of a model of a discovery."""

import pytest
from helpers.discovery import independent

from vae_mf.discovery.report import discover
from vae_mf.discovery.settings import Schedule
from vae_mf.discovery.training import long_enough, require_enough_epochs
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
