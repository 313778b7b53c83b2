"""Searches for garbage in commands: rare, and none while modules are imported."""

import gc
from importlib import import_module

import pytest

from vae_mf.runs.garbage import THRESHOLDS, collect_rarely, importing


def test_searches_rest_during_imports_and_go_on_whatever_happens():
    with importing():
        with importing():
            pass
        assert not gc.isenabled()
    with pytest.raises(ModuleNotFoundError), importing():
        import_module("vae_mf.nowhere")
    assert gc.isenabled()


def test_commands_search_rarely():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        collect_rarely()
        assert gc.get_threshold() == THRESHOLDS
    finally:
        gc.set_threshold(*before)
