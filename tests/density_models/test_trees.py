"""Trees against all spanning trees and sums over components, and mixtures that are found again."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vae_mf.density_models import BernoulliMixture, ChowLiuTree, TreeMixture
from vae_mf.density_models.trees import TreeProblem, Trees, mutual_informations
from vae_mf.packing import all_configurations
from vae_mf.statistics.distinct import distinct_spins

HUBS = Trees(
    np.array([0.6, 0.4]),
    np.array([[0, 1, 2, 3, 4, 5, 6, 7], [0, 7, 6, 5, 4, 3, 2, 1]]),
    np.array([[0, 0, 0, 0, 0, 0, 0, 0], [0, 7, 7, 7, 7, 7, 7, 0]]),
    np.array([[[0.3, 0.3]] + [[0.02, 0.6]] * 7, [[0.6, 0.6]] + [[0.5, 0.98]] * 7]),
)
"""Trees whose centres are the first and the last variable."""


def law(active: np.ndarray, trees: Trees) -> np.ndarray:
    """p(s) of every row, as a product over variables and a sum over trees."""
    total = np.zeros(len(active))
    for weight, parents, p in zip(trees.weights, trees.parents, trees.probabilities, strict=True):
        up = p[np.arange(len(parents)), active[:, parents].astype(int)]
        total += weight * np.where(active, up, 1 - up).prod(axis=1)
    return total


def rows_of(trees: Trees, count: int, seed: int) -> np.ndarray:
    """Rows drawn by enumeration."""
    states = all_configurations(trees.parents.shape[1])
    chosen = np.random.default_rng(seed).choice(len(states), count, p=law(states > 0, trees))
    return states[chosen]


def spanning_trees(variables: int) -> list[tuple]:
    """All of them as edges; Cayley counts N^(N - 2)."""

    def connected(edges: tuple) -> bool:
        graph = coo_array((np.ones(len(edges)), np.transpose(edges)), shape=(variables, variables))
        return connected_components(graph, directed=False)[0] == 1

    pairs = combinations(range(variables), 2)
    return [edges for edges in combinations(pairs, variables - 1) if connected(edges)]


def test_of_all_spanning_trees_the_likeliest_is_found():
    everyone = spanning_trees(4)
    assert len(everyone) == 16
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows = random.choice(all_configurations(4), 300, p=random.dirichlet(np.full(16, 0.5)))
        found = ChowLiuTree(pseudocount=1e-9).fit(rows)
        # With frequencies as its conditional laws, a tree is as likely as its edges are informative.
        frequencies = [np.mean(rows[:, [i]] == [-1, 1], axis=0) for i in range(4)]
        entropy = -sum(p @ np.log(np.maximum(p, 1e-300)) for p in frequencies)
        information = mutual_informations((rows > 0).T.astype(float) @ (rows > 0) / 300)
        best = max(sum(information[edge] for edge in edges) for edges in everyone)
        assert_allclose(found.score(rows), best - entropy, atol=1e-6)


def test_the_density_is_the_sum_over_trees():
    found = TreeMixture(3).fit(rows_of(HUBS, 2000, 1))
    states = all_configurations(8)
    expected = law(states > 0, found.trees_)
    assert_allclose(np.exp(found.score_samples(states)), expected, rtol=1e-10)
    assert_allclose(expected.sum(), 1)
    assert found.n_parameters_ == 3 * 15 + 2


def test_an_iteration_is_that_of_the_formulas():
    rows = rows_of(HUBS, 400, 2)
    pseudocount = 3.0
    active = rows > 0
    rates = (active.sum(axis=0) + 0.5) / 401
    joint = np.stack([law(active, Trees(*(values[[k]] for values in HUBS))) for k in range(2)])
    responsibility = joint / joint.sum(axis=0)
    step = TreeProblem(distinct_spins(rows, np.ones(400)), pseudocount).step(HUBS)
    grown = responsibility.sum(axis=1) + pseudocount
    assert_allclose(step.components.weights, grown / grown.sum())
    for k, (parents, p) in enumerate(zip(step.components.parents, step.components.probabilities, strict=True)):
        counts = (active.T * responsibility[k]) @ active + pseudocount * np.outer(rates, rates)
        up = responsibility[k] @ active + pseudocount * rates
        for i, j in enumerate(parents[1:], start=1):
            assert_allclose(p[i], [(up[i] - counts[i, j]) / (grown[k] - up[j]), counts[i, j] / up[j]])
    states = all_configurations(8)
    independent = np.where(states > 0, rates, 1 - rates).prod(axis=1)
    logs = [np.log(law(states > 0, Trees(*(values[[k]] for values in HUBS)))) for k in range(2)]
    prior = pseudocount * sum(independent @ log for log in logs)
    assert_allclose(step.objective, (np.log(joint.sum(axis=0)).sum() + prior) / 400)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_objective_never_falls():
    found = TreeMixture(3, tolerance=1e-9, max_iter=60).fit(rows_of(HUBS, 2000, 3))
    assert np.diff(found.objective_).min() > -1e-12
    assert found.objective_[-1] > found.objective_[0] + 1e-3


def test_planted_trees_are_found_again():
    found = TreeMixture(2, tolerance=1e-6).fit(rows_of(HUBS, 20_000, 4)).trees_
    assert_array_equal(found.parents[0], HUBS.parents[0])
    assert_array_equal(np.delete(found.parents[1], [0, 7]), np.full(6, 7))
    assert_allclose(found.weights, HUBS.weights, atol=0.02)
    assert_allclose(found.probabilities[0], HUBS.probabilities[0], atol=0.03)


def test_copies_and_constants_are_no_trouble():
    rows = np.repeat(np.array([[1, 1, 1, -1], [-1, -1, 1, -1]], np.int8), 500, axis=0)
    for weight in (1.0, 1e7):
        found = ChowLiuTree().fit(rows, sample_weight=np.full(1000, weight))
        assert_allclose(found.score(rows), -np.log(2), atol=0.01)
        assert found.trees_.parents[0, 1] == 0
    assert_allclose(ChowLiuTree().fit(rows[:, :1]).score(rows[:, :1]), -np.log(2))


def test_rounding_makes_no_probability_that_is_none():
    """Constant and equal variables with heavy rows, of which sums of products exceed those of the weights."""
    random = np.random.default_rng(11)
    for _ in range(12):
        rows = random.choice(np.array([-1, 1], np.int8), (int(random.integers(30, 300)), 3))[:, [0, 0, 1, 1, 2, 2]]
        rows[:, [2, 5]] = [1, -1]
        for count in (1, 2):
            model = TreeMixture(count, n_init=2, max_iter=200, tolerance=1e-3)
            model.fit(rows, sample_weight=np.full(len(rows), 10 ** random.uniform(4, 7)))
            scores = model.score_samples(rows)
            assert np.isfinite(scores).all()
            assert scores.max() < 1e-9


def test_one_tree_is_no_mixture_and_a_forest_is_no_worse_than_independent_variables():
    rows = rows_of(HUBS, 1000, 5)
    assert_allclose(TreeMixture(1).fit(rows).score_samples(rows), ChowLiuTree().fit(rows).score_samples(rows))
    assert ChowLiuTree().fit(rows).score(rows) > BernoulliMixture(1).fit(rows).score(rows)


@pytest.mark.parametrize("options", [{"n_components": 0}, {"pseudocount": 0.0}, {"n_init": 0}, {"tolerance": -1.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TreeMixture(**{"n_components": 1, **options}).fit(rows_of(HUBS, 100, 6))
