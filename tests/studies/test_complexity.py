"""The study of the complexity of random K-SAT: its tables, the zero, and the figure."""

import numpy as np
import pytest

from vae_mf.plotting.complexity import draw_complexity
from vae_mf.satisfiability.population_dynamics import first_moment_entropy
from vae_mf.studies.complexity import complexity_tables, fitted_zero

SIZES = {"members": 1000, "discarded": 40, "kept": 20, "populations": 3}
CURVE = {
    "length": 3,
    "complexity": [4.1],
    "fit": [4.17, 4.22, 4.27, 4.32, 4.37],
    "entropy": [3.0, 3.8],
    "thresholds": {"condensation": 3.86, "satisfiability": 4.267},
}


@pytest.fixture(scope="module")
def tables():
    return complexity_tables([CURVE], SIZES, seed=1)


def test_the_zero_is_the_satisfiability_threshold(tables):
    (zero,) = tables["zero"].itertuples()
    assert zero.place == pytest.approx(4.267, abs=0.02)  # a thousand messages lie .006 low
    assert zero.error < 0.006


def test_entropies_stay_below_the_bound_of_the_first_moment(tables):
    found = tables["entropy"]
    assert found.first_moment.tolist() == [first_moment_entropy(3, ratio) for ratio in CURVE["entropy"]]
    assert (found.value < found.first_moment).all()
    assert (found.value > 0.9 * found.first_moment - 0.02).all()


def test_the_figure_shows_every_point_and_the_zero(tables):
    above, below = draw_complexity(tables).axes
    assert above.get_title(loc="left") == "K = 3"
    (zero,) = tables["zero"].itertuples()
    labels = above.get_legend_handles_labels()[1]
    assert f"zero: {zero.place:.4f} ± {zero.error:.4f}" in labels
    np.testing.assert_allclose(above.lines[0].get_xydata(), tables["complexity"][["ratio", "value"]])
    assert {"condensation: 3.86", "satisfiability: 4.267"} <= set(below.get_legend_handles_labels()[1])


def test_the_error_of_a_zero_is_the_spread_of_zeros():
    random = np.random.default_rng(1)
    places = np.linspace(4.2, 4.32, 7)
    values = 0.09 * (4.267 - places) - 0.1 * (4.267 - places) ** 2
    zeros = [fitted_zero(places, values + random.normal(0, 1e-4, 7), 1e-4) for _ in range(300)]
    spread = np.std([zero.place for zero in zeros])
    assert np.mean([zero.error for zero in zeros]) == pytest.approx(spread, rel=0.15)
    assert np.mean([zero.chi_square for zero in zeros]) == pytest.approx(1, abs=0.15)


def test_a_range_without_a_zero_is_told():
    with pytest.raises(ValueError, match=r"expected one zero from 1 to 2, got 0"):
        fitted_zero(np.linspace(1, 2, 5), np.linspace(1, 2, 5), 0.1)
