"""Compare density models, and models of finished runs, by the log-likelihood of held-out rows.

Every model is fitted and scored once; started again, with more models or runs, the command adds what is missing.

vae-mf compare FILE dataset.variables=40
vae-mf compare FILE dataset.variables=40 'runs=outputs/retina-*'
vae-mf compare FILE split=time folds=5 'density_models=[independent,pairwise]'
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn
from rich.table import Column, Table

from vae_mf.checks import require_integer, require_positive, require_working_memory
from vae_mf.commands.limited import FEWER, Worker, bytes_of_fits
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import ALL, UNITS, Split, possible_splits
from vae_mf.density_models.comparison import (
    INDEPENDENT,
    VAE,
    ModelScores,
    averaged,
    chosen_in_folds,
    compare_models,
    compare_pairs,
    kept_scores,
    lead_sentence,
    pooled_folds,
    score_density_model,
)
from vae_mf.density_models.memory import FEWEST_BLOCKS, time_blocks
from vae_mf.density_models.sequences import run_lengths
from vae_mf.discovery.scores import score_vae
from vae_mf.files import discarded_if_refused, only_one, require_unlinked, sha256
from vae_mf.models.devices import device_of
from vae_mf.plotting.density_models import draw_comparison, draw_learning_curves
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.folder import FIGURES, Run, find_runs, place_of_results
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.models import load_run, naming
from vae_mf.runs.moved import located
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.recordings import build_recording
from vae_mf.runs.terminal import Terminal
from vae_mf.statistics.row_order import TIMES
from vae_mf.tables import METRICS, read_metrics, read_tables, write_tables
from vae_mf.training.weights import require_file

NAME, PAIRS, CURVES = "comparison", "differences", "learning_curves"
WIDTH = 110
"""Columns of a terminal, at least, so that no number is cut."""
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
    vae = load_run(run, device_of(cfg.device)).vae
    seed = integer(cfg.seed, "score")
    seconds = read_metrics(run.folder)["train_seconds"]
    return score_vae(describe_run(run), vae, *rows[1:], draws=cfg.draws, seed=seed, seconds=seconds)


class Fold(NamedTuple):
    """A split of the rows, the training rows that are kept of it, and the number of its fold."""

    split: str
    training_rows: str | int
    number: int


def fold_of(run: Run, recording: Recording, splits: dict[Fold, Split], dataset: DictConfig, *folders: Path) -> Fold:
    """Return the split that a run was trained on; ValueError unless it is one of these splits of this recording.

    Args:
        run: finished run.
        recording: data of the comparison.
        splits: splits of it.
        dataset: configuration of the data.
        folders: folders of data that are no longer where the run found them.
    """
    theirs = located(run, *folders).get("dataset")
    if theirs is not None and "split" in theirs:
        with naming(run.folder):
            other = recording if theirs.read == dataset.read else instantiate(theirs.read)
            parts = instantiate(theirs.split)(other)
        for fold, own in splits.items():
            if np.array_equal(other.rows, recording.rows) and all(map(np.array_equal, parts, own)):
                return fold
    names = list(dict.fromkeys(fold.split for fold in splits))
    own = described(dataset) | {"split": names, "folds": len(experiments(splits)[0])}
    found = described(theirs) if theirs is not None and "split" in theirs else None
    raise ValueError(f"runs: {difference(own, found)} in {run.folder}")


def difference(own: dict, theirs: dict | None) -> str:
    """Return what was expected and what came where two data sets and their splits differ.

    >>> difference({"path": "a.npy", "split": ["time"], "folds": 5}, {"path": "a.npy", "split": "time"})
    "expected {'folds': 5}, got {'folds': 1}"
    """
    if theirs is None:
        return f"expected {own}, got none"
    theirs = {"folds": 1} | theirs
    apart = [name for name in own if theirs.get(name) not in (own[name], *listed(own[name]))]
    if not apart:
        return f"expected {own}, got other rows"
    expected, got = ({name: each.get(name) for name in apart} for each in (own, theirs))
    return f"expected {expected}, got {got}"


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
    return found | {name_of_scores(run, cfg): partial(score_run, run, cfg, rows) for run in runs}


def name_of_scores(run: Run, cfg: DictConfig) -> str:
    """Return the file name of the scores of a run, which are those of its weights and no others under its name."""
    require_file("weights", run.weights)
    weights = sha256(run.weights.read_bytes())
    return f"{run.folder.name}-{digest({'draws': cfg.draws, 'seed': cfg.seed, 'weights': weights})}"


def chosen_splits(cfg: DictConfig, recording: Recording, say: Callable[[str], None]) -> dict[Fold, Split]:
    """Return the splits of the configuration by name and fold; of several, those that the recording allows."""
    settings = cfg.dataset.split
    folds = require_integer("folds", cfg.folds)
    names = listed(settings.split)
    possible = possible_splits(recording, settings.test, settings.validation, folds)
    absent = [name for name in names if name not in possible]
    if absent and len(absent) < len(names):
        say(f"left out: {', '.join(f'split={name}, as there are too few {UNITS[name]}' for name in absent)}")
        names = [name for name in names if name in possible]
    sizes = listed(cfg.training_rows)
    chosen = [Fold(name, size, number) for name in names for size in sizes for number in range(folds)]
    split = partial(instantiate(settings), recording, folds=folds)
    found = {}
    for fold in chosen:
        try:
            found[fold] = split(split=fold.split, training_rows=fold.training_rows, fold=fold.number)
        except ValueError as error:
            raise ValueError(f"{error}; this is {fold_folder(fold, folds)}") from error
    return found


def listed(choice: Any) -> list[Any]:
    """Return the entries of a list, or the only one."""
    return list(choice) if isinstance(choice, Sequence) and not isinstance(choice, str) else [choice]


def printed(title: str, table: pd.DataFrame) -> Table:
    """Return the main columns of one table for a terminal."""
    widest = int(table.model.str.len().max())
    lines = Table(
        Column("model", no_wrap=True, min_width=widest),
        *(Column(head, justify="right", min_width=7) for head in PRINTED.values()),
        title=title,
        box=box.SIMPLE,
    )
    for row in table.to_dict("records"):
        lines.add_row(row["model"], *(f"{row[name]:.3f}" for name in PRINTED))
    return lines


def main(cfg: DictConfig) -> None:
    """Fit and score what is missing, and write the tables of all models after each; draw them at the end."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console = Terminal()
    console.width = max(console.width, WIDTH)
    say = console.say
    folder = place_of_results("folder", cfg.folder)
    for name, minimum in (("seed", 0), ("draws", 1), ("blocks", 2)):
        require_integer(name, cfg[name], minimum)
    limit = None if cfg.time_limit is None else require_positive("time_limit", cfg.time_limit)
    recording = build_recording(cfg.dataset)
    require_working_memory("comparison", bytes_of_fits(recording.rows.size), FEWER, say)
    splits = chosen_splits(cfg, recording, say)
    jobs = jobs_of_folds(cfg, recording, splits, runs_of_folds(cfg, recording, splits, say))
    contents = {fold: content_of([recording.rows[part] for part in parts]) for fold, parts in splits.items()}
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    names = {fold.split for fold in splits}
    with discarded_if_refused(folder, *names), only_one(folder, say):
        require_unlinked(folder / FIGURES, *(folder / name for name in names))
        with Worker() as worker, stage_progress(console, *columns) as bar:
            update = partial(bar.update, bar.add_task("models", total=sum(map(len, jobs.values()))))
            compare(Workplace(folder, contents, worker, limit), recording, splits, jobs, cfg.blocks, update, console)
        draw(folder, console)


