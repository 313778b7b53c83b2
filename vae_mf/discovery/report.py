"""Discovery of collective variables in anybody's binary data: an array in, a report out.

>>> from vae_mf import discover
>>> report = discover(array, quick=True)                                   # doctest: +SKIP
>>> report.answer, report.latents                                          # doctest: +SKIP
('found', 3)
>>> report.save("report.html")                                             # doctest: +SKIP
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped
from omegaconf import DictConfig
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from vae_mf import __version__
from vae_mf.analysis.trained_model import TrainedModel, binary_rows
from vae_mf.checks import require_array, require_flag, require_path, require_spins, require_working_memory, shown
from vae_mf.datasets.recording import Recording, make_recording
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.discovery.document import as_html
from vae_mf.discovery.findings import Findings, run_discovery
from vae_mf.discovery.folder import remove_others, workplace
from vae_mf.discovery.memory import require_order
from vae_mf.discovery.sentences import headline
from vae_mf.discovery.settings import DiscoverySettings, discovery_config, discovery_settings, flat, plain
from vae_mf.discovery.split import SplitRows, prepare
from vae_mf.discovery.stages import Study
from vae_mf.discovery.training import require_enough_epochs, require_model
from vae_mf.files import SEAL, WEIGHTS, write_whole
from vae_mf.models.devices import AUTO, device_of
from vae_mf.plotting.discovery import draw_discovery
from vae_mf.plotting.style import save_figure
from vae_mf.provenance import git_revision, software_versions
from vae_mf.tables import METRICS, TABLES, write_metrics, write_tables
from vae_mf.training.weights import read_weights
from vae_mf.verdict.decision import Verdict
from vae_mf.verdict.needs import bytes_of_discovery

DOCUMENT = "report.html"
FIGURES = "figures"
STEPS = 7
"""Number of stages, which the progress bar shows."""


@dataclass(frozen=True, eq=False)
class Report:
    """Report of a discovery, for a person and for a program; notebooks show it as a page.

    >>> report = discover(rows, quick=True, order="time")  # doctest: +SKIP
    >>> report.answer, report.latents, report.encode(rows).shape  # doctest: +SKIP
    ('found', 3, (20000, 3))

    Attributes:
        answer: "found", "not found", "not decided" or "nothing to find".
        latents: Number of collective variables.
        classes: Number of latent classes, if these describe the data better.
        headline: Answer and number in a sentence.
        patterns: A row per variable, a column per pattern.
        verdict: Answer with its evidence; None if there are no collective variables.
        metrics: Key numbers.
        tables: All numbers, by name.
        html: Report as one self-contained document.
        model: Model of the latent variables, or of the classes; None if there are none.
    """

    answer: str
    latents: int
    classes: int
    headline: str
    patterns: pd.DataFrame = field(repr=False)
    verdict: Verdict | None = field(repr=False)
    metrics: dict[str, Any] = field(repr=False)
    tables: dict[str, pd.DataFrame] = field(repr=False)
    html: str = field(repr=False)
    model: TrainedModel | LatentClasses | None = field(repr=False)

    def encode(self, rows: Any) -> Float[np.ndarray, "rows latents"]:
        """Return the mean of the latent variables given each row, or the probabilities of the classes.

        Args:
            rows: 0 and 1, or -1 and +1, of shape (rows, variables), the variables in the order of ``patterns``.

        Raises:
            ValueError: if nothing describes the data, or the rows do not fit.
        """
        if self.model is None:
            raise ValueError(f'report: expected one with latent variables or classes, got "{self.answer}"')
        if isinstance(self.model, TrainedModel):
            return self.model.encode(rows).mean
        return self.model.class_probabilities(binary_rows("rows", rows))

    def save(self, path: str | Path) -> Path:
        """Write the document to a file and return its path."""
        place = require_path("path", path)
        write_whole(place, self.html)
        return place

    def _repr_html_(self) -> str:
        """Return the document in a frame, so that its style stays its own."""
        style = "width: 100%; height: 48rem; border: 1px solid #ddd"
        return f'<iframe style="{style}" srcdoc="{escape(self.html, quote=True)}"></iframe>'


def discover(
    data: Any,
    *,
    names: Sequence[str] | None = None,
    order: str = "auto",
    truth: Any = None,
    quick: bool = False,
    folder: str | Path | None = None,
    name: str = "data",
    device: str | torch.device = AUTO,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Look for collective variables in binary data: how many, which patterns, how sure.

    Settings go by the names of `conf/discovery`, nested, ``selection={"patience": 1}``, or dotted,
    ``**{"selection.patience": 1}``.

    >>> report = discover(rows, quick=True, order="time", seed=1, selection={"patience": 1})  # doctest: +SKIP
    >>> report.answer, report.latents  # doctest: +SKIP
    ('found', 3)

    Args:
        data: 0 and 1, -1 and +1, or False and True of shape (rows, variables) or (repeats, variables, rows) in an
            array, list, table or tensor; or a recording, such as `vae_mf.datasets.read_recording` reads from a file.
        names: names of the variables, by default the columns of a table; a recording has its own.
        order: "time" to hold out the last piece of time, "repeat" the last repeats, "independent" rows at random;
            "auto" for the first of these if the data have an order, else the last.
        truth: known patterns of -1 and +1 to compare with.
        quick: True for a first look.
        folder: folder that keeps finished stages, tables, figures and the report; None keeps nothing.
        name: name of the data in the report.
        device: "auto" for CUDA where there is one, "cpu", "cuda" or "cuda:1".
        progress: bar, already started, that shows the stages.
        settings: ``seed``, and any option of `conf/discovery`, as above.

    Returns:
        Answer, number and patterns, with all tables, the model and the document; see `Report`.

    Raises:
        ValueError: if the data cannot be used, an argument is out of range, or the folder holds something else.
        KeyboardInterrupt: if the user stopped it; called again with the same folder it goes on where it was.
    """
    config, seed = discovery_config(require_flag("quick", quick), **settings)
    arguments = {"order": order, "quick": quick, **settings}
    call = f"discover(data, {', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
    recording = as_recording(data, names)
    if not isinstance(name, str):
        raise ValueError(f"name: expected a text, got {shown(name)}")
    if not isinstance(progress, Progress | None):
        raise ValueError(f"progress: expected a rich.progress.Progress, got {shown(progress)}")
    with one_thread():
        return report_on(
            recording,
            config,
            seed,
            given=[option for option, _ in flat(settings)],
            order=order,
            truth=truth,
            folder=folder,
            name=name,
            call=call,
            device=device,
            progress=progress,
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep PyTorch and linear algebra to one thread: a second gains little on an idle machine, and loses much else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def as_recording(data: Any, names: Sequence[str] | None) -> Recording:
    """Return a recording as it is, and one of anything that can be taken as an array.

    Raises:
        ValueError: if it is the name of a file, or the names or the data cannot be used.
    """
    if isinstance(data, str | os.PathLike):
        advice = f"read it with vae_mf.datasets.read_recording or numpy.load, or run vae-mf discover {data}"
        raise ValueError(
            f"data: expected an array or a recording, got the name of a file, {shown(str(data))}: {advice}"
        )
    if not isinstance(data, Recording):
        return make_recording(data, names=names)
    if names is not None:
        raise ValueError(f"names: expected none beside a recording, which has its own, got {shown(names)}")
    return data


def report_on(
    recording: Recording,
    config: DictConfig,
    seed: int,
    *,
    given: Collection[str],
    order: str,
    truth: Any,
    folder: str | Path | None,
    name: str,
    call: str,
    device: str | torch.device,
    progress: Progress | None,
    closing: str | None = None,
    force: bool = False,
) -> Report:
    """Return the report on a recording; see `discover`.

    Args:
        recording: data.
        config: settings by the names of `conf/discovery`.
        seed: seed of all randomness.
        given: names of the settings that were asked for, which must have an effect.
        order: order of the rows.
        truth: known patterns to compare with.
        folder: folder that keeps everything; None keeps nothing.
        name: name of the data in the report.
        call: command line or call that asked for the report.
        device: device of the models.
        progress: bar that shows the stages.
        closing: configuration, which the folder has when it is finished.
        force: True to discover again what is finished.
    """
    settings = discovery_settings(config, seed)
    device_of(device)
    rows = prepare(recording, order, settings)
    require_order(rows, given)
    if "training.epochs" in given:
        require_enough_epochs(settings.training, settings.schedule, len(rows.train))
    truth = None if truth is None else known_patterns(truth, recording, rows.recording)
    require_model(settings, rows.train.shape[1])
    require_room(rows, settings, progress)
    origin = {
        "name": name,
        "call": call,
        "data": {"sha256 of the rows": fingerprint(rows.recording), "order": order},
        "settings": {"seed": seed} | plain(config),
        "date": today().isoformat(),
        "version": __version__,
        "software": {"revision": git_revision(), **software_versions()},
    }
    identity = {key: origin[key] for key in ("data", "settings")}
    bar = progress or Progress(disable=True)
    show = partial(bar.update, bar.add_task("reading", total=STEPS, stages=True))
    with workplace(folder, identity, lambda text: show(description=text), closing, force) as place:
        study = Study(rows, settings, place, device_of(device), bar)
        found = run_discovery(study, truth, lambda stage: show(advance=1, description=stage))
        report = write_report(found, origin, None if folder is None else place)
        show(completed=STEPS, description="done")
    return report


def today() -> date:
    """Return the date of a report: that of SOURCE_DATE_EPOCH, in seconds, where files are to be compared."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return date.today() if epoch is None else datetime.fromtimestamp(int(epoch), UTC).date()


def require_room(rows: SplitRows, settings: DiscoverySettings, progress: Progress | None) -> None:
    """Raise ValueError if a discovery takes more memory than is free; tell on a bar what it takes."""
    say = partial(progress.console.print, soft_wrap=True) if progress else lambda _: None
    read, names = rows.recording.rows, rows.recording.names
    needed = bytes_of_discovery(len(read), len(names), len(rows.rows.test), settings.assessment)
    require_working_memory("discovery", needed, "give fewer rows or variables", say)


def fingerprint(recording: Recording) -> str:
    """Return a hash of the rows of a recording, and of the times and repeats by which they are split."""
    digest = hashlib.sha256()
    for part in (recording.rows, recording.time, recording.repeat):
        digest.update(part.tobytes())
    return digest.hexdigest()


def known_patterns(truth: Any, given: Recording, kept: Recording) -> Shaped[np.ndarray, "patterns kept"]:
    """Return the true patterns on the variables that were kept.

    Raises:
        ValueError: unless they are rows of -1 and +1, one entry per variable of the data.
    """
    values = require_array("truth", truth)
    sites = len(given.variables)
    if values.ndim != 2 or not len(values) or values.shape[1] != sites:
        raise ValueError(f"truth: expected patterns of -1 and +1 with {sites} entries each, got shape {values.shape}")
    require_spins("truth", values)
    return values[:, np.isin(given.variables, kept.variables)].astype(np.int8)


def write_report(found: Findings, origin: dict[str, Any], folder: Path | None) -> Report:
    """Return the report, after writing it into the folder; the metrics, written last, say that it is complete."""
    figures = draw_discovery(found.tables, found.settings.stability.recovered)
    html = as_html(found, figures, origin)
    if folder is not None:
        for weights in folder.rglob(WEIGHTS):
            read_weights(weights)  # before they are sealed, for those that were not needed again
        for finished in (METRICS, SEAL):
            (folder / finished).unlink(missing_ok=True)
        write_tables(folder, found.tables)
        for name, figure in figures.items():
            save_figure(figure, folder / FIGURES, name)
        # Those of an earlier report about the same data, to which other patterns were known.
        remove_others(folder / TABLES, found.tables)
        remove_others(folder / FIGURES, figures)
        write_whole(folder / DOCUMENT, html)
        write_metrics(folder, found.metrics)
    return Report(
        answer=found.decision.answer,
        latents=found.description.latents,
        classes=found.description.classes,
        headline=headline(found),
        patterns=found.tables.get("patterns", pd.DataFrame({"variable": found.rows.recording.names})),
        verdict=found.assessment and found.assessment.verdict,
        metrics=found.metrics,
        tables=found.tables,
        html=html,
        model=found.model,
    )
