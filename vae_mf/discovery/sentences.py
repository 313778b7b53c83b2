"""Sentences about the findings of a discovery; plain text, nothing escaped yet."""

import shlex
from pathlib import Path

import pandas as pd

from vae_mf.analysis.found_patterns import SIGN
from vae_mf.discovery.decision import NOTHING
from vae_mf.discovery.findings import Findings
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, rows_to_decide
from vae_mf.verdict.time_order import WINDOWS

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SPLITS = {
    "time": "the last piece of time to evaluate on, and the piece before it to choose on",
    "repeat": "the last repeats to evaluate on, and those before them to choose on",
    "random": "rows drawn at random",
}


def number(count: int) -> str:
    """Return a number as a word up to twelve.

    >>> number(7), number(13)
    ('seven', '13')
    """
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def counted(count: int, noun: str) -> str:
    """Return a number as a word and what it counts.

    >>> counted(3, "pattern"), counted(1, "pattern")
    ('three patterns', 'one pattern')
    """
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def sentence(text: str) -> str:
    """Return a remark as a sentence.

    >>> sentence("a pixel is 1 where it is bright"), sentence("Done.")
    ('A pixel is 1 where it is bright.', 'Done.')
    """
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def plus_minus(value: float, error: float) -> str:
    """Return a value with its error, of which two digits are given.

    >>> plus_minus(14.5388, 0.1033)
    '14.54 ± 0.10'
    """
    if not error > 0:
        return f"{value:.3g}".replace("-", "−")
    digits = max(0, 1 - int(f"{error:e}".split("e")[1]))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def described(found: Findings) -> str:
    """Return the description in words: "two latent variables", "six classes of rows"."""
    latents, classes = found.description
    return f"{number(classes)} classes of rows" if classes else counted(latents, "latent variable")


def headline(found: Findings) -> str:
    """Return the answer as a title."""
    decision = found.decision
    latents, classes = found.description
    if decision.drift_alone:
        return "Rates drift, and nothing else is shared"
    if decision.answer == NOTHING:
        return "Nothing to find"
    if not latents and not classes:
        return "Correlated, but not by collective variables"
    what = f"{number(classes)} classes of rows" if classes else counted(latents, "collective variable")
    drifts = "; it drifts with the order of the rows" if latents == 1 else "; they drift with the order of the rows"
    if decision.groups:
        return "Groups of a few variables, and no collective variables"
    if decision.answer == FOUND:
        verb = "explains" if latents == 1 else "explain"
        return f"{what} {verb} the correlations{drifts if decision.drift else ''}".capitalize()
    if decision.answer == NOT_FOUND:
        return f"Correlated, but not by {what} alone".capitalize()
    seen = "is seen; whether it is all" if latents == 1 else "are seen; whether they are all"
    return f"{what} {seen} is not decided".capitalize()


def summary(found: Findings) -> list[str]:
    """Return the answer in a few sentences."""
    if found.decision.answer == NOTHING:
        return [*nothing(found), *drifting(found)]
    if found.assessment is None:
        return [
            dependence(found),
            "No number of latent variables and no number of classes describes them.",
            *drifting(found),
        ]
    numbers = found.metrics
    gain = plus_minus(numbers["gain_over_independent"], numbers["gain_over_independent_error"])
    said = [
        f"A model with {described(found)} predicts held-out rows better than independent variables do, by {gain} nats "
        f"per row. {left_over(found)}",
        compared(found),
        *drifting(found),
    ]
    return [*said, patterns(found)] if found.description.latents else said


