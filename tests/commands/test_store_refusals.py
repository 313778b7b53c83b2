"""What `scripts/sample.py` says of a store that it cannot use: one clear sentence, exit status 1, and nothing lost."""

import os
import re
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from helpers import PROJECT_ROOT
from helpers.commands import Result, run_all
from helpers.files import tree
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from vae_mf.runs.resolvers import register
from vae_mf.runs.sampling import build_sampler
from vae_mf.simulation import simulate

REQUEST = [
    "system=curie_weiss",
    "sampling=direct",
    "system.sites=33",
    "sampling.temperatures=[0.5,1.0]",
    "sampling.samples=60",
    "sampling.chains=12",
    "sampling.blocks=6",
]
FULL_DISK = """
import errno
from pathlib import Path
from zarr.storage import LocalStore

def fail_in_the_third_block(name):
    write = getattr(LocalStore, name)
    def checked(self, key, *args):
        if Path(self.root).name == "full" and key == "T001/energy/c.2":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, key, *args)
    setattr(LocalStore, name, checked)

for name in ("set", "set_sync"):
    if hasattr(LocalStore, name):
        fail_in_the_third_block(name)
"""
REFUSALS = {
    "full": "No space left on device",
    "file": "something else, which is left alone",
    "file/below": "File exists|Not a directory",
    "foreign": "something else, which is left alone",
    "schema": "is damaged: its header zarr.json is not that of a store",
    "version": "expected schema_version 1, got 2",
    "truncated": r"truncated: T001/energy: expected \d+ bytes, got \d+",
    "missing": "truncated: expected the file T000/spins/c.4.0, got none",
    "other": "holds other samples: attrs.seed: expected 1, got 2",
    "busy": "expected to be the only writer",
    "/sys/store": "Permission denied|Read-only",
    "teapot://bucket/store": "expected a URL with a driver that is installed: Protocol not known: teapot",
}
"""Name of the store and what the sentence has to say beside it."""


def sample_all(folder: Path, names: list[str], before: str = "") -> list[Result]:
    """Sample into stores of these names, one after the other in one process that first runs the code ``before``."""
    paths = [name if "://" in name else str(folder / name) for name in names]
    seeds = [2 if name == "other" else 1 for name in names]
    options = [[f"store.path={path}", f"seed={seed}"] for path, seed in zip(paths, seeds, strict=True)]
    # Git, whose state may change between two runs, is out of the command's sight.
    return run_all(
        [["sample", *REQUEST, f"report={folder}/report", *option] for option in options], before, GIT_DIR=os.devnull
    )


def finish(path: Path) -> None:
    """Make the store that the command makes."""
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("sample", REQUEST)
    system = instantiate(config.system)
    simulate(system, build_sampler(config, system), instantiate(config.sampling), path, seed=1)


def damage(folder: Path) -> None:
    """Make of a finished store what the commands have to refuse."""
    for name in ("schema", "version", "truncated", "missing", "other", "busy"):
        shutil.copytree(folder / "whole", folder / name)
    (folder / "file").write_text("precious")
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.tex").write_text("precious")
    for name, old, new in [("schema", "vae_mf.samples", "other"), ("version", '_version": 1', '_version": 2')]:
        header = folder / name / "zarr.json"
        header.write_text(header.read_text().replace(old, new))
    os.truncate(folder / "truncated/T001/energy/c.2", 10)
    (folder / "missing/T000/spins/c.4.0").unlink()
    shutil.rmtree(folder / "busy")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Folder of the stores, its files before the refusals, and what each command said."""
    folder = tmp_path_factory.mktemp("stores")
    finish(folder / "whole")
    damage(folder)
    files = tree(folder)
    with FileLock(folder / "busy.lock"):
        results = sample_all(folder, [*REFUSALS], FULL_DISK)
    return folder, files, dict(zip(REFUSALS, results, strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_store_that_cannot_be_used_is_refused_in_one_sentence(outcome, name):
    if name.startswith("/sys") and not Path("/sys/kernel").exists():
        pytest.skip("no folder that is read-only for everyone")
    result = outcome[2][name]
    assert result.code == 1
    assert "Traceback" not in result.out
    (line,) = [line for line in result.err.splitlines() if line.strip()]
    assert line.startswith("error: ")
    for part in (re.escape(name.removesuffix("/below")), REFUSALS[name]):
        assert re.search(part, line), line


def test_refusals_change_nothing(outcome):
    folder, before, _ = outcome
    after = tree(folder)
    assert before.items() <= after.items()
    assert "full/T001/energy/c.1" in after
    assert {name.split("/")[0].removesuffix(".lock") for name in after.keys() - before.keys()} <= {*REFUSALS}


@pytest.mark.slow
def test_once_there_is_room_again_a_full_disk_has_cost_nothing(outcome):
    folder = outcome[0]
    shutil.copytree(folder / "full", folder / "roomy")
    assert [result.code for result in sample_all(folder, ["roomy", "uninterrupted"])] == [0, 0]
    assert tree(folder / "roomy") == tree(folder / "uninterrupted")
