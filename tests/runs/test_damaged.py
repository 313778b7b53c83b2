"""Files of run folders that are cut, damaged, or of somebody who means harm: one sentence that names the file."""

import json
import os
import re

import numpy as np
import pytest
from torch import nn

from vae_mf.density_models.comparison import values_in
from vae_mf.files import read_json
from vae_mf.runs.folder import CONFIG, RECORD, find_run, find_runs
from vae_mf.tables import read_metrics, read_tables
from vae_mf.training.weights import load_weights, save_weights

RUN = "seed: 1\nmodel:\n  latents: 2\nrun:\n  name: r\n  digest: d\n"
ALIASES = "a0: &a0 [1, 1]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40))
DAMAGED = "copy it again, or remove it"
CONFIGS = {
    "cut": (RUN[:20], DAMAGED),
    "a list": ("[1, 2]", DAMAGED),
    "no text": ("\x00\x01", DAMAGED),
    "not closed": ("seed: [1", DAMAGED),
    "deep": ("[" * 10_000, DAMAGED),
    "long": ("x" * 2**21, DAMAGED),
    "aliases of aliases": (RUN + ALIASES, "expected every value to be written out, got aliases"),
    "a secret": (RUN.replace("r\n", "${oc.env:HOME}\n"), "expected values, got run.name="),
    "text in text": (RUN.replace("r\n", "${run.digest}${run.digest}\n"), "which would be computed"),
}


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
    with pytest.raises(ValueError, match=rf"metrics\.json: expected .*{DAMAGED}"):
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
    with pytest.raises(ValueError, match=rf"moments\.csv: .*{DAMAGED}"):
        read_tables(tmp_path)
    save_weights(nn.Linear(2, 1), tmp_path / "w")
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:60])
    with pytest.raises(ValueError, match=f"w: .*{DAMAGED}"):
        load_weights(nn.Linear(2, 1), tmp_path / "w")
    np.savez(tmp_path / "s.npz", content="x")
    (tmp_path / "s.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"s\.npz: .*{DAMAGED}"):
        values_in(tmp_path / "s.npz")


def test_a_whole_record_is_read(tmp_path):
    (tmp_path / RECORD).write_text(json.dumps({"sites": 8}))
    assert read_json(tmp_path / RECORD) == {"sites": 8}
