"""A mixture of independent variables as a model with one latent variable, the class of a row."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.special import logit, softmax

from vae_mf.arrays import Spins
from vae_mf.density_models.mixture import ROWS, BernoulliComponents, BernoulliMixture, joint_logs
from vae_mf.rng import generator, integer
from vae_mf.statistics.latent_model import Products, Residuals, Variables


class LatentClasses:
    """A fitted mixture as a `vae_mf.statistics.latent_model.LatentModel`: its posterior is exact.

    Args:
        mixture: the fitted model.
    """

    def __init__(self, mixture: BernoulliMixture):
        self.mixture = mixture
        self.variables: Variables = np.arange(mixture.n_features_in_)
        self._means = (2 * mixture.probabilities_ - 1).astype(np.float32)

    def residuals(self, rows: Spins, draws: int, seed: int) -> Iterator[Residuals]:
        """Yield s - <s|k> at draws of the class k from p(k|s), in parts of consecutive rows."""
        random = generator(seed, "classes")
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            limits = self.class_probabilities(part).cumsum(1)[:, None]
            # The last limit is 1 but for rounding.
            classes = (random.random((len(part), draws, 1)) > limits[..., :-1]).sum(-1)
            yield part[:, None].astype(np.float32) - self._means[classes]

    def class_probabilities(self, rows: Spins) -> np.ndarray:
        """Return p(k|s), shape (rows, classes)."""
        components = BernoulliComponents(self.mixture.weights_, self.mixture.probabilities_)
        parts = (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
        return np.concatenate(
            [softmax(joint_logs((part > 0).astype(np.float64), components), axis=0).T for part in parts]
        )

    def shifts(self) -> Float[np.ndarray, "classes variables"]:
        """Return half the change of the log-odds of every variable in each class, against those of all rows.

        >>> mixture = BernoulliMixture(2).fit(np.int8([[1, 1], [1, -1], [-1, 1], [-1, -1]]))
        >>> LatentClasses(mixture).shifts().shape
        (2, 2)
        """
        overall = self.mixture.weights_ @ self.mixture.probabilities_
        return (logit(self.mixture.probabilities_) - logit(overall)) / 2

    def draw_rows(self, count: int, seed: int) -> Spins:
        """Return rows of the mixture."""
        return self.mixture.sample(count, random_state=integer(seed, "mixture") % 2**32)

    def variance_products(self) -> Products:
        """Return Σ_k w_k v_ki v_kj."""
        variances = 1 - (2 * self.mixture.probabilities_ - 1) ** 2
        return (self.mixture.weights_[:, None] * variances).T @ variances
