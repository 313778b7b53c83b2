"""Stages of a discovery, each kept in its folder: models with latent variables, other models, verdict, repetitions."""

import time
import warnings
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from rich.progress import Progress
from sklearn.exceptions import ConvergenceWarning

from vae_mf.analysis.found_patterns import FoundPatterns, read_patterns
from vae_mf.arrays import Spins
from vae_mf.datamodule import DataSplit, SpinSet, spin_set
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.comparison import ModelScores, kept_scores, score_density_model
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.pairwise import PairwiseIsing
from vae_mf.discovery.model_selection import has_saturated, numbers_to_try
from vae_mf.discovery.scores import score_vae
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.training import model_of
from vae_mf.files import write_whole
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.models.vae import VAE
from vae_mf.packing import pack_spins
from vae_mf.rng import generator, integer
from vae_mf.tables import ANSWER, read_tables, write_tables
from vae_mf.training.callbacks import EpochProgress
from vae_mf.verdict.assessment import Assessment, assess
from vae_mf.verdict.decision import decide_mean_field
from vae_mf.verdict.evidence import UNCONDITIONED, Evidence, recorded
from vae_mf.verdict.report import as_json

INDEPENDENT = "independent variables"
PAIRWISE_STEP = 0.03
"""Length in nats of the steps that estimate ln Z of a pairwise model."""


@dataclass(frozen=True)
class Study:
    """Rows, settings, and the folder in which finished stages are kept.

    Args:
        rows: training, validation and test rows.
        settings: settings of every stage.
        folder: folder of this discovery alone.
        progress: bar that shows the epochs.
    """

    rows: SplitRows
    settings: DiscoverySettings
    folder: Path
    progress: Progress

    @property
    def variables(self) -> int:
        """Number of variables."""
        return self.rows.train.shape[1]

    @property
    def negligible(self) -> float:
        """Nats per row that another latent variable must gain at least."""
        return self.settings.selection.negligible * self.variables

    @cached_property
    def evidence(self) -> Evidence:
        """Rows that the models are evaluated on."""
        recording = self.rows.recording
        parts = self.rows.rows
        return recorded(recording.rows, recording.time, parts.train, parts.test, self.settings.rows.blocks)

    def model(self, latents: int, train: Spins, seed: int, name: str) -> VAE:
        """Return the model of this name, fitted to some of the training rows."""
        bar = EpochProgress(self.progress, name)
        data = DataSplit(*map(as_set, (train, self.rows.validation, self.rows.test)))
        try:
            return model_of(data, latents, self.settings, seed, self.folder / "models" / name, [bar])
        finally:
            bar.close()

    def best(self, latents: int) -> VAE:
        """Return the model of the sweep with this number of latent variables."""
        return self.model(latents, self.rows.train, self.settings.seed, f"latents-{latents}")

    def sweep(self) -> dict[int, ModelScores]:
        """Return the scores of independent variables, 0, and of every number of latents until no more is gained."""
        settings = self.settings.selection
        scores = {0: self.score_other(INDEPENDENT, Independent())}
        for latents in numbers_to_try(settings.largest_latents, self.variables):
            path = self.folder / "scores" / f"latents-{latents}.npz"
            scores[latents] = kept_scores(path, partial(self.score, latents))
            if has_saturated(scores, settings.patience, self.settings.rows.blocks, self.negligible):
                break
        return scores

    def score(self, latents: int) -> ModelScores:
        """Return the scores of the model with this number of latent variables."""
        start = time.process_time()
        vae = self.best(latents)
        seconds = time.process_time() - start
        seed = integer(self.settings.seed, "score")
        draws = self.settings.selection.draws
        held_out = (self.rows.validation, self.rows.test)
        return score_vae(f"VAE, d = {latents}", vae, *held_out, draws=draws, seed=seed, seconds=seconds)

    def others(self) -> list[ModelScores]:
        """Return the scores of models without collective variables, independent ones first."""
        settings = self.settings.density_models
        seed = self.settings.seed
        models: dict[str, DensityModel] = {INDEPENDENT: Independent()}
        for count in settings.mixtures:
            models[f"mixture of {count}"] = BernoulliMixture(
                count, n_init=2, tolerance=settings.mixture_tolerance, random_state=seed
            )
        if self.variables <= settings.pairwise_variables:
            models["pairwise Ising"] = PairwiseIsing(
                PseudoLikelihood(), settings.pairwise_chains, PAIRWISE_STEP, random_state=seed
            )
        return [self.score_other(name, model) for name, model in models.items()]

    def score_other(self, name: str, model: DensityModel) -> ModelScores:
        """Return the scores of another model, fitted to the training rows."""

        def compute() -> ModelScores:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return score_density_model(name, model, self.rows.train, self.rows.validation, self.rows.test)

        return kept_scores(self.folder / "scores" / f"{name.replace(' ', '-')}.npz", compute)

    def assessment(self, latents: int) -> Assessment:
        """Return the verdict on the model with this number of latent variables."""
        folder = self.folder / "assessment"
        settings = self.settings.assessment
        if (folder / ANSWER).exists():
            tables = read_tables(folder)
            verdict = decide_mean_field(tables["conditional_correlation"], tables["capacity"], settings.tolerance)
            return Assessment(verdict, tables)
        found = assess(self.best(latents), None, self.evidence, settings)
        tables = found.tables | {"evidence": found.verdict.evidence}
        write_tables(folder, tables)
        write_whole(folder / ANSWER, as_json(found))
        return Assessment(found.verdict, tables)

    def repetitions(self, latents: int) -> dict[str, FoundPatterns]:
        """Return the patterns of models with other seeds and of parts of the training rows."""
        seed = self.settings.seed
        train = self.rows.train
        settings = self.settings.stability
        cases = {f"seed {k + 1}": (train, integer(seed, "repetition", k)) for k in range(settings.seeds)}
        if settings.halves:
            first, second = np.array_split(train, 2)
            cases |= {"first half": (first, seed), "second half": (second, seed)}
        for k in range(settings.bootstraps):
            random = generator(seed, "bootstrap", k)
            blocks = np.array_split(train, self.settings.rows.blocks)
            drawn = [blocks[block] for block in random.integers(len(blocks), size=len(blocks))]
            cases[f"resampling {k + 1}"] = (np.concatenate(drawn), seed)
        return {
            name: read_patterns(self.model(latents, part, own, name.replace(" ", "-")), seed)
            for name, (part, own) in cases.items()
        }


def as_set(rows: Spins) -> SpinSet:
    """Return rows, which have no temperature, in the form that a training takes."""
    return spin_set(pack_spins(rows), np.zeros(len(rows)), [UNCONDITIONED], rows.shape[1])
