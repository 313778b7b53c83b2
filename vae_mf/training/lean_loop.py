"""Lightning's loop over the batches of an epoch, without the calls that nothing listens to."""

from collections.abc import Callable, Iterable

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.fetchers import _DataFetcher
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden

from vae_mf.training.captured_step import CapturedStep, NotCaptured, is_wanted, not_recorded, obstacle_of, recorder_for
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.vae_module import VAEModule

PER_STEP = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)
"""Hooks of a callback that Lightning calls in every step."""


def be_lean(
    engine: pl.Trainer,
    callbacks: Iterable[pl.Callback] = (),
    captured: bool | str = False,
    remark: Callable[[str], object] = lambda _: None,
) -> None:
    """Let a trainer take plain steps wherever they are all that Lightning would do, recorded by a GPU if wanted.

    Weights, logs, checkpoints and counts are the same to the last bit. Everything else stays with Lightning: the last
    step of every epoch with the validation after it, that after a signal, and every step of several processes, with
    gradients that are accumulated or scaled, or with a callback, a profiler or a limit that looks at steps.

    Args:
        engine: trainer of a module that overrides no hook of a step and logs nothing there.
        callbacks: callbacks of the trainer that may look at steps.
        captured: "auto" to record steps on a GPU (`vae_mf.training.captured_step`), True for a remark, too, where there
            is none, False for steps one by one.
        remark: called once with a sentence if steps that are to be recorded are not.
    """
    looking = [each for each in callbacks if any(is_overridden(hook, each, parent=pl.Callback) for hook in PER_STEP)]
    wanted = is_wanted(captured, engine.strategy.root_device)
    engine.fit_loop.epoch_loop = LeanEpochLoop(engine, looking, wanted, remark)


class LeanEpochLoop(_TrainingEpochLoop):
    """Steps of an epoch: batch, loss, gradient, optimiser, schedule, and Lightning's own counts of them."""

    def __init__(
        self, engine: pl.Trainer, looking: list[pl.Callback], wanted: bool, remark: Callable[[str], object]
    ) -> None:
        loop = engine.fit_loop.epoch_loop
        super().__init__(engine, loop.min_steps, loop.max_steps)
        self._looking = looking
        self._wanted = wanted
        self._remark = remark
        self._captured: CapturedStep | None = None
        self._moves = True

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        """Begin an epoch: find out how its steps are taken."""
        super().on_run_start(data_fetcher)
        # The house's own batches are made on the device.
        self._moves = type(self.trainer.datamodule) is not SpinDataModule  # pyright: ignore[reportAttributeAccessIssue]
        if self._wanted:
            self._capture()

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Take plain steps up to the last of the epoch, and that as Lightning does."""
        if not self.restarting and self._obstacle() is None:
            while self._has_another_after_the_next():
                self._step(data_fetcher)
        super().advance(data_fetcher)

    def teardown(self) -> None:
        """Let go of the memory of a recorded step."""
        self._captured = None
        super().teardown()

    def _obstacle(self) -> str | None:
        """Return what asks Lightning for more than plain steps, None if nothing does."""
        trainer, precision = self.trainer, self.trainer.precision_plugin
        profiler = trainer.profiler  # pyright: ignore[reportAttributeAccessIssue]
        obstacles = {
            "a callback looks at each of them": bool(self._looking),
            "several processes share them": type(trainer.strategy) is not SingleDeviceStrategy,
            "gradients are scaled": isinstance(precision, MixedPrecision) and precision.scaler is not None,
            "a profiler looks at each of them": not isinstance(profiler, PassThroughProfiler),
            "gradients are accumulated": trainer.accumulate_grad_batches != 1,
            "their number is limited": self.max_steps != -1,
            "validation comes within epochs": trainer.val_check_batch != trainer.num_training_batches
            or trainer.check_val_every_n_epoch is None,
        }
        return next((obstacle for obstacle, found in obstacles.items() if found), None)

    def _capture(self) -> None:
        """Record steps from now on, or say why not."""
        module, optimiser = self.trainer.lightning_module, self.trainer.strategy.optimizers[0]
        assert isinstance(module, VAEModule)
        obstacle = self._obstacle() or obstacle_of(module, optimiser)
        if obstacle is not None:
            self._give_up(obstacle)
        elif self._captured is None:
            self._captured = CapturedStep(self._take, module, optimiser, recorder_for(module.device))
        else:
            self._captured.begin_epoch()

    def _give_up(self, reason: str) -> None:
        self._wanted = False
        self._captured = None
        self._remark(not_recorded(reason))

    def _has_another_after_the_next(self) -> bool:
        trainer = self.trainer
        left = trainer.num_training_batches - self.batch_progress.current.ready
        return left > 1 and not trainer.received_sigterm and not trainer.should_stop

    def _step(self, data_fetcher: _DataFetcher) -> None:
        trainer, counts = self.trainer, self.automatic_optimization.optim_progress.optimizer
        batch, _, _ = next(data_fetcher)
        batch = trainer.precision_plugin.convert_input(batch)
        if self._moves:
            batch = trainer.strategy.batch_to_device(batch)
        self.batch_progress.increment_ready()
        self.batch_progress.increment_started()
        counts.step.increment_ready()
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        self._take_or_repeat(batch)
        counts.zero_grad.increment_completed()
        counts.step.increment_completed()
        self.batch_progress.increment_processed()
        self.update_lr_schedulers("step", update_plateau_schedulers=False)
        self.batch_progress.increment_completed()
        self._batches_that_stepped += 1

    def _take_or_repeat(self, batch) -> None:
        if self._captured is None:
            self._take(batch)
            return
        try:
            self._captured(batch)
        except NotCaptured as error:
            self._give_up(f"recording one ended in {error}")
            self._take(batch)

    def _take(self, batch) -> None:
        trainer = self.trainer
        optimiser = trainer.strategy.optimizers[0]
        loss = trainer.strategy.training_step(batch, self.batch_idx)
        assert isinstance(loss, torch.Tensor)
        optimiser.zero_grad()
        loss.backward()
        trainer.lightning_module.configure_gradient_clipping(
            optimiser, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
        )
        optimiser.step()
