"""A discovery says what is in data, tells it in one file, and goes on where it was stopped."""

import inspect
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from helpers import PROJECT_ROOT
from helpers.commands import run_all
from helpers.discovery import TINY, hopfield, independent, options
from hydra import compose, initialize_config_dir
from numpy.testing import assert_array_equal

from vae_mf.datasets.recording import make_recording
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.discovery.document import html_table
from vae_mf.discovery.folder import workplace
from vae_mf.discovery.report import Report, discover, fingerprint
from vae_mf.discovery.sentences import plus_minus
from vae_mf.discovery.settings import ARGUMENTS, DiscoverySettings, discovery_config, discovery_settings
from vae_mf.discovery.split import prepare
from vae_mf.files import write_whole
from vae_mf.runs.models import load

PARTS = {"report.html", "metrics.json", "discovery.json", "tables", "figures", "models", "scores"}


def settings(quick: bool = False, **changes) -> DiscoverySettings:
    return discovery_settings(*discovery_config(quick, **changes))


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A tiny discovery of one strong pattern, its folder and the pattern."""
    spins, patterns = hopfield(3000, 8, 1)
    folder = tmp_path_factory.mktemp("discovery")
    names = ["<b>a</b>", "& b", *"cdefgh"]
    report = discover(
        make_recording(spins, names=names), quick=True, truth=patterns, folder=folder, name="<i>x</i>", **TINY
    )
    return report, folder, spins, patterns


def test_one_strong_pattern_is_found_and_matched(known):
    report, *_ = known
    assert report.latents == 1
    assert report.answer != "nothing to find"
    assert report.metrics["overlap_with_truth_min"] == 1
    assert report.metrics["gain_over_independent"] > 10 * report.metrics["gain_over_independent_error"]
    assert report.verdict is not None
    assert list(report.patterns.columns) == ["variable", "pattern_1"]


def test_the_folder_holds_all_that_the_report_says(known):
    report, folder, *_ = known
    assert {path.name for path in folder.iterdir()} >= PARTS
    assert (folder / "report.html").read_text() == report.html
    told = json.loads((folder / "metrics.json").read_text())
    assert told.keys() == report.metrics.keys()
    assert told["latents"] == 1
    assert {path.stem for path in (folder / "tables").iterdir()} == set(report.tables)


class Page(HTMLParser):
    """All tags and addresses of a document, and the tags that were opened and not closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_well_formed_file_that_escapes_what_the_user_named(known):
    report, *_ = known
    page = Page()
    page.feed(report.html)
    assert not page.open
    assert page.sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert not {"script", "link", "iframe", "b", "i"} & set(page.tags)
    assert not re.search(r"url\(|@import", report.html)
    assert "&lt;i&gt;x&lt;/i&gt;" in report.html


def test_a_notebook_shows_the_report_in_a_frame(known):
    report, *_ = known
    page = Page()
    page.feed(report._repr_html_())
    assert page.tags == ["iframe"]


def test_finished_stages_are_not_done_again_and_lost_ones_come_out_the_same(known):
    report, folder, spins, patterns = known
    weights = sorted(folder.glob("models/*/model.safetensors"))
    assert {path.parent.name for path in weights} >= {"latents-1", "seed-1", "first-half", "second-half"}
    kept, lost = folder / "models" / "latents-1" / "model.safetensors", folder / "models" / "seed-1"
    before = kept.stat().st_mtime_ns
    # What a kill may leave, with the report of an earlier version.
    (lost / "model.safetensors").unlink()
    (folder / "scores" / "latents-1.npz").rename(folder / "scores" / "latents-1.npz.partial")
    answer = folder / "assessment" / "verdict.json"
    answer.with_name("verdict.json.partial").write_text(answer.read_text()[:99])
    answer.unlink()
    (folder / "metrics.json").unlink()
    for stale in ("tables/earlier.csv", "figures/earlier.png"):
        (folder / stale).touch()
    recording = make_recording(spins, names=report.patterns.variable.tolist())
    damaged = folder / "assessment" / "tables" / "surgery.csv"
    damaged.write_text("tempera")
    with pytest.raises(ValueError, match=r"surgery\.csv: expected the content .* remove it, and the same command"):
        discover(recording, quick=True, truth=patterns, folder=folder, name="<i>x</i>", **TINY)
    damaged.unlink()
    first, second = (folder / "models" / name / "model.safetensors" for name in ("first-half", "second-half"))
    whole = first.read_bytes()
    first.write_bytes(second.read_bytes())  # of the same architecture
    with pytest.raises(ValueError, match=r"first-half/model\.safetensors: expected the content"):
        discover(recording, quick=True, truth=patterns, folder=folder, name="<i>x</i>", **TINY)
    first.write_bytes(whole)
    again = discover(recording, quick=True, truth=patterns, folder=folder, name="<i>x</i>", **TINY)
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_equal(again.metrics, report.metrics)  # NaN where something is not known
    assert_array_equal(again.tables["stability"], report.tables["stability"])
    assert again.html == report.html
    np.testing.assert_allclose(load(folder).encode(spins).mean, again.tables["latents"].filter(like="z_"), atol=1e-6)
    assert not [path for path in folder.rglob("*") if path.stem == "earlier" or "partial" in path.name]


