"""Compare density models of spike words by the log-likelihood of held-out words: rivals, and VAEs from run folders.

Every model is fitted and scored once; started again, with more rivals or runs, the command adds what is missing.

python scripts/compare.py dataset.path=FILE dataset.variables=40
python scripts/compare.py dataset.path=FILE dataset.variables=40 'runs=[outputs/retina-*]' split=time
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.console import Console
from rich.table import Column, Table

from vae_mf.analysis.generation import score
from vae_mf.checks import require_integer
from vae_mf.datasets.recording import Recording
from vae_mf.datasets.splits import Split
from vae_mf.density_models.comparison import VAE, ModelScores, compare_models, kept_scores, score_density_model
from vae_mf.plotting.density_models import draw_comparison
from vae_mf.plotting.style import save_figure
from vae_mf.rng import integer
from vae_mf.runs.command import entry_point
from vae_mf.runs.folder import FIGURES, Run, find_runs
from vae_mf.runs.identity import digest
from vae_mf.runs.models import load
from vae_mf.tables import read_metrics, read_tables, write_tables

NAME = "rivals"
PRINTED = {"log_likelihood": "ln p", "gain_over_independent": "gain", "gain_over_independent_error": "±"}
PRINTED |= {"gain_over_best_baseline": "over best rival", "gain_over_best_baseline_error": "±", "seconds": "s"}
"""Columns that are printed beside the model, with short headings."""


def fit_rival(name: str, node: DictConfig, words: list[np.ndarray]) -> ModelScores:
    """Fit a rival to the training words and score the others."""
    return score_density_model(name, instantiate(node), *words)


def describe_run(run: Run) -> str:
    """Return the name of a run's model: its latents, prior, decoder and seed."""
    model = run.config.model
    parts = (model[part]._target_.rpartition(".")[2].removesuffix(part.capitalize()) for part in ("prior", "decoder"))
    return f"VAE d={model.latents} {' '.join(parts).lower()}, seed {run.config.seed}"


def score_run(run: Run, cfg: DictConfig, words: list[np.ndarray]) -> ModelScores:
    """Score the held-out words by the model of a run."""
    vae = load(run.folder).vae
    seed, seconds = integer(cfg.seed, "score"), read_metrics(run.folder)["train_seconds"]
    likelihoods = [score(vae, part, 1.0, cfg.draws, seed).importance for part in words[1:]]
    return ModelScores(describe_run(run), VAE, vae.free_parameters(), likelihoods[0], likelihoods[1], 0.0, seconds)


def split_of(run: Run, recording: Recording, splits: dict[str, Split], dataset: DictConfig) -> str:
    """Return the split that a run was trained on; ValueError unless it is one of these splits of this recording."""
    theirs = run.config.get("dataset")
    if theirs is not None:
        words = recording if theirs.read == dataset.read else instantiate(theirs.read)
        rows = instantiate(theirs.split)(words)
        for name, own in splits.items():
            if np.array_equal(words.rows, recording.rows) and all(map(np.array_equal, rows, own)):
                return name
    expected = described(dataset) | {"split": list(splits)}
    raise ValueError(f"runs: expected {expected}, got {theirs and described(theirs)} in {run.folder}")


def described(dataset: DictConfig) -> dict:
    """Return the settings of a data set and its split, for a person to read."""
    return {name: value for part in (dataset.read, dataset.split) for name, value in part.items() if name[0] != "_"}


def contestants(cfg: DictConfig, words: list[np.ndarray], runs: list[Run]) -> dict[str, Callable[[], ModelScores]]:
    """Return for every model the name of its file and what computes its scores; independent cells first."""
    independent = OmegaConf.create({"_target_": "vae_mf.density_models.Independent"})
    nodes = {"independent": independent} | dict(cfg.density_models)
    rivals = {
        f"{name}-{digest(OmegaConf.to_container(node, resolve=True))}": partial(fit_rival, name, node, words)
        for name, node in nodes.items()
    }
    suffix = digest({"draws": cfg.draws, "seed": cfg.seed})
    return rivals | {f"{run.folder.name}-{suffix}": partial(score_run, run, cfg, words) for run in runs}


def show(split: str, table: pd.DataFrame, console: Console) -> None:
    """Print the main columns of the table of one split."""
    printed = Table("model", *(Column(head, justify="right") for head in PRINTED.values()), title=split, box=box.SIMPLE)
    for row in table.to_dict("records"):
        printed.add_row(row["model"], *(f"{row[name]:.3f}" for name in PRINTED))
    console.print(printed)


@entry_point("compare")
def main(cfg: DictConfig) -> None:
    """Fit and score what is missing, and write the table of all models after each; draw it at the end."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console, folder, recording, tables = Console(), Path(cfg.folder), instantiate(cfg.dataset.read), {}
    asked = cfg.dataset.split.split
    names = [asked] if isinstance(asked, str) else asked
    splits = {name: instantiate(cfg.dataset.split)(recording, split=name) for name in names}
    found = [(split_of(run, recording, splits, cfg.dataset), run) for run in (find_runs(cfg.runs) if cfg.runs else [])]
    for split, rows in splits.items():
        scores, words = [], [recording.rows[part] for part in rows]
        for name, compute in contestants(cfg, words, [run for where, run in found if where == split]).items():
            with console.status(f"{split}: {name}"):
                scores.append(kept_scores(folder / split / f"{name}.npz", compute))
            tables[split] = compare_models(scores, recording.time[rows.test], cfg.blocks)
            write_tables(folder, {NAME: pd.concat(tables, names=["split"]).reset_index("split")})
        show(split, tables[split], console)
    figure = draw_comparison(read_tables(folder)[NAME])
    console.print(f"figure: {save_figure(figure, folder / FIGURES, NAME)}", soft_wrap=True)


if __name__ == "__main__":
    main()
