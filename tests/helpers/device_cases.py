"""Prints what training steps, or samplers and trained models, would ask of a CUDA device, as JSON.

    python -m helpers.device_cases FOLDER steps
    python -m helpers.device_cases FOLDER evaluations
    python -m helpers.device_cases FOLDER graphs
    python -m helpers.device_cases FOLDER samplers

The folder takes the stub and the files that some experiments read.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from helpers import PROJECT_ROOT, fake_cuda

if __name__ == "__main__" and sys.argv[2] in fake_cuda.WANTED_BY:
    fake_cuda.pretend(fake_cuda.built(Path(sys.argv[1])))

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch._dynamo.testing import CompileCounter

from helpers.device_record import DEVICE, Recorder, TakenUp, install, recorded
from vae_mf.datamodule import EpochBatches, ResidentSet, director_set, spin_set
from vae_mf.packing import packed_bytes
from vae_mf.paths import configurations
from vae_mf.runs.build import build_module
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.resolvers import register
from vae_mf.training.captured_step import CapturedStep
from vae_mf.training.vae_module import VAEModule

EXPERIMENTS = sorted(
    str(path.relative_to(PROJECT_ROOT / "conf/experiment").with_suffix(""))
    for path in (PROJECT_ROOT / "conf/experiment").glob("**/*.yaml")
    if "sampling" not in path.parts
)
SMALL = "training.batch_size=64"
SPINS = [("linear", "linear"), ("mlp", "linear"), ("linear", "mlp"), ("mlp", "mlp"), ("cnn", "cnn"), ("cnn", "shared")]
DIRECTORS = [(encoder, decoder) for encoder in ("linear", "mlp", "cnn") for decoder in ("shared", "cnn")]
PRIORS = ("gaussian", "spline", "mixture", "autoregressive")


class Planted(VAEModule):
    """A training step with one of the mistakes that must be found."""

    mistake: str

    def training_step(self, batch, batch_idx):
        """Return the loss after the mistake."""
        loss = super().training_step(batch, batch_idx)
        if self.mistake == "anew":
            self._sums["train"] = self._sums["train"] + 0
            return loss
        if self.mistake == "read":
            return loss * (1.0 if loss.item() else 2.0)
        if self.mistake == "processor":
            return loss + torch.zeros(len(batch.configurations)).mean() + batch.configurations.mean() * 0
        if self.mistake == "generator":
            return loss + torch.rand(3, device=DEVICE, generator=torch.Generator()).sum()
        if self.mistake == "mask":
            return loss + batch.configurations[batch.configurations[:, 0] > 0].sum()
        return loss + batch.configurations.double().sum()


def asked_of_device(folder: Path, what: str) -> dict[str, dict]:
    """Return what this module prints; a test without a compiler is skipped.

    Args:
        folder: folder of the stub and of files.
        what: "steps", "evaluations", "graphs" or "samplers".
    """
    try:
        if what in fake_cuda.WANTED_BY:
            fake_cuda.built(folder)
    except FileNotFoundError as error:
        pytest.skip(f"the stub of CUDA is compiled: {error}")
    places = os.pathsep.join([str(PROJECT_ROOT), str(PROJECT_ROOT / "tests")])
    command = [sys.executable, "-m", "helpers.device_cases", str(folder), what]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": places}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


MISTAKES = ("read", "processor", "generator", "mask", "double", "anew")


def cases() -> Iterator[tuple[str, Callable[[Path], dict]]]:
    """Yield names of training steps and functions that record them."""
    for name in EXPERIMENTS:
        yield name, lambda folder, name=name: training_step(folder, f"experiment={name}")
    for encoder, decoder in SPINS:
        for prior in PRIORS:
            words = [f"model/encoder={encoder}", f"model/decoder={decoder}", f"model/prior={prior}"]
            words += ["training.module.draws=4"] * (prior == "autoregressive")
            for precision in ("32-true", "bf16-mixed"):
                more = ["experiment=hopfield_quick", *words, f"trainer.precision={precision}", SMALL]
                name, once = f"{encoder} {decoder} {prior} {precision}", encoder != "mlp"
                yield name, lambda folder, more=more, once=once: training_step(folder, *more, once=once)
    for encoder, decoder in DIRECTORS:
        words = [
            f"model/encoder=director_{encoder}",
            f"model/decoder=bingham_{decoder}",
            "trainer.precision=bf16-mixed",
        ]
        more = ["experiment=maier_saupe_quick", *words, SMALL]
        yield f"{encoder} bingham_{decoder}", lambda folder, more=more: training_step(folder, *more)
    symmetric = ["experiment=ising2d_quick", "training.symmetries=[spin_flip,translation]", SMALL]
    yield "symmetries", lambda folder: training_step(folder, *symmetric)
    for mistake in MISTAKES:
        yield (
            f"mistake: {mistake}",
            lambda folder, mistake=mistake: training_step(folder, "experiment=hopfield_quick", SMALL, mistake=mistake),
        )


EVALUATED = {
    "hopfield_quick": ["experiment=hopfield_quick"],
    "autoregressive": ["experiment=hopfield_quick", "model/prior=autoregressive"],
    "spline": ["experiment=curie_weiss_quick"],
    "ising2d_quick": ["experiment=ising2d_quick"],
    "cnn": ["experiment=paper/ising2d", "system.side=8"],
    "retina": ["experiment=retina"],
    "maier_saupe_quick": ["experiment=maier_saupe_quick"],
    "bingham_cnn": ["experiment=paper/maier_saupe", "system.sites=64"],
}
"""Models that are evaluated on the device."""


def evaluations(folder: Path) -> Iterator[tuple[str, dict]]:
    """Yield names of what is done with samplers and with trained models, and what it asks of the device."""
    from helpers.device_evaluations import critics, hamiltonian, readings
    from helpers.device_sampling import sweeps

    for name, sweep, read in sweeps():
        yield f"{name} sampler: sweep", asked(sweep)
        yield f"{name} sampler: read", asked(read)
    for name, words in EVALUATED.items():
        config = composed(folder, *words, "training.batch_size=64")
        system = instantiate(config.system) if config.get("system") is not None else None
        data, sites = rows_for(config, system)
        with recorded():
            there = data.to(DEVICE)
            vae = build_module(config, sites, system).vae.to(DEVICE).eval()
        works = [readings] + [hamiltonian] * (name == "hopfield_quick")
        works += [critics] * (name in ("hopfield_quick", "ising2d_quick", "maier_saupe_quick"))
        for work in chain.from_iterable(each(vae, there) for each in works):
            yield f"{name}: {work[0]}", asked(work[1])


def sampler_graphs() -> Iterator[tuple[str, bool]]:
    """Yield names of functions of the samplers, and whether torch captures each as one graph."""
    from helpers.device_sampling import compiled, one_graph

    for name, function, arguments in compiled():
        yield name, one_graph(function, arguments)


def asked(work: Callable[[], object]) -> dict:
    """Return what some work asks of the device, and what ended it."""
    with recorded() as found:
        try:
            work()
        except Exception as error:  # every case is run, and each that fails is named
            lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "/vae_mf/" in frame.filename]
            found.faults[f"{lines[-1].filename}:{lines[-1].lineno}: {type(error).__name__}: {error}"] += 1
    return described(found)


FAMILIES = {
    "mixture": ["experiment=hopfield_quick"],
    "spline": ["experiment=curie_weiss_quick"],
    "autoregressive, four draws": [
        "experiment=hopfield_quick",
        "model/prior=autoregressive",
        "training.module.draws=4",
    ],
    "warped mixture": ["experiment=hopfield_quick", "model.prior.layers=2"],
    "symmetries": ["experiment=ising2d_quick", "training.symmetries=[spin_flip,translation]"],
    "convolutions": ["experiment=paper/ising2d", "system.side=8"],
    "directors": ["experiment=maier_saupe_quick", "system.sites=64"],
    "director convolutions": ["experiment=paper/maier_saupe", "system.sites=64"],
    "eight draws": ["experiment=retina"],
}
"""Models whose bounds are compiled, one of every kind."""


def graphs(folder: Path, *overrides: str) -> list[int]:
    """Return the number of graphs of a bound after each of two epochs of training and validation.

    A break of the graph is an error.
    """
    config = composed(folder, *overrides, "training.batch_size=8")
    system = instantiate(config.system) if config.get("system") is not None else None
    data, sites = rows_for(config, system)
    module = build_module(config, sites, system)
    counter = CompileCounter()
    torch.compiler.reset()
    module._bound_at = torch.compile(module._bound_at, backend=counter, fullgraph=True, dynamic=False)
    counts = []
    for epoch in range(2):
        module._begin("train")
        module._begin("validation")
        for batch in EpochBatches(data, 8, epoch):
            module.training_step(batch, 0).backward()
        with torch.no_grad():
            for batch in EpochBatches(data, 20):
                module.validation_step(batch, 0)
        counts.append(counter.frame_count)
    return counts


def composed(folder: Path, *overrides: str) -> DictConfig:
    """Return the configuration of a run, whose files stand in a folder."""
    files = []
    if "experiment=hopfield_given" in overrides:
        np.save(folder / "patterns.npy", np.random.default_rng(0).choice([-1, 1], (3, 64)))
        files = [f"system.patterns.file={folder}/patterns.npy", "model.latents=3"]
    if "experiment=given_couplings" in overrides:
        np.save(folder / "couplings.npy", np.ones((40, 40)) - np.eye(40))
        files = [f"system.couplings.file={folder}/couplings.npy"]
    with initialize_config_dir(str(configurations()), version_base="1.3"):
        return compose("train", [*overrides, *files])


def rows_for(config: DictConfig, system) -> tuple[ResidentSet, int]:
    """Return three batches of configurations, without values worth the name, and their number of sites."""
    random = np.random.default_rng(0)
    sites, rows = system.sites if system is not None else 40, 3 * config.training.batch_size
    temperatures = list((config.get("sampling") or {}).get("temperatures") or [1.0])
    level = random.integers(0, len(temperatures), rows)
    if system is not None and system.kind == "directors":
        vectors = random.standard_normal((rows, sites, 3))
        return director_set(vectors / np.linalg.norm(vectors, axis=2, keepdims=True), level, temperatures), sites
    packed = random.integers(0, 256, (rows, packed_bytes(sites)), dtype=np.uint8)
    return spin_set(packed, level, temperatures, sites), sites


def training_step(folder: Path, *overrides: str, mistake: str | None = None, once: bool = False) -> dict:
    """Return what the second step of a training asks of the device, its kernels by phase.

    Args:
        once: True to leave out the step as it is prepared to be recorded.
    """
    config = composed(folder, *overrides)
    system = instantiate(config.system) if config.get("system") is not None else None
    data, sites = rows_for(config, system)
    with recorded():
        there = data.to(DEVICE)
        module = build_module(config, sites, system).to(DEVICE)
        if mistake is not None:
            module.__class__ = Planted
            module.mistake = mistake
        (optimiser,), (schedule,) = module.configure_optimizers()
        module.on_train_epoch_start()
        batches = iter(EpochBatches(there, config.training.batch_size, 1))
        step(module, optimiser, batches, config.trainer.precision)
    with recorded() as found:
        phases = step(module, optimiser, batches, config.trainer.precision, found)
    with recorded() as last:
        batch = next(batches)
        schedule.step()
        module._begin("validation")
        with torch.no_grad():
            module.validation_step(batch, 0)
    found_once = described(found) | {"kernels": phases, "validation": described(last)}
    if once or mistake not in (None, "anew"):
        return found_once
    return found_once | {"recorded": repeated(module, optimiser, batch, config.trainer.precision)}


class Recorded(Exception):
    """A step was recorded."""


class Listing:
    """Recorder that lists what a step asks of the device, and which tensors it takes up that it did not make."""

    def carry_out(self, work) -> None:
        work()

    def record(self, work, generators):
        assert all(generator.device == DEVICE for generator in generators)
        with recorded() as self.record, TakenUp() as first:
            work()
        with TakenUp() as second:
            work()
        # More of them in the first would be what is made once and kept, more in the second what is new in every step.
        self.strangers = len(first.found ^ second.found)
        raise Recorded


def repeated(module, optimiser, batch, precision: str) -> dict:
    """Return what a step asks of the device as it is prepared for its recording."""

    def take(batch) -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = module.training_step(batch, 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    listing = Listing()
    with recorded() as prepared:
        step = CapturedStep(take, module, optimiser, listing)
        step.left = 0
        with pytest.raises(Recorded):
            step(batch)
    return described(listing.record) | {"strangers": listing.strangers, "prepared": described(prepared)}


def step(module, optimiser, batches, precision: str, record: Recorder | None = None) -> dict[str, int]:
    """Take one step, and return the number of kernels of its phases."""
    record = record or Recorder()
    counts = [0]

    def launched() -> int:
        counts.append(sum(record.kernels.values()))
        return counts[-1] - counts[-2]

    batch = next(batches)
    phases = {"batch": launched()}
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16-mixed"):
        loss = module.training_step(batch, 0)
    phases["forward"] = launched()
    optimiser.zero_grad()
    loss.backward()
    phases["backward"] = launched()
    optimiser.step()
    phases["optimiser"] = launched()
    return phases


def described(record: Recorder) -> dict:
    """Return a record as plain data."""
    return {name: dict(getattr(record, name)) for name in ("waits", "faults", "copies", "doubles")}


PRINTED = {
    "steps": lambda folder: {name: record(folder) for name, record in cases()},
    "evaluations": lambda folder: dict(evaluations(folder)),
    "graphs": lambda folder: {name: graphs(folder, *words) for name, words in FAMILIES.items()},
    "samplers": lambda folder: dict(sampler_graphs()),
}
if __name__ == "__main__":
    if sys.argv[2] in fake_cuda.WANTED_BY:
        install()
    register()
    print(json.dumps(PRINTED[sys.argv[2]](Path(sys.argv[1]))))
