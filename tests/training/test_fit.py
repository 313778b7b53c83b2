"""Training runs: they learn, they survive being killed without a trace, and they log what they say."""

import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from helpers.trainings import BATCH, SEED, TRAINER, Killed, log, new_module
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import Precision
from pytorch_lightning.plugins.io import TorchCheckpointIO

from vae_mf.datamodule import DataSplit, EpochBatches, director_set
from vae_mf.files import SEAL
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.vae import ImportanceTerms
from vae_mf.rng import integer
from vae_mf.training.callbacks import AtomicCheckpointIO
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import BEST, LAST, OUTCOME, check_trainer, fit
from vae_mf.training.recipe import Recipe
from vae_mf.training.train import train as train_whole
from vae_mf.training.train import training_digest
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import load_checkpoint, load_weights, read_checkpoint, save_weights

EPOCHS = 4


class Interrupter(pl.Callback):
    """Sends a signal to its own process in the second epoch."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), self.number)


class Killer(pl.Callback):
    """Kills the run at its third epoch, at once or in the middle."""

    def __init__(self, batch: int):
        self.batch = batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 2 and batch_idx == self.batch:
            raise Killed


class Sleeper(pl.Callback):
    """Makes every epoch last."""

    def on_train_epoch_start(self, trainer, pl_module):
        time.sleep(0.2)


def train(folder: Path, data: DataSplit, epochs: int = EPOCHS, callbacks=(), **options):
    module = new_module(**options)
    feed = SpinDataModule(data, BATCH, SEED)
    result = fit(module, feed, folder / "checkpoints", epochs, TRAINER, callbacks, [CSVLogger(folder, "logs")])
    return module, result


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Folder and result of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(100)
    return folder, train(folder, data)[1]


def test_the_loss_decreases(whole):
    losses = log(whole[0])
    assert list(losses.index) == list(range(EPOCHS))
    for stage in ("train", "validation"):
        assert losses[f"{stage}/loss"].iloc[-1] < losses[f"{stage}/loss"].iloc[0] - 0.3
        parts = losses[f"{stage}/rate"] - losses[f"{stage}/log_likelihood"]
        np.testing.assert_allclose(losses[f"{stage}/loss"], parts, rtol=1e-5)


def test_the_best_epoch_is_reported_and_kept(whole):
    folder, result = whole
    losses = log(folder)["validation/loss"]
    assert result.checkpoint == folder / "checkpoints" / BEST
    np.testing.assert_allclose(result.validation_loss, losses.min(), rtol=1e-6)
    assert torch.load(result.checkpoint, weights_only=True)["epoch"] == losses.argmin()
    assert torch.load(folder / "checkpoints" / LAST, weights_only=True)["epoch"] == EPOCHS - 1
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {BEST, OUTCOME, LAST, SEAL}


def test_the_reloaded_checkpoint_reproduces_the_logged_loss(whole, data):
    """By hand: the validation set in order, noise seeded by the epoch, the mean over configurations."""
    folder, result = whole
    module = new_module()
    load_checkpoint(module, result.checkpoint)
    epoch = torch.load(result.checkpoint, weights_only=True)["epoch"]
    noise = torch.Generator().manual_seed(integer(SEED, "validation", epoch, 0))
    with torch.no_grad():
        batches = EpochBatches(data.validation, 4 * BATCH)
        elbo = torch.cat([module.vae.elbo(*batch, noise).elbo for batch in batches])
    np.testing.assert_allclose(result.validation_loss, -elbo.mean().item(), rtol=1e-6)
    np.testing.assert_allclose(result.validation_loss, log(folder)["validation/loss"][epoch], rtol=1e-6)


@pytest.mark.parametrize("batch", [0, 5])
def test_a_killed_run_resumes_bit_for_bit(whole, data, tmp_path, batch):
    folder, result = whole
    with pytest.raises(Killed):
        train(tmp_path, data, callbacks=[Killer(batch)])
    torch.manual_seed(200 + batch)
    module, resumed = train(tmp_path, data)
    for name in (BEST, LAST):
        expected, actual = weights(folder / "checkpoints" / name), weights(tmp_path / "checkpoints" / name)
        assert all(torch.equal(expected[key], actual[key]) for key in expected | actual)
    assert all(
        torch.equal(value, weights(folder / "checkpoints" / LAST)[key]) for key, value in module.state_dict().items()
    )
    assert resumed.validation_loss == result.validation_loss
    # The rows of every epoch, those before the kill too.
    pd.testing.assert_frame_equal(log(tmp_path), log(folder), check_exact=True)


def test_a_killed_run_that_is_moved_remembers_its_best_epoch(data, tmp_path):
    rising = {"decay": 8.0}
    _, expected = train(tmp_path / "whole", data, **rising)
    with pytest.raises(Killed):
        train(tmp_path / "before", data, callbacks=[Killer(0)], **rising)
    before = weights(tmp_path / "before" / "checkpoints" / BEST)
    shutil.move(tmp_path / "before", tmp_path / "after")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, moved = train(tmp_path / "after", data, **rising)
    assert moved.checkpoint == tmp_path / "after" / "checkpoints" / BEST
    assert moved.validation_loss == expected.validation_loss
    after = weights(moved.checkpoint)
    # The best epoch was over when the run was killed.
    assert all(torch.equal(before[key], after[key]) for key in before | after)
    assert not (tmp_path / "before").exists()


@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_a_cut_checkpoint_is_named(data, tmp_path, kept):
    with pytest.raises(Killed):
        train(tmp_path, data, callbacks=[Killer(5)])
    last = tmp_path / "checkpoints" / LAST
    last.write_bytes(last.read_bytes()[:kept])
    with pytest.raises(
        ValueError, match=rf"{LAST}: expected a whole checkpoint, got a file of {kept} bytes .* remove it"
    ):
        train(tmp_path, data)
    best = tmp_path / "checkpoints" / BEST
    best.write_bytes(best.read_bytes()[:kept])
    with pytest.raises(ValueError, match=f"{BEST}: expected a whole checkpoint"):
        load_checkpoint(new_module(), best)
    last.unlink()
    train(tmp_path, data)
    load_checkpoint(new_module(), best)


@pytest.mark.parametrize("content", ["{}", "[]", '{"epochs": "3", "validation_loss": 1.0, "seconds": 2.0}'])
def test_an_outcome_without_its_numbers_is_named(data, tmp_path, content):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/fit.json").write_text(content)
    with pytest.raises(ValueError, match=r"fit\.json: expected "):
        train(tmp_path, data)


def test_a_finished_run_is_not_trained_again(whole, data, tmp_path):
    _, first = train(tmp_path, data)
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    _, again = train(tmp_path, data)
    assert again.validation_loss == first.validation_loss
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    pd.testing.assert_frame_equal(log(tmp_path), log(whole[0]), check_exact=True)


def test_the_time_of_training_adds_up_over_resumptions(data, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, data, callbacks=[Sleeper(), Killer(0)])
    _, resumed = train(tmp_path, data, epochs=3)
    assert resumed.seconds > 2 * 0.2


def test_the_last_checkpoint_advances_when_the_loss_does_not(data, tmp_path):
    _, result = train(tmp_path, data, epochs=3, decay=1e3)
    losses = log(tmp_path)["validation/loss"]
    assert losses.argmin() < 2
    assert torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)["epoch"] == 2
    np.testing.assert_allclose(result.validation_loss, losses.min(), rtol=1e-6)


def test_every_epoch_draws_its_own_noise(data):
    module = new_module()
    losses = []
    for epoch in (0, 1, 0):
        noise = torch.Generator().manual_seed(integer(SEED, "validation", epoch, 0))
        losses.append(module.vae.elbo(*next(iter(EpochBatches(data.validation, BATCH))), noise).elbo.mean().item())
    assert losses[0] == losses[2] != losses[1]


def test_an_interrupt_by_the_user_is_passed_on(data, tmp_path):
    class Interrupter(pl.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(tmp_path, data, callbacks=[Interrupter()])


@pytest.mark.parametrize("epochs", [0, -1])
def test_epochs_are_checked(data, tmp_path, epochs):
    with pytest.raises(ValueError, match="epochs: expected an integer >= 1"):
        train(tmp_path, data, epochs=epochs)


def test_a_failing_write_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / LAST
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    assert [file.name for file in tmp_path.iterdir()] == [LAST]

    def half_written(self, checkpoint, path, storage_options=None):
        Path(path).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(TorchCheckpointIO, "save_checkpoint", half_written)
    with pytest.raises(OSError, match="no space left"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    monkeypatch.undo()
    assert AtomicCheckpointIO().load_checkpoint(path) == {"epoch": 1}
    AtomicCheckpointIO().save_checkpoint({"epoch": 3}, path)
    assert AtomicCheckpointIO().load_checkpoint(path) == {"epoch": 3}
    assert [file.name for file in tmp_path.iterdir()] == [LAST]


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"checkpoint: expected a file at .*best.ckpt"):
        load_checkpoint(new_module(), tmp_path / BEST)


def test_loading_weights_runs_no_pickled_code(tmp_path):
    class Intruder:
        def __reduce__(self):
            return Path.touch, (tmp_path / "intruded",)

    torch.save({"state_dict": {}, "intruder": Intruder()}, tmp_path / BEST)
    with pytest.raises(ValueError, match="objects, which could run code and are not loaded"):
        load_checkpoint(new_module(), tmp_path / BEST)
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", 0.0), ("learning_rate", float("inf")), ("decay", 0.0), ("decay", -0.5)]
)
def test_hyperparameters_are_checked(name, value):
    options = {"learning_rate": 1e-3, "weight_decay": 0.0, "decay": 0.9} | {name: value}
    with pytest.raises(ValueError, match=f"{name}: expected a finite number > 0"):
        VAEModule(new_module().vae, **options, seed=1)


@pytest.mark.parametrize(("device", "last"), [("cuda", True), ("cpu", False)])
def test_weights_of_convolutions_have_channels_last_on_cuda(device, last):
    """In `configure_model`: DDP, which Lightning sets up next, makes buckets of gradients that keep the layout."""
    module = new_module()
    module.vae.convolution = torch.nn.Conv2d(2, 3, 3)
    strategy = SimpleNamespace(root_device=torch.device(device))
    module._trainer = SimpleNamespace(strategy=strategy, precision_plugin=Precision())
    module.configure_model()
    assert module.vae.convolution.weight.is_contiguous(memory_format=torch.channels_last) == last


def test_the_optimiser_is_adamw_with_exponential_decay():
    module = new_module()
    (optimiser,), (schedule,) = module.configure_optimizers()
    assert isinstance(optimiser, torch.optim.AdamW)
    assert optimiser.defaults["weight_decay"] == 1e-4
    assert {id(p) for group in optimiser.param_groups for p in group["params"]} == {
        id(p) for p in module.vae.parameters()
    }
    optimiser.step()
    schedule.step()
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([1e-2 * 0.9**2])


class Poisoner(pl.Callback):
    """Makes the weights explode in the middle of an epoch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 2 and batch_idx == 3:
            with torch.no_grad():
                pl_module.vae.decoder.log_odds.weight.fill_(float("nan"))


