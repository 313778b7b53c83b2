"""The leaderboard of nats: its sentences, computed from the table, and the command that goes on where it was."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from vae_mf.benchmarks.leaderboard import Tolerances, in_bits, leaderboard, scored
from vae_mf.benchmarks.leaderboard_page import page, section
from vae_mf.commands import asked, benchmark, benchmark_nats
from vae_mf.commands.arguments import read_arguments
from vae_mf.commands.benchmark_choices import chosen_names
from vae_mf.commands.limited import Worker
from vae_mf.commands.mistakes import understood
from vae_mf.commands.options import compose
from vae_mf.commands.table import COMMANDS
from vae_mf.plotting.leaderboards import leaderboard_figure

TOLERANCES = Tolerances(0.02, 0.05)
NAMES = ["5 planted quadruples", "20 planted pairs"]


def answer(problem: str, estimator: str, exact: float, value: float, error: float = 0.1, remark: str = "") -> dict:
    return {"problem": problem, "quantity": "TC(x)", "rows": 100, "variables": 4, "exact": exact} | {
        "estimator": estimator, "value": value, "error": error, "cpu_seconds": 1.5, "remark": remark,
    }  # fmt: skip


@pytest.fixture
def scores():
    rows = [
        answer("small", "good", 0.01, 0.025),
        answer("large", "good", 180.0, 172.0, 5.0),
        answer("small", "bad", 0.01, 0.04),
        answer("large", "bad", 180.0, 190.0),
        answer("none", "bad", 2.0, float("nan"), float("nan"), "takes no z"),
    ]
    return scored(rows, TOLERANCES)


def test_answers_are_within_five_per_cent_or_a_fiftieth_of_a_nat(scores):
    assert scores.within.tolist() == [True, True, False, False, False]
    board = leaderboard(scores)
    assert board.estimator.tolist() == ["good", "bad"]
    assert board[["asked", "answered", "within", "covered"]].values.tolist() == [[2, 2, 2, 2], [3, 2, 0, 1]]
    assert board.largest_within[0] == 180
    assert np.isnan(board.largest_within[1])
    assert board.cpu_seconds.tolist() == [3.0, 4.5]


def test_the_sentences_of_the_page_are_those_of_the_table(scores):
    text = section(scores, leaderboard(scores), "vae-mf benchmark", "a machine", TOLERANCES)
    assert "`good` is within the tolerance on 2 of 2 problems, up to 180 nats, in 3 s" in text
    assert "Not all were asked about all 3 problems: `good` 2." in text
    assert "- `good`: nowhere." in text
    assert "- `bad`: large (190 for 180); small (0.04 for 0.01); no answer to 1: takes no z." in text
    assert "3 problems of 0.01 to 180 nats, 100 rows each" in text
    finer = section(scores, leaderboard(scores), "", "", Tolerances(0.02, 0.005))
    assert "at most 0.5% of the exact nats" in finer
    assert "| large | TC(x) | 180 | **172 ± 5** | 190 ± 0.1 |" in text
    assert page([text]).endswith(text)
    assert "![Estimates over exact nats, and accuracy against cost](a.png)" in page([text], "a.png")


def test_answers_without_an_error_cover_nothing_and_miss_nothing():
    scores = scored([answer("a", "plain", 1.0, 1.5, float("nan")), answer("b", "plain", 1.0, 1.1)], TOLERANCES)
    assert leaderboard(scores)[["with_error", "covered"]].values.tolist() == [[1, 1]]
    assert "| plain | 0 of 2 | 1 of 1 |" in section(scores, leaderboard(scores), "", "", TOLERANCES)


def test_the_page_takes_the_figure_beside_it(tmp_path):
    for name, text in (("nats", "## Nats"), ("verdicts", "## Verdicts")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "leaderboard.md").write_text(text)
    (tmp_path / "nats" / "figures").mkdir()
    (tmp_path / "nats" / "figures" / "leaderboard.png").write_bytes(b"drawn")
    benchmark.write_page(tmp_path / "page.md", [tmp_path / name for name in ("nats", "verdicts", "none")])
    assert (tmp_path / "page.png").read_bytes() == b"drawn"
    assert "(page.png)\n\n## Nats\n## Verdicts" in (tmp_path / "page.md").read_text()


def test_every_estimator_has_a_marker_of_its_own_in_the_figure(scores):
    figure = leaderboard_figure(scores, leaderboard(scores))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["good", "bad"]


def test_numbers_beyond_all_measure_stay_in_their_place():
    """A median of infinity was no limit of an axis, and 1e308 nats took three hundred digits."""
    rows = [answer(name, "huge", exact, 1e308, 1e-300) for name, exact in (("a", 0.2), ("b", 0.3))]
    rows += [answer("a", "silent", 0.2, float("nan"), float("nan"), "no"), answer("b", "sure", 0.3, 0.5, 0.0)]
    scores = scored(rows, TOLERANCES)
    board = leaderboard(scores)
    text = section(scores, board, "", "", TOLERANCES)
    assert max(map(len, text.split("|"))) < 400
    assert "| huge | 0 of 2 | 0 of 2 | - | inf times |" in text
    assert "| sure | 0 of 1 | 0 of 1 |" in text  # an error of zero is a claim
    assert "1e+308 ± 1e-300" in text
    figure = leaderboard_figure(scores, board)
    assert np.isfinite([axis.get_ylim() for axis in figure.axes]).all()


def test_answers_in_bits_are_seen():
    """They were off by 44 % without a word."""
    rows = [answer(f"{exact}", name, exact, exact * scale) for exact in (0.5, 2.0, 90.0) for name, scale in
            (("nats", 1.01), ("bits", 1.4427), ("wrong", 1.3))]  # fmt: skip
    assert in_bits(scored(rows, TOLERANCES)) == ["bits"]
    assert in_bits(scored(rows[:6], TOLERANCES)) == []


class Here(Worker):
    """A worker without a process, that counts."""

    asked = 0

    def run(self, work, *arguments, seconds):
        Here.asked += 1
        return work(*arguments)


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_nats, "Worker", Here)
    monkeypatch.setattr(Here, "asked", 0)
    monkeypatch.setattr(benchmark_nats, "save_figure", lambda *_: None)  # which takes longest
    monkeypatch.setattr(asked, "limit_memory", lambda: None)  # which is for a process of its own
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(benchmark, "given", lambda: (["cases=quick", "folder=out"], []))
    plain = compose("benchmark").plain
    own = {"folder": str(tmp_path / "out"), "subject": "total-correlation", "cases": NAMES, "rows": 300}
    own |= {"estimators": ["residual_orders", "gaussian"], "page": str(tmp_path / "page.md")}
    return OmegaConf.create({key: value for key, value in (plain | own).items() if key not in ("hydra", "paths")})


def run(cfg, **options) -> pd.DataFrame:
    benchmark.main(OmegaConf.merge(cfg, options))
    return pd.read_csv(Path(cfg.folder) / "tables" / "scores.csv")


def test_the_command_goes_on_where_it_was_and_keeps_other_answers(configuration, capsys):
    scores = run(configuration, estimators=["gaussian"])
    assert scores.problem.tolist() == NAMES
    assert Here.asked == 2
    assert run(configuration).estimator.tolist() == ["residual_orders", "gaussian"] * 2
    assert Here.asked == 4
    run(configuration)
    assert Here.asked == 4
    folder = Path(configuration.folder)
    assert {"SHA256SUMS", "tables", "samples", "leaderboard.md"} <= {each.name for each in folder.iterdir()}
    assert "residual" in Path(configuration.page).read_text()
    run(configuration, estimators=["gaussian"], again=True)
    assert Here.asked == 6
    (folder / "tables" / "answers.csv").write_text("changed")
    with pytest.raises(ValueError, match="expected the content that its folder was finished with"):
        run(configuration)


def test_an_estimator_of_ones_own_is_asked_alone_or_beside_others(configuration, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("def nats(rows):\n    return rows.shape[1] / 100, None\n")
    scores = run(configuration, estimator=f"{file}:nats", estimators=[])
    assert scores.value.tolist() == [0.2, 0.4]
    file.write_text("def nats(rows):\n    raise RuntimeError('no idea')\n")
    scores = run(configuration, estimator=f"{file}:nats", estimators=[])
    assert (
        scores.remark.tolist() == ["RuntimeError: no idea (mine.py, line 2)"] * 2
    )  # another text is another estimator
    assert "no answer: RuntimeError: no idea (mine.py, line 2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            ["nope"],
            'expected all, or a list of some of 3 names, got .nope.; they are "a, b = 1", "a, b = 2", "4 quintuples"',
        ),
        ("quint", "got 'quint'; did you mean 'cases=4 quintuples'?"),
        (["a, c = 2"], "did you mean 'cases=\"a, b = 2\"' or 'cases=\"a, b = 1\"'?"),
        ([], "expected all, .* got none"),
        (None, "got None"),
        (3, "got 3"),
        ([["a"]], "got "),
        ({"a": 1}, "got "),
    ],
    ids=repr,
)
def test_names_that_there_are_not_are_refused_with_those_meant(chosen, said):
    names = ["a, b = 1", "a, b = 2", "4 quintuples"]
    with pytest.raises(ValueError, match=f"^cases: expected all, .*{said.removeprefix('expected all, ')}"):
        chosen_names("cases", chosen, names, {"all": names})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cases": None}, "cases: expected quick, full, or a list of some of .* names, got None"),
        ({"estimators": []}, "estimators: expected all, .* got none"),
        ({"estimator": 3}, "estimator: expected module:function"),
        ({"estimator": "none.py:nats"}, "estimator: expected a file"),
        ({"again": 3}, "again: expected"),
        ({"subject": "verdicts"}, "subject: expected the benchmark of the other options, got verdicts"),
        ({"rows": 3}, "rows: expected"),
        ({"network": {"hidden": "abc"}}, "network.hidden: expected an integer.*, got 'abc'"),
        (
            {"estimators": "telescoping", "methods": {"telescoping": {"bridges": 1.5}}},
            "methods.telescoping.bridges: expected an integer, got 1.5",
        ),
        (
            {"estimators": "classes_and_residuals", "methods": {"classes_and_residuals": {"classes": [1, "a"]}}},
            r"methods.classes_and_residuals.classes: expected a list of integers, got \[1, 'a'\]",
        ),
        ({"problems": None}, "problems: expected a list of data sets with name, quick and _target_, got None"),
        ({"rows": 10**12}, "rows: expected arrays that fit into memory"),
        ({"time_limit": 0}, "time_limit: expected"),
        ({"tolerance": {"relative": -1.0}}, "tolerance.relative: expected"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_options_that_say_nothing_are_refused(configuration, options, said):
    with pytest.raises(ValueError, match=said):
        run(configuration, **options)
    assert not (Path(configuration.folder) / "tables").exists()


def test_every_problem_and_method_of_the_configuration_can_be_built(configuration):
    names = [each["name"] for each in configuration.problems]
    assert len(set(names)) == len(names)
    setup = benchmark_nats.setup_of(OmegaConf.merge(configuration, {"cases": "full", "estimators": "all"}))
    assert list(setup.problems) == names
    assert all(callable(benchmark_nats.build(node)) for node in setup.methods.values())
    small = [node for node in setup.problems.values() if "Weiss" in node["name"] or "planted" in node["name"]]
    assert min(benchmark_nats.source_of(node).exact for node in small) >= 0


def test_what_is_not_known_is_answered_with_a_remark(configuration, monkeypatch):
    setup = benchmark_nats.setup_of(configuration)
    task = benchmark_nats.tasks_of(setup)[0]

    def late(*arguments, seconds):
        raise TimeoutError("stopped after 9 s")

    monkeypatch.setattr(Here, "run", staticmethod(late))
    row = benchmark_nats.answered(Here(), setup, task)
    assert np.isnan(row["value"])
    assert row["remark"] == "stopped after 9 s"
    assert row["exact"] > 0


PAGES = {
    "notes.md": "my notes",
    "empty.md": "",
    "out/leaderboard.md": None,
    "beside.md": None,
    "beside.png": "my figure",
    "read.txt": None,
}
"""Files of the user's, or None where there is none yet."""


