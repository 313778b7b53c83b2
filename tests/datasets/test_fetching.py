"""Public files by name: checked content, a download from a server of our own, clear words without a network."""

import gzip
import hashlib
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from helpers.bad_files import idx
from hydra.utils import instantiate

from vae_mf.datasets.fetching import PUBLIC, PublicFile, fetch, fetch_file, read_mnist
from vae_mf.datasets.files import DataError
from vae_mf.paths import DOWNLOADS

CONTENT = b"spikes" * 100
CLOSED = "http://127.0.0.1:9/words.mat"
"""A port of this machine at which nothing listens."""
RETINA, MNIST = os.environ.get("VAE_MF_RETINA"), os.environ.get("VAE_MF_MNIST")


class Quiet(SimpleHTTPRequestHandler):
    """A server that logs nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """Serve a folder; return it and its address."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def public(*addresses, content=CONTENT):
    return PublicFile("words.mat", hashlib.sha256(content).hexdigest(), addresses, "https://example.org/words")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_downloaded_once_checked_and_unpacked(server, tmp_path, packed):
    folder, address = server
    (folder / "words").write_bytes(gzip.compress(CONTENT, mtime=0) if packed else CONTENT)
    path = fetch_file(public(f"{address}/words"), tmp_path / "data")
    assert path == tmp_path / "data" / "words.mat"
    assert path.read_bytes() == CONTENT
    (folder / "words").unlink()
    assert fetch_file(public(f"{address}/words"), tmp_path / "data") == path
    assert list(path.parent.iterdir()) == [path]


def test_the_next_address_is_tried_when_one_fails(server, tmp_path):
    folder, address = server
    (folder / "words").write_bytes(CONTENT)
    (folder / "other").write_bytes(b"other")
    addresses = (CLOSED, f"{address}/missing", f"{address}/other", f"{address}/words")
    assert fetch_file(public(*addresses), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("served", ["nothing", "other content"])
def test_without_the_file_the_sentence_says_where_to_put_it(server, tmp_path, served):
    folder, address = server
    (folder / "words").write_bytes(b"other")
    wanted = CLOSED if served == "nothing" else f"{address}/words"
    with pytest.raises(ConnectionError) as error:
        fetch_file(public(wanted), tmp_path / "data")
    said = str(error.value)
    assert said.startswith(f"words.mat: expected to download it from {wanted}")
    assert "get it from https://example.org/words" in said
    assert said.endswith(f"put it at {tmp_path / 'data' / 'words.mat'}")
    assert not list(tmp_path.rglob("data/*"))


@pytest.mark.parametrize("name", ["words.mat", "words.mat.gz"])
def test_a_file_put_there_by_hand_is_used_and_never_overwritten(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(CONTENT, mtime=0) if name.endswith("gz") else CONTENT)
    assert fetch_file(public(CLOSED), tmp_path) == path
    path.write_bytes(b"an older version")
    with pytest.raises(DataError, match=rf"{name}: expected the published content, sha256 .*: delete the file"):
        fetch_file(public(CLOSED), tmp_path)
    assert path.read_bytes() == b"an older version"


def test_names_are_known_and_the_folder_may_be_named_by_the_environment(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="name: expected one of retina, mnist_images, mnist_labels, got 'cortex'"):
        fetch("cortex")
    monkeypatch.setitem(PUBLIC, "retina", public())
    (tmp_path / "words.mat").write_bytes(CONTENT)
    monkeypatch.setenv(DOWNLOADS, str(tmp_path))
    assert fetch("retina") == tmp_path / "words.mat"


def test_the_images_of_a_digit_become_words(tmp_path, monkeypatch):
    random = np.random.default_rng(4)
    labels, images = np.arange(200) % 10, random.integers(0, 2, (200, 2, 3)) * 255
    images[:, 0, 1] = 0
    for part, values in (("images", images), ("labels", labels)):
        content = idx(values)
        found = public(content=content)._replace(name=PUBLIC[f"mnist_{part}"].name)
        monkeypatch.setitem(PUBLIC, f"mnist_{part}", found)
        (tmp_path / f"{found.name}.gz").write_bytes(gzip.compress(content, mtime=0))
    recording = read_mnist(8, folder=tmp_path)
    assert recording.names == ("0,0", "0,2", "1,0", "1,1", "1,2")
    np.testing.assert_array_equal(recording.rows > 0, images[8::10].reshape(20, 6)[:, [0, 2, 3, 4, 5]] > 0)
    np.testing.assert_array_equal(recording.repeat, np.arange(20))
    assert not recording.time.any()
    assert any("1 variables never change and were left out: 0,1" in remark for remark in recording.remarks)
    for digit in (10, -1, "8"):
        with pytest.raises(ValueError, match="digit: expected"):
            read_mnist(digit, folder=tmp_path)


def test_a_recording_can_be_asked_for_by_name_and_its_run_does_not_depend_on_the_folder(
    compose_config, tmp_path, monkeypatch
):
    config = compose_config("train", "experiment=retina", "dataset=retina", "dataset.variables=2")
    before = config.run.digest
    content = np.random.default_rng(5).integers(0, 2, (50, 3)).astype(np.uint8)
    np.save(tmp_path / "words.npy", content)
    held = public(content=(tmp_path / "words.npy").read_bytes())._replace(name="words.npy")
    monkeypatch.setitem(PUBLIC, "retina", held)
    monkeypatch.setenv(DOWNLOADS, str(tmp_path))
    recording = instantiate(config.dataset.read)
    assert recording.rows.shape == (50, 2)
    assert len(instantiate(config.dataset.split)(recording).test) == 5
    assert compose_config("train", "experiment=retina", "dataset=retina", "dataset.variables=2").run.digest == before
    assert compose_config("train", "experiment=retina", "dataset=mnist8").run.digest != before


@pytest.mark.skipif(RETINA is None, reason="VAE_MF_RETINA does not name the salamander recording")
def test_the_salamander_recording_has_the_pinned_checksum():
    path = Path(str(RETINA))
    assert fetch("retina", path.parent) == path


@pytest.mark.skipif(MNIST is None, reason="VAE_MF_MNIST does not name the folder of MNIST")
def test_the_eights_of_mnist():
    recording = read_mnist(8, folder=str(MNIST))
    assert recording.rows.shape[0] == 5851
    assert recording.rows.shape[1] + sum(int(r.split()[0]) for r in recording.remarks if "left out" in r) == 784
