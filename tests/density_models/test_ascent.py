"""Unnormalised models of rows in {0, 1} that are learned by ascent: gradients, sweeps, ln Z and recovery, exactly."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from vae_mf.density_models import (
    PairwiseIsing,
    RandomProjections,
    SemiparametricPairwise,
    SemiRestrictedBoltzmann,
    energy_model,
)
from vae_mf.density_models.annealed_rows import GeometricPath
from vae_mf.density_models.ascent import Learnable
from vae_mf.density_models.random_projections import (
    ProjectionEnergy,
    draw_projections,
    membership,
    project,
    projection_heat_bath,
)
from vae_mf.density_models.restricted_boltzmann import AnnealedMachine, CoupledMachine, Machine, coupled_heat_bath
from vae_mf.density_models.semiparametric_pairwise import IncreasingPairwise, increasing_heat_bath, scale_of
from vae_mf.inverse_ising import PseudoLikelihood
from vae_mf.inverse_ising.solvers.annealing import annealed_importance
from vae_mf.packing import all_configurations

SIGMAS = 4.0
VARIABLES = 7
ROWS = (all_configurations(VARIABLES) > 0).astype(np.float32)
ANNEALING = {"chains": 1024, "resolution": 0.05}


def symmetric(random: np.random.Generator, scale: float) -> np.ndarray:
    upper = np.triu(random.normal(0, scale, (VARIABLES, VARIABLES)), 1)
    return (upper + upper.T).astype(np.float32)


def coupled_machine(seed: int = 1) -> CoupledMachine:
    random = np.random.default_rng(seed)
    parts = random.normal(0, 1, (3, VARIABLES)), random.uniform(-2, 0, VARIABLES), random.normal(0, 1, 3)
    return CoupledMachine(*(part.astype(np.float32) for part in parts), symmetric(random, 0.7))


def increasing_pairwise(seed: int = 2) -> IncreasingPairwise:
    random = np.random.default_rng(seed)
    fields = random.uniform(-2, 0, VARIABLES).astype(np.float32)
    couplings = symmetric(random, 0.7)
    machine = IncreasingPairwise(couplings, fields, np.zeros(5, np.float32), scale_of(np.array([-7.0, 0.5]), 5))
    return machine.with_parts((couplings, fields, random.normal(0, 0.7, 5).astype(np.float32)))


def projection_energy(seed: int = 3) -> ProjectionEnergy:
    random = np.random.default_rng(seed)
    projections = draw_projections(20, 3, 1.2, VARIABLES, random)
    fields = random.uniform(-2, 0, VARIABLES).astype(np.float32)
    factors = random.normal(0, 1, 20).astype(np.float32)
    return ProjectionEnergy(fields, factors, projections, membership(projections, VARIABLES))


def machine() -> Machine:
    return Machine(*coupled_machine().parts[:3])


MAKERS = [machine, coupled_machine, increasing_pairwise, projection_energy]
PATHS = {machine: AnnealedMachine, coupled_machine: AnnealedMachine}


def law(model: Learnable) -> np.ndarray:
    exponents = model.exponents(ROWS.astype(np.float64))
    return np.exp(exponents - logsumexp(exponents))


def changed(model: Learnable, part: int, place: tuple[int, ...], change: float) -> Learnable:
    """The model with one parameter changed, in double precision; couplings stay symmetric."""
    parts = [np.array(values, np.float64) for values in model.parts]
    parts[part][place] += change
    if parts[part].shape == (VARIABLES, VARIABLES):
        parts[part][place[::-1]] += change
    return model.with_parts(tuple(parts))


@pytest.mark.parametrize("make", MAKERS)
def test_the_gradient_of_the_log_likelihood_is_that_of_finite_differences(make: Callable[[], Learnable]):
    """Mean of d ln f over data less that over the model, as in `PersistentAscent`, which has chains for the latter."""
    model = make()
    shares = np.random.default_rng(4).dirichlet(np.full(len(ROWS), 0.3))
    weighted = np.random.default_rng(5).choice(len(ROWS), 20_000, p=shares)
    data = np.bincount(weighted, minlength=len(ROWS)) / len(weighted)
    # A mean over rows, each as often as its share says.
    own = [
        sum(p * part for p, part in zip(law(model), parts, strict=True))
        for parts in zip(*(model.gradient(row[None]) for row in ROWS), strict=True)
    ]
    slopes = [d - o for d, o in zip(model.gradient(ROWS[weighted]), own, strict=True)]
    for part, slope in enumerate(slopes):
        for place in list(np.ndindex(slope.shape))[:: max(1, slope.size // 10)]:
            if slope.shape == (VARIABLES, VARIABLES) and place[0] == place[1]:
                assert slope[place] == 0
                continue
            ahead, behind = (data @ np.log(law(changed(model, part, place, step))) for step in (1e-4, -1e-4))
            assert_allclose(slope[place], (ahead - behind) / 2e-4, atol=2e-4)


@pytest.mark.parametrize("make", MAKERS)
def test_sweeps_leave_the_law_as_it_is(make: Callable[[], Learnable]):
    model, random = make(), np.random.default_rng(6)
    expected = law(model)
    rows = ROWS[random.choice(len(ROWS), 40_000, p=expected)]
    moved = model.swept(rows, random)
    assert (moved != rows).any()
    places = (moved > 0) @ (1 << np.arange(VARIABLES))
    order = (ROWS > 0) @ (1 << np.arange(VARIABLES))
    counts = np.bincount(places, minlength=len(ROWS))[order]
    often = expected * len(rows) > 20
    chi = ((counts - expected * len(rows)) ** 2 / (expected * len(rows)))[often].sum()
    assert abs(chi - often.sum()) < SIGMAS * np.sqrt(2 * often.sum())


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_log_partition_is_that_of_enumeration(make: Callable[[], Learnable], rate: float):
    model = make()
    chains = PATHS.get(make, GeometricPath)(model, np.full(VARIABLES, rate), 2048, np.random.default_rng(7))
    found = annealed_importance(chains, 0.03)
    exact = logsumexp(model.exponents(ROWS.astype(np.float64)))
    assert abs(found.log_partition - exact) < SIGMAS * found.error
    assert found.error < 0.02


def test_compiled_sweeps_are_the_interpreted_ones():
    random = np.random.default_rng(8)
    rows = (random.random((VARIABLES, 70)) < 0.3).astype(np.float32)
    noise = random.logistic(size=rows.shape).astype(np.float32)
    coupled, increasing, projected = coupled_machine(), increasing_pairwise(), projection_energy()
    table = increasing.table.astype(np.float32)
    origin = np.float32(increasing.scale.start), np.float32(1 / increasing.scale.width)
    values = increasing.pairwise(rows.T).astype(np.float32)
    calls = [
        (coupled_heat_bath, (coupled.couplings, np.tile(coupled.fields[:, None], 70))),
        (increasing_heat_bath, (*increasing.parts[:2], increasing.fields / 3, table, *origin, values)),
        (projection_heat_bath, (*projected.parts, *projected.projections, *projected.membership)),
    ]
    for function, arguments in calls:
        results = []
        for version in (function, function.py_func):
            moved = rows.copy()
            version(*(np.copy(x) if isinstance(x, np.ndarray) else x for x in arguments), moved, noise)
            results.append(moved)
        assert_array_equal(*results)
        assert (results[0] != rows).any()


def test_projections_are_what_they_say():
    projections = draw_projections(50, 3, 1.0, VARIABLES, np.random.default_rng(9))
    dense = np.zeros((50, VARIABLES))
    for k, members in enumerate(projections.members):
        assert len(set(members)) == 3
        dense[k, members] = projections.weights[k]
    assert_array_equal(projections.active(ROWS), dense @ ROWS.T > projections.thresholds[:, None])
    result = np.zeros((50, 5), np.float32)
    project.py_func(*projections, np.ascontiguousarray(ROWS[:5].T), result)
    assert_array_equal(result, projections.active(ROWS[:5]))


def test_an_increasing_function_is_what_its_slopes_say():
    model = increasing_pairwise()
    at = np.linspace(-12, 4, 400)
    single = IncreasingPairwise(np.zeros((1, 1)), np.ones(1), model.log_slopes, model.scale)
    values = single.exponents(at[:, None])
    slopes = np.exp(np.interp((at[1:] + at[:-1]) / 2, np.linspace(-7, 0.5, 5), model.log_slopes))
    assert_allclose(np.diff(values) / np.diff(at), slopes, rtol=0.02)


def draws(model: Learnable, count: int, seed: int) -> np.ndarray:
    return ROWS[np.random.default_rng(seed).choice(len(ROWS), count, p=law(model))].astype(np.int8) * 2 - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "model"),
    [
        (increasing_pairwise, SemiparametricPairwise(steps=1500, learning_rate=2e-2, **ANNEALING)),
        (coupled_machine, SemiRestrictedBoltzmann(3, steps=3000, learning_rate=2e-2, **ANNEALING)),
        (projection_energy, RandomProjections(100, 3, 0.4, rare=0.01, steps=1500, learning_rate=2e-2, **ANNEALING)),
    ],
    ids=["semiparametric", "semi-restricted", "projections"],
)
def test_models_learn_a_law_of_their_own_kind(make: Callable[[], Learnable], model, monkeypatch):
    """Some parameters / (2 M) nats are lost by chance."""
    monkeypatch.setattr(energy_model, "MOST_ENUMERATED", 0)
    truth = law(make())
    found = model.fit(draws(make(), 20_000, seed=10))
    logs = found.score_samples(ROWS.astype(np.int8) * 2 - 1)
    assert abs(logsumexp(logs)) < SIGMAS * found.log_partition_error_
    assert truth @ (np.log(truth) - logs) < 0.012


def test_a_phase_that_the_data_never_visit_is_named():
    """Strong couplings by pseudo-likelihood put weight on rows of many +1, which no chain from sparse rows meets."""
    random = np.random.default_rng(11)
    variables = 21
    model = Runaway(PseudoLikelihood(), chains=256, resolution=0.05)
    rows = np.where(random.random((500, variables)) < 0.1, 1, -1).astype(np.int8)
    with pytest.warns(ConvergenceWarning, match="Runaway has a phase that its data never visit: ln Z is"):
        model.fit(rows)
    assert (model.sample(200, random_state=12).mean(axis=1) > 0.5).mean() > 0.9


class Runaway(PairwiseIsing):
    """A pairwise model of two phases, whose couplings are given."""

    def _learn(self, data, random):
        super()._learn(data, random)
        variables = data.spins.shape[1]
        self.estimator_.couplings_ = 0.3 * (1 - np.eye(variables))
        self.estimator_.fields_ = np.full(variables, 0.2)
