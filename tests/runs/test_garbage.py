"""Searches for garbage in commands: rare, none while modules are imported, and none at the end of the process."""

import gc
import subprocess
import sys
from importlib import import_module

import pytest

from vae_mf.runs.garbage import THRESHOLDS, importing

ENDING = """
import atexit, gc
from vae_mf.runs.garbage import collect_rarely
atexit.register(lambda: print(gc.get_threshold(), gc.get_freeze_count() > 1000))
collect_rarely()
print(gc.get_freeze_count())
"""


def test_searches_rest_during_imports_and_go_on_whatever_happens():
    with importing():
        with importing():
            pass
        assert not gc.isenabled()
    with pytest.raises(ModuleNotFoundError), importing():
        import_module("vae_mf.nowhere")
    assert gc.isenabled()


def test_a_process_ends_without_a_search():
    said = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=True).stdout
    assert said == f"0\n{THRESHOLDS} True\n"
