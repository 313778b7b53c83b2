"""Stages of the device check: numbers against the processor's, waits, times, whole commands.

Every stage says lines, and ends in an AssertionError where something is off. Without CUDA the same code runs on the
processor, which rehearses it.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from vae_mf.analysis.generation import generate, score
from vae_mf.analysis.joint_samples import decoded_samples
from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.datamodule import EpochBatches, ResidentSet, director_set, spin_set
from vae_mf.models.critic import DenseCritic
from vae_mf.models.devices import AUTO, device_of
from vae_mf.models.tensors import Batch, Condition
from vae_mf.packing import packed_bytes
from vae_mf.runs.build import build_module
from vae_mf.runs.instantiate import instantiate
from vae_mf.training.critic_module import fit_critic
from vae_mf.training.encoder_refit import refit_encoder
from vae_mf.training.prior_refit import refit_prior
from vae_mf.training.vae_module import VAEModule

from .configuration import composed
from .device_sampling import CASES, advancing, unlike
from .training import CUDA, clock

DEVICE = device_of(AUTO)
MODELS = {
    "hopfield_quick": ["experiment=hopfield_quick"],
    "spline": ["experiment=hopfield_quick", "model/prior=spline"],
    "autoregressive, 4 draws": ["experiment=hopfield_quick", "model/prior=autoregressive", "training.module.draws=4"],
    "ising2d_quick": ["experiment=ising2d_quick", "training.symmetries=[spin_flip,translation]"],
    "maier_saupe_quick": ["experiment=maier_saupe_quick"],
    "retina": ["experiment=retina"],
    "paper/ising2d": ["experiment=paper/ising2d", "training.batch_size=128"],
    "paper/maier_saupe": ["experiment=paper/maier_saupe", "training.batch_size=64"],
}
PREDICTED = {
    "hopfield_quick": "1.5 ms",
    "spline": "2.5 ms",
    "autoregressive, 4 draws": "3.5 ms",
    "ising2d_quick": "3 ms",
    "maier_saupe_quick": "2.2 ms",
    "retina": "1.5 ms",
    "paper/ising2d": "4 ms",
    "paper/maier_saupe": "4 ms",
}
"""Times of a step that launches alone suggest for an H100, about 5 µs for each of them."""
COMPILED = ("hopfield_quick", "paper/ising2d", "maier_saupe_quick")
SINGLE, HALF = 1e-4, 1e-2
"""Largest differences of a bound from the processor's in float32, and of bfloat16 from float32, as shares."""
Say = Callable[[str], None]


class Case(NamedTuple):
    """A model with random configurations of its kind, on the processor."""

    module: VAEModule
    data: ResidentSet
    batch_size: int
    halves: bool
    """True if the experiment trains in bfloat16."""


def random_rows(sites: int, kind: str, temperatures: list[float], rows: int) -> ResidentSet:
    """Return configurations without a law."""
    random = np.random.default_rng(0)
    level = random.integers(0, len(temperatures), rows)
    if kind == "directors":
        vectors = random.standard_normal((rows, sites, 3))
        return director_set(vectors / np.linalg.norm(vectors, axis=2, keepdims=True), level, temperatures)
    packed = random.integers(0, 256, (rows, packed_bytes(sites)), dtype=np.uint8)
    return spin_set(packed, level, temperatures, sites)


def case(name: str, batches: int = 3) -> Case:
    """Return a model of `MODELS` with so many batches."""
    config = composed("train", MODELS[name])
    system = instantiate(config.system) if config.get("system") is not None else None
    sites, kind = (40, "spins") if system is None else (system.sites, system.kind)
    temperatures = [1.0] if system is None else [float(each) for each in config.sampling.temperatures]
    size = config.training.batch_size
    data = random_rows(sites, kind, temperatures, batches * size)
    return Case(build_module(config, sites, system), data, size, config.trainer.precision == "bf16-mixed")


