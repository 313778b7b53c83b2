"""The commands, end to end and tiny: what they leave on disk, what they print, and how they refuse bad input.

Commands run outside pytest's process, where no run-time checks of types stand in for the commands' own. Most share one
process, which saves the imports.
"""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.commands import HOPFIELD, MARKOV, SAMPLING, TRAINING, only, outputs, paths, run, run_all, write_recording

from vae_mf.commands import reproduce
from vae_mf.plotting.kinetic_moments import draw_kinetic_moments
from vae_mf.plotting.satisfiability import draw_energy
from vae_mf.runs.models import load
from vae_mf.store.sample_store import is_sealed, open_store
from vae_mf.tables import read_tables, write_tables

EQUILIBRIUM_METRICS = {
    "ensemble_per_temperature",
    "kl_per_temperature",
    "order_parameter_max_error",
    "val_bound",
    "train_seconds",
    "sample_seconds",
}
PATTERN_METRICS = {"pattern_overlap_min", "pattern_overlap_mean", "pattern_overlap_min_classical"}
RECORDING_METRICS = {
    "test_elbo_per_word",
    "test_loglik_per_word_iwae",
    "test_loglik_per_word_independent",
    "p_k_total_variation",
    "p_k_total_variation_independent",
    "val_bound",
    "train_seconds",
    "sample_seconds",
}


JOBS = [
    "hopfield",
    "hopfield again",
    "hopfield by force",
    "sample hopfield",
    "sample curie_weiss",
    "sample tempered",
    "retina",
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


def of_hopfield(workplace) -> list[str]:
    return ["model.latents=2", *HOPFIELD, *TRAINING, *paths(workplace)]


@pytest.fixture(scope="module")
def trained(workplace):
    """The Hopfield job run alone, and then again together with the other tiny jobs, in one more process."""
    hopfield = of_hopfield(workplace)
    direct = ["system=curie_weiss", "sampler=curie_weiss", "sampling=direct", "system.sites=33", *SAMPLING]
    glass = ["system=sherrington_kirkpatrick", "system.sites=64", "tempering=parallel", "sampling.swap_acceptance=0.4"]
    recording = write_recording(workplace / "recording.npy")
    retina = [option for option in TRAINING if not option.startswith("evaluation.restarts")]
    retina += [f"dataset.path={recording}", "dataset.variables=6", "evaluation.likelihood_samples=30"]
    first = run("train", *hopfield)
    rest = run_all(
        [
            ["train", *hopfield],
            ["train", *hopfield, "force=true"],
            ["sample", *HOPFIELD, *paths(workplace)],
            ["sample", *direct, *paths(workplace)],
            ["sample", *glass, *SAMPLING, *MARKOV[1:], *paths(workplace)],
            ["train", "experiment=retina", *retina, *paths(workplace)],
        ]
    )
    return dict(zip(JOBS, [first, *rest], strict=True))


@pytest.mark.parametrize("name", JOBS)
def test_tiny_jobs_succeed(trained, name):
    result = trained[name]
    assert result.code == 0, result.err
    assert "Traceback" not in result.out + result.err
    assert "Warning" not in result.out + result.err


def test_the_hopfield_job_reports_its_metrics(trained, workplace):
    folder = only(workplace / "outputs", "hopfield_quick-*")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics.keys() >= EQUILIBRIUM_METRICS | PATTERN_METRICS
    assert metrics["kl_per_temperature"].keys() == {"0.3", "0.8"}
    assert 0 <= metrics["pattern_overlap_min"] <= metrics["pattern_overlap_mean"] <= 1
    assert metrics["val_bound"] < 0 < metrics["train_seconds"]
    for temperature, ensemble in metrics["ensemble_per_temperature"].items():
        assert (metrics["kl_per_temperature"][temperature] is not None) == (ensemble == "equilibrium")


def test_a_run_folder_explains_itself(trained, workplace):
    folder = only(workplace / "outputs", "hopfield_quick-*")
    assert {"config.yaml", "run.json", "metrics.json", "checkpoints", "tables", "figures"} <= {
        path.name for path in folder.iterdir()
    }
    tables = {path.stem for path in (folder / "tables").iterdir()}
    likelihoods = {"likelihood", "overlaps", "overlap_distribution"}
    assert tables == {"observables", "order_parameter", "configurations"} | likelihoods
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("observables", "correlations", "patterns") for kind in ("png", "pdf", "txt")
    }
    assert load(folder).vae.decoder.log_odds.weight.shape == (64, 2)


