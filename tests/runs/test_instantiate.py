"""Nodes of a configuration become objects, and what cannot become one is named."""

import os
import pickle
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue
from torch import nn

from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.runs.instantiate import instantiate
from vae_mf.systems.hopfield import Hopfield

HOPFIELD = "vae_mf.systems.Hopfield.random"


def test_inner_nodes_are_built_first_and_references_are_resolved():
    config = OmegaConf.create(
        {
            "n": 6,
            "pair": {
                "_target_": "builtins.dict",
                "a": {"_target_": HOPFIELD, "sites": "${n}", "patterns": 2, "seed": 1},
            },
        }
    )
    built = instantiate(config.pair, b=[{"_target_": "builtins.int"}])
    assert isinstance(built["a"], Hopfield)
    assert built["a"].sites == 6
    assert built["b"] == [0]


def test_a_partial_node_waits_for_the_rest():
    make = instantiate({"_target_": HOPFIELD, "_partial_": True, "sites": 8, "patterns": 2})
    assert make(seed=3).patterns.shape == (2, 8)


def test_what_is_no_node_stays_as_it_is():
    assert instantiate(None) is None
    assert instantiate({"a": [1, {"b": 2}]}) == {"a": [1, {"b": 2}]}


def test_names_of_version_0_1_are_understood():
    node = {"_target_": "vae_mf.models.mixture.MixturePrior", "latents": 2, "components": 3}
    assert isinstance(instantiate(node, kind=nn.Module), MixturePrior)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "vae_mf.systems.CurieWeis"}, r"got vae_mf.systems.CurieWeis; did you mean CurieWeiss\?"),
        (
            {"_target_": "no_such_package.Thing"},
            r"expected a class or function that can be imported, got no_such_package",
        ),
        ({"_target_": "math.pi"}, r"expected a class or function, got math.pi, a float"),
        (
            {"_target_": HOPFIELD, "_partial_": True, "site": 1},
            r"unexpected keyword argument 'site'; its options are s",
        ),
        ({"_target_": HOPFIELD, "sites": 3}, r"Hopfield.random: missing a required argument: 'patterns'"),
        (
            {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 0},
            r"^fractions.Fraction: ZeroDivisionError: ",
        ),
        ({"_target_": "numpy.load", "file": "empty.npy"}, r"expected an array for numpy.load, got a damaged file"),
    ],
)
def test_what_cannot_be_built_is_named(node, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.npy").touch()
    with pytest.raises(ValueError, match=message):
        instantiate(node)


def test_a_missing_value_is_named():
    config = OmegaConf.create({"system": {"_target_": HOPFIELD, "sites": "???"}})
    with pytest.raises(MissingMandatoryValue, match=r"system\.sites"):
        instantiate(config.system)


def test_a_part_of_a_model_runs_no_other_code(tmp_path):
    victim = tmp_path / "file"
    victim.touch()
    node = {"_target_": "os.remove", "path": str(victim)}
    for harmful in (node, {"_target_": "torch.nn.Sequential", "module": node}):
        with pytest.raises(ValueError, match=r"expected a subclass of torch.nn.*Module, got os.remove"):
            instantiate(harmful, kind=nn.Module)
    assert victim.exists()


def test_errors_of_a_broken_module_are_not_hidden(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_prior.py").write_text("import no_such_library\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        instantiate({"_target_": "broken_prior.Prior"})


def fitted(epochs: int, rate: float = 0.1, sizes: Sequence[int] = (), start: Literal["random", "data"] = "random"):
    return epochs, rate, sizes, start


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": "ten"}, "epochs: expected an integer, got 'ten'"),
        ({"epochs": True}, "epochs: expected an integer, got True"),
        ({"epochs": 1.0}, "epochs: expected an integer, got 1.0"),
        ({"epochs": None}, "epochs: expected an integer, got None"),
        ({"epochs": 1, "rate": float("nan")}, "rate: expected a number, got nan"),
        ({"epochs": 1, "sizes": "12"}, "sizes: expected a list of integers, got '12'"),
        ({"epochs": 1, "sizes": ["a"]}, r"sizes: expected a list of integers, got \['a'\]"),
        ({"epochs": 1, "start": "middle"}, "start: expected random or data, got 'middle'"),
        ({"epochs": {"a": 1}}, r"epochs: expected an integer, got \{'a': 1\}"),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_a_value_of_another_kind_than_that_of_its_option_is_refused_by_name(monkeypatch, options, said, later):
    monkeypatch.setattr("vae_mf.runs.instantiate.locate", lambda *_: fitted)
    with pytest.raises(ValueError, match=f"^training.{said}$"):
        instantiate({"_target_": "own.fitted", "_partial_": later, **options}, place="training")


def test_a_value_of_the_kind_of_its_option_is_taken(monkeypatch):
    monkeypatch.setattr("vae_mf.runs.instantiate.locate", lambda *_: fitted)
    options = {"epochs": 2, "rate": 1, "sizes": [3], "start": "data"}
    assert instantiate({"_target_": "own.fitted", **options}) == (2, 1, [3], "data")


@pytest.mark.parametrize("target", ["numpy.load", "scipy.sparse.load_npz"])
def test_a_file_that_holds_no_array_is_named_and_a_pipe_is_not_waited_for(target, tmp_path):
    (tmp_path / "pickle").write_bytes(pickle.dumps([1]))
    os.mkfifo(tmp_path / "pipe")
    np.save(tmp_path / "whole.npy", np.eye(3))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-8])
    said = {"pickle": "got a damaged file or one of another format", "pipe": "got a folder, a pipe or a device"}
    for name, message in (said | {"cut.npy": "got a damaged file or one of another format"}).items():
        with pytest.raises(ValueError, match=f"{name}: expected .*{message}"):
            instantiate({"_target_": target, "file": str(tmp_path / name)})
    with pytest.raises(FileNotFoundError):
        instantiate({"_target_": target, "file": str(tmp_path / "absent.npy")})
    assert instantiate({"_target_": "numpy.load", "file": str(tmp_path / "whole.npy")}).sum() == 3