@pytest.mark.slow
def test_mixtures_are_fitted_once_and_by_a_resumption_those_alone_that_it_needs(tmp_path, monkeypatch):
    """One of four variables is up at a time, four others hardly ever: four classes."""
    fits = []
    fit = BernoulliMixture.fit
    monkeypatch.setattr(BernoulliMixture, "fit", lambda self, *data: fits.append(self.n_components) or fit(self, *data))
    random = np.random.default_rng(3)
    rows = np.where(np.arange(8) == 2 * random.integers(4, size=(3000, 1)), 1, -1)
    rows = np.where(random.random(rows.shape) < 0.05, -rows, rows).astype(np.int8)
    mixtures = TINY["density_models"] | {"mixtures": [2, 4]}
    # No second fit, to rows of the model.
    tiny = TINY | {"density_models": mixtures, "assessment.thresholds.near": 1e-3}
    report = discover(rows, quick=True, folder=tmp_path, **tiny)
    assert report.classes == 4
    assert sorted(fits) == [2, 3, 4]
    summary, shifts, told = (report.tables[name] for name in ("class_summary", "class_shifts", "latents"))
    np.testing.assert_allclose(summary.weight, 0.25, atol=0.03)
    assert summary["rows"].sum() == len(rows)
    raised = shifts.set_index("variable").gt(0.5)
    assert (raised.sum() == 1).all()
    assert sorted(raised.idxmax()) == ["0", "2", "4", "6"]
    np.testing.assert_allclose(told.filter(like="class_"), report.encode(rows))
    assert "The classes of all rows" in report.html
    np.testing.assert_allclose(load(tmp_path).class_probabilities(rows), report.encode(rows), rtol=1e-12)
    assert {"classes.png", "latents.png"} <= {path.name for path in (tmp_path / "figures").iterdir()}
    fits.clear()
    (tmp_path / "assessment" / "verdict.json").unlink()
    again = discover(rows, quick=True, folder=tmp_path, **tiny)
    assert fits == [4]
    np.testing.assert_equal(again.metrics, report.metrics)
    assert_array_equal(again.encode(rows), report.encode(rows))


