"""Give the verdict on a trained run: is there a mean-field description, how much is missed, what are its parameters?

vae-mf evaluate outputs/hopfield_quick-0123456789
vae-mf evaluate run=outputs/retina-0123456789 evaluation.components=2000
vae-mf evaluate 'outputs/ising2d_scaling-*' evaluation=capacity
"""

import json
from dataclasses import replace
from glob import has_magic
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.markdown import Markdown
from rich.progress import Progress

from vae_mf.checks import require_integer
from vae_mf.files import again_of, put_in_place, write_whole
from vae_mf.plotting.style import save_figure
from vae_mf.plotting.verdict import draw_verdict
from vae_mf.runs.folder import CONFIG, FIGURES, FINISHED, Run, find_run, find_runs
from vae_mf.runs.identity import digest
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.models import load_run
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.tasks import build_task
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import ANSWER, VERDICT, read_tables, write_tables
from vae_mf.verdict.assessment import Assessment, assess
from vae_mf.verdict.report import as_json, as_markdown

REPORT = "report.md"
OWN = ("overlaps",)
"""Tables of the run itself that a verdict takes up."""


def assess_run(run: Run, settings: DictConfig, progress: Progress) -> Assessment:
    """Load model and data of a run and prepare its verdict."""
    model = load_run(run.folder)
    task = build_task(run.config, progress)
    progress.add_task("assessing", total=None)
    found = assess(model.vae, task.system, task.evidence, instantiate(settings))
    own = read_tables(run.folder)
    return replace(found, tables=found.tables | {name: own[name] for name in OWN if name in own})


def write(found: Assessment, name: str, folder: Path) -> None:
    """Write tables, figure and report, and last the answer."""
    write_tables(folder, found.tables | {"evidence": found.verdict.evidence})
    save_figure(draw_verdict(found.tables), folder / FIGURES, "verdict")
    write_whole(folder / REPORT, as_markdown(name, found))
    write_whole(folder / ANSWER, as_json(found))


def same_settings(folder: Path, settings: DictConfig) -> bool:
    """Return True if a verdict, of any version, was prepared with these settings."""
    pair = (OmegaConf.load(folder / CONFIG), settings)
    digests = {digest(OmegaConf.to_container(node, resolve=True)) for node in pair}
    return len(digests) == 1


def prepare(run: Run, settings: DictConfig, console: Terminal, *, force: bool) -> None:
    """Prepare the verdict on a run unless it is there with the same settings, or by force."""
    folder = run.folder / VERDICT
    put_in_place(folder, ANSWER)
    if not force and (folder / ANSWER).exists() and same_settings(folder, settings):
        console.say(f"{run.folder.name}: {FINISHED}")
        return
    with stage_progress(console) as progress:
        found = assess_run(run, settings, progress)
    write_whole(again_of(folder) / CONFIG, OmegaConf.to_yaml(settings, resolve=True))
    write(found, run.config.run.name, again_of(folder))
    put_in_place(folder, ANSWER)


def show(run: Run, console: Terminal, *, briefly: bool) -> None:
    """Print the report on a run, or of several only the answers, and where it is."""
    folder = run.folder / VERDICT
    if briefly:
        answer = json.loads((folder / ANSWER).read_text(encoding="utf-8"))["mean_field_description"]
        console.place(answer, folder / REPORT)
        return
    console.print(Markdown((folder / REPORT).read_text(encoding="utf-8")))
    for path in (folder / FIGURES / "verdict.png", folder / REPORT):
        console.place("written", path)


def main(cfg: DictConfig) -> None:
    """Prepare and show the verdict on every run that is asked for."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    several = has_magic(str(cfg.run)) and not Path(cfg.run).exists()
    runs = find_runs([cfg.run]) if several else [find_run(Path(cfg.run))]
    console = Terminal()
    for run in runs:
        prepare(run, cfg.evaluation, console, force=cfg.force)
        show(run, console, briefly=several)
