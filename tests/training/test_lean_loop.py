"""The lean loop takes the steps of Lightning's own, to the last bit, and leaves to it whatever else is asked."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from helpers.trainings import BATCH, SEED, SITES, TRAINER, Killed, log, new_module, same
from pytorch_lightning.loggers import CSVLogger

from vae_mf.analysis.joint_samples import marginal_samples
from vae_mf.datamodule import DataSplit
from vae_mf.models.critic import DenseCritic
from vae_mf.training.critic_module import fit_critic
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import BEST, LAST, fit
from vae_mf.training.lean_loop import LeanEpochLoop
from vae_mf.training.vae_module import VAEModule

EPOCHS = 3
STEPS = 500 // BATCH


class Listener(pl.Callback):
    """Looks at steps, which makes every one of them Lightning's."""

    def on_train_batch_end(self, *_):
        pass


@pytest.fixture
def lean_steps(monkeypatch) -> list[int]:
    """Numbers of the steps that the lean loop took."""
    taken, step = [], LeanEpochLoop._step

    def counted(self, data_fetcher):
        step(self, data_fetcher)
        taken.append(self.batch_idx)

    monkeypatch.setattr(LeanEpochLoop, "_step", counted)
    return taken


def train(folder: Path, data, callbacks=(), module: VAEModule | None = None, **trainer) -> VAEModule:
    module = module or new_module()
    feed = SpinDataModule(data, BATCH, SEED)
    logger = CSVLogger(folder, "logs")
    fit(module, feed, folder / "checkpoints", EPOCHS, {**TRAINER, **trainer}, callbacks, [logger])
    return module


def kept(folder: Path, name: str = LAST) -> dict:
    """Return what a checkpoint holds, but for callbacks, which know folders and times."""
    found = torch.load(folder / "checkpoints" / name, weights_only=True)
    return {key: value for key, value in found.items() if key != "callbacks"}