def nothing(found: Findings) -> list[str]:
    """Return the sentences about variables that look independent."""
    test = found.independence
    rows, variables = found.rows.recording.rows.shape
    if found.decision.drift_alone:
        return [
            f"Within {WINDOWS} windows of the {rows:,} rows the {variables} variables look independent: "
            f"pairs of them share {plus_minus(max(test.local_pairs.value, 0.0), test.local_pairs.null_error)} nats per "
            f"row there, and {plus_minus(test.pairs.value, test.pairs.null_error)} over all rows."
        ]
    higher = [f"{each.detectable(test.settings.orders_seen):.2g} at order {k}" for k, each in test.orders.items()]
    beyond = f", and {', '.join(higher)}" if higher else ""
    return [
        f"The {variables} variables look independent in {rows:,} rows, and no model is ahead of independent variables "
        f"on held-out rows by more than {test.settings.gained:.0f} errors. Pairs of them share less than "
        f"{test.bound:.2g} nats per row. Correlations of pairs of {test.detectable:.2g} nats would have been seen 95 times in 100{beyond}."
    ]


def dependence(found: Findings) -> str:
    """Return a sentence about how the variables depend on each other."""
    test = found.independence
    orders = {2: test.pairs} | test.orders
    seen = [f"at order {k} ({plus_minus(orders[k].value, orders[k].null_error)} nats per row)" for k in test.seen]
    if seen:
        return f"The variables depend on each other: {', '.join(seen)}."
    return "The variables depend on each other: some model predicts held-out rows better than independent ones do."


def left_over(found: Findings) -> str:
    """Return a sentence about the correlations that the description leaves."""
    numbers = found.metrics
    shares = f"{numbers['share_lower']:.1%} to {numbers['share_upper']:.1%} of the total correlation"
    return (
        f"It leaves between {numbers['left_lower']:.2g} and {numbers['left_upper']:.2g} nats per row unexplained, "
        f"{shares}, where {numbers['tolerance']:.2g} would be tolerable."
    )


def compared(found: Findings) -> str:
    """Return a sentence about the best model without latent variables."""
    readings = found.tables["readings"]
    leads = readings[readings.kind == "model without latents"]
    best = leads.loc[leads.value.idxmax()]
    name = best.reading.removeprefix("lead of ")
    ahead = "better" if best.value > 0 else "worse"
    return (
        f"Of the models without latent variables the best, {name}, predicts held-out rows {ahead}, by "
        f"{plus_minus(abs(best.value), best.error)} nats per row."
    )


def drifting(found: Findings) -> list[str]:
    """Return a sentence about rates and latent variables that follow the order of the rows."""
    test = found.independence
    said = []
    if found.decision.drift:
        what = "Rates of variables follow" if test.drifts else "Latent variables follow"
        said.append(f"{what} the order of the rows: part of the correlations is slow change over the recording.")
    if test.correlation_time > 1:
        said.append(
            f"Rows resemble their neighbours over {test.correlation_time:.1f} rows, which leaves {test.effective:,.0f} "
            "independent ones in effect; errors take that into account."
        )
    return said


def couplings_command(call: str) -> str:
    """Return the command that infers couplings from the data of a discovery, without what it would refuse.

    >>> couplings_command("vae-mf discover 'x y.npy' quick=true order=time dataset.variables=9")
    "vae-mf infer-couplings 'x y.npy' dataset.variables=9"
    """
    given = shlex.split(call)[2:]
    # A file stands for itself, and may have a name with an equals sign.
    kept = [each for each in given if each.startswith("dataset") or "=" not in each or Path(each).exists()]
    return shlex.join(["vae-mf", "infer-couplings", *kept])


def next_steps(found: Findings, call: str) -> list[tuple[str, str]]:
    """Return what to do next, each with the command or call that does it, which may be empty.

    Args:
        found: the findings.
        call: command line or call that asked for the report.
    """
    answer = found.decision.answer
    thorough = call.replace(" quick=true", "").replace("quick=True", "quick=False")
    steps = []
    if thorough != call and answer == NOT_DECIDED:
        steps.append(("More training and all rows, which may decide", thorough))
    if found.assessment is not None and answer == NOT_DECIDED:
        rows = rows_to_decide(found.assessment.verdict.left)
        steps.append(
            (f"More data: about {rows:,.0f} rows would decide, where there are {len(found.rows.recording.rows):,}", "")
        )
    if answer == NOT_FOUND and call.startswith("vae-mf discover"):
        steps.append(("The couplings of pairs", couplings_command(call)))
    if found.decision.drift and call.startswith("vae-mf discover"):
        steps.append(("Part of the rows, over which rates are constant, in a file of its own", ""))
    if answer == FOUND and thorough != call:
        steps.append(("The same with more repetitions, before it is published", thorough))
    return steps


