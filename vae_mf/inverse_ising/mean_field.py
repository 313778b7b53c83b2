"""Closed formulas for couplings and fields from magnetisations m_i and connected correlations C_ij.

L_i = 1 - m_i^2 is the variance of a spin and B = C^-1. All are exact to some order in the couplings, the independent
pair and the Bethe formulas also for two spins, and Bethe on every tree.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, warn_convergence
from vae_mf.inverse_ising.moments import (
    UNSEEN,
    Moments,
    inverse_covariances,
    missing_states,
    refuse_copies,
    regularised,
    spin_moments,
)
from vae_mf.inverse_ising.solvers.delta_method import PairValues, delta_errors, pair_values

SIGNS = {"+": 1, "-": -1}


@dataclass(eq=False, repr=False)
class MeanFieldEstimator(InverseIsing):
    """Base of the estimators that see moments only.

    Args:
        pseudocount: number of independent unbiased samples added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    pseudocount: Any = 0.0
    shrinkage: Any = 0.0
    encoding: Any = "spin"

    def _accepts_constant_spins(self) -> bool:
        return self.pseudocount > 0

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        raw = spin_moments(spins, weights)
        data = regularised(raw, self.pseudocount, self.shrinkage)
        refuse_copies(data)
        estimate = self._from_moments(data)
        return estimate._replace(couplings_error=self._errors(spins, weights, raw, data))

    def _from_moments(self, data: Moments) -> Estimate:
        """Return the estimate from moments."""
        raise NotImplementedError

    def _errors(self, spins: Spins, weights: Weights, raw: Moments, data: Moments) -> Couplings | None:
        """Return the standard errors of J from moments as they are and as the formula is given, where they are known.

        They tell the noise of the formula, which pseudocount and shrinkage reduce, not its bias.
        """
        return None


class IndependentPair(MeanFieldEstimator):
    """Every pair as if it were alone, J_ij = 1/4 ln(p++ p-- / (p+- p-+)) (Roudi, Tyrcha and Hertz 2009).

    Fields: h_i = sum_j h_i^(ij) - (N - 2) artanh m_i, with h_i^(ij) the field of spin i in the pair's own model. The
    standard errors of J are those of the log odds ratio, sqrt(sum 1/p) / (4 sqrt(M)) without pseudocount and shrinkage.
    A state of a pair that was never seen counts half a time; the error of the coupling is infinite, and a
    `ConvergenceWarning` counts such pairs.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> IndependentPair().fit(spins, sample_weight=100 * np.exp(0.5 * spins.prod(axis=1))).couplings_.round(6)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m = data.magnetisations
        logs = {states: np.log(p) for states, p in seen_probabilities(data).items()}
        couplings = zero_diagonal(logs["++"] + logs["--"] - logs["+-"] - logs["-+"]) / 4
        pair_fields = zero_diagonal(logs["++"] + logs["+-"] - logs["-+"] - logs["--"]) / 4
        fields = pair_fields.sum(axis=1) - (len(m) - 2) * np.arctanh(m)
        missing = missing_states(data)
        if len(missing):
            warn_convergence(
                f"IndependentPair: {len(missing)} pairs of spins were never seen in one of their states and have no "
                "finite coupling; counted half a sample there; set pseudocount > 0"
            )
        return Estimate((couplings + couplings.T) / 2, fields)

    def _errors(self, spins: Spins, weights: Weights, raw: Moments, data: Moments) -> Couplings:
        m, column = data.magnetisations, data.magnetisations[:, None]
        of_first, of_second, of_covariance = np.zeros((3, len(m), len(m)))
        for states, p in seen_probabilities(data).items():
            a, b = (SIGNS[sign] for sign in states)
            of_first += (b + m) / (16 * p)
            of_second += (a + column) / (16 * p)
            of_covariance += (1 - self.shrinkage) / (16 * p)
        mean, square = np.zeros((2, len(m), len(m)))
        for states, p in seen_probabilities(raw).items():
            d, e = (SIGNS[sign] - value for sign, value in zip(states, (column, m), strict=True))
            influence = of_first * d + of_second * e + of_covariance * d * e
            mean += p * influence
            square += p * influence**2
        errors = np.sqrt(np.maximum(square - mean**2, 0) * raw.samples) / data.samples
        first, second = missing_states(data).T
        errors[first, second] = errors[second, first] = np.inf
        return zero_diagonal(errors)


class NaiveMeanField(MeanFieldEstimator):
    """J_ij = -(C^-1)_ij, h_i = artanh m_i - sum_j J_ij m_j (Kappen and Rodriguez 1998).

    The standard errors of J are those of a Gaussian's inverse covariance, sqrt((B_ii B_jj + B_ij^2) / (M - N)), or with
    B C_data B in place of B, under pseudocount or shrinkage, where that is more: the noise of the formula, not its
    bias, which rules at strong coupling.

    >>> spins = [[1, 1], [1, 1], [1, -1], [-1, 1], [-1, -1], [-1, -1]] * 40
    >>> NaiveMeanField().fit(spins).couplings_
    array([[0.   , 0.375],
           [0.375, 0.   ]])

    Args:
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        couplings = zero_diagonal(-inverse_covariances(data))
        return Estimate(couplings, np.arctanh(data.magnetisations) - couplings @ data.magnetisations)

    def _errors(self, spins: Spins, weights: Weights, raw: Moments, data: Moments) -> Couplings:
        inverse = inverse_covariances(data)
        squares = np.zeros_like(inverse)
        # Values that did not occur leave no scatter in the data as they are.
        for spread in (inverse, inverse @ raw.covariances @ inverse):
            scale = np.diag(spread)
            squares = np.maximum(squares, np.outer(scale, scale) + spread**2)
        freedom = max(data.samples - len(inverse), 1.0)
        return zero_diagonal((1 - self.shrinkage) * np.sqrt(squares * raw.samples / data.samples / freedom))


