"""Times of training steps against a bare loop and the usual set-up, and precisions; on a GPU if there is one.

python scripts/benchmarks/training.py
python scripts/benchmarks/training.py --subjects training --repeats 9 --write
"""

import argparse
from collections.abc import Callable, Iterator

import torch
from baselines import precision, training
from baselines.table import PAGES, conditions, markdown, printed
from baselines.timing import Row
from rich.console import Console
from threadpoolctl import threadpool_limits

SUBJECTS: dict[str, Callable[[int], Iterator[Row]]] = {"training": training.rows, "precision": precision.rows}


def main() -> None:
    """Measure what was asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--repeats", type=int, default=5, help="rounds per line")
    parser.add_argument("--write", action="store_true", help="save the table under docs/benchmarks")
    options = parser.parse_args()
    console = Console(width=140)
    rows = []
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for subject in options.subjects:
            rows += SUBJECTS[subject](options.repeats)
    made_on = conditions("torch", "pytorch-lightning", "nflows")
    if training.CUDA:
        peak = torch.cuda.max_memory_allocated() / 2**20
        made_on = f"{torch.cuda.get_device_name()} (at most {peak:.0f} MiB of its memory used), {made_on}"
    console.print(printed(rows), made_on)
    if options.write:
        page = PAGES / f"training_{'gpu' if training.CUDA else 'cpu'}.md"
        command = f"python scripts/benchmarks/training.py --repeats {options.repeats}"
        page.write_text(markdown("Speed of training", command, made_on, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
