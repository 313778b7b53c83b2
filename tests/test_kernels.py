"""Compiled code where there is a folder to keep it in, and where there is none."""

import os
import pwd
import warnings
from pathlib import Path

import numba
import pytest

from vae_mf import kernels
from vae_mf.kernels import keep_for_now, kernel


def double(number):
    return 2 * number


@pytest.fixture
def numba_looks(monkeypatch):
    """Name the only places in which Numba looks for a folder; another folder that it is given goes afterwards."""
    monkeypatch.setenv(kernels.CACHE, "")
    monkeypatch.delenv(kernels.CACHE)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    yield lambda *places: monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", ",".join(places))
    keep_for_now.cache_clear()


def test_without_a_folder_code_is_compiled_with_one_remark_and_kept_until_the_end(numba_looks):
    numba_looks("UserProvidedCacheLocator")
    with warnings.catch_warnings(record=True, action="always") as remarks:
        compiled = [kernel()(double), kernel(fastmath=True)(double)]
    assert [function(3) for function in compiled] == [6, 6]
    assert ["NUMBA_CACHE_DIR" in str(remark.message) for remark in remarks] == [True]
    place = Path(os.environ[kernels.CACHE])
    assert list(place.rglob("*double*.nbi"))
    keep_for_now().cleanup()
    assert not place.exists()


def test_a_user_without_a_home_gets_no_folder_of_that_name(numba_looks, tmp_path, monkeypatch):
    def nobody(_):
        raise KeyError

    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(os, "access", lambda *_: False)
    numba_looks("UserProvidedCacheLocator", "UserWideCacheLocator")
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
        assert kernel()(double)(3) == 6
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_named_is_used_without_a_remark(numba_looks, tmp_path, monkeypatch):
    monkeypatch.setenv(kernels.CACHE, str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("HOME", raising=False)
    with warnings.catch_warnings(action="error"):
        assert kernel()(double)(3) == 6
    assert list(tmp_path.rglob("*double*.nbi"))
