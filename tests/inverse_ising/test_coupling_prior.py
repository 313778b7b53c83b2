"""The learnt prior of couplings against quadrature, closed forms and direct minimisation, and what it is worth."""

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from vae_mf.inverse_ising import BoltzmannLearning, InteractionScreening, ProbabilityFlow, PseudoLikelihood
from vae_mf.inverse_ising.solvers.coupling_prior import STARTS, Posterior, evidence_strength, fit_widths, kind_strengths
from vae_mf.inverse_ising.solvers.lbfgs import Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import LOGISTIC, LocalRegression
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.statistics.distinct import distinct_spins

SAMPLES = dense(5, 1.0, seed=1).draw(400, seed=2)
MATRIX = np.array([[0, 3, 40, 5, 90], [3, 0, 7, 60, 2], [40, 7, 0, 9, 11], [5, 60, 9, 0, 30], [90, 2, 11, 30, 0.0]])


def symmetric(sites: int, values: np.ndarray) -> np.ndarray:
    matrix = np.zeros((sites, sites))
    matrix[np.triu_indices(sites, 1)] = values
    return matrix + matrix.T


def noisy(sites: int, widths: np.ndarray, strength: float, seed: int) -> tuple[Posterior, np.ndarray, np.ndarray]:
    """Couplings of given widths as seen through noise, after shrinkage, and the noisy values and variances."""
    random = np.random.default_rng(seed)
    variances = random.uniform(0.5e-3, 2e-3, len(widths))
    seen = random.normal(0, np.sqrt(widths**2 + variances))
    left = 1 / (1 / variances + strength)
    return Posterior(symmetric(sites, seen * left / variances), symmetric(sites, left)), seen, variances


def ring(sites: int, seed: int):
    random = np.random.default_rng(seed)
    couplings = np.zeros((sites, sites))
    place = np.arange(sites)
    couplings[place, (place + 1) % sites] = random.choice([-1, 1], sites) * random.uniform(0.5, 1, sites)
    return oracle(couplings + couplings.T, random.uniform(-0.3, 0.3, sites))


def test_the_mixture_finds_shares_and_widths():
    random = np.random.default_rng(1)
    wide = random.random(20_000) < 0.1
    variances = random.uniform(0.5e-3, 2e-3, len(wide))
    seen = random.normal(0, np.sqrt(np.where(wide, 0.25, 1e-4) + variances))
    found = fit_widths(seen, variances, STARTS)
    # 2000 wide ones give their width to 3 % and their share to 2 %; the narrow width hides behind the noise.
    assert_allclose(found.shares[1], 0.1, rtol=0.1)
    assert_allclose(found.variances / [1e-4, 0.25], 1, atol=0.5)
    assert found.variances[1] == pytest.approx(0.25, rel=0.13)
    assert_allclose(fit_widths(seen, variances, np.ones(1)).variances, np.mean(seen**2 - variances), rtol=0.1)


def test_strengths_shrink_to_the_posterior_means_of_quadrature():
    sites, strength = 12, 20.0
    widths = np.where(np.arange(66) % 6 == 0, 0.6, 0.01)
    posterior, seen, variances = noisy(sites, widths, strength, seed=3)
    prior = fit_widths(seen, variances, STARTS)
    grid = np.linspace(-3, 3, 200_001)
    density = sum(
        share * np.exp(-(grid**2) / (2 * width)) / np.sqrt(width)
        for share, width in zip(prior.shares, np.maximum(prior.variances, 1e-8), strict=True)
    )
    kinds = kind_strengths(posterior, strength)
    assert kinds is not None
    strengths, doubts = (values[np.triu_indices(sites, 1)] for values in kinds)
    for x, variance, found, doubt in zip(seen, variances, strengths, doubts, strict=True):
        weights = density * np.exp(-((grid - x) ** 2) / (2 * variance))
        weights /= weights.sum()
        mean = x / (1 + found * variance)
        assert mean == pytest.approx(grid @ weights, abs=1e-4)
        spread = np.sqrt(variance / (1 + found * variance) + doubt * mean**2)
        assert spread == pytest.approx(np.sqrt(grid**2 @ weights - (grid @ weights) ** 2), rel=0.01)


def test_one_kind_stays_one():
    split = [kind_strengths(noisy(20, np.full(190, 0.2), 25.0, seed)[0], 25.0) is not None for seed in range(40)]
    # Twice the gain in likelihood is chi-squared with two degrees of freedom at most: beyond 2 ln 190 by chance 1/190.
    assert sum(split) <= 2