def compare(
    workplace: "Workplace",
    recording: Recording,
    splits: dict[Fold, Split],
    jobs: dict[Fold, dict[str, Callable[[], ModelScores]]],
    blocks: int,
    update: Callable[..., None],
    console: Terminal,
) -> None:
    """Score what is missing, write the tables of all models after each, and print those of every experiment."""
    tables: dict[str, dict[tuple[str, int], pd.DataFrame]] = {NAME: {}, PAIRS: {}}
    for folds in experiments(splits):
        key = (folds[0].split, min(len(splits[fold].train) for fold in folds))
        times = np.concatenate([recording.time[splits[fold].test] for fold in folds])
        models: list[ModelScores] = []
        for models in scored(workplace, {fold: jobs[fold] for fold in folds}, update, console.say):
            tables[NAME][key] = compare_models(models, times, blocks)
            tables[PAIRS][key] = compare_pairs(models, times, blocks)
            write_tables(workplace.folder, {name: in_one_table(each) for name, each in tables.items()})
        console.print(printed("{}, {:,} training rows".format(*key), tables[NAME][key]))
        console.say(lead_sentence(tables[NAME][key]))
        if short := short_blocks(models, times, blocks):
            console.say(short)


def draw(folder: Path, console: Terminal) -> None:
    """Draw the tables of a comparison."""
    table = read_tables(folder)[NAME]
    console.place("figure", save_figure(draw_comparison(table), folder / FIGURES, NAME))
    if table.groupby("split").training_rows.nunique().max() > 1:
        console.place("figure", save_figure(draw_learning_curves(table), folder / FIGURES, CURVES))


