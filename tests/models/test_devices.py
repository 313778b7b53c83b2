"""The device that computes, by its name."""

import pytest
import torch

from vae_mf.models.devices import accelerator_of, device_of


@pytest.mark.parametrize(("found", "kind"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_cuda_or_the_processor_whatever_else_there_is(monkeypatch, found, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_of("auto").type == kind
    assert accelerator_of("auto") == kind


@pytest.mark.parametrize("name", ["mps", "gpu", "meta", "cuda:x", "cpu:1", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match=r'device: expected "auto", "cpu", "cuda" or "cuda:1" and so on, got'):
        device_of(name)


def test_devices_that_are_not_there_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="which has 2 CUDA devices, got 'cuda:2'"):
        device_of("cuda:2")
