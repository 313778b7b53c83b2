"""Public data by name: downloaded once, their content checked against a pinned checksum, kept in the data folder."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pooch

from vae_mf.checks import require_choice, require_integer
from vae_mf.datasets.files import DataError, about, read_bytes
from vae_mf.datasets.readers.images import image_raster, read_idx
from vae_mf.datasets.recording import Recording, build_recording
from vae_mf.paths import downloads

TIMEOUT = 30
"""Seconds without an answer after which a server counts as out of reach."""


class PublicFile(NamedTuple):
    """A file that anyone may download.

    Attributes:
        name: Name of the file in the data folder.
        sha256: Checksum of the content, unpacked if it comes compressed with gzip.
        addresses: Addresses of downloads, tried in this order.
        page: Address of a page on which a person finds it.
    """

    name: str
    sha256: str
    addresses: tuple[str, ...]
    page: str


def _mnist(name: str, sha256: str) -> PublicFile:
    servers = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
    return PublicFile(name, sha256, tuple(f"{server}/{name}.gz" for server in servers), servers[0] + f"/{name}.gz")


PUBLIC = {
    # Tkacik et al., PLoS Comput Biol 2014, e1003408: (297 repeats, 160 cells, 953 bins of 20 ms).
    "retina": PublicFile(
        "bint_fishmovie32_100.mat",
        "50fa85a05950b76033809c8468f70c91fcd0c76d04587a685c1b76085f7f4dae",
        ("doi:10.6084/m9.figshare.5009840.v1/bint_fishmovie32_100.mat",),
        "https://doi.org/10.15479/AT:ISTA:61",
    ),
    "mnist_images": _mnist(
        "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "mnist_labels": _mnist(
        "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
}


def fetch(name: str, folder: str | os.PathLike | None = None) -> Path:
    """Return the path of a public file, downloaded if it is not yet in the data folder.

    >>> from vae_mf.datasets import read_recording
    >>> path = fetch("retina")  # doctest: +SKIP
    >>> read_recording(path, variables=60).rows.shape  # doctest: +SKIP
    (283041, 60)

    Args:
        name: "retina", "mnist_images" or "mnist_labels".
        folder: folder of the file; None for the data folder.

    Raises:
        ValueError: The name is not known.
        DataError: A file of that name is in the folder, with other content.
        ConnectionError: No server answers, or with other content; the sentence says how to do it by hand.
    """
    require_choice("name", name, PUBLIC)
    return fetch_file(PUBLIC[name], downloads() if folder is None else Path(folder))


def fetch_file(public: PublicFile, folder: Path) -> Path:
    """Return the path of a public file in a folder, as `fetch` does; put there by hand it may be compressed."""
    path = folder / public.name
    for placed in (path, path.with_name(f"{public.name}.gz")):
        if placed.exists():
            with about(placed):
                require_content(placed, public.sha256)
            return placed
    reason: Exception | None = None
    for address in public.addresses:
        try:
            downloaded = pooch.retrieve(address, f"sha256:{public.sha256}", public.name, folder, downloader=download)
        # Servers out of reach are OSErrors of requests; other content and unknown records are ValueErrors of pooch.
        except (OSError, ValueError) as error:
            reason = error
        else:
            return Path(downloaded)
    tried = " and ".join(public.addresses)
    raise ConnectionError(
        f"{public.name}: expected to download it from {tried}, got no such file: get it from {public.page} by another "
        f"way and put it at {path}"
    ) from reason


def require_content(path: Path, sha256: str) -> None:
    """Raise DataError unless the content of a file, unpacked if it is compressed with gzip, has this checksum."""
    found = hashlib.sha256(read_bytes(path)).hexdigest()
    if found != sha256:
        raise DataError(
            f"expected the published content, sha256 {sha256[:12]}..., got {found[:12]}...: delete the file"
        )


def download(address: str, path: str, pooch_object: Any) -> None:
    """Download a file for pooch, and unpack it if it is compressed, so that pooch checks its content."""
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT) if address.startswith("http") else pooch.DOIDownloader()
    downloader(address, path, pooch_object)
    content = read_bytes(Path(path))
    Path(path).write_bytes(content)


def read_mnist(
    digit: Any, variables: Any = "all", threshold: Any = "otsu", folder: str | os.PathLike | None = None
) -> Recording:
    """Return the training images of one digit, a variable for each pixel that changes.

    >>> recording = read_mnist(8, variables=200)  # doctest: +SKIP
    >>> recording.rows.shape  # doctest: +SKIP
    (5851, 200)

    Args:
        digit: digit from 0 to 9.
        variables: Pixels to keep, see `make_recording`; "row,column" names one.
        threshold: Grey level above which a pixel counts as 1, see `binarise`.
        folder: folder of the images; None for the data folder.

    Raises:
        ValueError: An argument is out of range.
        ConnectionError: The images are not in the data folder and cannot be downloaded.
    """
    if require_integer("digit", digit, minimum=0) > 9:
        raise ValueError(f"digit: expected a digit from 0 to 9, got {digit}")
    images, labels = (read_idx(fetch(f"mnist_{part}", folder)) for part in ("images", "labels"))
    chosen = np.ascontiguousarray(images[labels == digit])
    return build_recording(
        image_raster(chosen, threshold, f"MNIST, {len(chosen)} images of the digit {digit}"), variables
    )