def moved(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device."""
    condition = Condition(*(part.to(device) for part in batch.condition))
    return Batch(batch.configurations.to(device), condition)


@contextmanager
def precision(halves: bool) -> Iterator[None]:
    """Compute in bfloat16 as a training does, or in float32 without its shortened products."""
    shortened = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = halves
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=halves):
        yield
    torch.backends.cudnn.allow_tf32 = shortened


def bound_and_gradient(
    module: VAEModule, batch: Batch, noise: torch.Tensor, halves: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bound of every row, and the gradient of its mean, on the processor."""
    module.zero_grad()
    with precision(halves):
        terms = module._bound_at(noise, *batch)
    (-terms.bound.mean()).backward()
    parts = [part.grad.flatten().double().cpu() for part in module.vae.parameters() if part.grad is not None]
    return terms.bound.detach().double().cpu(), torch.cat(parts)


def forward(say: Say) -> None:
    """Bound and gradient of every kind of model: the device against the processor, and bfloat16 against float32."""
    worst = []
    for name in MODELS:
        found = case(name)
        module = found.module
        batch = next(iter(EpochBatches(found.data, found.batch_size, 1)))
        draws = None if module.draws == 1 else module.draws
        noise = module.vae.noise(batch.condition, torch.Generator().manual_seed(1), draws)
        bound, gradient = bound_and_gradient(module, batch, noise)
        module.to(DEVICE)
        there = moved(batch, DEVICE)
        noise = noise.to(DEVICE)
        single, single_gradient = bound_and_gradient(module, there, noise)
        half, half_gradient = bound_and_gradient(module, there, noise, halves=True)
        scale = float(bound.abs().mean())
        off = float((single - bound).abs().max()) / scale, float((half.mean() - single.mean()).abs()) / scale
        turned = [
            float((one - other).norm() / other.norm())
            for one, other in ((single_gradient, gradient), (half_gradient, single_gradient))
        ]
        say(
            f"{name}: {scale:.1f} nats; float32 off the processor by {off[0]:.0e} (gradient {turned[0]:.0e}), "
            f"bfloat16 off float32 by {off[1]:.0e} (gradient {turned[1]:.0e})"
        )
        worst.append(off[0] < SINGLE and turned[0] < HALF and off[1] < HALF)
    assert all(worst), "a bound or a gradient on the device is off"


@contextmanager
def no_waiting() -> Iterator[None]:
    """Make every wait of the processor for the device an error."""
    if CUDA:
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if CUDA:
            torch.cuda.set_sync_debug_mode("default")


def milliseconds(work: Callable[[], object], repeats: int = 20) -> float:
    """Return the time of some work, after two rounds of warm-up."""
    for _ in range(2):
        work()
    start = clock()
    for _ in range(repeats):
        work()
    return 1e3 * (clock() - start) / repeats


def launched(work: Callable[[], object]) -> str:
    """Return how many kernels some work launches, and how long the device is busy with them."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        work()
        torch.cuda.synchronize()
    events = [event for event in seen.events() or [] if event.device_type.name == "CUDA"]
    busy = sum(event.device_time_total for event in events) / 1e3
    peak = torch.cuda.max_memory_allocated() / 2**20
    return f"{len(events)} kernels, busy for {busy:.2f} ms, at most {peak:.0f} MiB"


def one_step(module: VAEModule, optimiser: torch.optim.Optimizer, halves: bool, batch: Batch) -> None:
    """Take a training step."""
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=halves):
        loss = module.training_step(batch, 0)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def step(say: Say) -> None:
    """Times of a training step, in which nothing waits; kernels and memory."""
    for name in MODELS:
        found = case(name, batches=4)
        module = found.module.to(DEVICE)
        data = found.data.to(DEVICE)
        if CUDA:
            module.vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            torch.cuda.reset_peak_memory_stats()
        (optimiser,), _ = module.configure_optimizers()
        module.on_train_epoch_start()
        take = partial(one_step, module, optimiser, found.halves and CUDA)
        first = next(iter(EpochBatches(data, found.batch_size, 1)))
        take(first)
        with no_waiting():
            for batch in EpochBatches(data, found.batch_size, 2):
                take(batch)
        taken = milliseconds(partial(take, first), repeats=20 if CUDA else 3)
        kernels = launched(partial(take, first)) if CUDA else "no kernels counted"
        say(f"{name}: {taken:.2f} ms (predicted for an H100: {PREDICTED[name]}), {kernels}")


def evaluate(say: Say) -> None:
    """Generation, likelihoods, Jacobian, refits and a critic with the model on the device, against the processor."""
    for name in ("hopfield_quick", "maier_saupe_quick"):
        found = case(name, batches=4)
        vae = found.module.vae.eval()
        rows = found.data.states()[:500]
        here = score(vae, rows, 0.5, 64, 1).importance
        jacobian = logit_jacobian(vae, 0.5, 256, 1) if vae.kind == "spins" else None
        vae.to(DEVICE)
        there = score(vae, rows, 0.5, 64, 1).importance
        error = 5 * here.std() / np.sqrt(len(rows)) + 1e-3 * abs(here.mean())
        assert abs(there.mean() - here.mean()) < error, f"likelihoods of {name} differ"
        if jacobian is not None:
            np.testing.assert_allclose(logit_jacobian(vae, 0.5, 256, 1), jacobian, rtol=0.2, atol=0.2)
        start = clock()
        drawn = generate(vae, 0.5, 20_000 if CUDA else 500, 1)
        seconds = clock() - start
        assert np.isfinite(drawn).all(), f"draws of {name} are not finite"
        fitted = seconds_of_fits(vae, found.data.to(DEVICE), rows)
        fits = f"refits of prior and encoder and a critic in {fitted:.1f} s"
        say(f"{name}: {len(drawn):,} draws in {seconds:.2f} s; {fits}")


def seconds_of_fits(vae, data: ResidentSet, rows: np.ndarray) -> float:
    """Return the time in which prior and encoder are refitted and a critic is fitted, each shortly."""
    start = clock()
    batches = EpochBatches(data, 256, 1), EpochBatches(data, 1024)
    refit_prior(vae, batches[1], batches[1], steps=20, seed=1)
    refit_encoder(vae, *batches, steps=20, learning_rate=1e-3, seed=1)
    pairs = decoded_samples(vae, {0.5: rows, 0.7: rows}, 1)
    critic = DenseCritic(vae.sites, vae.kind, vae.latents, 2)
    options = {"batch_size": 256, "sites_per_step": 16, "learning_rate": 5e-3, "weight_decay": 1e-2, "seed": 1}
    fit_critic(critic, pairs, pairs, alpha=0.1, epochs=1, **options)
    assert torch.isfinite(critic.log_ratio(pairs)).all(), "a critic has no finite ratios"
    return clock() - start


def compiled(say: Say) -> None:
    """Bounds by torch.compile, in its default mode and as captured graphs: the same numbers, and their times."""
    for name in COMPILED if CUDA else COMPILED[:1]:
        found = case(name)
        module = found.module.to(DEVICE)
        batch = moved(next(iter(EpochBatches(found.data, found.batch_size, 1))), DEVICE)
        noise = module.vae.noise(batch.condition, None, None if module.draws == 1 else module.draws)
        plain = module._bound_at
        expected = float(plain(noise, *batch).bound.mean().detach())

        work = partial(forward_and_backward, module, noise, batch)
        line = f"{name}: {milliseconds(partial(work, plain)):.2f} ms as it is"
        for mode in ("default", "reduce-overhead") if CUDA else ("default",):
            start = time.perf_counter()
            fast = torch.compile(plain, mode=mode, dynamic=False, fullgraph=True)
            work(fast)
            seconds = time.perf_counter() - start
            off = abs(float(fast(noise, *batch).bound.mean().detach()) / expected - 1)
            assert off < SINGLE, f"the compiled bound of {name} is off by {off}"
            line += f", {mode} {milliseconds(partial(work, fast)):.2f} ms (compiled in {seconds:.0f} s)"
        say(line)


def forward_and_backward(module: VAEModule, noise: torch.Tensor, batch: Batch, bound: Callable) -> None:
    """Compute a bound and its gradient."""
    module.zero_grad()
    (-bound(noise, *batch).bound.mean()).backward()


def samplers(say: Say) -> None:
    """Spins and directors per ns, plain and compiled, of sweeps in which nothing waits; and their draws."""
    for name, case in CASES.items():
        different = unlike(case, DEVICE)
        run = advancing(case, DEVICE, case.chains if CUDA else 64)
        updates = run()
        if CUDA and "Maier" not in name:
            with no_waiting():
                run()
        fast = updates / milliseconds(run, repeats=5 if CUDA else 1) / 1e6
        with torch.compiler.set_stance("force_eager"):
            plain = updates / milliseconds(run, repeats=5 if CUDA else 1) / 1e6
        say(
            f"{name}: {fast:.3g} per ns, {plain:.3g} not compiled (predicted for an H100: {case.predicted}; one core, "
            f"Numba: {case.numba}); {different:.1e} of the draws are not the processor's"
        )
        assert different < 1e-3, name


def train(say: Say) -> None:
    """Whole commands: a training twice, of which the second is skipped, directors, convolutions and a discovery."""
    with tempfile.TemporaryDirectory() as folder:
        places = [f"paths.data={folder}/data", f"paths.outputs={folder}/outputs"]
        trainer = ["trainer=gpu"] if CUDA else []
        short = f"training.epochs={40 if CUDA else 1}"
        first = seconds_of(["train", *trainer, *places, short])
        again = seconds_of(["train", *trainer, *places, short])
        (run,) = Path(folder, "outputs").glob("hopfield_quick-*")
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        say(f"hopfield_quick in {first:.0f} s, again in {again:.0f} s; {brief(metrics)}")
        few = ["experiment=maier_saupe_quick", "sampling.samples=400", "training.epochs=2"]
        say(f"maier_saupe_quick, short, in {seconds_of(['train', *trainer, *places, *few]):.0f} s")
        np.save(f"{folder}/rows.npy", random_rows(20, "spins", [1.0], 6000).states())
        small = ["quick=true", "discovery.selection.largest_latents=1", "discovery.schedule.steps=100"]
        seconds = seconds_of(["discover", f"{folder}/rows.npy", *small, places[1]])
        say(f"a short discovery in {seconds:.0f} s")


def brief(metrics: dict) -> str:
    """Return the numbers of a run that say most."""
    wanted = ("train_seconds", "val_bound", "pattern_overlap_min")
    return ", ".join(f"{name} {metrics[name]:.4g}" for name in wanted if name in metrics)


def paper(say: Say) -> None:
    """The experiments of the paper at full scale, trained and judged; on a processor they would take days."""
    if not CUDA:
        say("on a GPU alone")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("curie_weiss", "hopfield", "ising2d", "maier_saupe"):
            places = [f"paths.data={folder}/data", f"paths.outputs={folder}/outputs"]
            seconds = seconds_of(["train", f"experiment=paper/{name}", *places], limit=400)
            (run,) = Path(folder, "outputs").glob(f"*{name}-*")
            metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
            say(f"paper/{name} in {seconds:.0f} s; {brief(metrics)}")


def seconds_of(words: list[str], limit: float = 300) -> float:
    """Return the time of a command, which must end well."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "vae_mf", *words], capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, f"{' '.join(words)}: {(done.stdout + done.stderr)[-800:]}"
    return time.perf_counter() - start


FIRST: dict[str, Callable[[Say], None]] = {"forward": forward, "step": step, "evaluate": evaluate}
"""Stages that say most for their time."""
WHOLE: dict[str, Callable[[Say], None]] = {"compiled": compiled, "samplers": samplers, "train": train, "paper": paper}
"""Stages that take longer."""