@pytest.fixture(scope="module")
def assessed(trained, workplace):
    """Verdicts on the Hopfield and the retina run, and refusals of what is no finished run."""
    quick = [
        "evaluation.components=60", "evaluation.residual_groups=5", "evaluation.critic.training_samples=160",
        "evaluation.critic.generated=60", "evaluation.critic.generated_test=20", "evaluation.critic.fit.epochs=1",
    ]  # fmt: skip
    runs = [only(workplace / "outputs", f"{name}-*") for name in ("hopfield_quick", "retina")]
    commands = [["evaluate", f"run={folder}", *quick] for folder in (*runs, workplace)]
    return dict(zip(("hopfield", "retina", "nothing"), run_all(commands), strict=True))


@pytest.mark.parametrize("name", ["hopfield", "retina"])
def test_a_run_gets_a_verdict_with_its_evidence(assessed, workplace, name):
    result, folder = assessed[name], only(workplace / "outputs", f"{name}*-*") / "verdict"
    assert result.code == 0, result.err
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["mean_field_description"] in ("found", "not found", "not decided")
    assert [line["criterion"].split()[0] for line in verdict["evidence"]][-1] == "rate"
    # Of several temperatures the worst speaks too.
    assert len(verdict["evidence"]) == (3 if name == "hopfield" else 2)
    tables = read_tables(folder)
    expected = {"evidence", "surgery", "conditional_correlation", "total_correlation", "capacity", "residual_pairs"}
    expected |= {"readings", "gains", "left", "pairs"}
    assert tables.keys() >= expected | ({"overlaps"} if name == "hopfield" else set())
    assert verdict["mean_field_description"] in (folder / "report.md").read_text()
    assert (folder / "figures" / "verdict.png").exists()
    assert any("ln Z is not known" in remark for remark in verdict["remarks"]) == (name == "retina")


def test_a_verdict_needs_a_finished_run(assessed, workplace):
    result = assessed["nothing"]
    assert result.code == 1
    assert result.err.strip().startswith("error: run: expected a run folder with config.yaml")


def test_a_finished_job_is_skipped_and_reported_again(trained):
    first, again = trained["hopfield"], trained["hopfield again"]
    report = [line.strip() for line in first.out.splitlines()]
    report = report[next(index for index, line in enumerate(report) if "metric" in line) :]
    assert "training" not in again.out
    assert "finished before, nothing done; force=true runs it again" in again.out
    assert "finished before" not in first.out
    assert [word for line in report for word in line.split()][-6:] == again.out.split()[-6:]
    assert "pattern_overlap_min" in again.out


def test_a_finished_job_is_reported_without_what_trains(trained, workplace):
    ends = (
        "import sys, vae_mf.commands.main as door; door.main(); print({'torch', 'lightning_fabric'} & {*sys.modules})"
    )
    words = ["train", *of_hopfield(workplace)]
    done = subprocess.run([sys.executable, "-c", ends, *words], capture_output=True, text=True, check=True)
    assert "finished before" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_a_finished_job_is_run_again_by_force(trained, workplace):
    first, again = trained["hopfield"], trained["hopfield by force"]
    assert "finished before" not in again.out
    assert "training, validation loss" in again.out
    values = [[line.split("│")[2] for line in job.out.splitlines() if "test_elbo" in line] for job in (first, again)]
    assert values[0] == values[1]
    assert len(values[0]) == 1
    assert not [path.name for path in (workplace / "outputs").iterdir() if path.name.startswith(".")]


def test_sampling_finds_the_store_of_the_training_again(trained, workplace):
    path = only(workplace / "data", "hopfield-*.zarr")
    assert is_sealed(path)
    assert str(path) in trained["sample hopfield"].out.replace("\n", "")


def test_samples_are_sealed_and_reported(trained, workplace):
    store = open_store(only(workplace / "data", "curie_weiss-*.zarr"))
    assert (store.sites, store.rows, store.temperatures.tolist()) == (33, 120, [0.3, 0.8])
    assert set(np.unique(store.spins(0))) == {-1, 1}
    assert len(store.diagnostics["temperatures"]) == 2
    assert "R-hat" in trained["sample curie_weiss"].out


def test_a_sampling_report_is_tables_and_a_figure(trained, workplace):
    folder = only(workplace / "outputs" / "sampling", "curie_weiss-*")
    assert {path.name for path in folder.iterdir()} == {".lock", "report.png", "report.pdf", "report.txt", "tables"}
    tables = read_tables(folder)
    assert list(tables["chains"].temperature) == [0.3, 0.8]
    assert set(tables["observables"].source) == {"samples", "exact", "infinite"}


