"""Estimators of couplings against one scikit-learn LogisticRegression per spin, without penalty, on the same samples.

CPU seconds, and root mean square errors of J.
"""

import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from vae_mf.inverse_ising import (
    BoltzmannLearning,
    ErasureMachine,
    InteractionScreening,
    KineticMaximumLikelihood,
    NaiveMeanField,
    PseudoLikelihood,
)
from vae_mf.samplers.base import available_threads
from vae_mf.samplers.kinetic import kinetic_trajectories

from .ising_models import Truth, truths, warm_glass
from .timing import SEED, Row

CASES = {
    "sk20": (0.7,),
    "sk50": (0.3, 1.0, 1.5),
    "sk100": (0.7, 1.0, 1.5),
    "er50": (1.0,),
    "lattice100": (1.0,),
}
"""Inverse temperatures of every model."""
SAMPLES = (5_000, 50_000)
REGRESSIONS = "logistic regressions"
EQUAL = 0.995
"""What a ratio of 1.00 to two digits is at least."""
Infer = Callable[[np.ndarray], np.ndarray]
Measured = tuple[float, float]
"""CPU seconds and root mean square error."""
Goals = tuple[float | None, float | None]
"""How many times faster and more accurate than the rival an inference is to be."""


def by_regressions(spins: np.ndarray) -> np.ndarray:
    """Return couplings by one unpenalised logistic regression per spin; theta is half of the log-odds."""
    couplings = np.zeros((spins.shape[1],) * 2)
    for i in range(len(couplings)):
        others = np.arange(len(couplings)) != i
        couplings[i, others] = LogisticRegression(C=np.inf).fit(spins[:, others], spins[:, i]).coef_[0] / 2
    return (couplings + couplings.T) / 2


def kinetic_regressions(path: np.ndarray) -> np.ndarray:
    """Return couplings of a trajectory by one unpenalised logistic regression per spin."""
    return np.array([LogisticRegression(C=np.inf).fit(path[:-1], after).coef_[0] / 2 for after in path[1:].T])


def timed(infer: Infer, data: np.ndarray, truth: np.ndarray) -> Measured:
    """Return CPU seconds of an inference and the root mean square error of its couplings, self-couplings apart."""
    start = time.process_time()
    found = infer(data)
    return time.process_time() - start, rms((found - truth)[~np.eye(len(truth), dtype=bool)])


def rms(values: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def fitted(estimator) -> Infer:
    """Return an estimator as a function of the data."""
    return lambda data: estimator.fit(data).couplings_


def both(subject: str, size: str, ours: Measured, rival: str, theirs: Measured, targets: Goals) -> Iterator[Row]:
    """Give the lines of time and error of an inference."""
    for kind, unit, mine, other, target in zip(("time", "RMSE"), ("s", ""), ours, theirs, targets, strict=True):
        yield Row(f"{subject}, {kind}", size, mine, rival, other, other / mine, target, unit)


def goals(method: str, truth: Truth, samples: int) -> Goals:
    """Return how many times faster and more accurate than the regressions a method is to be."""
    large = len(truth.couplings) == 100 and samples == 50_000
    if method == "naive mean field":
        return 50, None
    faster = {"pseudo-likelihood": 5, "interaction screening": 8.33}[method] if large and truth.beta <= 1 else None
    if method == "interaction screening":
        return faster, None
    hard = samples == 5_000 and truth.beta == 1.5
    return faster, {50: 1.43, 100: 3.33}[len(truth.couplings)] if hard else EQUAL


def equilibrium() -> Iterator[Row]:
    """Compare estimators on every case."""
    methods: dict[str, Callable[[], object]] = {
        "pseudo-likelihood": PseudoLikelihood,
        "interaction screening": InteractionScreening,
        "naive mean field": NaiveMeanField,
    }
    for truth in (truth for name, betas in CASES.items() for truth in truths(name, betas, max(SAMPLES), SEED)):
        for samples in SAMPLES:
            spins, size = truth.spins[:samples], f"{truth.name} β={truth.beta:g} M={samples}"
            base = timed(by_regressions, spins, truth.couplings)
            for method, make in methods.items():
                found = timed(fitted(make()), spins, truth.couplings)
                yield from both(method, size, found, REGRESSIONS, base, goals(method, truth, samples))


def boltzmann() -> Iterator[Row]:
    """Compare Boltzmann learning with pseudo-likelihood, on J."""
    (truth,) = truths("sk50", (1.0,), 50_000, SEED)
    size = "sk50 β=1 M=50000"
    base = timed(fitted(PseudoLikelihood()), truth.spins, truth.couplings)
    learning = BoltzmannLearning()
    found = timed(fitted(learning), truth.spins, truth.couplings)
    yield from both("Boltzmann learning", size, found, "pseudo-likelihood", base, (None, EQUAL))
    slope = (learning.couplings_ * truth.couplings).sum() / (truth.couplings**2).sum()
    yield Row("Boltzmann learning, slope - 1 in magnitude", size, abs(slope - 1), target=0.02, unit="", at_most=True)


def large() -> Iterator[Row]:
    """Time pseudo-likelihood of many spins, in wall time on the threads there are."""
    truth = warm_glass(1000, 0.5, 20_000, SEED)
    with threadpool_limits(available_threads()):
        start = time.perf_counter()
        found = PseudoLikelihood().fit(truth.spins).couplings_
    seconds, size = time.perf_counter() - start, "sk1000 β=0.5 M=20000"
    yield Row("pseudo-likelihood, wall time", size, seconds, target=180, unit="s", at_most=True)
    error = rms((found - truth.couplings)[np.triu_indices(1000, 1)])
    yield Row("pseudo-likelihood, RMSE", size, error, unit="")


def erasure() -> Iterator[Row]:
    """Time the erasure machine with eight epsilons."""
    (truth,) = truths("sk40", (0.5,), 5_000, SEED)
    seconds, _ = timed(fitted(ErasureMachine()), truth.spins, truth.couplings)
    yield Row("erasure machine, 8 epsilons", "sk40 M=5000", seconds, target=2, unit="s", at_most=True)


def kinetic() -> Iterator[Row]:
    """Compare maximum likelihood of the kinetic model."""
    for strength in (0.5, 1.0, 2.0):
        couplings = np.random.default_rng(SEED).normal(0, strength / np.sqrt(50), (50, 50))
        path = kinetic_trajectories(couplings, None, 20_000, 1, SEED, threads=1)[0]
        base, size = timed(kinetic_regressions, path, couplings), f"N=50 T=20000 g={strength:g}"
        model = KineticMaximumLikelihood(standard_errors=False)
        found = timed(fitted(model), path, couplings)
        yield from both("kinetic likelihood", size, found, REGRESSIONS, base, (3.33, 0.98))
        longer, _ = timed(fitted(KineticMaximumLikelihood()), path, couplings)
        yield Row("  with standard errors, time", size, longer, REGRESSIONS, base[0], base[0] / longer, 3.33, "s")
        slope = (model.couplings_ * couplings).sum() / (couplings**2).sum()
        yield Row(
            "kinetic likelihood, slope - 1 in magnitude", size, abs(slope - 1), target=0.01, unit="", at_most=True
        )


def compile_all() -> None:
    """Fit everything once, so that compilation is not timed."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    spins = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (200, 6))
    for estimator in (PseudoLikelihood(), BoltzmannLearning(method="chains", chains=64), ErasureMachine()):
        estimator.fit(spins)
    KineticMaximumLikelihood().fit(spins)
