"""The stages of a discovery, each kept in the folder: a number of latents, a rival, the verdict, a repetition."""

import json
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import Progress
from sklearn.exceptions import ConvergenceWarning

from vae_mf.analysis.found_patterns import FoundPatterns, read_patterns
from vae_mf.analysis.generation import score
from vae_mf.arrays import Spins
from vae_mf.datamodule import DataSplit, SpinSet, spin_set
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.comparison import VAE as VAE_FAMILY
from vae_mf.density_models.comparison import ModelScores, kept_scores, score_density_model
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.pairwise import PairwiseIsing
from vae_mf.discovery.model_selection import Choice, choose_latents, has_levelled, numbers_to_try
from vae_mf.discovery.settings import DiscoverySettings, assessment_settings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.training import trained
from vae_mf.files import write_whole
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.models.vae import VAE
from vae_mf.packing import pack_spins
from vae_mf.rng import generator, integer
from vae_mf.tables import ANSWER, read_tables, write_tables
from vae_mf.training.callbacks import EpochProgress
from vae_mf.verdict.assessment import Assessment, assess
from vae_mf.verdict.decision import Verdict
from vae_mf.verdict.evidence import Evidence, recorded
from vae_mf.verdict.report import as_json

PAIRWISE_STEP = 0.03
"""Length in nats of the steps that estimate ln Z of a pairwise model."""


@dataclass(frozen=True)
class Study:
    """Words, settings, and the folder in which finished stages are kept.

    Args:
        words: in three parts.
        settings: how thoroughly.
        folder: of this discovery alone.
        progress: bar that shows the epochs.
    """

    words: SplitRows
    settings: DiscoverySettings
    folder: Path
    progress: Progress

    def model(self, latents: int, words: Spins, seed: int, name: str) -> VAE:
        """Return the model called ``name``, fitted to some of the training words."""
        watch = NamedProgress(self.progress, name)
        data = DataSplit(*map(as_set, (words, self.words.validation, self.words.test)))
        try:
            return trained(data, latents, self.settings, seed, self.folder / "models" / name, [watch])
        finally:
            watch.close()

    def best(self, latents: int) -> VAE:
        """Return the model of the sweep with this number of latents."""
        return self.model(latents, self.words.train, self.settings.seed, f"latents-{latents}")

    @property
    def negligible(self) -> float:
        """Nats per row that another latent variable must gain at least."""
        return self.settings.negligible * self.words.train.shape[1]

    @property
    def evidence(self) -> Evidence:
        """Rows that the models are evaluated on."""
        recording, rows = self.words.recording, self.words.rows
        return recorded(recording.rows, recording.time, rows.train, rows.test, self.settings.blocks)

    def sweep(self) -> dict[int, ModelScores]:
        """Return the scores of independent variables, 0, and of every number of latents until no more is gained."""
        found = {0: self.rival("independent variables", Independent())}
        for latents in numbers_to_try(self.settings.largest_latents, self.words.train.shape[1]):
            path = self.folder / "scores" / f"latents-{latents}.npz"
            found[latents] = kept_scores(path, partial(self.score_model, latents))
            if has_levelled(found, self.settings.patience, self.settings.blocks, self.negligible):
                break
        return found

    def choose(self) -> Choice:
        """Return the number of latents that held-out words ask for."""
        return choose_latents(self.sweep(), self.settings.blocks, self.negligible)

    def score_model(self, latents: int) -> ModelScores:
        """Return what the model with this number of latents makes of the held-out words."""
        start = time.process_time()
        vae = self.best(latents)
        seconds = time.process_time() - start
        seed, draws = integer(self.settings.seed, "score"), self.settings.draws
        validation, test = (
            score(vae, part, 1.0, draws, seed).importance for part in (self.words.validation, self.words.test)
        )
        return ModelScores(f"VAE, d = {latents}", VAE_FAMILY, vae.free_parameters(), validation, test, 0.0, seconds)

    def rivals(self) -> list[ModelScores]:
        """Return the scores of models without collective variables, independent ones first."""
        settings, sites = self.settings, self.words.train.shape[1]
        models: dict[str, DensityModel] = {"independent variables": Independent()}
        for count in settings.mixtures:
            models[f"mixture of {count}"] = BernoulliMixture(
                count, n_init=2, tolerance=settings.mixture_tolerance, random_state=settings.seed
            )
        if sites <= settings.pairwise_variables:
            models["pairwise Ising"] = PairwiseIsing(
                PseudoLikelihood(), settings.pairwise_chains, PAIRWISE_STEP, random_state=settings.seed
            )
        return [self.rival(name, model) for name, model in models.items()]

    def rival(self, name: str, model: DensityModel) -> ModelScores:
        """Return what a rival, fitted to the training words, makes of the others."""

        def compute() -> ModelScores:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return score_density_model(name, model, self.words.train, self.words.validation, self.words.test)

        return kept_scores(self.folder / "scores" / f"{name.replace(' ', '-')}.npz", compute)

    def assessment(self, latents: int) -> Assessment:
        """Return the verdict on the model with this number of latents."""
        folder = self.folder / "assessment"
        if not (folder / ANSWER).exists():
            found = assess(self.best(latents), None, self.evidence, assessment_settings(self.settings))
            write_tables(folder, found.tables | {"evidence": found.verdict.evidence})
            write_whole(folder / ANSWER, as_json(found))
        return read_assessment(folder)

    def repetitions(self, latents: int) -> dict[str, FoundPatterns]:
        """Return the patterns of models with other seeds and of parts of the training words."""
        seed, words = self.settings.seed, self.words.train
        cases = {f"seed {k + 1}": (words, integer(seed, "repetition", k)) for k in range(self.settings.seeds)}
        if self.settings.halves:
            first, second = np.array_split(words, 2)
            cases |= {"first half": (first, seed), "second half": (second, seed)}
        for k in range(self.settings.bootstraps):
            random = generator(seed, "bootstrap", k)
            blocks = np.array_split(words, self.settings.blocks)
            drawn = [blocks[block] for block in random.integers(len(blocks), size=len(blocks))]
            cases[f"resampling {k + 1}"] = (np.concatenate(drawn), seed)
        return {
            name: read_patterns(self.model(latents, part, own, name.replace(" ", "-")), seed)
            for name, (part, own) in cases.items()
        }


class NamedProgress(EpochProgress):
    """The progress of one model by its name, taken off the screen when it is trained."""

    def __init__(self, progress: Progress, name: str):
        super().__init__(progress)
        self.name = name
        self.task = None

    def close(self) -> None:
        """Take the bar off the screen."""
        if self.task is not None:
            self.progress.remove_task(self.task)


def as_set(words: Spins) -> SpinSet:
    """Return words as a training takes them; they have no temperature, T = 1."""
    return spin_set(pack_spins(words), np.zeros(len(words)), [1.0], words.shape[1])


def read_assessment(folder: Path) -> Assessment:
    """Return the verdict and the tables that were written into a folder."""
    told, tables = json.loads((folder / ANSWER).read_text()), read_tables(folder)
    evidence = pd.DataFrame(told["evidence"])
    return Assessment(Verdict(told["mean_field_description"], evidence, told["remarks"]), tables)
