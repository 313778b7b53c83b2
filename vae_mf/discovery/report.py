"""Collective variables of anybody's binary data: give an array, get a report.

>>> from vae_mf.discovery.report import discover
>>> report = discover(array, quick=True)                                   # doctest: +SKIP
>>> report.answer, report.latents                                          # doctest: +SKIP
('found', 3)
>>> report.save("report.html")                                             # doctest: +SKIP
"""

import hashlib
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from rich.progress import Progress

from vae_mf.checks import require_spins
from vae_mf.datasets.recording import Recording, make_recording
from vae_mf.discovery.document import as_html
from vae_mf.discovery.findings import Findings, find
from vae_mf.discovery.folder import remove_others, workplace
from vae_mf.discovery.settings import DiscoverySettings, discovery_settings
from vae_mf.discovery.split import prepare
from vae_mf.discovery.stages import Study
from vae_mf.files import write_whole
from vae_mf.plotting.discovery import draw_discovery
from vae_mf.plotting.style import save_figure
from vae_mf.provenance import git_revision, software_versions
from vae_mf.tables import METRICS, TABLES, write_metrics, write_tables
from vae_mf.verdict.decision import Verdict

DOCUMENT = "report.html"
FIGURES = "figures"
STEPS = 5
"""Of the bar that shows how far a discovery has come."""


@dataclass(frozen=True, eq=False)
class Report:
    """What was found, for a person and for a program; notebooks show it as a page.

    Attributes:
        answer: "found", "not found", "not decided" or "nothing to find".
        latents: Number of collective variables.
        patterns: A row per variable, a column per pattern.
        verdict: With its evidence; None if there are no collective variables.
        metrics: The numbers that matter.
        tables: All numbers, by name.
        html: The report as one self-contained document.
    """

    answer: str
    latents: int
    patterns: pd.DataFrame
    verdict: Verdict | None
    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    html: str

    def save(self, path: str | Path) -> Path:
        """Write the document to a file and return its path."""
        Path(path).write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        """Return the document in a frame, so that its style stays its own."""
        style = "width: 100%; height: 48rem; border: 1px solid #ddd"
        return f'<iframe style="{style}" srcdoc="{escape(self.html, quote=True)}"></iframe>'


def discover(
    data: Shaped[np.ndarray, "..."] | Recording,
    *,
    names: Sequence[str] | None = None,
    order: str = "auto",
    truth: Shaped[np.ndarray, "patterns variables"] | None = None,
    quick: bool = False,
    folder: str | Path | None = None,
    name: str = "data",
    call: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Look for collective variables in binary data: how many, which patterns, how sure.

    Args:
        data: 0 and 1 or -1 and +1 of shape (rows, variables) or (repeats, variables, rows), or a recording, such as
            `vae_mf.datasets.recording.read_recording` reads from a file.
        names: of the variables of an array.
        order: "time" to hold out the last stretch of time, "repeat" the last repeats, "independent" rows at random;
            "auto" for the first of these if the data have an order, else the last.
        truth: known patterns of -1 and +1 to compare with.
        quick: for a first look.
        folder: that keeps finished stages, tables, figures and the report; None keeps nothing.
        name: of the data, for the report.
        call: how the report was asked for; None for this function.
        progress: bar, already started, that shows what is done.
        settings: see `vae_mf.discovery.settings.DiscoverySettings`.

    Raises:
        ValueError: if the data cannot be used, an argument is out of range, or the folder holds something else.
        KeyboardInterrupt: if the user stopped it; called again with the same folder it goes on where it was.
    """
    if not isinstance(quick, bool):
        raise ValueError(f"quick: expected True or False, got {quick!r}")
    chosen = discovery_settings(quick, **settings)
    recording = data if isinstance(data, Recording) else make_recording(np.asarray(data), names=names)
    words = prepare(recording, order, chosen)
    truth = None if truth is None else known_patterns(truth, recording, words.recording)
    arguments = {"order": order, "quick": quick, **settings}
    origin = {
        "name": name,
        "call": call or f"discover(data, {', '.join(f'{key}={value!r}' for key, value in arguments.items())})",
        "data": {"sha256 of the words": fingerprint(words.recording), "order": order},
        "settings": asdict(chosen),
        "software": {"revision": git_revision(), **software_versions()},
    }
    identity = {key: origin[key] for key in ("data", "settings")}
    shown = progress or Progress(disable=True)
    task = shown.add_task("reading", total=STEPS)
    say = partial(shown.update, task)
    with workplace(folder, identity, lambda text: say(description=text)) as where, interruptible():
        study = Study(words, chosen, where, shown)
        found = find(study, truth, lambda stage: say(advance=1, description=stage))
        report = tell(found, chosen, origin, None if folder is None else Path(folder))
        say(completed=STEPS, description="done")
    return report


def fingerprint(recording: Recording) -> str:
    """Return a hash of the words of a recording, and of the times and repeats by which they are split."""
    parts = recording.rows, recording.time, recording.repeat
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@contextmanager
def interruptible() -> Iterator[None]:
    """Pass on an interrupt by the user, of which Lightning makes an exit and after which it lets none be heard."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


def known_patterns(
    truth: Shaped[np.ndarray, "patterns variables"], given: Recording, kept: Recording
) -> Shaped[np.ndarray, "patterns kept"]:
    """Return the true patterns on the variables that were kept.

    Raises:
        ValueError: unless they are rows of -1 and +1, one entry per variable of the data.
    """
    values = np.asarray(truth)
    sites = len(given.variables)
    if values.ndim != 2 or not len(values) or values.shape[1] != sites:
        raise ValueError(f"truth: expected patterns of -1 and +1 with {sites} entries each, got shape {values.shape}")
    require_spins("truth", values)
    return values[:, np.isin(given.variables, kept.variables)].astype(np.int8)


def tell(found: Findings, settings: DiscoverySettings, origin: dict[str, Any], folder: Path | None) -> Report:
    """Return the report, after writing it into the folder; the metrics, written last, say that it is complete."""
    figures = draw_discovery(found.tables, settings.returning)
    html = as_html(found, figures, origin)
    if folder is not None:
        (folder / METRICS).unlink(missing_ok=True)
        write_tables(folder, found.tables)
        for name, figure in figures.items():
            save_figure(figure, folder / FIGURES, name)
        # Those of an earlier report about the same data, to which other patterns were known.
        remove_others(folder / TABLES, found.tables)
        remove_others(folder / FIGURES, figures)
        write_whole(folder / DOCUMENT, html)
        write_metrics(folder, found.metrics)
    patterns = found.tables.get("patterns", pd.DataFrame({"variable": found.words.recording.names}))
    verdict = found.assessment and found.assessment.verdict
    return Report(found.answer.answer, found.choice.latents, patterns, verdict, found.metrics, found.tables, html)
