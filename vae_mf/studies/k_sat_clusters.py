"""Solutions of random formulas across the clustering transition: overlaps, frozen variables, and laws of them."""

import tempfile
import warnings
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int8
from sklearn.exceptions import ConvergenceWarning

from vae_mf.analysis.generation import score
from vae_mf.datamodule import DataSplit, unconditioned_set
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.trees import ChowLiuTree
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import MLPEncoder
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.k_sat import KSatMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.satisfiability.whitening import frozen_share
from vae_mf.systems.k_sat import KSat
from vae_mf.training.critic_module import quiet_lightning
from vae_mf.training.recipe import Recipe
from vae_mf.training.train import train
from vae_mf.training.vae_module import VAEModule

Chains = Sequence[Int8[np.ndarray, "_ sites"]]
"""Solutions of every ladder."""
BINS = 25
"""Bins of an overlap between -1 and 1."""
HELD_OUT = 4
"""Every so many ladders, one is held out, and one more to choose an epoch on."""


class Ladders(NamedTuple):
    """Size of the sampling of a formula."""

    temperatures: Sequence[float]
    """Ladder in violated clauses, the coldest of which gives solutions."""
    ladders: int
    sweeps: int
    """Sweeps to equilibrate, and as many to draw in."""
    draws: int
    """Configurations of every ladder."""


class Parts(NamedTuple):
    """Solutions of which no ladder is in two parts."""

    train: Int8[np.ndarray, "train_rows sites"]
    validation: Int8[np.ndarray, "validation_rows sites"]
    test: Int8[np.ndarray, "test_rows sites"]


class Fits(NamedTuple):
    """Laws that are fitted to the solutions of a formula."""

    classes: Sequence[int]
    """Numbers of components of mixtures of independent variables."""
    latents: Sequence[int]
    """Numbers of latent variables of VAEs with a linear decoder."""
    epochs: int


def cluster_tables(
    length: int,
    sites: int,
    ratios: Sequence[float],
    formulas: int,
    ladders: Ladders | dict,
    fits: Fits | dict,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return, for each ratio, overlaps and frozen variables of solutions, and gains of fitted laws on held-out ones.

    Solutions are those among configurations at the coldest temperature, which are uniform among all solutions; overlaps
    are between different ladders. Errors are over formulas; one of which no solution was found is left out.

    Args:
        length: number of literals K in a clause.
        sites: number of variables N.
        ratios: clauses per variable.
        formulas: random formulas at each ratio.
        ladders: size of the sampling.
        fits: laws that are fitted.
        seed: seed of formulas, chains and fits.
    """
    sampling = Ladders(**ladders) if isinstance(ladders, dict) else ladders
    laws = Fits(**fits) if isinstance(fits, dict) else fits
    overlaps, shares, gains = [], [], []
    for ratio in ratios:
        for number in range(formulas):
            own = integer(seed, "formula", round(1e6 * ratio), number)
            formula = KSat.random(sites, length, own, clauses_per_site=float(ratio))
            found = solutions_of(formula, sampling, own)
            place = {"ratio": ratio, "formula": number}
            solved = all(len(part) for part in found)
            shares.append(place | {"solved": solved, "frozen": mean_frozen(formula, found) if solved else np.nan})
            if solved:
                overlaps.append(overlap_table(found).assign(**place))
                gains.append(gain_table(found, laws, own).assign(**place))
    return {"overlaps": pd.concat(overlaps), "frozen": pd.DataFrame(shares), "gains": pd.concat(gains)}


def solutions_of(formula: KSat, sampling: Ladders, seed: int) -> Chains:
    """Return the solutions that each ladder draws, shape (solutions, N)."""
    schedule = Schedule(sampling.draws, sampling.sweeps, max(1, sampling.sweeps // sampling.draws))
    tempering = ParallelTempering(KSatMetropolis(formula))
    levels = np.sort(np.asarray(sampling.temperatures, float))
    coldest = sample_chains(tempering, levels, sampling.ladders, schedule, seed)[0]
    return [chain[formula.energy(chain) == 0] for chain in coldest]


def mean_frozen(formula: KSat, found: Chains) -> float:
    """Return the mean share of frozen variables of the solutions."""
    return float(frozen_share(formula, np.concatenate(found)).mean())


def overlap_table(found: Chains) -> pd.DataFrame:
    """Return the law of the overlap of solutions of different ladders."""
    edges = np.linspace(-1, 1, BINS + 1)
    counts = np.zeros(BINS)
    for first, second in pairwise(found):
        overlaps = first.astype(np.float32) @ second.T.astype(np.float32) / first.shape[1]
        counts += np.histogram(overlaps, edges)[0] / overlaps.size
    density = counts / (len(found) - 1) / (edges[1] - edges[0])
    return pd.DataFrame({"overlap": (edges[1:] + edges[:-1]) / 2, "density": density})


def gain_table(found: Chains, fits: Fits, seed: int) -> pd.DataFrame:
    """Return the mean log-likelihood of held-out solutions by every law, less that of independent variables."""
    parts = split_of(found)
    laws: dict[tuple[str, int], DensityModel] = {("independent", 1): Independent(), ("tree", 1): ChowLiuTree()}
    laws |= {("mixture", count): BernoulliMixture(count, random_state=seed % 2**31) for count in fits.classes}
    with warnings.catch_warnings():
        # A fit that has not converged shows by its held-out likelihood.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = {place: law.fit(parts.train).score_samples(parts.test).mean() for place, law in laws.items()}
    means |= {
        ("vae", latents): vae_log_likelihood(parts, latents, fits.epochs, seed).mean() for latents in fits.latents
    }
    reference = means.pop(("independent", 1))
    rows = [{"law": law, "size": size, "gain": mean - reference} for (law, size), mean in means.items()]
    return pd.DataFrame(rows)


def split_of(found: Chains) -> Parts:
    """Return solutions to fit to, to choose an epoch on and to judge on."""
    held_out = max(1, len(found) // HELD_OUT)
    cuts = (slice(None, -2 * held_out), slice(-2 * held_out, -held_out), slice(-held_out, None))
    return Parts(*(np.concatenate(found[cut]) for cut in cuts))


def vae_log_likelihood(parts: Parts, latents: int, epochs: int, seed: int) -> Float[np.ndarray, " test_rows"]:
    """Return the importance-weighted log-likelihood of the test rows by a VAE."""
    sites = parts.train.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        vae = VAE(MLPEncoder(sites, latents), LinearDecoder(sites, latents), MixturePrior(latents))
    module = partial(VAEModule, learning_rate=1e-2, weight_decay=1e-4, decay=0.05 ** (1 / epochs), draws=4)
    recipe = Recipe(epochs=epochs, batch_size=256, module=module)
    data = DataSplit(*(unconditioned_set(part) for part in parts))
    with tempfile.TemporaryDirectory() as name, quiet_lightning():
        folder = Path(name)
        trainer = {"accelerator": "cpu", "devices": 1}
        own = recipe.module(vae=vae, seed=seed)
        train(own, data, recipe, checkpoints=folder / "checkpoints", weights=folder / "weights", trainer=trainer)
    return score(vae.eval(), parts.test, UNCONDITIONED, 200, integer(seed, "score")).importance
