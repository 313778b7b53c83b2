"""Averages over disorder: against enumeration, their errors covered, and theorems at sizes beyond enumeration."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers.figures import in_one_line

from vae_mf.plotting.spin_glasses import DISORDER_LABELS, draw_disorder
from vae_mf.rng import integer
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.studies.disorder import AVERAGED, DisorderRun, disorder_means, disorder_tables, reduced_length, wave_power
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.glass_theory import nishimori_energy, nishimori_temperature, paramagnet_energy
from vae_mf.systems.parisi import parisi
from vae_mf.systems.spin_glass import EdwardsAnderson, SherringtonKirkpatrick

LADDER = [0.7, 1.1, 2.0]


def test_averages_of_every_sample_equal_enumeration():
    system = partial(EdwardsAnderson.random, side=3, dimension=2, disorder="pm")
    run = {"temperatures": LADDER, "sweeps": 600, "draws": 200, "chains": 4}
    tables = disorder_tables(system, MultispinGlass, 12, 1, run, lattice=(3, 2))
    rows = tables["samples"]
    scores = []
    for number in range(12):
        glass = system(seed=integer(1, "disorder", number))
        for temperature in LADDER:
            row = rows[(rows["sample"] == number) & (rows.temperature == temperature)].iloc[0]
            exact = enumerate_system(glass, temperature)
            correlations = (exact.spins.T * exact.probabilities) @ exact.spins
            scores.append([row.energy - exact.thermodynamics.energy / 9, row.q2 - (correlations**2).mean()])
    scores = np.array(scores)
    # Thermal noise of 800 draws, and no bias over samples.
    assert np.abs(scores).max() < 0.2
    assert (np.abs(scores.mean(0)) < 4 * scores.std(0) / 6).all()
    assert list(tables["disorder"].temperature) == LADDER
    axes = draw_disorder(tables).axes
    assert [in_one_line(ax.get_ylabel()) for ax in axes] == list(DISORDER_LABELS.values())
    assert len(draw_disorder({"disorder": tables["disorder"].drop(columns="length")}).axes) == 3


def test_errors_over_disorder_cover_the_mean():
    """Half of a large set of samples misses the whole by its stated error in the mean square."""
    rows = pd.DataFrame(np.random.default_rng(1).normal(1.0, 0.1, (4000, len(AVERAGED))), columns=list(AVERAGED))
    rows = rows.assign(temperature=1.0, sample=np.arange(4000))
    parts = [disorder_means(rows.iloc[20 * k : 20 * k + 20]).iloc[0] for k in range(200)]
    for name, expected in (("energy", 1.0), ("binder", disorder_means(rows.iloc[:4000]).binder[0])):
        scores = [(part[name] - expected) / part[f"{name}_error"] for part in parts]
        assert np.mean(np.square(scores)) == pytest.approx(1.1, abs=0.35)


def test_the_wave_of_an_overlap_is_the_sum_over_sites():
    product = np.random.default_rng(2).choice([-1, 1], (5, 64)).astype(np.int8)
    sites = np.indices((4, 4, 4)).reshape(3, -1)
    waves = np.exp(2j * np.pi * sites / 4)
    expected = np.mean(np.abs(product @ waves.T / 64) ** 2)
    assert wave_power(product, 4, 3) == pytest.approx(expected)
    assert reduced_length(1.0, 2.0, 4) == 0.0
    assert reduced_length(3.0, 1.0, 4) == pytest.approx(np.sqrt(2) / (8 * np.sin(np.pi / 4)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chains": 1}, "chains: expected an integer >= 2, got 1"),
        ({"draws": 1}, "draws: expected an integer >= 2, got 1"),
        ({"sweeps": 5, "draws": 10}, "draws: expected at most sweeps = 5, got 10"),
        ({"temperatures": [1.0, 1.0]}, "temperatures: expected at least one and no duplicates"),
    ],
)
def test_bad_runs_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        DisorderRun(**{"temperatures": [1.0, 2.0], "sweeps": 10, "draws": 10} | changed)


def test_one_sample_of_the_disorder_has_no_error():
    with pytest.raises(ValueError, match="samples: expected an integer >= 2, got 1"):
        disorder_tables(partial(SherringtonKirkpatrick.random, sites=4), IsingMetropolis, 1, 1, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "dimension", "positive"),
    [(32, 2, 0.75), (32, 2, 0.88), (32, 2, 0.95), (10, 3, 0.65), (10, 3, 0.767), (10, 3, 0.9)],
)
def test_large_lattices_have_the_energy_of_the_nishimori_line(side, dimension, positive):
    """At sizes that nobody enumerates, with no free number; the order parameter has the law of the overlap."""
    temperature = nishimori_temperature(positive)
    system = partial(EdwardsAnderson.random, side=side, dimension=dimension, disorder="pm", positive=positive)
    ladder = np.geomspace(temperature, max(3.0, 2.5 * temperature), 16).tolist()
    run = {"temperatures": ladder, "sweeps": 1000, "draws": 50}
    tables = disorder_tables(system, MultispinGlass, 40, 1, run, partial(ParallelTempering, swap_every=5))
    row = tables["disorder"].iloc[0]
    assert abs(row.energy / dimension - nishimori_energy(positive)) < 3 * row.energy_error / dimension
    cold = tables["samples"][tables["samples"].temperature == temperature]
    for power in ("2", "4"):
        difference = cold[f"m{power}"] - cold[f"q{power}"]
        assert abs(difference.mean()) < 3.5 * difference.std(ddof=1) / np.sqrt(40)


@pytest.mark.slow
def test_the_paramagnet_of_512_spins_has_its_energy_with_the_term_of_order_one_over_n():
    system = partial(SherringtonKirkpatrick.random, sites=512)
    run = {"temperatures": [1.3, 1.6, 2.0, 3.0], "sweeps": 400, "draws": 50}
    table = disorder_tables(system, IsingMetropolis, 60, 1, run)["disorder"]
    for row in table.itertuples():
        assert abs(row.energy - paramagnet_energy(512, row.temperature)) < 3 * row.energy_error


@pytest.mark.slow
def test_the_glass_phase_approaches_parisi_as_n_to_the_minus_two_thirds():
    """At T = 0.5 from N = 64 to 512: a line in N^(-2/3) through them ends at Parisi's energy."""
    sizes = (64, 128, 256, 512)
    run = {"temperatures": np.geomspace(0.5, 1.6, 12).tolist(), "sweeps": 2000, "draws": 50}
    rows = [
        disorder_tables(partial(SherringtonKirkpatrick.random, sites=n), IsingMetropolis, 64, n, run)["disorder"].iloc[
            0
        ]
        for n in sizes
    ]
    weights = 1 / np.array([row.energy_error for row in rows])
    line, covariance = np.polyfit(
        np.array(sizes) ** (-2 / 3), [row.energy for row in rows], 1, w=weights, cov="unscaled"
    )
    assert abs(line[1] - parisi(0.5).energy) < 3 * np.sqrt(covariance[1, 1]) + 3e-4
