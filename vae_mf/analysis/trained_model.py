"""A trained model to work with: NumPy arrays in and out, batched on the model's device."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import BATCH, generate, score
from vae_mf.arrays import Spins, States
from vae_mf.checks import require_integer, require_positive
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average

if TYPE_CHECKING:
    import pandas


@runtime_checkable
class StoredSamples(Protocol):
    """What `TrainedModel.score` reads of a `vae_mf.store.sample_store.SampleStore`."""

    temperatures: np.ndarray
    kind: str
    attrs: dict

    def spins(self, t: int) -> Spins:
        """Return the spins at temperature index ``t``."""
        ...

    def directors(self, t: int) -> np.ndarray:
        """Return the directors at temperature index ``t``."""
        ...


class Encoding(NamedTuple):
    """Mean and standard deviation of q(z|x,T) for every configuration."""

    mean: Float[np.ndarray, "rows latents"]
    deviation: Float[np.ndarray, "rows latents"]


@dataclass(frozen=True)
class TrainedModel:
    """A trained VAE in NumPy terms; ``vae`` is the torch module itself.

    >>> model = vae_mf.runs.load("outputs/hopfield_quick-0123456789")      # doctest: +SKIP
    >>> spins = model.sample(temperature=0.8, count=1000)                  # doctest: +SKIP
    >>> model.log_likelihood(spins, temperature=0.8).mean()                # doctest: +SKIP
    """

    vae: VAE

    @torch.no_grad()
    def encode(self, configurations: States, temperature: float) -> Encoding:
        """Return the posterior of z for spins (rows, sites) or directors (rows, sites, 3) at one temperature."""
        require_positive("temperature", temperature)
        like, parts = next(self.vae.parameters()), []
        for start in range(0, len(configurations), BATCH):
            x = torch.as_tensor(configurations[start : start + BATCH], device=like.device).to(like.dtype)
            posterior = self.vae.encode(x, constant_condition(temperature, len(x), like))
            parts.append((posterior.mean, torch.exp(0.5 * posterior.log_variance)))
        mean, deviation = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        return Encoding(mean, deviation)

    @torch.no_grad()
    def decode(self, z: Float[np.ndarray, "rows latents"]) -> Float[np.ndarray, "rows sites *axes"]:
        """Return the mean of p(x|z): expected spins (rows, sites), or second moments of directors (..., 3, 3)."""
        like = next(self.vae.parameters())
        parts = torch.as_tensor(z, dtype=like.dtype, device=like.device).split(BATCH)
        return torch.cat([self.vae.decoder(part).mean for part in parts]).cpu().numpy()

    def sample(self, temperature: float, count: int, seed: int = 0) -> States:
        """Return ``count`` configurations drawn from the model at one temperature."""
        return generate(self.vae, require_positive("temperature", temperature), require_integer("count", count), seed)

    def log_likelihood(
        self, configurations: States, temperature: float, draws: int = 64, seed: int = 0
    ) -> Float[np.ndarray, " rows"]:
        """Return the importance-weighted bound on ln p(x|T) of each configuration, in nats."""
        return score(self.vae, configurations, require_positive("temperature", temperature), draws, seed).importance

    def score(self, store: StoredSamples, draws: int = 64, seed: int = 0) -> "pandas.DataFrame":
        """Return mean ELBO and log-likelihood of a store's samples per temperature, with errors over its chains."""
        import pandas

        rows = []
        for t, temperature in enumerate(store.temperatures.tolist()):
            samples = store.spins(t) if store.kind == "spins" else store.directors(t)
            elbo, importance = score(self.vae, samples, temperature, draws, integer(seed, "score", t))
            likelihood = average(importance, store.attrs["chains"])
            rows.append((temperature, float(elbo.mean()), likelihood.value, likelihood.error))
        return pandas.DataFrame(rows, columns=["temperature", "elbo", "log_likelihood", "log_likelihood_error"])
