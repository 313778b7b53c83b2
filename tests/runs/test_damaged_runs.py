"""Damaged files of runs and discoveries are named, with what to do, and end nothing else."""

import json
import subprocess

import pandas as pd
import pytest
import yaml

from vae_mf.commands.collect import main as collect
from vae_mf.files import SEAL, write_sealed
from vae_mf.runs.folder import CONFIG, RECORD, find_run
from vae_mf.runs.models import build_vae, load
from vae_mf.tables import METRICS, read_metrics, read_tables, write_metrics, write_tables
from vae_mf.training.weights import WEIGHTS, save_weights

MODEL = {
    "latents": 1,
    "encoder": {"_target_": "vae_mf.models.LinearEncoder"},
    "decoder": {"_target_": "vae_mf.models.LinearDecoder"},
    "prior": {"_target_": "vae_mf.models.GaussianPrior"},
}
DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "garbage": lambda content: bytes(range(256)) * 4,
    "a list": lambda content: b"[1, 2]",
    "a tag of Python": lambda content: b"!!python/object/apply:os.getcwd []",
}
READERS = {
    CONFIG: find_run,
    RECORD: load,
    WEIGHTS: load,
    METRICS: read_metrics,
}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "whole"
    return written(folder, "0123456789")


def written(folder, digest):
    folder.mkdir(parents=True)
    config = {"seed": 1, "run": {"name": "whole", "digest": digest}, "model": MODEL}
    (folder / CONFIG).write_text(yaml.safe_dump(config, default_flow_style=None), encoding="utf-8")
    (folder / RECORD).write_text(json.dumps({"sites": 4, "temperatures": [1.0]}), encoding="utf-8")
    (folder / METRICS).write_text(json.dumps({"test_elbo": -2.0}), encoding="utf-8")
    save_weights(build_vae(MODEL, 4, seed=1), folder / WEIGHTS)
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_with_what_to_do(run, name, damage):
    assert READERS[name](run)
    path = run / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(ValueError, match=rf"{name}: expected .*(copy it again|copy the folder again)") as refused:
        READERS[name](run)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [CONFIG, METRICS])
def test_one_damaged_run_does_not_end_a_collection(run, compose_config, capsys, name):
    bad = written(run.with_name("bad"), "9876543210")
    (bad / name).write_bytes(b"{")
    report = run.parent.parent / "report"
    collect(compose_config("collect", f"runs=[{run.parent}/*]", f"report={report}"))
    said = capsys.readouterr().out.replace("\n", " ")
    assert f"left out: {bad / name}" in said
    assert "1 of 1 runs finished" in said
    assert list(read_tables(report)["runs"].run) == ["whole"]


def test_a_damaged_table_is_named(run):
    (run / "tables").mkdir()
    (run / "tables" / "loss.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"loss\.csv: expected a whole file"):
        read_tables(run)


def sealed(folder):
    """A finished run with tables and a verdict in it."""
    written(folder, "0123456789")
    write_tables(folder, {"loss": pd.DataFrame({"epoch": [0, 1], "loss": [2.5, 2.25]})})
    write_tables(folder / "verdict", {"evidence": pd.DataFrame({"reading": ["a"], "value": [0.125]})})
    write_sealed(folder / "verdict" / "verdict.json", '{"mean_field_description": "yes"}')
    write_metrics(folder, {"test_elbo": -2.125})
    return folder


def flipped(place):
    def damage(content):
        data = bytearray(content)
        data[place % len(data)] ^= 4
        return bytes(data)

    return damage


CHANGES = DAMAGES | {
    "first bit": flipped(0),
    "middle bit": flipped(33),
    "last bit": flipped(-1),
    "longer": lambda content: content + b" ",
    "another number": lambda content: content.replace(b"2", b"3").replace(b"1", b"7"),
}
PARTS = [CONFIG, RECORD, WEIGHTS, METRICS, "tables/loss.csv", SEAL]


@pytest.mark.parametrize("name", [*PARTS, "verdict/verdict.json", "verdict/tables/evidence.csv"])
def test_whatever_changes_in_a_finished_folder_is_named(tmp_path, name):
    folder = sealed(tmp_path / "run")
    read_everything(folder)
    path = folder / name
    content = path.read_bytes()
    for what, change in CHANGES.items():
        if change(content) == content:
            continue
        path.write_bytes(change(content))
        if what == "empty" and name == SEAL:
            continue
        with pytest.raises(ValueError, match=str(folder)):
            read_everything(folder)
    path.unlink()
    if name != SEAL:
        with pytest.raises((ValueError, FileNotFoundError), match=str(folder)):
            read_everything(folder)
    path.write_bytes(content)
    read_everything(folder)


def read_everything(folder):
    load(folder)
    read_metrics(folder)
    return read_tables(folder), read_tables(folder / "verdict")


def test_the_seal_is_one_that_sha256sum_checks(tmp_path):
    folder = sealed(tmp_path / "run")
    names = [line.split("  ")[1] for line in (folder / SEAL).read_text(encoding="utf-8").splitlines()]
    assert names == sorted([CONFIG, RECORD, WEIGHTS, METRICS, "tables/loss.csv"])
    subprocess.run(["sha256sum", "--check", "--strict", SEAL], cwd=folder, check=True, capture_output=True)


def test_a_folder_without_a_seal_is_read_as_before(tmp_path):
    folder = sealed(tmp_path / "run")
    (folder / SEAL).unlink()
    (folder / "tables" / "loss.csv").write_text("epoch,loss\n0,1\n", encoding="utf-8")
    assert read_everything(folder)[0]["loss"].loss.tolist() == [1]
