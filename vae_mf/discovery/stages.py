"""Stages of a discovery, each kept in its folder: models with latent variables, other models, verdict, repetitions."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import isqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from rich.progress import Progress
from sklearn.exceptions import ConvergenceWarning

from vae_mf.analysis.found_patterns import FoundPatterns, read_patterns
from vae_mf.analysis.free_prior import FreePrior, fit_free_prior
from vae_mf.analysis.generation import score
from vae_mf.analysis.posterior_draws import LatentVAE
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.arrays import Spins
from vae_mf.datamodule import DataSplit, unconditioned_set
from vae_mf.density_models.autoregressive import LogisticAutoregression
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.comparison import ModelScores, kept_scores, score_density_model, values_in, write_values
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.lagged_autoregression import LaggedAutoregression
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.pairwise import PairwiseIsing
from vae_mf.density_models.population_tracking import PopulationTracking
from vae_mf.density_models.sequences import SequenceModel
from vae_mf.density_models.trees import ChowLiuTree, TreeMixture
from vae_mf.discovery.copies import Copies, copies_of
from vae_mf.discovery.latent_chain import latent_chain
from vae_mf.discovery.memory import memory_table, timed_parts
from vae_mf.discovery.model_selection import (
    INDEPENDENT,
    TREE,
    Description,
    choose_number,
    has_saturated,
    numbers_to_try,
)
from vae_mf.discovery.scores import score_free_prior, score_vae
from vae_mf.discovery.settings import DiscoverySettings
from vae_mf.discovery.split import SplitRows
from vae_mf.discovery.training import model_of, refitted
from vae_mf.files import WEIGHTS, digests_in, kept, remove, write_sealed
from vae_mf.inverse_ising.boltzmann import BoltzmannLearning
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.rng import generator, integer
from vae_mf.statistics.averages import average, evenly_spaced
from vae_mf.statistics.latent_model import LatentModel
from vae_mf.statistics.row_order import TIMES
from vae_mf.tables import ANSWER, read_tables, write_tables
from vae_mf.training.callbacks import EpochProgress
from vae_mf.verdict.assessment import TAKEN_OFF, Assessment, assess, assess_latent_model, concluded, with_misfit
from vae_mf.verdict.controls import REFIT, KnownRows, controls, own_control, read_control
from vae_mf.verdict.decision import is_near
from vae_mf.verdict.evidence import Evidence, EvidenceGroup
from vae_mf.verdict.independence import Independence, independence_of
from vae_mf.verdict.report import as_json
from vae_mf.verdict.time_order import TimeOrder, time_order

ENUMERATED = 12
"""Variables up to which the likelihood of the pairwise model is summed over all states."""
STEPS = 20
"""Newton steps after which its likelihood counts as not maximised."""
PRECISION = 0.5
"""Largest error of its moments in units of their statistical errors; its likelihood is then exact to some .01 nats."""
PAIRWISE = "pairwise-Ising"
"""Name of the file of its scores."""
CONTROL_ROWS = 4000
"""Rows of the pairwise model that the verdict is controlled with."""
PER_PARAMETER = 10
"""Rows with a past for each parameter of a law in time that they determine: a transition, or a coefficient."""
FEWEST_BLOCKS = 5
"""Blocks of held-out rows, at least: fewer tell no error."""


class FittedModel(NamedTuple):
    """A fitted latent-variable model, as the readings of what it leaves take it."""

    model: LatentModel
    score: Callable[[Spins], Float[np.ndarray, " rows"]]
    """Log-likelihood of every row."""


def of_classes(mixture: BernoulliMixture) -> FittedModel:
    """Return a fitted mixture, for readings of what it leaves."""
    return FittedModel(LatentClasses(mixture), mixture.score_samples)


@dataclass(frozen=True)
class Study:
    """Rows, settings, and the folder in which finished stages are kept.

    Args:
        rows: training, validation and test rows.
        settings: settings of every stage.
        folder: folder of this discovery alone.
        device: device of all models.
        progress: bar that shows the epochs.
    """

    rows: SplitRows
    settings: DiscoverySettings
    folder: Path
    device: torch.device
    progress: Progress

    @property
    def variables(self) -> int:
        """Number of variables."""
        return self.rows.train.shape[1]

    @cached_property
    def order(self) -> TimeOrder:
        """Order of all rows in time; rows that were split at random count as independent."""
        recording = self.rows.recording
        ordered = self.rows.split != "random"
        return time_order(recording.rows, recording.time if ordered else np.zeros_like(recording.time))

    @cached_property
    def independence(self) -> Independence:
        """Test of independence of the variables."""
        seed = integer(self.settings.seed, "independence")
        return independence_of(self.rows.recording.rows, self.order, self.settings.independence, seed)

    def copies(self, likeliest: ModelScores) -> Copies:
        """Return the held-out rows that are copies of training rows, beside those that the likeliest model expects."""
        held_out = np.concatenate([self.rows.validation, self.rows.test])
        limits = self.settings.rows.copies, self.settings.rows.copies_errors
        return copies_of(self.rows.train, held_out, likeliest, *limits)

    @cached_property
    def blocks(self) -> int:
        """Number of blocks of held-out rows, each of them longer than the correlation time."""
        long_enough = int(self.order.effective * self.settings.training.test / TIMES)
        return min(self.settings.rows.blocks, max(FEWEST_BLOCKS, long_enough))

    @cached_property
    def evidence(self) -> Evidence:
        """Rows that the models are evaluated on."""
        rows = self.rows.recording.rows
        parts = self.rows.rows
        time = self.rows.recording.time[parts.test]
        return Evidence([EvidenceGroup(rows, parts.train, parts.test, self.blocks, time=time, order=self.order)])

    def model(self, latents: int, train: Spins, seed: int, name: str, *, encodes: bool = False) -> VAE:
        """Return the model of this name, fitted to some rows.

        Args:
            latents: number of latent variables.
            train: rows that it is fitted to.
            seed: seed of weights, order and noise.
            name: name of its folder.
            encodes: asks for an encoder that is close to the posterior, and not for patterns and likelihoods alone.
        """
        bar = EpochProgress(self.progress, name)
        data = self.data(train)
        folder = self.folder / "models" / name
        refits = self.settings.training.encoder_refit_steps if encodes else 0
        settings = replace(self.settings, training=replace(self.settings.training, encoder_refit_steps=refits))
        try:
            with kept(self.folder, folder / WEIGHTS):
                return model_of(data, latents, settings, seed, folder, self.device, [bar])
        finally:
            bar.close()

    def data(self, train: Spins) -> DataSplit:
        """Return rows to fit to, with those that are held out."""
        return DataSplit(*map(unconditioned_set, (train, self.rows.validation, self.rows.test)))

    def trained(self, latents: int) -> VAE:
        """Return the model of the sweep with this number of latent variables, its encoder a broad proposal."""
        return self.model(latents, self.rows.train, self.settings.seed, f"latents-{latents}")

    def best(self, latents: int) -> VAE:
        """Return the model that `trained` returns, with an encoder that is close to its posterior."""
        vae = self.trained(latents)
        recipe = self.settings.training
        if not recipe.encoder_refit_steps:
            return vae
        weights = self.folder / "models" / f"latents-{latents}-refitted" / WEIGHTS
        with kept(self.folder, weights):
            return refitted(vae, self.data(self.rows.train), recipe, self.settings.seed, weights)

    def described(self, description: Description) -> TrainedModel | LatentClasses | None:
        """Return the model of a description; None if there is none."""
        if description.classes:
            return LatentClasses(self.fitted_mixture(description.classes))
        return TrainedModel(self.best(description.latents), (UNCONDITIONED,)) if description.latents else None

    def latents(self, latents: int) -> Float[np.ndarray, "rows latents"]:
        """Return the posterior mean of z of every row, by the model with this number of latent variables."""
        return TrainedModel(self.best(latents), (UNCONDITIONED,)).encode(self.rows.recording.rows).mean

    def sweep(self) -> dict[int, ModelScores]:
        """Return the scores of independent variables, 0, and of every number of latents until no more is gained."""
        settings = self.settings.selection
        scores = {0: self.score_other(INDEPENDENT, Independent())}
        for latents in numbers_to_try(settings, self.variables):
            scores[latents] = self.scores(f"latents-{latents}", partial(self.score, latents))
            if has_saturated(scores, self.blocks, settings):
                break
        return scores

    def scores(self, name: str, compute: Callable[[], ModelScores], *beside: Path) -> ModelScores:
        """Return the scores in the file of this name, which is computed and kept if there is none.

        Args:
            name: name of the file.
            compute: function that scores.
            beside: files that it writes.
        """
        path = self.folder / "scores" / f"{name}.npz"
        with kept(self.folder, path, *beside):
            return kept_scores(path, compute)

    def score(self, latents: int) -> ModelScores:
        """Return the scores of the model with this number of latent variables."""
        start = time.process_time()
        vae = self.trained(latents)
        seconds = time.process_time() - start
        seed = integer(self.settings.seed, "score")
        draws = self.settings.selection.draws
        held_out = (self.rows.validation, self.rows.test)
        return score_vae(Description(latents, 0).model, vae, *held_out, draws=draws, seed=seed, seconds=seconds)

    def freed(self, latents: int) -> ModelScores:
        """Return the scores of the model with this number of latent variables if their law were free."""
        return self.scores(f"free-{latents}", partial(self.score_freed, latents))

    def score_freed(self, latents: int) -> ModelScores:
        """Return these scores, by a fit to training rows."""
        settings = self.settings.density_models
        held_out = (self.rows.validation, self.rows.test)
        seed = integer(self.settings.seed, "free")
        name = f"{Description(latents, 0).model}, its law of z free"
        return score_free_prior(name, self.best(latents), self.rows.train, *held_out, settings, seed)

    def classes(self, latents: ModelScores) -> dict[int, ModelScores]:
        """Return the scores of mixtures of independent variables by their number of classes, 0 for one class.

        Where the best of those that are tried first is better than latent variables, the numbers between it and the one
        before are tried next.

        Args:
            latents: scores of the best model with continuous latent variables.
        """
        settings = self.settings.density_models
        scores = {0: self.score_other(INDEPENDENT, Independent())}
        scores |= {count: self.score_mixture(count) for count in settings.mixtures}
        best = choose_number(scores, self.blocks, self.settings.selection).latents
        if scores[best].validation.mean() <= latents.validation.mean():
            return scores
        below = max((count for count in scores if count < best), default=0)
        between = range(max(below, 1) + 1, best)
        scores |= {count: self.score_mixture(count) for count in between}
        return scores

    def mixture(self, count: int) -> BernoulliMixture:
        """Return a mixture of so many classes, not fitted yet."""
        settings = self.settings.density_models
        return BernoulliMixture(
            count,
            n_init=settings.mixture_starts,
            tolerance=settings.mixture_tolerance,
            random_state=self.settings.seed,
        )

    @cached_property
    def mixtures(self) -> dict[int, BernoulliMixture]:
        """Mixtures that were fitted to the training rows, by their number of classes."""
        return {}

    def score_mixture(self, count: int) -> ModelScores:
        """Return the scores of a mixture of so many classes, which is kept: it may be the description."""
        mixture = self.mixture(count)
        scores = self.score_other(Description(0, count).model, mixture)
        # Scores from a file take no fit.
        if hasattr(mixture, "weights_"):
            self.mixtures[count] = mixture
        return scores

    def fitted_mixture(self, count: int) -> BernoulliMixture:
        """Return the mixture of so many classes, fitted to the training rows once."""
        if count not in self.mixtures:
            self.mixtures[count] = self.mixture(count).fit(self.rows.train)
        return self.mixtures[count]

    def others(self) -> list[ModelScores]:
        """Return the scores of models of direct dependence."""
        settings = self.settings.density_models
        scores = []
        if self.variables <= settings.pairwise_variables:
            if not self.pairwise_rows.exists():  # without them the verdict would have one control less
                (self.folder / "scores" / f"{PAIRWISE}.npz").unlink(missing_ok=True)
            scores.append(self.scores(PAIRWISE, self.score_pairwise, self.pairwise_rows))
        if self.variables <= settings.autoregression_variables:
            scores.append(self.score_other("logistic autoregression", LogisticAutoregression()))
        if self.variables <= settings.tree_variables:
            scores += [self.score_trees(count) for count in settings.trees]
        if self.variables <= settings.tracking_variables:
            scores.append(self.score_other("population tracking", PopulationTracking()))
        return scores

    def score_trees(self, count: int) -> ModelScores:
        """Return the scores of a tree, or of a mixture of so many trees."""
        if count == 1:
            return self.score_other(TREE, ChowLiuTree())
        settings = self.settings.density_models
        options = {"tolerance": settings.tree_tolerance, "random_state": self.settings.seed}
        return self.score_other(f"mixture of {count} trees", TreeMixture(count, n_init=settings.tree_starts, **options))

    def score_pairwise(self) -> ModelScores:
        """Return the scores of the pairwise Ising model of maximum likelihood.

        Rows of it are kept for the controls.
        """
        settings = self.settings.density_models
        # Enumeration of more states than rows of a chain costs more than it gains.
        method = "enumeration" if self.variables <= ENUMERATED else "chains"
        model = PairwiseIsing(
            BoltzmannLearning(method=method, precision=PRECISION, max_iter=STEPS, random_state=self.settings.seed),
            chains=settings.pairwise_chains,
            resolution=settings.pairwise_resolution,
            random_state=self.settings.seed,
        )
        found = self.fitted_scores("pairwise Ising (maximum likelihood)", model)
        if not model.estimator_.within_tolerance_:
            found = found._replace(model="pairwise Ising (short of maximum likelihood)")
        drawn = model.sample(CONTROL_ROWS, random_state=integer(self.settings.seed, "pairwise") % 2**32)
        own = model.score_samples(drawn)
        error = model.log_partition_error_
        write_values(self.pairwise_rows, {"rows": drawn, "log_likelihood": own, "log_partition_error": error})
        return found

    def control(self, description: Description, tolerance: float) -> pd.DataFrame:
        """Return the controls of the verdict on a description.

        Args:
            description: number of latent variables or of classes.
            tolerance: nats per row that it may leave.
        """
        settings = self.settings.assessment
        seed = integer(self.settings.seed, "controls")
        (group,) = self.evidence.groups
        fitted = self.fitted(description, seed)
        blocked = group.blocked(self.variables, held_out=False)
        known = None
        if self.pairwise_rows.exists():
            stored = values_in(self.pairwise_rows)
            rows = stored["rows"]
            divergence = average(stored["log_likelihood"] - fitted.score(rows), len(rows))
            error = float(np.hypot(divergence.error, stored["log_partition_error"]))
            known = KnownRows(rows, divergence._replace(error=error))
        readings, thresholds = settings.readings, settings.thresholds
        return controls(fitted.model, blocked, readings, thresholds, tolerance, seed, known)

    def fitted(self, description: Description, seed: int) -> FittedModel:
        """Return the model of a description, for readings of what it leaves.

        Args:
            description: number of latent variables or of classes, one of them.
            seed: seed of the posterior draws.
        """
        if description.classes:
            return of_classes(self.fitted_mixture(description.classes))
        return self.of_latents(self.best(description.latents), seed)

    def of_latents(self, vae: VAE, seed: int) -> FittedModel:
        """Return a model with continuous latent variables, for readings of what it leaves."""
        model = LatentVAE(vae, UNCONDITIONED, self.settings.assessment.proposals, seed)
        return FittedModel(model, partial(self.log_likelihood, vae))

    def refit(self, description: Description, teacher: FittedModel, seed: int) -> FittedModel:
        """Return the same description, fitted to rows of a model of it: as many as the training rows."""
        rows = teacher.model.draw_rows(len(self.rows.train), seed)
        if description.classes:
            return of_classes(self.mixture(description.classes).fit(rows))
        return self.of_latents(self.model(description.latents, rows, seed, "refit", encodes=True), seed)

    def refitted(self, description: Description, found: Assessment) -> Assessment:
        """Return a verdict that knows how much training alone leaves, from a fit to rows of the description itself.

        Args:
            description: number of latent variables or of classes, one of them.
            found: verdict without that knowledge.
        """
        settings = self.settings.assessment
        seed = integer(self.settings.seed, "refit")
        teacher = self.fitted(description, seed)
        student = self.refit(description, teacher, seed)
        count = min(len(self.rows.recording.rows), settings.readings.rows)
        fresh = teacher.model.draw_rows(count, integer(seed, "fresh"))
        pairs = read_control(student.model, fresh, settings.readings, integer(seed, "readings"))
        few = fresh[: len(self.rows.test)]
        lost = float(np.mean(teacher.score(few) - student.score(few)))
        tolerance = float(found.verdict.left.tolerance.iloc[-1])
        line = own_control(REFIT, pairs, settings.thresholds, tolerance)
        misfit = dict.fromkeys(TAKEN_OFF, pairs.value) | {"direct dependence": lost}
        lines = pd.concat([found.tables["controls"], pd.DataFrame([line])], ignore_index=True)
        readings = with_misfit(found.tables["readings"], misfit)
        return concluded(found.tables | {"readings": readings, "controls": lines}, settings)

    def trainings(self, latents: int) -> list[Float[np.ndarray, " validation_rows"]]:
        """Return the log-likelihoods of validation rows by the model and by its repetitions with other seeds."""
        count = self.settings.stability.seeds
        models = [self.trained(latents), *(self.repetition(latents, k) for k in range(count))]
        return [self.log_likelihood(vae, self.rows.validation) for vae in models]

    def repetition(self, latents: int, number: int) -> VAE:
        """Return the model that was trained with another seed of encoder, prior, order and noise."""
        seed = integer(self.settings.seed, "repetition", number)
        return self.model(latents, self.rows.train, seed, f"seed-{number + 1}")

    def log_likelihood(self, vae: VAE, rows: Spins) -> Float[np.ndarray, " rows"]:
        """Return the importance-weighted bound on the log-likelihood of rows."""
        draws = self.settings.selection.draws
        return score(vae, rows, UNCONDITIONED, draws, integer(self.settings.seed, "score")).importance

    @property
    def pairwise_rows(self) -> Path:
        """File of rows of the pairwise model, with their log-likelihoods."""
        return self.folder / "scores" / "pairwise-rows.npz"

    def score_other(self, name: str, model: DensityModel) -> ModelScores:
        """Return the scores of another model, fitted to the training rows, from its file if it has one."""
        return self.scores(name.replace(" ", "-"), partial(self.fitted_scores, name, model))

    def fitted_scores(self, name: str, model: DensityModel) -> ModelScores:
        """Return the scores of a model, which is fitted to the training rows."""
        with warnings.catch_warnings():
            # A fit that has not converged shows by its held-out likelihood.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return score_density_model(name, model, self.rows.train, self.rows.validation, self.rows.test)

    def memory(self, description: Description, static: ModelScores) -> pd.DataFrame | None:
        """Return the nats of held-out rows that the rows before them hold, by models in time; None without an order.

        Args:
            description: number of latent variables or of classes.
            static: scores of the likeliest model of single rows.
        """
        if self.rows.split == "random":
            return None
        settings = self.settings.memory
        parts = timed_parts(self.rows, settings.rows)
        known = parts.train.transitions // PER_PARAMETER
        if not known or not len(parts.later):
            return None
        options = {"tolerance": settings.tolerance, "random_state": self.settings.seed}
        states = min(settings.states, isqrt(known))
        models: dict[str, SequenceModel] = {f"hidden Markov model, {states} states": HiddenMarkov(states, **options)}
        if self.variables <= min(self.settings.density_models.autoregression_variables, known // 2):
            models["logistic autoregression in time"] = LaggedAutoregression()
        if description.latents:
            points = min(settings.points, isqrt(known))
            models["latent variables in time"] = latent_chain(self.points(description.latents, points), **options)
        with warnings.catch_warnings():
            # A fit that has not converged shows by its held-out likelihood.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return memory_table(parts, models, static, self.blocks)

    def points(self, latents: int, count: int) -> FreePrior:
        """Return the model with this number of latent variables, its prior on so many points."""
        settings = self.settings.density_models
        train = self.rows.train[evenly_spaced(len(self.rows.train), settings.free_rows)]
        seed = integer(self.settings.seed, "memory")
        return fit_free_prior(self.best(latents), train, min(count, len(train)), settings.free_steps, seed=seed)

    def assessment(self, description: Description, others: pd.DataFrame) -> Assessment:
        """Return the verdict on a description by latent variables or by classes.

        Args:
            description: number of latent variables or of classes, one of them.
            others: readings of other models that are ahead.
        """
        folder = self.folder / "assessment"
        settings = self.settings.assessment
        parts = digests_in(folder)
        if parts and all((folder / part).exists() for part in parts):
            return concluded(read_tables(folder), settings)
        remove(folder)
        with kept(self.folder, folder):
            found = self.assessed(description, others)
            write_tables(folder, found.tables)
            write_sealed(folder / ANSWER, as_json(found))
        return found

    def assessed(self, description: Description, others: pd.DataFrame) -> Assessment:
        """Return this verdict, from the model itself."""
        settings = self.settings.assessment
        if description.classes:
            mixture = self.fitted_mixture(description.classes)
            (group,) = self.evidence.groups
            own = mixture.score_samples(group.in_blocks)
            model = LatentClasses(mixture)
            found = assess_latent_model(model, mixture.n_parameters_, own, self.evidence, settings, others)
        else:
            found = assess(self.best(description.latents), None, self.evidence, settings, others)
        if is_near(found.verdict.left, settings.thresholds.near):
            found = self.refitted(description, found)
        return found

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
            blocks = np.array_split(train, self.blocks)
            drawn = [blocks[block] for block in random.integers(len(blocks), size=len(blocks))]
            cases[f"resampling {k + 1}"] = (np.concatenate(drawn), seed)
        found = {}
        for name, (part, own) in cases.items():
            vae = self.model(latents, part, own, name.replace(" ", "-"))
            found[name] = read_patterns(vae, seed)
        return found
