"""Progress of a command: bars on a terminal, lines in a file or a pipe."""

import time
from collections.abc import Callable
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TimeRemainingColumn

from vae_mf.runs.terminal import Description, Terminal

STAGES = "stages"
"""Field of a task whose updates are stages, each of them to be told."""
LINES = 10
"""Number of lines between the first and the last of any other task, at most."""
SECONDS = 10.0
"""Time between two of them, at least."""


class ProgressLines(Progress):
    """Progress as plain lines: one when a task begins, one at its end, and a few between if it takes long.

    >>> with ProgressLines(Terminal(width=80)) as progress:
    ...     task = progress.add_task("training", total=200)
    ...     for epoch in range(200):
    ...         progress.update(task, advance=1, description="training, validation loss 3.1")
    training
    training, validation loss 3.1 (200 of 200)
    """

    def __init__(self, console: Terminal, get_time: Callable[[], float] = time.monotonic):
        super().__init__(console=console, disable=True, get_time=get_time)
        self.said: dict[TaskID, tuple[str, float, float]] = {}
        """Text, steps and time of the last line of every task."""

    def add_task(self, description: str, *arguments: Any, **options: Any) -> TaskID:
        """Begin a task."""
        task = super().add_task(description, *arguments, **options)
        self.say(self.tasks[-1])
        return task

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Go on with a task."""
        super().update(task_id, **changes)
        task = next(task for task in self.tasks if task.id == task_id)
        text, steps, then = self.said[task_id]
        due = (task.completed - steps) * LINES >= (task.total or 0) and self.get_time() - then >= SECONDS
        if (task.description, task.completed) != (text, steps) and (due or task.finished or task.fields.get(STAGES)):
            self.say(task)

    def say(self, task: Task) -> None:
        """Print the line of a task."""
        self.said[task.id] = task.description, task.completed, self.get_time()
        place = f" ({task.completed:.0f} of {task.total:.0f})" if task.total and task.completed else ""
        self.console.print(f"{task.description}{place}", soft_wrap=True, highlight=False)


def stage_progress(console: Terminal, *columns: ProgressColumn, quiet: bool = False) -> Progress:
    """Return bars for a terminal, lines for anything else, and nothing at all for a quiet command."""
    if console.is_terminal or quiet:
        default = Description(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        return Progress(*(columns or default), console=console, disable=quiet)
    return ProgressLines(console)
