"""Coverage of the intervals of couplings and rates of false discoveries, on models whose couplings are known.

Every estimator and number of rows leaves a line of JSON in the work folder: what is there is not run again, so that a
benchmark that was stopped goes on. The page is written from all lines that are there.

    python scripts/benchmarks/coupling_errors.py
    python scripts/benchmarks/coupling_errors.py --families glass lattice --samples 300 1000
    python scripts/benchmarks/coupling_errors.py --families --estimators PseudoLikelihood
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from baselines.coupling_cases import FAMILIES, truth
from baselines.table import PAGES, conditions
from rich.console import Console
from rich.progress import track
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from vae_mf import inverse_ising
from vae_mf.files import write_whole
from vae_mf.paths import workplace

SAMPLES = (300, 1000, 5000, 50_000)
LIKELIHOODS = ("PseudoLikelihood", "InteractionScreening", "ProbabilityFlow", "BoltzmannLearning")
FORMULAS = ("IndependentPair", "NaiveMeanField", "TAP", "SessakMonasson", "Bethe")
RARE = ((0.002, 2000), (0.01, 2000), (0.02, 2000), (0.1, 2000), (0.01, 20_000))
"""Chances of a spin, and numbers of rows."""
DRAWS = 20
"""Number of sets of independent rare spins."""
LEVEL = 0.95
RATE = 0.1
NOTES = """
Coverage is the share of true couplings within the intervals of 95 %, of all pairs and of the pairs that are coupled;
"no bond" is the share of uncoupled pairs whose interval leaves out zero (nominal .05); "false" is the share of false
ones among the couplings that `significant_couplings(0.1)` names (at most .1), "found" the share of bonds among them.
Coverage lies above .98 where the learnt prior says more than the rows do: most couplings are zero, or none is as large
as its noise. The errors of closed formulas tell their noise and not their bias, which rules where coupling is strong
and rows are many: there they miss the target, and the regressions are what to take.
"""
TARGET = 0.92, 0.98


def estimator(name: str) -> Any:
    """Return an estimator that gives errors."""
    made = getattr(inverse_ising, name)()
    return made.set_params(standard_errors=True) if "standard_errors" in made.get_params() else made


def share(values: np.ndarray) -> float | None:
    """Return the mean of truth values, or None of none."""
    return float(np.mean(values)) if values.size else None


def covered(name: str, family: str, beta: float, samples: int, folder: Path) -> dict[str, Any]:
    """Return the line of one fit."""
    couplings, _, spins = truth(family, beta, folder)
    start = time.process_time()
    fit = estimator(name).fit(spins[:samples])
    seconds = time.process_time() - start
    upper = np.triu_indices(len(couplings), 1)
    low, high = (end[upper] for end in fit.couplings_interval(LEVEL))
    true, bonds = couplings[upper], couplings[upper] != 0
    named = fit.significant_couplings(RATE)[upper]
    hits = (low <= true) & (true <= high)
    return {
        "pairs": share(hits), "bonds": share(hits[bonds]), "no_bond": share(~hits[~bonds]),
        "false": float((named & ~bonds).sum() / max(named.sum(), 1)), "found": share(named[bonds]),
        "rmse": float(np.sqrt(np.mean((fit.couplings_[upper] - true) ** 2))), "seconds": seconds,
    }  # fmt: skip


def rare(name: str, chance: float, samples: int) -> dict[str, Any]:
    """Return the line of an estimator on independent rare spins."""
    ratios = []
    any_named = 0
    for seed in range(DRAWS):
        spins = np.where(np.random.default_rng(seed).random((samples, 10)) < chance, 1, -1)
        spins = spins[:, spins.min(axis=0) < spins.max(axis=0)]
        fit = estimator(name).fit(spins)
        upper = np.triu_indices(spins.shape[1], 1)
        errors = fit.couplings_error_[upper]
        ratios.append(np.abs(fit.couplings_[upper]) / np.where(errors > 0, errors, 1.0))
        any_named += int(fit.significant_couplings(RATE).any())
    above = np.concatenate(ratios)
    return {"two": share(above > 1.96), "three": share(above > 3), "named": any_named / DRAWS}


def jobs(families: list[str], samples: list[int], names: list[str], rare_too: bool) -> Iterator[tuple[str, Any]]:
    """Yield the name of every line with the arguments of what computes it."""
    for family, count, name in product(families, samples, names):
        for beta in FAMILIES[family].betas:
            yield f"{family}@{beta}@{count}@{name}", (name, family, beta, count)
    for (chance, count), name in product(RARE if rare_too else (), names):
        yield f"rare@{chance}@{count}@{name}", (name, chance, count)


def line(arguments: tuple, folder: Path) -> dict[str, Any]:
    """Return what a job finds, or why it has no result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return rare(*arguments) if len(arguments) == 3 else covered(*arguments, folder)
        except ValueError as refused:
            return {"refused": str(refused)}


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table of a page."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