def patterns(found: Findings) -> str:
    """Return sentences about the kinds of patterns and how many of them are recovered."""
    table = found.tables["pattern_summary"]
    signs = int((table.kind == SIGN).sum())
    recovered = int(table.recovered.eq(True).sum())
    rest = len(table) - signs
    kind = (
        f"{counted(signs, 'pattern')} of plus and minus signs {'was' if signs == 1 else 'were'} found" if signs else ""
    )
    if rest:
        axes = f"{counted(rest, 'graded pattern')}, which {'is' if rest == 1 else 'are'} known up to a mixing"
        kind = f"{kind}, beside {axes}" if kind else f"There {'is' if rest == 1 else 'are'} {axes}"
    repetitions = found.tables["stability"].repetition.nunique()
    text = f"{kind[0].upper()}{kind[1:]}."
    if not repetitions:
        return text
    share = "all" if recovered == len(table) else number(recovered)
    verb = "was" if recovered == 1 else "were"
    where = f"In {counted(repetitions, 'repetition')} with other seeds or parts of the data"
    return f"{text} {where}, {share} of them {verb} recovered."


def limits(found: Findings) -> list[str]:
    """Return the limits of the report, a sentence or two each."""
    rows = found.rows
    settings = found.settings
    said = [
        f"Held out were {SPLITS[rows.split]}. Gains hold for rows of that kind.",
        "Rows are taken as draws from one law: nothing is said of dynamics or causes.",
    ]
    if rows.split == "random":
        said.append("If neighbouring rows resemble each other, rows held out at random are too easily predicted.")
    if found.assessment is not None:
        orders = found.tables["independence"].order.max()
        said += [
            f"What is left is bounded from above as far as pairs, orders up to {orders} and the models that were tried "
            "can see; correlations that none of them sees are not excluded by any number of rows.",
            "The total correlation is at least what is explained and seen: shares err on the high side.",
        ]
    if found.description.latents == settings.selection.largest_latents:
        said.append(
            f"The largest number of latent variables that was tried, {settings.selection.largest_latents}, was chosen."
        )
    if found.description.classes:
        said.append("A number k of classes spans k - 1 linear dimensions.")
    if found.description.latents:
        said += [
            "The number of latent variables is a linear dimension: one circular variable needs two.",
            "Log-odds are linear in the latent variables. These are known up to an invertible mixing: patterns that "
            "are no sign vectors are the principal axes of the space that they share.",
            "Every training starts at the principal components of its rows: that a pattern is recovered with another "
            "seed says less than that it is in another part of the data.",
        ]
    if settings.stability.seeds + settings.stability.bootstraps < 4:
        said.append("This was a quick look: with quick=false there are more repetitions, epochs and rows.")
    return said


def leading(patterns_table: pd.DataFrame, pattern: int, kind: str, count: int = 6) -> tuple[str, str]:
    """Return the names of the variables that a pattern raises most, and lowers most; of a sign vector how many."""
    values = patterns_table.set_index("variable")[f"pattern_{pattern}"].sort_values(kind="stable")
    raised, lowered = values[values > 0].index[::-1], values[values < 0].index
    if kind == SIGN:
        return f"{len(raised)} variables", f"{len(lowered)} variables"
    # Names of pixels have a comma of their own.
    mark = "; " if any("," in str(name) for name in values.index) else ", "
    most, least = (mark.join(map(str, names[:count])) or "–" for names in (raised, lowered))
    return most, least
