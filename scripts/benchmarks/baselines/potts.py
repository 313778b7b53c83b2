"""Potts models of alignments whose contacts are known, against other packages.

Contacts are pairs of sites four or more apart with couplings from a normal law; the alignment is drawn by Gibbs
sampling. The contacts found are the strongest of as many pairs as are planted.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vae_mf.inverse_ising.potts.base import PottsModel
from vae_mf.inverse_ising.potts.boltzmann import PottsBoltzmannLearning
from vae_mf.inverse_ising.potts.chains import PottsChains
from vae_mf.inverse_ising.potts.contacts import strongest_contacts
from vae_mf.inverse_ising.potts.model import over_columns, zero_sum_gauge
from vae_mf.inverse_ising.potts.pseudolikelihood import PottsPseudoLikelihood
from vae_mf.inverse_ising.potts.sequence_weights import identity_weights

from .inverse_ising_peers import environment
from .timing import SEED, Row

LETTERS = np.frombuffer(b"-ACDEFGHIKLMNPQRSTVWY", np.uint8)
SEPARATION = 4
STRENGTH = 0.8
"""Standard deviation of the entries of a coupling, before the gauge."""
SWEEPS = 50
LARGE, SMALL = (100, 21, 150, 10_000), (20, 5, 20, 2_000)
FEW = (50, 21, 75, 2_000), (50, 21, 75, 300)
"""Sites, states, contacts and rows."""
LONGEST = 1800
"""Seconds that a peer may take."""
PYDCA = "pydca==1.23"
NEEDS = ("numpy", "numba", "biopython", "setuptools", "wheel")
PROGRAM = """
import sys, time
import numpy as np
from pydca.plmdca.plmdca import PlmDCA
start = time.process_time()
found = PlmDCA(sys.argv[1], "protein", seqid=0.8, num_threads=1).compute_sorted_FN_APC()
seconds = time.process_time() - start
scores = np.zeros((int(sys.argv[3]),) * 2)
for (i, j), score in found:
    scores[i, j] = scores[j, i] = score
np.savez(sys.argv[2], scores=scores, seconds=seconds)
"""


class Alignment(NamedTuple):
    """Rows of a planted model, and rows to judge on."""

    contacts: np.ndarray
    rows: np.ndarray
    held_out: np.ndarray

    @property
    def size(self) -> str:
        """Sizes as a table has them."""
        states = self.rows.max() + 1
        return f"N={self.rows.shape[1]} q={states} M={len(self.rows)}, {len(self.contacts)} contacts"


def alignment(sites: int, states: int, contacts: int, rows: int) -> Alignment:
    """Return as many rows to learn from as asked for, and 2000 to judge on."""
    random = np.random.default_rng(SEED)
    first, second = np.triu_indices(sites, SEPARATION)
    chosen = random.choice(len(first), contacts, replace=False)
    couplings = np.zeros((sites, sites, states, states))
    for i, j in zip(first[chosen], second[chosen], strict=True):
        couplings[i, j] = random.normal(0, STRENGTH, (states, states))
        couplings[j, i] = couplings[i, j].T
    model = over_columns(*zero_sum_gauge(couplings, random.normal(0, 1, (sites, states))))
    chains = PottsChains.uniform(rows + 2000, sites, states, random)
    chains.sweep(model, SWEEPS)
    return Alignment(np.column_stack([first[chosen], second[chosen]]), chains.rows[:rows], chains.rows[rows:])


def contact_table(planted: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Return the planted pairs and as many strongest ones, with their scores."""
    found = strongest_contacts(scores, len(planted), SEPARATION).pairs
    pairs = np.unique(np.concatenate([planted, found]), axis=0)
    first, second = pairs.T
    table = pd.DataFrame({"first": first, "second": second, "score": scores[first, second]})
    for name, chosen in (("planted", planted), ("found", found)):
        table[name] = [pair in {*map(tuple, chosen)} for pair in map(tuple, pairs)]
    return table


def wrong(table: pd.DataFrame) -> float:
    """Return the share of the pairs found that are no contacts."""
    return float((table.found & ~table.planted).sum() / table.found.sum())


def fitted(estimator: PottsModel, data: Alignment) -> tuple[PottsModel, float]:
    """Return an estimator fitted to reweighted rows, and the CPU seconds of weights, fit and scores of contacts."""
    start = time.process_time()
    found = estimator.fit(data.rows, sample_weight=identity_weights(data.rows))
    _ = found.contact_scores_
    return found, time.process_time() - start


