"""Share of stored patterns recovered at each load by each route, a space that should hold them and its unmixing."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vae_mf.analysis.latent_potential import potential_couplings
from vae_mf.analysis.stored_patterns import coupling_error, logit_jacobian, match_patterns, principal_directions
from vae_mf.arrays import Patterns, Spins
from vae_mf.checks import require_choice, require_fraction, require_integer
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.mean_field import NaiveMeanField
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.models.base import LinearLogOdds
from vae_mf.models.vae import VAE
from vae_mf.rng import generator, integer
from vae_mf.statistics.sign_vectors import Directions, Search, SignVectors, search_sign_vectors, sign_procrustes, unmix
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings

ESTIMATORS: dict[str, type[InverseIsing]] = {"naive_mean_field": NaiveMeanField, "pseudo_likelihood": PseudoLikelihood}
"""Estimators of couplings, whose leading eigenvectors should span the patterns."""
POTENTIAL_DRAWS = 20
"""Least number of draws of z per coefficient of the latent potential."""
METHODS = ("fastica", "procrustes", "search")


@dataclass(frozen=True)
class Unmixing:
    """Settings of the unmixing of spaces.

    Args:
        restarts: number of starts of FastICA, and of the alternating projections.
    """

    restarts: int
    threshold: float
    seed: int
    search: Search = field(default_factory=Search)

    def __post_init__(self) -> None:
        require_integer("restarts", self.restarts)
        require_fraction("threshold", self.threshold)

    def patterns(self, method: str, directions: Directions) -> Patterns:
        """Return the patterns that one of `METHODS` finds; the search the verified ones first."""
        require_choice("method", method, METHODS)
        if method == "search":
            return self.searched(directions).vectors
        by = {"fastica": unmix, "procrustes": sign_procrustes}[method]
        return by(directions.astype(np.float64), self.restarts, integer(self.seed, method) % 2**31)

    def searched(self, directions: Directions) -> SignVectors:
        """Return the sign vectors that the search finds."""
        return search_sign_vectors(directions, self.seed, self.search)


ROUTES = {
    "exact": ("fastica", "search"),
    "vae": ("fastica", "search"),
    "pca": ("fastica", "procrustes", "search"),
    "naive_mean_field": ("fastica", "search"),
    "pseudo_likelihood": ("fastica", "search"),
}
"""Ways to unmix each space."""


def exact_space(sites: int, patterns: int, seed: int) -> tuple[Directions, Patterns]:
    """Return the exact column space of random patterns, mixed by a random matrix (N, P), and the patterns (P, N)."""
    random = generator(seed, "exact space", sites, patterns)
    truth = random.choice([-1, 1], (patterns, sites)).astype(np.int8)
    return truth.T @ random.standard_normal((patterns, patterns)), truth


def sample_spaces(spins: Spins, count: int, seed: int) -> dict[str, Directions]:
    """Return ``count`` directions (N, count) that samples (rows, N) give by each classical route.

    They are the principal components, and the leading eigenvectors of the couplings that each of `ESTIMATORS` infers.
    """
    spaces = {"pca": principal_directions(spins, count, seed)}
    for name, estimator in ESTIMATORS.items():
        couplings = estimator().fit(spins).couplings_
        spaces[name] = np.linalg.eigh(couplings)[1][:, -count:]
    return spaces


def recovery_table(spaces: Mapping[str, Directions], truth: Patterns, settings: Unmixing) -> pd.DataFrame:
    """Return the number of patterns, the share recovered and the cost of every route, a line each."""
    rows = []
    for space, directions in spaces.items():
        for method in ROUTES[space]:
            start = time.process_time()
            found = settings.patterns(method, directions)
            seconds = time.process_time() - start
            overlaps = match_patterns(found, truth).matched
            recovered = float(np.mean(overlaps >= settings.threshold))
            rows.append(
                {
                    "space": space,
                    "unmixing": method,
                    "sites": truth.shape[1],
                    "patterns": len(truth),
                    "found": len(found),
                    "recovered": recovered,
                    "solved": recovered == 1,
                    "mean_overlap": overlaps.mean(),
                    "min_overlap": overlaps.min(),
                    "seconds": seconds,
                }
            )
    return pd.DataFrame(rows)


def coupling_table(
    vae: VAE, system: Hopfield, samples: Mapping[float, Spins], draws: int, settings: Unmixing
) -> pd.DataFrame:
    """Return |J - J_true| / |J_true| per temperature and route, from samples (rows, N) at each temperature.

    Routes: "patterns", the Hebbian couplings of the patterns that the search verifies in the decoder, whose scale is
    taken as known; "latent_potential" for a linear decoder (see `latent_potential`); and every one of `ESTIMATORS`.
    """
    rows = []
    for t, (temperature, spins) in enumerate(samples.items()):
        seed = integer(settings.seed, "couplings", t)
        found = settings.searched(logit_jacobian(vae, temperature, draws, seed))
        routes = {"patterns": hebbian_couplings(found.vectors[: found.verified], system.coupling) / temperature}
        if isinstance(vae.decoder, LinearLogOdds):
            count = max(draws, POTENTIAL_DRAWS * vae.prior.latents**2)
            routes["latent_potential"] = potential_couplings(vae, temperature, count, seed).couplings
        routes |= {name: estimator().fit(spins).couplings_ for name, estimator in ESTIMATORS.items()}
        truth = system.couplings / temperature
        rows += [(name, temperature, coupling_error(couplings, truth)) for name, couplings in routes.items()]
    return pd.DataFrame(rows, columns=pd.Index(["route", "temperature", "relative_error"]))


def load_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means over instances of a `recovery_table` per route, N and P, with the standard error of recovered.

    The error of a single instance is unknown, NaN.
    """
    groups = table.groupby(["space", "unmixing", "sites", "patterns"], sort=False)
    means = groups[["recovered", "solved", "mean_overlap", "min_overlap", "seconds"]].mean()
    curves = means.assign(error=groups.recovered.sem(), instances=groups.size()).reset_index()
    return curves.sort_values(["sites", "patterns"], kind="stable", ignore_index=True)
