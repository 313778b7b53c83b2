"""Maximum-entropy models of many small sets of spins at once, with moments by summing over all configurations."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp, softmax

from vae_mf.packing import all_configurations

Magnetisations = Float[np.ndarray, "sets sites"]
PairMoments = Float[np.ndarray, "sets sites sites"]
ParameterRows = Float[np.ndarray, "_ parameters"]
Chosen = Int[np.ndarray, " _"]
ELEMENTS = 2**23
"""Largest number of elements held at once (unless one set has more)."""
TOLERANCE = 1e-10
"""Largest difference of a moment from its target."""
MOST_STEPS = 60
HALVINGS = 40
ROUNDING = 1e-13


class MaximumEntropy(NamedTuple):
    """Models of n sets of K spins each."""

    entropies: Float[np.ndarray, " sets"]
    """Cross-entropy of the data relative to the model, and the penalty, in nats."""
    couplings: Float[np.ndarray, "sets sites sites"]
    fields: Float[np.ndarray, "sets sites"]
    converged: Bool[np.ndarray, " sets"]


def maximum_entropy(magnetisations: Magnetisations, pair_moments: PairMoments, ridge: float) -> MaximumEntropy:
    """Minimise ln Z - sum_i h_i <s_i> - sum_{i<j} J_ij <s_i s_j> + ridge / 2 sum_{i<j} J_ij^2 for every set.

    Newton's method with halved steps, all sets side by side; time O(sets 2^K K^4).

    Args:
        magnetisations: <s_i>, shape (n, K), inside (-1, 1).
        ridge: weight of the squared couplings; with 0, pairs that miss one of their four states have no finite model.
    """
    sites = magnetisations.shape[1]
    block = max(1, ELEMENTS // 4 ** max(sites, 3))
    parts = [
        SmallModels(magnetisations[first : first + block], pair_moments[first : first + block], ridge).fitted()
        for first in range(0, len(magnetisations), block)
    ]
    return MaximumEntropy(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class SmallModels:
    """Sets of spins that are few enough to hold the probabilities of all their configurations.

    ParameterRows are h_1 ... h_K and J_ij row by row, i < j; arguments as for `maximum_entropy`.
    """

    def __init__(self, magnetisations: Magnetisations, pair_moments: PairMoments, ridge: float):
        self._sites = magnetisations.shape[1]
        self._upper = np.triu_indices(self._sites, 1)
        spins = all_configurations(self._sites).astype(np.float64)
        self._features = np.hstack([spins, spins[:, self._upper[0]] * spins[:, self._upper[1]]])
        # One matrix product with these gives all second moments.
        self._products = np.einsum("sp,sq->spq", self._features, self._features).reshape(len(spins), -1)
        self._targets = np.hstack([magnetisations, pair_moments[:, self._upper[0], self._upper[1]]])
        self._penalty = np.repeat([0.0, ridge], [self._sites, len(self._upper[0])])

    def fitted(self) -> MaximumEntropy:
        """Return the models by Newton's method, whose steps are halved where they do not lower the cross-entropy."""
        parameters = np.zeros(self._targets.shape)
        parameters[:, : self._sites] = np.arctanh(self._targets[:, : self._sites])
        open_ = np.arange(len(parameters))
        steps = 0
        while True:
            slopes, curvatures = self._derivatives(parameters[open_], open_)
            unmet = np.abs(slopes).max(axis=1) > TOLERANCE
            open_, slopes, curvatures = open_[unmet], slopes[unmet], curvatures[unmet]
            if open_.size == 0 or steps == MOST_STEPS:
                return self._models(parameters, open_)
            moves = -np.linalg.solve(curvatures, slopes[:, :, None])[:, :, 0]
            parameters[open_] += self._lengths(parameters[open_], moves, slopes, open_)[:, None] * moves
            steps += 1

    def _entropy(self, parameters: ParameterRows, chosen: Chosen) -> Float[np.ndarray, " _"]:
        """Return cross-entropy and penalty of the sets ``chosen``."""
        log_partition = logsumexp(parameters @ self._features.T, axis=1)
        return log_partition - (parameters * self._targets[chosen]).sum(axis=1) + parameters**2 @ self._penalty / 2

    def _derivatives(self, parameters: ParameterRows, chosen: Chosen) -> tuple[ParameterRows, np.ndarray]:
        """Return gradient and Hessian of the cross-entropy of the sets ``chosen``."""
        probabilities = softmax(parameters @ self._features.T, axis=1)
        means = probabilities @ self._features
        curvatures = (probabilities @ self._products).reshape(len(chosen), means.shape[1], -1)
        curvatures += np.diag(self._penalty + ROUNDING) - means[:, :, None] * means[:, None, :]
        return means - self._targets[chosen] + self._penalty * parameters, curvatures

    def _lengths(
        self, parameters: ParameterRows, moves: ParameterRows, slopes: ParameterRows, chosen: Chosen
    ) -> Float[np.ndarray, " _"]:
        """Return the length of every step by Armijo's rule."""
        values = self._entropy(parameters, chosen)
        promised = (moves * slopes).sum(axis=1)
        lengths = np.ones(len(chosen))
        for _ in range(HALVINGS):
            new = self._entropy(parameters + lengths[:, None] * moves, chosen)
            failed = new > values + 1e-4 * lengths * promised + ROUNDING * np.abs(values)
            if not failed.any():
                break
            lengths[failed] /= 2
        return lengths

    def _models(self, parameters: ParameterRows, unmet: Chosen) -> MaximumEntropy:
        """Return the models of parameters, those of the sets ``unmet`` not having converged."""
        everything = np.arange(len(parameters))
        sites = self._sites
        couplings = np.zeros((len(parameters), sites, sites))
        first, second = self._upper
        couplings[:, first, second] = couplings[:, second, first] = parameters[:, sites:]
        entropies = self._entropy(parameters, everything)
        return MaximumEntropy(entropies, couplings, parameters[:, :sites], ~np.isin(everything, unmet))