def by_pydca(python: Path, data: Alignment) -> tuple[float, np.ndarray] | str:
    """Return CPU seconds and scores of the plmDCA of pydca at its defaults, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "rows.fasta"
        lines = (f">{m}\n{LETTERS[row].tobytes().decode()}\n" for m, row in enumerate(data.rows))
        fasta.write_text("".join(lines), encoding="utf-8")
        command = [python, "-c", PROGRAM, fasta, f"{folder}/found.npz", str(data.rows.shape[1])]
        limited = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, env=limited)
        except subprocess.TimeoutExpired:
            return f"more than {LONGEST} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["failed"])[-1][:80]
        found = np.load(f"{folder}/found.npz")
        return float(found["seconds"]), found["scores"]


def compile_all() -> None:
    """Compile all kernels, so that no time is theirs."""
    data = alignment(6, 3, 3, 100)
    for estimator in (PottsPseudoLikelihood(), PottsBoltzmannLearning(method="chains", chains=32, max_iter=1)):
        fitted(estimator, data)


def large(tables: dict[str, pd.DataFrame]) -> Iterator[Row]:
    """Measure the time and the contacts of an alignment of the promised size."""
    data = alignment(*LARGE)
    found, seconds = fitted(PottsPseudoLikelihood(states=LARGE[1]), data)
    tables["contacts"] = contact_table(data.contacts, found.contact_scores_)
    share = wrong(tables["contacts"])
    yield Row("pseudo-likelihood, time", data.size, seconds, "target", target=300, unit="s", at_most=True)
    yield Row("pseudo-likelihood, wrong contacts", data.size, share, "target", target=0.05, unit="", at_most=True)


def peers(folder: Path) -> Iterator[Row]:
    """Compare with the plmDCA of another package on fewer rows."""
    for size in FEW:
        data = alignment(*size)
        yield from compared(data, *fitted(PottsPseudoLikelihood(states=size[1]), data), folder)


def compared(data: Alignment, found: PottsModel, seconds: float, folder: Path) -> Iterator[Row]:
    """Compare a fit, and one under the other package's penalty, with that package at its defaults."""
    python, reason = environment(PYDCA, folder, NEEDS)
    answer = by_pydca(python, data) if python else f"not installed, {reason}"
    if isinstance(answer, str):
        yield Row("pseudo-likelihood, time", data.size, seconds, f"{PYDCA}: {answer}", unit="s")
        return
    sites, states = found.fields_.shape
    # Its penalty is .2 (N - 1) times the sum of the squares over pairs of states, not their mean.
    same, quick = fitted(PottsPseudoLikelihood(states=states, l2=0.2 * (sites - 1) * states**2), data)
    theirs, scores = answer
    other = wrong(contact_table(data.contacts, scores))
    for name, each, time_taken in (("", found, seconds), (", same penalty", same, quick)):
        share = wrong(contact_table(data.contacts, each.contact_scores_))
        subject = f"pseudo-likelihood{name}"
        yield Row(f"{subject}, time", data.size, time_taken, PYDCA, theirs, theirs / time_taken, unit="s")
        yield Row(f"{subject}, wrong contacts", data.size, share, PYDCA, other, unit="")
    gain = found.score(data.held_out) - same.score(data.held_out)
    yield Row("pseudo-likelihood held out, less that of the same penalty", data.size, gain, unit="nats")


def boltzmann() -> Iterator[Row]:
    """Compare Boltzmann learning with pseudo-likelihood on rows that neither saw."""
    data = alignment(*SMALL)
    pseudo, first = fitted(PottsPseudoLikelihood(states=SMALL[1]), data)
    found, seconds = fitted(PottsBoltzmannLearning(states=SMALL[1]), data)
    yield Row("Boltzmann learning, time", data.size, seconds, "pseudo-likelihood", first, first / seconds, unit="s")
    gain = found.log_likelihood(data.held_out) - pseudo.log_likelihood(data.held_out)
    error = np.hypot(found.log_partition_error_, pseudo.log_partition_error_)
    subject = f"Boltzmann learning, ln p held out less that of pseudo-likelihood, ± {error:.1g}"
    yield Row(subject, data.size, gain, unit="nats")
