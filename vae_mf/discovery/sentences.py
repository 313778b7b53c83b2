"""Sentences about the findings of a discovery; plain text, nothing escaped yet."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from scipy.stats import norm, t

from vae_mf.analysis.found_patterns import SIGN
from vae_mf.discovery.decision import NOTHING
from vae_mf.discovery.findings import Findings
from vae_mf.discovery.model_selection import TREE
from vae_mf.statistics.set_scores import MEMBERS
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, family_errors, rows_to_decide
from vae_mf.verdict.independence import StrongestSet

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
UNKNOWN = "not known"
GROUPS_SHOWN = 5
"""Groups of variables that are listed in a sentence."""
LEAD_ERRORS = 2.0
"""Errors by which a single other model must be ahead to be called better; more where several might be by chance."""
COUPLINGS = (
    "from vae_mf import datasets, inverse_ising\n"
    "inverse_ising.PseudoLikelihood().fit(datasets.make_recording(data).rows).couplings_"
)
"""Python that infers couplings from the data of a discovery."""
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
    """Return the answer as a title, which names drift whatever the answer is."""
    decision = found.decision
    if decision.drift_alone:
        seen = "hardly anything else" if local_pairs_seen(found) else "nothing else"
        return f"Rates drift, and {seen} is seen"
    title = answer_title(found)
    if not decision.latents_drift:
        return f"{title}; rates drift" if decision.drift else title
    if title.startswith("Correlated; ") or title.endswith("collective variables"):
        return f"{title}; latent variables drift"
    return f"{title}; {'it drifts' if found.description.latents == 1 else 'they drift'} with the order of the rows"


def answer_title(found: Findings) -> str:
    """Return the answer as a title, without drift."""
    decision = found.decision
    latents, classes = found.description
    if decision.repeated:
        return "Rows are repeated, and nothing is decided"
    if decision.answer == NOTHING:
        return "Nothing seen in few independent rows" if found.independence.few else "Nothing to find"
    # A description that gains nothing beyond doubt is none to speak of.
    if decision.answer != FOUND and not (gains_beyond_doubt(found) or decision.groups):
        if decision.answer == NOT_DECIDED:
            return "Correlated; by what is not decided"
        return "Correlated, but not by collective variables"
    what = f"{number(classes)} classes of rows" if classes else collective(latents, decision.groups)
    if decision.answer == NOT_FOUND and 0 < latents <= decision.groups:
        return "Groups of a few variables, and no collective variables"
    if decision.answer == FOUND:
        return f"{what} {'explains' if latents == 1 else 'explain'} the correlations".capitalize()
    if decision.answer == NOT_FOUND:
        return f"Correlated, but not by {described(found)} alone"
    seen = "is seen; whether it is all" if latents == 1 else "are seen; whether they are all"
    return f"{what} {seen} is not decided".capitalize()


def gains_beyond_doubt(found: Findings) -> bool:
    """Return True if there is a description that predicts held-out rows better than independent variables do."""
    numbers = found.metrics
    return any(found.description) and numbers["gain_over_independent"] > 2 * numbers["gain_over_independent_error"]


def collective(latents: int, groups: int) -> str:
    """Return numbers of collective variables and of latent variables that stand for few variables each.

    >>> collective(2, 1), collective(3, 0)
    ('one collective variable and one group of a few variables', 'three collective variables')
    """
    parts = [counted(latents - groups, "collective variable")] if latents > groups else []
    return " and ".join([*parts, *([f"{counted(groups, 'group')} of a few variables"] if groups else [])])


def summary(found: Findings) -> list[str]:
    """Return the answer in a few sentences."""
    if found.decision.answer == NOTHING:
        return [*nothing(found), *drifting(found), *predictable(found)]
    if found.decision.repeated:
        return drifting(found)
    if found.assessment is None:
        return [
            dependence(found),
            "No number of latent variables and no number of classes predicts held-out rows beyond doubt better than "
            "independent variables do.",
            *without_latents(found),
            *drifting(found),
            *predictable(found),
        ]
    said = [explained(found), *by_a_tree(found), left_over(found), *beyond_pairs(found)]
    said += [*drifting(found), *predictable(found)]
    return [*said, *circular(found), patterns(found)] if found.description.latents else said


def circular(found: Findings) -> list[str]:
    """Return a sentence about two latent variables that are one circular variable, if they are."""
    if not found.metrics["circular"]:
        return []
    return ["The two latent variables lie on a ring, all around it: one circular variable takes their place."]


def local_pairs_seen(found: Findings) -> bool:
    """Return True if pairs of variables are correlated beyond doubt within windows of the rows."""
    test = found.independence
    return test.local_pairs.significance > test.settings.pairs_seen


def errors(count: float) -> str:
    """Return a distance from zero in errors.

    >>> errors(0.63214), errors(1068.3)
    ('0.63 errors', '1,068 errors')
    """
    return f"{count:,.0f} errors" if abs(count) >= 10 else f"{count:.2g} errors"


def shared(pairs: Estimate, possible: float) -> str:
    """Return that pairs share so many nats, or only that they are correlated where that is more than there can be.

    >>> shared(Estimate(0.0123, 0.002, 0.0017), 5.5), shared(Estimate(11.0, 0.2, 0.2), 5.5)
    ('share 0.0123 nats per row (7.2 errors)', 'are correlated (55 errors)')
    """
    does = f"share {pairs.value:.3g} nats per row" if pairs.value <= possible else "are correlated"
    return f"{does} ({errors(pairs.significance)})".replace("-", "−")


def nothing(found: Findings) -> list[str]:
    """Return the sentences about variables that look independent."""
    test = found.independence
    rows, variables = found.rows.recording.rows.shape
    if found.decision.drift_alone:
        return [within_windows(found)]
    orders = {} if test.few else test.orders
    beyond = " beyond what they do when shifted against each other in time" if test.shifted else ""
    higher = [f", or {test.detectable(k):.2g} in sets of {k}" for k in orders]
    return [
        f"The {variables} variables look independent in {rows:,} rows, and no model is ahead of independent variables "
        f"on held-out rows by more than {test.settings.gained:.0f} errors. Summed over all pairs they share less than "
        f"{test.bound:.2g} nats per row{beyond}, within two errors. Separate pairs that share "
        f"{test.detectable(2):.2g} nats in all{''.join(higher)}, would have been seen 95 times in 100.",
        single_sets(found),
    ]


def single_sets(found: Findings) -> str:
    """Return a sentence about the single sets of variables that would have been seen."""
    test = found.independence
    if test.few or not test.sets:
        return "Sets of three and of four variables were not looked through one by one."
    sizes = " or of ".join(number(size) for size in test.sets)
    nats = max(each.detectable for each in test.sets.values())
    return f"So would a single set of {sizes} variables that shares {nats:.2g} nats."


def beyond_pairs(found: Findings) -> list[str]:
    """Return a sentence about single sets that are correlated beyond the description and all pairs, if there are."""
    sets = found.tables["sets"]
    if sets.empty:
        return []
    best = sets.iloc[0]
    names = listed(members_of(best, found.rows.recording.names))
    more = f", and {counted(len(sets) - 1, 'set')} more" if len(sets) > 1 else ""
    size = f"{errors(abs(best.score))}; so large a set by chance: {best.p_value:.2g}"
    return [f"Correlated beyond it and beyond all pairs are {names}, as a set ({size}){more}."]


def members_of(row: pd.Series, names: Sequence[str]) -> list[str]:
    """Return the names of the variables of a line of a table of sets."""
    return [names[int(row[member])] for member in MEMBERS if np.isfinite(row[member])]


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return f"{', '.join(names[:-1])} and {names[-1]}"


def within_windows(found: Findings) -> str:
    """Return a sentence about pairs within windows of the rows, where rates hardly change."""
    test = found.independence
    local = shared(test.local_pairs, test.largest)
    whole = shared(test.pairs, test.largest)
    return f"Within {test.settings.windows} windows of the rows pairs of variables {local}, over all rows they {whole}."


def dependence(found: Findings) -> str:
    """Return a sentence about how the variables depend on each other."""
    test = found.independence
    if not test.seen:
        return "The variables depend on each other: some model predicts held-out rows better than independent ones do."
    pairs = [f"pairs of them {shared(test.pairs, test.largest)}"] if 2 in test.seen else []
    orders = [k for k, each in test.orders.items() if each.significance > test.settings.orders_seen]
    sets = [set_seen(found, each) for each in test.sets_seen]
    return f"The variables depend on each other: {'; '.join([*pairs, *significant(test.orders, orders), *sets])}."


def set_seen(found: Findings, seen: StrongestSet) -> str:
    """Return that the variables of a set depend on each other, though no pair of them does."""
    names = listed([found.rows.recording.names[member] for member in seen.members])
    return f"{names} are correlated as a set, by {seen.nats:.2g} nats ({errors(seen.score)})"


def significant(orders: Mapping[int, Estimate], seen: Sequence[int]) -> list[str]:
    """Return that orders above the second are significant: they detect, and their nats are not those of all variables.

    >>> significant({3: Estimate(11.0, 0.2, 0.2)}, [3])
    ['order 3 is significant (55 errors)']
    """
    return [f"order {k} is significant ({errors(orders[k].significance)})" for k in seen if k in orders]


def detected(found: Findings) -> list[str]:
    """Return the orders above the second that set an end of what is left with more nats than are tolerable.

    They detect. Where much is left their nats, of residuals with heavy tails, may be more than there are.
    """
    readings, left = found.tables["readings"], found.tables["left"].iloc[-1]
    orders = readings[readings.kind.eq("higher order") & readings.reading.isin([left.least, left.most])]
    large = orders[orders.value > left.tolerance]
    return [f"{row.reading} is significant ({errors(row.value / row.null_error)})" for row in large.itertuples()]


def left_range(found: Findings) -> str:
    """Return the nats that the description leaves, or the orders that are significant.

    A description that is refuted leaves correlations that readings hold in part: of it the lower end is stated.
    """
    if detected(found):
        return "; ".join(detected(found))
    most = found.metrics["largest_left"]
    least, largest = (min(found.metrics[name], most) for name in ("left_lower", "left_upper"))
    if found.decision.answer == NOT_FOUND:
        return f"at least {least:.2g} (as far as is seen up to {largest:.2g})"
    return f"{least:.2g} to {largest:.2g}"


def explained_range(found: Findings) -> str:
    """Return the share of the total correlation that the description explains, if its gain is beyond its errors."""
    least, most = 1 - found.metrics["share_upper"], 1 - found.metrics["share_lower"]
    if detected(found) or not gains_beyond_doubt(found):
        return UNKNOWN
    if found.decision.answer == NOT_FOUND and least > 0:
        return f"at most {most:.1%} (as far as is seen from {least:.1%})"
    return f"{least:.1%} to {most:.1%}" if least > 0 else f"at most {most:.1%}"


def explained(found: Findings) -> str:
    """Return a sentence about what the description explains, and about the best model of direct dependence."""
    subject = described(found).capitalize()
    one = found.description.latents == 1
    orders = " and ".join(detected(found))
    known = explained_range(found)
    share = f"{'an unknown share' if known == UNKNOWN else known} of the total correlation"
    says = "leaves" if one else "leave"
    what = f"{says} correlations of which {orders}" if orders else f"explain{'s' if one else ''} {share}"
    return f"{subject} {what}, {compared(found)}."


def left_over(found: Findings) -> str:
    """Return sentences about the gain of the description, and about the correlations that it leaves."""
    numbers = found.metrics
    gain = plus_minus(numbers["gain_over_independent"], numbers["gain_over_independent_error"])
    gained = f"On held-out rows the gain over independent variables is {gain} nats per row"
    tolerable = f"{numbers['tolerance']:.2g} would be tolerable"
    if detected(found):
        return f"{gained}; at most {numbers['largest_left']:.2g} can be left, and {tolerable}."
    return f"{gained}; {left_range(found)} are left unexplained{by_estimation(found)}, where {tolerable}."


def by_estimation(found: Findings) -> str:
    """Return a clause about nats that are left because parameters are estimated, where the answer turns on them."""
    numbers = found.metrics
    cost = numbers["left_by_estimation"]
    if not numbers["left_upper"] - cost <= numbers["tolerance"] < numbers["left_upper"]:
        return ""
    return f", up to {cost:.2g} of them because its parameters are estimated from so many rows, which does not count"


def compared(found: Findings) -> str:
    """Return a clause about the best model of direct dependence."""
    leads = direct_leads(found)
    if leads.empty:
        return "and no model of direct dependence was tried"
    best = leads.loc[leads.value.idxmax()]
    name = f"the best model of direct dependence, {best.reading.removeprefix('lead of ')},"
    size = plus_minus(abs(best.value), best.error)
    if abs(best.value) <= best.within:
        return f"and {name} predicts held-out rows as well within errors ({plus_minus(best.value, best.error)})"
    return f"and {name} predicts held-out rows {'better' if best.value > 0 else 'worse'}, by {size} nats per row"


def direct_leads(found: Findings) -> pd.DataFrame:
    """Return the leads of models of direct dependence; "within" are the nats that one of so many is off by chance."""
    readings = found.tables["readings"]
    leads = readings[readings.kind == "direct dependence"]
    return leads.assign(within=family_errors(leads, max(len(leads), 1), LEAD_ERRORS) * leads.error)


def by_a_tree(found: Findings) -> list[str]:
    """Return a sentence about a tree that predicts held-out rows better than the description does, if it does."""
    leads = direct_leads(found)
    if not (leads.reading.eq(f"lead of {TREE}") & (leads.value > leads.within)).any():
        return []
    does = "does" if found.description.latents == 1 else "do"
    return [
        "A tree, on which every variable depends on one other alone, explains the correlations better than "
        f"{described(found)} {does}."
    ]


def without_latents(found: Findings) -> list[str]:
    """Return a sentence about the model of direct dependence that is ahead of independent variables, if one is."""
    direct = found.tables["models"].query("direct")
    if direct.empty:
        return []
    best = direct.loc[direct.validation_log_likelihood.idxmax()]
    if best.gain_over_independent <= found.independence.settings.gained * best.gain_over_independent_error:
        return []
    size = plus_minus(best.gain_over_independent, best.gain_over_independent_error)
    return [f"The best model of direct dependence, {best.model}, does, by {size} nats per row."]


def drifting(found: Findings) -> list[str]:
    """Return sentences about rates and latent variables that follow the order of the rows, and about memory."""
    test, decision = found.independence, found.decision
    said = []
    if decision.drift:
        both = test.drifts and decision.latents_drift
        what = "Rates and latent variables" if both else "Rates of variables" if test.drifts else "Latent variables"
        said.append(f"{what} follow the order of the rows.")
        said += [] if decision.drift_alone else [within_windows(found)]
    if test.change is not None and test.changes:
        said.append(
            "Correlations of pairs differ between the first half of the rows and the second "
            f"({errors(test.change.significance)}): no single law holds of all rows."
        )
    if test.correlation_time > 1:
        said.append(
            f"Rows resemble their neighbours over {test.correlation_time:.1f} rows: for the slowest variable they are "
            f"worth about {test.effective:,.0f} independent ones, of which errors take account."
        )
    return said


def predictable(found: Findings) -> list[str]:
    """Return a sentence about the nats of a row that the rows before it hold, if they are seen beyond doubt.

    An error from few blocks is not well known: the number of errors that is asked for of many is larger then, such that
    chance exceeds it as rarely (Student).
    """
    numbers = found.metrics
    if "memory" not in numbers:
        return []
    errors = t.isf(norm.sf(found.settings.memory.seen), max(numbers["memory_blocks"] - 1, 1))
    # An error that is not known is above nothing.
    if not numbers["memory"] > errors * numbers["memory_error"]:
        return []
    size = plus_minus(numbers["memory"], numbers["memory_error"])
    return [
        f"Of the {numbers['memory_of']:.3g} nats per row that the likeliest model of single rows leaves, {size} are "
        "predictable from the rows before."
    ]


def couplings_command(call: str) -> str:
    """Return the command that infers couplings from the data of a discovery, without what it would refuse.

    >>> couplings_command("vae-mf discover 'x y.npy' quick=true order=time dataset.variables=9")
    "vae-mf infer-couplings 'x y.npy' dataset.variables=9"
    """
    given = shlex.split(call)[2:]
    # A file stands for itself, and may have a name with an equals sign.
    kept = [each for each in given if each.startswith("dataset") or "=" not in each or Path(each).exists()]
    return shlex.join(["vae-mf", "infer-couplings", *kept])


def thorough_call(call: str) -> str:
    """Return the call of a first look without that, for a folder of its own; empty if it was no first look.

    >>> thorough_call("vae-mf discover 'x y.npy' quick=true folder=out seed=2")
    "vae-mf discover 'x y.npy' seed=2"
    >>> thorough_call("vae-mf discover x.npy"), thorough_call("discover(data, order='auto', quick=True)")
    ('', "discover(data, order='auto', quick=False)")
    """
    if not call.startswith("vae-mf discover"):
        return call.replace("quick=True", "quick=False") if "quick=True" in call else ""
    given = shlex.split(call)
    kept = [each for each in given if each.lower() != "quick=true"]
    return shlex.join(each for each in kept if not each.startswith("folder=")) if kept != given else ""


def halves_call(call: str) -> str:
    """Return Python that looks at the first half of the rows; empty where the data are no file of the user.

    >>> print(halves_call("vae-mf discover 'x y.npy' quick=true dataset.bin_width=0.1"))
    from vae_mf import datasets, discover
    data = datasets.read_recording(path='x y.npy', bin_width=0.1)
    discover(data.rows[: len(data.rows) // 2], names=data.names, quick=True).save("first_half.html")
    """
    read = "datasets.make_recording(data)"
    if call.startswith("vae-mf discover"):
        kept = shlex.split(couplings_command(call))[2:]
        options = [each if each.startswith("dataset") else f"dataset.path={each}" for each in kept]
        given = dict(option.removeprefix("dataset.").split("=", 1) for option in options)
        if "path" not in given or "dataset" in given:
            return ""
        read = f"datasets.read_recording({', '.join(f'{key}={typed_value(text)!r}' for key, text in given.items())})"
    return (
        f"from vae_mf import datasets, discover\ndata = {read}\n"
        'discover(data.rows[: len(data.rows) // 2], names=data.names, quick=True).save("first_half.html")'
    )


def typed_value(text: str) -> object:
    r"""Return what the value of an option is that was typed in the grammar of Hydra.

    >>> typed_value("x y.npy"), typed_value("0.1"), typed_value(r"'it\'s [1].npy'"), typed_value("[0,'a b']")
    ('x y.npy', 0.1, "it's [1].npy", [0, 'a b'])
    """
    value = OverridesParser.create().parse_override(f"value={text}").value()
    return value.replace(r"\${", "${") if isinstance(value, str) else value


def next_steps(found: Findings, call: str) -> list[tuple[str, str]]:
    """Return what to do next, each with the command or call that does it, which may be empty.

    Args:
        found: the findings.
        call: command line or call that asked for the report.
    """
    answer = found.decision.answer
    typed = call.startswith("vae-mf discover")
    thorough = thorough_call(call)
    steps = []
    open_question = answer == NOT_DECIDED or found.decision.unsaturated
    if thorough and open_question and not found.decision.repeated:
        steps.append(("More training and all rows, which may decide", thorough))
    # Neither an answer that was taken back nor rows of several laws want more of them.
    answers = {answer, found.assessment.verdict.answer if found.assessment else None}
    if found.assessment and answers == {NOT_DECIDED} and not found.decision.drift:
        rows = rows_to_decide(found.assessment.verdict.left)
        if np.isfinite(rows):
            more = f"it takes about {float(f'{rows:.2g}'):,.0f} rows or more, and there are"
            steps.append((f"More data: {more} {len(found.rows.recording.rows):,}", ""))
    if answer == NOT_FOUND and by_pairs(found):
        steps.append(("The couplings of pairs", couplings_command(call) if typed else COUPLINGS))
    if found.decision.drift:
        steps.append(("The same of half of the rows, over which rates change less", halves_call(call)))
    if thorough and answer == FOUND:
        steps.append(("The same with more repetitions, before it is published", thorough))
    if found.model is not None and not typed:
        steps.append(("The latent variables, or the probabilities of the classes, of any rows", "report.encode(data)"))
    return steps


def by_pairs(found: Findings) -> bool:
    """Return True unless what a refuted description leaves are larger sets alone, which couplings of pairs miss."""
    if found.assessment is None:
        return True
    least = found.tables["left"].iloc[-1].least
    readings = found.tables["readings"].set_index("reading")
    return readings.kind[least] not in ("higher order", "sets")


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
    text = f"{kind[0].upper()}{kind[1:]}.{in_groups(found)}"
    if not repetitions:
        return text
    share = "all" if recovered == len(table) else number(recovered)
    several = f"{share} of them {'was' if recovered == 1 else 'were'}"
    which = several if len(table) > 1 else "it was" if recovered else "it was not"
    where = f"In {counted(repetitions, 'repetition')} with other seeds or parts of the data"
    return f"{text} {where}, {which} recovered."


def in_groups(found: Findings) -> str:
    """Return a sentence about the sets of few variables that carry a latent variable of their own, if there are any."""
    if "groups" not in found.tables:
        return ""
    named = list(found.tables["groups"].variables)
    which = "One latent variable stands" if len(named) == 1 else f"{number(len(named)).capitalize()} of them stand"
    listed = " / ".join(named[:GROUPS_SHOWN]) + (" and more" if len(named) > GROUPS_SHOWN else "")
    return f" {which} for few variables: {listed}."


def limits(found: Findings) -> list[str]:
    """Return the limits of the report, a sentence or two each."""
    rows = found.rows
    settings = found.settings
    in_time = "of dynamics beyond what the rows before predict, or of causes"
    unsaid = in_time if "memory" in found.tables else "of dynamics or causes"
    said = [
        f"Held out were {SPLITS[rows.split]}. Gains hold for rows of that kind.",
        f"Rows are taken as draws from one law: nothing is said {unsaid}.",
    ]
    if rows.split == "random":
        said.append("If neighbouring rows resemble each other, rows held out at random are too easily predicted.")
    if found.assessment is not None:
        higher = found.tables["readings"].kind.eq("higher order").sum()
        seen = f"pairs, orders up to {higher + 2}" if higher else "pairs"
        said += [
            f"What is left is bounded from above as far as {seen} and the models that were tried can see; correlations "
            "that none of them sees are not excluded by any number of rows.",
            seen_from(found),
            "The total correlation is at least what is explained and seen: shares err on the high side.",
        ]
    if found.description.latents == found.tables["sweep"].latents.max() > 0:
        said.append(f"The largest number of latent variables that was tried, {found.description.latents}, was chosen.")
    if found.description.classes:
        said.append("A number k of classes spans k - 1 linear dimensions.")
    if found.description.latents:
        said += [
            "The number of latent variables is a linear dimension: one circular variable needs two.",
            "Log-odds are linear in the latent variables. These are known up to an invertible mixing: patterns that "
            "are no sign vectors are the principal axes of the space that they share.",
        ]
        if settings.training.start == "components":
            said.append(
                "Every training starts at the principal components of its rows: that a pattern is recovered with "
                "another seed says less than that it is in another part of the data."
            )
    return said


def seen_from(found: Findings) -> str:
    """Return a sentence about the nats from which on a single set beyond the description is seen."""
    scan = found.tables["set_scan"].iloc[-1]
    sizes = "three" if scan.order == 3 else "three or four"
    if not scan.order:
        return f"There are too many sets of {sizes} variables to look through them one by one."
    least = f"{scan.detectable:.2g} nats per row on, 95 times in 100"
    return f"A single set of {sizes} variables that no pair shows is seen from {least}."


def leading(values: pd.Series, kind: str = "", count: int = 6) -> tuple[str, str]:
    """Return the names of the variables that a pattern raises most, and lowers most; of a sign vector how many.

    Args:
        values: components of the pattern by the names of the variables.
        kind: kind of the pattern.
        count: number of names, at most.
    """
    values = values.sort_values(kind="stable")
    raised, lowered = values[values > 0].index[::-1], values[values < 0].index
    if kind == SIGN:
        return f"{len(raised)} variables", f"{len(lowered)} variables"
    # Names of pixels have a comma of their own.
    mark = "; " if any("," in str(name) for name in values.index) else ", "
    most, least = (mark.join(map(str, names[:count])) or "–" for names in (raised, lowered))
    return most, least