class PairFormula(MeanFieldEstimator):
    """Base of the formulas that give J_ij in closed form from m_i, m_j, C_ij and (C^-1)_ij alone.

    The standard errors of J are those of the delta method, with the third and fourth moments of the data: the noise of
    the formula, not its bias. They are infinite for pairs without a real coupling, which a `ConvergenceWarning` counts.
    """

    def _errors(self, spins: Spins, weights: Weights, raw: Moments, data: Moments) -> Couplings:
        errors = delta_errors(spins, weights, data, self._coupling, self.shrinkage)
        return np.where(self._impossible(pair_values(data)), np.inf, errors)

    @staticmethod
    def _impossible(pairs: PairValues) -> Bool[np.ndarray, "sites sites"]:
        """Return True for pairs without a real coupling, and the diagonal False."""
        return np.zeros(pairs.inverse.shape, dtype=bool)

    @staticmethod
    def _coupling(pairs: PairValues) -> Couplings:
        """Return the formula's value for every pair, real part where it is not real; the diagonal is meaningless."""
        raise NotImplementedError


class TAP(PairFormula):
    """B_ij = -J_ij - 2 J_ij^2 m_i m_j, with Onsager's term in the fields (Kappen and Rodriguez 1998, Tanaka 1998).

    h_i = artanh m_i - sum_j J_ij m_j + m_i sum_j J_ij^2 (1 - m_j^2). Pairs whose quadratic equation has no real root
    get the root's real part, and a `ConvergenceWarning` counts them.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> TAP().fit(spins, sample_weight=400 * np.exp(0.2 * spins.prod(axis=1))).couplings_.round(2)
    array([[0.  , 0.21],
           [0.21, 0.  ]])

    Args:
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m = data.magnetisations
        pairs = pair_values(data)
        imaginary = self._impossible(pairs)
        if imaginary.any():
            count = np.count_nonzero(np.triu(imaginary))
            warn_convergence(f"TAP: {count} pairs of spins have no real coupling; took the real part.")
        couplings = zero_diagonal(self._coupling(pairs))
        fields = np.arctanh(m) - couplings @ m + m * (couplings**2 @ (1 - m**2))
        return Estimate(couplings, fields)

    @staticmethod
    def _impossible(pairs: PairValues) -> Bool[np.ndarray, "sites sites"]:
        return TAP._discriminant(pairs) < 0

    @staticmethod
    def _discriminant(pairs: PairValues) -> Couplings:
        return 1 - 8 * pairs.first * pairs.second * pairs.inverse

    @staticmethod
    def _coupling(pairs: PairValues) -> Couplings:
        discriminant = TAP._discriminant(pairs)
        # 2 c / (1 + sqrt(...)) is the root that tends to -B_ij as m does to zero, without cancellation.
        real = -2 * pairs.inverse / (1 + np.sqrt(np.maximum(discriminant, 0)))
        product = pairs.first * pairs.second
        nonzero = np.where(np.abs(product) < 1e-300, 1e-300, product)
        return np.where(discriminant < 0, -1 / (4 * nonzero), real)


class SessakMonasson(PairFormula):
    """Small-correlation expansion, loops and pairs summed: J = -B_ij + J_ij^pair - C_ij / (L_i L_j - C_ij^2).

    Couplings by eq. 17 of Roudi, Tyrcha and Hertz (2009); fields to third order in the correlations by Sessak and
    Monasson (2009), with K_ij = C_ij / (L_i L_j):
    h_i = artanh m_i - sum_j J_ij m_j + m_i sum_j K_ij^2 L_j - 2/3 (1 + 3 m_i^2) sum_j K_ij^3 m_j L_j
    - m_i sum_jk K_ij K_jk K_ki L_j L_k.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> SessakMonasson().fit(spins, sample_weight=100 * np.exp(0.5 * spins.prod(axis=1))).couplings_.round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m, variances = data.magnetisations, 1 - data.magnetisations**2
        couplings = zero_diagonal(self._coupling(pair_values(data)))
        couplings = (couplings + couplings.T) / 2
        reduced = zero_diagonal(data.covariances) / np.outer(variances, variances)
        fields = np.arctanh(m) - couplings @ m + m * (reduced**2 @ variances)
        fields -= 2 / 3 * (1 + 3 * m**2) * (reduced**3 @ (m * variances))
        fields -= m * np.einsum("ij,jk,ki,j,k->i", reduced, reduced, reduced, variances, variances, optimize=True)
        return Estimate(couplings, fields)

    @staticmethod
    def _coupling(pairs: PairValues) -> Couplings:
        first, second, covariances, inverse = pairs
        overlap = covariances / ((1 - first**2) * (1 - second**2) - covariances**2)
        odds = log_odds(state_probabilities(first, second, covariances + first * second))
        return odds - overlap - inverse


