"""Contracts of the parts of a VAE: encoder q(z|x,T), decoder p(x|z) and prior p(z|T).

A part is a `torch.nn.Module` with a few plain attributes; a call yields a distribution. A part of one's own needs one
class in one file and no change here. A prior Normal(0, T diag v) with fitted v:

>>> class ThermalPrior(nn.Module):
...     factorised = True
...
...     def __init__(self, latents: int) -> None:
...         super().__init__()
...         self.latents = latents
...         self.log_variance = nn.Parameter(torch.zeros(latents))
...
...     def forward(self, condition: Condition) -> DiagonalGaussian:
...         log_variance = condition.temperature.log()[:, None] + self.log_variance
...         return DiagonalGaussian(torch.zeros_like(log_variance), log_variance)
>>> isinstance(ThermalPrior(2), Prior)
True

On the command line it is ``model/prior=gaussian model.prior._target_=my_module.ThermalPrior``; encoders and decoders
are built from ``sites`` and ``latents``. `Encoder`, `Decoder` and `Prior` say what a part must offer, the protocols
after them what it may offer: code asks for these capabilities, never for a class.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.models.posterior import DiagonalGaussian
from vae_mf.models.tensors import Condition, ConfigurationTensor, Latents, PerSample, SiteParameters


@runtime_checkable
class LatentDistribution(Protocol):
    """Distribution of one latent vector per row."""

    def log_prob(self, z: Latents) -> PerSample:
        """Return ln p(z|T) of every row, shape (batch,)."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Return one draw per row, shape (batch, latents)."""
        ...


@runtime_checkable
class SiteDistribution(Protocol):
    """Distribution of one configuration per row, all of its sites independent."""

    @property
    def mean(self) -> Float[torch.Tensor, "batch sites *axes"]:
        """Expected spins (batch, sites), or second moments <n nᵀ> of directors (batch, sites, 3, 3)."""
        ...

    @property
    def natural_parameters(self) -> SiteParameters:
        """η of every site (see `vae_mf.models.site_families`): for spins, half the log-odds."""
        ...

    def log_prob(self, x: ConfigurationTensor) -> PerSample:
        """Return ln p(x|z) of every row, shape (batch,), in nats."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> ConfigurationTensor:
        """Return one configuration per row."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """An amortised posterior q(z|x,T).

    >>> from vae_mf.models import LinearEncoder
    >>> encoder = LinearEncoder(sites=5, latents=2)
    >>> condition = Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))
    >>> isinstance(encoder, Encoder), encoder(torch.ones(3, 5), condition).mean.shape
    (True, torch.Size([3, 2]))
    """

    kind: str
    """Kind of the configurations: "spins" or "directors"."""
    sites: int
    """Number of sites N."""
    latents: int
    """Dimension d of z."""

    def __call__(self, x: ConfigurationTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|x,T) of every row."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """A law p(x|z) of independent sites, the same at every temperature.

    >>> from vae_mf.models import LinearDecoder
    >>> decoder = LinearDecoder(sites=5, latents=2)
    >>> isinstance(decoder, Decoder), decoder(torch.zeros(3, 2)).sample().shape
    (True, torch.Size([3, 5]))
    """

    kind: str
    """Kind of the configurations: "spins" or "directors"."""
    sites: int
    """Number of sites N."""
    latents: int
    """Dimension d of z."""

    def __call__(self, z: Latents) -> SiteDistribution:
        """Return p(x|z) of every row; for spins, `vae_mf.models.likelihoods.IndependentSpins` of log-odds is one."""
        ...


@runtime_checkable
class Prior(Protocol):
    """A law p(z|T) of the latent vectors.

    >>> from vae_mf.models import GaussianPrior
    >>> prior = GaussianPrior(latents=2)
    >>> condition = Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))
    >>> isinstance(prior, Prior), prior.factorised, prior(condition).sample().shape
    (True, True, torch.Size([3, 2]))
    """

    latents: int
    """Dimension d of z."""
    factorised: bool
    """True if p(z|T) is a product over the latents."""

    def __call__(self, condition: Condition) -> LatentDistribution:
        """Return p(z|T), one row per entry of ``condition.index``."""
        ...


@runtime_checkable
class LinearLogOdds(Protocol):
    """Capability of a decoder of spins whose log-odds are 2 (W z + b), so that W and b can be read off."""

    @property
    def weights(self) -> Float[torch.Tensor, "sites latents"]:
        """W, half the derivative of the log-odds."""
        ...

    @property
    def fields(self) -> Float[torch.Tensor, " sites"]:
        """b, half the log-odds at z = 0."""
        ...


@runtime_checkable
class LinearStart(Protocol):
    """Capability of a decoder of spins that can start at given log-odds 2 (W z + b)."""

    def start_at(self, weights: Float[torch.Tensor, "sites latents"], fields: Float[torch.Tensor, " sites"]) -> None:
        """Set the linear part to 2 W and 2 b; weights of latents beyond the columns of W stay as they are."""
        ...


@runtime_checkable
class ReadsSums(Protocol):
    """Capability of an encoder or decoder of directors that reads nothing of them but Σ_i n_i n_iᵀ."""

    sums_suffice: bool
    """True; any vectors with the same sum stand for the directors, whatever their number and lengths."""


@runtime_checkable
class CountsParameters(Protocol):
    """Capability of a decoder or prior whose law at one temperature has fewer free numbers than there are weights."""

    def free_parameters(self) -> int:
        """Return the free numbers of the law at one temperature."""
        ...


def free_parameters(part: nn.Module) -> int:
    """Return the free numbers of a part at one temperature: those it counts itself, else all of its weights.

    >>> free_parameters(nn.Linear(3, 2))
    8
    """
    if isinstance(part, CountsParameters):
        return part.free_parameters()
    return sum(weight.numel() for weight in part.parameters())
