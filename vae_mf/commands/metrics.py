"""Metrics of a finished job on the screen."""

from typing import Any

from rich.table import Table

from vae_mf.runs.terminal import Terminal
from vae_mf.tables import format_metrics


def print_metrics(metrics: dict[str, Any], console: Terminal) -> None:
    """Print names and values as a table."""
    table = Table("metric", "value")
    for row in format_metrics(metrics):
        table.add_row(*row)
    console.print(table)
