"""Compare density models, and models of finished runs, by the log-likelihood of held-out rows.

Every model is fitted and scored once; started again, with more models or runs, the command adds what is missing.

vae-mf compare FILE dataset.variables=40
vae-mf compare FILE split=time density_models=pairwise
vae-mf compare FILE dataset.variables=40 'runs=outputs/retina-*'
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.console import Console
from rich.table import Column, Table

from vae_mf.checks import require_integer
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import UNITS, Split, possible_splits
from vae_mf.density_models.comparison import ModelScores, compare_models, kept_scores, score_density_model
from vae_mf.discovery.scores import score_vae
from vae_mf.plotting.density_models import draw_comparison
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.folder import FIGURES, Run, find_runs
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.models import load_run
from vae_mf.tables import read_metrics, read_tables, write_tables

NAME = "comparison"
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


def split_of(run: Run, recording: Recording, splits: dict[str, Split], dataset: DictConfig) -> str:
    """Return the split that a run was trained on; ValueError unless it is one of these splits of this recording."""
    theirs = run.config.get("dataset")
    if theirs is not None:
        other = recording if theirs.read == dataset.read else instantiate(theirs.read)
        parts = instantiate(theirs.split)(other)
        for name, own in splits.items():
            if np.array_equal(other.rows, recording.rows) and all(map(np.array_equal, parts, own)):
                return name
    expected = described(dataset) | {"split": list(splits)}
    raise ValueError(f"runs: expected {expected}, got {theirs and described(theirs)} in {run.folder}")


def described(dataset: DictConfig) -> dict:
    """Return the settings of a data set and its split, for a person to read."""
    return {name: value for part in (dataset.read, dataset.split) for name, value in part.items() if name[0] != "_"}


def scorings(cfg: DictConfig, rows: list[np.ndarray], runs: list[Run]) -> dict[str, Callable[[], ModelScores]]:
    """Return the file name and the scoring of every model, independent variables first.

    Args:
        cfg: configuration of the command.
        rows: training, validation and test rows.
        runs: runs that were trained on these training rows.
    """
    independent = OmegaConf.create({"_target_": "vae_mf.density_models.Independent"})
    found = {}
    for name, node in ({"independent": independent} | dict(cfg.density_models)).items():
        key = digest(OmegaConf.to_container(node, resolve=True))
        found[f"{name}-{key}"] = partial(score_density_model, name, instantiate(node), *rows)
    suffix = digest({"draws": cfg.draws, "seed": cfg.seed})
    return found | {f"{run.folder.name}-{suffix}": partial(score_run, run, cfg, rows) for run in runs}


def chosen_splits(cfg: DictConfig, recording: Recording, say: Callable[[str], None]) -> dict[str, Split]:
    """Return the splits of the configuration by name; of several, those that the recording allows."""
    settings = cfg.dataset.split
    names = [settings.split] if isinstance(settings.split, str) else list(settings.split)
    possible = possible_splits(recording, settings.test, settings.validation)
    absent = [name for name in names if name not in possible]
    if absent and len(absent) < len(names):
        say(f"left out: {', '.join(f'split={name}, as there are too few {UNITS[name]}' for name in absent)}")
        names = [name for name in names if name in possible]
    return {name: instantiate(settings)(recording, split=name) for name in names}


def printed(split: str, table: pd.DataFrame) -> Table:
    """Return the main columns of the table of one split for a terminal."""
    lines = Table("model", *(Column(head, justify="right") for head in PRINTED.values()), title=split, box=box.SIMPLE)
    for row in table.to_dict("records"):
        lines.add_row(row["model"], *(f"{row[name]:.3f}" for name in PRINTED))
    return lines


def main(cfg: DictConfig) -> None:
    """Fit and score what is missing, and write the table of all models after each; draw it at the end."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console = Console()
    folder = Path(cfg.folder)
    recording = instantiate(cfg.dataset.read)
    splits = chosen_splits(cfg, recording, partial(console.print, soft_wrap=True))
    runs = [(split_of(run, recording, splits, cfg.dataset), run) for run in (find_runs(cfg.runs) if cfg.runs else [])]
    tables = {}
    for split, parts in splits.items():
        scores = []
        rows = [recording.rows[part] for part in parts]
        for name, compute in scorings(cfg, rows, [run for trained_on, run in runs if trained_on == split]).items():
            with console.status(f"{split}: {name}"):
                scores.append(kept_scores(folder / split / f"{name}.npz", compute))
            tables[split] = compare_models(scores, recording.time[parts.test], cfg.blocks)
            write_tables(folder, {NAME: pd.concat(tables, names=["split"]).reset_index("split")})
        console.print(printed(split, tables[split]))
    figure = draw_comparison(read_tables(folder)[NAME])
    console.print(f"figure: {save_figure(figure, folder / FIGURES, NAME)}", soft_wrap=True)