def number(value: float | None) -> str:
    """Return a share with three digits."""
    return "-" if value is None else f"{value:.3f}"


def summary(found: dict[tuple[str, ...], dict[str, Any]]) -> str:
    """Return a table of the coverage and the false discoveries of every estimator over all models."""
    low, high = TARGET
    rows = []
    for name in [*LIKELIHOODS, *FORMULAS]:
        lines = [line for key, line in found.items() if key[0] != "rare" and key[-1] == name and "refused" not in line]
        pairs = np.array([line["pairs"] for line in lines])
        false = max((line["false"] for line in lines if line["bonds"] != line["pairs"]), default=None)
        counts = [f"{part.sum()}" for part in (pairs < low, (low <= pairs) & (pairs <= high), pairs > high)]
        rows.append([name, f"{len(pairs)}", *counts, number(pairs.min()), number(np.median(pairs)), number(false)])
    heads = ["estimator", "fits", f"below {low}", "within", f"above {high}", "least", "median", "most false"]
    return table(heads, rows)


def page(folder: Path, made_on: str) -> str:
    """Return the page of all lines of the work folder."""
    found = {
        tuple(path.stem.split("@")): json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*@*.json"))
    }
    columns = ["pairs", "bonds", "no_bond", "false", "found"]
    models = [
        [
            *key[:3],
            key[3],
            *(number(value[name]) for name in columns),
            f"{value['rmse']:.4f}",
            f"{value['seconds']:.2f}",
        ]
        for key, value in sorted(found.items(), key=lambda item: (item[0][0], item[0][1], int(item[0][2])))
        if key[0] != "rare" and "refused" not in value
    ]
    events = [
        [key[1], key[2], key[3], *(number(value[name]) for name in ("two", "three", "named"))]
        for key, value in found.items()
        if key[0] == "rare" and "refused" not in value
    ]
    heads = ["model", "beta", "rows", "estimator", "pairs", "bonds", "no bond", "false", "found", "RMSE", "CPU s"]
    return (
        f"# Errors of couplings\n\n`python scripts/benchmarks/coupling_errors.py` on {made_on}.\n{NOTES}\n"
        f"{summary(found)}\n\n{table(heads, models)}\n\n## Independent rare spins\n\n"
        f"Shares of couplings beyond 1.96 and 3 errors (nominal .05 and .0027), and of {DRAWS} sets in which"
        f" `significant_couplings({RATE})` names any (nominal at most {RATE}).\n\n"
        f"{table(['chance', 'rows', 'estimator', 'beyond 1.96', 'beyond 3', 'any named'], events)}\n"
    )


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*LIKELIHOODS, *FORMULAS]
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--samples", nargs="+", type=int, default=list(SAMPLES), help="numbers of rows")
    parser.add_argument("--estimators", nargs="+", default=names, help=f"names of estimators; {', '.join(names)}")
    parser.add_argument("--no-rare", action="store_true", help="leave out the independent rare spins")
    parser.add_argument("--again", action="store_true", help="run what is there again")
    parser.add_argument("--folder", type=Path, default=workplace() / "outputs" / "coupling_errors", help="work folder")
    parser.add_argument("--output", type=Path, default=PAGES / "coupling_errors.md", help="page that is written")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    chosen = list(jobs(options.families, options.samples, options.estimators, not options.no_rare))
    todo = [job for job in chosen if options.again or not (options.folder / f"{job[0]}.json").exists()]
    with threadpool_limits(1):
        for name, arguments in track(todo, "errors", console=console):
            write_whole(options.folder / f"{name}.json", json.dumps(line(arguments, options.folder)))
    write_whole(options.output, page(options.folder, conditions("numpy", "scipy", "scikit-learn")))
    console.print(f"page: {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
