"""Progress in a file is a line for every stage, and a few more for a long one; on a terminal it is a bar."""

import io
from itertools import count

import pytest
from rich.progress import Progress

from vae_mf.runs.progress import ProgressLines, stage_progress
from vae_mf.runs.terminal import Terminal


def piped() -> Terminal:
    return Terminal(file=io.StringIO(), width=80)


def lines(console: Terminal) -> list[str]:
    return console.file.getvalue().splitlines()


def test_a_file_gets_a_line_when_a_task_begins_and_one_with_its_last_numbers():
    console = piped()
    with stage_progress(console) as progress:
        assert list(progress.track(range(300), description="sampling")) == list(range(300))
        task = progress.add_task("training", total=117)
        for epoch in range(117):
            progress.update(task, advance=1, description=f"training, validation loss [{epoch}]")
        progress.update(task, description="training, validation loss [116]")
        progress.add_task("assessing", total=None)
    assert lines(console) == [
        "sampling",
        "sampling (300 of 300)",
        "training",
        "training, validation loss [116] (117 of 117)",
        "assessing",
    ]


@pytest.mark.parametrize(
    ("seconds", "total", "expected"),
    [(60.0, 1000, [*range(100, 1001, 100)]), (60.0, 4, [1, 2, 3, 4]), (4.0, 7, [3, 6, 7]), (0.01, 1000, [1000])],
)
def test_a_long_training_gets_a_few_lines_between(seconds, total, expected):
    console = piped()
    now = count(0.0, seconds)
    clock = [0.0]
    progress = ProgressLines(console, get_time=lambda: clock[0])
    task = progress.add_task("training", total=total)
    for epoch in range(total):
        clock[0] = next(now) + seconds
        progress.update(task, advance=1, description=f"training, validation loss {epoch}")
    said = [f"training, validation loss {epoch - 1} ({epoch} of {total})" for epoch in expected]
    assert lines(console) == ["training", *said]


def test_a_file_gets_a_line_for_every_stage():
    console = piped()
    with stage_progress(console) as progress:
        task = progress.add_task("reading", total=30, stages=True)
        progress.update(task, advance=1, description="models")
        progress.update(task, description="waiting")
        progress.update(task, description="waiting")
    assert lines(console) == ["reading", "models (1 of 30)", "waiting (1 of 30)"]


def test_a_quiet_command_says_nothing():
    console = piped()
    with stage_progress(console, quiet=True) as progress:
        progress.add_task("training", total=2)
    assert console.file.getvalue() == ""


def test_a_terminal_gets_bars():
    console = Terminal(file=io.StringIO(), force_terminal=True, width=80)
    progress = stage_progress(console)
    assert type(progress) is Progress
    assert not progress.live.auto_refresh or not isinstance(progress, ProgressLines)