def test_divergence_stops_the_run_and_keeps_the_last_good_checkpoint(data, tmp_path):
    message = (
        r"got none for 32 configurations of a batch of the train set in epoch 2, of mean temperature (0.\d+|1.\d+);"
    )
    with pytest.raises(ValueError, match=message):
        train(tmp_path, data, callbacks=[Poisoner()])
    last = torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)
    assert last["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values())


def test_the_temperature_told_is_that_of_the_configurations_without_a_bound():
    module = new_module()
    module._begin("train")
    for elbo, temperature in (([1.0, 2.0], [7.0, 8.0]), ([np.nan, 1.0, np.inf], [0.5, 9.0, 1.5]), ([np.nan], [99.0])):
        bound = torch.tensor(elbo)
        module._note("train", ImportanceTerms(bound, bound, bound), torch.tensor(temperature))
    with pytest.raises(ValueError, match=r"none for 2 configurations .* of mean temperature 1;"):
        module._require_finite("train")


def test_validation_without_a_finite_bound_stops_the_run(data, tmp_path):
    poisoned = replace(data.validation, temperatures=torch.tensor([float("nan"), 1.0]))
    with pytest.raises(ValueError, match="of the validation set in epoch 0"):
        train(tmp_path, DataSplit(data.train, poisoned, data.test))
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_checkpoint_of_another_architecture_is_named(data, tmp_path):
    train(tmp_path, data, epochs=1)
    wider = new_module()
    wider.vae.prior = SplinePrior(1, layers=1, bins=6, hidden=8)
    feed = SpinDataModule(data, BATCH, SEED)
    with pytest.raises(ValueError, match=r"expected the weights of this architecture.*vae.prior.network.4.weight \(17"):
        fit(wider, feed, tmp_path / "checkpoints", 2, TRAINER)


def test_symmetries_are_applied_to_training_batches_only(data, tmp_path):
    seen = []

    def mark(configurations, generator):
        seen.append(torch.rand((), generator=generator).item())
        return configurations

    module = new_module()
    module.augment = mark
    fit(module, SpinDataModule(data, BATCH, SEED), tmp_path / "checkpoints", 2, TRAINER)
    assert len(seen) == len(set(seen)) == 2 * (len(data.train) // BATCH)


@pytest.mark.slow
def test_a_compiled_step_trains_the_same_model(tmp_path):
    """In a process of its own, where no run-time checks of types stand in the compiler's way."""
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np, torch
from vae_mf.datamodule import EpochBatches, spin_set
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.vae import VAE, ImportanceTerms
from vae_mf.training.vae_module import compiled
torch.manual_seed(1)
vae = VAE(LinearEncoder(16, 2), LinearDecoder(16, 2), SplinePrior(2, layers=2, bins=6))
bits = np.random.default_rng(1).integers(0, 256, (64, 2), dtype=np.uint8)
data = spin_set(bits, np.arange(64) % 3, [0.5, 1.0, 2.0], 16)
batch = next(iter(EpochBatches(data, 64)))
noise = vae.noise(batch.condition)
gradients = []
for bound in (vae.elbo_at, compiled(vae.elbo_at, "default")):
    vae.zero_grad()
    loss = -bound(noise, *batch).elbo.mean()
    loss.backward()
    gradients.append([loss.detach(), *(p.grad.clone() for p in vae.parameters())])
for plain, fast in zip(*gradients):
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)
print("same")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "same", result.stderr


def test_the_mode_of_the_compiler_is_checked():
    module = new_module()
    with pytest.raises(ValueError, match="compile: expected one of default, reduce-overhead, max-autotune, got 'fast'"):
        VAEModule(module.vae, learning_rate=1e-2, weight_decay=0.0, decay=0.9, seed=1, compile="fast")


class Stopper(pl.Callback):
    """Ends the training after its second epoch."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch >= 1


def test_a_training_that_a_callback_has_ended_stays_ended(data, tmp_path):
    _, first = train(tmp_path, data, callbacks=[Stopper()])
    epoch = torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)["epoch"]
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    assert epoch == 1
    assert train(tmp_path, data)[1] == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    longer = train(tmp_path, data, epochs=EPOCHS + 1)[1]
    assert torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)["epoch"] == EPOCHS
    assert longer.seconds > first.seconds


def test_without_a_logger_nothing_is_logged(data, tmp_path):
    fit(new_module(), SpinDataModule(data, BATCH, SEED), tmp_path / "checkpoints", 1, TRAINER)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {BEST, LAST, OUTCOME, SEAL}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("max_time", r"trainer.max_time: expected nothing, as it is chosen by training.epochs"),
        ("max_steps", r"trainer.max_steps: expected nothing, as it is chosen by training.epochs"),
        ("logger", r"trainer.logger: expected nothing, as it is chosen by logger=csv"),
        ("callbacks", r"trainer.callbacks: expected nothing, as it is chosen by callbacks=early_stopping"),
        ("max_epochs", r"trainer.max_epochs: expected nothing, as it is chosen by training.epochs"),
        ("acelerator", r"trainer: expected one of accelerator, .* got 'acelerator'"),  # codespell:ignore acelerator
    ],
)
def test_arguments_of_the_trainer_that_are_none_are_refused(argument, message, data, tmp_path):
    trainer = {**TRAINER, argument: 1}
    with pytest.raises(ValueError, match=message):
        check_trainer(trainer)
    with pytest.raises(ValueError, match=message):
        fit(new_module(), SpinDataModule(data, BATCH, SEED), tmp_path, EPOCHS, trainer)


def test_a_precision_in_which_models_are_not_trained_is_refused():
    with pytest.raises(ValueError, match=r"trainer.precision: expected one of 32-true, .* got 'bf16-true'"):
        check_trainer({**TRAINER, "precision": "bf16-true"})
    for precision in (64, "bf16-mixed", None):
        check_trainer({**TRAINER, "precision": precision})


def test_an_accelerator_whose_package_is_not_installed_is_named():
    with pytest.raises(ValueError, match=r"trainer: expected arguments that Lightning takes, got .*tpu.*torch_xla"):
        check_trainer({**TRAINER, "accelerator": "tpu"})


@pytest.mark.parametrize(
    "argument",
    [
        {"limit_train_batches": 0},
        {"limit_val_batches": 0},
        {"check_val_every_n_epoch": EPOCHS + 1},
        {"check_val_every_n_epoch": None, "val_check_interval": 1000},
    ],
    ids=str,
)
def test_a_training_that_is_never_validated_is_refused(argument, data, tmp_path):
    with pytest.raises(ValueError, match=f"trainer: expected steps and at least one validation in {EPOCHS} epochs"):
        fit(new_module(), SpinDataModule(data, BATCH, SEED), tmp_path, EPOCHS, {**TRAINER, **argument})


class Spoiler(pl.Callback):
    """Spoils all weights before the third epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            for weight in pl_module.parameters():
                weight.data.fill_(torch.nan)


def test_an_epoch_without_validation_that_diverged_leaves_the_checkpoint_before_it(data, tmp_path):
    trainer, feed = {**TRAINER, "check_val_every_n_epoch": EPOCHS}, SpinDataModule(data, BATCH, SEED)
    with pytest.raises(ValueError, match=r"training: expected a finite loss, .* the train set in epoch 2"):
        fit(new_module(), feed, tmp_path, EPOCHS, trainer, [Spoiler()])
    assert all(value.isfinite().all() for value in weights(tmp_path / LAST).values())


def test_without_a_gpu_it_is_said_how_to_go_on_and_how_long_it_takes(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"got none \(.*\): trainer=auto trains on the processor, .* 30 hours"):
        check_trainer({"accelerator": "gpu", "devices": 1}, core_hours=30.0)
    with pytest.raises(ValueError, match=r"trainer=auto trains on the processor$"):
        check_trainer({"accelerator": "gpu", "devices": 1})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_a_training_is_heard_the_next_time_too_and_it_goes_on(number, data, tmp_path):
    handlers = [signal.signal(signal.SIGINT, signal.default_int_handler), signal.getsignal(signal.SIGTERM)]
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(new_module(), SpinDataModule(data, BATCH, SEED), tmp_path, EPOCHS, TRAINER, [Interrupter(number)])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) == handlers[1]
    finally:
        signal.signal(signal.SIGINT, handlers[0])
    assert (tmp_path / LAST).exists()
    assert not (tmp_path / OUTCOME).exists()


