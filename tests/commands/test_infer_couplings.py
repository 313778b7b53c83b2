"""The command that infers couplings reads whatever discover.py reads, by the same options."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from helpers.commands import FORKS
from matplotlib.text import Text
from numpy.testing import assert_array_equal
from rich.console import Console

from vae_mf.commands import limited
from vae_mf.commands.infer_couplings import TABLE, Results, main, printed, read_data
from vae_mf.commands.limited import Worker
from vae_mf.datasets.recording import read_recording
from vae_mf.files import SEAL, seal
from vae_mf.inverse_ising import MissingEntries, NaiveMeanField, PseudoLikelihood
from vae_mf.store import from_arrays
from vae_mf.store.schema import StoreError
from vae_mf.studies.coupling_tables import ESTIMATOR_COLUMNS, HELD_OUT, best_sentence
from vae_mf.tables import read_tables, write_tables

pytestmark = pytest.mark.usefixtures("forked_workers")
WORDS = np.random.default_rng(1).integers(0, 2, (60, 5))


@pytest.fixture
def forked_workers(monkeypatch):
    """Processes of the estimators that do not import everything each for itself."""
    monkeypatch.setattr(limited, "PROCESSES", FORKS)


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


def test_folders_of_data_are_read_as_such_and_stores_as_stores(compose_config, tmp_path):
    zarr.save_array(tmp_path / "words.zarr", WORDS)
    np.save(tmp_path / "spikes.times.npy", np.arange(40) / 2)
    np.save(tmp_path / "spikes.clusters.npy", np.arange(40) * 3 % 5 % 2)
    config = compose_config("infer_couplings", f"dataset.path={tmp_path}/words.zarr")
    assert_array_equal(read_data(config).spins, 2 * WORDS - 1)
    config = compose_config("infer_couplings", f"dataset.path={tmp_path}", "dataset.bin_width=1")
    assert read_data(config).spins.shape == (20, 2)
    spins = np.repeat(2 * WORDS - 1, 2, axis=0)
    from_arrays({1.0: spins}, folder=tmp_path / "own.zarr")
    config = compose_config("infer_couplings", f"dataset.path={tmp_path}/own.zarr")
    assert_array_equal(read_data(config).spins, spins)
    next((tmp_path / "own.zarr").rglob("c.0*")).write_bytes(b"")
    with pytest.raises(StoreError, match="is truncated"):
        read_data(config)


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


class Slow(PseudoLikelihood):
    """Pseudo-likelihood that is at work for long in every fit; it stands in a file that the worker imports too."""

    def _estimate(self, spins, weights):
        end = time.process_time() + float(os.environ["WORK"])
        while time.process_time() < end:
            pass
        return super()._estimate(spins, weights)


def infer(compose_config, tmp_path, *options):
    """Run the command on correlated votes and return its table by estimator."""
    if not (tmp_path / "votes.csv").exists():
        random = np.random.default_rng(3)
        votes = (random.normal(size=(200, 1)) + random.normal(size=(200, 4)) > 0).astype(int)
        lines = ["anna,bob,carl,dora", *(",".join(map(str, row)) for row in votes)]
        (tmp_path / "votes.csv").write_text("\n".join(lines))
    told = [f"dataset.path={tmp_path}/votes.csv", f"folder={tmp_path}/out", "inverse_ising=naive_mean_field", *options]
    main(compose_config("infer_couplings", *told))
    return read_tables(tmp_path / "out") | {TABLE: read_tables(tmp_path / "out")[TABLE].set_index("estimator")}


PSEUDO = "+inverse_ising.pseudolikelihood._target_=vae_mf.inverse_ising.PseudoLikelihood"
SLOW = f"+inverse_ising.slow._target_={__name__}.Slow"


def test_a_finished_row_is_kept_until_what_it_depends_on_changes(compose_config, tmp_path, capsys):
    first = infer(compose_config, tmp_path)[TABLE].loc["naive_mean_field"]
    tables = infer(compose_config, tmp_path, PSEUDO)
    again = tables[TABLE]
    said = best_sentence(tables["held_out"], 5)
    assert said.startswith("best held-out ln p: ")
    assert said in capsys.readouterr().out.splitlines()
    assert again.seconds["naive_mean_field"] == first.seconds
    assert np.isfinite(again.log_likelihood["pseudolikelihood"])
    changed = infer(compose_config, tmp_path, "folds=4")[TABLE].loc["naive_mean_field"]
    assert changed.log_likelihood != first.log_likelihood
    np.save(tmp_path / "truth.npy", np.zeros((4, 4)) + 0.2 * (1 - np.eye(4)))
    known = infer(compose_config, tmp_path, f"truth={tmp_path}/truth.npy")
    assert known["naive_mean_field"].truth.tolist() == [0.2] * 6
    assert known[TABLE].rmse["naive_mean_field"] < 0.2
    (tmp_path / "votes.csv").write_text((tmp_path / "votes.csv").read_text().replace("0,0,0,0", "1,0,1,0"))
    other = infer(compose_config, tmp_path)[TABLE].loc["naive_mean_field"]
    assert other.gain_over_independent < first.gain_over_independent - 0.1


def test_names_of_variables_stand_in_tables_and_no_temperature_in_figures(compose_config, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("vae_mf.commands.infer_couplings.save_figure", lambda figure, *_: drawn.append(figure))
    tables = infer(compose_config, tmp_path, PSEUDO)
    assert tables["naive_mean_field"].iloc[-1][["i", "j"]].tolist() == ["carl", "dora"]
    assert tables["pseudolikelihood_fields"].i.tolist() == ["anna", "bob", "carl", "dora"]
    words = [text.get_text() for figure in drawn for text in figure.findobj(Text)]
    assert "anna" in words
    assert not any("k_B" in word for word in words)


@pytest.mark.slow
def test_what_the_time_limit_ends_has_a_row_and_is_tried_again(compose_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(limited, "PROCESSES", multiprocessing.get_context("spawn"))  # forks keep their environment
    drawn = {}
    monkeypatch.setattr(
        "vae_mf.commands.infer_couplings.save_figure", lambda figure, _, name: drawn.update({name: figure})
    )
    monkeypatch.setenv("WORK", "0")
    complete = infer(compose_config, tmp_path, SLOW)
    folder = tmp_path / "out"
    assert len(complete["correlations"]) == 4
    votes = (tmp_path / "votes.csv").read_text()
    (tmp_path / "votes.csv").write_text(votes.replace("0,0,0,0", "1,0,1,0"))
    monkeypatch.setenv("WORK", "1000")
    tables = infer(compose_config, tmp_path, SLOW, "time_limit=1")
    row = tables[TABLE].loc["slow"]
    said = "in the fit: stopped after 1 s of processor time"
    assert (row.remarks, row.folds, row.finished) == (said, 0, False)
    assert np.isnan(row.log_likelihood)
    assert np.isnan(row.seconds)
    assert np.isfinite(tables[TABLE].log_likelihood["naive_mean_field"])
    assert f"slow: {said}" in capsys.readouterr().out
    # The couplings of the former data are gone.
    assert set(tables["correlations"]["first"]) == {"naive_mean_field"}
    assert not [path for path in folder.rglob("*") if path.name.startswith("slow")]
    monkeypatch.setenv("WORK", "0")
    tables = infer(compose_config, tmp_path, SLOW)
    assert np.isfinite(tables[TABLE].log_likelihood["slow"])
    assert len(tables["correlations"]) == 4


@pytest.mark.slow
def test_a_shorter_limit_does_not_undo_what_a_former_call_found(compose_config, tmp_path, monkeypatch):
    monkeypatch.setattr(limited, "PROCESSES", multiprocessing.get_context("spawn"))  # forks keep their environment
    monkeypatch.setenv("WORK", "0")
    table = infer(compose_config, tmp_path, SLOW, "folds=2")
    place = tmp_path / "out" / "tables" / f"{TABLE}.csv"
    place.write_text(place.read_text().replace("True", "False"))
    monkeypatch.setenv("WORK", "1000")
    again = infer(compose_config, tmp_path, SLOW, "folds=2", "time_limit=1")
    assert again[TABLE].log_likelihood["slow"] == table[TABLE].log_likelihood["slow"]
    assert again["slow"].equals(table["slow"])
    assert again["held_out"].estimator.value_counts().tolist() == [20, 20]


def test_results_of_a_former_call_count_while_all_they_depend_on_is_the_same(tmp_path):
    def row(name, **columns):
        return dict.fromkeys(ESTIMATOR_COLUMNS) | {"estimator": name, "seconds": 1.0, "finished": True} | columns

    pairs = pd.DataFrame({"i": [0, 0, 1], "j": [1, 2, 2], "coupling": [0.1, 0.2, 0.3]})
    names = ("bethe", "tap", "boltzmann", "naive")
    write_tables(tmp_path, dict.fromkeys(names, pairs) | {f"{name}_fields": pairs for name in names})
    for name in names:
        (tmp_path / f"{name}.npz").touch()
    first = Results(tmp_path / "first", {})
    assert first.unfinished() == []
    results = Results(tmp_path, {})
    results.keys = dict.fromkeys(("bethe", "tap", "boltzmann"), "1e9")
    held_out = pd.DataFrame({"estimator": ["tap"], "block": 0, "fold": 0}, columns=HELD_OUT)
    results.add(row("bethe"), held_out[:0])
    results.add(row("tap", finished=False, folds=1), held_out)
    results.add(row("boltzmann"), held_out[:0])
    again = Results(tmp_path, {"bethe": "1e9", "tap": "1e9", "boltzmann": "2", "erasure": "1"})
    assert again.unfinished() == ["tap", "boltzmann", "erasure"]
    assert [block["estimator"] for block in again.blocks] == ["tap"]
    # Files of other data are gone, those of estimators that were not asked for stay.
    left = {path.stem for path in tmp_path.rglob("*") if path.is_file()} - {TABLE, "held_out", "correlations"}
    assert left == {part for name in ("bethe", "tap", "naive") for part in (name, f"{name}_fields")}
    tables = again.write()
    assert tables[TABLE].estimator.tolist() == ["bethe", "tap"]
    assert set(tables["correlations"]["first"]) == {"bethe", "tap"}
    again.add(row("tap", seconds=None, finished=False), held_out[:0])
    assert set(read_tables(tmp_path)["correlations"]["first"]) == {"bethe"}
    assert not again.blocks


def test_rows_are_written_when_they_are_done(compose_config, tmp_path, monkeypatch):
    whole = Worker.run

    def run(worker, work, estimator, *arguments, **options):
        if isinstance(estimator, PseudoLikelihood):
            raise KeyboardInterrupt
        return whole(worker, work, estimator, *arguments, **options)

    monkeypatch.setattr(Worker, "run", run)
    with pytest.raises(KeyboardInterrupt):
        infer(compose_config, tmp_path, PSEUDO)
    done = read_tables(tmp_path / "out")
    assert done[TABLE].estimator.tolist() == ["naive_mean_field"]
    assert {"naive_mean_field", "naive_mean_field_fields", "variables"} <= done.keys()


def test_warnings_are_printed_in_one_line_and_stored(compose_config, tmp_path, capsys):
    hurried = [PSEUDO, "+inverse_ising.pseudolikelihood.max_iter=1"]
    table = infer(compose_config, tmp_path, *hurried)[TABLE]
    assert "PseudoLikelihood has not converged after" in table.remarks["pseudolikelihood"]
    assert f"pseudolikelihood: {table.remarks['pseudolikelihood']}\n" in capsys.readouterr().out
    assert table.converged.isna()["naive_mean_field"]
    assert not table.converged["pseudolikelihood"]


def test_the_printed_table_of_rows_with_gaps_fits_a_terminal():
    row = dict.fromkeys(ESTIMATOR_COLUMNS, -4.2812)
    row |= {"estimator": "interaction_screening", "seconds": 10.631, "iterations": 40, "converged": True}
    row |= {"gain_over_independent_error": 0.3135, "log_likelihood": -10.7302, "rmse": 0.0512}
    row |= {"missing": 0.173, "missing_by": "MissingEntries"}
    console = Console(width=80)
    with console.capture() as shown:
        console.print(printed(pd.DataFrame([row])))
    assert "interaction_screening" in shown.get()
    assert "…" not in shown.get()


@pytest.mark.parametrize("option", ["time_limit=0", "folds=1", "blocks=500", "dataset.temperature=1"])
def test_an_option_that_is_refused_leaves_nothing_behind(compose_config, tmp_path, option):
    with pytest.raises(ValueError, match=option.split("=")[0]):
        infer(compose_config, tmp_path, option)
    assert not (tmp_path / "out").exists()


def test_the_only_estimator_that_refuses_is_an_error(compose_config, tmp_path):
    with pytest.raises(ValueError, match="l2"):
        infer(compose_config, tmp_path, "inverse_ising=pseudolikelihood", "inverse_ising.pseudolikelihood.l2=-1")


def test_votes_with_missing_entries_are_fitted_and_only_what_was_seen_is_scored(compose_config, tmp_path, capsys):
    random = np.random.default_rng(4)
    votes = np.where(random.normal(size=(150, 1)) + random.normal(size=(150, 4)) > 0, "1", "0")
    votes[random.random((150, 4)) < 0.15] = ""
    (tmp_path / "votes.csv").write_text("\n".join(["anna,bob,carl,dora", *map(",".join, votes)]))
    tables = infer(compose_config, tmp_path, "folds=2", "blocks=10")
    row = tables[TABLE].loc["naive_mean_field"]
    share = (votes == "").mean()
    assert (row.missing, row.missing_by) == (pytest.approx(share), "MissingEntries")
    assert f"{share:.2%} of the entries are missing: every fit is the mean over completions" in capsys.readouterr().out
    rows = np.where(votes == "", np.nan, np.where(votes == "1", 1.0, -1.0))
    members = np.repeat(np.arange(10) % 2, 15)
    scores = []
    for fold in range(2):
        model = MissingEntries(NaiveMeanField(), random_state=42).fit(rows[members != fold])
        scores.append(model.log_likelihood(rows[members == fold]))
    assert row.log_likelihood == pytest.approx(np.mean(scores))
    with pytest.raises(ValueError, match=r"got nothing or NaN in row .*; infer-couplings takes them"):
        read_recording(tmp_path / "votes.csv")


def test_a_changed_table_of_what_is_finished_is_named(tmp_path):
    row = {"estimator": "tap", "key": "k", "finished": True, "seconds": 1.0}
    write_tables(tmp_path, {"estimators": pd.DataFrame([row]), "tap": pd.DataFrame({"coupling": [0.25]})})
    seal(tmp_path)
    assert Results(tmp_path, {"tap": "k"}).unfinished() == []
    write_tables(tmp_path, {"tap": pd.DataFrame({"coupling": [0.75]})})
    with pytest.raises(ValueError, match=r"tap\.csv: expected the content that its folder was finished with"):
        Results(tmp_path, {"tap": "k"})
    seal(tmp_path)
    assert Results(tmp_path, {"tap": "another"}).unfinished() == ["tap"]
    assert not (tmp_path / SEAL).exists()
