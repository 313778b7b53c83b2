"""Couplings found below a transition, state by state, for the figures of Nguyen and Berg (2012).

Only equilibrium samples are used: exact draws of the Curie-Weiss model, parallel tempering of the SK model. The slope
of the couplings, and pseudo-likelihood on the same samples, go beyond the source.
"""

import warnings
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from vae_mf.arrays import Couplings, Spins
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.low_temperature import LowTemperature
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.rng import generator, integer
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.studies.coupling_tables import accuracy
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.spin_glass import SherringtonKirkpatrick

CHAINS = 32
LADDER = 9
PLAIN = 4


def ferromagnet_tables(
    sites: int, betas: Sequence[float], samples: Sequence[int], runs: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return the deviation of J / beta from 1 / N in the Curie-Weiss model, by one state and by two ("ferromagnet")."""
    estimators = {
        "one state": LowTemperature().set_params(clusters=1),
        "two states": LowTemperature(clusters="magnetisation"),
        "pseudo-likelihood": PseudoLikelihood(),
    }
    sampler = CurieWeissDirect(CurieWeiss(sites))
    schedule = Schedule(draws=max(samples), burn_in=0, thinning=1)
    rows = []
    for beta, run in product(betas, range(runs)):
        spins = sample_chains(sampler, np.array([1 / beta]), 1, schedule, integer(seed, "run", run))[0, 0]
        for count, (name, estimator) in product(samples, estimators.items()):
            found = off_diagonal(estimator.fit(spins[:count]).couplings_) / beta
            deviation = float(np.sqrt(np.mean((found - 1 / sites) ** 2)))
            rows.append({"beta": beta, "run": run, "samples": count, "method": name, "deviation": deviation})
    return {"ferromagnet": pd.DataFrame(rows)}


def glass_tables(
    sites: int, betas: Sequence[float], clusters: Sequence[int], samples_per_cluster: int, disorders: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return the errors of SK couplings found with k clusters on k times so many samples ("glass").

    Columns rmse, one_minus_r and slope compare found with true couplings beta J, for every realisation of the disorder
    ("disorder"). Pseudo-likelihood, which needs no clusters, sees the samples of `PLAIN` clusters at most.
    """
    rows = []
    for disorder in range(disorders):
        system = SherringtonKirkpatrick.random(sites, integer(seed, "disorder", disorder))
        true = off_diagonal(np.asarray(system.couplings))
        draw = integer(seed, "draws", disorder)
        every = glass_samples(system, betas, max(clusters) * samples_per_cluster, draw)
        for beta, spins in zip(betas, every, strict=True):
            for method, k, estimator in glass_cases(clusters):
                samples = k * samples_per_cluster
                with warnings.catch_warnings():
                    # The table says so.
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    estimator.fit(spins[:samples])
                row = {"disorder": disorder, "beta": beta, "clusters": k, "samples": samples, "method": method}
                row["converged"] = estimator.converged_
                rows.append(row | accuracy(beta * true, off_diagonal(estimator.couplings_)))
    return {"glass": pd.DataFrame(rows)}


def glass_cases(clusters: Sequence[int]) -> Iterator[tuple[str, int, InverseIsing]]:
    """Yield name, number of clusters and estimator of every method."""
    for (name, method), k in product((("naive", "naive"), ("TAP", "tap")), clusters):
        yield name, k, LowTemperature(method=method).set_params(clusters=k)
    yield "pseudo-likelihood", min(PLAIN, max(clusters)), PseudoLikelihood()


def glass_samples(system: SherringtonKirkpatrick, betas: Sequence[float], samples: int, seed: int) -> list[Spins]:
    """Return configurations at every inverse temperature, each in random order, from one parallel tempering."""
    # Chains decorrelate in a few sweeps at twice the critical temperature.
    ladder = np.geomspace(1 / max(betas), max(2.0, 2 / min(betas)), LADDER)
    temperatures = np.unique(np.r_[1 / np.asarray(betas), ladder])
    schedule = Schedule(draws=-(-samples // CHAINS), burn_in=2000, thinning=5)
    sampler = ParallelTempering(IsingMetropolis(system))
    spins = sample_chains(sampler, temperatures, CHAINS, schedule, integer(seed, "glass"))
    random = generator(seed, "order")
    places = np.searchsorted(temperatures, 1 / np.asarray(betas) * (1 - 1e-12))
    return [random.permutation(spins[place].reshape(-1, system.sites))[:samples] for place in places]


def off_diagonal(matrix: Couplings) -> np.ndarray:
    """Return the entries above the diagonal.

    >>> off_diagonal(np.arange(9.0).reshape(3, 3))
    array([1., 2., 5.])
    """
    return matrix[np.triu_indices(len(matrix), 1)]