def test_tempering_chooses_its_ladder_and_reports_the_swaps(trained, workplace):
    out = trained["sample tempered"].out
    (levels,) = map(int, re.findall(r"(\d+) temperatures", out))
    assert levels > 2
    store = open_store(only(workplace / "data", "sherrington_kirkpatrick-*.zarr"))
    assert store.temperatures[[0, -1]].tolist() == [0.3, 0.8]
    assert len(store.temperatures) == levels
    reports = store.diagnostics["temperatures"]
    assert all(0.3 < report["swap_acceptance"] < 1 for report in reports[:-1])
    assert reports[-1]["swap_acceptance"] is None
    assert "swaps" in out
    assert "round trip" in out


def test_the_recording_job_reports_its_metrics(trained, workplace):
    folder = only(workplace / "outputs", "retina-*")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics.keys() >= RECORDING_METRICS
    assert metrics["test_elbo_per_word"] < metrics["test_loglik_per_word_iwae"] + 0.5 < 0.5
    assert 0 <= metrics["p_k_total_variation"] <= 1
    assert {path.stem for path in (folder / "figures").iterdir()} == {"recording"}


# Arguments, and what the one line has to name.
REFUSALS = {
    "unknown option": (["sample", "bogus=1"], "bogus"),
    "unknown system": (["sample", "system=heisenberg"], "heisenberg"),
    "sites no number": (["sample", "system.sites=abc"], "sites.*'abc'"),
    "temperature zero": (["sample", "sampling.temperatures=[0.0]"], "temperatures.*0.0"),
    "temperature no list": (["sample", "sampling.temperatures=warm"], "temperatures.*warm"),
    "odd side": (["sample", "system=ising2d", "system.side=9", "sampler=multispin"], "side.*even.* got 9"),
    "nan in couplings": (["sample", "system=ising", "system.couplings.file={folder}/nan.npy"], "couplings.*finite"),
    "couplings not symmetric": (
        ["sample", "system=ising", "system.couplings.file={folder}/asymmetric.npy"],
        "couplings.*symmetric",
    ),
    "negative coupling": (["sample", "system=curie_weiss", "system.coupling=-1"], "coupling.*> 0, got -1"),
    "ladder without tempering": (["sample", "sampling.swap_acceptance=0.3"], "tempering=parallel"),
    "ladder of one temperature": (
        ["sample", "tempering=parallel", "sampling.swap_acceptance=0.3", "sampling.temperatures=[1.0]"],
        "hottest: expected a temperature above coldest = 1",
    ),
    "tempered exact draws": (
        ["sample", "system=curie_weiss", "tempering=parallel", "sampling=direct"],
        "energies.*CurieWeissDirect",
    ),
    "too many patterns": (["sample", "system.sites=8", "system.patterns=9"], "at most as many as sites = 8, got 9"),
    "no samples": (["sample", "sampling.samples=0"], "samples: expected an integer >= 1, got 0"),
    "chains do not divide": (["sample", "sampling.samples=10", "sampling.chains=4"], "multiple of chains = 4, got 10"),
    "unknown experiment": (["train", "experiment=nope"], "nope"),
    "epochs no number": (["train", *HOPFIELD, *TRAINING, "training.epochs=ten"], "epochs.*'ten'"),
    "no batch": (["train", *HOPFIELD, *TRAINING, "training.batch_size=0"], "batch_size.*got 0"),
    "learning rate zero": (["train", *HOPFIELD, *TRAINING, "training.module.learning_rate=0"], "learning_rate.*got 0"),
    "no square": (
        ["train", *HOPFIELD, *TRAINING, "system.sites=36", "model/encoder=cnn", "model/decoder=cnn"],
        "divisible by 4.*got 36",
    ),
    "latents no number": (["train", *HOPFIELD, *TRAINING, "model.latents=two"], "latents.*'two'"),
    "fraction": (["train", *HOPFIELD, *TRAINING, "training.validation=1.5"], "validation.*1.5"),
    "evaluation": (["train", *HOPFIELD, *TRAINING, "evaluation.restarts=0"], "restarts.*got 0"),
    "components of samples": (["train", *HOPFIELD, *TRAINING, "training.start=components"], "training.start"),
    "no recording": (["train", "experiment=retina"], "dataset.path"),
    "missing recording": (["train", "experiment=retina", "dataset.path=missing.npy"], "missing.npy"),
    "no spikes": (["train", "experiment=retina", "dataset.path={folder}/words.npy"], "0 and 1"),
    "prime": (["sample", "sampling.samples=1009"], "samples: expected a number with a divisor near 100, got 1009"),
    "few blocks": (["train", *HOPFIELD, *TRAINING, "sampling.blocks=2"], "blocks for training, validation .* got 2"),
    "seed no number": (["sample", "seed=abc"], "seed.*'abc'"),
    "threads no number": (["sample", "threads=abc"], "threads.*'abc'"),
    "torch threads no number": (["train", "torch_threads=abc"], "torch_threads.*'abc'"),
    "weight decay no number": (
        ["train", *HOPFIELD, *TRAINING, "training.module.weight_decay=abc"],
        "weight_decay.*'abc'",
    ),
    "trainer": (["train", "trainer.accelerator=abacus"], "abacus"),
    "foreign store": (["sample", "store.path={folder}/foreign"], "foreign"),
}


