"""Batches that a trainer of Lightning is fed with: an order of its own for every epoch, on the device."""

from types import SimpleNamespace

import pytest
import torch
from helpers.numbered_rows import numbered_set, rows_of

from vae_mf.datamodule import DataSplit
from vae_mf.training.data_feed import SpinDataModule


def module(trainer=None) -> SpinDataModule:
    module = SpinDataModule(DataSplit(numbered_set(40), numbered_set(9), numbered_set(5)), 4, seed=7)
    module.trainer = trainer
    return module


def at_epoch(epoch: int) -> SpinDataModule:
    return module(SimpleNamespace(current_epoch=epoch, global_rank=0, world_size=1))


def test_every_epoch_has_its_own_reproducible_order():
    orders = [rows_of(at_epoch(epoch).train_dataloader()) for epoch in (0, 1, 2, 1)]
    assert orders[1] == orders[3]
    assert len({tuple(order) for order in orders}) == 3
    assert rows_of(module().train_dataloader()) == orders[0]


def test_validation_comes_whole_in_order_and_in_larger_batches():
    batches = at_epoch(3).val_dataloader()
    assert rows_of(batches) == list(range(9))
    assert batches.batch_size == 9


def test_setup_moves_the_data_to_the_training_device():
    moved = module(
        SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")), global_rank=0, world_size=1)
    )
    moved.setup("fit")
    for part, device in zip(moved.data, ("meta", "meta", "cpu"), strict=True):
        assert part.data.device.type == part.table.device.type == device  # no training reads the test set


def test_a_process_holds_its_part_of_the_rows_alone():
    parts = []
    for rank in range(2):
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        part = module(SimpleNamespace(strategy=strategy, global_rank=rank, world_size=2, current_epoch=0))
        part.setup("fit")
        assert [len(each) for each in part.data] == [20, 4, 5]  # the test set is read by the first process alone
        parts += rows_of(part.train_dataloader())
    assert sorted(parts) == list(range(40))


def test_a_batch_is_made_on_the_device_and_stays_there():
    batch = numbered_set(3).batch(torch.arange(3))
    assert module().transfer_batch_to_device(batch, torch.device("meta"), 0) is batch


@pytest.mark.parametrize("size", [0, -3, True])
def test_the_batch_size_is_checked(size):
    with pytest.raises(ValueError, match="batch_size: expected an integer >= 1"):
        SpinDataModule(module().data, size, seed=1)
