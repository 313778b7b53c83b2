"""A trained model to work with: NumPy arrays in and out, batched on the model's device."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import BATCH, batches, generate, joined, score
from vae_mf.arrays import Spins, States
from vae_mf.checks import require_array, require_energy_scale, require_integer, shown
from vae_mf.datasets.files import about
from vae_mf.datasets.raster_checks import active_entries
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import average

if TYPE_CHECKING:
    import pandas

UNIT_TOLERANCE = 1e-2
"""Largest deviation of a director's length from 1."""
ROUNDING = 1e-6
"""Relative distance from the temperatures of the training that still counts as one of them, as of a float32."""


@runtime_checkable
class StoredSamples(Protocol):
    """Part of a `vae_mf.store.sample_store.SampleStore` that `TrainedModel.score` reads."""

    temperatures: np.ndarray
    kind: str
    attrs: dict

    def spins(self, level: int) -> Spins:
        """Return the spins at a level, the index of a temperature."""
        ...

    def directors(self, level: int) -> np.ndarray:
        """Return the directors at a level."""
        ...


class Encoding(NamedTuple):
    """Mean and standard deviation of q(z|x,T) for every configuration."""

    mean: Float[np.ndarray, "rows latents"]
    deviation: Float[np.ndarray, "rows latents"]


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A trained VAE in NumPy terms.

    Configurations are rows of spins (rows, sites), -1 and +1 or, as in files, 0 and 1 or False and True, or of unit
    vectors (rows, sites, 3); lists, tables, tensors and recordings are taken as arrays. Their temperature lies within
    those of the training, and need not be given where that knew a single one, as that of a recording does. Anything
    else is refused, since a network answers to any number.

    Args:
        vae: the torch module itself, in evaluation mode.
        temperatures: temperatures T of the training; a single 1 for data without a temperature, none if unknown.

    >>> from vae_mf.models import GaussianPrior, LinearDecoder, LinearEncoder
    >>> _ = torch.manual_seed(0)
    >>> vae = VAE(LinearEncoder(sites=5, latents=2), LinearDecoder(sites=5, latents=2), GaussianPrior(latents=2))
    >>> model = TrainedModel(vae.eval(), temperatures=(1.0,))
    >>> model
    TrainedModel(kind='spins', sites=5, latents=2, temperatures=(1.0,))
    >>> words = [[0, 0, 1, 0, 1], [1, 1, 1, 0, 0]]
    >>> model.encode(words).mean.shape, model.log_likelihood(words).shape, model.sample(count=3).shape
    ((2, 2), (2,), (3, 5))

    Raises:
        ValueError: if the temperatures are no tuple of positive numbers.
    """

    vae: VAE
    temperatures: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.temperatures, tuple):
            raise ValueError(f"temperatures: expected a tuple of numbers, got {shown(self.temperatures)}")
        for value in self.temperatures:
            require_energy_scale("temperatures", value)

    def __repr__(self) -> str:
        """Return the size of the model and the temperatures of its training."""
        size = f"kind={self.kind!r}, sites={self.sites}, latents={self.latents}"
        return f"TrainedModel({size}, temperatures={shown(self.temperatures)})"

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
    def encode(self, configurations: Any, temperature: float | None = None) -> Encoding:
        """Return the posterior of z for every configuration, all at one temperature.

        Raises:
            ValueError: if the configurations or the temperature are not those of the model.
        """
        rows = self._require_configurations(configurations)
        parts = []
        for x, condition in batches(self.vae, rows, self._require_temperature(temperature)):
            posterior = self.vae.encode(x, condition)
            parts.append((posterior.mean, posterior.deviation))
        return Encoding(*(part.cpu().numpy() for part in joined(parts)))

    @torch.no_grad()
    def decode(self, z: Any) -> Float[np.ndarray, "rows sites *axes"]:
        """Return the mean of p(x|z): expected spins (rows, sites), or second moments of directors (..., 3, 3).

        Raises:
            ValueError: unless z has a row of finite latents for every configuration.
        """
        rows = require_array("z", z)
        if rows.shape[1:] != (self.latents,) or not rows.size or not np.isfinite(rows).all():
            expected = f"finite numbers of shape (rows, {self.latents})"
            raise ValueError(f"z: expected {expected}, got {shown(rows)} of shape {rows.shape}")
        like = next(self.vae.parameters())
        parts = torch.tensor(rows, dtype=like.dtype, device=like.device).split(BATCH)
        return torch.cat([self.vae.decoder(part).mean for part in parts]).cpu().numpy()

    def sample(self, temperature: float | None = None, count: int = 1, seed: int = 0) -> States:
        """Return ``count`` configurations drawn from the model at one temperature.

        Raises:
            ValueError: if the temperature is not one of the model, or a number is out of range.
        """
        value = self._require_temperature(temperature)
        return generate(self.vae, value, require_integer("count", count), require_integer("seed", seed, minimum=0))

    def log_likelihood(
        self, configurations: Any, temperature: float | None = None, draws: int = 64, seed: int = 0
    ) -> Float[np.ndarray, " rows"]:
        """Return the importance-weighted bound on ln p(x|T) of each configuration, in nats.

        Raises:
            ValueError: if the configurations or the temperature are not those of the model, or a number is out of
                range.
        """
        rows = self._require_configurations(configurations)
        value = self._require_temperature(temperature)
        number = require_integer("seed", seed, minimum=0)
        return score(self.vae, rows, value, require_integer("draws", draws), number).importance

    def score(
        self, samples: Any, temperature: float | None = None, draws: int = 64, seed: int = 0
    ) -> "pandas.DataFrame":
        """Return mean ELBO and log-likelihood per temperature of a store's samples, or of configurations at one.

        Errors are over the chains of a store, and over configurations as if these were independent.

        Args:
            samples: a store, such as `vae_mf.open_store` returns, or configurations.
            temperature: that of the configurations; None for a store, which has its own.
            draws: draws of z of the importance-weighted bound.
            seed: seed of all draws.

        Raises:
            ValueError: if the samples or a temperature are not those of the model, or a number is out of range.
        """
        import pandas

        require_integer("draws", draws)
        require_integer("seed", seed, minimum=0)
        rows = []
        for t, (level, states, chains) in enumerate(self._samples(samples, temperature)):
            elbo, importance = score(self.vae, states, level, draws, integer(seed, "score", t))
            likelihood = average(importance, chains)
            rows.append((level, float(elbo.mean()), likelihood.value, likelihood.error))
        return pandas.DataFrame(rows, columns=["temperature", "elbo", "log_likelihood", "log_likelihood_error"])

    def _samples(self, samples: Any, temperature: float | None) -> Iterator[tuple[float, States, int]]:
        """Yield temperature, configurations and number of independent parts, for every temperature."""
        if not isinstance(samples, StoredSamples):
            rows = self._require_configurations(samples)
            yield self._require_temperature(temperature), rows, len(rows)
            return
        if temperature is not None:
            raise ValueError(f"temperature: expected none, as the store has its own, got {shown(temperature)}")
        for level in samples.temperatures.tolist():
            self._require_temperature(level)
        for t, level in enumerate(samples.temperatures.tolist()):
            states = samples.spins(t) if samples.kind == "spins" else samples.directors(t)
            yield level, self._require_configurations(states), samples.attrs["chains"]

    def _require_configurations(self, configurations: Any) -> States:
        """Return the configurations as an array; ValueError unless they are of the model's kind and width."""
        # The order in memory is fixed, on which the last digits of a product of matrices depend.
        rows = np.require(require_array("configurations", configurations), requirements=["C", "W"])
        shape = (self.sites,) if self.kind == "spins" else (self.sites, 3)
        if rows.shape[1:] != shape or not len(rows):
            expected = f"{self.kind} of shape ({', '.join(map(str, ('rows', *shape)))})"
            advice = "; of a single row make [row]" if rows.shape == shape else ""
            raise ValueError(f"configurations: expected {expected}, got an array of shape {rows.shape}{advice}")
        if self.kind == "spins":
            return binary_rows("configurations", rows)
        deviation = np.abs(np.linalg.norm(rows, axis=-1) - 1).max()
        if not deviation <= UNIT_TOLERANCE:
            raise ValueError(
                f"configurations: expected unit vectors, got lengths that differ from 1 by up to {deviation:.3g}; "
                "divide each by its length"
            )
        return rows

    def _require_temperature(self, temperature: float | None) -> float:
        """Return the temperature, that of the training if it was a single one; ValueError if it lies outside."""
        trained = f"T = {', '.join(f'{value:g}' for value in self.temperatures) or 'unknown'}"
        if temperature is None:
            if len(self.temperatures) != 1:
                raise ValueError(f"temperature: expected one, as the model was trained at {trained}, got none")
            return self.temperatures[0]
        value = require_energy_scale("temperature", temperature)
        lowest = min(self.temperatures, default=value) * (1 - ROUNDING)
        highest = max(self.temperatures, default=value) * (1 + ROUNDING)
        if not lowest <= value <= highest:
            raise ValueError(f"temperature: expected one in the range of the training, {trained}, got {value:g}")
        return value


def binary_rows(name: str, values: Any) -> Spins:
    """Return rows of 0 and 1, of -1 and +1 or of booleans as spins.

    >>> binary_rows("rows", [[0, 1], [1, 1]])
    array([[-1,  1],
           [ 1,  1]], dtype=int8)

    Raises:
        ValueError: unless they are binary, and not ambiguous.
    """
    rows = require_array(name, values)
    with about(name):
        active = active_entries(rows.T[np.newaxis], [str(site) for site in range(rows.shape[1])])[0].T
    return np.where(active, np.int8(1), np.int8(-1))
