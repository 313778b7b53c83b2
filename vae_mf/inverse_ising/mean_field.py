"""Closed formulas for couplings and fields from magnetisations m_i and connected correlations C_ij.

L_i = 1 - m_i^2 is the variance of a spin and B = C^-1. All are exact to some order in the couplings, the independent
pair and the Bethe formulas also for two spins, and Bethe on every tree.
"""

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, warn_convergence
from vae_mf.inverse_ising.moments import Moments, moments, refuse_copies, regularised


class MeanFieldEstimator(InverseIsing):
    """Base of the estimators that see moments only.

    Args:
        pseudocount: samples of independent unbiased spins that are added to the data; then constant spins are allowed.
        shrinkage: from 0 to 1, the share by which correlations between different spins are reduced.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
    """

    def __init__(self, pseudocount=0.0, shrinkage=0.0, encoding="spin"):
        self.pseudocount = pseudocount
        self.shrinkage = shrinkage
        self.encoding = encoding

    def _accepts_constant_spins(self) -> bool:
        return self.pseudocount > 0

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        data = regularised(moments(spins, weights), self.pseudocount, self.shrinkage)
        refuse_copies(data)
        return self._from_moments(data)

    def _from_moments(self, data: Moments) -> Estimate:
        """Return the estimate from moments."""
        raise NotImplementedError


class IndependentPair(MeanFieldEstimator):
    """Every pair as if it were alone, J_ij = 1/4 ln(p++ p-- / (p+- p-+)) (Roudi, Tyrcha and Hertz 2009).

    Fields: h_i = sum_j h_i^(ij) - (N - 2) artanh m_i, with h_i^(ij) the field of spin i in the pair's own model. The
    standard errors of J are those of the log odds ratio, sqrt(sum 1/p) / (4 sqrt(M)).
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m = data.magnetisations
        probabilities = pair_probabilities(m, data.pair_moments)
        logs = {states: np.log(p) for states, p in probabilities.items()}
        couplings = pair_couplings(m, data.pair_moments)
        pair_fields = zero_diagonal(logs["++"] + logs["+-"] - logs["-+"] - logs["--"]) / 4
        fields = pair_fields.sum(axis=1) - (len(m) - 2) * np.arctanh(m)
        variances = sum(1 / p for p in probabilities.values()) / (16 * data.samples)
        return Estimate(couplings, fields, couplings_error=zero_diagonal(np.sqrt(variances)))


class NaiveMeanField(MeanFieldEstimator):
    """J_ij = -(C^-1)_ij, h_i = artanh m_i - sum_j J_ij m_j (Kappen and Rodriguez 1998).

    The standard errors of J are those of a Gaussian's inverse covariance, sqrt((B_ii B_jj + B_ij^2) / M): they tell the
    noise of the formula, not its bias, which rules at strong coupling.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        inverse = inverse_covariances(data)
        couplings = zero_diagonal(-inverse)
        fields = np.arctanh(data.magnetisations) - couplings @ data.magnetisations
        scale = np.diag(inverse)
        errors = np.sqrt((np.outer(scale, scale) + inverse**2) / data.samples)
        return Estimate(couplings, fields, couplings_error=zero_diagonal(errors))


class TAP(MeanFieldEstimator):
    """B_ij = -J_ij - 2 J_ij^2 m_i m_j, with Onsager's term in the fields (Kappen and Rodriguez 1998, Tanaka 1998).

    h_i = artanh m_i - sum_j J_ij m_j + m_i sum_j J_ij^2 (1 - m_j^2). Pairs whose quadratic equation has no real root
    get the root's real part, and a `ConvergenceWarning` counts them.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m, inverse = data.magnetisations, inverse_covariances(data)
        discriminant = 1 - 8 * np.outer(m, m) * inverse
        # 2 c / (1 + sqrt(...)) is the root that tends to -B_ij as m does to zero, without cancellation.
        couplings = zero_diagonal(-2 * inverse / (1 + np.sqrt(np.maximum(discriminant, 0))))
        imaginary = np.count_nonzero(np.triu(discriminant < 0, 1))
        if imaginary:
            couplings = np.where(discriminant < 0, zero_diagonal(-1 / (4 * safe_product(m))), couplings)
            warn_convergence(f"TAP: {imaginary} pairs of spins have no real coupling; took the real part.")
        fields = np.arctanh(m) - couplings @ m + m * (couplings**2 @ (1 - m**2))
        return Estimate(couplings, fields, converged=True)


class SessakMonasson(MeanFieldEstimator):
    """Small-correlation expansion, loops and pairs summed: J = -B_ij + J_ij^pair - C_ij / (L_i L_j - C_ij^2).

    Couplings by eq. 17 of Roudi, Tyrcha and Hertz (2009); fields to third order in the correlations by Sessak and
    Monasson (2009), with K_ij = C_ij / (L_i L_j):
    h_i = artanh m_i - sum_j J_ij m_j + m_i sum_j K_ij^2 L_j - 2/3 (1 + 3 m_i^2) sum_j K_ij^3 m_j L_j
    - m_i sum_jk K_ij K_jk K_ki L_j L_k.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m, correlations = data.magnetisations, zero_diagonal(data.covariances)
        variances = 1 - m**2
        overlap = correlations / (np.outer(variances, variances) - correlations**2)
        couplings = zero_diagonal(pair_couplings(m, data.pair_moments) - overlap - inverse_covariances(data))
        reduced = correlations / np.outer(variances, variances)
        fields = np.arctanh(m) - couplings @ m + m * (reduced**2 @ variances)
        fields -= 2 / 3 * (1 + 3 * m**2) * (reduced**3 @ (m * variances))
        fields -= m * np.einsum("ij,jk,ki,j,k->i", reduced, reduced, reduced, variances, variances, optimize=True)
        return Estimate(couplings, fields)