class Refusal(Exception):
    """Reason why a model cannot be fitted to some rows, or scored on them."""


class Workplace(NamedTuple):
    """Folder that scores are kept in, and the process that density models are fitted in."""

    folder: Path
    contents: dict[Fold, str]
    """Digest of the rows of every fold."""
    worker: Worker
    limit: float | None
    """Processor time of a model, in seconds."""

    def kept(self, fold: Fold, path: Path, scoring: Callable[[], ModelScores]) -> ModelScores:
        """Return the scores in a file, or those of a scoring, which are then kept there."""
        return kept_scores(self.folder / path, partial(self.limited, scoring), self.contents[fold])

    def limited(self, scoring: Callable[[], ModelScores]) -> ModelScores:
        """Return what a scoring does, that of a density model in a process of its own.

        Raises:
            TimeoutError: if that process has taken more processor time than it may.
            Refusal: if it fails.
        """
        try:
            if not (isinstance(scoring, partial) and scoring.func is score_density_model):
                return scoring()
            (found,) = self.worker.run(alone, scoring, seconds=self.limit)
        except (ValueError, MemoryError, RuntimeError) as error:
            raise Refusal(str(error)) from error
        return found


def scored(
    workplace: Workplace,
    jobs: dict[Fold, dict[str, Callable[[], ModelScores]]],
    update: Callable[..., None],
    say: Callable[[str], None],
) -> Iterator[list[ModelScores]]:
    """Score all models in all folds of an experiment, and yield the scores of those that all folds have after each.

    Args:
        workplace: folder that scores are kept in, and the process that makes them.
        jobs: scoring of every model, by fold and the name of its file.
        update: function of a description, or of the number of models by which a bar advances.
        say: function that a refusal is told by.
    """
    scores: dict[Fold, list[ModelScores]] = {fold: [] for fold in jobs}
    stopped: set[str] = set()
    for fold, name in in_turn(jobs):
        if name in stopped:
            update(advance=1)
            continue
        place = fold_folder(fold, len(jobs))
        model = name.rpartition("-")[0]
        update(description=f"{place}: {model}")
        try:
            scores[fold].append(workplace.kept(fold, place / f"{name}.npz", jobs[fold][name]))
        except TimeoutError as reason:
            stopped.add(name)
            say(f"left out: {model}: {reason} in {place}; time_limit allows more")
        except Refusal as refusal:
            say(f"left out: {model} in {place}: {refusal}")
        update(advance=1)
        if models := in_every_fold(scores):
            yield models


def alone(scoring: Callable[[], ModelScores]) -> list[ModelScores]:
    """Return the only scores of a scoring, for a worker."""
    return [scoring()]


def content_of(parts: list[np.ndarray]) -> str:
    """Return a digest of training, validation and test rows: in a folder of one's own there may be scores of others."""
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def jobs_of_folds(
    cfg: DictConfig, recording: Recording, splits: dict[Fold, Split], runs: dict[Fold, list[Run]]
) -> dict[Fold, dict[str, Callable[[], ModelScores]]]:
    """Return the scoring of every model, by fold and the name of its file."""
    jobs = {}
    for fold, parts in splits.items():
        lengths = run_lengths(recording.repeat[parts.train], recording.time[parts.train])
        jobs[fold] = scorings(cfg, [recording.rows[part] for part in parts], runs[fold], lengths)
    return jobs


def runs_of_folds(
    cfg: DictConfig, recording: Recording, splits: dict[Fold, Split], say: Callable[[str], None]
) -> dict[Fold, list[Run]]:
    """Return the finished runs that were trained on each of these splits."""
    runs: dict[Fold, list[Run]] = {fold: [] for fold in splits}
    path = cfg.dataset.get("path")
    folders = [Path(cfg.paths.data), *([Path(path).parent] if path else [])]
    for run in find_runs(cfg.runs, cfg.extensions) if cfg.runs else []:
        if (run.folder / METRICS).exists():
            runs[fold_of(run, recording, splits, cfg.dataset, *folders)].append(run)
        else:
            say(f"left out: run {run.folder}, which is not finished: the command that began it goes on")
    for folds in experiments(splits):
        say_absent({fold: runs[fold] for fold in folds}, say)
    return runs


