"""Run folders that somebody sends: nothing in them is run, computed or written but what this package is for."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from helpers.model_parts import linear_config
from omegaconf import OmegaConf
from rich.progress import Progress

from vae_mf.commands import evaluate
from vae_mf.commands.evaluate import same_settings
from vae_mf.commands.figure import main as draw
from vae_mf.files import WEIGHTS
from vae_mf.runs.folder import find_run, find_runs, open_run
from vae_mf.runs.foreign import is_public, require_harmless
from vae_mf.runs.models import build_vae, load
from vae_mf.training.weights import save_weights
from vae_mf.verdict.assessment import AssessmentSettings

MODEL = linear_config(latents=2)
RUN = {
    "seed": 1,
    "run": {"name": "sent", "digest": "0123456789"},
    "model": MODEL,
    "system": {"_target_": "vae_mf.systems.CurieWeiss", "sites": 8},
    "training": {"_target_": "vae_mf.training.Recipe", "epochs": 1},
    "evaluation": {"_target_": "vae_mf.verdict.EquilibriumSettings"},
    "dataset": {"read": {"_target_": "vae_mf.datasets.read_recording", "path": "rows.npy"}},
}
PLACES = ["model.prior", "system", "evaluation", "dataset.read", "training", "model.decoder.inner", "sampler.deep.er"]
WRITE = "import pathlib; pathlib.Path('{mark}').write_text('run')"
HOSTILE = {
    "os.system": {"command": "touch {mark}"},
    "posix.system": {"command": "touch {mark}"},
    "subprocess.run": {"args": ["touch", "{mark}"]},
    "subprocess.Popen": {"args": ["touch", "{mark}"]},
    "subprocess.check_output": {"args": ["touch", "{mark}"]},
    "builtins.exec": {"_args_": [WRITE]},
    "builtins.eval": {"_args_": ["open('{mark}', 'w')"]},
    "builtins.open": {"file": "{mark}", "mode": "w"},
    "builtins.__import__": {"name": "antigravity"},
    "io.open": {"file": "{mark}", "mode": "w"},
    "os.open": {"path": "{mark}", "flags": 65},
    "os.remove": {"path": "{kept}"},
    "os.rename": {"src": "{kept}", "dst": "{mark}"},
    "os.makedirs": {"name": "{mark}"},
    "os.symlink": {"src": "{kept}", "dst": "{mark}"},
    "os.execv": {"path": "/bin/true", "argv": ["true"]},
    "os.kill": {"pid": 1, "signal": 0},
    "os._exit": {"status": 0},
    "sys.exit": {},
    "shutil.copy": {"src": "{kept}", "dst": "{mark}"},
    "shutil.rmtree": {"path": "{folder}"},
    "shutil.move": {"src": "{kept}", "dst": "{mark}"},
    "pathlib.Path.touch": {"self": {"_target_": "pathlib.Path", "_args_": ["{mark}"]}},
    "pathlib.Path.write_text": {"self": {"_target_": "pathlib.Path", "_args_": ["{mark}"]}, "data": "run"},
    "runpy.run_path": {"path_name": "{script}"},
    "importlib.import_module": {"name": "antigravity"},
    "code.interact": {},
    "pty.spawn": {"argv": ["touch", "{mark}"]},
    "webbrowser.open": {"url": "http://localhost"},
    "urllib.request.urlopen": {"url": "http://localhost"},
    "urllib.request.urlretrieve": {"url": "file://{kept}", "filename": "{mark}"},
    "pickle.load": {"file": {"_target_": "io.open", "file": "{pickle}", "mode": "rb"}},
    "pickle.loads": {"_args_": ["x"]},
    "joblib.load": {"filename": "{pickle}"},
    "numpy.load": {"file": "{pickle}", "allow_pickle": True},
    "numpy.save": {"file": "{mark}", "arr": [1]},
    "numpy.savetxt": {"fname": "{mark}", "X": [1]},
    "numpy.f2py.compile": {"source": "x"},
    "numpy.lib.npyio.load": {"file": "{pickle}", "allow_pickle": True},
    "scipy.io.savemat": {"file_name": "{mark}", "mdict": {}},
    "pandas.read_pickle": {"filepath_or_buffer": "{pickle}"},
    "pandas.eval": {"expr": "1"},
    "torch.load": {"f": "{pickle}", "weights_only": False},
    "torch.save": {"obj": 1, "f": "{mark}"},
    "torch.hub.load": {"repo_or_dir": "{folder}", "model": "m", "source": "local"},
    "torch.utils.cpp_extension.load": {"name": "x", "sources": []},
    "sympy.sympify": {"_args_": [WRITE]},
    "yaml.unsafe_load": {"stream": "!!python/object/apply:os.system ['touch {mark}']"},
    "hydra.utils.instantiate": {"config": {"_target_": "os.system", "_args_": ["touch {mark}"]}},
    "setuptools._distutils.spawn.spawn": {"cmd": ["touch", "{mark}"]},
    "distutils.core.run_setup": {"script_name": "{script}"},
    "timeit.timeit": {"stmt": WRITE},
    "cProfile.run": {"statement": WRITE},
    "logging.FileHandler": {"filename": "{mark}"},
    "zipfile.ZipFile": {"file": "{mark}", "mode": "w"},
    "sqlite3.connect": {"database": "{mark}"},
    "matplotlib.pyplot.savefig": {"fname": "{mark}"},
    "pytorch_lightning.Trainer": {"default_root_dir": "{mark}"},
    "pytorch_lightning.loggers.CSVLogger": {"save_dir": "{mark}"},
    "vae_mf.files.write_whole": {"path": "{mark}", "content": "run"},
    "vae_mf.files.put_in_place": {"folder": "{folder}", "last": "x"},
    "vae_mf.tables.write_metrics": {"folder": "{folder}", "metrics": {}},
    "vae_mf.checks.psutil.Popen": {"args": ["touch", "{mark}"]},
    "vae_mf.runs.folder.os.system": {"command": "touch {mark}"},
    "vae_mf.runs.instantiate.importlib.import_module": {"name": "antigravity"},
    "vae_mf.store.from_arrays": {"arrays": {}, "folder": "{mark}"},
    "vae_mf.datasets.files.Path.touch": {"self": "{mark}"},
    "vae_mf.datasets.register_reader.__globals__": {},
    "vae_mf.models.VAE.load_state_dict": {"self": 1},
    "vae_mf.commands.limited.Worker": {},
    "vae_mf": {},
    "": {},
}
"""Targets that would run or write something, with arguments that would do so here."""


def filled(node, **values):
    if isinstance(node, dict):
        return {key: filled(value, **values) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, **values) for value in node]
    return node.format(**values) if isinstance(node, str) else node


def planted(place, node):
    config = json.loads(json.dumps(RUN))
    *outer, last = place.split(".")
    inside = config
    for name in outer:
        inside = inside.setdefault(name, {})
    inside[last] = node
    return config


def sent(folder, config):
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "run.json").write_text('{"sites": 8, "seed": 1, "temperatures": [1.0]}', encoding="utf-8")
    save_weights(build_vae(MODEL, 8, seed=1), folder / WEIGHTS)
    return folder


def test_the_run_that_hostile_targets_are_planted_in_is_a_good_one(tmp_path):
    folder = sent(tmp_path / "good", RUN)
    assert find_run(folder).config.seed == 1
    assert load(folder).vae.latents == 2


def test_at_least_65_hostile_targets_are_tried():
    assert len(HOSTILE) >= 65


@pytest.mark.parametrize("target", HOSTILE)
def test_a_hostile_target_is_refused_wherever_it_stands_and_never_run(tmp_path, target):
    kept, mark = tmp_path / "kept", tmp_path / "mark"
    kept.write_text("mine", encoding="utf-8")
    (tmp_path / "script.py").write_text(WRITE.format(mark=mark), encoding="utf-8")
    (tmp_path / "pickle").write_bytes(b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    paths = {"script": tmp_path / "script.py", "pickle": tmp_path / "pickle", "folder": tmp_path / "sent"}
    node = {"_target_": target, **filled(HOSTILE[target], kept=kept, mark=mark, **paths)}
    before = sorted(tmp_path.iterdir())
    for number, place in enumerate(PLACES):
        config = planted(place, node)
        with pytest.raises(ValueError, match=r"config\.yaml: expected objects of vae_mf, got .*_target_="):
            require_harmless(config, "config.yaml", ())
        if number == 0:
            folder = sent(tmp_path / "sent", config)
            for opened in (load, find_run, lambda folder: find_runs([str(folder)])):
                with pytest.raises(ValueError, match="which would be run"):
                    opened(folder)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "sent"])
    assert kept.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("group", ["callbacks", "logger"])
def test_what_only_training_builds_is_never_built_from_a_folder(tmp_path, group):
    mark = tmp_path / "mark"
    node = {"evil": {"_target_": "os.system", "command": f"touch {mark}"}}
    load(sent(tmp_path / "sent", {**RUN, group: node}))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["figures", "tables", "checkpoints", "logs", "logs/version_0"])
def test_nothing_is_written_into_a_linked_folder(tmp_path, compose_config, name):
    folder = sent(tmp_path / "sent", RUN)
    (tmp_path / "mine").mkdir()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"{name}: expected a folder, got a link to "):
        open_run(OmegaConf.create(RUN | {"run": {**RUN["run"], "folder": str(folder)}}))
    if name == "figures":
        with pytest.raises(ValueError, match=f"{name}: expected a folder, got a link to "):
            draw(compose_config("figure", f"run={folder}"))


def test_values_are_not_computed_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cr3t")
    for value in ("${oc.env:SECRET}", "a ${seed}", r"\\${oc.env:SECRET}", ["${now:%Y}"]):
        folder = sent(tmp_path / "sent", {**RUN, "system": {**RUN["system"], "extra": value}})
        with pytest.raises(ValueError, match=r"expected values, got system\.extra") as refused:
            find_runs([str(folder)], extensions=None)
        assert "s3cr3t" not in str(refused.value)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_text_that_only_looks_like_an_interpolation_is_kept(tmp_path):
    folder = sent(tmp_path / "sent", {**RUN, "dataset": {"path": r"\${x}.npy"}})
    assert find_run(folder).config.dataset.path == "${x}.npy"


@pytest.mark.parametrize("change", [{"system": None, "dataset": None}, {"system": {**RUN["system"], "sites": 10**12}}])
def test_settings_of_which_no_verdict_can_be_made_are_told_with_the_folder_of_their_run(tmp_path, monkeypatch, change):
    """With several runs to evaluate nothing said which of them was meant, or a traceback did."""
    samples = {"sampler": {}, "sampling": {}, "store": {"path": str(tmp_path / "a.zarr")}}
    folder = sent(tmp_path / "sent", {name: node for name, node in (RUN | samples | change).items() if node})
    run, settings = find_run(folder), object.__new__(AssessmentSettings)
    monkeypatch.setattr(evaluate, "read_tables", lambda _: {})
    with pytest.raises(ValueError, match=f"^{folder}: "), Progress(disable=True) as progress:
        evaluate.assess_run(run, settings, tmp_path, torch.device("cpu"), progress)


def test_a_verdict_that_somebody_sends_imports_nothing(tmp_path, compose_config):
    settings = compose_config("evaluate", "run=RUN").evaluation
    (tmp_path / "config.yaml").write_text("_target_: this.module.of_mine\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected objects of vae_mf"):
        same_settings(tmp_path, settings)


def test_objects_of_the_user_are_built_where_the_user_says_so(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from vae_mf.models import GaussianPrior\nclass Prior(GaussianPrior): pass\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    folder = sent(tmp_path / "sent", planted("model.prior", {"_target_": "mine.Prior"}))
    with pytest.raises(ValueError, match=r"if you know what it does, give extensions=\[mine\]"):
        load(folder)
    assert type(load(folder, extensions=["mine"]).vae.prior).__name__ == "Prior"
    assert find_runs([str(folder)], extensions=None)
    with pytest.raises(ValueError, match="which would be run"):
        load(folder, extensions=["min", "mine.Pri", "other"])


def test_arrays_of_a_system_are_loaded_without_pickles():
    for target in ("numpy.load", "scipy.sparse.load_npz"):
        node = {"couplings": {"_target_": target, "file": "J.npy"}}
        require_harmless(node, "config.yaml", ())


def test_every_target_of_a_configuration_that_comes_with_the_package_is_public():
    conf = Path(__file__).parents[2] / "conf"
    groups = ("dataset", "evaluation", "model", "sampler", "sampling", "split", "system", "tempering", "training")
    targets = {
        line.split("_target_:")[1].split("#")[0].strip()
        for group in groups
        for path in (conf / group).rglob("*.yaml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("_target_:")
    }
    assert len(targets) > 30
    assert [target for target in targets if not is_public(target)] == ["numpy.load"]