def test_the_evidence_is_the_variance_beyond_the_noise():
    sites = 20
    noise = 1e-3
    seen = np.random.default_rng(4).normal(0, 0.2, 190)
    best = 1 / (np.mean(seen**2) - noise)
    strength = 3.0
    for _ in range(50):
        left = 1 / (1 / noise + strength)
        posterior = Posterior(symmetric(sites, seen * left / noise), symmetric(sites, np.full(190, left)))
        strength = evidence_strength(posterior, strength, 1e6)
    assert strength == pytest.approx(best, rel=1e-6)


def test_variances_are_those_of_the_inverse_without_the_spin_itself():
    data = distinct_spins(SAMPLES, np.ones(len(SAMPLES)))
    problem = LocalRegression(data, LOGISTIC, strength=12.0)
    points = minimise(problem, np.zeros((6, 5)), Stopping(1e-8, 100)).points
    found = problem.posterior(points)
    covariances = np.cov(SAMPLES.T, bias=True)
    theta = SAMPLES @ points[:-1] + points[-1]
    for i in range(5):
        others = np.arange(5) != i
        information = 400 * np.mean(1 / np.cosh(theta[:, i]) ** 2) * covariances[np.ix_(others, others)]
        direct = np.diag(np.linalg.inv(information + 12 * np.eye(4)))
        assert_allclose(found.variances[others, i], direct, rtol=1e-5)
    assert_array_equal(found.means, points[:-1])


def test_every_coupling_can_have_a_strength_of_its_own():
    data = distinct_spins(SAMPLES, np.ones(len(SAMPLES)))
    separate = LocalRegression(data, LOGISTIC)
    joint = SymmetricRegression(data, LOGISTIC)
    separate.penalise(MATRIX)
    joint.penalise(MATRIX)
    apart = minimise(separate, np.zeros((6, 5)), Stopping(1e-9, 200)).points
    together, _ = joint.model(minimise(joint, joint.start(), Stopping(1e-9, 200)).points)

    def loss(couplings: np.ndarray, fields: np.ndarray) -> np.ndarray:
        margins = SAMPLES * (SAMPLES @ couplings + fields)
        return np.logaddexp(0, -2 * margins).mean(axis=0) + (MATRIX * couplings**2).sum(axis=0) / 800

    def both(parameters: np.ndarray) -> float:
        return loss(symmetric(5, parameters[5:]), parameters[:5]).sum()

    best = minimize(both, np.zeros(15), method="BFGS", options={"gtol": 1e-8}).x
    assert_allclose(together, symmetric(5, best[5:]), atol=1e-6)
    for i in range(5):
        others = np.arange(5) != i

        def alone(parameters: np.ndarray, i: int = i, others: np.ndarray = others) -> float:
            couplings = np.zeros((5, 5))
            couplings[others, i] = parameters[:4]
            return loss(couplings, np.full(5, parameters[4]))[i]

        direct = minimize(alone, np.zeros(5), method="BFGS", options={"gtol": 1e-8}).x
        assert_allclose(np.delete(apart[:, i], i), direct, atol=1e-6)


@pytest.mark.parametrize(
    ("estimator", "gain"),
    [
        (PseudoLikelihood(), 0.4),
        (PseudoLikelihood(symmetric=True), 0.4),
        (BoltzmannLearning(), 0.4),
        (InteractionScreening(), 0.8),
        (ProbabilityFlow(), 0.8),
    ],
    ids=["pseudo-likelihood", "symmetric", "Boltzmann", "screening", "flow"],
)
def test_a_sparse_graph_is_learnt_from_the_data(estimator, gain):
    """The couplings that are none are known to be none, whichever single strength one compares with."""
    model = ring(12, seed=4)
    upper = np.triu_indices(12, 1)
    spins = model.draw(3000, seed=1)

    def error(**options) -> float:
        fit = estimator.set_params(**options).fit(spins)
        return float(np.sqrt(np.mean((fit.couplings_ - model.couplings)[upper] ** 2)))

    assert error(l2="auto") < gain * min(error(l2=l2) for l2 in (0.0, 2.0, 8.0, 32.0))


def test_a_dense_model_has_one_strength():
    fit = PseudoLikelihood().fit(dense(12, 1.0, seed=2).draw(3000, seed=3))
    assert fit.l2_.shape == (12, 12)
    assert np.unique(fit.l2_).size == 1
