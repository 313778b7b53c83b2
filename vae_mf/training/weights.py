"""Weights on disk: Lightning's checkpoints in, safetensors out; loading either runs no pickled code."""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from vae_mf.files import DAMAGED, replacing, whole

DIGEST = "sha256"
"""Entry of that file with the digest of the weights; files of earlier versions have none."""
OWN = "vae_mf"
"""Entry of a checkpoint with a digest of its training and its name; those of earlier versions have none."""


def load_checkpoint(module: nn.Module, path: Path, training: str = "") -> None:
    """Load the weights of a Lightning checkpoint into the module it was made from.

    Args:
        module: the module.
        path: the checkpoint.
        training: see `read_checkpoint`.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        ValueError: if it is cut, or of another architecture or training.
    """
    require_file("checkpoint", path)
    state = read_checkpoint(path, training)["state_dict"]
    require_same_architecture(path, module.state_dict(), state)
    module.load_state_dict(state)


def read_checkpoint(path: Path, training: str = "") -> dict[str, Any]:
    """Return the content of a Lightning checkpoint.

    Args:
        path: the checkpoint.
        training: digest of the training that it has to be of; empty for any.

    Raises:
        ValueError: if the file is cut or damaged, as a copy can be, or holds more than weights and plain values, or is
            another checkpoint.
    """
    content = loaded(path)
    own = content.get(OWN, [training, path.name]) if isinstance(content, dict) else None
    if own is None or "state_dict" not in content or (training and own != [training, path.name]):
        raise ValueError(
            f"{path}: expected the checkpoint of this name and training, got another, of other rows, batches or "
            "settings: give those that it began with, copy it again, or remove it to train from the start"
        )
    return content


def loaded(path: Path) -> Any:
    """Return what a checkpoint holds; raises as `read_checkpoint`."""
    try:
        require_checksums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError:
        raise
    except UnpicklingError as error:
        raise ValueError(
            f"{path}: expected a checkpoint of weights and plain values, got a file that is damaged or holds other "
            "objects, which could run code and are not loaded: copy it again, or remove it to train from the start"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"{path}: expected a whole checkpoint, got a file of {path.stat().st_size} bytes that is cut or damaged: "
            "copy it again, or remove it to train from the start"
        ) from error


def require_checksums(path: Path) -> None:
    """Raise RuntimeError if a part of a checkpoint, a zip archive, has another checksum, which torch does not see."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            try:
                damaged = archive.testzip()
            except zipfile.BadZipFile as error:
                raise RuntimeError(str(error)) from error
        if damaged is not None:
            raise RuntimeError(f"{damaged} has another checksum")


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model as safetensors, in one step.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(nn.Linear(2, 1), Path(folder, "model.safetensors"))
    ...     load_weights(nn.Linear(3, 1), Path(folder, "model.safetensors"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: ...: expected the weights of this architecture, got another one: weight (1, 3) but (1, 2)
    """
    state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with replacing(path) as place:
        save_file(state, place, metadata={DIGEST: weights_digest(state)})


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights that `save_weights` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if they are damaged or of another architecture.
    """
    require_file("weights", path)
    state = read_weights(path)
    require_same_architecture(path, model.state_dict(), state)
    model.load_state_dict(state)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return weights that `save_weights` wrote.

    Raises:
        ValueError: if they are damaged.
    """
    with whole(path, SafetensorError):
        state = load_file(path)
        with safe_open(path, framework="pt") as file:
            digest = (file.metadata() or {}).get(DIGEST)
    if digest is not None and weights_digest(state) != digest:
        raise ValueError(f"{path}: expected the weights that were written, got others: {DAMAGED}")
    return state


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return the digest of weights, by their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        array = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def require_same_architecture(
    path: Path, expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> None:
    """Raise ValueError unless both have the same names and shapes, saying which differ."""
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (expected, found)]
    differing = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
    if differing:
        shown = ", ".join(f"{name} {shapes[0].get(name)} but {shapes[1].get(name)}" for name in differing[:5])
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise ValueError(f"{path}: expected the weights of this architecture, got another one: {shown}{more}")


def require_file(name: str, path: Path) -> None:
    """Raise FileNotFoundError unless ``path`` is a file."""
    if not path.is_file():
        raise FileNotFoundError(f"{name}: expected a file at {path}, found none")
