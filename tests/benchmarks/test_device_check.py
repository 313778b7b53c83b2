"""The check of a device keeps what it has said."""

import sys

import device_check
import pytest


def stopped(say):
    raise KeyboardInterrupt


@pytest.fixture
def stages(monkeypatch) -> list[str]:
    """Names of the stages that were begun."""
    begun: list[str] = []
    stages = {"first": lambda say: (begun.append("first"), say("found")), "second": stopped}
    monkeypatch.setattr(device_check, "STAGES", stages)
    return begun


def check(monkeypatch, *options) -> None:
    monkeypatch.setattr(sys, "argv", ["device_check.py", *map(str, options)])
    device_check.main()


def test_a_page_that_cannot_be_written_is_refused_before_the_first_stage(monkeypatch, tmp_path, capsys, stages):
    with pytest.raises(SystemExit) as end:
        check(monkeypatch, "--write", tmp_path / "absent" / "page.md")
    assert end.value.code == 2
    assert "--write: expected a file that can be written" in capsys.readouterr().err
    assert not stages


def test_what_a_stage_has_said_is_on_the_page_when_the_next_one_is_stopped(monkeypatch, tmp_path, stages):
    with pytest.raises(KeyboardInterrupt):
        check(monkeypatch, "--write", tmp_path / "page.md")
    assert "## first: passed in 0 s\n\n- found" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_stages_that_are_not_begun_are_told(monkeypatch, capsys, stages):
    with pytest.raises(SystemExit) as end:
        check(monkeypatch, "--limit", "-1")
    assert end.value.code == 0
    assert "second: not begun, as the time was over" in capsys.readouterr().out
