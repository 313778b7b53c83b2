"""The commands of the shell, with what they say of themselves."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command: its name, and the option that a word without "=" stands for."""

    name: str
    word: str | None = None
    choices: str | None = None
    """Node of the configuration whose keys are the values of the option ``word``."""

    @property
    def module(self) -> str:
        """Name of the module, and of the root file of the configuration."""
        return self.name.replace("-", "_")

    @cached_property
    def document(self) -> str:
        """Docstring of the command's file, which is not imported for it."""
        path = Path(__file__).with_name(f"{self.module}.py")
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""

    @property
    def summary(self) -> str:
        """First sentence of the docstring."""
        return self.document.partition("\n\n")[0].partition(". ")[0].replace("\n", " ").rstrip(".")


COMMANDS = {
    command.name: command
    for command in (
        Command("sample"),
        Command("train"),
        Command("evaluate", "run"),
        Command("discover", "dataset.path"),
        Command("infer-couplings", "dataset.path"),
        Command("compare", "dataset.path"),
        Command("collect"),
        Command("reproduce", "figure", "figures"),
        Command("figure", "run"),
        Command("benchmark", "benchmark"),
    )
}
"""Every command of ``vae-mf`` by its name."""
