"""Every encoder, decoder and prior by name, among them parts of a third party that know nothing but the contracts."""

import torch
from torch import nn

from vae_mf.models import (
    AutoregressiveSplinePrior,
    BinghamCNNDecoder,
    CNNDecoder,
    CNNEncoder,
    Condition,
    DiagonalGaussian,
    DirectorCNNEncoder,
    DirectorLinearEncoder,
    DirectorMLPEncoder,
    GaussianPrior,
    IndependentSpins,
    LinearDecoder,
    LinearEncoder,
    MixturePrior,
    MLPDecoder,
    MLPEncoder,
    SharedBinghamDecoder,
    SharedDecoder,
    SplinePrior,
)

SITES, LATENTS, BATCH = 64, 3, 10
TEMPERATURES = (0.3, 1.0, 2.5)


class ToyEncoder(nn.Module):
    """An encoder of a third party."""

    kind = "spins"

    def __init__(self, sites: int, latents: int) -> None:
        super().__init__()
        self.sites, self.latents = sites, latents
        self.network = nn.Linear(sites + 1, 2 * latents)

    def forward(self, x: torch.Tensor, condition: Condition) -> DiagonalGaussian:
        inputs = torch.cat([x, condition.temperature[:, None]], dim=1)
        mean, log_variance = self.network(inputs).to(self.network.weight.dtype).chunk(2, dim=1)
        return DiagonalGaussian(mean, log_variance)


class ToyDecoder(nn.Module):
    """A decoder of a third party."""

    kind = "spins"

    def __init__(self, sites: int, latents: int) -> None:
        super().__init__()
        self.sites, self.latents = sites, latents
        self.weight = nn.Parameter(torch.randn(latents, sites))

    def forward(self, z: torch.Tensor) -> IndependentSpins:
        return IndependentSpins(torch.sinh(z @ self.weight))


class ToyPrior(nn.Module):
    """A prior of a third party."""

    factorised = True

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents
        self.mean = nn.Parameter(torch.zeros(latents))

    def forward(self, condition: Condition) -> DiagonalGaussian:
        mean = condition.temperature.log()[:, None] * self.mean
        return DiagonalGaussian(mean, torch.zeros_like(mean))


ENCODERS = {
    "linear": lambda sites, latents: LinearEncoder(sites, latents, hidden=8),
    "mlp": lambda sites, latents: MLPEncoder(sites, latents, hidden=16),
    "cnn": lambda sites, latents: CNNEncoder(sites, latents, channels=4),
    "cnn_periodic": lambda sites, latents: CNNEncoder(sites, latents, channels=4, periodic=True),
    "director_linear": lambda sites, latents: DirectorLinearEncoder(sites, latents, hidden=8),
    "director_mlp": lambda sites, latents: DirectorMLPEncoder(sites, latents, hidden=16),
    "director_cnn": lambda sites, latents: DirectorCNNEncoder(sites, latents, channels=4),
    "director_cnn_periodic": lambda sites, latents: DirectorCNNEncoder(sites, latents, channels=4, periodic=True),
    "toy": ToyEncoder,
}
DECODERS = {
    "linear": LinearDecoder,
    "linear_without_bias": lambda sites, latents: LinearDecoder(sites, latents, bias=False),
    "mlp": MLPDecoder,
    "cnn": lambda sites, latents: CNNDecoder(sites, latents, channels=4),
    "cnn_periodic": lambda sites, latents: CNNDecoder(sites, latents, channels=4, periodic=True),
    "shared": SharedDecoder,
    "bingham_shared": SharedBinghamDecoder,
    "bingham_shared_in_a_field": lambda sites, latents: SharedBinghamDecoder(sites, latents, bias=True),
    "bingham_cnn": lambda sites, latents: BinghamCNNDecoder(sites, latents, channels=4),
    "bingham_cnn_periodic": lambda sites, latents: BinghamCNNDecoder(sites, latents, channels=4, periodic=True),
    "toy": ToyDecoder,
}
PRIORS = {
    "gaussian": GaussianPrior,
    "spline": lambda latents: SplinePrior(latents, layers=2, bins=8, hidden=16),
    "spline_nflows": lambda latents: SplinePrior(latents, layers=2, bins=8, hidden=16, backend="nflows"),
    "autoregressive": lambda latents: AutoregressiveSplinePrior(latents, layers=2, bins=8, hidden=16),
    "mixture": lambda latents: MixturePrior(latents, components=12, hidden=16),
    "mixture_warped": lambda latents: MixturePrior(latents, components=12, hidden=16, layers=1, bins=8),
    "toy": ToyPrior,
}


def kind_of(name: str) -> str:
    """The kind of configurations of an encoder or decoder."""
    return "directors" if name.startswith(("director", "bingham")) else "spins"


def configurations(
    kind: str, dtype: torch.dtype = torch.float32, rows: int = BATCH, sites: int = SITES
) -> torch.Tensor:
    """Random spins or directors."""
    generator = torch.Generator().manual_seed(1)
    if kind == "spins":
        return torch.where(torch.rand(rows, sites, generator=generator) < 0.5, -1.0, 1.0).to(dtype)
    return nn.functional.normalize(torch.randn(rows, sites, 3, generator=generator, dtype=dtype), dim=-1)


def condition(dtype: torch.dtype = torch.float32, rows: int = BATCH) -> Condition:
    """Three temperatures in turn."""
    return Condition(torch.tensor(TEMPERATURES, dtype=dtype), torch.arange(rows) % 3)


def latents(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random latent vectors."""
    return torch.randn(BATCH, LATENTS, generator=torch.Generator().manual_seed(2), dtype=dtype)


def parameters(posterior: DiagonalGaussian) -> torch.Tensor:
    """Means and log-variances of a posterior, stacked."""
    return torch.stack([posterior.mean, posterior.log_variance])


def linear_config(latents: int) -> dict:
    """Configuration of a small model, as a run folder has it."""
    names = {"encoder": "LinearEncoder", "decoder": "LinearDecoder", "prior": "GaussianPrior"}
    return {"latents": latents, **{part: {"_target_": f"vae_mf.models.{name}"} for part, name in names.items()}}
