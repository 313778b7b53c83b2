"""Page of the verdicts: confusion table, coverage, false positives, cost, other thresholds, and every run."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import binomtest

from vae_mf.statistics.averages import Average

from .case import FRESH, MENDED, TRIED, Answer, Case
from .cases import NULL, NULLS, case_of
from .lines import Run, marked, table
from .other_thresholds import VARIED, threshold_table
from .outcome import Outcome, Side, false_positive, given, side

LEAST = 1e-9
"""Nats of total correlation, at most, that are rounding."""
SHORT = 10
"""Characters of a revision."""
ABOUT = (
    "A case is drawn anew for every draw, and its right answers were written down before any run "
    "(`vae_mf/benchmarks/verdicts/cases.py`). An answer is right if its word is, and if the headline names classes, "
    'drift or groups where they are and nowhere else; "not decided" is open; everything else is wrong. Numbers of '
    "variables or classes are marked by themselves."
)
COVERED = (
    "Left by the chosen model is KL(law | model) in nats per row, the mean of the exact ln p less the model's over the "
    "held-out test rows; the share is that of the exact total correlation. An exact value counts as inside within two "
    "of its own errors. Above is the dangerous side: more is left than was said. Of a description that is not found "
    "the report states the lower end, and the upper one as that of what is seen."
)


def page(runs: Sequence[Run], command: str, made_on: str, failed: int) -> str:
    """Return the page about these runs.

    Args:
        runs: lines of finished runs.
        command: command that made them.
        made_on: processor and versions.
        failed: number of runs that ended with an error and left no line.
    """
    known = [each for each in runs if not is_null(each)]
    nulls = [each for each in runs if is_null(each)]
    said = f" Failed and missing: {failed}." if failed else ""
    revisions = ", ".join(sorted({str(each["revision"])[:SHORT] for each in runs}))
    parts = ["# Verdicts on data whose truth is known", f"`{command}` on {made_on}; revision {revisions}.{said}", ABOUT]
    if known:
        parts += ["## Answers", outcome_table(known), "Right answers against those given:", confusion_table(known)]
        parts += ["## Coverage of the stated intervals", COVERED, coverage_table(known)]
    if nulls:
        parts += ["## Nothing but independent variables", false_positives(nulls), null_table(nulls)]
    parts += ["## Cost", cost_table(known, nulls)]
    if known:
        parts += ["## Rings of two latent variables", rings(known)]
        parts += ["## Other thresholds", VARIED, threshold_table(known), "## Every run", run_table(known)]
    return "\n\n".join(parts) + "\n"


def section(runs: Sequence[Run], command: str, made_on: str, failed: int) -> str:
    """Return a section about these runs: answers, intervals and cost, in the arguments of `page`."""
    known = [each for each in runs if not is_null(each)]
    nulls = [each for each in runs if is_null(each)]
    said = f" Failed and missing: {failed}." if failed else ""
    parts = ["## Verdicts", f"`{command}` on {made_on}.{said} All runs are in [verdicts.md](verdicts.md).", ABOUT]
    if known:
        parts += [outcome_table(known), wrong_sentence(known), coverage_table(known)]
    if nulls:
        parts += [false_positives(nulls)]
    return "\n\n".join([*parts, cost_table(known, nulls)]) + "\n"


def wrong_sentence(runs: Sequence[Run]) -> str:
    """Return a sentence about the cases that were not answered rightly."""
    marks = [(each["case"], marked(each).outcome) for each in runs]
    wrong = sorted({case for case, outcome in marks if outcome is Outcome.WRONG})
    left_open = sorted({case for case, outcome in marks if outcome is Outcome.OPEN})
    names = [f"{kind}: {', '.join(cases)}" for kind, cases in (("wrong", wrong), ("open", left_open)) if cases]
    return f"Not right: {'; '.join(names)}." if names else "Every case was answered rightly."


def is_null(run: Run) -> bool:
    """Return True for a run on independent variables without end."""
    return run["case"].startswith(f"{NULL}-")


def words(right: Answer) -> str:
    """Return a right answer in a few words."""
    return " + ".join([right.answer, *sorted(right.named)])


def asked(case: Case) -> str:
    """Return all right answers of a case with their numbers, alike ones once."""
    texts = [
        f"{words(each)} ({' or '.join(map(str, sorted(each.numbers)))})" if each.numbers else words(each)
        for each in case.right
    ]
    return "; ".join(texts)


def outcome_table(runs: Sequence[Run]) -> str:
    """Return the numbers of right, open and wrong answers, of cases that thresholds were set on and of others."""
    lines = []
    for name in (TRIED, MENDED, FRESH):
        marks = [marked(each) for each in runs if case_of(each["case"]).origin == name]
        counts = Counter(each.outcome for each in marks)
        numbers = [each.number_right for each in marks if each.number_right is not None]
        right = f"{sum(numbers)} of {len(numbers)}"
        lines.append([name, len(marks), *(counts[outcome] for outcome in Outcome), right])
    return table(("cases", "runs", *(outcome.value for outcome in Outcome), "numbers right"), lines)


def confusion_table(runs: Sequence[Run]) -> str:
    """Return right answers, the plainest of each case, against the answers given."""
    pairs = Counter((words(case_of(each["case"]).right[0]), given(each).text) for each in runs)
    rights = sorted({right for right, _ in pairs})
    answers = sorted({answer for _, answer in pairs})
    return table(
        ("right answer", *answers), ([right, *(pairs[right, answer] or "" for answer in answers)] for right in rights)
    )


def rings(runs: Sequence[Run]) -> str:
    """Return a sentence about how often two latent variables were said to be a circular one, where they are and not."""
    two = [each for each in runs if each["latents"] == 2 and "circular" in each["metrics"]]
    true, other = ([each for each in two if each["case"].startswith("ring") == ring] for ring in (True, False))
    said, wrong = (sum(each["metrics"]["circular"] for each in part) for part in (true, other))
    return (
        f"One circular variable is said to take the place of two latent ones in {said} of {len(true)} runs on "
        f"variables tuned to an angle, and in {wrong} of {len(other)} others with two latent variables."
    )


def exact(run: Run, quantity: str) -> Average | None:
    """Return the exact value of "left" or "share", None where it is not known."""
    known = {name: Average(*value) for name, value in run["exact"].items()}
    if "left" not in known or quantity == "left":
        return known.get("left")
    left, whole = known["left"], known["total_correlation"]
    if whole.value <= max(2 * whole.error, LEAST):
        return None
    share = left.value / whole.value
    return Average(share, float(np.hypot(left.error, share * whole.error)) / whole.value)


def sides(runs: Iterable[Run], quantity: str) -> list[Side]:
    """Return where the exact values lie by the stated intervals, of the runs that have both."""
    found = []
    for run in runs:
        truth = exact(run, quantity)
        lower = run["metrics"].get(f"{quantity}_lower")
        upper = run["metrics"].get(f"{quantity}_upper")
        if truth is not None and lower is not None and upper is not None:
            found.append(side(lower, upper, truth))
    return found


def coverage_table(runs: Sequence[Run]) -> str:
    """Return how often the stated intervals hold the exact values."""
    lines = []
    for quantity, title in (("share", "share left"), ("left", "nats left")):
        for answer in sorted({each["answer"] for each in runs}):
            counts = Counter(sides([each for each in runs if each["answer"] == answer], quantity))
            lines.append([title, answer, counts.total(), *(counts[place] for place in Side)])
    return table(("quantity", "answer", "runs with both", *(place.value for place in Side)), lines)


def false_positives(runs: Sequence[Run]) -> str:
    """Return a sentence about how often independent variables were given collective ones."""
    count = sum(false_positive(given(each)) for each in runs)
    interval = binomtest(count, len(runs)).proportion_ci()
    return (
        f"{count} of {len(runs)} sets, {count / len(runs):.1%}, were given collective variables or classes that are "
        f"not named as drift (95 % interval {interval.low:.1%} to {interval.high:.1%})."
    )


def null_table(runs: Sequence[Run]) -> str:
    """Return the answers about independent variables by their kind."""
    answers = sorted({given(each).text for each in runs})
    lines = []
    for kind in NULLS:
        own = [each for each in runs if each["case"].split("-")[1] == kind]
        counts = Counter(given(each).text for each in own)
        wrong = sum(false_positive(given(each)) for each in own)
        lines.append([kind, len(own), *(counts[answer] or "" for answer in answers), wrong])
    return table(("kind", "sets", *answers, "false positives"), lines)


def cost_table(known: Sequence[Run], nulls: Sequence[Run]) -> str:
    """Return CPU seconds and memory."""
    lines = []
    for name, runs in (("cases", known), ("independent", nulls)):
        if runs:
            seconds = [each["cpu_seconds"] for each in runs]
            memory = max(each["megabytes"] for each in runs)
            costs = (np.median(seconds), max(seconds), sum(seconds), memory)
            lines.append([name, len(runs), *(f"{cost:.0f}" for cost in costs)])
    return table(("runs", "count", "median CPU s", "longest", "all", "largest memory in MiB"), lines)


def run_table(runs: Sequence[Run]) -> str:
    """Return a line per run."""
    order = {name: place for place, name in enumerate(dict.fromkeys(each["case"] for each in runs))}
    lines = [run_line(each) for each in sorted(runs, key=lambda each: (order[each["case"]], each["draw"]))]
    heads = ("case", "rows", "right", "draw", "answer", "number", "outcome", "number right")
    return table((*heads, "share left", "exact", "nats left", "exact", "TC", "exact", "CPU s"), lines)


def run_line(run: Run) -> list[str]:
    """Return the entries of a run."""
    answer = given(run)
    found = marked(run)
    number_right = {True: "yes", False: "no", None: ""}[found.number_right]
    whole = run["exact"].get("total_correlation")
    return [
        run["case"],
        " x ".join(f"{size:,}" for size in run["rows"]),
        asked(case_of(run["case"])),
        str(run["draw"]),
        answer.text,
        str(answer.number),
        found.outcome.value if found.outcome is not Outcome.WRONG else "**wrong**",
        number_right,
        between(run, "share"),
        number(exact(run, "share")),
        between(run, "left"),
        number(exact(run, "left")),
        digits(run["metrics"].get("total_correlation")),
        number(whole and Average(*whole)),
        f"{run['cpu_seconds']:.0f}",
    ]


def between(run: Run, quantity: str) -> str:
    """Return a stated interval."""
    lower = run["metrics"].get(f"{quantity}_lower")
    upper = run["metrics"].get(f"{quantity}_upper")
    return "" if lower is None or upper is None else f"{digits(lower)} to {digits(upper)}"


def digits(value: float | None) -> str:
    """Return a number with three digits after the point, nothing for none."""
    return "" if value is None else f"{value:.3f}"


def number(value: Average | None) -> str:
    """Return an exact value and its error."""
    return "" if value is None else f"{value.value:.3f} ± {value.error:.3f}"
