"""Every command says what memory it takes before it begins, and begins nothing where there is less."""

import re
from pathlib import Path

import pytest
from helpers.commands import HOPFIELD, RECORDING, TRAINING, only, outputs, paths, run_all, write_recording

SCARCE = "from vae_mf import checks; checks.available_memory = lambda: 10**7"
TOLD = "from vae_mf import checks; checks.NOTABLE_SHARE = 0.0"
REFUSED = re.compile(
    r"error: (?:\S+: )?\w+: expected arrays that fit into memory, of which 0\.01 GB are free, "
    r"got [\d.]+ GB: .+\n",
    re.ASCII,
)


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    recording = str(write_recording(tmp_path / "words.npy"))
    commands = [
        ["sample", *HOPFIELD, "sampling.samples=1200000", *paths(tmp_path)],
        ["train", "experiment=hopfield_quick", *HOPFIELD, *TRAINING, *paths(tmp_path)],
        ["train", *RECORDING, "dataset.variables=all", f"dataset.path={recording}", *paths(tmp_path)],
        ["discover", f"dataset.path={recording}", "quick=true", *outputs(tmp_path)],
        ["compare", f"dataset.path={recording}", "density_models=independent", *outputs(tmp_path)],
        ["infer_couplings", f"dataset.path={recording}", "inverse_ising=tap", *outputs(tmp_path)],
    ]
    for command, result in zip(commands, run_all(commands, SCARCE), strict=True):
        assert result.code == 1, command
        assert REFUSED.fullmatch(result.err), (command, result.err)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "words.npy"]


def test_a_model_that_fits_into_no_memory_is_told_in_a_sentence(tmp_path):
    commands = [
        ["train", *HOPFIELD, *TRAINING, "model.latents=10000000000000", *paths(tmp_path)],
        ["train", "experiment=curie_weiss_quick", "system.sites=1000000000000", *paths(tmp_path)],
    ]
    for result in run_all(commands):
        assert result.code == 1
        assert re.fullmatch(r"error: memory: expected arrays that fit, .+\n", result.err), result.err
    assert not list(tmp_path.rglob("config.yaml"))


def test_what_is_taken_is_told_before_the_work(tmp_path):
    (result,) = run_all([["sample", *HOPFIELD, *paths(tmp_path)]], TOLD)
    assert result.code == 0, result.err
    ((told, free),) = re.findall(r"memory: about ([\d.]+) GB at the peak, ([\d.]+) GB are free", result.out)
    assert 0.1 < float(told) < 3
    assert 0 < float(free) < 1e4
    assert result.out.index("memory:") < result.out.index("64 sites")


@pytest.mark.slow
def test_a_verdict_is_refused_before_it_is_prepared(tmp_path):
    recording = str(write_recording(tmp_path / "words.npy"))
    train = ["train", *RECORDING, "dataset.variables=all", f"dataset.path={recording}", *paths(tmp_path)]
    (trained,) = run_all([train])
    assert trained.code == 0, trained.err
    run = only(Path(tmp_path), "outputs/retina-*")
    (result,) = run_all([["evaluate", f"run={run}", f"paths.data={tmp_path}/data"]], SCARCE)
    assert result.code == 1
    assert REFUSED.fullmatch(result.err)
    assert not (run / "verdict").exists()
