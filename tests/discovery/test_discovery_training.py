"""Length of the training of a model of a discovery."""

import pytest

from vae_mf.discovery.settings import Schedule
from vae_mf.discovery.training import long_enough
from vae_mf.training.recipe import Recipe
from vae_mf.training.vae_module import VAEModule


@pytest.mark.parametrize(("rows", "epochs"), [(200_000, 6), (30_000, 6), (4680, 39), (100, 700)])
def test_few_rows_are_passed_over_more_often(rows, epochs):
    recipe = Recipe(epochs=6, batch_size=256, module=VAEModule)
    assert long_enough(recipe, Schedule(steps=700, fall=0.05), rows).epochs == epochs
