"""A network of whole rows, and draws of its reference: what density ratios and variational bounds have in common."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import nn

from vae_mf.benchmarks.estimators.columns import numpy_components
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.reference import reference, training_rows
from vae_mf.checks import require_integer, require_positive
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average

Loss = Callable[[nn.Module, torch.Tensor], torch.Tensor]
"""Loss of a network for some rows, given by their numbers."""


class Inputs(NamedTuple):
    """Rows as tensors: columns of every variable, z, and the probability of +1 where z is given."""

    columns: Float[torch.Tensor, "rows variables components"]
    latents: Float[torch.Tensor, "rows latents"]
    probabilities: Float[torch.Tensor, "rows variables"] | None
    training: int

    @property
    def width(self) -> int:
        """Number of inputs of a network."""
        return self.columns[0].numel() + self.latents.shape[1]

    def joined(self, columns: torch.Tensor, rows: torch.Tensor) -> Float[torch.Tensor, "rows inputs"]:
        """Return the inputs of a network: columns, and the z of some rows."""
        return torch.cat([columns.flatten(1), self.latents[rows]], dim=1)

    def reference_columns(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return columns of the reference: every variable of some row by itself, or drawn from p(x_i|z)."""
        if self.probabilities is not None:
            uniform = torch.rand(self.probabilities[rows].shape, generator=generator)
            return torch.where(uniform < self.probabilities[rows], 1.0, -1.0)[..., None]
        first, stop = (0, self.training) if int(rows[0]) < self.training else (self.training, len(self.columns))
        places = torch.randint(first, stop, (len(rows), self.columns.shape[1]), generator=generator)
        return self.columns[places, torch.arange(self.columns.shape[1])]


@dataclass(frozen=True)
class Settings:
    """Settings of a fit.

    Raises:
        ValueError: if one of them is out of range.
    """

    epochs: int = 10
    batch_size: int = 256
    hidden: int = 64
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "hidden"):
            require_integer(name, getattr(self, name))
        require_positive("learning_rate", self.learning_rate)
        require_integer("seed", self.seed, minimum=0)


DEFAULT = Settings()


def inputs_of(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None
) -> Inputs:
    """Return rows as tensors.

    Raises:
        ValueError: if directors come with latent variables, or rows or z are not as they should be.
    """
    require_question(rows, given)
    if given is not None and rows.ndim == 3:
        raise ValueError("given: expected none with directors, whose law given z is not fitted, got some")
    columns = rows.astype(np.float32)[..., None] if rows.ndim == 2 else numpy_components(rows)
    latents = np.zeros((len(rows), 0), np.float32) if given is None else given.astype(np.float32)
    known = None if given is None else torch.sigmoid(torch.from_numpy(np.array(reference(rows, given).log_odds)))
    return Inputs(torch.from_numpy(columns), torch.from_numpy(latents), known, training_rows(rows))


def network(width: int, outputs: int, settings: Settings) -> nn.Module:
    """Return two hidden layers of units; the outputs are zero before the fit."""
    with torch.random.fork_rng():
        torch.manual_seed(integer(settings.seed, "weights"))
        layers = [nn.Linear(width, settings.hidden), nn.GELU(), nn.Linear(settings.hidden, settings.hidden), nn.GELU()]
        last = nn.Linear(settings.hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def fit(model: nn.Module, inputs: Inputs, loss: Loss, settings: Settings) -> None:
    """Minimise a loss over batches of the fitted rows with a learning rate that falls to zero."""
    batches = list(all_batches(inputs, settings))
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, len(batches))
    for rows in batches:
        optimiser.zero_grad()
        loss(model, rows).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval()


def all_batches(inputs: Inputs, settings: Settings) -> Iterator[torch.Tensor]:
    """Yield the numbers of the fitted rows of every batch, each epoch in another order."""
    generator = torch.Generator().manual_seed(integer(settings.seed, "batches"))
    for _ in range(settings.epochs):
        yield from torch.randperm(inputs.training, generator=generator).split(settings.batch_size)


def held_out(inputs: Inputs) -> torch.Tensor:
    """Return the numbers of the held-out rows."""
    return torch.arange(inputs.training, len(inputs.columns))


def mean_of(values: torch.Tensor) -> Average:
    """Return the mean of independent values with its error."""
    values = values.double()
    return Average(float(values.mean()), float(values.std()) / len(values) ** 0.5)
