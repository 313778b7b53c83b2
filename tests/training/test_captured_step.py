"""A recorded step does what steps one by one do; whatever stands against it is told once, and trained all the same.

On a processor a tape of its kernels (`helpers.tape`) is in the place of a CUDA graph.
"""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from helpers.model_parts import DECODERS, ENCODERS, PRIORS
from helpers.tape import Tape
from helpers.trainings import BATCH, SEED, TRAINER, Killed, log, new_module, same
from pytorch_lightning.loggers import CSVLogger

from vae_mf.datamodule import DataSplit, EpochBatches, ResidentSet, director_set, spin_set
from vae_mf.models import likelihoods
from vae_mf.models.priors import mixture
from vae_mf.models.tensors import Batch, Condition
from vae_mf.models.vae import VAE
from vae_mf.packing import packed_bytes
from vae_mf.training import captured_step, lean_loop
from vae_mf.training.augmentation import augmentation
from vae_mf.training.captured_step import WARM_UP, CapturedStep, GraphRecorder
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import BEST, LAST, fit
from vae_mf.training.recipe import Recipe
from vae_mf.training.vae_module import VAEModule

EPOCHS, STEPS = 3, 500 // BATCH
RATES = {"learning_rate": 2**-7, "decay": 0.5, "weight_decay": 2**-10}
"""Numbers that single precision holds, so that weights are the same to the last bit."""


@pytest.fixture
def tapes(monkeypatch) -> list[Tape]:
    """Tapes that trainings of this test have made, in the place of CUDA graphs."""
    made: list[Tape] = []

    def recorder(device: torch.device) -> Tape:
        made.append(Tape())
        return made[-1]

    monkeypatch.setattr(captured_step, "can_record", lambda device: True)
    monkeypatch.setattr(lean_loop, "recorder_for", recorder)
    for module in (mixture, likelihoods):  # as on a GPU: the tape holds PyTorch's kernels alone
        monkeypatch.setattr(module, "can_loop", lambda tensor: False)
    return made


def module_of(vae: VAE | None = None, **options) -> VAEModule:
    return VAEModule(new_module().vae if vae is None else vae, seed=SEED, **{**RATES, **options})


def train(folder: Path, data, captured: bool | str, module=None, callbacks=(), remarks: list | None = None, **trainer):
    """Train and return the module."""
    module = module or module_of()
    options = {"captured": captured, "remark": ([] if remarks is None else remarks).append}
    loggers = [CSVLogger(folder, "logs")]
    feed = SpinDataModule(data, BATCH, SEED)
    fit(module, feed, folder / "checkpoints", EPOCHS, {**TRAINER, **trainer}, callbacks, loggers, **options)
    return module


def require_same(one: Path, other: Path) -> None:
    """Hold weights, states of optimisers, counts and logs of two trainings against each other."""
    for name in (BEST, LAST):
        left, right = (torch.load(folder / "checkpoints" / name, weights_only=True) for folder in (one, other))
        assert left.keys() == right.keys()
        assert all(same(left[key], right[key]) for key in left if key != "callbacks")
    pd.testing.assert_frame_equal(log(one), log(other), check_exact=True)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_weights_checkpoints_and_logs_are_those_of_steps_one_by_one(data, tmp_path, tapes, precision):
    train(tmp_path / "plain", data, False, precision=precision)
    assert not tapes
    train(tmp_path / "captured", data, True, precision=precision)
    (tape,) = tapes
    # Its last step is Lightning's in every epoch.
    assert (tape.warmed_up, tape.recorded) == (WARM_UP, 1)
    assert tape.repeated == EPOCHS * (STEPS - 1) - WARM_UP - 1
    require_same(tmp_path / "plain", tmp_path / "captured")


def rows(sites: int, kind: str, count: int) -> ResidentSet:
    random = np.random.default_rng(0)
    level = random.integers(0, 2, count)
    if kind == "directors":
        vectors = random.standard_normal((count, sites, 3))
        return director_set(vectors / np.linalg.norm(vectors, axis=2, keepdims=True), level, [0.5, 1.5])
    packed = random.integers(0, 256, (count, packed_bytes(sites)), dtype=np.uint8)
    return spin_set(packed, level, [0.5, 1.5], sites)


@pytest.mark.parametrize(
    ("kind", "parts", "symmetries", "draws"),
    [
        ("spins", ("cnn", "cnn", "mixture"), ("spin_flip", "translation"), 1),
        ("spins", ("mlp", "linear", "autoregressive"), (), 3),
        ("directors", ("director_cnn", "bingham_cnn", "spline"), ("rotation",), 1),
    ],
    ids=["convolutions", "draws", "directors"],
)
def test_it_holds_for_every_kind_of_model(tmp_path, tapes, kind, parts, symmetries, draws):
    split = DataSplit(*(rows(16, kind, count) for count in (500, 60, 10)))
    for captured in (False, True):
        torch.manual_seed(1)
        vae = VAE(ENCODERS[parts[0]](16, 2), DECODERS[parts[1]](16, 2), PRIORS[parts[2]](2))
        module = module_of(vae, augment=augmentation(symmetries, symmetries), draws=draws)
        train(tmp_path / str(captured), split, captured, module)
    assert tapes[0].repeated
    require_same(tmp_path / "False", tmp_path / "True")


