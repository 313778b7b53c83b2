"""Times and contacts of Potts models of planted alignments, against the plmDCA of another package.

Process CPU time on one thread, with the weights of relatives at 80 % identity. The other package, pydca, is installed
by pip into an environment of its own, without the versions of 2019 that it pins. adabmDCA is left out: it learns on
graphics cards.

    python scripts/benchmarks/potts.py
    python scripts/benchmarks/potts.py --subjects large --write
"""

import argparse
from functools import partial
from pathlib import Path

import pandas as pd
from baselines import potts
from baselines.table import PAGES, conditions, markdown, printed
from rich.console import Console
from threadpoolctl import threadpool_limits

from vae_mf.plotting.contacts import draw_contacts
from vae_mf.plotting.style import save_figure

PEERS = Path(__file__).parents[2] / "outputs" / "peers"
SUBJECTS = ("boltzmann", "large", "peers")
MARKDOWN = PAGES / "potts.md"
FIGURE = PAGES.parent / "figures" / "potts_contacts.png"
NOTES = f"""
Wrong contacts are the share of pairs found that are not planted, among as many of the strongest pairs four or more
sites apart as are planted.

![Planted contacts, and those found](../figures/{FIGURE.name})
"""


def main() -> None:
    """Measure what was asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder of the environments of other packages")
    parser.add_argument("--write", action="store_true", help=f"save docs/benchmarks/{MARKDOWN.name} and its figure")
    options = parser.parse_args()
    tables: dict[str, pd.DataFrame] = {}
    subjects = {
        "boltzmann": potts.boltzmann,
        "peers": partial(potts.peers, options.peers),
        "large": partial(potts.large, tables),
    }
    console = Console(width=140)
    rows = []
    command = f"python scripts/benchmarks/potts.py --subjects {' '.join(options.subjects)}"
    made_on = conditions("numpy", "scipy", "numba", "scikit-learn")
    with threadpool_limits(1):
        potts.compile_all()
        for subject in options.subjects:
            with console.status(subject):
                rows.extend(subjects[subject]())
            if options.write:
                MARKDOWN.write_text(
                    markdown("Potts models of alignments", command, made_on, rows) + NOTES, encoding="utf-8"
                )
            if options.write and "contacts" in tables:
                save_figure(draw_contacts(tables["contacts"]), FIGURE.parent, FIGURE.stem)
                FIGURE.with_suffix(".pdf").unlink()
    console.print(printed(rows), made_on)


if __name__ == "__main__":
    main()