@pytest.mark.parametrize("name", ["notes.md", "empty.md", "out/leaderboard.md", "beside.md", "read.txt", "out"])
def test_a_page_takes_the_place_of_no_other_file(tmp_path, name):
    """Whatever ended in .md was overwritten, with the figure beside it."""
    (tmp_path / "out").mkdir()
    for each, text in PAGES.items():
        if text is not None:
            (tmp_path / each).write_text(text)
    with pytest.raises(ValueError, match=f"page: expected .* got {tmp_path}/{name}"):
        benchmark.page_at(str(tmp_path / name), tmp_path / "out")


def test_a_page_of_leaderboards_is_written_again(tmp_path):
    (tmp_path / "old.md").write_text(page(["## Verdicts"]))
    (tmp_path / "old.png").write_text("drawn")
    for name in ("old.md", "new/new.md"):
        assert benchmark.page_at(str(tmp_path / name), tmp_path / "out") == tmp_path / name


COMMANDS_OF_PAGES = [
    [
        'cases=[quick,"Curie-Weiss 64, T = 1",4 planted quintuples]',
        "estimator=a b/mine.py:nats",
        "estimators=[]",
        "folder=here",
        "page=a.md",
        "again=true",
    ],
    [
        "total-correlation",
        "estimator=o'brien.py:nats",
        "tolerance.relative=1e-3",
        "time_limit=null",
        "network.epochs=2",
    ],
    ["verdicts", "cases=[tiny,ring]", "draws=2", "nulls=0", "processes=1", "seed=3"],
    ["benchmark=inverse-ising", "models=er50", "samples=[300,5000]", "subjects=[equilibrium,kinetic]"],
]


@pytest.mark.parametrize("typed", COMMANDS_OF_PAGES, ids=" ".join)
def test_the_command_of_a_section_asks_the_same_again(monkeypatch, typed):
    """It left out options and the quotation marks of a shell."""

    def understand(words):
        overrides, _ = understood(COMMANDS["benchmark"], read_arguments(words))
        plain = compose("benchmark", overrides).plain
        return overrides, {
            name: value
            for name, value in plain.items()
            if name not in ("folder", "page", "again", "processes", "hydra")
        }

    overrides, asked = understand(typed)
    monkeypatch.setattr(benchmark, "given", lambda: (overrides, ["my conf"]))
    name = next((each for each in benchmark.MODULES if each in typed[0]), "total-correlation")
    program, word, *words = shlex.split(benchmark.command_of(name, OmegaConf.create(asked | {"subject": name})))
    assert (program, word, words[0], words[-2:]) == ("vae-mf", "benchmark", name, ["--config-dir", "my conf"])
    _, again = understand(words[:-2])
    assert again == asked
    for option in benchmark.STATED[name]:
        assert any(each.startswith(f"{option}=") for each in words)
