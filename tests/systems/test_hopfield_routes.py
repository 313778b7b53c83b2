"""The two exact routes of the Hopfield network, a table of energies and quadrature over the field, agree."""

import numpy as np
import pytest

from vae_mf.systems import Hopfield, hopfield


@pytest.mark.parametrize(("sites", "patterns"), [(96, 3), (95, 3), (64, 2), (12, 1)])
@pytest.mark.parametrize("temperature", [0.2, 0.9, 3.0])
def test_a_table_of_energies_gives_what_every_temperature_gives_alone(sites, patterns, temperature, monkeypatch):
    network = Hopfield.random(sites, patterns, seed=1)
    assert network._few_energies
    summed, law = network.thermodynamics(temperature), network.order_parameter_law(temperature)
    monkeypatch.setattr(hopfield, "TABLE", 0)
    assert not network._few_energies
    np.testing.assert_allclose(summed, network.thermodynamics(temperature), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(law.values, network.order_parameter_law(temperature).values)
    np.testing.assert_allclose(law.probabilities, network.order_parameter_law(temperature).probabilities, atol=1e-13)
