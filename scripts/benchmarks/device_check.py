"""The check of a GPU, in ten minutes at most; without one the same code is rehearsed on the processor.

python scripts/benchmarks/device_check.py
python scripts/benchmarks/device_check.py --stages forward step --write

A stage that fails is named and the next one begins; none begins after the time is over. The exit status is 1 if one
failed.
"""

import argparse
import time
import traceback
from pathlib import Path

import torch
from baselines.captured_steps import captured
from baselines.device_stages import DEVICE, FIRST, WHOLE
from baselines.table import PAGES, conditions
from baselines.training import CUDA
from rich.console import Console

LIMIT = 600.0
STAGES = FIRST | {"captured": captured} | WHOLE
"""Stages in the order of what they say for their time."""


def checked(name: str, console: Console) -> tuple[bool, list[str]]:
    """Run a stage; return whether it passed, and the lines of its section."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        console.print(f"  {line}", markup=False, highlight=False)

    start = time.perf_counter()
    try:
        STAGES[name](say)
        passed = True
    except Exception as error:  # the next stages say something all the same
        traceback.print_exc()
        say(f"{type(error).__name__}: {str(error)[:1000]}")
        passed = False
    outcome = f"{name}: {'passed' if passed else 'failed'} in {time.perf_counter() - start:.0f} s"
    console.print(outcome)
    return passed, [f"## {outcome}", "", *(f"- {line}" for line in lines), ""]


def written(page: list[str], path: Path | None, made_on: str) -> None:
    """Write what has been said so far."""
    text = ["# The device check", "", f"`python scripts/benchmarks/device_check.py` on {made_on}.", "", *page]
    if path is not None:
        path.write_text("\n".join(text), encoding="utf-8")


def main() -> None:
    """Run the stages that were asked for, print what they say and save it after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds after which no stage begins")
    parser.add_argument("--write", nargs="?", const=PAGES / "gpu.md", type=Path, help="save it as a page")
    options = parser.parse_args()
    console = Console(width=160)
    if not CUDA:
        torch.set_num_threads(1)
    device = torch.cuda.get_device_name() if CUDA else f"no GPU: a rehearsal on the {DEVICE.type}"
    made_on = f"{device}, {conditions('torch', 'pytorch-lightning')}"
    console.print(made_on)
    page: list[str] = []
    failed = []
    try:
        written(page, options.write, made_on)  # before ten minutes have gone by
    except OSError as error:
        parser.error(f"argument --write: expected a file that can be written, got {options.write}: {error.strerror}")
    start = time.perf_counter()
    for name in options.stages:
        if time.perf_counter() - start > options.limit:
            passed, section = True, [f"## {name}: not begun, as the time was over", ""]
            console.print(section[0].removeprefix("## "))
        else:
            passed, section = checked(name, console)
        page += section
        written(page, options.write, made_on)
        if not passed:
            failed.append(name)
    console.print(f"failed: {', '.join(failed) or 'none'}")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
