"""Trained models of this project by name: fetched once, their checksum pinned, verified by their own likelihoods."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import url2pathname

import numpy as np
import pooch

from vae_mf.checks import require_choice
from vae_mf.files import SEAL, WEIGHTS, sha256, write_whole
from vae_mf.paths import checkout, downloads
from vae_mf.runs.folder import CONFIG, RECORD

if TYPE_CHECKING:
    from vae_mf.analysis.trained_model import TrainedModel

PREFIX = "zoo:"
"""Beginning of the name of a model in `vae_mf.load`."""
PLACE = "VAE_MF_ZOO"
"""Environment variable with the folder or the address of a release."""
CARDS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("zoo.json").read_text(encoding="utf-8"))
"""Names of the models with the checksum of each archive, one sentence, the command that trains it and its metrics."""
CHECK = "check.npz"
"""File of a model with configurations, their temperature and the log-likelihoods that it gives them."""
FILES = (CONFIG, RECORD, "metrics.json", WEIGHTS, SEAL, CHECK)
"""Files of an unpacked model; if one is gone all are fetched again. A name is no reason to import pandas."""
DRAWS = 64
"""Draws of z behind a log-likelihood of the check."""
TOLERANCE = 1e-3
"""Largest deviation of a log-likelihood, as a share of itself, that another machine may cause."""


def unpacked(name: str) -> Path:
    """Return the folder of a model of the zoo, fetched and unpacked if it is not yet in the data folder.

    Args:
        name: name of the model, without "zoo:".

    Raises:
        ValueError: There is no such model, or its archive is not the one that was released.
        FileNotFoundError: No archive is at hand; the sentence says where it may lie.
        ConnectionError: The address in ``VAE_MF_ZOO`` does not answer.
    """
    require_choice("folder", name, CARDS)
    digest = CARDS[name]["sha256"]
    folder = downloads() / "zoo" / f"{name}-{digest[:10]}"
    if not all((folder / file).exists() for file in FILES):
        content = archive(name)
        if sha256(content) != digest:
            raise ValueError(f"{PREFIX}{name}: expected the released archive, sha256 {digest[:12]}..., got another one")
        unpack(content, folder)
    return folder


def archive(name: str) -> bytes:
    """Return the archive of a model, from ``VAE_MF_ZOO``, the data folder or a checkout of the project."""
    place = folder_of_archives(os.environ.get(PLACE, "").strip())
    if "://" in place:
        return downloaded(f"{place}/{name}.zip")
    root = checkout()
    folders = [Path(place).expanduser()] if place else [downloads() / "zoo", *([root / "docs" / "zoo"] if root else [])]
    found = next((path for folder in folders if (path := folder / f"{name}.zip").is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"{PREFIX}{name}: expected {name}.zip in {' or '.join(map(str, folders))}, got none: put it there, or let "
            f"the environment variable {PLACE} name the folder or the address of a release"
        )
    return found.read_bytes()


def folder_of_archives(place: str) -> str:
    """Return the folder or the address that is meant, an archive standing for the place it lies in.

    >>> folder_of_archives("https://example.org/zoo/hopfield.zip"), folder_of_archives("file:///srv/my%20zoo")
    ('https://example.org/zoo', '/srv/my zoo')

    Raises:
        ValueError: The address is one that nothing is downloaded from.
    """
    scheme, separator, rest = place.rstrip("/").partition("://")
    if separator and scheme not in ("http", "https", "file"):
        raise ValueError(f"{PLACE}: expected a folder or an address with http, https or file, got {place}")
    folder = url2pathname(rest.removeprefix("localhost")) if separator and scheme == "file" else place.rstrip("/")
    return folder.rpartition("/")[0] or "." if folder.lower().endswith(".zip") else folder


def downloaded(address: str) -> bytes:
    """Return the content of an address.

    Raises:
        ConnectionError: It does not answer.
    """
    place = downloads() / "zoo"
    pooch.get_logger().setLevel("WARNING")  # it advises to note the checksum, which is pinned already
    try:
        path = pooch.retrieve(address, None, path=place, downloader=pooch.HTTPDownloader(timeout=30))
    except (OSError, ValueError) as error:
        raise ConnectionError(f"{PLACE}: expected a model at {address}, got none: {error}") from error
    content = Path(path).read_bytes()
    Path(path).unlink()
    return content


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a released archive into a folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files.namelist():
            write_whole(folder / Path(name).name, files.read(name))


def require_its_likelihoods(model: "TrainedModel", folder: Path) -> None:
    """Raise ValueError unless a model gives the configurations of its check the likelihoods of its release."""
    with np.load(folder / CHECK, allow_pickle=False) as check:
        expected = check["log_likelihood"]
        found = model.log_likelihood(check["configurations"], float(check["temperature"]), DRAWS)
    worst = float(np.abs(found / expected - 1).max())
    if not worst < TOLERANCE:
        raise ValueError(
            f"{folder}: expected the log-likelihoods of the release within {TOLERANCE:.1%}, got some {worst:.1%} off: "
            "delete the folder, and it is fetched again"
        )