class Bethe(MeanFieldEstimator):
    """The Bethe approximation inverted in closed form, exact on trees (Ricci-Tersenghi 2012, eqs. 26 and 27).

    tanh J_ij = -2 B_ij / (q + sqrt(q^2 - 4 B_ij^2)), q = sqrt(1 + 4 L_i L_j B_ij^2) - 2 m_i m_j B_ij.
    Pairs whose root is not real get its real part, and a `ConvergenceWarning` counts them.
    """

    def _from_moments(self, data: Moments) -> Estimate:
        m, inverse = data.magnetisations, zero_diagonal(inverse_covariances(data))
        variances = 1 - m**2
        q = np.sqrt(1 + 4 * np.outer(variances, variances) * inverse**2) - 2 * np.outer(m, m) * inverse
        root = q**2 - 4 * inverse**2
        tangents = -2 * inverse / (q + np.sqrt(np.maximum(root, 0)))
        impossible = (root < 0) | (np.abs(tangents) >= 1)
        if impossible.any():
            tangents = np.clip(tangents, -LARGEST_TANGENT, LARGEST_TANGENT)
            warn_convergence(f"Bethe: {np.count_nonzero(np.triu(impossible))} pairs of spins have no real coupling.")
        return Estimate(np.arctanh(tangents), bethe_fields(m, tangents))


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

    The diagonal holds those of two independent copies. Never below the rounding error, so that logarithms exist.
    """
    signs = {"+": 1, "-": -1}
    moment = pair_moments.copy()
    np.fill_diagonal(moment, m**2)
    return {
        a + b: np.maximum(1 + signs[a] * m[:, None] + signs[b] * m + signs[a] * signs[b] * moment, 1e-15) / 4
        for a in signs
        for b in signs
    }


def pair_couplings(m: Fields, pair_moments: Float[np.ndarray, "sites sites"]) -> Couplings:
    """Return 1/4 ln(p++ p-- / (p+- p-+)) of every pair."""
    p = pair_probabilities(m, pair_moments)
    couplings = zero_diagonal(np.log(p["++"] * p["--"] / (p["+-"] * p["-+"])) / 4)
    return (couplings + couplings.T) / 2


def inverse_covariances(data: Moments) -> Float[np.ndarray, "sites sites"]:
    """Return C^-1.

    Raises:
        ValueError: if C is singular, as with fewer samples than spins.
    """
    spectrum = np.linalg.eigvalsh(data.covariances)
    if spectrum[0] <= 1e-12 * spectrum[-1]:
        raise ValueError(
            f"spins: expected an invertible covariance matrix, got eigenvalues from {spectrum[0]:.1e} to "
            f"{spectrum[-1]:.1e} ({data.samples:g} samples of {len(spectrum)} spins); set pseudocount or "
            "shrinkage > 0, or use an estimator that does not invert it"
        )
    inverse = np.linalg.inv(data.covariances)
    return (inverse + inverse.T) / 2


def zero_diagonal(matrix: Float[np.ndarray, "sites sites"]) -> Float[np.ndarray, "sites sites"]:
    """Return a copy with zeros on the diagonal."""
    return np.where(np.eye(len(matrix), dtype=bool), 0.0, matrix)


def safe_product(m: Fields) -> Couplings:
    """Return m_i m_j with entries of magnitude at least 1e-300, to divide by."""
    product = np.outer(m, m)
    return np.where(np.abs(product) < 1e-300, 1e-300, product)