NO_USAGE = {
    "nan in couplings", "couplings not symmetric", "ladder of one temperature", "tempered exact draws", "few blocks",
    "missing recording", "no spikes", "trainer", "foreign store",
}  # fmt: skip
"""Refusals of files, and of what is wrong only together."""
UNKNOWN = {"unknown option", "unknown system", "unknown experiment", "no recording"}
"""Refusals of names and choices that there are not, or of too few."""


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """Folder of the refused commands and their results by name."""
    folder = tmp_path_factory.mktemp("refused")
    np.save(folder / "words.npy", np.random.default_rng(1).integers(0, 4, (50, 8)))
    np.save(folder / "nan.npy", np.full((4, 4), np.nan))
    np.save(folder / "asymmetric.npy", np.triu(np.ones((4, 4)), 1))
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.tex").write_text("precious")
    commands = [[part.format(folder=folder) for part in command] for command, _ in REFUSALS.values()]
    return folder, dict(zip(REFUSALS, run_all([[*command, *paths(folder)] for command in commands]), strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_is_refused_in_one_line(refused, name):
    result = refused[1][name]
    assert result.code == (1 if name in NO_USAGE else 2)
    (line,) = [line for line in result.err.splitlines() if line.strip()]
    assert line.startswith("error: ")
    assert re.search(REFUSALS[name][1], line), line
    if name not in NO_USAGE | UNKNOWN:
        assert line.split(": ")[1] in {word.partition("=")[0] for word in REFUSALS[name][0]}
    assert "Traceback" not in result.out


def test_bad_input_leaves_nothing_finished_behind(refused):
    folder, _ = refused
    assert list(folder.rglob("metrics.json")) == []
    assert list(folder.rglob("config.yaml")) == []
    assert [path for path in folder.glob("data/*.zarr") if is_sealed(path)] == []
    assert [path.name for path in (folder / "foreign").iterdir()] == ["thesis.tex"]
    assert (folder / "foreign" / "thesis.tex").read_text() == "precious"


def test_a_refusal_reaches_the_shell(tmp_path):
    result = run("sample", "system.sites=abc", *paths(tmp_path))
    assert result.code == 2
    assert result.err.startswith("error: system.sites: expected an integer >= 1, got 'abc'")
    assert len(result.err.splitlines()) == 1
    assert result.out == ""


@pytest.mark.slow
def test_a_model_of_given_patterns_and_of_convolutions(tmp_path):
    np.save(tmp_path / "patterns.npy", np.random.default_rng(1).choice([-1, 1], (2, 64)).astype(np.int8))
    given = ["~experiment", "run.name=given", "sampling=markov_chain", "store=default"]
    given += [
        "system=hopfield_given",
        "sampler=hopfield_given",
        f"system.patterns.file={tmp_path}/patterns.npy",
        *SAMPLING,
        *MARKOV,
    ]
    cnn = ["model/encoder=cnn", "model/decoder=cnn", "model/prior=gaussian", "model.encoder.channels=4"]
    training = [option for option in TRAINING if not option.startswith("model.prior")]
    results = run_all(
        [
            ["train", *given, "model.latents=2", *cnn, *training, *paths(tmp_path)],
            ["train", "experiment=curie_weiss_quick", "system.sites=33", *SAMPLING, *TRAINING, *paths(tmp_path)],
        ]
    )
    assert [result.code for result in results] == [0, 0], [result.err for result in results]
    for folder in (tmp_path / "outputs").iterdir():
        assert json.loads((folder / "metrics.json").read_text()).keys() >= EQUILIBRIUM_METRICS


@pytest.mark.slow
def test_two_processes_train_one_model(workplace):
    """Two gloo processes: one run folder, one set of metrics, and a model about as good as that of one process."""
    distributed = ["trainer=ddp", "trainer.accelerator=cpu", "training.batch_size=16"]
    job = ["model.latents=2", *HOPFIELD, *TRAINING, "training.epochs=20", f"paths.data={workplace}/data"]
    elbos = []
    for name, extra in (("one", []), ("two", distributed)):
        result = run("train", *job, *extra, f"paths.outputs={workplace}/{name}")
        assert result.code == 0, result.err
        assert result.out.count("metric ") == 1
        folder = only(workplace / name, "hopfield_quick-*")
        elbos.append(json.loads((folder / "metrics.json").read_text())["test_elbo"])
        load(folder)
    assert elbos[1] == pytest.approx(elbos[0], abs=2.0)


def test_a_distributed_sweep_is_refused(tmp_path):
    (result,) = run_all([["train", "-m", *HOPFIELD, "model.latents=1,2", "trainer=ddp", *paths(tmp_path)]])
    assert result.code == 1
    assert "trainer.devices: expected 1 in a sweep, got 2" in result.err
    assert not list(tmp_path.rglob("*.zarr"))


@pytest.mark.slow
def test_couplings_are_inferred_by_all_estimators_and_compared(tmp_path):
    recording = write_recording(tmp_path / "recording.npy")
    result = run("infer_couplings", "inverse_ising=all", f"dataset.path={recording}", *outputs(tmp_path))
    assert result.code == 0, result.err
    assert "Warning" not in result.out + result.err
    folder = only(tmp_path / "outputs" / "couplings", "all-*")
    tables = read_tables(folder)
    names = list(tables["estimators"].estimator)
    assert {"naive_mean_field", "pseudolikelihood", "boltzmann", "cluster_expansion"} <= set(names)
    assert (tables["estimators"].log_pseudo_likelihood < 0).all()
    assert len(tables["correlations"]) == len(names) ** 2
    assert {path.stem for path in (folder / "figures").iterdir()} == {*names, "comparison"}
    for name in names:
        saved = np.load(folder / f"{name}.npz")
        assert saved["h"].tolist() == pytest.approx(tables[f"{name}_fields"].field.tolist())
        assert saved["J"][np.triu_indices(8, 1)].tolist() == pytest.approx(tables[name].coupling.tolist())


@pytest.mark.slow
def test_couplings_of_a_store_are_held_against_its_own(trained, workplace, tmp_path):
    store = only(workplace / "data", "sherrington_kirkpatrick-*.zarr")
    result = run("infer_couplings", f"dataset.path={store}", *outputs(tmp_path))
    assert result.code == 0, result.err
    tables = read_tables(only(tmp_path / "outputs" / "couplings", "pseudolikelihood-*"))
    truth = open_store(store).array("couplings") / 0.3
    assert tables["pseudolikelihood"].truth.tolist() == pytest.approx(truth[np.triu_indices(64, 1)].tolist())
    assert (tables["pseudolikelihood"].error > 0).all()
    error = tables["pseudolikelihood"].coupling - tables["pseudolikelihood"].truth
    assert tables["estimators"].rmse[0] == pytest.approx(np.sqrt((error**2).mean()))


FIGURE = ["figure=kinetic_errors"] + [
    f"figures.kinetic_errors.tables.{option}" for option in ("sites=6", "strengths=[0.3]", "lengths=[500,1000]")
]


@pytest.mark.slow
def test_a_figure_is_reproduced_after_its_stages(tmp_path):
    stages = "+figures.kinetic_errors.stages=[[sample,--help]]"
    result = run("reproduce", *FIGURE, stages, *paths(tmp_path))
    assert result.code == 0, result.err
    assert "usage: vae-mf sample" in result.out
    folder = only(tmp_path / "outputs" / "reproduced", "kinetic_errors-*")
    files = {f"kinetic_errors.{kind}" for kind in ("png", "pdf", "txt")}
    assert {path.name for path in (folder / "figures").iterdir()} == files
    assert set(read_tables(folder)["kinetic_errors"].length) == {500, 1000}


def test_tables_of_another_version_are_not_drawn(tmp_path):
    write_tables(tmp_path, {"kinetic_errors": pd.DataFrame({"length": [500]})})
    for draw in (draw_energy, draw_kinetic_moments):
        with pytest.raises(
            ValueError, match=r"folder: expected the tables .* got kinetic_errors .* remove that folder"
        ):
            reproduce.drawn(draw, tmp_path)


def test_a_failed_stage_ends_the_reproduction(tmp_path):
    stages = "+figures.kinetic_errors.stages=[[sample,'bogus=1']]"
    (result,) = run_all([["reproduce", *FIGURE, stages, *paths(tmp_path)]])
    assert result.code == 1
    assert result.err.splitlines()[-1] == "error: stages: expected sample bogus=1 to succeed, got exit status 2"
    assert not list(tmp_path.rglob("*.png"))
