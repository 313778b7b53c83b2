"""The verdict on a trained run: is there a mean-field description, how much is missed, what are its parameters?

python scripts/evaluate.py run=outputs/hopfield_quick-0123456789
"""

from dataclasses import replace
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from vae_mf.checks import require_integer
from vae_mf.evaluation.assessment import Assessment, assess
from vae_mf.evaluation.report import as_json, as_markdown
from vae_mf.evaluation.tables import VERDICT, read_tables, write_tables
from vae_mf.plotting.assessment import draw_assessment
from vae_mf.plotting.style import save_figure
from vae_mf.runs import CONFIG, FIGURES, Run, entry_point, find_run, load
from vae_mf.tasks import build_task

REPORT, ANSWER = "report.md", "verdict.json"
OWN = ("overlaps",)
"""Tables of the run itself that a verdict takes up."""


def assess_run(run: Run, settings: DictConfig, progress: Progress) -> Assessment:
    """Load model and data of a run and prepare its verdict."""
    model, task = load(run.folder), build_task(run.config, progress)
    progress.add_task("assessing", total=None)
    found, own = assess(model.vae, task.system, task.evidence, instantiate(settings)), read_tables(run.folder)
    return replace(found, tables=found.tables | {name: own[name] for name in OWN if name in own})


def write(found: Assessment, name: str, folder: Path) -> None:
    """Write tables, figure and report, and last the answer."""
    write_tables(folder, found.tables | {"evidence": found.verdict.evidence})
    save_figure(draw_assessment(found.tables), folder / FIGURES, "verdict")
    (folder / REPORT).write_text(as_markdown(name, found))
    (folder / ANSWER).write_text(as_json(found))


@entry_point("evaluate")
def main(cfg: DictConfig) -> None:
    """Prepare the verdict on a run unless it is there with the same settings, then show it."""
    torch.set_num_threads(require_integer("torch_threads", cfg.torch_threads))
    console, run, settings = Console(), find_run(Path(cfg.run)), OmegaConf.to_yaml(cfg.evaluation, resolve=True)
    folder = run.folder / VERDICT
    done = folder / CONFIG
    if not ((folder / ANSWER).exists() and done.read_text() == settings):
        with Progress(console=console) as progress:
            found = assess_run(run, cfg.evaluation, progress)
        folder.mkdir(exist_ok=True)
        (folder / ANSWER).unlink(missing_ok=True)
        done.write_text(settings)
        write(found, run.config.run.name, folder)
    console.print(Markdown((folder / REPORT).read_text()))
    for path in (folder / FIGURES / "verdict.png", folder / REPORT):
        console.print(f"written: {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
