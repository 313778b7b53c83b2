"""Recordings of configurations; apart from other parts, which take long to import."""

from typing import Any

from omegaconf import DictConfig

from vae_mf.datasets.recording import Recording
from vae_mf.runs.instantiate import instantiate


def build_recording(dataset: DictConfig, **more: Any) -> Recording:
    """Read the recording that a data set is.

    Args:
        dataset: configuration of the data set.
        more: further arguments of its reader.

    Raises:
        ValueError: if it is none, such as samples at several temperatures.
    """
    recording = instantiate(dataset.read, **more)
    if not isinstance(recording, Recording):
        got = f"{type(recording).__name__} of {dataset.read._target_}"
        raise ValueError(
            f"dataset: expected a recording, got {got}; vae-mf train takes samples at several temperatures"
        )
    return recording
