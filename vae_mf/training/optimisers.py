"""Optimisers whose step is one kernel, for modules under Lightning."""

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.types import Optimizable
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.utilities.enums import GradClipAlgorithmType


class FusedModule(pl.LightningModule):
    """A module whose optimiser takes its whole step in one kernel."""

    def can_fuse(self) -> bool:
        """Return False where gradients are scaled and clipped: they would be clipped before the kernel unscales them.

        >>> FusedModule().can_fuse()
        True
        """
        trainer = self._trainer  # None where the module is used by itself, for which the public name raises
        if trainer is None or not trainer.gradient_clip_val:
            return True
        precision = trainer.precision_plugin
        return not (isinstance(precision, MixedPrecision) and precision.scaler is not None)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizable,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients without waiting for them; Lightning refuses it for such a kernel in bfloat16, without need."""
        assert isinstance(optimizer, torch.optim.Optimizer)
        algorithm = GradClipAlgorithmType(gradient_clip_algorithm or GradClipAlgorithmType.NORM)
        Precision.clip_gradients(self.trainer.precision_plugin, optimizer, gradient_clip_val or 0.0, algorithm)
