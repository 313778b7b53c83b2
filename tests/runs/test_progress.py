"""Progress in a file is a line for every stage and epoch; on a terminal it is a bar."""

import io

from rich.console import Console
from rich.progress import Progress

from vae_mf.runs.progress import ProgressLines, stage_progress


def piped() -> Console:
    return Console(file=io.StringIO(), width=80)


def test_a_file_gets_a_line_for_every_stage_and_every_update_of_it():
    console = piped()
    with stage_progress(console) as progress:
        assert list(progress.track(range(3), description="sampling")) == [0, 1, 2]
        task = progress.add_task("training", total=2, completed=1)
        progress.update(task, advance=1, description="training, validation loss [3.25]")
        progress.update(task, completed=2)
        progress.update(task, description="training, validation loss [3.25]")
        progress.add_task("assessing", total=None)
    assert console.file.getvalue().splitlines() == [
        "sampling",
        "sampling (3 of 3)",
        "training (1 of 2)",
        "training, validation loss [3.25] (2 of 2)",
        "assessing",
    ]


def test_a_quiet_command_says_nothing():
    console = piped()
    with stage_progress(console, quiet=True) as progress:
        progress.add_task("training", total=2)
    assert console.file.getvalue() == ""


def test_a_terminal_gets_bars():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    progress = stage_progress(console)
    assert type(progress) is Progress
    assert not progress.live.auto_refresh or not isinstance(progress, ProgressLines)
