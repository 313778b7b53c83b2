"""Times of the samplers against their baselines, every ratio that is promised in one table.

Process CPU time on one thread in ns per spin (or director), wall time where threads or the first call are concerned.
Blocks of all ways of a line alternate and ratios are medians over rounds, so they survive a busy machine; the
nanoseconds do not. Baselines that are not installed are left out (pip install mcising dwave-samplers).

    python scripts/benchmarks/samplers.py
    python scripts/benchmarks/samplers.py --subjects hopfield kinetic --repeats 15
"""

import argparse
from collections.abc import Callable, Iterator

from baselines import curie_weiss, hopfield, ising2d, kinetic, machine, maier_saupe, spin_glass
from baselines.table import PAGES, conditions, markdown, printed
from baselines.timing import Row
from rich.console import Console
from threadpoolctl import threadpool_limits

SUBJECTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "ising2d": ising2d.rows,
    "hopfield": hopfield.rows,
    "maier_saupe": maier_saupe.rows,
    "spin_glass": spin_glass.rows,
    "curie_weiss": curie_weiss.rows,
    "kinetic": kinetic.rows,
    "machine": machine.rows,
}
MARKDOWN = PAGES / "samplers.md"


def main() -> None:
    """Measure what was asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--repeats", type=int, default=7, help="rounds per line")
    parser.add_argument("--write", action="store_true", help=f"save the table as docs/benchmarks/{MARKDOWN.name}")
    options = parser.parse_args()
    console = Console(width=140)
    rows = []
    with threadpool_limits(1):
        for subject in options.subjects:
            with console.status(subject):
                rows += SUBJECTS[subject](options.repeats)
    made_on = conditions("numba", "numpy")
    console.print(printed(rows), made_on)
    if options.write:
        command = f"python scripts/benchmarks/samplers.py --repeats {options.repeats}"
        MARKDOWN.write_text(markdown("Speed of the samplers", command, made_on, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
