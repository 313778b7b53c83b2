"""Sentences about the findings of a discovery; plain text, nothing escaped yet."""

import pandas as pd

from vae_mf.analysis.found_patterns import SIGN
from vae_mf.discovery.findings import Findings
from vae_mf.discovery.model_selection import NOTHING, SIGNIFICANT
from vae_mf.statistics.averages import Average
from vae_mf.verdict.decision import FOUND, NOT_FOUND

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


def headline(found: Findings) -> str:
    """Return the answer as a title."""
    if found.decision.answer == NOTHING:
        return "Nothing to find"
    if not found.choice.latents:
        return "Correlated, but not by collective variables"
    variables = counted(found.choice.latents, "collective variable").capitalize()
    if found.decision.answer == FOUND:
        return f"{variables}, and {'it explains' if found.choice.latents == 1 else 'they explain'} the correlations"
    return f"{variables}, {'and more' if found.decision.answer == NOT_FOUND else 'at least'}"


def summary(found: Findings) -> list[str]:
    """Return the answer in a few sentences."""
    rows, variables = found.rows.test.shape
    if found.decision.answer == NOTHING:
        seen = SIGNIFICANT * gain_of_one(found).error
        return [
            f"No model predicts the {rows:,} held-out rows better than {variables} independent variables do: neither "
            "one with latent variables nor any other that was tried. If these data hold collective variables, their "
            f"effect is too weak to be seen in this many rows: a gain of {seen:.1g} nats per row would have been."
        ]
    numbers = found.metrics
    gain = plus_minus(numbers["gain_over_independent"], numbers["gain_over_independent_error"])
    if not found.choice.latents:
        return ["No number of latent variables predicts held-out rows better than independent variables do."]
    text = [
        f"A model with {counted(found.choice.latents, 'latent variable')} predicts held-out rows better than "
        f"independent variables do, by {gain} nats per row. {unexplained(found)}"
    ]
    return [*text, patterns(found)]


def gain_of_one(found: Findings) -> Average:
    """Return the gain of one latent variable over independent variables on the test rows."""
    row = found.choice.table.set_index("latents").loc[1]
    return Average(float(row.gain), float(row.gain_error))


def unexplained(found: Findings) -> str:
    """Return a sentence about the correlations that the latent variables leave."""
    numbers = found.metrics
    left = f"{plus_minus(numbers['unexplained'], numbers['unexplained_error'])} nats per row"
    missed = f"a critic that may miss up to {numbers['critic_floor']:.2g} nats per row"
    bound = found.settings.assessment.tolerance * found.rows.test.shape[1]
    if found.decision.answer == FOUND:
        seen = f"{left} are left for" if numbers["unexplained"] else "nothing is left for"
        return f"Given these variables all others are independent, as far as can be seen: {seen} {missed}."
    if found.decision.answer == NOT_FOUND:
        return f"They do not explain everything: {left} of correlations are left, where {bound:.2g} would be tolerable."
    seen = f"{left} of correlations are" if numbers["unexplained"] else "nothing is"
    return f"Whether they explain everything is not decided: {seen} seen to be left by {missed}."


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
        "Rows are taken as draws from one law, whatever their order: nothing is said of dynamics or causes.",
    ]
    if rows.split == "random":
        said.append("If neighbouring rows resemble each other, rows held out at random are too easily predicted.")
    if found.choice.latents == settings.selection.largest_latents:
        said.append(
            f"The largest number of latent variables that was tried, {settings.selection.largest_latents}, was chosen."
        )
    if found.choice.latents:
        said += [
            "The number of latent variables is the smallest that predicts as well as the best within the error; more "
            "data may ask for more of them.",
            f"Unexplained correlations are seen by a critic, which may miss up to {found.metrics['critic_floor']:.2f} "
            "nats per row; what it reads is a lower bound.",
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
