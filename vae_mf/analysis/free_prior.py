"""A law of the latent variables that is free: points z_k of the weights under which rows are likeliest.

The decoder stays as it is. Of all laws of z the likeliest lies on points, p(x) = sum_k w_k p(x|z_k), and what it gains
on other rows than those that it was fitted to is what the prior of the model misses.

Source: Kiefer and Wolfowitz, Annals of Mathematical Statistics 27 (1956) 887; Laird, Journal of the American
Statistical Association 73 (1978) 805 (expectation-maximisation).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.analysis.generation import batches
from vae_mf.analysis.posterior_draws import LatentVAE
from vae_mf.arrays import Spins
from vae_mf.checks import require_choice, require_integer
from vae_mf.models.vae import VAE
from vae_mf.statistics.averages import evenly_spaced

LogLikelihoods = Float[np.ndarray, "rows points"]
"""ln p(x|z_k) of every row at every point."""


@dataclass(frozen=True, eq=False)
class FreePrior:
    """The decoder of a model of spins with points for a prior.

    Args:
        vae: the model.
        temperature: T of all rows; 1 for data without a temperature.
        z: points, shape (points, latents).
        weights: their probabilities.
    """

    vae: VAE
    temperature: float
    z: Float[np.ndarray, "points latents"]
    weights: Float[np.ndarray, " points"]

    def log_likelihood(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        """Return ln p(x) of every row, in nats: exact, no bound."""
        return logsumexp(log_likelihoods(self.vae, rows, self.z, self.temperature), axis=1, b=self.weights)


def fit_free_prior(
    vae: VAE, rows: Spins, points: int, steps: int, temperature: float = 1.0, proposals: int = 32, seed: int = 0
) -> FreePrior:
    """Return the points, one posterior draw of z for each of some rows, with the weights that make all rows likeliest.

    Args:
        vae: model of spins.
        rows: rows that the weights are fitted to.
        points: number of points, at most one for each row.
        steps: steps of expectation-maximisation.
        temperature: T of all rows; 1 for data without a temperature.
        proposals: number of draws of the encoder from which those of the posterior are taken.
        seed: seed of the draws.
    """
    require_choice("kind", vae.kind, ("spins",))
    chosen = rows[evenly_spaced(len(rows), require_integer("points", points))]
    z = LatentVAE(vae, temperature, proposals, seed).latents(chosen, seed)
    weights = likeliest_weights(log_likelihoods(vae, rows, z, temperature), steps)
    return FreePrior(vae, temperature, z, weights)


@torch.no_grad()
def log_likelihoods(
    vae: VAE, rows: Spins, z: Float[np.ndarray, "points latents"], temperature: float = 1.0
) -> LogLikelihoods:
    """Return ln p(x|z) of every row at every point, in nats."""
    like = next(vae.parameters())
    points = torch.as_tensor(z, dtype=like.dtype, device=like.device)
    halves = vae.decoder(points).natural_parameters[..., 0].double()
    normaliser = torch.logaddexp(halves, -halves).sum(1)
    parts = [x.double() @ halves.T - normaliser for x, _ in batches(vae, rows, temperature)]
    return torch.cat(parts).cpu().numpy()


def likeliest_weights(values: LogLikelihoods, steps: int) -> Float[np.ndarray, " points"]:
    """Return the weights of points under which rows are likeliest, so many steps from equal ones.

    >>> likeliest_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), steps=100).round(3).tolist()
    [0.708, 0.292]
    """
    likelihoods = np.exp(values - values.max(1, keepdims=True))
    weights = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(require_integer("steps", steps)):
        weights = weights * (likelihoods.T @ (1 / (likelihoods @ weights))) / len(likelihoods)
    return weights
