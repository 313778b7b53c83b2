"""Estimators of one's own: how they are found, asked, refused, and known again."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from vae_mf.benchmarks.asking import ask, checked, save_problem
from vae_mf.benchmarks.estimators.gaussian import gaussian
from vae_mf.benchmarks.problems import Problem
from vae_mf.commands import asked, benchmark_nats
from vae_mf.commands.asked import answers, located, own_answers, parted, printing_to, sentence_of
from vae_mf.commands.benchmark_nats import is_of_now, own_name, try_import
from vae_mf.statistics.averages import Average

SIGNS = np.ones((10, 5), np.int8)
CUT = np.array([True, True, False, False, False])


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Function that writes a file of the user's; what it imports is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(asked, "limit_memory", lambda: None)
    before = set(sys.modules)

    def write(text, name="mine"):
        (tmp_path / f"{name}.py").write_text(text)
        return f"{tmp_path}/{name}.py:nats"

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_cut_is_asked_for_itself_or_as_a_difference():
    problem = Problem(SIGNS, cut=CUT)
    difference = ask(lambda rows: (rows.shape[1] ** 2, 1.0), problem)
    assert difference.value == 25 - 4 - 9
    assert difference.error == pytest.approx(3**0.5)
    assert ask(lambda rows, cut: (float(cut.sum()), 0.5), problem) == Average(2.0, 0.5)
    assert ask(lambda rows, side: (side or 0, None), problem).value == 0  # no part is a lattice
    assert ask(lambda rows, side: (side, None), problem._replace(cut=None, side=3)).value == 3


def test_an_estimator_is_given_what_it_takes_by_any_kind_of_parameter():
    """One with **others was said not to take latent variables."""
    given = Problem(SIGNS, given=np.ones((10, 1)))
    assert ask(lambda rows, **others: (len(others["given"]), None), given).value == 10
    assert ask(lambda rows, given: (0 if given is None else 1, None), Problem(SIGNS)).value == 0
    assert ask(lambda rows, **others: (rows.shape[1] ** 2, None), Problem(SIGNS, cut=CUT)).value == 25 - 4 - 9
    for estimator in (lambda rows: (0.0, 0.0), lambda rows, given, /: (0.0, 0.0)):
        with pytest.raises(ValueError, match="does not take latent variables"):
            ask(estimator, given)


@pytest.mark.parametrize(
    "answer",
    [
        1.0, (1.0,), (1.0, 2.0, 3.0), ("a", "b"), None, (float("nan"), 1.0), (float("inf"), 1.0), (1.0, -1.0),
        (1.0, float("inf")), (1 + 0j, 1.0), (1.0, 1j), "12", ("1", "2"), {1.0: 0, 2.0: 0}, {1.0, 2.0}, (True, 1.0),
        (np.ones(1), 1.0), (np.ones(3), 1.0), (10**400, 1.0), (None, 1.0), np.ones((2, 2)),
    ],
    ids=repr,
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(answer):
    with pytest.raises(ValueError, match="expected a"):
        ask(lambda rows: answer, Problem(SIGNS))


def test_numbers_of_any_kind_are_an_answer():
    for answer in ((1, 0), (np.float32(1), np.int8(0)), np.array([1.0, 0.0]), (np.array(1.0), np.longdouble(0))):
        assert checked(answer) == Average(1.0, 0.0)
    assert np.isnan(checked((1.0, float("nan"))).error)
    with pytest.raises(ValueError, match="expected a finite number of nats, got -inf"):
        ask(lambda rows: (-1e308 if rows.shape[1] == 3 else 1e308, 0.0), Problem(SIGNS[:, :3], cut=CUT[:3]))


def test_estimators_are_found_in_modules_and_files(own, tmp_path):
    assert located("vae_mf.benchmarks.estimators.gaussian:gaussian") is gaussian
    name = own("import helper\ndef nats(rows, given=None):\n    return helper.width(rows), None\n")
    own("def width(rows):\n    return float(rows.shape[1])\n", "helper")
    save_problem(tmp_path / "rows.npz", Problem(SIGNS))
    (found,) = answers(located, name, str(tmp_path / "rows.npz"))
    assert found.value == 5
    assert np.isnan(found.error)


@pytest.mark.parametrize("name", [3, None, True, ["a"], "nats", "a:", ":b", "a.py:", "a:b c", "a.py:f()"], ids=repr)
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"estimator: expected module:function or file\.py:function, got"):
        parted(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('boom')", "without errors, got .*mine.py: RuntimeError: boom \\(mine.py, line 1\\)"),
        ("def nats(:", r"SyntaxError: invalid syntax \(mine.py, line 1\)"),
        ("import sys\nsys.exit(3)", r"it calls sys.exit\(3\) \(mine.py, line 2\)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import no_such_helper", r"No module named 'no_such_helper' \(mine.py, line 1\)"),
        ("def other(rows): ...", "expected a function of .*mine.py, which has other, got nats"),
        ("nats = 3", "which has none, got nats"),
        ("def nats(rows, bins): ...", "missing a required argument: 'bins'"),
        ("def nats(): ...", "too many positional arguments"),
        ("nats = dict", "no signature found"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_in_a_sentence(own, text, said):
    with pytest.raises(ValueError, match=f"^estimator: (?s:.*){said}"):
        located(own(text))


def test_a_file_is_named_by_its_whole_path():
    assert own_name("~/mine.py:nats") == f"{Path.home().resolve()}/mine.py:nats"
    assert own_name("package.module:nats") == "package.module:nats"


def test_a_place_that_is_not_there_is_refused(tmp_path):
    for name in (f"{tmp_path}/none.py:nats", "no_such_module:nats", "json.no_such:nats", "math:nats"):
        with pytest.raises(ValueError, match="estimator: expected a"):
            located(name)


def test_an_import_that_ends_its_process_or_never_ends_is_refused(monkeypatch):
    def fake(self, work, name, seconds):
        assert seconds is not None
        raise TimeoutError("stopped after 60 s of processor time")

    monkeypatch.setattr(benchmark_nats.Worker, "run", fake)
    with pytest.raises(ValueError, match="estimator: expected a module that is imported, got a:b: stopped after 60 s"):
        try_import("a:b")


def test_errors_are_told_with_their_place_and_refusals_as_they_are(own, tmp_path):
    save_problem(tmp_path / "rows.npz", Problem(SIGNS))
    for line, said in (
        ("raise ValueError('does not take signs')", "^does not take signs$"),
        ("rows @ rows", r"^ValueError: matmul.* \(mine.py, line 2\)$"),
        ("{}['a']", r"^KeyError: 'a' \(mine.py, line 2\)$"),
        ("raise SystemExit", r"^it calls sys.exit\(\) \(mine.py, line 2\)$"),
        ("class Odd(BaseException): ...\n    raise Odd", r"^Odd \(mine.py, line 3\)$"),
    ):
        name = own(f"def nats(rows):\n    {line}\n")
        with pytest.raises(ValueError, match=said):
            list(answers(located, name, str(tmp_path / "rows.npz")))
    assert sentence_of(ValueError()) == "ValueError"


def test_an_answer_is_known_again_until_one_of_its_files_changes(own, tmp_path):
    """Those of a helper module were in no key: old answers were shown as if they were new."""
    name = own("import helper_of_mine\ndef nats(rows):\n    import late_of_mine\n    return late_of_mine.A, None\n")
    own("", "helper_of_mine")
    own("A = 1\n", "late_of_mine")
    save_problem(tmp_path / "rows.npz", Problem(SIGNS))
    (answer,) = own_answers(name, str(tmp_path / "rows.npz"), str(tmp_path / "log.txt"))
    assert {"mine.py", "helper_of_mine.py", "late_of_mine.py"} <= {
        os.path.basename(file) for file in json.loads(answer.sources)
    }
    row = answer._asdict()
    for file in ("helper_of_mine", "late_of_mine", "mine"):
        assert is_of_now(row)
        before = (tmp_path / f"{file}.py").read_text()
        own("A = 2\n", file)
        assert not is_of_now(row)
        own(before, file)
    (tmp_path / "late_of_mine.py").unlink()
    assert not is_of_now(row)
    assert all(is_of_now(row) for row in ({"sources": ""}, {"sources": np.nan, "version": np.nan}, {}))
    assert not is_of_now({"version": "0.0.1"})


def test_prints_go_to_a_file_and_none_is_left_of_nothing(tmp_path, capfd):
    with printing_to(tmp_path / "a.txt"):
        os.write(1, b"from this process\n")
        os.write(2, b"a warning\n")
        os.system("echo from another process")
    with printing_to(tmp_path / "b.txt"):
        pass
    print("here")
    assert capfd.readouterr().out == "here\n"
    assert (tmp_path / "a.txt").read_text().splitlines() == ["from this process", "a warning", "from another process"]
    assert not (tmp_path / "b.txt").exists()
