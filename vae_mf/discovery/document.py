"""Report of a discovery: one HTML file, its figures inside, without scripts and without a network."""

import base64
import io
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_mf.discovery.findings import Findings
from vae_mf.discovery.sentences import (
    SPLITS,
    errors,
    explained_range,
    headline,
    leading,
    left_range,
    limits,
    members_of,
    next_steps,
    plus_minus,
    predictable,
    sentence,
    set_seen,
    summary,
)
from vae_mf.discovery.settings import flat
from vae_mf.plotting.style import UNDATED, caption_of, house_style
from vae_mf.texts import code_in_html, in_html
from vae_mf.verdict.decision import FOUND
from vae_mf.verdict.independence import SINGLE
from vae_mf.verdict.report import entry as text_of

STYLE = """
:root { --ink: #1c1c1c; --soft: #6a6a6a; --line: #d9d6cf; --accent: #a8300f; }
* { box-sizing: border-box; }
body { margin: 0; background: #fdfcfa; color: var(--ink);
  overflow-wrap: break-word;
  font: 17px/1.6 Charter, "Bitstream Charter", "Source Serif Pro", Georgia, "DejaVu Serif", serif; }
main { max-width: 52rem; margin: 0 auto; padding: 4rem 1.5rem 6rem; }
p, ul, h1, h2, .remarks { max-width: 42rem; }
h1 { font-size: 2.3rem; line-height: 1.15; font-weight: 600; letter-spacing: -.01em; margin: .4rem 0 1.2rem; }
h2 { font-size: 1.3rem; font-weight: 600; margin: 3.2rem 0 .8rem; padding-top: .9rem; border-top: 1px solid var(--line);
  max-width: none; }
.kicker, dt, th, figcaption, .small { font-family: "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif; }
.kicker { font-size: .8rem; letter-spacing: .03em; color: var(--accent); margin: 0; }
.lead { font-size: 1.15rem; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 1.2rem 1.6rem;
  margin: 2rem 0 0; padding: 1.2rem 0; border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); }
dl.facts div { min-width: 0; display: flex; flex-direction: column; justify-content: space-between; }
dl.facts dt { font-size: .75rem; color: var(--soft); }
dl.facts dd { margin: .1rem 0 0; font-size: 1.2rem; line-height: 1.25; font-variant-numeric: tabular-nums lining-nums; }
figure { margin: 1.4rem 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .82rem; line-height: 1.45; color: var(--soft); margin-top: .5rem; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums lining-nums;
  margin: 1rem 0; }
th { text-align: right; font-weight: 500; font-size: .75rem; color: var(--soft); vertical-align: bottom; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
td { text-align: right; } th:first-child, td:first-child, td.text, th.text { text-align: left; }
tr.chosen td { font-weight: 600; } tr.grey td { color: #9a9a9a; }
dl.terms div { margin: .5rem 0; max-width: 42rem; } dl.terms dt { font-size: .8rem; color: var(--accent); }
dl.terms dd { margin: 0; font-size: .92rem; }
td { white-space: nowrap; } td.text { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.wide { overflow-x: auto; } .pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-end; }
.remarks { background: #f5efe6; padding: .8rem 1.2rem; margin: 1.2rem 0; } .remarks p { margin: .2rem 0; }
pre { background: #f4f2ee; padding: .9rem 1.1rem; overflow-x: auto; font-size: .82rem; line-height: 1.5;
  white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; font-size: .88rem; color: var(--soft); }
@media print { body { background: #fff; } main { padding: 0; } figure, table { break-inside: avoid; } }
"""
SWEEP = {
    "latents": "d", "parameters": "parameters", "validation_log_likelihood": "ln p, validation",
    "test_log_likelihood": "ln p, test", "gain": "gain over d = 0", "behind": "behind the best, validation",
}  # fmt: skip
MODELS = {
    "model": "model", "parameters": "parameters", "log_likelihood": "ln p, test",
    "gain_over_independent": "gain over independent", "gain_over_best_baseline": "over the best other model",
    "log_partition_error": "of the error, ln Z",
}  # fmt: skip
CLASSES = {"classes": "k", **{name: title for name, title in SWEEP.items() if name != "latents"}}
TESTS = {
    "rows": "rows", "order": "order", "value": "information, nats per row", "significance": "in errors",
    "detectable": "seen 95 times in 100",
}  # fmt: skip
READINGS = {
    "reading": "reading", "value": "nats per row", "allowance": "allowance", "estimation": "estimation",
    "significance": "in errors",
}  # fmt: skip
PAIRS = {
    "first": "variable", "second": "variable", "difference": "correlation beyond the model", "score": "in errors",
    "p_value": "p, family-wise", "nats": "nats per row",
}  # fmt: skip
SETS = {
    "variables": "variables", "difference": "correlation beyond the model", "score": "in errors",
    "p_value": "p, family-wise", "nats": "nats per row",
}  # fmt: skip
MEMORY = {
    "model": "model", "parameters": "parameters", "static": "ln p, test", "given_past": "given the past",
    "memory": "predictable, nats per row",
}  # fmt: skip
CONTROLS = {"control": "control", "known": "known, nats per row", "value": "read", "passed": "passed"}
PAIRS_SHOWN = 20
"""Pairs in the table of the page; all are in the tables of the report."""
GLOSSARY = {
    "nat": "Unit of information, 1.44 bits: a gain of g nats per row makes rows e^g times as likely, on the average of "
    "logarithms.",
    "total correlation (TC)": "Information that all variables share: nats per row by which their law is likelier than "
    "that of independent variables with the same rates.",
    "order k": "Information in products of k variables, given the latent variables if there are any, summed over all "
    "sets of k: close to the nats that these are worth where they are few, and more where they are many.",
    "tilt of sets": "The same bound by single sets of three and of four variables of which no pair stands out.",
    "fitted tilt": "Lower bound of what is left: the gain of reweighting the model by pairs, fitted on other rows.",
    "direct dependence": "Variables depend on each other, and not on latent variables or classes alone: all pairs "
    "(pairwise Ising), each on those before it (logistic autoregression), each on one other (Chow-Liu tree), so in "
    "another way in each class (mixture of trees), or each on how many are 1 (population tracking).",
    "lead": "Nats per row by which another model predicts held-out rows better.",
    "law of z free": "The same decoder with the likeliest of all laws of the latent variables, which lies on points: "
    "what it gains on held-out rows the law of the model misses.",
    "rate": "Information that the latent variables carry about a row, at most.",
    "critic": "Network that learns to tell rows of the data from rows of the model: what it gains is a lower bound of "
    "what is left. It is asked without quick=true.",
    "floor": "Nats that a critic may miss, from correlations that were planted and that it was shown.",
}
ABOUT = "Discovering and decoding latent mean-field structure with variational autoencoders (2026)"
PATTERNS = {
    "pattern": "pattern", "kind": "kind", "strength": "strength", "residual": "residual",
    "median_share": "median share", "least_share": "least share", "recovered": "recovered",
    "raised": "raises most", "lowered": "lowers most",
}  # fmt: skip
CLASS_SUMMARY = {
    "class": "class", "weight": "weight", "rows": "most probable rows",
    "raised": "on more often", "lowered": "less often",
}  # fmt: skip
ERRORS = {"value": "error", "reading": "", "significance": ""}
"""Columns of errors whose names do not follow from those of the values."""
REM_PER_INCH = 5.8
"""Size of a figure on the page; one of 8.5 inches has the width of the text."""
TEXTUAL = {"variables", "model", "reading", "control", "rows", "first", "second", "kind", "raised", "lowered"}