def test_a_folder_belongs_to_one_discovery(known):
    _, folder, spins, _ = known
    with pytest.raises(ValueError, match="folder: expected a new one or that of the same data and settings"):
        discover(spins, quick=True, folder=folder, **(TINY | {"schedule": {"steps": 2}}))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="folder: expected a new one or that of the same data and settings"):
        discover(independent(), quick=True, folder=tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_is_worked_on_by_one_process(tmp_path):
    told: list[str] = []
    with workplace(tmp_path / "found", {"data": 1}, told.append) as folder:
        other = Thread(target=lambda: workplace(folder, {"data": 1}, told.append).__enter__(), daemon=True)
        other.start()
        other.join(0.5)
        assert other.is_alive()
        assert told == [f"waiting for another process that works on {folder}"]
    other.join(5)
    assert not other.is_alive()


def test_by_force_a_discovery_replaces_its_own_folder_when_it_is_complete(tmp_path):
    found = tmp_path / "found"
    for number in range(2):
        with workplace(found, {"data": 1}, print, closing="a: 1", force=True) as place:
            write_whole(place / "number", str(number))
            assert number == 0 or (found / "number").read_text(encoding="utf-8") == "0"
        assert (found / "number").read_text(encoding="utf-8") == str(number)
    with (
        pytest.raises(ValueError, match="expected a new one or that of the same data and settings"),
        workplace(found, {"data": 2}, print, closing="a: 1", force=True),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["found"]


def test_by_force_no_other_folder_is_replaced(tmp_path):
    """Any folder with a config.yaml, a run among them, was once removed for the discovery that took its place."""
    np.save(tmp_path / "rows.npy", independent())
    for name in ("config.yaml", "thesis.tex"):
        write_whole(tmp_path / "mine" / name, "mine")
    words = ["discover", f"dataset.path={tmp_path}/rows.npy", "quick=true", f"folder={tmp_path}/mine", "force=true"]
    (refused,) = run_all([words])
    assert (refused.code, "folder: expected a new one or that" in refused.err) == (1, True), refused
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.yaml", "mine", "rows.npy", "thesis.tex"]


def test_data_are_known_by_the_split_of_their_rows_too():
    values = np.random.default_rng(3).integers(0, 2, (6, 4, 50))
    recordings = make_recording(values), make_recording(values.transpose(0, 2, 1).reshape(300, 4))
    assert_array_equal(recordings[0].rows, recordings[1].rows)
    assert fingerprint(recordings[0]) != fingerprint(recordings[1])


def test_there_is_nothing_to_find_in_independent_variables():
    report = discover(independent(), quick=True, **(TINY | {"selection": {"largest_latents": 1, "draws": 4}}))
    assert isinstance(report, Report)
    assert (report.answer, report.latents, report.verdict) == ("nothing to find", 0, None)
    assert "Nothing to find" in report.html
    assert list(report.patterns.columns) == ["variable"]


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        (np.full((50, 3), 2), {}, "raster: expected entries 0 and 1 or -1 and \\+1"),
        (independent(50), {}, "expected at least 40 rows in validation and test, got 5"),
        (independent(), {"order": "sideways"}, "order: expected one of auto, time, repeat, independent"),
        (independent(), {"truth": np.ones((1, 5))}, "truth: expected patterns of -1 and \\+1 with 6 entries"),
        (independent(), {"truth": np.ones((0, 6))}, "truth: expected patterns of -1 and \\+1 with 6 entries"),
        (independent(), {"truth": np.full((1, 6), 0.5)}, "truth: expected entries -1 and \\+1, got values such as"),
        (independent(), {"truth": np.full((1, 6), np.nan)}, "truth: expected entries -1 and \\+1, got values such as"),
        (independent(), {"epoch": 3}, "expected an option of a discovery, got epoch; did you mean training.epochs?"),
        (independent(), {"rows": 3}, "rows: expected a mapping of options, got 3"),
        (independent(), {"training": {"epochs": 0}}, "epochs: expected an integer >= 1, got 0"),
        (independent(), {"rows.blocks": 1}, "rows.blocks: expected an integer >= 2, got 1"),
        (independent(), {"rows.blocks": np.int64(1)}, "rows.blocks: expected an integer >= 2, got 1$"),
        (independent(), {"quik": True}, "expected an option of a discovery, got quik; did you mean quick?"),
        (independent(), {"ordr": "time"}, "expected an option of a discovery, got ordr; did you mean order?"),
        (independent(), {"sede": 1}, "expected an option of a discovery, got sede; did you mean seed?"),
        (independent(), {"drop_unusable": True}, "no drop_unusable, which is an option of vae_mf.datasets"),
        (independent(), {"quick": "yes"}, "quick: expected True or False, got 'yes'"),
        (independent(), {"seed": 1.5}, "seed: expected an integer >= 0, got 1.5"),
        (independent(), {"names": "abcdef"}, "names: expected a list with one for each variable, got 'abcdef'"),
        (independent(), {"names": 6}, "names: expected a list with one for each variable, got 6"),
        (make_recording(independent()), {"names": list("abcdef")}, "names: expected none beside a recording"),
        (independent(), {"name": 3}, "name: expected a text, got 3"),
        (independent(), {"progress": True}, "progress: expected a rich.progress.Progress, got True"),
        (independent(), {"folder": 3}, "folder: expected a path, got 3"),
        (independent(), {"truth": "p.npy"}, "truth: expected an array, got 'p.npy': read the file first"),
        (independent(), {"truth": [[1], [1, -1]]}, "truth: expected rows of one length, got"),
        ("spikes.npy", {}, "data: expected an array or a recording, got the name of a file, 'spikes.npy': read it"),
        (Path("spikes.npy"), {}, "vae_mf.datasets.read_recording or numpy.load, or run vae-mf discover spikes.npy"),
        (None, {}, "raster: expected an array of numbers, got NoneType"),
        (np.ma.masked_array(independent(), independent() > 0), {}, "raster: expected an array without gaps"),
        (independent(), {"assessment": {"seed": 3}}, "assessment.seed: expected null, as it follows from seed, got 3"),
        (independent(), {"order": "repeat"}, "split: expected random or time, got repeat with too few repeats"),
        (independent()[..., None], {"order": "time"}, "split: expected random or repeat, got time with"),
        (
            independent(), {"order": "independent", "memory": {"states": 2}},
            "memory.states: expected rows in the order of their time, got .*; leave it out, or give the order",
        ),
        (
            independent(), {"rows": {"min_count": 1000}},
            "expected at least 3 variables with 1000 rows in either state, got 0 of 6",
        ),
    ],
    ids=[
        "values", "few rows", "order", "truth shape", "no truth", "truth entries", "truth nan", "setting", "group",
        "number", "blocks", "NumPy's number", "quik", "ordr", "sede", "drop_unusable", "quick", "seed", "names",
        "no names", "names twice", "name", "progress", "folder", "truth file", "ragged truth", "file", "path",
        "nothing", "gaps", "derived", "one repeat", "one time", "no order", "rare",
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_sentence(data, options, match, tmp_path, without_type_checks):
    with pytest.raises(ValueError, match=match):
        discover(data, **{"quick": True, "folder": tmp_path / "none", **options})
    assert not (tmp_path / "none").exists()


def test_arguments_and_options_are_told_apart():
    parameters = inspect.signature(discover).parameters.values()
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} | {"seed"} == set(ARGUMENTS)


def test_numbers_of_numpy_are_settings():
    changed = settings(
        selection={"patience": np.int64(3)}, **{"density_models.mixtures": np.array([2, 4])}, seed=np.int64(5)
    )
    assert (changed.selection.patience, list(changed.density_models.mixtures), changed.seed) == (3, [2, 4], 5)


def test_a_report_is_saved_at_a_path_and_shown_in_a_line(tmp_path, without_type_checks):
    report = Report("found", 2, 0, "Two collective variables.", pd.DataFrame(), None, {}, {}, "<html>", None)
    assert report.save(str(tmp_path / "new" / "r.html")).read_text() == "<html>"
    assert repr(report) == "Report(answer='found', latents=2, classes=0, headline='Two collective variables.')"
    with pytest.raises(ValueError, match="path: expected a path, got None"):
        report.save(None)


@pytest.mark.parametrize(
    ("shape", "order", "split"),
    [
        ((900, 4), "auto", "time"),
        ((6, 4, 150), "auto", "time"),
        ((900, 4, 1), "auto", "random"),
        ((900, 4), "independent", "random"),
        ((30, 4, 30), "repeat", "repeat"),
    ],
    ids=str,
)
def test_rows_are_held_out_by_what_is_known_of_their_order(shape, order, split):
    values = np.random.default_rng(3).integers(0, 2, shape)
    words = prepare(make_recording(values), order, settings(rows={"blocks": 10}))
    assert words.split == split
    assert len(words.validation) == len(words.test) == 90
    assert len(words.train) == 720


def test_held_out_rows_are_in_the_order_of_their_time():
    # The first variable says the half of the movie, the others are noise; three repeats of 200 bins.
    values = np.random.default_rng(4).integers(0, 2, (3, 5, 200))
    values[:, 0] = np.arange(200) % 20 < 10
    words = prepare(make_recording(values), "auto", settings(rows={"blocks": 6}))
    assert_array_equal(words.test[:, 0], np.repeat([1] * 10 + [-1] * 10, 3))


def test_rows_are_thinned_evenly_into_whole_blocks():
    chosen = settings(rows={"training": 100, "held_out": 45, "blocks": 10})
    words = prepare(make_recording(independent(1000)), "auto", chosen)
    assert (len(words.train), len(words.validation), len(words.test)) == (100, 40, 40)


def test_rare_variables_are_left_out_with_a_remark():
    values = independent(1000)
    values[:, 2] = 0
    values[:9, 2] = 1
    words = prepare(make_recording(values), "independent", settings())
    assert words.recording.names == ("0", "1", "3", "4", "5")
    assert words.remarks == ["1 variable that is in its rarer state in fewer than 10 rows was left out."]


def test_settings_go_by_the_names_of_the_files_nested_or_dotted_and_over_those_of_a_first_look():
    thorough = settings()
    quick = settings(True)
    assert quick.training.epochs < thorough.training.epochs
    assert quick.assessment.critic is None
    assert thorough.assessment.critic.generated_test == thorough.rows.held_out > quick.rows.held_out
    changed = settings(True, training={"epochs": 9}, **{"rows.blocks": 5}, seed=3)
    assert (changed.training.epochs, changed.rows.blocks, changed.seed) == (9, 5, 3)
    assert settings(density_models={"mixtures": (2, 3)}).density_models.mixtures == [2, 3]


def test_settings_are_composed_inside_an_application_of_hydra_too(compose_config):
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        assert settings(selection={"patience": 7}).selection.patience == 7
        assert compose("discover").seed == 42


def test_few_rows_are_evaluated_in_few_blocks():
    """Nineteen held-out rows: with twenty blocks, whatever the setting, a stage would have none."""
    random = np.random.default_rng(2)
    pattern = random.choice([-1, 1], 8)
    spins = random.choice([-1, 1], (190, 1)) * pattern * np.where(random.random((190, 8)) < 0.06, -1, 1)
    few = TINY | {"rows": {"blocks": 5, "min_count": 2}, "stability": {"seeds": 0, "halves": False}}
    few |= {"schedule": {"steps": 60}, "training": {"epochs": 15, "batch_size": 32, "encoder_refit_steps": 5}}
    report = discover(
        spins.astype(np.int8), order="independent", quick=True, **few, **{"assessment.residual_groups": 2}
    )
    assert report.latents >= 1
    assert report.tables["overlap_distribution"].query("source == 'test'").error.max() > 0


def test_a_report_is_short_in_a_terminal(known):
    report, *_ = known
    assert len(repr(report)) < 200
    assert report.headline in repr(report)
    assert "one latent variable" in report.headline


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (14.5388, 0.1033, "14.54 ± 0.10"),
        (0.0012, 0.00034, "0.00120 ± 0.00034"),
        (123.4, 12.0, "123 ± 12"),
        (5.0, 0.0, "5"),
    ],
    ids=str,
)
def test_a_value_has_the_digits_of_its_error(value, error, text):
    assert plus_minus(value, error) == text


