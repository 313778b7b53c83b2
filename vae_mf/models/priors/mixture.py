"""A prior of many modes: a mixture of Gaussians whose weights, means and covariances are functions of temperature."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.priors.spline import SplineDistribution, SplinePrior
from vae_mf.models.priors.splines import Levels
from vae_mf.models.temperature import full_precision, temperature_features, thermal_network
from vae_mf.models.tensors import Condition, Latents, PerSample, can_loop

INITIAL_SPREAD = 0.5
"""Standard deviation of the means at the start; the components are narrowed so that the whole keeps variance 1."""


MixtureOutputs = Float[torch.Tensor, "levels components outputs"]
"""Of every component a logit, a mean, and a matrix whose lower triangle gives A, the diagonal in logarithms."""


class Components(NamedTuple):
    """Parameters of a Gaussian mixture at every level."""

    log_weights: Float[torch.Tensor, "levels components"]
    """Logarithms of the normalised weights w."""
    means: Float[torch.Tensor, "levels components latents"]
    """Means μ."""
    whitening: Float[torch.Tensor, "levels components latents latents"]
    """Lower triangular matrices A with a positive diagonal; the covariances are (AᵀA)⁻¹."""


class GaussianMixture:
    """p(z) = Σ_k w_k Normal(z; μ_k, (A_kᵀ A_k)⁻¹) with the parameters of each row's level.

    Args:
        outputs: what `components_of` makes the parameters of.
        index: level of every row.
    """

    def __init__(self, outputs: MixtureOutputs, index: Levels) -> None:
        self.outputs = outputs
        self.index = index
        self.dtype = outputs.dtype
        # The loops take the outputs as they are; without them each density of many would make the same parameters.
        self._components = None if can_loop(outputs) else components_of(outputs)

    @property
    def components(self) -> Components:
        """The parameters at every level."""
        return components_of(self.outputs) if self._components is None else self._components

    def log_prob(self, z: Latents) -> PerSample:
        """Return log Σ_k w_k |A_k| Normal(A_k (z - μ_k); 0, I) of every row, shape (batch,)."""
        with full_precision(z):
            z = z.to(self.dtype)
            if not can_loop(z):
                return torch.logsumexp(by_whitening(z, self._one_hot(), self.components), -1)
            from vae_mf.models.priors.mixture_loops import log_density  # with Numba, which no loading and drawing needs

            return log_density(z, self.index, self.outputs)

    @torch.no_grad()
    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Return one draw per configuration, shape (batch, latents)."""
        log_weights, means, whitening = self.components
        # As `torch.multinomial` does, but nothing is checked on the processor, which would have to wait.
        reached = log_weights.exp().cumsum(-1)[self.index, :-1]
        uniform = torch.rand(reached[:, :1].shape, generator=generator, dtype=reached.dtype, device=reached.device)
        component = (reached <= uniform).sum(-1)
        mean, matrix = means[self.index, component], whitening[self.index, component]
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + torch.linalg.solve_triangular(matrix, noise[..., None], upper=False)[..., 0]

    def _one_hot(self) -> Float[torch.Tensor, "batch levels"]:
        levels = torch.arange(len(self.outputs), device=self.index.device)
        return (self.index[:, None] == levels).to(self.dtype)


def components_of(outputs: MixtureOutputs) -> Components:
    """Return the parameters that outputs of a network stand for."""
    latents = math.isqrt(outputs.shape[-1])
    logits, means, matrix = outputs.split((1, latents, latents**2), dim=-1)
    matrix = matrix.unflatten(-1, (latents, latents))
    whitening = matrix.tril(-1) + torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1).exp())
    return Components(logits[..., 0].log_softmax(-1), means, whitening)


