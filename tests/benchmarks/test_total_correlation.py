"""The benchmark of nats: exact values against enumeration, estimators against them, and how they are asked."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.special import entr, logsumexp

from vae_mf.benchmarks.asking import read_problem, save_problem
from vae_mf.benchmarks.estimators.chain_inputs import SUMMARIES, principal_loadings
from vae_mf.benchmarks.estimators.chain_rule import chain_rule
from vae_mf.benchmarks.estimators.classes_and_residuals import classes_and_residuals
from vae_mf.benchmarks.estimators.density_ratio import density_ratio
from vae_mf.benchmarks.estimators.gaussian import gaussian
from vae_mf.benchmarks.estimators.mine import mine
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.ratio_network import Settings
from vae_mf.benchmarks.estimators.residual_orders import residual_information, summed
from vae_mf.benchmarks.estimators.set_screen import ORDERS, affordable_rows, candidates, passing
from vae_mf.benchmarks.estimators.shared_orders import shared_orders
from vae_mf.benchmarks.estimators.site_critic import joint_samples, shortfall
from vae_mf.benchmarks.estimators.smile import smile
from vae_mf.benchmarks.estimators.telescoping import telescoping
from vae_mf.benchmarks.known_information import (
    binary_entropy,
    group_law,
    left_by_noisy_order,
    noise_variance,
    normal_nodes,
)
from vae_mf.benchmarks.leaderboard_page import PAGE
from vae_mf.benchmarks.problems import (
    CUT,
    GIVEN,
    TOTAL,
    all_of,
    halves_of,
    noisy_order,
    own_field,
    planted,
    planted_given,
)
from vae_mf.models.critic import DenseCritic
from vae_mf.packing import all_configurations
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.systems import CurieWeiss, Hopfield, Ising2D, MaierSaupe
from vae_mf.systems.enumeration import enumerate_system

SMALL = Settings(epochs=1, hidden=4)
FAST = {
    "chain rule": chain_rule,
    "residual orders": residual_information,
    "classes": lambda rows: classes_and_residuals(rows, classes=(1, 2)),
    "gaussian": gaussian,
    "density ratio": lambda rows, given=None: density_ratio(rows, given, SMALL),
    "telescoping": lambda rows, given=None: telescoping(rows, given, settings=SMALL),
    "mine": lambda rows, given=None: mine(rows, given, SMALL),
    "smile": lambda rows, given=None: smile(rows, given, SMALL),
}


def entropy(law: np.ndarray) -> float:
    return float(entr(law).sum())


def total_correlation(law: np.ndarray) -> float:
    """Sum of marginal entropies less the entropy, of the probabilities of all states."""
    sites = len(law).bit_length() - 1
    means = law @ all_configurations(sites).astype(float)
    return float(binary_entropy(means).sum()) - entropy(law)


@pytest.mark.parametrize(
    ("system", "temperature"),
    [(CurieWeiss(8), 0.9), (Hopfield.random(9, 2, seed=1), 0.7), (Ising2D(3), 2.2)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_total_correlations_are_those_of_enumeration(system, temperature):
    law = enumerate_system(system, temperature).probabilities
    assert all_of(system, temperature).exact == pytest.approx(total_correlation(law), abs=1e-9)


@pytest.mark.parametrize("system", [CurieWeiss(8), Ising2D(4)], ids=["curie_weiss", "ising2d"])
def test_halves_are_those_of_enumeration(system):
    law = enumerate_system(system, 1.3).probabilities.reshape(-1, 2 ** (system.sites // 2))
    known = entropy(law.sum(0)) + entropy(law.sum(1)) - entropy(law)
    assert halves_of(system, 1.3).exact == pytest.approx(known, abs=1e-9)


def test_two_directors_are_those_of_a_quadrature_over_their_angle():
    nodes, weights = np.polynomial.legendre.leggauss(200)
    logs = (3 * ((nodes + 1) / 2) ** 2 - 1) / 2 / (2 * 0.15)  # J P2(u) / N T
    weights = weights / 2 * np.exp(logs)
    known = weights @ logs / weights.sum() - np.log(weights.sum())
    assert all_of(MaierSaupe(2), 0.15).exact == pytest.approx(known, abs=1e-8)


@pytest.mark.parametrize("noise", [0.25, 1.0, 4.0])
def test_a_noisy_order_leaves_what_enumeration_says(noise):
    system, temperature = CurieWeiss(6), 0.7
    every = enumerate_system(system, temperature)
    width = np.sqrt(noise_variance(system, temperature, noise))
    grid = np.linspace(-1 - 9 * width, 1 + 9 * width, 801)
    order = every.spins.mean(1)
    logs = np.log(every.probabilities) - (grid[:, None] - order) ** 2 / (2 * width**2)
    density = logsumexp(logs, axis=1)
    shares = np.exp(density - logsumexp(density))
    left = shares @ [total_correlation(np.exp(row - norm)) for row, norm in zip(logs, density, strict=True)]
    assert left_by_noisy_order(system, temperature, noise) == pytest.approx(left, abs=1e-8)
    assert (left < 1e-9) == (noise == 1)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_planted_groups_hold_what_their_law_says(order):
    law = group_law(order, 0.8, np.zeros(1))[0]
    both = np.kron(law, law)
    assert law.sum() == pytest.approx(1)
    assert planted(2, order, 0.8).exact == pytest.approx(total_correlation(both))
    parts = law.reshape(-1, 2 ** (order // 2))
    information = entropy(parts.sum(0)) + entropy(parts.sum(1)) - entropy(law)
    assert planted(3, order, 0.8, cut=True).exact == pytest.approx(3 * information)
    spins = all_configurations(order)
    assert law @ spins.prod(1) == pytest.approx(np.tanh(0.8))
    assert np.abs(law @ (spins[:, :-1].prod(1))) < 1e-12


def test_planted_groups_given_z_hold_what_a_quadrature_over_all_states_says():
    points, weights = normal_nodes()
    known = sum(
        weight * total_correlation(group_law(3, 0.9, np.array([0.6 * point]))[0])
        for point, weight in zip(points, weights, strict=True)
    )
    assert planted_given(4, 3, 0.9, 0.6).exact == pytest.approx(4 * known)


def test_planted_rows_follow_their_law():
    problem = planted_given(2, 3, 0.9, 0.8).draw(20_000, 1)
    assert problem.given is not None
    assert problem.rows.shape == (20_000, 6)
    field = 0.8 * problem.given[:, 0]
    left = problem.rows[:, 0] - np.tanh(field)
    assert abs(left.mean()) < 4 / 20_000**0.5
    products = problem.rows[:, [0, 1]] * problem.rows[:, [2, 3]]  # members two groups apart
    expected = np.tanh(field[:, None] + 0.9 * products)
    assert np.abs((problem.rows[:, [4, 5]] - expected).mean(0)).max() < 4 / 20_000**0.5
    cut = planted(2, 3, 0.9, cut=True).draw(10, 1).cut
    assert cut is not None
    assert cut.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        (all_of(CurieWeiss(10), 1.0), 4000),
        (all_of(Ising2D(3), 2.5), 3000),
        (halves_of(CurieWeiss(12), 0.8), 4000),
        (noisy_order(CurieWeiss(10), 0.7, 4.0), 6000),
        (own_field(Hopfield.random(10, 2, seed=1), 0.6), 4000),
        (planted(4, 3, 0.8), 4000),
        (planted(2, 5, 1.0), 4000),
        (planted(6, 2, 0.7, cut=True), 4000),
        (planted_given(4, 2, 0.6, 0.8), 4000),
        (all_of(MaierSaupe(4), 0.15), 2000),
    ],
    ids=["cw", "ising", "halves", "noisy order", "field", "triples", "quintuples", "cut", "given", "directors"],
)
def test_the_chain_rule_finds_the_exact_nats(source, rows):
    problem = source.draw(rows, 3)
    found = chain_rule(problem.rows, problem.given, problem.cut)
    assert abs(found.value - source.exact) < max(0.05 * source.exact, 0.02) + 2 * found.error
    assert 0 < found.error < 0.1


def sets_of(before, left, order):
    """Sets by their squared scores, one after the other."""
    found = {}
    for members in combinations(range(before.shape[1]), order):
        product = left[:, members[-1]] * before[:, list(members[:-1])].prod(1)
        found[members] = product.sum() ** 2 / (left[:, members[-1]] ** 2).sum()
    return found


@pytest.mark.parametrize("order", ORDERS)
def test_a_screen_finds_the_sets_that_enumeration_does(order):
    before, left = np.random.default_rng(order).normal(size=(2, 40, 9)).astype(np.float32)
    known = sets_of(before, left, order)
    found = [tuple(members) for members in passing(before, left, order).tolist()]
    assert set(found) == {members for members, score in known.items() if score > 1}
    assert [known[members] for members in found] == pytest.approx(sorted((known[each] for each in found), reverse=True))
    left[:, 8] = 0
    assert all(members[-1] != 8 for members in passing(before, left, order))


def test_a_screen_passes_few_sets_of_independent_variables_and_those_that_are_there():
    rows = np.random.default_rng(2).choice(np.array([-1, 1], np.float32), size=(900, 24))
    rows[:, 20] = rows[:, [2, 3, 5, 7, 11, 13]].prod(1)
    found = {site: [each.members for each in sets] for site, sets in candidates(rows, rows).items()}
    assert (2, 3, 5, 7, 11, 13) in found[20]
    assert sum(map(len, found.values())) < 20_000
    assert set(affordable_rows(5, 100)) == {3, 4, 5}
    for order, most in {7: 60, 6: 83, 5: 138, 4: 314, 3: 1339}.items():
        assert str(most) in PAGE
        assert order in affordable_rows(most, 20_000)
        assert order not in affordable_rows(most + 1, 20_000)


def parity(rows, members, last, tilt, seed):
    """Give a variable the log-odds 2 tilt times the product of others, and return the nats of the set."""
    up = np.random.default_rng(seed).random(len(rows)) < 1 / (1 + np.exp(-2 * tilt * rows[:, members].prod(1)))
    rows[:, last] = np.where(up, 1, -1)
    return tilt * np.tanh(tilt) - np.log(np.cosh(tilt))


@pytest.mark.parametrize("order", [5, 6, 7])
def test_hidden_parities_of_any_order_are_found(order):
    rows = np.random.default_rng(order).choice(np.array([-1, 1], np.int8), size=(3000, 14))
    known = parity(rows, list(range(1, order)), 12, 0.6, seed=1) + parity(rows, [0, 4, 12, 6], 9, 0.6, seed=2)
    found = chain_rule(rows)
    assert abs(found.value - known) < 2.5 * found.error
    assert found.error < 0.03


def test_orders_that_two_samples_share_are_those_of_all_their_sets():
    first, second = (np.random.default_rng(seed).normal(size=(30, 5)) for seed in (1, 2))
    orders = shared_orders(first, second, np.arange(5), 4)
    for order, found in orders.items():
        sets = [list(members) for members in combinations(range(5), order)]
        products = [(first[:, each].prod(1), second[:, each].prod(1)) for each in sets]
        assert found.value == pytest.approx(sum(one.mean() * other.mean() for one, other in products) / 2)
    pairs = shared_orders(first, second, np.array([0, 0, 1, 1, 1]), 2)[2]
    sums = (first.T @ second / 30 / 30) * 0
    for one in (0, 1):
        for other in (2, 3, 4):
            sums[one, other] = (first[:, one] * first[:, other]).mean() * (second[:, one] * second[:, other]).mean()
    assert pairs.value == pytest.approx(sums.sum() / 2)


def test_errors_of_shared_orders_are_their_spread_where_nothing_is_left():
    random = np.random.default_rng(3)
    samples = (random.choice([-1.0, 1.0], size=(2, 60, 8)) for _ in range(300))
    found = [shared_orders(first, second, np.arange(8), 4)[3] for first, second in samples]
    scores = np.array([each.value / each.null_error for each in found])
    assert 0.85 < scores.std() < 1.15
    assert abs(scores.mean()) < 0.25


def test_residual_orders_add_what_no_single_set_shows():
    # Tilted by all triples at once: every one of them is too weak to be found by itself.
    every = all_configurations(12)
    couplings = np.random.default_rng(4).normal(0, 0.05, 220)
    energy = np.array([every[:, list(each)].prod(1) for each in combinations(range(12), 3)]).T @ couplings
    law = np.exp(energy - logsumexp(energy))
    rows = every[np.random.default_rng(5).choice(len(law), 4000, p=law)]
    known = total_correlation(law)
    alone, found = chain_rule(rows), residual_information(rows)
    assert abs(found.value - known) < 2 * found.error
    assert abs(alone.value - known) > 3 * alone.error


def test_a_critic_that_has_learnt_nothing_falls_short_of_all_there_is():
    source = planted(4, 2, 0.3)
    first, second = (joint_samples(source.draw(2000, seed).rows, None) for seed in (1, 2))
    critic = DenseCritic(8, "spins", latents=0, temperatures=1)
    assert shortfall(critic, first, second) == pytest.approx(source.exact, rel=0.15)


def test_residual_orders_that_grow_are_no_answer():
    orders = {2: Estimate(0.2, 0.01, 0.01), 3: Estimate(0.0, 0.01, 0.01), 4: Estimate(3.0, 0.1, 0.1)}
    with pytest.raises(ValueError, match="no answer: orders two to four"):
        summed(orders)
    pairs_of_pairs = orders | {4: Estimate(0.04, 0.005, 0.005)}
    assert summed(pairs_of_pairs).value == 0.2


@pytest.mark.parametrize("name", FAST)
def test_independent_variables_hold_nothing(name):
    rows = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (600, 6), p=[0.3, 0.7])
    found = FAST[name](rows)
    assert abs(found.value) < 0.02 + 3 * found.error


def test_what_is_nothing_of_the_kind_is_refused():
    directors = MaierSaupe(3)
    problem = all_of(directors, 0.3).draw(300, 1)
    given = np.zeros((300, 1))
    for estimator in (chain_rule, residual_information, gaussian, density_ratio):
        with pytest.raises(ValueError, match="directors"):
            estimator(problem.rows, given)
    with pytest.raises(ValueError, match="signs"):
        classes_and_residuals(problem.rows)
    flat = np.concatenate([problem.rows[..., :2], np.zeros((300, 3, 1))], axis=2)
    flat /= np.linalg.norm(flat, axis=2, keepdims=True)
    with pytest.raises(ValueError, match="rows: expected directors all over the sphere"):
        chain_rule(flat)
    with pytest.raises(ValueError, match="rows: expected no copies"):
        gaussian(np.repeat(planted(2, 2, 0.5).draw(50, 1).rows, 2, axis=1))
    with pytest.raises(ValueError, match="uniform marginals"):
        all_of(Hopfield.random(64, 5, seed=1), 1.0)
    with pytest.raises(ValueError, match="halves"):
        halves_of(Ising2D(16), 2.0)


SIGNS = np.where(np.arange(60).reshape(20, 3) % 7 < 3, 1, -1).astype(np.int8)
DIRECTORS = np.broadcast_to([0.0, 0.6, 0.8], (20, 3, 3))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ((SIGNS[:9],), r"rows: expected at least 10 rows of a variable or more, got an array int8 of shape \(9, 3\)"),
        ((SIGNS[:, :0],), "rows: expected at least 10 rows of a variable or more"),
        ((SIGNS[:, 0],), r"rows: expected an array of signs .*, got an array int8 of shape \(20,\)"),
        (((SIGNS + 1) // 2,), r"rows: expected signs -1 and \+1, got values such as \[0, 1\]: 2 \* rows - 1 makes"),
        ((SIGNS > 0,), r"rows: expected signs .* \[False, True\]: 2 \* rows - 1 makes"),
        ((np.where(SIGNS > 0, 1.0, np.nan),), r"rows: expected signs .*nan\]$"),
        ((DIRECTORS[..., :2],), r"rows: expected an array .*, got an array float64 of shape \(20, 3, 2\)"),
        ((2 * DIRECTORS,), "rows: expected directors of length 1, got one of 2"),
        ((DIRECTORS * np.nan,), "rows: expected directors of length 1, got one of nan"),
        ((SIGNS, np.zeros(20)), r"given: expected an array \(rows, latent variables\) of 20 rows, got .* \(20,\)"),
        ((SIGNS, np.zeros((19, 2))), r"given: expected an array .* of 20 rows, got .* \(19, 2\)"),
        ((SIGNS, np.full((20, 2), np.inf)), "given: expected finite numbers, got inf"),
        ((SIGNS, None, np.array([1, 0, 0])), "cut: expected an array of 3 truth values, got an array int64"),
        ((SIGNS, None, [True, False, False]), r"cut: expected an array of 3 truth values, got \[True, False"),
        ((SIGNS, None, np.zeros(3, bool)), "cut: expected True for some variables and False for others, got False"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_questions_without_an_answer_are_refused(question, said):
    """Signs 0 and 1 of independent variables had a quarter of a nat, and two rows an error of NaN."""
    with pytest.raises(ValueError, match=f"^{said}"):
        require_question(*question)


@pytest.mark.parametrize("name", FAST)
def test_every_estimator_checks_what_it_is_asked(name):
    with pytest.raises(ValueError, match=r"^rows: expected signs -1 and \+1, got values such as \[0, 1\]"):
        FAST[name]((SIGNS + 1) // 2)


def test_one_variable_holds_nothing():
    """Of a cut of one variable from all others a part is one."""
    assert residual_information(SIGNS[:, :1]).value == pytest.approx(0, abs=1e-9)
    assert np.isfinite(residual_information(SIGNS, cut=np.array([True, False, False])).value)
    critic = DenseCritic(1, "spins", latents=0, temperatures=1)
    critic.screen(joint_samples(SIGNS[:, :1], None))
    assert not critic.pairs.any()


@pytest.mark.parametrize("seed", [5, 35])
def test_rare_variables_hold_nothing(seed):
    """Sums that did not vary in the fitted rows were scaled to a variance of 1, and cost 10¹³ nats in the others."""
    rows = np.where(np.random.default_rng(seed).random((60, 8)) < 0.05, 1, -1).astype(np.int8)
    found = residual_information(rows)
    assert abs(found.value) < 2 * found.error < 1


def test_copies_hide_no_order_parameter():
    """A difference that is always zero stood out so much more that nothing else counted."""
    covariance = 0.8 * np.eye(30) + 0.2
    copied = covariance[np.ix_([*range(30), *range(12)], [*range(30), *range(12)])]
    alone, beside = (principal_loadings(each, rows=5000) for each in (covariance, copied))
    assert alone.shape == (30, 1)
    assert np.abs(beside[:30, 0]).min() > 0.1
    assert beside.shape[1] == SUMMARIES
    assert principal_loadings(np.ones((4, 4)), rows=40).shape == (4, 3)


def test_latent_variables_count_in_any_unit():
    """Single precision knows times of today to two minutes."""
    problem = planted_given(2, 2, 0.6, 0.8).draw(300, 1)
    assert problem.given is not None
    known, found = (chain_rule(problem.rows, each) for each in (problem.given, 1.7e9 + 10 * problem.given))
    assert found.value == pytest.approx(known.value, abs=1e-4)


def test_sources_say_which_quantity_they_know():
    sources = [planted(2, 2, 0.5), planted(2, 2, 0.5, cut=True), planted_given(2, 2, 0.5, 1.0)]
    assert [source.quantity for source in sources] == [TOTAL, CUT, GIVEN]


def test_a_problem_is_read_as_it_was_saved(tmp_path):
    for number, source in enumerate((planted(3, 3, 0.5, cut=True), planted_given(2, 2, 0.5, 1.0))):
        problem = source.draw(50, 1)._replace(side=number or None)
        save_problem(tmp_path / "a.npz", problem)
        for saved, found in zip(problem, read_problem(tmp_path / "a.npz"), strict=True):
            np.testing.assert_array_equal(saved, found)


@pytest.mark.slow
@pytest.mark.parametrize("source", [all_of(CurieWeiss(12), 1.0), planted(5, 2, 0.6)], ids=["cw", "pairs"])
def test_errors_of_the_chain_rule_cover(source):
    found = [chain_rule(source.draw(2000, seed).rows) for seed in range(100)]
    covered = [abs(each.value - source.exact) <= 2 * each.error for each in found]
    assert sum(covered) >= 88
    scores = pd.Series([(each.value - source.exact) / each.error for each in found])
    assert 0.7 < scores.std() < 1.4
