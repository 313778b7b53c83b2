"""Compare density models, and models of finished runs, by the log-likelihood of held-out rows.

Every model is fitted and scored once; started again, with more models or runs, the command adds what is missing.

vae-mf compare FILE dataset.variables=40
vae-mf compare FILE dataset.variables=40 'runs=outputs/retina-*'
vae-mf compare FILE split=time folds=5 'density_models=[independent,pairwise]'
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from vae_mf.checks import require_integer
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import UNITS, Split, possible_splits
from vae_mf.density_models.comparison import (
    ModelScores,
    compare_models,
    compare_pairs,
    kept_scores,
    pooled_folds,
    score_density_model,
)
from vae_mf.density_models.sequences import run_lengths
from vae_mf.discovery.scores import score_vae
from vae_mf.plotting.density_models import draw_comparison
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.folder import FIGURES, Run, find_runs
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.models import load_run
from vae_mf.runs.progress import stage_progress
from vae_mf.tables import read_metrics, read_tables, write_tables

NAME, PAIRS = "comparison", "differences"
PRINTED = {
    "log_likelihood": "ln p",
    "gain_over_independent": "gain",
    "gain_over_independent_error": "±",
    "gain_over_best_baseline": "over best baseline",
    "gain_over_best_baseline_error": "±",
    "seconds": "s",
}
"""Columns that are printed beside the model, with short headings."""


def describe_run(run: Run) -> str:
    """Return the name of a run's model: its latents, prior, decoder and seed."""
    model = run.config.model
    parts = (model[part]._target_.rpartition(".")[2].removesuffix(part.capitalize()) for part in ("prior", "decoder"))
    return f"VAE d={model.latents} {' '.join(parts).lower()}, seed {run.config.seed}"


def score_run(run: Run, cfg: DictConfig, rows: list[np.ndarray]) -> ModelScores:
    """Score validation and test rows by the model of a run."""
    vae = load_run(run.folder).vae
    seed = integer(cfg.seed, "score")
    seconds = read_metrics(run.folder)["train_seconds"]
    return score_vae(describe_run(run), vae, *rows[1:], draws=cfg.draws, seed=seed, seconds=seconds)


class Fold(NamedTuple):
    """A split of the rows, and the number of its fold."""

    split: str
    number: int


def fold_of(run: Run, recording: Recording, splits: dict[Fold, Split], dataset: DictConfig) -> Fold:
    """Return the split that a run was trained on; ValueError unless it is one of these splits of this recording."""
    theirs = run.config.get("dataset")
    if theirs is not None:
        other = recording if theirs.read == dataset.read else instantiate(theirs.read)
        parts = instantiate(theirs.split)(other)
        for fold, own in splits.items():
            if np.array_equal(other.rows, recording.rows) and all(map(np.array_equal, parts, own)):
                return fold
    expected = described(dataset) | {"split": list(dict.fromkeys(fold.split for fold in splits))}
    raise ValueError(f"runs: expected {expected}, got {theirs and described(theirs)} in {run.folder}")


def described(dataset: DictConfig) -> dict:
    """Return the settings of a data set and its split, for a person to read."""
    return {name: value for part in (dataset.read, dataset.split) for name, value in part.items() if name[0] != "_"}


def scorings(
    cfg: DictConfig, rows: list[np.ndarray], runs: list[Run], lengths: np.ndarray | None = None
) -> dict[str, Callable[[], ModelScores]]:
    """Return the file name and the scoring of every model, independent variables first.

    Args:
        cfg: configuration of the command.
        rows: training, validation and test rows.
        runs: runs that were trained on these training rows.
        lengths: lengths of the runs of training rows that follow each other in time; None without an order.
    """
    independent = OmegaConf.create({"_target_": "vae_mf.density_models.Independent"})
    found = {}
    for name, node in ({"independent": independent} | dict(cfg.density_models)).items():
        key = digest(OmegaConf.to_container(node, resolve=True))
        found[f"{name}-{key}"] = partial(score_density_model, name, instantiate(node), *rows, lengths=lengths)
    suffix = digest({"draws": cfg.draws, "seed": cfg.seed})
    return found | {f"{run.folder.name}-{suffix}": partial(score_run, run, cfg, rows) for run in runs}


def chosen_splits(cfg: DictConfig, recording: Recording, say: Callable[[str], None]) -> dict[Fold, Split]:
    """Return the splits of the configuration by name and fold; of several, those that the recording allows."""
    settings = cfg.dataset.split
    folds = require_integer("folds", cfg.folds)
    names = [settings.split] if isinstance(settings.split, str) else list(settings.split)
    possible = possible_splits(recording, settings.test, settings.validation, folds)
    absent = [name for name in names if name not in possible]
    if absent and len(absent) < len(names):
        say(f"left out: {', '.join(f'split={name}, as there are too few {UNITS[name]}' for name in absent)}")
        names = [name for name in names if name in possible]
    chosen = [Fold(name, number) for name in names for number in range(folds)]
    split = instantiate(settings)
    return {fold: split(recording, split=fold.split, folds=folds, fold=fold.number) for fold in chosen}


