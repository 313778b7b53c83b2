"""Batches of resident configurations for a trainer of Lightning."""

import pytorch_lightning as pl
import torch

from vae_mf.checks import require_integer
from vae_mf.datamodule import DataSplit, EpochBatches
from vae_mf.models.tensors import Batch
from vae_mf.rng import integer

VALIDATED = 2**21
"""Sites that are validated together: more would take more memory than a gradient step."""


class SpinDataModule(pl.LightningDataModule):
    """Feeds a `DataSplit` to a trainer; epoch e is shuffled by (seed, e), so a resumed run sees the same batches.

    Processes of a distributed run hold a part of the rows each, which they shuffle; the batch size is that of each.

    Raises:
        ValueError: ``batch_size`` is not a positive integer.
    """

    def __init__(self, data: DataSplit, batch_size: int, seed: int):
        super().__init__()
        self.data = data
        self.batch_size = require_integer("batch_size", batch_size)
        self.seed = seed

    def setup(self, stage: str) -> None:
        """Move the configurations that a training reads to its device, once; of several processes each its part."""
        if self.trainer is not None:
            parts = self.data.share(self.trainer.global_rank, self.trainer.world_size)
            self.data = parts.to(self.trainer.strategy.root_device)

    def train_dataloader(self) -> EpochBatches:
        """Return the shuffled batches of the current epoch."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return EpochBatches(self.data.train, self.batch_size, integer(self.seed, "shuffle", epoch))

    def val_dataloader(self) -> EpochBatches:
        """Return the validation set in order, in larger batches."""
        most = max(self.batch_size, VALIDATED // self.data.validation.sites)
        return EpochBatches(self.data.validation, min(4 * self.batch_size, most))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Return the batch as it is: it was made on the device."""
        return batch
