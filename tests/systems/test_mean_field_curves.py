"""Mean-field curves: their equations, their transitions, and their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import erf

from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield_theory import retrieval_overlap
from vae_mf.systems.mean_field import mean_field_magnetisation


@given(st.floats(0.02, 0.9999), st.floats(0.1, 10))
def test_magnetisation_solves_its_equation_and_is_the_stable_root(reduced, coupling):
    m = mean_field_magnetisation(reduced * coupling, coupling)
    assert 0 < m <= 1
    assert m == pytest.approx(np.tanh(m / reduced), abs=1e-10)


@given(st.floats(1.0, 100.0))
def test_magnetisation_vanishes_above_the_transition(temperature):
    assert mean_field_magnetisation(temperature) == 0.0


def test_magnetisation_has_the_mean_field_exponent():
    assert mean_field_magnetisation(1 - 1e-6) == pytest.approx(np.sqrt(3e-6), rel=1e-4)


def test_large_curie_weiss_systems_follow_the_curve():
    law = CurieWeiss(5000).order_parameter_law(0.7)
    assert np.abs(law.values) @ law.probabilities == pytest.approx(mean_field_magnetisation(0.7), abs=1e-3)


@pytest.mark.parametrize("load", [0.05, 0.1, 0.13])
def test_retrieval_at_zero_temperature_is_that_of_amit_gutfreund_sompolinsky(load):
    def equation(y):  # m = erf(y), with r = (1 - C)^-2 eliminated: the T = 0 limit of AGS 1985
        return erf(y) - y * (np.sqrt(2 * load) + 2 / np.sqrt(np.pi) * np.exp(-(y**2)))

    largest_root = brentq(equation, 1.4, 10)
    assert retrieval_overlap(0.005, load) == pytest.approx(erf(largest_root), abs=1e-3)


def test_retrieval_is_lost_beyond_the_critical_load():
    assert retrieval_overlap(0.02, 0.13) > 0.9
    assert retrieval_overlap(0.02, 0.145) < 0.5  # the transition is of first order, alpha_c = 0.138 at T = 0


def test_retrieval_is_lost_at_high_temperature():
    assert retrieval_overlap(0.7, 0.05) == 0.0
    assert retrieval_overlap(1.2, 1e-4) == 0.0


@pytest.mark.parametrize("temperature", [0.2, 0.5, 0.8])
def test_retrieval_at_vanishing_load_is_the_ferromagnetic_curve(temperature):
    assert retrieval_overlap(temperature, 1e-7) == pytest.approx(mean_field_magnetisation(temperature), abs=1e-5)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mean_field_magnetisation(0.0), "temperature"),
        (lambda: mean_field_magnetisation(1.0, -1.0), "coupling"),
        (lambda: retrieval_overlap(-1.0, 0.1), "temperature"),
        (lambda: retrieval_overlap(0.1, 0.0), "load"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"{name}: expected a finite number > 0"):
        call()