def printed(split: str, table: pd.DataFrame) -> Table:
    """Return the main columns of the table of one split for a terminal."""
    widest = int(table.model.str.len().max())
    lines = Table(
        Column("model", no_wrap=True, min_width=widest),
        *(Column(head, justify="right") for head in PRINTED.values()),
        title=split,
        box=box.SIMPLE,
    )
    for row in table.to_dict("records"):
        lines.add_row(row["model"], *(f"{row[name]:.3f}" for name in PRINTED))
    return lines


def main(cfg: DictConfig) -> None:
    """Fit and score what is missing, and write the tables of all models after each; draw them at the end."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console = Console()
    folder = Path(cfg.folder)
    recording = instantiate(cfg.dataset.read)
    splits = chosen_splits(cfg, recording, partial(console.print, soft_wrap=True))
    runs: dict[Fold, list[Run]] = {fold: [] for fold in splits}
    for run in find_runs(cfg.runs) if cfg.runs else []:
        runs[fold_of(run, recording, splits, cfg.dataset)].append(run)
    jobs = {}
    for fold, parts in splits.items():
        lengths = run_lengths(recording.repeat[parts.train], recording.time[parts.train])
        jobs[fold] = scorings(cfg, [recording.rows[part] for part in parts], runs[fold], lengths)
    tables: dict[str, pd.DataFrame] = {}
    pairs: dict[str, pd.DataFrame] = {}
    with stage_progress(console, BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn()) as bar:
        task = bar.add_task("models", total=sum(map(len, jobs.values())))
        for split in dict.fromkeys(fold.split for fold in splits):
            folds = [fold for fold in splits if fold.split == split]
            times = np.concatenate([recording.time[splits[fold].test] for fold in folds])
            scores: dict[Fold, list[ModelScores]] = {fold: [] for fold in folds}
            for fold, name in in_turn({fold: jobs[fold] for fold in folds}):
                bar.update(task, description=f"{fold_folder(fold, len(folds))}: {name.rpartition('-')[0]}")
                path = folder / fold_folder(fold, len(folds)) / f"{name}.npz"
                try:
                    scores[fold].append(kept_scores(path, jobs[fold][name]))
                except ValueError as refusal:
                    where = fold_folder(fold, len(folds))
                    console.print(f"left out: {name.rpartition('-')[0]} in {where}: {refusal}", soft_wrap=True)
                bar.advance(task)
                if models := in_every_fold(scores):
                    tables[split] = compare_models(models, times, cfg.blocks)
                    pairs[split] = compare_pairs(models, times, cfg.blocks)
                    write_tables(folder, {NAME: of_all_splits(tables), PAIRS: of_all_splits(pairs)})
            console.print(printed(split, tables[split]))
    figure = draw_comparison(read_tables(folder)[NAME])
    console.print(f"figure: {save_figure(figure, folder / FIGURES, NAME)}", soft_wrap=True)


def in_turn(jobs: dict[Fold, dict[str, Callable[[], ModelScores]]]) -> Iterator[tuple[Fold, str]]:
    """Yield folds with the file names of their models, all folds of a model one after the other."""
    for name in dict.fromkeys(name for named in jobs.values() for name in named):
        yield from ((fold, name) for fold, named in jobs.items() if name in named)


def fold_folder(fold: Fold, folds: int) -> Path:
    """Return the place of the scores of a fold in the folder of the comparison."""
    return Path(fold.split, f"fold-{fold.number + 1}-of-{folds}") if folds > 1 else Path(fold.split)


def in_every_fold(scores: dict[Fold, list[ModelScores]]) -> list[ModelScores]:
    """Return the scores of the models that all folds have, pooled over the folds.

    Raises:
        ValueError: if a fold has two models of one name, which cannot be told apart in another.
    """
    by_name = [{score.model: score for score in each} for each in scores.values()]
    if len(by_name) == 1:
        return next(iter(scores.values()))
    for fold, each in scores.items():
        names = [score.model for score in each]
        if len(set(names)) < len(names):
            twice = max(names, key=names.count)
            raise ValueError(f"runs: expected one of each model in a fold, got several of {twice!r} in {fold}")
    common = [name for name in by_name[0] if all(name in each for each in by_name)]
    return [pooled_folds([each[name] for each in by_name]) for name in common]


def of_all_splits(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the tables of several splits in one."""
    return pd.concat(tables, names=["split"]).reset_index("split")