@pytest.mark.parametrize(
    "asked",
    [
        {"precision": "32-true"},
        {"precision": "bf16-mixed"},
        {"precision": "64-true"},
        {"gradient_clip_val": 0.1},
        {"gradient_clip_val": 0.1, "precision": "bf16-mixed"},
        {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ],
    ids=str,
)
def test_weights_counts_and_logs_are_those_of_lightning(data, tmp_path, lean_steps, asked):
    train(tmp_path / "lean", data, **asked)
    assert lean_steps == EPOCHS * list(range(STEPS - 1))
    train(tmp_path / "own", data, [Listener()], **asked)
    assert len(lean_steps) == EPOCHS * (STEPS - 1)
    for name in (BEST, LAST):
        assert same(kept(tmp_path / "lean", name), kept(tmp_path / "own", name))
    assert kept(tmp_path / "lean")["global_step"] == EPOCHS * STEPS
    metrics = [pd.read_csv(next((tmp_path / way).rglob("metrics.csv"))) for way in ("lean", "own")]
    pd.testing.assert_frame_equal(*metrics, check_exact=True)


@pytest.mark.parametrize(
    "asked",
    [
        {"accumulate_grad_batches": 2},
        {"val_check_interval": 0.5},
        {"profiler": "simple"},
    ],
    ids=str,
)
def test_whatever_else_is_asked_is_left_to_lightning(data, tmp_path, lean_steps, asked):
    train(tmp_path, data, **asked)
    assert not lean_steps
    assert not log(tmp_path).empty


def test_a_module_of_another_class_is_left_to_lightning(data, tmp_path, lean_steps):
    class Own(VAEModule):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            self.log("own", loss)
            return loss

    vae = new_module().vae
    train(tmp_path, data, module=Own(vae, learning_rate=1e-2, weight_decay=0.0, decay=0.9, seed=SEED))
    assert not lean_steps
    assert log(tmp_path)["own"].notna().any()


class Mishap:
    """A symmetry that changes nothing, and that something happens in at one step of the training."""

    def __init__(self, step: int, what):
        self.step, self.what, self.seen = step, what, 0

    def __call__(self, configurations, generator):
        self.seen += 1
        if self.seen == self.step:
            self.what()
        return configurations


def killed():
    raise Killed


def test_a_run_killed_between_lean_steps_resumes_bit_for_bit(data, tmp_path, lean_steps):
    train(tmp_path / "whole", data)
    module = new_module()
    module.augment = Mishap(2 * STEPS + 6, killed)
    with pytest.raises(Killed):
        train(tmp_path / "killed", data, module=module)
    train(tmp_path / "killed", data)
    # The first step of a resumed epoch is Lightning's.
    assert lean_steps[-(STEPS - 2) :] == list(range(1, STEPS - 1))
    assert same(kept(tmp_path / "killed"), kept(tmp_path / "whole"))
    pd.testing.assert_frame_equal(log(tmp_path / "killed"), log(tmp_path / "whole"), check_exact=True)


@pytest.mark.parametrize(
    "asked",
    [{"val_check_interval": 0.5}, {"check_val_every_n_epoch": 2}, {"precision": "64-true"}],
    ids=str,
)
def test_a_run_goes_on_from_the_end_of_an_epoch_whenever_it_is_validated_and_in_any_precision(data, tmp_path, asked):
    train(tmp_path / "whole", data, **asked)
    module = new_module()
    module.augment = Mishap(2 * STEPS + 10, killed)
    with pytest.raises(Killed):
        train(tmp_path / "killed", data, module=module, **asked)
    train(tmp_path / "killed", data, **asked)
    for name in (BEST, LAST):
        assert same(kept(tmp_path / "killed", name), kept(tmp_path / "whole", name))
    pd.testing.assert_frame_equal(log(tmp_path / "killed"), log(tmp_path / "whole"), check_exact=True)


@pytest.fixture
def as_in_a_terminal():
    """Let Ctrl-C be heard, also where whoever started the tests ignores it, as in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_lean_steps_is_heard_within_two(data, tmp_path, number, as_in_a_terminal):
    module = new_module()
    module.augment = Mishap(STEPS + 4, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, data, module=module)
    assert module.augment.seen <= STEPS + 5


def fitted_critic(data: DataSplit, callbacks: list[pl.Callback], **further) -> DenseCritic:
    torch.manual_seed(1)
    rows = data.train.states()
    samples = marginal_samples({0.5: rows[:400], 1.5: rows[-100:]}, torch.zeros(2, SITES, 1))
    settings = {"alpha": 0.3, "epochs": 2, "batch_size": BATCH, "sites_per_step": SITES, "learning_rate": 1e-2}
    trainer = {"accelerator": "cpu", "callbacks": callbacks, **further}
    critic = DenseCritic(SITES, "spins", 0, 2, 8)
    return fit_critic(critic, samples, samples, **settings, weight_decay=1e-2, seed=1, trainer=trainer)


def test_a_critic_is_the_same_with_the_lean_loop(data, lean_steps):
    lean = fitted_critic(data, [])
    assert lean_steps == 2 * list(range(STEPS - 1))
    own = fitted_critic(data, [Listener()])
    assert len(lean_steps) == 2 * (STEPS - 1)
    assert same(lean.state_dict(), own.state_dict())


def test_a_limited_number_of_steps_is_left_to_lightning(data, lean_steps):
    fitted_critic(data, [], max_steps=20)
    assert not lean_steps


def test_a_checkpoint_of_another_kind_of_step_is_gone_on_from(data, tmp_path, monkeypatch):
    """As versions before 0.3 wrote it: one call per operation instead of one kernel per step."""
    train(tmp_path / "whole", data)

    def former(self):
        optimiser = torch.optim.AdamW(self.vae.parameters(), self.learning_rate, weight_decay=1e-4, foreach=True)
        return [optimiser], [torch.optim.lr_scheduler.ExponentialLR(optimiser, self.decay)]

    module = new_module()
    module.augment = Mishap(STEPS + 6, killed)
    with monkeypatch.context() as patched:
        patched.setattr(VAEModule, "configure_optimizers", former)
        with pytest.raises(Killed):
            train(tmp_path / "former", data, module=module)
    resumed, whole = train(tmp_path / "former", data), kept(tmp_path / "whole")["state_dict"]
    for name, value in resumed.state_dict().items():
        torch.testing.assert_close(value, whole[name], rtol=1e-3, atol=1e-4)
