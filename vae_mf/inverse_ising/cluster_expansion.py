"""Adaptive cluster expansion, couplings as a sum over those small sets of spins that matter (Cocco and Monasson).

The cross-entropy S of the data relative to their maximum-entropy model is a sum over all sets of spins ("clusters"),
S - S0 = sum_G dS_G, with dS_G what cluster G adds to the sum over its own subsets; J and h are its derivatives with
respect to the moments. Only clusters with |dS_G| above a threshold are kept, and a cluster is tried only if it is the
union of two kept ones with one spin less. S0 is a reference whose couplings are known for the whole system.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any, NamedTuple

import numpy as np

from vae_mf.arrays import Spins
from vae_mf.checks import require_choice, require_fraction, require_integer, require_non_negative, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, new_generator, warn_convergence
from vae_mf.inverse_ising.boltzmann import warn_missing_states
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.mean_field import zero_diagonal
from vae_mf.inverse_ising.moments import Moments, regularised, spin_moments
from vae_mf.inverse_ising.solvers.fisher import IsingParameters
from vae_mf.inverse_ising.solvers.maximum_entropy import maximum_entropy
from vae_mf.inverse_ising.solvers.model_samples import (
    ModelSample,
    ModelSource,
    difference,
    mean_square,
    model_source,
    statistical_variances,
)
from vae_mf.inverse_ising.solvers.penalised import warn_copies

SMALLEST_THRESHOLD = 1e-12
"""Contributions below this are rounding errors."""
NOISE = 0.25

Cluster = tuple[int, ...]
"""Spins in increasing order."""


@dataclass(eq=False, repr=False)
class AdaptiveClusterExpansion(InverseIsing):
    """Sum of the clusters whose contribution to the cross-entropy exceeds a threshold (Cocco and Monasson 2011, 2012).

    The threshold falls until the model has the moments of the data: until the root mean square differences of <s_i> and
    of <s_i s_j>, beyond the Monte Carlo error and in units of the statistical error, are at most ``precision``. If no
    threshold gets there, the one that came nearest is kept, and a `ConvergenceWarning` says how near. This is no
    failure of an iteration: the series is cut, and where couplings are dense and strong its sum swings as the threshold
    falls. A glass of 50 spins at beta = 1 is reached with 5000 samples; with 50000, whose errors are a third, 1.08 of
    them remain at 3878 clusters and 1.45 at 8861. `BoltzmannLearning` has no such limit. Every cluster's model has a
    penalty l2 / (2 M) sum_{i<j} J_ij^2. With all clusters the estimate is that of `BoltzmannLearning`.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> chain = np.exp(0.5 * spins[:, 0] * spins[:, 1] - 0.3 * spins[:, 1] * spins[:, 2])
    >>> fit = AdaptiveClusterExpansion(reference="independent", l2=0.0).fit(spins, sample_weight=100 * chain)
    >>> fit.couplings_[1].round(2), fit.clusters_
    (array([ 0.5,  0. , -0.3]), [(0, 1), (1, 2)])

    Args:
        threshold: a number for one threshold only, or "auto" for the scan.
        reference: "mean field" for the Gaussian S0 = 1/2 ln det C_ij / sqrt(L_i L_j), which sums all loops of dense
            weak couplings, or "independent" for none, better for sparse strong ones.
        l2: weight of the squared couplings; with 0, pairs that miss one of their four states have no finite estimate.
        precision: largest error of the moments, in units of their statistical errors.
        ratio: ratio of a threshold to the one before.
        largest: largest number of spins in a cluster.
        max_clusters: largest number of clusters of two spins or more; a threshold that keeps more ends the scan.
        method, chains, sweeps, random_state: options of the model's moments, as for `BoltzmannLearning`.

    Attributes:
        threshold_: the threshold that was kept.
        clusters_: its clusters of two spins or more, as tuples of spins.
        path_: list of `Reconstruction`, one per threshold at which there were more clusters than before.
    """

    threshold: Any = "auto"
    reference: Any = "mean field"
    l2: Any = 1.0
    precision: Any = 1.0
    ratio: Any = 0.5
    largest: Any = 8
    max_clusters: Any = 20_000
    method: Any = "auto"
    chains: Any = 4096
    sweeps: Any = 3
    random_state: Any = 0
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        precision = require_positive("precision", self.precision)
        largest = require_integer("largest", self.largest, 2)
        most = require_integer("max_clusters", self.max_clusters)
        gaussian = require_choice("reference", self.reference, ("mean field", "independent")) == "mean field"
        data = spin_moments(spins, weights)
        warn_copies(data.pair_moments)
        random = new_generator(self.random_state)
        source = model_source(self.method, spins.shape[1], data.samples, self.chains, self.sweeps, random)
        expansion = Expansion(data, require_non_negative("l2", self.l2) / data.samples, gaussian)
        if self.l2 == 0:
            warn_missing_states(data)
        best, self.path_ = None, []
        for threshold in self._thresholds(expansion):
            kept = expansion.selected(threshold, largest, most)
            if kept is None:
                break
            if self.path_ and self.path_[-1].clusters == len(kept):
                continue
            model = expansion.model(kept)
            errors = moment_errors(data, precise_sample(source, model, data))
            self.path_.append(Reconstruction(threshold, len(kept), max(map(len, kept), default=1), *errors))
            if best is None or max(errors) < best[0]:
                best = max(errors), model
                self.threshold_, self.clusters_ = threshold, kept
            if best[0] <= precision:
                break
        if best is None:
            raise ValueError(f"threshold: expected one that keeps at most {most} clusters, got {self.threshold!r}")
        if best[0] > precision:
            warn_convergence(
                f"no threshold gives the moments of the data to {precision:g} of their statistical errors; the nearest "
                f"one, {self.threshold_:.2g} with {len(self.clusters_)} clusters, leaves {best[0]:.2g}"
            )
        return Estimate(*best[1], len(self.path_), best[0] <= precision and expansion.converged)

    def _thresholds(self, expansion: "Expansion") -> Iterator[float]:
        """Yield the thresholds to try, from one that the strongest pair just exceeds downwards."""
        if self.threshold != "auto":
            yield require_non_negative("threshold", self.threshold)
            return
        ratio = require_fraction("ratio", self.ratio)
        pairs = list(combinations(range(expansion.sites), 2))
        threshold = ratio * max(abs(expansion.contribution(pair)) for pair in expansion.solve(pairs))
        yield threshold
        while threshold > SMALLEST_THRESHOLD:
            threshold *= ratio
            yield threshold


class Reconstruction(NamedTuple):
    """Distance of the clusters above a threshold from the moments of the data."""

    threshold: float
    clusters: int
    """Number of clusters of two spins or more."""
    largest: int
    """Number of spins in the largest cluster."""
    magnetisation_error: float
    """Root mean square difference of <s_i> beyond the Monte Carlo error, in units of the statistical error."""
    pair_error: float
    """Root mean square difference of <s_i s_j>, likewise."""


class ClusterModel(NamedTuple):
    """Cross-entropy of a cluster beyond its reference, and the derivatives."""

    entropy: float
    couplings: np.ndarray
    fields: np.ndarray

    def beyond(self, reference: "ClusterModel") -> "ClusterModel":
        """Return what the model adds to a reference."""
        return ClusterModel(
            self.entropy - reference.entropy, self.couplings - reference.couplings, self.fields - reference.fields
        )


class Expansion:
    """Models of clusters, each computed once."""

    def __init__(self, data: Moments, ridge: float, gaussian: bool):
        self._data, self._ridge, self._gaussian = data, ridge, gaussian
        self._pairs = data.pair_moments
        # Without this the reference would be infinite for copies of a spin, and with fewer samples than spins.
        self._damped = regularised(data, shrinkage=1 / (1 + data.samples))
        self._models: dict[Cluster, ClusterModel] = {}
        self._contributions: dict[Cluster, float] = {}
        self.sites = len(data.magnetisations)
        self.converged = True

    def solve(self, clusters: Collection[Cluster]) -> Collection[Cluster]:
        """Compute the models of clusters and all their subsets, and return the clusters."""
        missing = {part for cluster in clusters for part in subsets(cluster)} - self._models.keys()
        for _, group in groupby(sorted(missing, key=len), key=len):
            self._solve_equal(list(group))
        return clusters

    def _solve_equal(self, clusters: list[Cluster]) -> None:
        """Compute the models of clusters of one size."""
        spins = np.array(clusters)
        m, pairs = self._data.magnetisations[spins], self._pairs[spins[:, :, None], spins[:, None, :]]
        found = maximum_entropy(m, pairs, self._ridge)
        self.converged &= bool(found.converged.all())
        for cluster, entropy, couplings, fields in zip(clusters, *found[:3], strict=True):
            whole = ClusterModel(float(entropy), couplings, fields)
            known = self._reference(np.array(cluster))
            self._models[cluster] = whole.beyond(known)

    def _reference(self, spins: np.ndarray) -> ClusterModel:
        """Return the reference of a set of spins: nothing, or a Gaussian, exact for one spin."""
        size = len(spins)
        if not self._gaussian:
            return ClusterModel(0.0, np.zeros((size, size)), np.zeros(size))
        m = self._damped.magnetisations[spins]
        covariances = self._damped.covariances[np.ix_(spins, spins)]
        inverse = np.linalg.inv(covariances)
        couplings = zero_diagonal(-inverse)
        fields = np.arctanh(m) - couplings @ m + m * (np.diag(inverse) - 1 / (1 - m**2))
        alone = np.log(2 * np.cosh(np.arctanh(m))) - m * np.arctanh(m)
        loops = np.linalg.slogdet(covariances)[1] - np.log(1 - m**2).sum()
        return ClusterModel(float(alone.sum() + loops / 2), couplings, fields)

    def contribution(self, cluster: Cluster) -> float:
        """Return dS_G = sum over subsets G' of (-1)^(|G| - |G'|) (S - S0)_G', for a cluster that is solved."""
        if cluster not in self._contributions:
            parts = (parity(cluster, part) * self._models[part].entropy for part in subsets(cluster))
            self._contributions[cluster] = sum(parts)
        return self._contributions[cluster]

    def selected(self, threshold: float, largest: int, most: int) -> list[Cluster] | None:
        """Return the clusters of two spins or more above a threshold, or None if there are too many."""
        kept = []
        candidates = list(combinations(range(self.sites), 2))
        while candidates:
            above = [c for c in self.solve(candidates) if abs(self.contribution(c)) > threshold]
            kept += above
            candidates = unions(above) if above and len(above[0]) < largest else []
            if len(kept) + len(candidates) > most:
                return None
        return kept

    def model(self, clusters: list[Cluster]) -> IsingParameters:
        """Return couplings and fields of the reference plus the sum over clusters and single spins."""
        counts: Counter[Cluster] = Counter((spin,) for spin in range(self.sites))
        for cluster in clusters:
            for part in subsets(cluster):
                counts[part] += parity(cluster, part)
        self.solve([(spin,) for spin in range(self.sites)])
        total = self._reference(np.arange(self.sites))
        couplings = total.couplings.copy()
        fields = total.fields.copy()
        for part, count in counts.items():
            couplings[np.ix_(part, part)] += count * self._models[part].couplings
            fields[list(part)] += count * self._models[part].fields
        return IsingParameters((couplings + couplings.T) / 2, fields)


