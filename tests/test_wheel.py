"""The wheel: everything that an installation needs and nothing else."""

from pathlib import Path

import pytest
from helpers import PROJECT_ROOT

from vae_mf import paths


@pytest.fixture(scope="module")
def shipped() -> set[str]:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    return {file.distribution_path for file in wheel.WheelBuilder(str(PROJECT_ROOT)).recurse_included_files()}


def files(folder: str, *endings: str) -> set[Path]:
    return {
        path.relative_to(PROJECT_ROOT) for path in PROJECT_ROOT.joinpath(folder).rglob("*") if path.suffix in endings
    }


def test_the_wheel_holds_code_types_and_configurations_and_nothing_else(shipped):
    code = {path.as_posix() for path in files("vae_mf", ".py", ".pyi", ".typed")}
    configurations = {f"vae_mf/{path.as_posix()}" for path in files("conf", ".yaml")}
    assert {"vae_mf/py.typed", "vae_mf/__init__.pyi"} <= code
    assert shipped == code | configurations


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
    monkeypatch.setenv(paths.DOWNLOADS, "elsewhere")
    assert paths.downloads() == Path("elsewhere")
