"""The verdict on a trained run: is there a mean-field description, how much is missed, what are its parameters?

python scripts/evaluate.py run=outputs/hopfield_quick-0123456789
"""

from dataclasses import replace
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from vae_mf.checks import require_integer
from vae_mf.evaluation.assessment import Assessment, assess
from vae_mf.evaluation.report import as_json, as_markdown
from vae_mf.evaluation.tables import read_tables, write_tables
from vae_mf.plotting.assessment import draw_assessment
from vae_mf.plotting.style import save_figure
from vae_mf.runs import FIGURES, Run, entry_point, find_run, load
from vae_mf.tasks import build_task

REPORT, VERDICT = "report.md", "verdict.json"
OWN = ("overlaps",)
"""Tables of the run itself that a verdict takes up."""


def assess_run(run: Run, settings: DictConfig, progress: Progress) -> Assessment:
    """Load model and data of a run and prepare its verdict."""
    model, task = load(run.folder), build_task(run.config, progress)
    progress.add_task("assessing", total=None)
    found, own = assess(model.vae, task.system, task.evidence, instantiate(settings)), read_tables(run.folder)
    return replace(found, tables=found.tables | {name: own[name] for name in OWN if name in own})


@entry_point("evaluate")
def main(cfg: DictConfig) -> None:
    """Assess the run, then write tables, figures, report and verdict into its folder."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console, run = Console(), find_run(Path(cfg.run))
    with Progress(console=console) as progress:
        found = assess_run(run, cfg.evaluation, progress)
    folder = run.folder / "verdict"
    write_tables(folder, found.tables | {"evidence": found.decision.evidence})
    figures = [save_figure(draw_assessment(found.tables), folder / FIGURES, "verdict")]
    text = as_markdown(run.config.run.name, found)
    (folder / REPORT).write_text(text)
    (folder / VERDICT).write_text(as_json(found))
    console.print(Markdown(text))
    for path in (*figures, folder / REPORT):
        console.print(f"written: {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
