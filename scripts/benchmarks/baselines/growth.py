"""Stages of the work at given sizes, each measured in a process of its own, and the exponents of their growth."""

import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import torch
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from vae_mf import discover, sample
from vae_mf.inverse_ising import PseudoLikelihood
from vae_mf.models.vae import VAE
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.stages import Training, prepare
from vae_mf.runs.tasks import Data
from vae_mf.systems import Hopfield
from vae_mf.training.critic_module import quiet_lightning
from vae_mf.training.train import train
from vae_mf.verdict.assessment import assess

from .configuration import composed
from .table import conditions

SIZES = {"variables": (50, 100, 200, 400, 1000, 2000, 4000), "rows": (10_000, 30_000, 100_000, 300_000, 1_000_000)}
"""Numbers that are measured one after the other, the other one being the least of its own."""
LAST = 3
"""Sizes that an exponent is fitted to: the largest, at which fixed costs hardly count."""
DRIVEN = 3
"""Normal variables that drive the rows, and latent variables of the models."""
TRAIN = [
    "experiment=retina",
    "split=random",
    "dataset.variables=all",
    "training.epochs=1",
    "training.encoder_refit_steps=0",
]
Job = Callable[[], object]


class Stage(NamedTuple):
    """A stage of the work, and how its cost should grow."""

    prepare: Callable[[Path], Job]
    """Takes a file of rows and returns the work, of which all that it imports is there."""
    variables: float
    """Exponent of the variables that theory allows."""
    rows: float
    """Exponent of the rows."""
    reason: str
    """Operations that are counted."""


class Line(NamedTuple):
    """Cost of a stage at one size."""

    stage: str
    along: str
    rows: int
    variables: int
    seconds: float
    gigabytes: float