def test_cells_of_a_table_are_escaped(known):
    table = known[0].tables["patterns"]
    told = html_table(table, {"variable": "a < b"}, {})
    assert not {"b", "script"} & set(re.findall(r"</?(\w+)", told))
    assert all(name in told for name in ("a &lt; b", "&lt;b&gt;a&lt;/b&gt;", "&amp; b"))


def test_a_bad_file_ends_the_command_in_one_line(tmp_path):
    (tmp_path / "words.csv").write_text("a,b\n0,2\n1,7\n")
    (done,) = run_all([["discover", f"dataset.path={tmp_path / 'words.csv'}", f"paths.outputs={tmp_path / 'out'}"]])
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_writes_a_report(tmp_path):
    np.save(tmp_path / "words.npy", independent())
    command = [sys.executable, PROJECT_ROOT / "scripts" / "discover.py", f"dataset.path={tmp_path / 'words.npy'}"]
    chosen = [*options(TINY), "quick=true", f"paths.outputs={tmp_path / 'out'}"]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "out").iterdir()
    assert "Nothing to find" in (folder / "report.html").read_text()
    assert "report.html" in done.stdout.replace("\n", "")


@pytest.mark.slow
def test_three_patterns_are_found_and_matched():
    spins, patterns = hopfield(40_000, 50, 3)
    report = discover(spins, quick=True, truth=patterns, density_models={"mixtures": [8]})
    assert report.latents == 3
    assert report.metrics["sign_vectors"] == 3
    assert report.metrics["returning_patterns"] == 3
    assert report.metrics["overlap_with_truth_min"] == 1
    assert report.answer == "found"
    # No model of direct dependence is said to be ahead of the law that the rows are drawn from.
    assert "predicts held-out rows better, by" not in report.html
    assert "A tree" not in report.html


@pytest.mark.slow
def test_a_tree_is_said_to_explain_a_chain_better_than_latent_variables():
    random = np.random.default_rng(3)
    kept = np.where(random.random((20_000, 12)) < 0.56, 1, -1)
    report = discover(kept.cumprod(axis=1).astype(np.int8), quick=True, order="independent")
    assert report.answer == "not found"
    assert "predicts held-out rows better, by" in report.html
    assert "A tree, on which every variable depends on one other alone, explains the correlations better" in report.html