def subsets(cluster: Cluster) -> Iterator[Cluster]:
    """Yield all non-empty subsets of a cluster, itself among them.

    >>> list(subsets((0, 2)))
    [(0,), (2,), (0, 2)]
    """
    for size in range(1, len(cluster) + 1):
        yield from combinations(cluster, size)


def parity(cluster: Cluster, part: Cluster) -> int:
    """Return (-1)^(|G| - |G'|), the sign of a subset in the sum that leaves the part of the whole cluster alone.

    >>> parity((0, 1, 2), (0, 1))
    -1
    """
    return -1 if (len(cluster) - len(part)) % 2 else 1


def unions(clusters: list[Cluster]) -> list[Cluster]:
    """Return the unions of two clusters of K spins that have K + 1 spins.

    >>> unions([(0, 1), (1, 2), (3, 4)])
    [(0, 1, 2)]
    """
    shared: dict[Cluster, list[Cluster]] = {}
    for cluster in clusters:
        for part in combinations(cluster, len(cluster) - 1):
            shared.setdefault(part, []).append(cluster)
    pairs = (pair for group in shared.values() for pair in combinations(group, 2))
    return sorted({tuple(sorted({*first, *second})) for first, second in pairs})


def precise_sample(source: ModelSource, model: IsingParameters, data: Moments) -> ModelSample:
    """Return a sample of a model whose Monte Carlo variance is a share `NOISE` of the statistical one, if possible."""
    sample = source.sample(model)
    while (noise := mean_square(sample.islands.errors, data)) > NOISE and sample.islands.rows < source.longest:
        sample = source.extended(sample, sample.islands.rows * float(np.clip(1.3 * noise / NOISE, 2, 8)))
    return sample


class MomentErrors(NamedTuple):
    """Root mean square differences of moments, in units of their statistical errors."""

    magnetisations: float
    pairs: float


def moment_errors(data: Moments, sample: ModelSample) -> MomentErrors:
    """Return how far a model is from the data, beyond the Monte Carlo error of its own moments."""
    missing = difference(data, sample.islands.moments)
    noise = sample.islands.errors
    variances = statistical_variances(data)
    upper = np.triu_indices(len(data.magnetisations), 1)

    def error(values: np.ndarray, errors: np.ndarray, variances: np.ndarray) -> float:
        return float(np.sqrt(max(data.samples * ((values**2 - errors**2) / variances).mean(), 0.0)))

    return MomentErrors(
        error(missing.fields, noise.fields, variances.fields),
        error(missing.couplings[upper], noise.couplings[upper], variances.couplings[upper]),
    )
