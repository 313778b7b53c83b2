"""Lightning's loop over the batches of an epoch, without the calls that nothing listens to."""

from collections.abc import Iterable

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.fetchers import _DataFetcher
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden

PER_STEP = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)
"""Hooks of a callback that Lightning calls in every step."""


def be_lean(engine: pl.Trainer, callbacks: Iterable[pl.Callback] = ()) -> None:
    """Let a trainer take plain steps wherever they are all that Lightning would do.

    Weights, logs, checkpoints and counts are the same to the last bit. Everything else stays with Lightning: the last
    step of every epoch with the validation after it, that after a signal, and every step of several processes, with
    gradients that are clipped, accumulated or scaled, or with a callback, a profiler or a limit that looks at steps.

    Args:
        engine: trainer of a module that overrides no hook of a step and logs nothing there.
        callbacks: callbacks of the trainer that may look at steps.
    """
    loop = engine.fit_loop.epoch_loop
    if not any(is_overridden(hook, callback, parent=pl.Callback) for callback in callbacks for hook in PER_STEP):
        engine.fit_loop.epoch_loop = LeanEpochLoop(engine, loop.min_steps, loop.max_steps)


class LeanEpochLoop(_TrainingEpochLoop):
    """Steps of an epoch: batch, loss, gradient, optimiser, schedule, and Lightning's own counts of them."""

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Take plain steps up to the last of the epoch, and that as Lightning does."""
        if not self.restarting and self._has_plain_steps():
            while self._has_another_after_the_next():
                self._step(data_fetcher)
        super().advance(data_fetcher)

    def _has_plain_steps(self) -> bool:
        """Return whether Lightning would do nothing but step."""
        trainer, precision = self.trainer, self.trainer.precision_plugin
        return (
            type(trainer.strategy) is SingleDeviceStrategy
            and not (isinstance(precision, MixedPrecision) and precision.scaler is not None)
            and isinstance(trainer.profiler, PassThroughProfiler)  # pyright: ignore[reportAttributeAccessIssue]
            and trainer.accumulate_grad_batches == 1
            and not trainer.gradient_clip_val
            and self.max_steps == -1
            and trainer.val_check_batch == trainer.num_training_batches
            and trainer.check_val_every_n_epoch is not None
        )

    def _has_another_after_the_next(self) -> bool:
        trainer = self.trainer
        left = trainer.num_training_batches - self.batch_progress.current.ready
        return left > 1 and not trainer.received_sigterm and not trainer.should_stop

    def _step(self, data_fetcher: _DataFetcher) -> None:
        trainer, strategy = self.trainer, self.trainer.strategy
        optimiser, counts = strategy.optimizers[0], self.automatic_optimization.optim_progress.optimizer
        batch, _, _ = next(data_fetcher)
        batch = strategy.batch_to_device(trainer.precision_plugin.convert_input(batch))
        self.batch_progress.increment_ready()
        self.batch_progress.increment_started()
        counts.step.increment_ready()
        loss = strategy.training_step(batch, self.batch_idx)
        assert isinstance(loss, torch.Tensor)
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        optimiser.zero_grad()
        counts.zero_grad.increment_completed()
        loss.backward()
        optimiser.step()
        counts.step.increment_completed()
        self.batch_progress.increment_processed()
        self.update_lr_schedulers("step", update_plateau_schedulers=False)
        self.batch_progress.increment_completed()
        self._batches_that_stepped += 1
