"""Other packages on the same samples, each installed by pip into an environment of its own, outside this one.

Every peer is a few lines of Python that read `spins` (M, N), entries -1 and +1, and leave `couplings` in this package's
convention; its CPU time on one thread is that of those lines, imports apart.
"""

import os
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_mf.benchmarks.couplings import comparisons
from vae_mf.benchmarks.couplings.comparisons import EQUAL, SEED, Measured, compared, fitted, rms, timed
from vae_mf.benchmarks.couplings.rows import Row
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.samplers.kinetic import kinetic_trajectories

FRAME = """
import sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
spins = np.load(sys.argv[1])
{imports}
start = time.process_time()
{work}
seconds = time.process_time() - start
np.savez(sys.argv[2], couplings=couplings, seconds=seconds)
"""
LONGEST = 900
"""Seconds that a peer may take."""
CASES = (("sk20", 0.7, 6), ("sk50", 1.0, 2), ("sk50", 1.5, 2))
"""Model, inverse temperature, and realisations."""
SAMPLES = 5_000
Problem = tuple[np.ndarray, np.ndarray]
"""Couplings and data."""


class Peer(NamedTuple):
    """A package of the index and how to infer couplings with it."""

    package: str
    imports: str
    work: str
    kinetic: bool = False


PEERS = (
    Peer(
        "psyspin==1.1.2",
        "from psyspin.inference import generalizedIsing_inference",
        # Its spins are -1/2 and +1/2.
        "couplings = generalizedIsing_inference(Q=2).fit(spins / 2, verbose=False)[0] / 4",
    ),
    Peer(
        "pseudolm==1.0.1",
        "from joblib import Parallel; from pyplm.inference.pseudolikelihoodmax import plm",
        "couplings = plm(spins, Parallel(n_jobs=1)); np.fill_diagonal(couplings, 0)",
    ),
    # Its build imports SciPy, which it does not ask for, and then wants Boost.
    Peer(
        "coniii==3.0.1",
        "from coniii.solvers import Pseudo",
        "from scipy.spatial.distance import squareform\nfound = Pseudo(spins)\nfound.solve()\n"
        "couplings = squareform(found.multipliers[spins.shape[1]:])",
    ),
    Peer(
        "netrd==0.3.0",
        "from netrd.reconstruction import MaximumLikelihoodEstimation",
        "found = MaximumLikelihoodEstimation(); found.fit(spins.T); couplings = found.results['weights_matrix']",
        kinetic=True,
    ),
)


def environment(package: str, folder: Path, needs: tuple[str, ...] = ()) -> tuple[Path | None, str]:
    """Return the Python of an environment that holds a package, made if it is not there, or why there is none.

    Args:
        needs: packages to install instead of those that it asks for, where it pins versions of old Pythons.
    """
    place = folder / package.partition("==")[0]
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        venv.create(place, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        commands = (
            [[*pip, *needs], [*pip, "--no-deps", "--no-build-isolation", package]] if needs else [[*pip, package]]
        )
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                continue
            errors = [line.strip() for line in done.stderr.splitlines() if "Error" in line]
            return None, f"as its build fails: {(errors or ['pip failed'])[-1][:80]}"
        (place / "installed").touch()
    return python, ""


def infer(peer: Peer, python: Path, spins: np.ndarray) -> tuple[float, np.ndarray] | str:
    """Return CPU seconds and couplings of a peer, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "spins.npy", spins)
        program = FRAME.format(imports=peer.imports, work=peer.work)
        command = [python, "-c", program, f"{folder}/spins.npy", f"{folder}/found.npz"]
        try:
            limited = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, env=limited)
        except subprocess.TimeoutExpired:
            return f"more than {LONGEST} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["failed"])[-1][:80]
        found = np.load(f"{folder}/found.npz")
        return float(found["seconds"]), found["couplings"]


@cache
def cases(kinetic: bool) -> list[tuple[str, list[Problem]]]:
    """Return the label of every case and its realisations: couplings, and samples or a trajectory."""
    found = []
    if kinetic:
        for strength in (0.5, 2.0):
            couplings = np.random.default_rng(SEED).normal(0, strength / np.sqrt(50), (50, 50))
            path = kinetic_trajectories(couplings, None, 20_000, 1, SEED)[0]
            found.append((f"N=50 T=20000 g={strength:g}", [(couplings, path)]))
        return found
    for name, beta, disorders in CASES:
        betas = comparisons.CASES[name]
        drawn = [model[betas.index(beta)] for model in comparisons.realisations(name, betas)[:disorders]]
        label = f"{name} β={beta:g} M={SAMPLES}, {disorders} disorders"
        found.append((label, [(truth.couplings, truth.spins[:SAMPLES]) for truth in drawn]))
    return found


def rows(folder: Path) -> Iterator[Row]:
    """Compare the estimator of the same kind with every peer that pip can install."""
    for peer in PEERS:
        python, reason = environment(peer.package, folder)
        ours = KineticMaximumLikelihood(standard_errors=False) if peer.kinetic else PseudoLikelihood()
        name = "kinetic likelihood" if peer.kinetic else "pseudo-likelihood"
        for size, drawn in cases(peer.kinetic):
            mine = [timed(fitted(ours), spins, couplings) for couplings, spins in drawn]
            theirs: list[Measured] = []
            for couplings, spins in drawn:
                answer = infer(peer, python, spins) if python else f"not installed, {reason}"
                if isinstance(answer, str):
                    yield Row(f"{name}, time", size, mine[0][0], f"{peer.package}: {answer}", unit="s")
                    break
                theirs.append((answer[0], rms((answer[1] - couplings)[~np.eye(len(couplings), dtype=bool)])))
            if len(theirs) < len(drawn):
                break
            yield from compared(name, size, mine, peer.package, theirs, (1, EQUAL))
