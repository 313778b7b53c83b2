"""Theory of the network at finite load: its equations, its lines between phases, and simulated networks."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from vae_mf.samplers.retrieval import recall
from vae_mf.systems import Hopfield
from vae_mf.systems.hopfield_theory import (
    mixture_overlap,
    mixture_stability,
    paramagnetic_free_energy,
    retrieval_loads,
    retrieval_state,
    spin_glass_state,
    spin_glass_temperature,
)

STATES = [
    retrieval_state(0.1, 0.1),
    retrieval_state(0.5, 0.02),
    retrieval_state(0.8, 0.005),
    spin_glass_state(0.3, 0.2),
    spin_glass_state(1.1, 0.2),
]


def free_energy(m, q, r, temperature, load):
    """Equation 2 of Amit, Gutfreund and Sompolinsky (1985), by another quadrature."""
    beta = 1 / temperature

    def integrand(z):
        field = beta * (m + np.sqrt(load * r) * z)
        return norm.pdf(z) * np.logaddexp(field, -field)

    entropy = quad(integrand, -10, 10, points=[-m / np.sqrt(load * r)], limit=400, epsabs=1e-13)[0]
    one = 1 - beta * (1 - q)
    coupled = load / (2 * beta) * (np.log(one) - beta * q / one)
    return load / 2 + m**2 / 2 + coupled + load * beta / 2 * r * (1 - q) - entropy / beta


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"T={state.temperature},load={state.load:.3g}")
def test_states_are_stationary_points_of_the_free_energy(state):
    point = np.array([state.overlap, state.order, state.noise])
    around = state.temperature, state.load
    assert state.free_energy == pytest.approx(free_energy(*point, *around), abs=1e-9)
    for k in range(state.overlap == 0, 3):  # the overlap is zero by symmetry where it is zero
        step = np.zeros(3)
        step[k] = 1e-4 * point[k]
        slope = (free_energy(*(point + step), *around) - free_energy(*(point - step), *around)) / (2 * step[k])
        assert slope == pytest.approx(0, abs=1e-5)


def test_retrieval_ends_at_the_critical_load_of_zero_temperature():
    loads = [retrieval_loads(temperature).largest for temperature in (0.002, 0.004)]
    assert 2 * loads[0] - loads[1] == pytest.approx(0.137906, abs=2e-5)
    # Replica symmetry makes it rise first: the reentrance is a mark of its breaking.
    assert retrieval_loads(0.02).largest > loads[0]
    assert retrieval_state(0.3, 1.001 * retrieval_loads(0.3).largest) is None
    assert retrieval_state(0.3, 0.999 * retrieval_loads(0.3).largest).overlap > 0.8


def test_retrieval_has_the_lowest_free_energy_up_to_a_load_of_a_twentieth():
    assert retrieval_loads(0.005).coexistence == pytest.approx(0.0515, abs=1e-3)
    for temperature in (0.1, 0.7):
        load = retrieval_loads(temperature).coexistence
        inside, outside = 0.9 * load, 1.1 * load
        assert retrieval_state(temperature, inside).free_energy < spin_glass_state(temperature, inside).free_energy
        assert retrieval_state(temperature, outside).free_energy > spin_glass_state(temperature, outside).free_energy


def test_retrieval_breaks_replica_symmetry_only_in_the_cold():
    cold, warm = retrieval_loads(0.01), retrieval_loads(0.1)
    assert cold.symmetric < cold.largest
    assert (
        retrieval_state(0.01, 1.01 * cold.symmetric).stability
        < 0
        < retrieval_state(0.01, 0.99 * cold.symmetric).stability
    )
    assert warm.symmetric == warm.largest


@pytest.mark.parametrize("load", [0.02, 0.3, 4.0])
def test_the_spin_glass_begins_continuously_and_breaks_replica_symmetry(load):
    glass = spin_glass_temperature(load)
    just_below = spin_glass_state(0.999 * glass, load)
    assert just_below.free_energy == pytest.approx(paramagnetic_free_energy(0.999 * glass, load), abs=1e-5)
    assert 0 < just_below.order < 0.01
    assert just_below.stability < 0
    assert spin_glass_state(1.001 * glass, load) is None


def test_mixtures_of_three_patterns_become_minima_at_the_known_temperature():
    assert brentq(mixture_stability, 0.3, 0.6) == pytest.approx(0.46, abs=2e-3)  # AGS 1985
    assert mixture_overlap(1e-3) == pytest.approx(0.5)
    patterns = Hopfield.random(4000, 3, seed=1).patterns
    mixture = np.sign(patterns.sum(0, dtype=int)).astype(np.int8)
    settled = recall(Hopfield(patterns), mixture[None], sweeps=60, temperature=0.3, seed=2).spins
    assert (settled * patterns).mean(1) == pytest.approx(mixture_overlap(0.3), abs=0.05)


@pytest.mark.parametrize(("temperature", "load"), [(0.3, 0.05), (0.6, 0.02)])
def test_energy_of_retrieval_is_that_of_a_simulated_network(temperature, load):
    step = 1e-4
    around = [retrieval_state(temperature + shift, load).free_energy for shift in (-step, 0, step)]
    exact = around[1] - temperature * (around[2] - around[0]) / (2 * step)
    energies = []
    for seed in range(4):
        system = Hopfield.random(2000, round(2000 * load), seed)
        energies.append(
            recall(system, system.patterns[:4], 60, temperature, seed).energies[:, 20:].mean() / system.sites
        )
    # The energy of a network holds the diagonal of the couplings, -alpha / 2 for each spin.
    assert np.mean(energies) + load / 2 == pytest.approx(exact, abs=4 * np.std(energies) / np.sqrt(3) + 1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retrieval_loads(1.0), "temperature: expected one below 1"),
        (lambda: retrieval_state(0.1, 0.0), "load: expected a finite number > 0"),
        (lambda: spin_glass_state(-1.0, 0.1), "temperature: expected a finite number > 0"),
        (lambda: mixture_overlap(0.0), "temperature"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_theory_cannot_compute_is_refused():
    calls = (lambda: retrieval_state(1e-6, 0.1), lambda: spin_glass_state(1e-5, 0.1), lambda: retrieval_loads(1e-6))
    for call in calls:
        with pytest.raises(ValueError, match=r"temperature: expected at least 0\.001"):
            call()
    with pytest.raises(ValueError, match="temperature: expected one above 1"):
        paramagnetic_free_energy(0.2, 0.1)


def test_a_load_with_too_many_points_is_refused():
    with pytest.raises(ValueError, match="load: expected at most 4e"):
        spin_glass_state(0.2, 1e9)
