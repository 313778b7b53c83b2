"""The adaptive cluster expansion against enumeration, and its models of small sets against direct minimisation."""

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle, tree
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import AdaptiveClusterExpansion, BoltzmannLearning
from vae_mf.inverse_ising.cluster_expansion import Expansion, unions
from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.maximum_entropy import maximum_entropy

MODEL = dense(7, 1.0, seed=1)
SPINS = MODEL.draw(2000, seed=2)
REFERENCES = ["mean field", "independent"]


def rms(estimator, model) -> float:
    upper = np.triu_indices(len(model.fields), 1)
    return float(np.sqrt(np.mean((estimator.couplings_ - model.couplings)[upper] ** 2)))


def test_small_sets_have_the_models_of_direct_minimisation():
    raw = spin_moments(SPINS)
    ridge = 0.01
    sets = np.array([[0, 1, 2], [2, 5, 6]])
    found = maximum_entropy(raw.magnetisations[sets], raw.pair_moments[sets[:, :, None], sets[:, None, :]], ridge)
    upper = np.triu_indices(3, 1)
    for chosen, entropy, couplings, fields in zip(sets, *found[:3], strict=True):
        rows = SPINS[:, chosen]

        def objective(parameters, rows=rows):
            matrix = np.zeros((3, 3))
            matrix[upper] = parameters[3:]
            matrix += matrix.T
            states = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T.astype(np.int8)
            log_partition = np.logaddexp.reduce(exponents(states, matrix, parameters[:3]))
            loss = log_partition - exponents(rows, matrix, parameters[:3]).mean()
            return loss + ridge / 2 * (parameters[3:] ** 2).sum()

        best = minimize(objective, np.zeros(6), method="BFGS", options={"gtol": 1e-9})
        assert entropy == pytest.approx(best.fun, abs=1e-10)
        assert_allclose(np.r_[fields, couplings[upper]], best.x, atol=1e-6)
    assert found.converged.all()


def test_a_pair_that_misses_a_state_needs_a_penalty():
    spins = SPINS[(SPINS[:, 0] == 1) | (SPINS[:, 1] == 1)]
    with pytest.warns(ConvergenceWarning, match=r"pairs of spins \[\[0, 1\]\] miss one"):
        AdaptiveClusterExpansion(threshold=1e-3, reference="independent", l2=0.0).fit(spins)
    assert np.abs(AdaptiveClusterExpansion(threshold=1e-3, reference="independent").fit(spins).couplings_).max() < 3


@pytest.mark.parametrize("reference", REFERENCES)
def test_all_clusters_together_are_the_maximum_of_the_likelihood(reference):
    exact = BoltzmannLearning(l2=1.0).fit(SPINS)
    found = AdaptiveClusterExpansion(threshold=0.0, reference=reference, largest=7).fit(SPINS)
    assert len(found.clusters_) == 2**7 - 1 - 7
    assert_allclose(found.couplings_, exact.couplings_, atol=1e-8)
    assert_allclose(found.fields_, exact.fields_, atol=1e-8)


@pytest.mark.parametrize("reference", REFERENCES)
def test_contributions_add_up_to_the_entropy_of_the_whole(reference):
    data = spin_moments(SPINS[:, :5])
    expansion = Expansion(data, 0.001, reference == "mean field")
    whole = tuple(range(5))
    expansion.solve([whole])
    parts = [tuple(np.flatnonzero([number >> i & 1 for i in range(5)]).tolist()) for number in range(1, 32)]
    total = maximum_entropy(data.magnetisations[None], data.pair_moments[None], 0.001).entropies[0]
    reference_entropy = expansion._reference(np.arange(5)).entropy
    assert sum(map(expansion.contribution, parts)) == pytest.approx(total - reference_entropy, abs=1e-12)


def test_on_a_tree_only_its_bonds_and_paths_matter():
    model = tree(10, 0.7, seed=3)
    found = AdaptiveClusterExpansion(reference="independent", l2=0.0, precision=0.05)
    found.fit(model.states, sample_weight=1e6 * model.probabilities)
    assert found.converged_
    bonds = {tuple(pair) for pair in np.argwhere(np.triu(model.couplings, 1))}
    assert bonds <= set(found.clusters_)
    assert len(found.clusters_) < 100
    assert_allclose(found.couplings_, model.couplings, atol=1e-8)


def test_the_scan_stops_where_the_moments_are_those_of_the_data():
    model = dense(14, 0.8, seed=5)
    spins = model.draw(10_000, seed=6)
    found = AdaptiveClusterExpansion().fit(spins)
    best = BoltzmannLearning().fit(spins)
    thresholds = [step.threshold for step in found.path_]
    errors = [max(step.magnetisation_error, step.pair_error) for step in found.path_]
    assert found.converged_
    assert thresholds == sorted(thresholds, reverse=True)
    assert found.threshold_ == thresholds[-1]
    assert errors[-1] <= 1 < min(errors[:-1])
    assert len(found.clusters_) == found.path_[-1].clusters < 14 * 13 / 2
    assert rms(found, model) < 1.15 * rms(best, model)


def test_chains_judge_as_enumeration_does():
    spins = dense(10, 0.6, seed=7).draw(5000, seed=8)
    exact = AdaptiveClusterExpansion(threshold=1e-3).fit(spins)
    drawn = AdaptiveClusterExpansion(threshold=1e-3, method="chains").fit(spins)
    assert_allclose(drawn.couplings_, exact.couplings_, atol=1e-12)
    assert drawn.path_[0].pair_error ** 2 == pytest.approx(exact.path_[0].pair_error ** 2, abs=0.5)


def test_unions_share_all_spins_but_one():
    assert unions([(0, 1), (0, 2), (1, 2), (3, 4)]) == [(0, 1, 2)]
    assert unions([(0, 1, 2), (1, 2, 3), (0, 4, 5)]) == [(0, 1, 2, 3)]


def test_too_many_clusters_end_the_scan():
    with pytest.warns(ConvergenceWarning) as warned:
        found = AdaptiveClusterExpansion(precision=1e-6, max_clusters=30).fit(SPINS)
    nearest = min(max(step.magnetisation_error, step.pair_error) for step in found.path_)
    assert f"with {len(found.clusters_)} clusters, leaves {nearest:.2g}" in str(warned[0].message)
    assert "AdaptiveClusterExpansion has not converged" in str(warned[1].message)
    assert len(found.clusters_) <= 30
    assert found.path_[-1].clusters <= 30
    with pytest.raises(ValueError, match="threshold: expected one that keeps at most 5 clusters"):
        AdaptiveClusterExpansion(threshold=0.0, max_clusters=5).fit(SPINS)


def test_it_refuses_bad_options():
    model = oracle(np.zeros((3, 3)), np.zeros(3))
    for options, message in (
        ({"reference": "bethe"}, "reference: expected one of mean field, independent"),
        ({"ratio": 1.0}, "ratio: expected a number between 0 and 1"),
        ({"largest": 1}, "largest: expected an integer >= 2"),
        ({"threshold": -1.0}, "threshold: expected a finite number >= 0"),
        ({"method": "guess"}, "method: expected one of auto, enumeration, chains"),
    ):
        with pytest.raises(ValueError, match=message):
            AdaptiveClusterExpansion(**options).fit(model.draw(50, seed=1))
