"""Estimators of couplings against one scikit-learn LogisticRegression per spin, without penalty, on the same samples.

CPU seconds, and root mean square errors of J.
"""

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, product

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from vae_mf.inverse_ising.boltzmann import BoltzmannLearning
from vae_mf.inverse_ising.erasure import ErasureMachine
from vae_mf.inverse_ising.interaction_screening import InteractionScreening
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.mean_field import NaiveMeanField
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.samplers.base import available_threads
from vae_mf.samplers.kinetic import kinetic_trajectories

from .ising_models import Truth, truths, warm_glass
from .rows import Row

SEED = 42

CASES = {
    "er50": (1.0,),
    "lattice100": (1.0,),
    "sk20": (0.7,),
    "sk50": (0.3, 1.0, 1.5),
    "sk100": (0.7, 1.0, 1.5),
}
"""Inverse temperatures of every model."""
SAMPLES = (5_000, 50_000)
DRAWN = 50_000
"""Rows that are drawn at least, of which those of a case are the first, whatever other numbers are asked for."""
DISORDERS = {"sk20": 6, "sk50": 3, "er50": 2}
"""Realisations of the cheap models, for differences below the noise of one; the others have one."""
REGRESSIONS = "logistic regressions"
EQUAL = 0.995
"""Least ratio that is 1.00 to two digits."""
Infer = Callable[[np.ndarray], np.ndarray]
Measured = tuple[float, float]
"""CPU seconds and root mean square error."""
Goals = tuple[float | None, float | None]
"""Least ratios of time and error of the baseline to those of an inference."""


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


def both(subject: str, size: str, ours: Measured, baseline: str, theirs: Measured, targets: Goals) -> Iterator[Row]:
    """Give the lines of time and error of an inference."""
    yield from compared(subject, size, [ours], baseline, [theirs], targets)


def compared(
    subject: str, size: str, ours: list[Measured], baseline: str, theirs: list[Measured], targets: Goals
) -> Iterator[Row]:
    """Give the lines of time and error over realisations: mean seconds, and root mean square errors over all.

    The ratio of errors over several realisations has a standard error, that of the paired differences of the squares.
    """
    (mine, errors), (base, wrong) = (np.array(measured).T for measured in (ours, theirs))
    yield Row(f"{subject}, time", size, mine.mean(), baseline, base.mean(), base.mean() / mine.mean(), targets[0], "s")
    ratio = rms(wrong) / rms(errors)
    name = baseline
    if len(ours) > 1:
        spread = np.std(wrong**2 - ratio**2 * errors**2, ddof=1) / np.sqrt(len(ours)) / np.mean(errors**2)
        name = f"{baseline}, ratio ± {spread / (2 * ratio):.1g}"
    yield Row(f"{subject}, RMSE", size, rms(errors), name, rms(wrong), ratio, targets[1], "")


def goals(method: str, name: str, beta: float, samples: int) -> Goals:
    """Return how many times faster and more accurate than the regressions a method is to be."""
    large = name.endswith("100") and samples == 50_000
    if method == "naive mean field":
        return 50, None
    faster = {"pseudo-likelihood": 5, "interaction screening": 8.33}.get(method) if large and beta <= 1 else None
    if method != "pseudo-likelihood":
        return faster, None
    return faster, {"sk50": 1.43, "sk100": 3.33}[name] if samples == 5_000 and beta == 1.5 else EQUAL


def methods(truth: Truth, samples: int) -> dict[str, Infer]:
    """Return what is compared on a case; where a target may be out of reach, what no method can beat by much."""
    found = {
        "pseudo-likelihood": fitted(PseudoLikelihood()),
        "interaction screening": fitted(InteractionScreening()),
        "naive mean field": fitted(NaiveMeanField()),
    }
    if truth.name == "sk50" and truth.beta == 1.5 and samples == 5_000:
        upper = np.triu_indices(len(truth.couplings), 1)
        found["whole likelihood, prior of the true width"] = fitted(
            BoltzmannLearning(l2=float(1 / np.mean(truth.couplings[upper] ** 2)))
        )
    return found


def equilibrium() -> Iterator[Row]:
    """Compare estimators on every case."""
    for name, betas in CASES.items():
        yield from equilibrium_of(name, betas, SAMPLES)


def equilibrium_of(name: str, betas: Sequence[float], sizes: Sequence[int]) -> Iterator[Row]:
    """Compare estimators on a model at some inverse temperatures, by so many samples."""
    for drawn, together in groupby(sorted(sizes), lambda size: max(size, DRAWN)):
        models = realisations(name, betas, drawn)
        for place, samples in product(range(len(betas)), list(together)):
            yield from case([truth[place] for truth in models], samples)


def realisations(name: str, betas: Sequence[float], drawn: int = DRAWN) -> list[list[Truth]]:
    """Return the realisations of a model, each at all inverse temperatures, by so many samples."""
    return [list(truths(name, betas, drawn, SEED + disorder)) for disorder in range(DISORDERS.get(name, 1))]


def case(disorders: list[Truth], samples: int) -> Iterator[Row]:
    """Compare estimators on realisations of one model."""
    first = disorders[0]
    measured = defaultdict(list)
    for truth in disorders:
        ways = {REGRESSIONS: by_regressions} | methods(truth, samples)
        for method, infer in ways.items():
            measured[method].append(timed(infer, truth.spins[:samples], truth.couplings))
    size = f"{first.name} β={first.beta:g} M={samples}" + (f", {len(disorders)} disorders" * (len(disorders) > 1))
    for method in methods(first, samples):
        targets = goals(method, first.name, first.beta, samples)
        yield from compared(method, size, measured[method], REGRESSIONS, measured[REGRESSIONS], targets)


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
    """Time pseudo-likelihood of many spins on the threads there are, by the clock and in CPU time per core."""
    truth = warm_glass(1000, 0.5, 20_000, SEED)
    cores = available_threads()
    with threadpool_limits(cores):
        start = time.perf_counter()
        spent = time.process_time()
        found = PseudoLikelihood().fit(truth.spins).couplings_
    wall = time.perf_counter() - start
    busy = (time.process_time() - spent) / cores
    size = "sk1000 β=0.5 M=20000"
    yield Row("pseudo-likelihood, wall time", size, wall, target=180, unit="s", at_most=True)
    yield Row("pseudo-likelihood, CPU time per core", size, busy, unit="s")
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
        base = timed(kinetic_regressions, path, couplings)
        size = f"N=50 T=20000 g={strength:g}"
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
