"""Give the verdict on a trained run: is there a mean-field description, how much is missed, what are its parameters?

vae-mf evaluate outputs/hopfield_quick-0123456789
vae-mf evaluate run=outputs/retina-0123456789 evaluation.components=2000
vae-mf evaluate 'outputs/ising2d_scaling-*' evaluation=capacity
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from glob import has_magic
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.markdown import Markdown
from rich.progress import Progress

from vae_mf.checks import require_integer, require_working_memory
from vae_mf.files import (
    again_of,
    only_one,
    put_in_place,
    read_json,
    remove,
    require_unchanged,
    require_unlinked,
    write_sealed,
    write_whole,
)
from vae_mf.models.devices import device_of
from vae_mf.models.site_families import site_family
from vae_mf.plotting.style import save_figure
from vae_mf.plotting.verdict import draw_verdict
from vae_mf.runs.folder import CONFIG, FIGURES, FINISHED, Run, find_run, find_runs, read_values
from vae_mf.runs.foreign import require_harmless
from vae_mf.runs.identity import digest
from vae_mf.runs.models import load_run, naming
from vae_mf.runs.moved import located
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.tasks import build_task, evaluation_settings
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import ANSWER, VERDICT, read_tables, write_tables
from vae_mf.verdict.assessment import Assessment, AssessmentSettings, assess
from vae_mf.verdict.needs import bytes_of_verdict
from vae_mf.verdict.report import as_json, as_markdown

REPORT = "report.md"
OWN = ("overlaps", "cells")
"""Tables of the run itself that a verdict takes up: recovered patterns, and the names of variables."""


def assess_run(
    run: Run, settings: AssessmentSettings, data: Path, device: torch.device, progress: Progress
) -> Assessment:
    """Load model and data of a run and prepare its verdict.

    Args:
        run: finished run.
        settings: settings of the verdict.
        data: folder of samples and data that are no longer where the run found them.
        device: device of the model.
        progress: bars of the stages.
    """
    own = read_tables(run.folder)
    model = load_run(run, device)
    with naming(run.folder):
        task = build_task(located(run, data), progress)
        evidence = task.data().evidence
    columns = task.sites * site_family(model.vae.kind).components
    needed = bytes_of_verdict(evidence, columns, settings)
    advice = "lower evaluation.readings.entries or evaluation.critic.training_samples, or evaluate a run on fewer rows"
    require_working_memory("assessment", needed, advice, partial(progress.console.print, soft_wrap=True))
    progress.add_task("assessing", total=None)
    found = assess(model.vae, task.system, evidence, settings)
    return replace(found, tables=found.tables | {name: own[name] for name in OWN if name in own})


def write(found: Assessment, name: str, folder: Path) -> None:
    """Write tables, figure and report, and last the answer."""
    write_tables(folder, found.tables | {"evidence": found.verdict.evidence})
    save_figure(draw_verdict(found.tables), folder / FIGURES, "verdict")
    write_whole(folder / REPORT, as_markdown(name, found))
    write_sealed(folder / ANSWER, as_json(found))


def same_settings(folder: Path, settings: DictConfig, extensions: Sequence[str] = ()) -> bool:
    """Return True if a verdict, of any version, was prepared with these settings."""
    found = read_values(folder / CONFIG)
    require_harmless(found, folder / CONFIG, extensions)
    return digest(found) == digest(OmegaConf.to_container(settings, resolve=True))


def prepare(run: Run, cfg: DictConfig, console: Terminal) -> None:
    """Prepare the verdict on a run unless it is there with the same settings, or by force."""
    folder = run.folder / VERDICT
    settings = cfg.evaluation
    require_unlinked(*run.folder.iterdir())
    put_in_place(folder, ANSWER)
    if not cfg.force and (folder / ANSWER).exists() and same_settings(folder, settings, cfg.extensions):
        console.say(f"{run.folder.name}: {FINISHED}")
        return
    with stage_progress(console) as progress:
        settings_of_verdict = evaluation_settings(cfg, AssessmentSettings)
        found = assess_run(run, settings_of_verdict, Path(cfg.paths.data), device_of(cfg.device), progress)
    remove(again_of(folder))
    write_whole(again_of(folder) / CONFIG, OmegaConf.to_yaml(settings, resolve=True))
    write(found, run.config.run.name, again_of(folder))
    put_in_place(folder, ANSWER)


def show(run: Run, console: Terminal, *, briefly: bool) -> None:
    """Print the report on a run, or of several only the answers, and where it is."""
    folder = run.folder / VERDICT
    require_unchanged(folder)
    if briefly:
        answer = read_json(folder / ANSWER)["mean_field_description"]
        console.place(answer, folder / REPORT)
        return
    console.print(Markdown((folder / REPORT).read_text(encoding="utf-8")))
    for path in (folder / FIGURES / "verdict.png", folder / REPORT):
        console.place("written", path)


def main(cfg: DictConfig) -> None:
    """Prepare and show the verdict on every run that is asked for."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    evaluation_settings(cfg, AssessmentSettings)
    device_of(cfg.device)
    several = has_magic(str(cfg.run)) and not Path(cfg.run).exists()
    runs = find_runs([cfg.run], cfg.extensions) if several else [find_run(Path(cfg.run), cfg.extensions)]
    console = Terminal()
    for run in runs:
        with only_one(run.folder, console.say):
            prepare(run, cfg, console)
        show(run, console, briefly=several)
