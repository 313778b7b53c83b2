"""The zoo: released models open by name, are the released ones, and whatever else lies there is refused."""

import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from helpers import PROJECT_ROOT

import vae_mf
from vae_mf.files import SEAL, sha256
from vae_mf.runs import zoo

RELEASE = PROJECT_ROOT / "docs" / "zoo"


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """An empty data folder, and no place of a release but the checkout."""
    monkeypatch.setenv("VAE_MF_DATA", str(tmp_path / "data"))
    monkeypatch.delenv(zoo.PLACE, raising=False)
    return tmp_path / "data"


@pytest.mark.parametrize("name", zoo.CARDS)
def test_a_released_model_opens_and_gives_the_likelihoods_of_its_release(name, data_folder):
    model = vae_mf.load(f"zoo:{name}", device="cpu")
    temperature = model.temperatures[0]
    drawn = model.sample(temperature, 5)
    assert np.isfinite(model.log_likelihood(drawn, temperature)).all()
    (folder,) = (data_folder / "zoo").iterdir()
    assert (
        f"`vae-mf train {zoo.CARDS[name]['command'].removeprefix('vae-mf train ')}`" in (folder / "CARD.md").read_text()
    )


def test_the_release_is_small_and_names_no_machine():
    archives = list(RELEASE.glob("*.zip"))
    assert {path.stem for path in archives} == set(zoo.CARDS)
    assert sum(path.stat().st_size for path in archives) < 20e6
    for path in archives:
        with zipfile.ZipFile(path) as files:
            assert {"config.yaml", "run.json", "model.safetensors", "metrics.json", zoo.CHECK, "CARD.md", SEAL} == set(
                files.namelist()
            )
            text = b"".join(files.read(name) for name in files.namelist() if name.endswith((".yaml", ".json", ".md")))
        assert b"/tmp" not in text
        assert b"/home" not in text
        assert b"machine" not in text


def test_an_unknown_name_is_told_the_others():
    with pytest.raises(ValueError, match=r"expected one of curie_weiss, .*, got 'hopfeld'"):
        vae_mf.load("zoo:hopfeld")


def test_a_release_is_found_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.PLACE, str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"expected hopfield.zip in .*VAE_MF_ZOO name the folder or the address"
    ):
        vae_mf.load("zoo:hopfield")
    archive = tmp_path / "hopfield.zip"
    archive.write_bytes((RELEASE / "hopfield.zip").read_bytes())
    for place in (tmp_path, archive, f"{tmp_path.as_uri()}/", archive.as_uri()):
        monkeypatch.setenv(zoo.PLACE, str(place))
        assert zoo.archive("hopfield") == archive.read_bytes()
    monkeypatch.setenv(zoo.PLACE, "ftp://somewhere")
    with pytest.raises(ValueError, match="VAE_MF_ZOO: expected a folder or an address with http"):
        zoo.archive("hopfield")


def test_a_file_is_no_data_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAE_MF_DATA", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"VAE_MF_DATA: expected a folder for downloads, got the file .*file"):
        vae_mf.load("zoo:hopfield")


def test_a_release_is_downloaded_from_an_address(monkeypatch):
    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(RELEASE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(zoo.PLACE, f"http://127.0.0.1:{server.server_port}/")
        assert vae_mf.load("zoo:curie_weiss").latents == 1
        server.shutdown()
    monkeypatch.setenv(zoo.PLACE, f"http://127.0.0.1:{server.server_port}/")
    with pytest.raises(ConnectionError, match="VAE_MF_ZOO: expected a model at http"):
        vae_mf.load("zoo:hopfield")
    assert vae_mf.load("zoo:curie_weiss").latents == 1  # from the data folder


def test_another_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.PLACE, str(tmp_path))
    (tmp_path / "hopfield.zip").write_bytes((RELEASE / "curie_weiss.zip").read_bytes())
    with pytest.raises(ValueError, match="expected the released archive"):
        vae_mf.load("zoo:hopfield")


def test_a_model_with_other_likelihoods_is_refused(tmp_path, monkeypatch):
    changed = io.BytesIO()
    with zipfile.ZipFile(RELEASE / "hopfield.zip") as files, zipfile.ZipFile(changed, "w") as packing:
        for name in set(files.namelist()) - {SEAL}:
            content = files.read(name)
            if name == zoo.CHECK:
                values = dict(np.load(io.BytesIO(content)))
                values["log_likelihood"][3] *= 1.002
                buffer = io.BytesIO()
                np.savez(buffer, **values)
                content = buffer.getvalue()
            packing.writestr(name, content)
    (tmp_path / "hopfield.zip").write_bytes(changed.getvalue())
    monkeypatch.setenv(zoo.PLACE, str(tmp_path))
    monkeypatch.setitem(zoo.CARDS, "hopfield", {"sha256": sha256(changed.getvalue())})
    with pytest.raises(ValueError, match=r"got some 0\.2% off"):
        vae_mf.load("zoo:hopfield")


def test_a_damaged_unpacked_file_is_noticed(data_folder):
    vae_mf.load("zoo:hopfield")
    (folder,) = (data_folder / "zoo").iterdir()
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 0x40
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"zoo:hopfield: expected the files of its release in .*: delete the folder"):
        vae_mf.load("zoo:hopfield")


@pytest.mark.parametrize("lost", zoo.FILES)
def test_a_model_that_was_not_unpacked_whole_is_fetched_again(lost, data_folder):
    vae_mf.load("zoo:hopfield")
    (folder,) = (data_folder / "zoo").iterdir()
    (folder / lost).unlink()
    assert vae_mf.load("zoo:hopfield").latents == 3
    assert (folder / lost).exists()
