"""How long a model of a discovery is trained."""

import pytest

from vae_mf.discovery.settings import discovery_settings
from vae_mf.discovery.training import schedule

SETTINGS = discovery_settings(epochs=6, steps=700, batch_size=256, learning_rate=1e-2, last_learning_rate=5e-4)


@pytest.mark.parametrize(("rows", "epochs"), [(200_000, 6), (30_000, 6), (4680, 39), (100, 700)])
def test_few_rows_are_passed_over_more_often(rows, epochs):
    found, decay = schedule(rows, SETTINGS)
    assert found == epochs
    assert SETTINGS.learning_rate * decay ** (epochs - 1) == pytest.approx(SETTINGS.last_learning_rate)


def test_a_single_epoch_has_the_first_learning_rate():
    epochs, decay = schedule(1000, discovery_settings(epochs=1, steps=1))
    assert epochs == 1
    assert 0 < decay <= 1
