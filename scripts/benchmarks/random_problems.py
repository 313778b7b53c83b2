"""Estimators on 200 random problems, held against independent spins on rows that they have not seen.

No estimator may say that it has converged and predict new rows worse than independent spins. Every problem leaves a
file in the work folder: what is there is not run again, so that a benchmark that was stopped goes on.

    python scripts/benchmarks/random_problems.py
    python scripts/benchmarks/random_problems.py --count 5 --estimators TAP Bethe --again
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from baselines.random_problems import KINDS, Problem, problem
from baselines.table import PAGES, conditions
from rich.console import Console
from rich.progress import track
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from vae_mf import inverse_ising
from vae_mf.files import write_whole
from vae_mf.inverse_ising.energies import log_pseudo_likelihood
from vae_mf.paths import workplace

COUNT = 40
"""Problems of a kind."""
ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "PseudoLikelihood": ("PseudoLikelihood", {}),
    "PseudoLikelihood, separate": ("PseudoLikelihood", {"symmetric": False}),
    "PseudoLikelihood, l2 = 0": ("PseudoLikelihood", {"l2": 0.0}),
    "PseudoLikelihood, l1": ("PseudoLikelihood", {"l1": "auto"}),
    "PseudoLikelihood, Firth": ("PseudoLikelihood", {"firth": True}),
    "DecimatedPseudoLikelihood": ("DecimatedPseudoLikelihood", {}),
    "InteractionScreening": ("InteractionScreening", {}),
    "InteractionScreening, l1": ("InteractionScreening", {"objective": "logrise", "l1": "auto"}),
    "ProbabilityFlow": ("ProbabilityFlow", {}),
    "BoltzmannLearning": ("BoltzmannLearning", {}),
    "BoltzmannLearning, l2 = 0": ("BoltzmannLearning", {"l2": 0.0}),
    "AdaptiveClusterExpansion": ("AdaptiveClusterExpansion", {}),
    "ErasureMachine": ("ErasureMachine", {}),
    "LowTemperature": ("LowTemperature", {}),
    **{
        name: (name, {})
        for name in ("IndependentPair", "NaiveMeanField", "TAP", "SessakMonasson", "Bethe", "SusceptibilityPropagation")
    },
}
CERTAIN = 3.0
"""Standard errors by which a score is certainly below another."""
ROUNDING = 1e-6
"""Loss in nats per row that the tolerance of a fit without couplings leaves."""
NOTES = f"""
{len(KINDS)} kinds of {COUNT} problems, of 5 to 12 spins and 8 to 3000 rows; 4000 rows to judge on. "Gain" is the mean
over problems of the log pseudo-likelihood of these rows, in nats per row, less that of independent spins with the
means of the fitted rows; "worse" counts problems in which it is below zero by more than {CERTAIN:.0f} standard errors,
"claimed" those of them in which the estimator says `converged_` nevertheless, which none should. Data that a closed
formula has no answer for are refused.
"""


def independent(rows: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of every row of independent spins."""
    fields = np.arctanh(rows.mean(axis=0, dtype=float))
    return log_pseudo_likelihood(held_out, np.zeros((len(fields), len(fields))), fields)


def outcome(name: str, data: Problem) -> dict[str, Any]:
    """Return how much better an estimator predicts than independent spins, and if it says that it has converged."""
    made, options = ESTIMATORS[name]
    start = time.process_time()
    try:
        fit = getattr(inverse_ising, made)(**options).fit(data.rows)
    except ValueError as refused:
        return {"refused": str(refused)}
    seconds = time.process_time() - start
    gains = log_pseudo_likelihood(data.held_out, fit.couplings_, fit.fields_) - independent(*data)
    error = float(gains.std() / np.sqrt(len(gains)))
    return {"gain": float(gains.mean()), "error": error, "converged": bool(fit.converged_), "seconds": seconds}


def page(folder: Path, made_on: str) -> str:
    """Return the page of all problems of the work folder."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*@*.json"))]
    kinds = {kind: [one for one in found if one["kind"] == kind] for kind in KINDS}
    lines = [["estimator", "kind", "fits", "refused", "converged", "gain", "worse", "claimed", "CPU s"]]
    lines.append(["---"] * len(lines[0]))
    for name in ESTIMATORS:
        for kind, problems in kinds.items():
            results = [one["results"][name] for one in problems if name in one["results"]]
            lines.append([name, kind, *counted(results)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    command = "`python scripts/benchmarks/random_problems.py`"
    return f"# Random problems\n\n{command} on {made_on}, {len(found)} problems.\n{NOTES}\n{table}\n"


def counted(results: list[dict[str, Any]]) -> list[str]:
    """Return the cells of an estimator on the problems of a kind."""
    fits = [result for result in results if "refused" not in result]
    worse = [fit for fit in fits if fit["gain"] < -max(CERTAIN * fit["error"], ROUNDING)]
    return [
        str(len(fits)),
        str(len(results) - len(fits)),
        str(sum(fit["converged"] for fit in fits)),
        f"{np.mean([fit['gain'] for fit in fits]):.3f}" if fits else "-",
        str(len(worse)),
        str(sum(fit["converged"] for fit in worse)),
        f"{np.mean([fit['seconds'] for fit in fits]):.2f}" if fits else "-",
    ]


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="problems of a kind")
    parser.add_argument("--estimators", nargs="+", choices=list(ESTIMATORS), default=list(ESTIMATORS))
    parser.add_argument("--again", action="store_true", help="run the chosen estimators again where they have run")
    parser.add_argument("--folder", type=Path, default=workplace() / "outputs" / "random_problems", help="work folder")
    parser.add_argument("--output", type=Path, default=PAGES / "random_problems.md", help="page that is written")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    chosen = [(kind, seed) for seed in range(options.count) for kind in KINDS]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for kind, seed in track(chosen, "problems", console=console):
            path = options.folder / f"{kind}@{seed}.json"
            kept = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
            missing = [name for name in options.estimators if options.again or name not in kept]
            if not missing:
                continue
            data = problem(kind, seed)
            results = kept | {name: outcome(name, data) for name in missing}
            write_whole(path, json.dumps({"kind": kind, "seed": seed, "rows": data.rows.shape, "results": results}))
    write_whole(options.output, page(options.folder, conditions("numpy", "scipy", "scikit-learn")))
    console.print(f"page: {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
