"""The device that computes: CUDA where there is one, else the processor, and nothing that is not tested."""

import torch

from vae_mf.memory import available_memory

AUTO = "auto"


def device_of(name: str | torch.device) -> torch.device:
    """Return a device by its name.

    Args:
        name: "auto" for CUDA where there is one and else the processor, "cpu", "cuda", or one of several, "cuda:1".

    Raises:
        ValueError: if it is no such name, or there is no such device.

    >>> device_of("cpu")
    device(type='cpu')
    >>> device_of("gpu")
    Traceback (most recent call last):
    ValueError: device: expected "auto", "cpu", "cuda" or "cuda:1" and so on, got 'gpu'
    """
    if name == AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise ValueError(f'device: expected "auto", "cpu", "cuda" or "cuda:1" and so on, got {name!r}')
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        raise ValueError(f"device: expected one of this machine, which has {count} CUDA devices, got {str(name)!r}")
    return device


def free_memory(device: torch.device) -> int:
    """Return the bytes of a device that are free to this process, among them those that torch holds in reserve."""
    if device.type != "cuda":
        return available_memory()
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def require_memory_of(device: torch.device, name: str, needed: int, advice: str) -> None:
    """Raise ValueError if work of about ``needed`` bytes is more than what a device has free.

    Args:
        device: device of the work.
        name: name of the work.
        needed: bytes at the peak of the work, beside those that are in use.
        advice: advice for those who have less.
    """
    free = free_memory(device)
    if needed > free:
        raise ValueError(
            f"{name}: expected work that fits into the memory of {device}, of which {free / 1e9:.3g} GB are free, got "
            f"{needed / 1e9:.3g} GB: {advice}"
        )


def accelerator_of(name: object) -> object:
    """Return Lightning's name of the device that "auto" stands for, and any other name as it is.

    Its own "auto" prefers a TPU and Apple's GPU.

    >>> accelerator_of("cpu")
    'cpu'
    """
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == AUTO else name