def as_html(found: Findings, figures: Mapping[str, Figure], origin: Mapping[str, Any]) -> str:
    """Return the report as one HTML document.

    Args:
        found: findings to report.
        figures: figures of `plotting.discovery.draw_discovery`.
        origin: name, call, software and settings, for the title and the last section.
    """
    parts = [opening(found, str(origin["name"])), given(found), dependence(found), how_many(found, figures)]
    if found.assessment is not None:
        parts.append(left_unexplained(found, figures))
    if found.description.classes:
        parts += [classes_of_rows(found, figures), over_rows(found, figures)]
    if found.description.latents:
        parts += [patterns(found, figures), over_rows(found, figures), predictive_check(figures)]
    if "memory" in found.tables:
        parts.append(memory(found))
    steps = what_next(found, str(origin["call"]))
    parts += [steps, section("What this does not say", listing(limits(found))), glossary(), reproduction(origin)]
    title = in_html(f"{origin['name']}: {found.decision.answer}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "<body><main>\n" + "\n".join(parts) + "\n</main></body>"
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n{body}</html>\n'


def opening(found: Findings, name: str) -> str:
    """Return title, answer and key numbers."""
    lead = "".join(f'<p class="lead">{in_html(sentence)}</p>' for sentence in summary(found))
    remarks = "".join(f"<p>{in_html(remark)}</p>" for remark in found.decision.remarks)
    aside = f'<div class="remarks">{remarks}</div>' if remarks else ""
    return f'<p class="kicker">{in_html(name)}</p><h1>{in_html(headline(found))}</h1>{lead}{aside}{facts(found)}'


def facts(found: Findings) -> str:
    """Return the key numbers as a list of terms."""
    numbers = found.metrics
    latents, classes = found.description
    kind = "classes of rows" if classes else "collective" if found.decision.answer == FOUND else "latent"
    groups = found.decision.groups if kind == "collective" else 0
    terms = {kind if classes else f"{kind} variables": str(classes or latents - groups)}
    if groups:
        terms["groups of a few variables"] = str(groups)
    fewest, most = numbers["fewest_possible"], numbers["most_possible"]
    if fewest < most and (latents or classes):
        terms["numbers that the rows allow"] = f"{fewest} to {most}"
    pairs = found.independence.pairs
    known = pairs.value <= found.independence.largest
    size = f"{pairs.value:.2g} " if known else ""
    terms["pairs without a model, summed, nats per row"] = f"{size}({errors(pairs.significance)})".replace("-", "−")
    if found.assessment is not None:
        terms |= {
            "gain over independent, nats per row": plus_minus(
                numbers["gain_over_independent"], numbers["gain_over_independent_error"]
            ),
            "left unexplained, nats per row": left_range(found),
            "explained, of the total correlation": explained_range(found),
        }
    if latents and len(found.tables["stability"]):
        terms["patterns recovered"] = f"{numbers['returning_patterns']} of {latents}"
    if "overlap_with_truth_min" in numbers:
        terms["least overlap with a known pattern"] = f"{numbers['overlap_with_truth_min']:.3f}"
    items = "".join(f"<div><dt>{in_html(term)}</dt><dd>{in_html(value)}</dd></div>" for term, value in terms.items())
    return f'<dl class="facts">{items}</dl>'


def dependence(found: Findings) -> str:
    """Return the test of independence of the variables."""
    test = found.independence
    shifted = " Errors of pairs over all rows are those of columns shifted in time against each other."
    text = (
        "Before any model: the information that pairs, triples and larger sets of variables share if there are no "
        "latent variables, over all rows and within windows of them, in errors that it has where there is none; "
        "and the single set of three and of four that stands out most though no pair of its variables does. In "
        "nats that of pairs is given, summed over them: the sum counts twice what two pairs have in common, and a dash "
        f"stands where it is more than all variables can share, {test.largest:.3g} nats. {order_of_rows(found)}."
        f"{shifted if test.shifted else ''}"
    )
    table = found.tables["independence"]
    table = table.assign(value=table.value.where(table.possible & ((table.order == 2) | (table.rows == SINGLE))))
    sets = "".join(f"<p>{in_html(sentence(set_seen(found, each)))}</p>" for each in found.independence.sets_seen)
    return section("Do the variables depend on each other?", f"<p>{text}</p>" + html_table(table, TESTS, {}) + sets)


def order_of_rows(found: Findings) -> str:
    """Return how rows depend on their order: memory, drift, or neither."""
    test = found.independence
    if found.rows.split == "random":
        return "Rows are taken as independent of each other"
    said = [f"have {test.correlation_time:.1f} rows of memory"] if test.correlation_time > 1 else []
    said += ["drift"] if test.drifts else []
    if test.shifted and not said:
        said = ["resemble each other over long times"]
    return f"Rows {' and '.join(said) or 'show no memory'}"


def given(found: Findings) -> str:
    """Return a description of the data and of their split."""
    split = found.rows
    active = float((split.recording.rows > 0).mean())
    train, validation, test = (f"{len(part):,}" for part in (split.train, split.validation, split.test))
    source = split.recording.source.rpartition("; ")[0] or split.recording.source
    rows, variables = split.recording.rows.shape
    said = [
        f"{source[:1].upper()}{source[1:]}: {rows:,} rows of {variables} variables.",
        f"{train} rows to learn from, {validation} to choose on and {test} to evaluate on: held out were "
        f"{SPLITS[split.split]}. Of all entries {active:.1%} are 1.",
        *map(sentence, (*split.recording.remarks, *split.remarks)),
    ]
    return section("What was given", "".join(f"<p>{in_html(sentence)}</p>" for sentence in said))


def how_many(found: Findings, figures: Mapping[str, Figure]) -> str:
    """Return the sweeps over the numbers of latents and of classes, and the other models."""
    settings = found.settings.selection
    text = (
        "A model with d latent variables is trained for d = 0 (independent variables), 1, 2, and so on, and a mixture "
        "of k classes of rows. Chosen is the smallest number that predicts the rows to choose on as well as the best "
        f"one does, within {settings.resolution:.0%} of its gain and {settings.per_variable:g} nats for each variable, "
        "or within two paired errors if that is not much more. Beside them stand models of direct dependence, which "
        "are explained at the end."
    )
    caption = (
        "Gain in log-likelihood of held-out rows over independent variables. Left: models with d latent variables. "
        "Right: the paired differences from the best of these that the choice rests on. Below: the chosen one among "
        "other models. Errors are those of means over blocks of neighbouring rows."
    )
    sweep, classes, models = (found.tables[name] for name in ("sweep", "classes", "models"))
    own = models.model.eq(found.description.model)
    models = models.assign(log_partition_error=models.log_partition_error.where(models.log_partition_error > 0))
    tables = html_table(sweep, SWEEP, {"chosen": sweep.chosen}) + html_table(
        classes, CLASSES, {"chosen": classes.chosen}
    )
    tables += html_table(models, MODELS, {"chosen": own})
    return section("How many collective variables", f"<p>{text}</p>" + picture(figures["gains"], caption) + tables)


def left_unexplained(found: Findings, figures: Mapping[str, Figure]) -> str:
    """Return the evidence of the verdict."""
    text = (
        "If the latent variables, or classes, are all there is, the variables are independent given them. Several "
        "readings say how far they are not, in nats per row. From below: the information left in pairs and larger "
        "sets, the gain of a tilt of the model that was fitted on other rows, and models of direct dependence that "
        "predict better. From above: the upper ends of the same and of other latent descriptions, an allowance for "
        "rows that it was fitted to, and what the estimation of its parameters costs, which does not count against it. "
        f"A dash stands where a reading only detects: at most {found.metrics['largest_left']:.2g} nats can be left."
    )
    caption = (
        "Readings of what is left, with two errors, beside the tolerance; a lead below zero means that the other model "
        "predicts worse. Orders above the second detect, and are not drawn: much of them is not so many nats."
    )
    shown = in_nats(found.tables["readings"], found.metrics["tolerance"], found.metrics["largest_left"])
    body = f"<p>{text}</p>" + picture(figures["left"], caption) + html_table(shown, READINGS, {})
    text = (
        "Controls: the same reading of pairs, of rows whose answer is known. Residuals shifted against each other in "
        "time are independent; rows drawn from the model leave nothing, and a model fitted to such rows leaves what "
        "training leaves; rows of the pairwise model, whose distance is known, must not come out further away, but "
        "may come out nearer, as pairs do not show all. What shifted residuals and a second fit show is taken off the "
        "lower end of what is left; where the former show too much, neither orders above the second nor leads of "
        "models of direct dependence set it. Where another control fails, or rows are too few for it, nothing is "
        "found; where one reads too much, nothing is refuted either."
    )
    controls = found.tables["controls"]
    outcomes = np.select([controls.passed, controls.coarse], ["yes", "too few rows"], "no")
    tested = f"<p>{text}</p>" + html_table(controls.assign(passed=outcomes), CONTROLS, {})
    return section("What they leave unexplained", body + pairs_left(found) + sets_left(found) + tested)


def in_nats(readings: pd.DataFrame, tolerance: float, largest: float) -> pd.DataFrame:
    """Return readings as they are shown: in nats as far as they are so many, and in errors where they only detect.

    Orders above the second that read more than the tolerance are not so many nats, and nothing is that reads more than
    all that can be left: sums over sets count twice what sets have in common.

    Args:
        readings: table of readings.
        tolerance: nats that a description may leave.
        largest: nats that can be left at most.
    """
    higher = readings.kind.eq("higher order")
    beyond = readings.value > largest
    much = beyond | (higher & (readings.value.abs() > tolerance))
    in_errors = higher | beyond
    return readings.assign(
        allowance=readings.allowance.where(readings.allowance > 0),
        estimation=readings.estimation.where(readings.estimation > 0),
        value=readings.value.where(~much),
        significance=readings.value.where(in_errors) / readings.null_error.where(in_errors),
    )


def pairs_left(found: Findings) -> str:
    """Return the table of pairs that are correlated beyond the model, by their names."""
    pairs = found.tables["pairs"]
    level = found.settings.assessment.readings.level
    if pairs.empty:
        return f"<p>No single pair of variables stands out beyond the model (family-wise level {level:.0%}).</p>"
    names = np.array(found.rows.recording.names)
    named = pairs.head(PAIRS_SHOWN).assign(first=lambda t: names[t["first"]], second=lambda t: names[t["second"]])
    count = f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'} of variables"
    most = f", of which the first {PAIRS_SHOWN} are listed" if len(pairs) > PAIRS_SHOWN else ""
    verb = "stands" if len(pairs) == 1 else "stand"
    text = f"{count} {verb} out beyond the model at a family-wise level of {level:.0%}{most}."
    return f"<p>{text}</p>" + html_table(named, PAIRS, {})


def sets_left(found: Findings) -> str:
    """Return the table of sets of three and of four that are correlated beyond the model and all pairs, by name."""
    sets, scan = found.tables["sets"], found.tables["set_scan"].iloc[-1]
    if not scan.order:
        return "<p>Sets of three and of four variables were not looked through one by one: there are too many.</p>"
    sizes = "three" if scan.order == 3 else "three or four"
    level = f"(family-wise level {found.settings.assessment.readings.level:.0%})"
    if sets.empty:
        return f"<p>No single set of {sizes} variables stands out beyond the model and beyond all pairs {level}.</p>"
    names = found.rows.recording.names
    shown = sets.head(PAIRS_SHOWN)
    shown = shown.assign(variables=[", ".join(members_of(row, names)) for _, row in shown.iterrows()])
    text = (
        f"Sets of {sizes} variables that stand out beyond the model though no pair of theirs does {level}, the "
        f"strongest first: {len(sets)}{f', of which {PAIRS_SHOWN} are listed' if len(sets) > PAIRS_SHOWN else ''}."
    )
    return f"<p>{text}</p>" + html_table(shown, SETS, {})


def patterns(found: Findings, figures: Mapping[str, Figure]) -> str:
    """Return the patterns, their leading variables, and their recovery in repetitions."""
    summary_table = found.tables["pattern_summary"].copy()
    kinds = zip(summary_table.pattern, summary_table.kind, strict=True)
    values = found.tables["patterns"].set_index("variable")
    named = [leading(values[f"pattern_{pattern}"], kind) for pattern, kind in kinds]
    summary_table["raised"], summary_table["lowered"] = zip(*named, strict=True)
    text = (
        "A pattern says how the log-odds of every variable move together. Δh is half the change of the log-odds per "
        "standard deviation of the latent variables, and the strength of a pattern its root mean square. A sign vector "
        "raises and lowers all variables alike; its residual is the share of it that the model does not hold. A share "
        "of 1 means that a repetition with another start or other rows finds the pattern again, 0 that it finds no "
        "more of it than chance would. A pattern that is not recovered is grey."
    )
    caption = "The patterns, strongest first within each kind: red raises a variable, blue lowers it."
    gone = summary_table.recovered.eq(False)
    body = f"<p>{text}</p>" + picture(figures["patterns"], caption)
    body += html_table(summary_table, PATTERNS, {"grey": gone})
    further = ""
    if "stability" in figures:
        further += picture(figures["stability"], "Share of each pattern in the space that each repetition finds.")
    if "truth" in figures:
        further += picture(figures["truth"], "Overlaps with the known patterns.")
    return section("The patterns", f'{body}<div class="pair">{further}</div>' if further else body)


def classes_of_rows(found: Findings, figures: Mapping[str, Figure]) -> str:
    """Return the classes, their weights and their leading variables."""
    shifts = found.tables["class_shifts"].set_index("variable")
    table = found.tables["class_summary"].copy()
    named = [leading(shifts[f"class_{number}"]) for number in table["class"]]
    table["raised"], table["lowered"] = zip(*named, strict=True)
    text = (
        "A row belongs to one class, and within it the variables are independent, each with a probability of its own. "
        "Δh is half the change of the log-odds of a variable in the class, against those of all rows. The weight is "
        "the share of all rows that belong to the class; every row counts once, for its most probable class."
    )
    caption = "The classes, those of most rows first: red, a variable is on more often than on the average; blue, less."
    body = f"<p>{text}</p>" + picture(figures["classes"], caption) + html_table(table, CLASS_SUMMARY, {})
    return section("The classes", body)


def over_rows(found: Findings, figures: Mapping[str, Figure]) -> str:
    """Return the figure of the latent variables, or of the probabilities of the classes, of every row."""
    order = "over time (averages over repeats, if there are any) or over the rows in their order"
    if found.description.classes:
        caption = f"Probability of each class given the row, averaged {order}, over a hundredth of them at a time."
        return section("The classes of all rows", picture(figures["latents"], caption))
    caption = (
        f"Mean of each latent variable given the row, {order}; thin: rows or short averages, thick: averages over a "
        "hundredth of them."
    )
    drawn = picture(figures["latents"], caption)
    if "planes" in figures:
        drawn += picture(figures["planes"], "Number of rows at every pair of values of the first latent variables.")
    return section("The latent variables of every row", drawn)


def memory(found: Findings) -> str:
    """Return the nats of a row that the rows before it hold, by every model in time."""
    text = (
        "A model in time predicts held-out rows from the rows before them. Predictable is the gain over the row alone, "
        "by the same model or by the likeliest model of single rows, whichever predicts it better. Chosen, in bold, is "
        "the model that predicts the rows to choose on best; another might find more. Errors are of blocks of time."
    )
    said = predictable(found) or ["Nothing is seen beyond doubt to be predictable from the rows before."]
    duration = found.metrics.get("latent_correlation_time", np.nan)
    if np.isfinite(duration):
        said.append(f"The slowest latent variable keeps its value over {duration:.1f} rows (its correlation time).")
    table = found.tables["memory"]
    body = "".join(f"<p>{in_html(each)}</p>" for each in [text, *said])
    return section("What the rows before say", body + html_table(table, MEMORY, {"chosen": table.chosen}))


def what_next(found: Findings, call: str) -> str:
    """Return what to do next, with commands."""
    steps = next_steps(found, call)
    if not steps:
        return ""
    items = "".join(
        f"<li>{in_html(sentence(text))}{f'<pre>{code_in_html(command)}</pre>' if command else ''}</li>"
        for text, command in steps
    )
    return section("What to do next", f"<ul>{items}</ul>")


def glossary() -> str:
    """Return the terms of the report and what they mean."""
    items = "".join(f"<div><dt>{in_html(term)}</dt><dd>{in_html(text)}</dd></div>" for term, text in GLOSSARY.items())
    return section("Terms", f'<dl class="terms">{items}</dl>')


def predictive_check(figures: Mapping[str, Figure]) -> str:
    """Return the figure of rows drawn from the model beside the data."""
    caption = "Rows drawn from the model beside held-out rows: active variables, overlap of two rows, covariances."
    return section("Does the model resemble the data?", picture(figures["predictive_check"], caption))


def reproduction(origin: Mapping[str, Any]) -> str:
    """Return the command, data, settings and software that make the report again."""
    lines = [f"{key}: {value}" for group in ("data", "settings", "software") for key, value in flat(origin[group])]
    call, details = (f"<pre>{code_in_html(text)}</pre>" for text in (str(origin["call"]), "\n".join(lines)))
    folded = f"<details><summary>data, settings and software</summary>{details}</details>"
    rows = origin["data"]["sha256 of the rows"][:12]
    made = f"Made on {origin['date']} with vae_mf {origin['version']}; rows: sha256 {rows}."
    cite = f"To cite: {ABOUT}, and vae_mf {origin['version']}."
    return section("How to make it again", call + f'<p class="small">{in_html(made)} {in_html(cite)}</p>' + folded)


def section(title: str, body: str) -> str:
    """Return a titled section."""
    return f"<section><h2>{in_html(title)}</h2>{body}</section>"


def listing(sentences: Iterable[str]) -> str:
    """Return sentences as a list."""
    return f"<ul>{''.join(f'<li>{in_html(sentence)}</li>' for sentence in sentences)}</ul>"


def html_table(table: pd.DataFrame, columns: Mapping[str, str], marks: Mapping[str, pd.Series]) -> str:
    """Return some columns of a table, by the names given and with their errors, with the rows of each class marked."""
    columns = {name: title for name, title in columns.items() if name in table and table[name].notna().any()}
    errors = {name: error for name in columns if (error := ERRORS.get(name, f"{name}_error")) in table}
    kind = {name: ' class="text"' if name in TEXTUAL else "" for name in columns}
    head = "".join(f"<th{kind[name]}>{in_html(title)}</th>" for name, title in columns.items())
    rows = []
    for index, row in table.iterrows():
        classes = " ".join(name for name, marked in marks.items() if marked[index])
        texts = {name: entry(row[name], row[errors[name]] if name in errors else 0.0) for name in columns}
        entries = "".join(f"<td{kind[name]}>{in_html(text)}</td>" for name, text in texts.items())
        rows.append(f'<tr class="{classes}">{entries}</tr>' if classes else f"<tr>{entries}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def entry(value: Any, error: float = 0.0) -> str:
    """Return the text of an entry of a table with its error if it has one, whole numbers with all their digits.

    >>> entry(14664), entry(-19.89625), entry(None), entry(-0.0018648, 0.00101834)
    ('14,664', '−19.9', '–', '−0.0019 ± 0.0010')
    >>> entry(float("nan"), 0.1), entry("Chow-Liu tree")
    ('–', 'Chow-Liu tree')
    """
    if isinstance(value, str):
        return value
    if error > 0 and not pd.isna(value):
        return plus_minus(value, error)
    whole = isinstance(value, int | float | np.integer) and not isinstance(value, bool) and float(value).is_integer()
    return (f"{int(value):,}" if whole else text_of(value)).replace("-", "−")


def picture(figure: Figure, caption: str) -> str:
    """Return a figure as an image inside the document, its lettering about as large as that of the captions.

    Readers who do not see it are told what the file of the figure has beside it.
    """
    buffer = io.BytesIO()
    # The salt makes names inside the picture the same each time it is drawn.
    with house_style(), mpl.rc_context({"svg.hashsalt": caption}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=UNDATED["svg"])
        figure.set_layout_engine(None)  # panels stay where this has put them, in the files of the figure, too
    data = base64.b64encode(buffer.getvalue()).decode()
    style = f' style="max-width: {REM_PER_INCH * figure.get_figwidth():.3g}rem"'
    image = f'<img alt="{in_html(caption_of(figure) or caption)}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure{style}>{image}<figcaption>{in_html(caption)}</figcaption></figure>"