def by_whitening(
    z: Latents, level: Float[torch.Tensor, "batch levels"], components: Components
) -> Float[torch.Tensor, "batch components"]:
    """Return log w_k |A_k| Normal(A_k (z - μ_k); 0, I), with A_k (z - μ_k) by one product for all rows and components.

    No matrix is gathered for a row. Of large numbers A z and A μ alone cancel, which single precision bears.
    """
    log_weights, means, whitening = components
    table = torch.cat((whitening, -whitening @ means[..., None]), dim=-1)
    extended = torch.cat((z, torch.ones_like(z[:, :1])), dim=-1)
    # A row is zero but for the columns of its level, which pick that level's matrices.
    rows = (level[:, :, None] * extended[:, None, :]).flatten(1)
    # Components last, over which sums run in vectors. A copy, or the gradient's product has a slow order.
    matrices = table.permute(0, 3, 2, 1).reshape(rows.shape[1], -1).contiguous()
    squares = (rows @ matrices).view(len(z), means.shape[-1], -1).square().sum(1)
    return torch.sub(level @ (log_weights + log_volumes(whitening)), squares, alpha=0.5)


def log_volumes(whitening: Float[torch.Tensor, "... latents latents"]) -> Float[torch.Tensor, "..."]:
    """Return log |A_k| / (2π)^{d/2} of every component."""
    return whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * whitening.shape[-1] * math.log(2 * math.pi)


class MixturePrior(nn.Module):
    """A Gaussian mixture with full covariances, all its parameters functions of the temperature.

    It holds what no product over the latents does: a few separate modes of which one is occupied, or, with many
    components, a curved surface. It starts as a mixture of equal weights around random means, close to Normal(0, I):
    broad components reach every mode before they settle, and spare ones make up for those that share a mode, so ask for
    ten times as many as there are modes. Splines on each latent may warp the whole.

    >>> prior = MixturePrior(latents=2, components=4)
    >>> law = prior(Condition(torch.tensor([1.0, 2.0]), torch.tensor([0, 0, 1])))
    >>> law.sample().shape, prior.free_parameters()  # 3 weights, 8 means, 12 entries of triangles
    (torch.Size([3, 2]), 23)

    Args:
        latents: dimension d of z.
        components: number of Gaussians.
        hidden: width of the network of the temperature.
        layers: number of stacked splines (see `SplinePrior`) through which the mixture is pushed.
        bins: number of bins of a spline.
        bound: the splines act on [-bound, bound] and are the identity outside.

    Raises:
        ValueError: if a count is no positive integer, ``bins`` is not between 2 and 999, or ``bound`` is not above
            zero.
    """

    factorised = False

    def __init__(
        self, latents: int, components: int = 64, hidden: int = 64, layers: int = 0, bins: int = 16, bound: float = 8.0
    ) -> None:
        super().__init__()
        self.latents = require_integer("latents", latents)
        self.components = require_integer("components", components)
        self.network = thermal_network(hidden, self._start().flatten())
        self.warp = SplinePrior(latents, layers, bins, bound, hidden) if require_integer("layers", layers, 0) else None

    def forward(self, condition: Condition) -> GaussianMixture | SplineDistribution:
        """Return the distribution of z, one row per entry of ``condition.index``."""
        with full_precision(condition.temperatures):
            mixture = GaussianMixture(self._outputs(condition), condition.index)
        return mixture if self.warp is None else SplineDistribution(self.warp.splines(condition), mixture)

    def free_parameters(self) -> int:
        """Return logits (one less, as weights add up to 1), means and triangles of the components, and the splines."""
        own = self.components * (1 + self.latents + self.latents * (self.latents + 1) // 2) - 1
        return own if self.warp is None else own + self.warp.free_parameters()

    def _outputs(self, condition: Condition) -> MixtureOutputs:
        outputs = self.network(temperature_features(condition.temperatures, like=next(self.parameters())))
        return outputs.view(len(outputs), self.components, -1)

    def _start(self) -> Float[torch.Tensor, "components outputs"]:
        """Return equal weights, random means with the mean zero, and spheres that bring the variance to 1."""
        means = INITIAL_SPREAD * torch.randn(self.components, self.latents)
        matrix = -0.5 * math.log(1 - INITIAL_SPREAD**2) * torch.eye(self.latents)
        logits = torch.zeros(self.components, 1)
        return torch.cat((logits, means - means.mean(0), matrix.flatten().expand(self.components, -1)), dim=-1)
