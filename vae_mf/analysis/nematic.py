"""The order tensor of a nematic, read off the latent of a trained model: R^2 of regressions onto each component of A.

A is the Hubbard-Stratonovich tensor of the Maier-Saupe model: given the directors its five orthonormal components are
Normal(E[A|x], 2 / (3 beta J N)), E[A|x] the mean of n n^T - I/3 over the sites. No function of the configuration says
more of A than E[A|x]: against a sampled A, R^2 stays below 1 by the share of that noise in the variance of A.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_mf.analysis.generation import BATCH
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.arrays import Directors
from vae_mf.checks import require_energy_scale, require_fraction, require_integer
from vae_mf.models.directors.symmetric_tensors import director_components
from vae_mf.rng import generator, integer
from vae_mf.systems.base import HasTensorField

COMPONENTS = 5
POOLED = "pooled"

Tensors = Float[np.ndarray, "rows 5"]
"""Orthonormal components of symmetric traceless tensors."""


@dataclass(frozen=True)
class NematicSettings:
    """Settings of the regression of the tensor on the latent.

    Args:
        seed: seed of the sampled tensors, the network's weights and the order of its batches.
        epochs: passes over the training rows at most; the training stops early when it no longer gains.
        held_out: fraction of the rows, from the end, on which R^2 is computed: whole chains if rows of one chain are
            next to each other.
    """

    seed: int
    hidden: tuple[int, ...] = field(default=(64, 64))
    epochs: int = 200
    held_out: float = 0.3

    def __post_init__(self) -> None:
        for width in self.hidden:
            require_integer("hidden", width)
        require_integer("epochs", self.epochs)
        require_fraction("held_out", self.held_out)


class Split(NamedTuple):
    """Training and held-out rows of one array."""

    train: Float[np.ndarray, "train columns"]
    test: Float[np.ndarray, "test columns"]


def expected_tensors(directors: Directors) -> Tensors:
    """Return E[A|x], the five components of the mean of n n^T - I/3 of each configuration (rows, N, 3)."""
    parts = torch.from_numpy(np.asarray(directors)).split(BATCH)
    return np.concatenate([director_components(part).double().mean(1).numpy() for part in parts])


def sampled_tensors(expected: Tensors, system: HasTensorField, temperature: float, seed: int) -> Tensors:
    """Return a draw of A for every configuration, from Normal(E[A|x], 2 / (3 beta J N)) per component."""
    noise = generator(seed, "tensors").standard_normal(expected.shape)
    return expected + np.sqrt(system.field_variance(temperature)) * noise


def nematic_table(
    model: TrainedModel, system: HasTensorField, configurations: Mapping[float, Directors], settings: NematicSettings
) -> pd.DataFrame:
    """Return R^2 on held-out rows per regressor, target, temperature and component.

    Regressors: "mlp" and "linear", of the encoder's mean and the temperature (see `features`), fitted to all
    temperatures together. Targets: "expected" for E[A|x], the one that counts, and "sampled" for A itself, whose noise
    nothing can predict. Temperatures: each, and "pooled". The column "ceiling" is the R^2 of E[A|x] itself against the
    target: 1, or less by the share of the noise.
    """
    if not configurations:
        raise ValueError("configurations: expected at least one temperature, got none")
    latents, expected, sampled = {}, {}, {}
    for t, (temperature, directors) in enumerate(configurations.items()):
        require_energy_scale("temperature", temperature)
        means = expected_tensors(directors)
        drawn = sampled_tensors(means, system, temperature, integer(settings.seed, "sampled", t))
        encoded = features(model.encode(directors, temperature).mean, temperature)
        for parts, rows in ((latents, encoded), (expected, means), (sampled, drawn)):
            parts[temperature] = split(rows, settings.held_out)
    frames = []
    for target, tensors in {"expected": expected, "sampled": sampled}.items():
        for name, regressor in fitted(latents, tensors, settings).items():
            for temperature in [POOLED, *configurations]:
                chosen = list(configurations) if temperature == POOLED else [temperature]
                inputs, truth, best = (
                    np.concatenate([parts[t].test for t in chosen]) for parts in (latents, tensors, expected)
                )
                columns = {
                    "component": np.arange(1, COMPONENTS + 1),
                    "r2": component_scores(truth, regressor.predict(inputs)),
                    "ceiling": component_scores(truth, best),
                }
                labels = {"regressor": name, "target": target, "temperature": temperature}
                frames.append(pd.DataFrame(labels | columns))
    return pd.concat(frames, ignore_index=True)


def fitted(latents: Mapping[float, Split], tensors: Mapping[float, Split], settings: NematicSettings) -> dict[str, Any]:
    """Return the regressors, fitted to the training rows of all temperatures."""
    seed = integer(settings.seed, "mlp") % 2**32
    network = MLPRegressor(
        hidden_layer_sizes=settings.hidden, early_stopping=True, max_iter=settings.epochs, random_state=seed
    )
    found = {
        # Targets of unit variance, or the weights would start far from them.
        "mlp": make_pipeline(StandardScaler(), TransformedTargetRegressor(network, transformer=StandardScaler())),
        "linear": LinearRegression(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for regressor in found.values():
            regressor.fit(*(np.concatenate([part.train for part in parts.values()]) for parts in (latents, tensors)))
    return found


def features(latents: Float[np.ndarray, "rows latents"], temperature: float) -> Float[np.ndarray, "rows features"]:
    """Return z, T z and T: the decoder holds at every temperature if z is proportional to A / T.

    >>> features(np.array([[1.0, 2.0]]), temperature=0.5)
    array([[1. , 2. , 0.5, 1. , 0.5]])
    """
    column = np.full((len(latents), 1), temperature)
    return np.concatenate((latents, temperature * latents, column), axis=1).astype(np.float64)


def split(rows: Float[np.ndarray, "rows columns"], held_out: float) -> Split:
    """Return the first rows for training and the last to be held out."""
    kept = round((1 - held_out) * len(rows))
    return Split(rows[:kept], rows[kept:])


def component_scores(truth: Tensors, found: Tensors) -> Float[np.ndarray, " 5"]:
    """Return R^2 of every component."""
    return r2_score(truth, found, multioutput="raw_values")
