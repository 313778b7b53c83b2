"""The command that infers couplings reads whatever discover.py reads, by the same options."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vae_mf.commands.infer_couplings import read_data
from vae_mf.datasets.recording import read_recording

WORDS = np.random.default_rng(1).integers(0, 2, (60, 5))


def write(folder: Path, kind: str, options: dict) -> Path:
    path = folder / f"words.{kind}"
    if kind == "npz":
        np.savez(path, words=WORDS, other=WORDS[:20])
    elif kind == "csv":
        times = np.sort(np.random.default_rng(2).uniform(0, 10, 300))
        path.write_text("\n".join(["cell,time", *(f"{k % 4},{time}" for k, time in enumerate(times))]))
    else:
        np.save(path, WORDS.T if "transpose" in options else WORDS)
    return path


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("npy", {}),
        ("npy", {"variables": [3, 1]}),
        ("npy", {"transpose": True, "variables": [4, 0, 2]}),
        ("npz", {"array": "words"}),
        ("csv", {"bin_width": 0.1}),
    ],
    ids=str,
)
def test_the_options_of_a_data_set_count(compose_config, tmp_path, kind, options):
    path = write(tmp_path, kind, options)
    told = [f"dataset.{name}={str(value).replace(' ', '')}" for name, value in options.items()]
    config = compose_config("infer_couplings", f"dataset.path={path}", *told)
    data, recording = read_data(config), read_recording(path, **options)
    assert_array_equal(data.spins, recording.rows)
    assert data.names == recording.names


def test_every_option_has_a_folder_of_its_own(compose_config, tmp_path):
    path = write(tmp_path, "npy", {})
    changes = ["dataset.variables=2", "dataset.transpose=true", "dataset.drop_unusable=true", "seed=1"]
    configs = [compose_config("infer_couplings", f"dataset.path={path}", *change) for change in ([], *zip(changes))]
    assert len({config.folder for config in configs}) == len(configs)


def test_known_couplings_are_those_of_the_variables_that_are_left(compose_config, tmp_path):
    words, couplings = WORDS.copy(), np.arange(25.0).reshape(5, 5)
    words[:, 1] = 1
    np.save(tmp_path / "words.npy", words)
    np.save(tmp_path / "couplings.npy", couplings)
    np.savez(tmp_path / "couplings.npz", J=couplings, h=couplings[0])
    options = [f"dataset.path={tmp_path}/words.npy", "dataset.drop_unusable=true"]
    for name in ("couplings.npy", "couplings.npz"):
        data = read_data(compose_config("infer_couplings", *options, f"truth={tmp_path}/{name}"))
        assert_array_equal(data.couplings, np.delete(np.delete(couplings, 1, 0), 1, 1))
    np.save(tmp_path / "couplings.npy", couplings[:3, :3])
    with pytest.raises(ValueError, match=r"truth: expected couplings of shape \(4, 4\), got \(3, 3\)"):
        read_data(compose_config("infer_couplings", *options, f"truth={tmp_path}/couplings.npy"))
