"""Names that act where they are not taken as data."""

import csv
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from hypothesis import strategies

from vae_mf.texts import ISOLATE, POP

NAMES = [
    "$x$",
    r"$\frac{1}$",
    "$x_{",
    "$$",
    r"\$y\$",
    "<script>alert(1)</script>",
    "&amp; \"quoted\" 'name'",
    "[bold]",
    "[/b]",
    ":smile:",
    "a|b",
    "`code` *b* _i_",
    "new\nline",
    "tab\there",
    "carriage\rreturn",
    "\x1b[31mred\x1b]0;title\x07",
    "שלום עולם",
    "مرحبا 12",
    "\u202eevil",
    "😀 and 中文",
    "x" * 300,
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-1-1",
    "@SUM(A1)",
    "a;=1+1",
    "'=quoted",
    "NA",
    "_private_",
    "%d {0} ${a}",
    " blanks ",
]
FOLDER = "out [v2] $x$ it's שלום"
"""Name of a folder that a file system takes."""
TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=30)
"""Any names."""


def write_csv(path: Path, names: list[str], rows: int = 400) -> Path:
    """A table of rows that share one hidden variable, under names."""
    random = np.random.default_rng(3)
    drive = random.normal(size=(rows, 1)) * np.linspace(0.5, 3, len(names))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows((random.random(drive.shape) < 1 / (1 + np.exp(drive))).astype(int).tolist())
    return path


class Page(HTMLParser):
    """Tags of a document, and its texts, of scripts and styles too."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def without_isolates(text: str) -> str:
    return text.replace(ISOLATE, "").replace(POP, "")
