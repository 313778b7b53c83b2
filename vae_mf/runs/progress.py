"""Progress of a command: bars on a terminal, lines in a file or a pipe."""

from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID


class ProgressLines(Progress):
    """Progress as plain lines: one when a stage begins, and one whenever it is updated.

    >>> with ProgressLines(Console(width=80)) as progress:
    ...     task = progress.add_task("training", total=2)
    ...     progress.update(task, advance=1, description="training, validation loss 3.1")
    training
    training, validation loss 3.1 (1 of 2)
    """

    def __init__(self, console: Console):
        super().__init__(console=console, disable=True)
        self.said: dict[TaskID, tuple[str, float]] = {}

    def add_task(self, description: str, *arguments: Any, **options: Any) -> TaskID:
        """Begin a stage."""
        task = super().add_task(description, *arguments, **options)
        self.say(task)
        return task

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Go on with a stage."""
        super().update(task_id, **changes)
        self.say(task_id)

    def say(self, task_id: TaskID) -> None:
        """Print the line of a stage unless that has been printed."""
        task = next(task for task in self.tasks if task.id == task_id)
        state = task.description, task.completed
        if self.said.get(task_id) == state:
            return
        self.said[task_id] = state
        place = f" ({task.completed:.0f} of {task.total:.0f})" if task.total and task.completed else ""
        self.console.print(f"{task.description}{place}", soft_wrap=True, markup=False, highlight=False)


def stage_progress(console: Console, *columns: ProgressColumn, quiet: bool = False) -> Progress:
    """Return bars for a terminal, lines for anything else, and nothing at all for a quiet command."""
    if console.is_terminal or quiet:
        return Progress(*columns, console=console, disable=quiet)
    return ProgressLines(console)
