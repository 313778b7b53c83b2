"""Damaged files of runs and discoveries are named, with what to do, and end nothing else."""

import hashlib
import json
import os
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.model_parts import linear_config
from torch import nn

from vae_mf.commands.collect import main as collect
from vae_mf.density_models.comparison import ModelScores, kept_scores, values_in
from vae_mf.files import SEAL, WEIGHTS, read_json, write_sealed
from vae_mf.runs.folder import CONFIG, RECORD, find_run, find_runs, open_run
from vae_mf.runs.models import build_vae, load
from vae_mf.tables import METRICS, read_metrics, read_tables, write_metrics, write_tables
from vae_mf.training.weights import load_weights, save_weights

MODEL = linear_config(latents=1)
ADVICE = "copy it again, or remove it"
RUN = "seed: 1\nmodel:\n  latents: 2\nrun:\n  name: r\n  digest: d\n"
ALIASES = "a0: &a0 [1, 1]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40))
CONFIGS = {
    "cut": (RUN[:20], ADVICE),
    "a list": ("[1, 2]", ADVICE),
    "no text": ("\x00\x01", ADVICE),
    "not closed": ("seed: [1", ADVICE),
    "deep": ("[" * 10_000, ADVICE),
    "long": ("x" * 2**21, ADVICE),
    "aliases of aliases": (RUN + ALIASES, "expected every value to be written out, got aliases"),
    "a secret": (RUN.replace("r\n", "${oc.env:HOME}\n"), "expected values, got run.name="),
    "text in text": (RUN.replace("r\n", "${run.digest}${run.digest}\n"), "which would be computed"),
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


def test_a_seal_names_nothing_outside_its_folder(tmp_path):
    folder = sealed(tmp_path / "run")
    secret = tmp_path / "secret"
    secret.write_text("mine", encoding="utf-8")
    for name in (secret, "../secret"):
        (folder / SEAL).write_text(f"{hashlib.sha256(b'mine').hexdigest()}  {name}\n", encoding="utf-8")
        with pytest.raises(ValueError, match=f"{SEAL}: expected the content"):
            load(folder)
    (folder / SEAL).unlink()
    os.mkfifo(folder / SEAL)
    with pytest.raises(ValueError, match=f"{SEAL}: expected a file, got something else"):
        load(folder)


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


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_that_is_none_is_refused_by_its_name(tmp_path, kind):
    content, said = CONFIGS[kind]
    (tmp_path / CONFIG).write_text(content)
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path / CONFIG))}: .*{re.escape(said)}"):
        find_run(tmp_path)


def test_escaped_and_aliased_texts_are_data(tmp_path):
    (tmp_path / CONFIG).write_text(RUN.replace("r\n", r"\${x} & *y" + "\n"))
    (run,) = find_runs([str(tmp_path)])
    assert run.config.run.name == "${x} & *y"


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff", b"[" * 10_000, b"null"])
def test_a_record_that_is_none_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"metrics\.json: expected .*{ADVICE}"):
        read_metrics(tmp_path)


def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / CONFIG)
    (tmp_path / RECORD).mkdir()
    with pytest.raises(ValueError, match="expected a file, got something else"):
        find_run(tmp_path)
    with pytest.raises(ValueError, match="expected a file, got something else"):
        read_json(tmp_path / RECORD)


def test_damaged_tables_weights_and_scores_are_refused_by_their_names(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "moments.csv").write_text('a,b\n1,"2\n')
    with pytest.raises(ValueError, match=rf"moments\.csv: .*{ADVICE}"):
        read_tables(tmp_path)
    save_weights(nn.Linear(2, 1), tmp_path / "w")
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:60])
    with pytest.raises(ValueError, match=f"w: .*{ADVICE}"):
        load_weights(nn.Linear(2, 1), tmp_path / "w")
    np.savez(tmp_path / "s.npz", content="x")
    (tmp_path / "s.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"s\.npz: .*{ADVICE}"):
        values_in(tmp_path / "s.npz")


EDITS = {
    CONFIG: [
        *({"seed": value} for value in (None, "x")),
        *({"model": value} for value in (None, {}, [1], MODEL | {"latents": "x"}, MODEL | {"prior": None})),
        *({"run": value} for value in (None, {}, {"name": [1]})),
    ],
    RECORD: [*({"sites": value} for value in (None, "x", -1, 10**15)), {"temperatures": "cold"}],
}


@pytest.mark.parametrize("name", EDITS)
def test_values_that_make_no_model_are_named_with_their_folder(run, name):
    path = run / name
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    without = [{other: whole[other] for other in whole if other != key} for key in whole if key != "temperatures"]
    for edited in (*(whole | edit for edit in EDITS[name]), *without):
        path.write_text(json.dumps(edited), encoding="utf-8")
        with pytest.raises(ValueError, match=re.escape(str(run))) as refused:
            load(run)
        assert "\n" not in str(refused.value)


def test_a_folder_with_another_configuration_is_not_trained_in(run):
    config = find_run(run).config
    config.run.folder = str(run)
    (run / CONFIG).write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.yaml: expected the options of a run, got none for run, model"):
        open_run(config)


def scores(number):
    values = np.full(3, float(number))
    return ModelScores(f"model {number}", "Family", number, values, values, 0.0, 1.0)


def test_scores_of_another_model_are_not_taken_for_those_of_this_one(tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert [kept_scores(path, lambda: scores(1)).parameters for path in (first, second)] == [1, 1]
    second.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match=rf"second\.npz: expected a whole file, .*{ADVICE}"):
        kept_scores(second, lambda: scores(2))


def test_every_flipped_bit_of_scores_is_named_or_harmless(tmp_path):
    path = tmp_path / "scores.npz"
    whole = repr(kept_scores(path, lambda: scores(1), "rows"))
    content = path.read_bytes()
    encrypted = content.index(b"PK\x01\x02") + 8
    for place in (encrypted, *range(0, len(content), 17)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            found = repr(kept_scores(path, lambda: scores(1), "rows"))
        except ValueError as error:
            found = str(error) if str(path) in str(error) else "no name"
        assert found == whole or found.startswith(f"{path}: expected "), place
        path.unlink()


def test_scores_of_version_0_1_are_read_as_before(tmp_path):
    np.savez(tmp_path / "old.npz", **scores(1)._asdict())
    assert repr(kept_scores(tmp_path / "old.npz", lambda: scores(2))) == repr(scores(1))
    np.savez(tmp_path / "less.npz", model="x")
    with pytest.raises(ValueError, match=r"less\.npz: expected scores of a model, got none of family"):
        kept_scores(tmp_path / "less.npz", lambda: scores(2))


def test_a_collection_of_damaged_runs_alone_says_so(run, compose_config):
    (run / CONFIG).write_bytes(b"{")
    with pytest.raises(ValueError, match=r"runs: expected a whole run folder, got .*whole, damaged"):
        collect(compose_config("collect", f"runs=[{run.parent}/*]", f"report={run.parent.parent}/report"))


def test_a_whole_record_is_read(tmp_path):
    (tmp_path / RECORD).write_text(json.dumps({"sites": 8}))
    assert read_json(tmp_path / RECORD) == {"sites": 8}
