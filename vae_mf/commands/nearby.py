"""Run folders near one that there is not."""

import os
from difflib import get_close_matches
from pathlib import Path

from vae_mf.commands.arguments import ITEMS, Assignment, Mistake, at_home, exists
from vae_mf.files import matching

RUN, RUNS = "run", "runs"
"""Options that are a run folder, or a glob, and a list of globs."""
ZOO = "zoo:"
NEWEST = 3
SIMILAR = 0.5


def refuse_absent(option: Assignment, outputs: Path) -> None:
    """Raise Mistake if there is nothing of the names or globs of an option.

    Args:
        option: as typed, RUN or RUNS.
        outputs: folder of runs.
    """
    value = option.value or ""
    several = value.startswith("[") and value.endswith("]") and not exists(value)
    names = [item.strip("'\" ") for item in ITEMS.findall(value[1:-1])] if several else [value]
    unknown = [name for name in names if "${" in name and not exists(name)]  # only Hydra knows what they become
    if names and not unknown and not any(exists(name) or matching(at_home(name)) for name in names):
        expected = "a run folder" if option.name == RUN else "globs that match run folders"
        raise Mistake(f"{option.name}: expected {expected}, got {value}; {advice(option.name, names[0], outputs)}")


def advice(name: str, got: str, outputs: Path) -> str:
    """Return the end of a sentence on a run that there is not: the nearest runs, the newest, or how to make one."""
    if got.startswith(ZOO):
        return without_samples(got)
    places = dict.fromkeys((at_home(got).absolute().parent, outputs.absolute()))
    runs = [record.parent for place in places for record in place.glob("*/run.json")]
    if not runs:
        return f"there is none in {outputs}: vae-mf train makes one"
    by_name = {run.name: run for run in runs}
    asked = Path(got).name
    near = [run for own, run in by_name.items() if own.startswith(asked.rstrip("*"))] if asked.strip("*") else []
    near = near or [by_name[own] for own in get_close_matches(asked, by_name, NEWEST, SIMILAR)]
    newest = sorted(runs, key=lambda run: run.stat().st_mtime, reverse=True)
    shown = [f"{name}={shortest(run)}" for run in (near or newest)[:NEWEST]]
    return f"did you mean {' or '.join(shown)}?" if near else f"the newest are {', '.join(shown)}"


def without_samples(got: str) -> str:
    """Return the end of a sentence on a model of the zoo, which lacks the samples that a run is judged on."""
    from vae_mf.runs.zoo import CARDS

    name = got.removeprefix(ZOO)
    if name not in CARDS:
        return f"the zoo has {', '.join(CARDS)}, which vae_mf.load opens in Python"
    return f'it comes without samples: vae_mf.load("{got}") opens it in Python, and {CARDS[name]["command"]} trains one'


def shortest(path: Path) -> str:
    """Return a path from here where that is shorter than the whole."""
    return min(os.path.relpath(path), str(path), key=len)