def test_learning_rates_of_single_precision_cost_no_more_than_rounding(data, tmp_path, tapes):
    options = {"learning_rate": 1e-2, "decay": 0.9}
    plain, captured = (train(tmp_path / str(way), data, way, module_of(**options)) for way in (False, True))
    for name, value in captured.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], rtol=1e-3, atol=1e-5)


class Dying(EpochBatches):
    """Batches of which the seventh of the second epoch is not reached."""

    taken = 0

    def __iter__(self):
        for batch in super().__iter__():
            Dying.taken += self.seed is not None
            if Dying.taken == STEPS + 7:
                raise Killed
            yield batch


def test_a_killed_run_resumes_bit_for_bit(data, tmp_path, tapes, monkeypatch):
    train(tmp_path / "whole", data, True)
    with monkeypatch.context() as patched:
        patched.setattr("vae_mf.training.data_feed.EpochBatches", Dying)
        with pytest.raises(Killed):
            train(tmp_path / "killed", data, True)
    train(tmp_path / "killed", data, True)
    assert [tape.recorded for tape in tapes] == [1, 1, 1]
    require_same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(
    "asked",
    [
        {"gradient_clip_val": 0.1},
        {"gradient_clip_val": 0.1, "precision": "bf16-mixed"},
        {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ],
    ids=str,
)
def test_gradients_are_clipped_inside(data, tmp_path, tapes, asked):
    remarks: list[str] = []
    train(tmp_path / "plain", data, False, callbacks=[Listener()], **asked)
    train(tmp_path / "captured", data, True, remarks=remarks, **asked)
    assert tapes[0].repeated
    assert not remarks
    require_same(tmp_path / "plain", tmp_path / "captured")


class Listener(pl.Callback):
    """Looks at steps."""

    def on_train_batch_end(self, *_):
        pass


class Change(pl.Callback):
    """Changes something before the second epoch."""

    def __init__(self, what: Callable[[pl.Trainer, VAEModule], object]):
        self.what = what

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            self.what(trainer, pl_module)


def freeze(trainer: pl.Trainer, module: VAEModule) -> None:
    module.vae.prior.requires_grad_(False)


def decay_more(trainer: pl.Trainer, module: VAEModule) -> None:
    trainer.optimizers[0].param_groups[0]["weight_decay"] = 0.5


def put_elsewhere(trainer: pl.Trainer, module: VAEModule) -> None:
    for weight in module.parameters():
        weight.data = weight.data.clone()


def slow_down(trainer: pl.Trainer, module: VAEModule) -> None:
    trainer.optimizers[0].param_groups[0]["lr"] = 2**-12


def turn(trainer: pl.Trainer, module: VAEModule) -> None:
    module.augment = augmentation(["spin_flip"], ["spin_flip"])


@pytest.mark.parametrize("what", [freeze, decay_more, put_elsewhere, slow_down, turn])
def test_what_a_callback_changes_between_epochs_is_kept_to(data, tmp_path, tapes, what):
    train(tmp_path / "plain", data, False, callbacks=[Change(what)])
    train(tmp_path / "captured", data, True, callbacks=[Change(what)])
    assert tapes[0].recorded == (1 if what is slow_down else 2)
    require_same(tmp_path / "plain", tmp_path / "captured")


class Own(VAEModule):
    """A module of a user's own."""


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"callbacks": [Listener()]}, "a callback looks at each of them"),
        ({"accumulate_grad_batches": 2}, "gradients are accumulated"),
        ({"val_check_interval": 0.5}, "validation comes within epochs"),
        ({"profiler": "simple"}, "a profiler looks at each of them"),
        ({"module": lambda: Own(new_module().vae, seed=SEED, **RATES)}, "Own may ask for more in each of them"),
        ({"compile": "reduce-overhead"}, "training.module.compile=reduce-overhead records by itself"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_stands_against_it_is_told_once(data, tmp_path, tapes, monkeypatch, asked, reason):
    monkeypatch.setattr("vae_mf.training.vae_module.compiled", lambda bound_at, mode: bound_at)
    asked = dict(asked)
    module = asked.pop("module", lambda: module_of(compile=asked.pop("compile", None)))()
    remarks: list[str] = []
    train(tmp_path, data, True, module, remarks=remarks, **asked)
    assert not tapes
    assert remarks == [f"training.captured: steps are not recorded but taken one by one, as {reason}"]
    assert len(log(tmp_path)) >= 1


@pytest.mark.parametrize(("captured", "told"), [("auto", 0), (True, 1), (False, 0)])
def test_a_processor_records_none_and_says_so_if_it_was_to(data, tmp_path, captured, told):
    remarks: list[str] = []
    train(tmp_path, data, captured, remarks=remarks)
    assert [remark.endswith("as a processor records none") for remark in remarks] == [True] * told


def test_a_step_that_cannot_be_recorded_is_taken_as_it_is(data, tmp_path, tapes, monkeypatch):
    def broken(self, work, generators):
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nCompile with ...")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(Tape, "record", broken)
    remarks: list[str] = []
    train(tmp_path / "plain", data, False)
    train(tmp_path / "broken", data, True, remarks=remarks)
    reason = "recording one ended in RuntimeError: operation not permitted when stream is capturing"
    assert remarks == [f"training.captured: steps are not recorded but taken one by one, as {reason}"]
    require_same(tmp_path / "plain", tmp_path / "broken")


def test_a_checkpoint_of_an_optimiser_that_waits_goes_on_as_it_was(data, tmp_path, tapes, monkeypatch):
    def former(self):
        optimiser = torch.optim.AdamW(self.vae.parameters(), self.learning_rate, foreach=True)
        return [optimiser], [torch.optim.lr_scheduler.ExponentialLR(optimiser, self.decay)]

    feed = SpinDataModule(data, BATCH, SEED)
    with monkeypatch.context() as patched:
        patched.setattr(VAEModule, "configure_optimizers", former)
        fit(module_of(), feed, tmp_path / "checkpoints", 1, TRAINER, captured=False)
    remarks: list[str] = []
    train(tmp_path, data, True, remarks=remarks)
    assert [remark.endswith("checkpoint which another version wrote") for remark in remarks] == [True]
    assert not tapes


def test_a_batch_of_another_size_is_taken_as_it_is(data):
    module = module_of()
    (optimiser,), _ = module.configure_optimizers()
    module.on_train_epoch_start()
    sizes = []

    def take(batch: Batch) -> None:
        sizes.append(len(batch.configurations))
        module.training_step(batch, 0).backward()
        optimiser.step()

    tape = Tape()
    step = CapturedStep(take, module, optimiser, tape)
    whole = data.train.batch(torch.arange(BATCH))
    for _ in range(WARM_UP + 2):
        step(whole)
    step(Batch(whole.configurations[:5], Condition(whole.condition.temperatures, whole.condition.index[:5])))
    step(whole)
    assert sizes == [BATCH] * (WARM_UP + 1) + [5]
    assert tape.repeated == 2


def test_another_choice_is_refused():
    with pytest.raises(ValueError, match="captured: expected auto, true or false, got 'on'"):
        Recipe(epochs=1, batch_size=1, module=VAEModule, captured="on")


class Generator(torch.Generator):
    """Lists what is asked of its state."""

    def __new__(cls, calls):
        return super().__new__(cls)

    def __init__(self, calls):
        self.calls = calls

    def clone_state(self):
        return "as before"

    def graphsafe_set_state(self, state):
        self.calls.append(state)


class FakeGraphs:
    """Takes the place of the parts of `torch.cuda` that a recorder of graphs uses, and lists what is asked of them."""

    def __init__(self, monkeypatch):
        self.calls: list[str] = []
        stream = SimpleNamespace(wait_stream=lambda other: self.calls.append(f"side waits for {other}"))
        self.default = Generator(self.calls)
        for name, value in {
            "Stream": lambda device: stream,
            "current_stream": lambda device: SimpleNamespace(wait_stream=lambda _: self.calls.append("main waits")),
            "stream": self.entered,
            "graph": self.recording,
            "CUDAGraph": self.graph,
            "default_generators": [self.default],
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    def graph(self):
        return SimpleNamespace(
            register_generator_state=lambda generator: self.calls.append("registered"),
            replay=lambda: self.calls.append("launched"),
        )

    @contextmanager
    def entered(self, stream):
        yield

    @contextmanager
    def recording(self, graph, stream):
        self.calls.append("recording")
        yield
        self.calls.append("recorded")


def test_a_graph_knows_its_generators_before_and_is_launched_once_it_is_recorded(monkeypatch):
    fake = FakeGraphs(monkeypatch)
    recorder = GraphRecorder(torch.device("cuda:0"))
    recorder.carry_out(lambda: fake.calls.append("work"))
    assert fake.calls[1:] == ["work", "main waits"]
    assert fake.calls[0].startswith("side waits for")
    fake.calls.clear()
    replay = recorder.record(lambda: fake.calls.append("work"), [fake.default])
    assert fake.calls == ["registered", "recording", "work", "recorded", "launched"]
    replay()
    assert fake.calls[-2:] == ["launched", "launched"]


def test_generators_draw_on_after_a_recording_that_was_broken_off(monkeypatch):
    fake = FakeGraphs(monkeypatch)

    def work():
        raise RuntimeError("not permitted")

    with pytest.raises(RuntimeError, match="not permitted"):
        GraphRecorder(torch.device("cuda:0")).record(work, [fake.default])
    assert fake.calls == ["registered", "recording", "as before", "as before"]
