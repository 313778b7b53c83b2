"""Times and errors of estimators of couplings against scikit-learn and other packages, every promised number.

Process CPU time on one thread, except where wall time is said, and root mean square error of J; ratios are theirs to
ours in the same run. Other packages are installed by pip into environments of their own. adabmDCA is left out: it wants
sequences in FASTA files.

    python scripts/benchmarks/inverse_ising.py
    python scripts/benchmarks/inverse_ising.py --subjects equilibrium kinetic --write
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from baselines import inverse_ising_peers
from baselines.table import PAGES, conditions, markdown, printed
from rich.console import Console
from threadpoolctl import threadpool_limits

from vae_mf.benchmarks.couplings import comparisons as inverse_ising
from vae_mf.benchmarks.couplings.rows import Row

PEERS = Path(__file__).parents[2] / "outputs" / "peers"
SUBJECTS: dict[str, Callable[[], Iterator[Row]]] = {
    "equilibrium": inverse_ising.equilibrium,
    "kinetic": inverse_ising.kinetic,
    "boltzmann": inverse_ising.boltzmann,
    "erasure": inverse_ising.erasure,
    "large": inverse_ising.large,
}
MARKDOWN = PAGES / "inverse_ising.md"
NOTES = """
Rows of several disorders give mean times and the root mean square error over all; their ratios come with the standard
error of the paired differences. M samples are the first of at least 50,000 that are drawn of a realisation: a case has
the same ones in every table. At sk50 β=1.5 M=5000 the ratio depends on whether the regressions of a realisation are
nearly separable; the row of the whole likelihood under a prior of the true width shows what the data hold.
"""


def main() -> None:
    """Measure what was asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=[*SUBJECTS, "peers"], default=[*SUBJECTS, "peers"])
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder of the environments of other packages")
    parser.add_argument("--write", action="store_true", help=f"save the table as docs/benchmarks/{MARKDOWN.name}")
    options = parser.parse_args()
    subjects = SUBJECTS | {"peers": partial(inverse_ising_peers.rows, options.peers)}
    console = Console(width=140)
    rows = []
    command = f"python scripts/benchmarks/inverse_ising.py --subjects {' '.join(options.subjects)}"
    made_on = conditions("numpy", "scipy", "numba", "scikit-learn")
    with threadpool_limits(1):
        inverse_ising.compile_all()
        for subject in options.subjects:
            with console.status(subject):
                for row in subjects[subject]():
                    rows.append(row)
                    if options.write:  # at once, for the whole takes half an hour
                        MARKDOWN.write_text(
                            markdown("Estimators of couplings", command, made_on, rows) + NOTES, encoding="utf-8"
                        )
    console.print(printed(rows), made_on)


if __name__ == "__main__":
    main()
