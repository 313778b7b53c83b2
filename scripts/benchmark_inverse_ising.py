"""Time and judge estimators of couplings against one scikit-learn LogisticRegression per spin, on one thread.

Models: Sherrington-Kirkpatrick, lattice and random graph with |J| in [0.5, 1] and fields up to 0.3, all times beta, and
samples by parallel tempering. Every row is CPU seconds and root mean square error of J, and their ratios to the
regressions in the same run.

    python scripts/benchmark_inverse_ising.py --samples 5000 50000 --models sk50 sk100 lattice100 er50
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from vae_mf.inverse_ising import (
    BoltzmannLearning,
    InteractionScreening,
    NaiveMeanField,
    ProbabilityFlow,
    PseudoLikelihood,
)
from vae_mf.packing import unpack_spins
from vae_mf.samplers.base import Schedule, sample_block
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.spin_glass import Ising

ESTIMATORS = {
    "pseudo-likelihood": PseudoLikelihood,
    "  symmetric": partial(PseudoLikelihood, symmetric=True),
    "  lasso": partial(PseudoLikelihood, l1="auto"),
    "interaction screening": InteractionScreening,
    "probability flow": ProbabilityFlow,
    "naive mean field": NaiveMeanField,
    "Boltzmann learning": BoltzmannLearning,
}
BETAS = {"sk": (0.3, 0.7, 1.0, 1.5), "lattice": (1.0,), "er": (1.0,)}
LADDER = 16
CHAINS = 100


class Truth(NamedTuple):
    """A model at one inverse temperature, beta in its couplings, with samples."""

    label: str
    couplings: np.ndarray
    spins: np.ndarray


def signed(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return couplings of random sign with magnitudes uniform in [0.5, 1]."""
    return random.choice([-1.0, 1.0], shape) * random.uniform(0.5, 1.0, shape)


def make_system(kind: str, sites: int, random: np.random.Generator) -> Ising:
    """Return a model at beta = 1."""
    shape = (sites, sites)
    if kind == "sk":
        upper = np.triu(random.normal(0, 1 / np.sqrt(sites), shape), 1)
    elif kind == "er":
        upper = np.triu((random.random(shape) < 3 / (sites - 1)) * signed(random, shape), 1)
    else:
        side, place = round(sites**0.5), np.arange(sites)
        neighbours = np.zeros(shape, dtype=bool)
        neighbours[place, place // side * side + (place + 1) % side] = True
        neighbours[place, (place + side) % sites] = True
        upper = np.triu(neighbours | neighbours.T, 1) * signed(random, shape)
    return Ising(upper + upper.T, random.uniform(-0.3, 0.3, sites))


def truths(name: str, samples: int, seed: int) -> Iterator[Truth]:
    """Yield a model called, say, sk50 at every inverse temperature of its kind, with its samples."""
    kind = name.rstrip("0123456789")
    system = make_system(kind, int(name.removeprefix(kind)), np.random.default_rng(seed))
    betas = BETAS[kind]
    grid = np.unique(np.r_[np.linspace(0.1, max(betas), LADDER), betas])
    tempering, schedule = ParallelTempering(IsingMetropolis(system)), Schedule(-(-samples // CHAINS), 2000, 10)
    packed = sample_block(tempering, 1 / grid, range(CHAINS), schedule, seed).configurations
    spins = unpack_spins(packed, system.sites).reshape(len(grid), -1, system.sites)
    for beta in betas:
        rows = np.random.default_rng(seed).permutation(spins[np.flatnonzero(grid == beta)[0]])[:samples]
        yield Truth(f"{name}, beta {beta:g}", beta * np.asarray(system.couplings), rows)


def by_regressions(spins: np.ndarray) -> np.ndarray:
    """Return couplings by one unpenalised logistic regression per spin; theta is half of the log-odds."""
    couplings = np.zeros((spins.shape[1],) * 2)
    for i in range(len(couplings)):
        others = np.arange(len(couplings)) != i
        couplings[i, others] = LogisticRegression(C=np.inf).fit(spins[:, others], spins[:, i]).coef_[0] / 2
    return (couplings + couplings.T) / 2


def timed(function, spins: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return CPU seconds of an inference and the root mean square error of its couplings."""
    start = time.process_time()
    found = function(spins)
    seconds, pairs = time.process_time() - start, np.triu_indices(len(truth), 1)
    return seconds, float(np.sqrt(np.mean((found - truth)[pairs] ** 2)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["sk50", "sk100", "lattice100", "er50"])
    parser.add_argument("--samples", nargs="+", type=int, default=[5000, 50_000])
    parser.add_argument("--skip", nargs="*", default=[], choices=[name.strip() for name in ESTIMATORS])
    parser.add_argument("--seed", type=int, default=1)
    options, console = parser.parse_args(), Console()
    chosen = {name: make for name, make in ESTIMATORS.items() if name.strip() not in options.skip}
    table = Table("model", "M", "estimator", "CPU s", "ratio", "RMSE", "ratio", caption="ratios to scikit-learn")
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1), console.status("running"):
        for make in chosen.values():  # so that compilation is not timed
            make().fit(np.random.default_rng(1).choice([-1, 1], (200, 6)))
        for truth in (truth for name in options.models for truth in truths(name, max(options.samples), options.seed)):
            for samples in options.samples:
                spins = truth.spins[:samples]
                base = timed(by_regressions, spins, truth.couplings)
                table.add_row(
                    truth.label, f"{samples}", "logistic regressions", f"{base[0]:.2f}", "", f"{base[1]:.4f}", ""
                )
                for name, make in chosen.items():
                    seconds, error = timed(lambda x, make=make: make().fit(x).couplings_, spins, truth.couplings)
                    ratios = f"{seconds / base[0]:.3f}", f"{error / base[1]:.2f}"
                    table.add_row("", "", name, f"{seconds:.2f}", ratios[0], f"{error:.4f}", ratios[1])
    console.print(table)


if __name__ == "__main__":
    main()