def say_absent(runs: dict[Fold, list[Run]], say: Callable[[str], None]) -> None:
    """Say which models of runs are not compared as some folds have no run of theirs."""
    names = {fold: {describe_run(run) for run in each} for fold, each in runs.items()}
    for name in sorted(set().union(*names.values())):
        if absent := [fold_folder(fold, len(runs)) for fold, own in names.items() if name not in own]:
            say(f"left out: {name}: no run in {', '.join(map(str, absent))}")


def experiments(splits: Iterable[Fold]) -> list[list[Fold]]:
    """Return the folds of every split and number of training rows, which are one experiment.

    >>> experiments([Fold("time", "all", 0), Fold("time", 100, 0), Fold("time", "all", 1)])[1]
    [Fold(split='time', training_rows=100, number=0)]
    """
    found: dict[tuple[str, str | int], list[Fold]] = {}
    for fold in splits:
        found.setdefault(fold[:2], []).append(fold)
    return list(found.values())


def short_blocks(models: list[ModelScores], times: np.ndarray, blocks: int) -> str:
    """Return a sentence about blocks that are shorter than gains are correlated; empty if they are long enough.

    Args:
        models: scores of all models.
        times: time of every test row.
        blocks: number of blocks of times.
    """
    (floor,) = (score for score in models if score.family == INDEPENDENT)
    likeliest = max(models, key=lambda score: score.validation.mean())
    order = np.argsort(times, kind="stable")
    found = time_blocks((likeliest.test - floor.test)[order], times[order], max(blocks, FEWEST_BLOCKS))
    count = len(np.unique(times))
    if found.count >= min(blocks, count):
        return ""
    room = f"blocks={found.count} would be long enough" if found.count >= FEWEST_BLOCKS else "longer data have room"
    return (
        f"blocks: expected {TIMES * found.correlation_time:.3g} times in each, {TIMES:g} correlation times of the "
        f"gains, got {count / blocks:.3g}: errors may be too small; {room}"
    )


def in_turn(jobs: dict[Fold, dict[str, Callable[[], ModelScores]]]) -> Iterator[tuple[Fold, str]]:
    """Yield folds with the file names of their models, all folds of a model one after the other."""
    for name in dict.fromkeys(name for named in jobs.values() for name in named):
        yield from ((fold, name) for fold, named in jobs.items() if name in named)


def fold_folder(fold: Fold, folds: int) -> Path:
    """Return the place of the scores of a fold in the folder of the comparison.

    >>> fold_folder(Fold("time", 1000, 0), folds=5).as_posix()
    'time/1000-rows/fold-1-of-5'
    """
    size = [] if fold.training_rows == ALL else [f"{fold.training_rows}-rows"]
    return Path(fold.split, *size, *([f"fold-{fold.number + 1}-of-{folds}"] if folds > 1 else []))


def in_every_fold(scores: dict[Fold, list[ModelScores]]) -> list[ModelScores]:
    """Return the scores of the models that all folds have, and of those that validation chooses, pooled over the folds.

    Raises:
        ValueError: if a fold has two models of one name, which cannot be told apart in another.
    """
    for fold, each in scores.items():
        names = [score.model for score in each]
        if len(scores) > 1 and len(set(names)) < len(names):
            twice = max(names, key=names.count)
            raise ValueError(f"runs: expected one of each model in a fold, got several of {twice!r} in {fold}")
    if len(scores) == 1:
        return with_averages(next(iter(scores.values())))
    by_name = [{score.model: score for score in each} for each in scores.values()]
    common = [name for name in by_name[0] if all(name in each for each in by_name)]
    folds = [with_averages([each[name] for name in common]) for each in by_name]
    return [pooled_folds(models) for models in zip(*folds, strict=True)] + chosen_in_folds(folds) if common else []


def with_averages(models: list[ModelScores]) -> list[ModelScores]:
    """Return some models, the averages of VAEs that differ in their seed alone, and that of all VAEs."""
    groups: dict[str, list[ModelScores]] = {}
    for model in models:
        if model.family == VAE:
            groups.setdefault(model.model.rpartition(", seed ")[0], []).append(model)
    found = [
        averaged(group, f"{name}, average of {len(group)} runs") for name, group in groups.items() if len(group) > 1
    ]
    every = [vae for group in groups.values() for vae in group]
    return models + found + ([averaged(every, f"VAE, average of all {len(every)} runs")] if len(groups) > 1 else [])


def in_one_table(tables: dict[tuple[str, int], pd.DataFrame]) -> pd.DataFrame:
    """Return the tables of several splits and numbers of training rows in one."""
    return pd.concat(tables, names=["split", "training_rows"]).reset_index(["split", "training_rows"])
