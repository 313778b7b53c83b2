"""Terminal of a command, on which every text stands as it is: it holds no markup, and nothing in it acts."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from vae_mf.texts import on_terminal, visible


class Terminal(Console):
    r"""Console that takes brackets for brackets and colons for colons, and each text for one line.

    >>> Terminal(width=80).print("[bold]a[/b] :smile: b\x1b[31m")
    [bold]a[/b] :smile: b\x1b[31m
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what is printed of a text: whatever is printed passes here, entries and titles of tables too."""
        options |= {"markup": False, "emoji": False}
        return super().render_str(on_terminal(text), **options)

    def say(self, text: str) -> None:
        """Print a sentence on one line, however long."""
        self.print(text, soft_wrap=True, highlight=False)

    def place(self, what: str, path: str | Path) -> None:
        """Print where something is; no mark is put around words from right to left, for the path may be copied."""
        self.print(Text(f"{what}: {visible(str(path))}"), soft_wrap=True)


class Description(ProgressColumn):
    """Column of a bar with the description of the task."""

    def render(self, task: Task) -> Text:
        """Return the description as it is."""
        return Text(on_terminal(task.description))
