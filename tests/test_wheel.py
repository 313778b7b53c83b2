"""The wheel: everything that an installation needs and nothing else."""

import importlib
import os
import pwd
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import PROJECT_ROOT
from helpers.commands import HOPFIELD, SAMPLING, TRAINING, write_recording
from helpers.discovery import TINY, options

from vae_mf import paths


@pytest.fixture(scope="module")
def shipped() -> set[str]:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    return {file.distribution_path for file in wheel.WheelBuilder(str(PROJECT_ROOT)).recurse_included_files()}


def files(folder: str, *endings: str) -> set[Path]:
    return {
        path.relative_to(PROJECT_ROOT) for path in PROJECT_ROOT.joinpath(folder).rglob("*") if path.suffix in endings
    }


def test_the_wheel_holds_code_types_configurations_and_the_cards_of_the_zoo_and_nothing_else(shipped):
    code = {path.as_posix() for path in files("vae_mf", ".py", ".pyi", ".typed")}
    configurations = {f"vae_mf/{path.as_posix()}" for path in files("conf", ".yaml")}
    assert {"vae_mf/py.typed", "vae_mf/__init__.pyi"} <= code
    assert shipped == code | configurations | {"vae_mf/runs/zoo.json"}


def test_the_console_command_is_a_function_that_exists():
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["vae-mf"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_a_checkout_works_in_the_project(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(paths.DOWNLOADS, raising=False)
    assert paths.configurations() == PROJECT_ROOT / "conf"
    assert paths.workplace() == PROJECT_ROOT
    assert paths.downloads() == PROJECT_ROOT / "data"


def test_an_installation_works_in_the_working_folder_and_downloads_into_the_cache_of_the_user(monkeypatch, tmp_path):
    installed = tmp_path / "site-packages" / "vae_mf"
    monkeypatch.setattr(paths, "PACKAGE", installed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(paths.DOWNLOADS, raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.configurations() == installed / "conf"
    assert paths.workplace() == tmp_path
    assert not paths.downloads().is_relative_to(tmp_path / "site-packages")
    assert paths.downloads().name == "vae_mf"
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    with pytest.raises(ValueError, match="VAE_MF_DATA: expected a folder"):
        paths.downloads()
    monkeypatch.setenv(paths.DOWNLOADS, "elsewhere")
    assert paths.downloads() == Path("elsewhere")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Folder in which the wheel lies unpacked, with the console command in bin/."""
    pytest.importorskip("hatchling")
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", PROJECT_ROOT, "--no-deps", "--no-build-isolation", "-w", place], check=True)
    (wheel,) = place.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", place / "site", wheel], check=True)
    return place / "site"


def listed(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if "__pycache__" not in name}


@pytest.mark.slow
def test_an_installation_works_outside_of_the_project(installed, tmp_path):
    """The commands and the notebook of a stranger, who has no checkout."""
    before = listed(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path / "home")}
    environment = {name: value for name, value in environment.items() if not name.startswith(("XDG", "VAE_MF"))}

    def run(*command: object) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    write_recording(tmp_path / "spikes.npy")
    vae_mf = [sys.executable, installed / "bin" / "vae-mf"]
    small = ["model.latents=2", *HOPFIELD, *TRAINING]
    assert "curie_weiss" in run(
        *vae_mf, "sample", "system=curie_weiss", "sampling=direct", "system.sites=33", *SAMPLING
    )
    assert "pattern_overlap_min" in run(*vae_mf, "train", *small)
    assert "finished before" in run(*vae_mf, "train", *small)
    (folder,) = tmp_path.glob("outputs/hopfield_quick-*")
    (tmp_path / "own.py").write_text("from vae_mf.models import GaussianPrior\nclass Prior(GaussianPrior): pass\n")
    gaussian = [option for option in small if not option.startswith("model.prior.")]
    run(*vae_mf, "train", "model/prior=gaussian", "model.prior._target_=own.Prior", *gaussian)
    assert "report:" in run(*vae_mf, "discover", "spikes.npy", "quick=true", *options(TINY))
    code = "import sys, vae_mf; print(vae_mf.__file__, vae_mf.discover, vae_mf.load(sys.argv[1]).vae.prior.latents)"
    assert run(sys.executable, "-c", code, folder).startswith(str(installed))
    assert len(list(tmp_path.glob("data/*.zarr"))) == 2
    assert len(list(tmp_path.glob("outputs/discover-*/report.html"))) == 1
    assert listed(installed) == before


ANOTHER = [
    "setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
]  # fmt: skip
"""A user without name or home, who may read everything, folders of pytest too, and writes only what is theirs."""
OWN = ("outputs", "data", "compiled")
"""Folders of that user, in a working folder that is none of theirs."""
ALL = [
    ["sample", "system=curie_weiss", "sampling=direct", "system.sites=33", *SAMPLING],
    ["train", "model.latents=2", *HOPFIELD, *TRAINING, "run.folder=outputs/run"],
    ["evaluate", "outputs/run", "evaluation=capacity"],
    ["figure", "outputs/run"],
    ["discover", "spikes.npy", "quick=true", *options(TINY)],
    ["infer-couplings", "spikes.npy", "folds=2"],
]


@pytest.mark.slow
def test_another_user_without_a_home_works_with_an_installation_that_is_read_only(installed, tmp_path):
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user is played by root with setpriv")
    before = listed(installed)
    write_recording(tmp_path / "spikes.npy")
    for name in OWN:
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 12345, 12345)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}

    def remarks(words: list[str], **variables: str) -> int:
        command = [*ANOTHER, sys.executable, installed / "bin" / "vae-mf", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment | variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr.count("compiled code")

    assert [remarks(words) for words in ALL] == [1] * len(ALL)
    assert remarks(ALL[0], NUMBA_CACHE_DIR=str(tmp_path / "compiled")) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"spikes.npy", *OWN}
    assert listed(installed) == before
