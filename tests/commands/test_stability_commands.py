"""The stages of the stability study: twelve runs that differ in nothing but what they repeat, and all of it, tiny."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from helpers import PROJECT_ROOT
from hydra.utils import get_method, instantiate
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from vae_mf.tables import read_tables, write_tables

NAME = "retina_stability"
CELLS = 6
SMALL = {
    "train": [
        f"dataset.variables={CELLS}", "model.latents=1", "training.epochs=1", "training.batch_size=64",
        "training.encoder_refit_steps=2", "training.module.draws=2", "evaluation.likelihood_draws=2",
        "evaluation.pattern_draws=4", "evaluation.word_variables=4",
    ],
    "evaluate": [
        "evaluation.components=50", "evaluation.residual_groups=4", "evaluation.critic.training_samples=200",
        "evaluation.critic.generated=60", "evaluation.critic.generated_test=20", "evaluation.critic.fit.epochs=1",
    ],
}  # fmt: skip


def recipe(runs, path):
    """The figure as the command composes it."""
    config = OmegaConf.load(PROJECT_ROOT / "conf" / "reproduce.yaml")
    config.runs, config.dataset.path = str(runs), str(path)
    return config.figures[NAME]


def jobs(stage: list[str]) -> list[list[str]]:
    """The options of every job of a sweep."""
    options = [option.partition("=") for option in stage[1:] if option != "-m"]
    return [
        [f"{key}={value}" for (key, _, _), value in zip(options, values, strict=True)]
        for values in product(*(values.split(",") for _, _, values in options))
    ]


def test_the_runs_differ_in_what_they_repeat_only(compose_config, tmp_path):
    stages = recipe(tmp_path, "recording.npy").stages
    runs = [compose_config("train", *options) for stage in stages[:-1] for options in jobs(stage)]
    cases = [(run.seed, run.dataset.repeats) for run in runs]
    chosen = ["first_half", "second_half", *(f"bootstrap_{k}" for k in range(1, 4))]
    assert cases == [(seed, "all") for seed in range(1, 6)] + [(1, repeats) for repeats in chosen]
    assert [run.run.folder for run in runs] == [
        f"{tmp_path}/stability/{name}" for name in [f"seed_{seed}" for seed in range(1, 6)] + chosen
    ]
    assert len({run.run.digest for run in runs}) == 10
    assert {run.dataset.split.split for run in runs} == {"repeat"}
    # Other seeds start elsewhere, or they would repeat little more than the order of the words.
    assert [run.training.start for run in runs] == ["components"] + 4 * ["random"] + 5 * ["components"]
    for run in runs:
        run.seed, run.dataset.repeats, run.run.folder, run.training.start = 1, "all", "", "components"
    assert len({OmegaConf.to_yaml(run, resolve=True) for run in runs}) == 1


@pytest.mark.slow
def test_the_whole_study_tiny(tmp_path):
    random = np.random.default_rng(1)
    rates = random.random((1, 1, 40)) ** 2
    np.save(tmp_path / "recording.npy", (random.random((30, CELLS + 2, 40)) < rates).astype(np.uint8))
    figure = recipe(tmp_path, tmp_path / "recording.npy")
    for stage in figure.stages:
        script, *options = (word.replace("seed=2,3,4,5", "seed=2") for word in stage)
        places = [f"paths.outputs={tmp_path}"] if script == "train" else []
        command = [PROJECT_ROOT / "scripts" / f"{script}.py", *options, *SMALL[script], *places]
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stderr
    write_tables(tmp_path, instantiate(figure.tables))
    tables = read_tables(tmp_path)
    assert len(tables["verdicts"]) == 2 + 2 + 3
    assert set(tables["stability"].repetition) == set(tables["verdicts"].repetition) - {"seed_1"}
    assert len(tables["patterns"]) == CELLS
    assert tables["pattern_summary"].recovered.tolist() in ([True], [False])
    assert isinstance(get_method(figure.draw)(tables), Figure)