def driven_rows(rows: int, variables: int) -> np.ndarray:
    """Return 0 and 1, driven by few normal variables with weights of the order of one over their number's root."""
    random = np.random.default_rng(0)
    weights = 1.4 * random.choice([-1.0, 1.0], (DRIVEN, variables)) / np.sqrt(DRIVEN)
    drawn = np.empty((rows, variables), dtype=np.int8)
    for part in np.array_split(drawn, 1 + rows * variables // 10_000_000):
        fields = random.normal(size=(len(part), DRIVEN)) @ weights
        part[:] = random.random(part.shape) < 1 / (1 + np.exp(-2 * fields))
    return drawn


def sampling(path: Path) -> Job:
    """Draw configurations of a Hopfield model of few patterns at one temperature."""
    rows, variables = np.load(path, mmap_mode="r").shape
    system = Hopfield.random(variables, DRIVEN, seed=1)
    sample(Hopfield.random(16, DRIVEN, seed=1), 1.2, 100, 1, threads=1)
    return lambda: sample(system, 1.2, rows, 1, threads=1)


def training_of(path: Path) -> tuple[Training, Job]:
    """Return a model of a recording at its start, and its training of one epoch."""
    begun = prepare(composed("train", [*TRAIN, f"dataset.path={path}"]), Progress(disable=True))
    folder = path.parent / "run"
    places = {"checkpoints": folder, "weights": folder / "model.safetensors"}
    return begun, lambda: train(begun.module, begun.split, begun.recipe, trainer={"accelerator": "cpu"}, **places)


def training(path: Path) -> Job:
    """Train a linear decoder for one epoch."""
    return training_of(path)[1]


def trained(path: Path) -> tuple[VAE, Data]:
    """Return a trained model and the rows to judge it on."""
    begun, work = training_of(path)
    work()
    return begun.module.vae.eval(), begun.data


def evaluation(path: Path) -> Job:
    """Evaluate a trained model by held-out rows, likelihoods and draws."""
    vae, data = trained(path)
    return lambda: data.evaluate(vae)


def verdict(path: Path) -> Job:
    """Prepare the verdict on a trained model, without a critic."""
    vae, data = trained(path)
    settings = instantiate(composed("evaluate", ["run=none", "evaluation.critic=null"]).evaluation)
    return lambda: assess(vae, None, data.evidence, settings)


def discovery(path: Path) -> Job:
    """Discover the variables that drive the rows, a first look."""
    rows = np.load(path)
    return lambda: discover(rows, quick=True, order="independent", **{"selection.largest_latents": DRIVEN + 1})


def pseudo_likelihood(path: Path) -> Job:
    """Fit couplings of all pairs by pseudo-likelihood, without their errors."""
    spins = 2 * np.load(path) - 1
    return lambda: PseudoLikelihood(standard_errors=False).fit(spins)


STAGES = {
    "sampling": Stage(sampling, 1, 1, "a field of every pattern, and every spin"),
    "training": Stage(training, 1, 1, "products of rows with weights"),
    "evaluation": Stage(evaluation, 2, 1, "correlations of all pairs"),
    "verdict": Stage(verdict, 2, 1, "products of residuals of all pairs"),
    "discover": Stage(discovery, 2, 1, "correlations and products of all pairs"),
    "pseudo-likelihood": Stage(pseudo_likelihood, 2, 1, "fields by all others of every variable"),
}


def sizes(along: str) -> Iterator[tuple[int, int]]:
    """Yield growing rows and variables, one of them at its least."""
    least = {name: numbers[0] for name, numbers in SIZES.items()}
    for number in SIZES[along]:
        size = least | {along: number}
        yield size["rows"], size["variables"]


def measured(stage: str, along: str, rows: int, variables: int) -> Line:
    """Measure a stage in a process of its own."""
    with tempfile.TemporaryDirectory() as name, multiprocessing.get_context("spawn").Pool(1) as pool:
        path = Path(name) / "rows.npy"
        np.save(path, driven_rows(rows, variables))
        seconds, gigabytes = pool.apply(cost, (stage, path))
    return Line(stage, along, rows, variables, seconds, gigabytes)


def cost(stage: str, path: Path) -> tuple[float, float]:
    """Return seconds of processor time of a stage and the gigabytes that it adds at its peak, as Linux knows them."""
    torch.set_num_threads(1)
    with threadpool_limits(1), quiet_lightning():
        work = STAGES[stage].prepare(path)
        held = psutil.Process().memory_info().rss
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        start = time.process_time()
        work()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return time.process_time() - start, (1024 * int(peak[1]) - held) / 1e9


def exponent(lines: list[Line], along: str, cost: str) -> float:
    """Return the exponent of a cost between the largest sizes, by least squares of logarithms.

    >>> exponent([Line("training", "rows", n, 50, 1e-3 * n**2, 0.0) for n in (10, 100, 1000)], "rows", "seconds")
    2.0
    """
    last = lines[-LAST:]
    numbers, costs = ([getattr(line, name) for line in last] for name in (along, cost))
    return round(float(np.polyfit(np.log(numbers), np.log(np.maximum(costs, 1e-3)), 1)[0]), 2)


def page(lines: list[Line]) -> str:
    """Return the page of all measurements."""
    text = [
        "# How cost grows",
        "",
        f"`python scripts/benchmarks/scaling.py --write` on {conditions('numpy', 'torch')}.",
        "",
    ]
    return "\n".join([*text, *exponents(lines), "", *tables(lines), ""])


def exponents(lines: list[Line]) -> list[str]:
    """Return the lines of the table of exponents."""
    text = ["| stage | along | seconds | theory, at most | memory | counted |", "| --- | --- | --- | --- | --- | --- |"]
    for (stage, along), found in grouped(lines).items():
        theory = STAGES[stage]
        grown = (exponent(found, along, cost) for cost in ("seconds", "gigabytes"))
        seconds, memory = (f"{each:.2f}" for each in grown)
        text.append(f"| {stage} | {along} | {seconds} | {getattr(theory, along):g} | {memory} | {theory.reason} |")
    return text


def tables(lines: list[Line]) -> list[str]:
    """Return the lines of the table of costs."""
    text = ["| stage | rows x variables | seconds | GB |", "| --- | --- | --- | --- |"]
    sizes = (f"{line.rows:,} x {line.variables:,}" for line in lines)
    return text + [
        f"| {line.stage} | {size} | {line.seconds:.2f} | {line.gigabytes:.2f} |"
        for line, size in zip(lines, sizes, strict=True)
    ]


def grouped(lines: list[Line]) -> dict[tuple[str, str], list[Line]]:
    """Return the measurements of every stage along every number."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.stage, line.along), []).append(line)
    return found
