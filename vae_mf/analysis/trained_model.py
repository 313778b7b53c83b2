"""A trained model to work with: NumPy arrays in and out, batched on the model's device."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import BATCH, batches, generate, joined, score
from vae_mf.arrays import Spins, States
from vae_mf.checks import require_integer, require_positive
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average

if TYPE_CHECKING:
    import pandas

UNIT_TOLERANCE = 1e-2
"""Largest deviation of a director's length from 1."""


@runtime_checkable
class StoredSamples(Protocol):
    """Part of a `vae_mf.store.sample_store.SampleStore` that `TrainedModel.score` reads."""

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
    """A trained VAE in NumPy terms.

    Configurations are spins (rows, sites) of entries -1 and +1, or unit vectors (rows, sites, 3): other arrays are
    refused. A temperature outside those of the training is answered with a warning. Where the model knows a single
    temperature, as for a recording, it need not be given.

    Args:
        vae: the torch module itself, in evaluation mode.
        temperatures: temperatures T of the training; a single 1 for data without a temperature, none if unknown.

    >>> from vae_mf.models import GaussianPrior, LinearDecoder, LinearEncoder
    >>> _ = torch.manual_seed(0)
    >>> vae = VAE(LinearEncoder(sites=5, latents=2), LinearDecoder(sites=5, latents=2), GaussianPrior(latents=2))
    >>> model = TrainedModel(vae.eval(), temperatures=(1.0,))
    >>> spins = model.sample(count=3)
    >>> spins.shape, model.encode(spins).mean.shape, model.log_likelihood(spins).shape
    ((3, 5), (3, 2), (3,))
    """

    vae: VAE
    temperatures: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        """Kind of the configurations: "spins" or "directors"."""
        return self.vae.kind

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.vae.sites

    @property
    def latents(self) -> int:
        """Dimension d of z."""
        return self.vae.latents

    @torch.no_grad()
    def encode(self, configurations: np.ndarray, temperature: float | None = None) -> Encoding:
        """Return the posterior of z for every configuration, all at one temperature.

        Raises:
            ValueError: if the configurations are not those of the model, or the temperature is not positive.
        """
        rows = self._require_configurations(configurations)
        parts = []
        for x, condition in batches(self.vae, rows, self._require_temperature(temperature)):
            posterior = self.vae.encode(x, condition)
            parts.append((posterior.mean, posterior.deviation))
        return Encoding(*(part.cpu().numpy() for part in joined(parts)))

    @torch.no_grad()
    def decode(self, z: np.ndarray) -> Float[np.ndarray, "rows sites *axes"]:
        """Return the mean of p(x|z): expected spins (rows, sites), or second moments of directors (..., 3, 3).

        Raises:
            ValueError: unless z has a row of finite latents for every configuration.
        """
        if z.ndim != 2 or z.shape[1] != self.latents or not np.isfinite(z).all():
            raise ValueError(f"z: expected finite numbers of shape (rows, {self.latents}), got shape {z.shape}")
        like = next(self.vae.parameters())
        parts = torch.as_tensor(z, dtype=like.dtype, device=like.device).split(BATCH)
        return torch.cat([self.vae.decoder(part).mean for part in parts]).cpu().numpy()

    def sample(self, temperature: float | None = None, count: int = 1, seed: int = 0) -> States:
        """Return ``count`` configurations drawn from the model at one temperature."""
        return generate(self.vae, self._require_temperature(temperature), require_integer("count", count), seed)

    def log_likelihood(
        self, configurations: np.ndarray, temperature: float | None = None, draws: int = 64, seed: int = 0
    ) -> Float[np.ndarray, " rows"]:
        """Return the importance-weighted bound on ln p(x|T) of each configuration, in nats.

        Raises:
            ValueError: if the configurations are not those of the model, or the temperature is not positive.
        """
        rows = self._require_configurations(configurations)
        return score(self.vae, rows, self._require_temperature(temperature), draws, seed).importance

    def score(self, store: StoredSamples, draws: int = 64, seed: int = 0) -> "pandas.DataFrame":
        """Return mean ELBO and log-likelihood of a store's samples per temperature, with errors over its chains."""
        import pandas

        rows = []
        for t, temperature in enumerate(store.temperatures.tolist()):
            samples = self._require_configurations(store.spins(t) if store.kind == "spins" else store.directors(t))
            elbo, importance = score(self.vae, samples, temperature, draws, integer(seed, "score", t))
            likelihood = average(importance, store.attrs["chains"])
            rows.append((temperature, float(elbo.mean()), likelihood.value, likelihood.error))
        return pandas.DataFrame(rows, columns=["temperature", "elbo", "log_likelihood", "log_likelihood_error"])

    def _require_configurations(self, configurations: np.ndarray) -> States:
        """Return the configurations; ValueError unless they are of the model's kind and width."""
        shape = (self.sites,) if self.kind == "spins" else (self.sites, 3)
        if configurations.ndim == 0 or configurations.shape[1:] != shape or not len(configurations):
            expected = f"{self.kind} of shape ({', '.join(map(str, ('rows', *shape)))})"
            raise ValueError(f"configurations: expected {expected}, got an array of shape {configurations.shape}")
        if self.kind == "spins" and not (np.abs(configurations.astype(np.float32)) == 1).all():
            found = np.unique(configurations)[:5].tolist()
            advice = "; of 0 and 1 make np.where(x > 0, 1, -1)" if set(found) <= {0, 1} else ""
            raise ValueError(f"configurations: expected spins -1 and +1, got values such as {found}{advice}")
        if self.kind == "directors":
            deviation = np.abs(np.linalg.norm(configurations, axis=-1) - 1).max()
            if not deviation <= UNIT_TOLERANCE:
                raise ValueError(
                    f"configurations: expected unit vectors, got lengths that differ from 1 by up to {deviation:.3g}; "
                    "divide each by its length"
                )
        return configurations if self.kind == "directors" else configurations.astype(np.int8, copy=False)

    def _require_temperature(self, temperature: float | None) -> float:
        """Return the temperature, that of the training if it was a single one; warn if it lies outside."""
        if temperature is None:
            if len(self.temperatures) != 1:
                raise ValueError(f"temperature: expected one, as the model was trained at {self._range()}, got none")
            return self.temperatures[0]
        value = require_positive("temperature", temperature)
        if self.temperatures and not min(self.temperatures) <= value <= max(self.temperatures):
            message = f"temperature: {value:g} is outside the training of the model, which was at {self._range()}"
            warnings.warn(message, stacklevel=3)
        return value

    def _range(self) -> str:
        """Return the temperatures of the training in words."""
        if not self.temperatures:
            return "unknown temperatures"
        ends = (min(self.temperatures), max(self.temperatures))
        return f"T = {ends[0]:g}" if len(self.temperatures) == 1 else f"T from {ends[0]:g} to {ends[1]:g}"