class Bethe(PairFormula):
    """Bethe approximation inverted in closed form, exact on trees (Ricci-Tersenghi 2012, eqs. 26 and 27).

    tanh J_ij = -2 B_ij / (q + sqrt(q^2 - 4 B_ij^2)), q = sqrt(1 + 4 L_i L_j B_ij^2) - 2 m_i m_j B_ij.
    Pairs whose root is not real get its real part, and a `ConvergenceWarning` counts them.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> chain = np.exp(0.5 * spins[:, 0] * spins[:, 1] - 0.3 * spins[:, 1] * spins[:, 2])
    >>> Bethe().fit(spins, sample_weight=100 * chain).couplings_[1].round(6)
    array([ 0.5,  0. , -0.3])

    Args:
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        pairs = pair_values(data)
        tangents = zero_diagonal(self._tangents(pairs))
        impossible = self._impossible(pairs)
        if impossible.any():
            warn_convergence(f"Bethe: {np.count_nonzero(np.triu(impossible))} pairs of spins have no real coupling.")
        return Estimate(np.arctanh(tangents), bethe_fields(data.magnetisations, tangents))

    @staticmethod
    def _impossible(pairs: PairValues) -> Bool[np.ndarray, "sites sites"]:
        imaginary = Bethe._mixed(pairs) ** 2 < 4 * pairs.inverse**2
        return imaginary | (np.abs(Bethe._tangents(pairs)) >= LARGEST_TANGENT)

    @staticmethod
    def _mixed(pairs: PairValues) -> Couplings:
        """Return q."""
        first, second, _, inverse = pairs
        return np.sqrt(1 + 4 * (1 - first**2) * (1 - second**2) * inverse**2) - 2 * first * second * inverse

    @staticmethod
    def _tangents(pairs: PairValues) -> Couplings:
        """Return tanh J_ij."""
        q = Bethe._mixed(pairs)
        tangents = -2 * pairs.inverse / (q + np.sqrt(np.maximum(q**2 - 4 * pairs.inverse**2, 0)))
        return np.clip(tangents, -LARGEST_TANGENT, LARGEST_TANGENT)

    @staticmethod
    def _coupling(pairs: PairValues) -> Couplings:
        return np.arctanh(Bethe._tangents(pairs))


LARGEST_TANGENT = 1 - 1e-9


def bethe_fields(m: Fields, tangents: Couplings) -> Fields:
    """Return h_i = artanh m_i - sum_j artanh(t_ij m_j^(i)), with t = tanh J and cavity magnetisations m_j^(i)."""
    cavity = cavity_magnetisations(m, tangents)
    messages = np.clip(tangents * cavity, -LARGEST_TANGENT, LARGEST_TANGENT)
    return np.arctanh(m) - np.arctanh(messages).sum(axis=0)


def cavity_magnetisations(m: Fields, tangents: Couplings) -> Float[np.ndarray, "sites sites"]:
    """Return m_j^(i), the magnetisation of spin j without i that yields m_i and m_j with it, in row j and column i.

    m_j^(i) = 2 (m_j - m_i t) / (1 - t^2 + sqrt((1 - t^2)^2 - 4 t (m_j - m_i t)(m_i - m_j t))).
    """
    one = m[:, None] - m * tangents
    rest = 1 - tangents**2
    return 2 * one / (rest + np.sqrt(np.maximum(rest**2 - 4 * tangents * one * one.T, 0)))


def pair_probabilities(
    m: Fields, pair_moments: Float[np.ndarray, "sites sites"]
) -> dict[str, Float[np.ndarray, "sites sites"]]:
    """Return the probabilities of the four states of every pair, "+-" meaning s_i = +1 and s_j = -1.

    The diagonal holds those of two independent copies.
    """
    moment = pair_moments.copy()
    np.fill_diagonal(moment, m**2)
    return state_probabilities(m[:, None], m, moment)


def seen_probabilities(data: Moments) -> dict[str, Couplings]:
    """Return the probabilities of the states of every pair, those that were never seen counted half a sample."""
    probabilities = pair_probabilities(data.magnetisations, data.pair_moments)
    return {states: np.where(p < UNSEEN / 4, 0.5 / data.samples, p) for states, p in probabilities.items()}


def state_probabilities(first: np.ndarray, second: np.ndarray, moment: Couplings) -> dict[str, Couplings]:
    """Return p from <s_i>, <s_j> and <s_i s_j>, never below the rounding error, so that logarithms exist."""
    return {
        a + b: np.maximum(1 + SIGNS[a] * first + SIGNS[b] * second + SIGNS[a] * SIGNS[b] * moment, 1e-15) / 4
        for a in SIGNS
        for b in SIGNS
    }


def log_odds(p: dict[str, Couplings]) -> Couplings:
    """Return 1/4 ln(p++ p-- / (p+- p-+)), the coupling of a pair that is alone."""
    return np.log(p["++"] * p["--"] / (p["+-"] * p["-+"])) / 4


def pair_couplings(m: Fields, pair_moments: Float[np.ndarray, "sites sites"]) -> Couplings:
    """Return the coupling of every pair as if it were alone.

    >>> pair_couplings(np.zeros(2), np.array([[1, np.tanh(0.5)], [np.tanh(0.5), 1]])).round(6)
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    couplings = zero_diagonal(log_odds(pair_probabilities(m, pair_moments)))
    return (couplings + couplings.T) / 2


def zero_diagonal(matrix: Float[np.ndarray, "sites sites"]) -> Float[np.ndarray, "sites sites"]:
    """Return a copy with zeros on the diagonal.

    >>> zero_diagonal(np.ones((2, 2)))
    array([[0., 1.],
           [1., 0.]])
    """
    return np.where(np.eye(len(matrix), dtype=bool), 0.0, matrix)
