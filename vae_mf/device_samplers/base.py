"""Base of the samplers on a device: their device, what is compiled for it, and how arrays get there."""

from abc import abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from inspect import unwrap

import numpy as np
import torch

from vae_mf.models.devices import AUTO, device_of, require_memory_of
from vae_mf.samplers.base import SystemSampler
from vae_mf.systems.base import System

SITES = 2**23
"""Sites advanced together: enough to fill a device."""
ADVICE = "leave it to fewer threads, to a sampler of the processor, or wait for other work on the device"


class DeviceSampler(SystemSampler):
    """Base of the samplers that compute with torch; chains differ between devices by rounding alone, see each.

    >>> from vae_mf.device_samplers import DeviceMultispin
    >>> from vae_mf.systems import Ising2D
    >>> sampler = DeviceMultispin(Ising2D(4), device="cpu")
    >>> isinstance(sampler, DeviceSampler), sampler.device, sampler.sites
    (True, device(type='cpu'), 16)

    Args:
        system: system to sample.
        device: "auto" for CUDA where there is one and else the processor, "cpu", "cuda", or one of several, "cuda:1".

    Raises:
        ValueError: if the sampler does not serve such a system, or there is no such device.
    """

    def __init__(self, system: System, device: str | torch.device = AUTO):
        super().__init__(system)
        self.device = device_of(device)

    @property
    def group(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Chains advanced together; what a chain draws does not depend on it."""
        return max(64, SITES // self.sites)

    @abstractmethod
    def bytes_of(self, chains: int) -> int:
        """Return about the bytes that so many chains, advanced together, take of the device at their peak."""

    def bytes_at_once(self, chains: int, threads: int) -> int:
        """Return about the bytes of the device that so many chains take, advanced in groups, one to a thread."""
        size = min(chains, self.group)
        return min(threads, -(-chains // size)) * self.bytes_of(size)

    def require_memory(self, chains: int, threads: int) -> None:
        """Raise ValueError if so many chains take more than the device has free."""
        require_memory_of(self.device, self.name, self.bytes_at_once(chains, threads), ADVICE)


def fused(function: Callable, device: torch.device) -> Callable:
    """Return a function of tensors, compiled to few kernels on CUDA where there is Triton, and elsewhere as it is."""
    if device.type != "cuda" or find_spec("triton") is None:
        return function
    return torch.compile(unwrap(function), fullgraph=True)


def placed(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on a device, words of uint64 as int64; the processor does not wait for the copy."""
    signed = array.view(np.int64) if array.dtype == np.uint64 else array
    return torch.from_numpy(np.ascontiguousarray(signed)).to(device, non_blocking=True)
