"""Growth of cost with variables and rows, seconds and peak memory of each stage, and exponents beside those of theory.

python scripts/benchmarks/scaling.py                                       prints a line per measurement, then the page
python scripts/benchmarks/scaling.py --stages training discover --write    saves the page under docs/benchmarks
python scripts/benchmarks/scaling.py --seconds 20                          leaves out sizes beyond half a minute

Every measurement is a process of its own; seconds are those of its processor within the stage, memory what the stage
adds to the process. A size is left out where the smaller one took more than ``--seconds``.
"""

import argparse
import sys

from baselines.growth import STAGES, Line, measured, page, sizes
from baselines.table import PAGES


def lines(stages: list[str], limit: float) -> list[Line]:
    """Measure stages at growing sizes, each along variables and along rows, and say what came of it."""
    found = []
    for stage in stages:
        for along in ("variables", "rows"):
            for rows, variables in sizes(along):
                line = measured(stage, along, rows, variables)
                found.append(line)
                print(f"{stage}, {rows} x {variables}: {line.seconds:.2f} s, {line.gigabytes:.2f} GB", file=sys.stderr)
                if line.seconds > limit:
                    break
    return found


def main() -> None:
    """Measure what was asked for, and print or save the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--seconds", type=float, default=60, help="seconds beyond which no larger size is measured")
    parser.add_argument("--write", action="store_true", help="save the page under docs/benchmarks")
    options = parser.parse_args()
    text = page(lines(options.stages, options.seconds))
    if options.write:
        (PAGES / "scaling.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
