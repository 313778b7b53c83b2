"""The benchmark of the samplers: how ratios are taken, what is said of absent baselines, and the command."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from helpers import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "scripts" / "benchmarks"


@pytest.fixture
def timing(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("baselines.timing")


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("baselines.table")


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("samplers")


def clock(monkeypatch, timing):
    """A clock that only the returned function moves."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])

    def work(seconds, updates):
        def run():
            now[0] += seconds() if callable(seconds) else seconds
            return updates

        return run

    return work


def test_ratios_are_medians_over_rounds_of_alternating_ways(timing, monkeypatch):
    work, slowness = clock(monkeypatch, timing), iter(np.repeat([9.0, 1.0, 7.0, 1.5], 2))
    ours, theirs = (work(lambda c=c: c * next(slowness), 10) for c in (1e-6, 5e-6))
    (row,) = timing.race("spins", "N=1", ours, [timing.Baseline("slow", theirs, 4.0)], 3)
    assert row.ratio == pytest.approx(5)
    assert row.ours == pytest.approx(150)
    assert row.theirs == pytest.approx(750)
    assert row.met


def test_what_is_no_sampling_is_taken_off(timing, monkeypatch):
    work = clock(monkeypatch, timing)
    baseline = timing.Baseline("slow", work(7e-6, 12), overhead=work(5e-6, 2))
    (row,) = timing.race("spins", "N=1", work(1e-6, 10), [baseline], 3)
    assert row.theirs == pytest.approx(200)
    assert row.met is None


def test_absent_baselines_are_named_and_meet_nothing(timing, monkeypatch):
    work = clock(monkeypatch, timing)
    first, second = timing.race(
        "spins",
        "N=1",
        work(1e-6, 10),
        [timing.Baseline("absent", None, 3), timing.Baseline("slow", work(2e-6, 10), 3)],
        2,
    )
    assert (first.baseline, first.theirs, first.ratio, first.met) == ("absent, not installed", None, None, None)
    assert (second.baseline, second.met) == ("slow", False)
    assert timing.installed("no-such-distribution") is None
    assert timing.installed("numpy") == f"numpy {np.__version__}"


def test_bounds_may_be_on_ours(timing):
    row = timing.Row("tau", "N=1", 0.5, target=0.6, at_most=True)
    assert row.met
    assert row._replace(ours=0.7).met is False


def test_a_line_says_what_was_measured(timing, table):
    row = timing.Row("Wolff", "L=32", 6.789, "usual", 64.21, 9.458, 8)
    assert table.cells(row) == ["Wolff", "L=32", "6.79 ns", "usual", "64.2 ns", "9.46", "≥ 8", "yes"]
    bound = timing.Row("tau", "N=1", 0.7, target=0.6, unit="", at_most=True)
    assert table.cells(bound) == ["tau", "N=1", "0.7", "-", "-", "-", "≤ 0.6", "no"]
    absent = timing.Row("Wolff", "L=32", 6.789, "mcising, not installed", target=3)
    assert table.cells(absent)[4:] == ["-", "-", "≥ 3", "-"]
    page = table.markdown("Speed", "python command", "a machine", [row, bound])
    assert "`python command` on a machine." in page
    assert "| Wolff | L=32 | 6.79 ns | usual | 64.2 ns | 9.46 | ≥ 8 | yes |" in page


def test_sweeps_count_every_spin(timing):
    from vae_mf.samplers.curie_weiss import CurieWeissDirect
    from vae_mf.systems.curie_weiss import CurieWeiss

    assert timing.sweeps(CurieWeissDirect(CurieWeiss(7)), 1.0, 100, 3)() == 2100


def test_one_subject_may_be_chosen_and_saved(runner, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(runner, "MARKDOWN", tmp_path / "samplers.md")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--subjects", "curie_weiss", "--repeats", "1", "--write"])
    runner.main()
    printed, saved = capsys.readouterr().out, (tmp_path / "samplers.md").read_text()
    for text in (printed, saved):
        assert "Curie-Weiss" in text
        assert "Wolff" not in text
        assert "numba" in text
    assert len([line for line in saved.splitlines() if line.startswith("|")]) == 2 + 4


def test_unknown_subjects_are_refused(runner, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark", "--subjects", "potts"])
    with pytest.raises(SystemExit):
        runner.main()
    assert "invalid choice: 'potts'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_measures_every_subject():
    command = [sys.executable, SCRIPTS / "samplers.py", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("Wolff", "multispin", "Hopfield", "Bingham", "tau_int", "SK", "Curie-Weiss", "kinetic", "first calls"):
        assert name in done.stdout