def test_a_flipped_bit_of_a_checkpoint_or_of_weights_is_named(data, tmp_path):
    """Torch reads such a checkpoint without a word."""
    with pytest.raises(Killed):
        train(tmp_path, data, callbacks=[Killer(5)])
    last = tmp_path / "checkpoints" / LAST
    content = last.read_bytes()
    weight = weights(last)["vae.encoder.projection.weight"].numpy().tobytes()
    place = content.index(weight)
    last.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    torch.load(last, weights_only=True)
    with pytest.raises(ValueError, match=f"{LAST}: expected a whole checkpoint"):
        train(tmp_path, data)
    module = new_module()
    file = tmp_path / "model.safetensors"
    save_weights(module, file)
    load_weights(module, file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors: expected the weights that were written, got others"):
        load_weights(module, file)


def test_a_checkpoint_of_another_training_or_name_is_not_taken_for_this_one(tmp_path):
    """Best and last of a training that goes on, and those of other runs, have the same shapes."""
    last, best = tmp_path / "last.ckpt", tmp_path / "best.ckpt"
    for path in (last, best):
        AtomicCheckpointIO("this").save_checkpoint({"state_dict": {}}, path)
    assert read_checkpoint(last, "this")["state_dict"] == {}
    with pytest.raises(ValueError, match=r"last\.ckpt: expected the checkpoint of this name and training, got another"):
        read_checkpoint(last, "that")
    best.replace(last)
    with pytest.raises(ValueError, match=r"last\.ckpt: expected the checkpoint of this name"):
        read_checkpoint(last, "this")
    torch.save({"state_dict": {}}, last)  # that of an earlier version
    assert read_checkpoint(last, "this")


def test_a_training_is_known_by_what_every_machine_computes_alike(data):
    """The last digits of sums of directors are those of a machine: a run that is moved has to go on with its own."""
    vectors = np.random.default_rng(0).normal(size=(6, 3, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    module = new_module()
    for sums in (False, True):
        first, moved = (director_set(rows, np.zeros(6), [0.2], sums) for rows in (vectors, vectors[..., [1, 2, 0]]))
        digests = [training_digest(module, DataSplit(part, part, part), 9) for part in (first, moved)]
        assert digests[0] == digests[1]
        assert not torch.equal(first.data, moved.data)
    other = replace(data.train, data=data.train.data ^ 1)
    assert training_digest(module, data, 9) != training_digest(module, data._replace(train=other), 9)
    warmer = replace(data.train, temperatures=2 * data.train.temperatures)
    assert training_digest(module, data, 9) != training_digest(module, data._replace(train=warmer), 9)


def test_a_training_goes_on_with_its_own_settings_alone(data, tmp_path):
    def run(batch_size=BATCH, **options):
        recipe = Recipe(epochs=1 + bool(list(tmp_path.iterdir())), batch_size=batch_size, module=new_module)
        places = {"checkpoints": tmp_path / "checkpoints", "weights": tmp_path / "weights"}
        return train_whole(new_module(), data, recipe, trainer=TRAINER | options, **places)

    run()
    with pytest.raises(ValueError, match="got another, of other rows, batches or settings: give those"):
        run(BATCH + 1)
    for changed in ({"gradient_clip_val": 0.5}, {"precision": "64-true"}):
        with pytest.raises(ValueError, match="got another, of other rows"):
            run(**changed)
    run(precision="32-true", accumulate_grad_batches=1)


def test_a_model_trained_in_double_precision_is_refitted_in_single(data, tmp_path):
    module, recipe = new_module(), Recipe(epochs=1, batch_size=BATCH, module=new_module, encoder_refit_steps=1)
    places = {"checkpoints": tmp_path / "checkpoints", "weights": tmp_path / "weights"}
    train_whole(module, data, recipe, trainer=TRAINER | {"precision": "64-true"}, **places)
    assert {weights.dtype for weights in module.vae.state_dict().values()} == {torch.float32}
