"""Section of a page about estimators of nats: the leaderboard, all answers, and the rows at which each fails."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from vae_mf.benchmarks.leaderboard import COVERING, Tolerances, failures
from vae_mf.texts import in_markdown

SECTION = "leaderboard.md"
"""File of the section in the folder of every benchmark."""
LONG = 1e5
"""Number from which all its digits are not read."""
NAMED = 4
"""Rows that are named of those at which an estimator fails."""
NO_ANSWER = "no answer"
PAGE = r"""# Leaderboards

Benchmarks whose answers are known, each by one command. The sections below are those of the last runs of the commands
that they name; the option `page=FILE` writes this page.

| benchmark | command | about |
| --- | --- | --- |
| total correlation | `vae-mf benchmark total-correlation` | estimators of TC(x), C(x\|z) and the information of a cut |
| verdicts | `vae-mf benchmark verdicts` | discoveries on data whose number of collective variables is known |
| inverse Ising | `vae-mf benchmark inverse-ising` | estimators of couplings, their time and error |

## Enter your own estimator

A function of rows that returns nats and their error, in a file or a module:

{yours}

One with a parameter `cut`, true for the variables of part A, is asked for I(A; B) itself; any other for TC(x), TC(x_A)
and TC(x_B), whose difference it is. One with a parameter `side` is given the side of a lattice. It runs in a process of
its own, under the options `time_limit` and `rows` and within the memory that is free, and takes its place in the table
beside `estimators`. Its answers are kept, and asked for again where it, or a module of yours that it imports, has
changed; after other changes, as of data or packages, `again=true` does so.

## Reach of the chain rule and of residual orders

`chain_rule` looks through all sets of seven variables up to 60 variables, of six up to 83, of five up to 138, of four
up to 314 and of three up to 1339; beyond, only those of first neighbours. A set is seen in a first look at as few as
150 rows, so that a correlation of 0.4 passes it half of the time there, and a weaker one where more rows are
affordable. `residual_orders` adds what orders two to four show of very many sets, each too weak to be seen; where they
grow it gives no answer. Neither sees what more than eight order parameters say together, nor counts in its error what
it does not see. The critic is a lower bound, whose error holds what it is seen to fall short by. All take rows as
independent and in random order: the first two thirds are fitted to and the others held out, so rows that are sorted, or
that drift, read far too little. Of directors the chain rule holds what turns with all of them, and no axes of a field.
"""
YOURS = """```python
# my_estimator.py
import numpy as np


def nats(rows, given=None):  # rows (M, N) of -1 and +1; given (M, d) where C(x|z) is asked for, else None
    if given is not None or rows.ndim > 2:
        raise ValueError("does not take latent variables or directors")
    correlations = np.corrcoef(rows.T)
    value = -np.linalg.slogdet(correlations)[1] / 2
    return value, None  # nats, and their error or None
```

```bash
vae-mf benchmark total-correlation estimator=my_estimator.py:nats
```"""


def page(sections: Iterable[str], figure: str | None = None) -> str:
    """Return the page of all benchmarks, from the section of each and the name of a file beside it."""
    shown = [] if figure is None else [f"![Estimates over exact nats, and accuracy against cost]({figure})\n"]
    return "\n".join([PAGE.format(yours=YOURS), *shown, *sections])


def section(scores: pd.DataFrame, board: pd.DataFrame, command: str, made_on: str, tolerances: Tolerances) -> str:
    """Return the section in Markdown.

    Args:
        scores: every answer, as of `leaderboard.scored`.
        board: a line for every estimator.
        command: command that made them.
        made_on: processor and versions.
        tolerances: distance that is allowed.
    """
    allowed = f"{100 * tolerances.relative:.3g}% of the exact nats, or {tolerances.absolute:g} nats where that is more"
    problems = scores.drop_duplicates("problem")
    about = (
        f"`{command}` on {made_on}.\n\n{counted(len(problems), 'problem')} of {problems.exact.min():.3g} to "
        f"{problems.exact.max():.3g} nats, {int(problems.rows.max()):,} rows each. *Within* counts answers that are "
        f"off by at most {allowed}; *covered* those whose interval of {COVERING:g} errors holds the exact value; "
        "*largest* is the most nats that were met; *median off* is taken over rows above a tenth of a nat."
    )
    parts = ["## Total correlation", about, table(board_lines(board)), lead(board) + partly(board, len(problems))]
    parts += ["### Where each fails", *failure_sentences(scores, tolerances)]
    parts += ["### Every answer", "Nats, with errors; bold is within the tolerance.", table(answer_lines(scores))]
    return "\n\n".join(parts) + "\n"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "problem"), counted(33, "problem")
    ('1 problem', '33 problems')
    """
    return f"{number} {noun}" + "s" * (number != 1)


def table(lines: list[list[str]]) -> str:
    """Return a table, its first line the head.

    >>> print(table([["a"], ["1"]]))
    | a |
    | --- |
    | 1 |
    """
    rule = ["---"] * len(lines[0])
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def board_lines(board: pd.DataFrame) -> list[list[str]]:
    """Return the lines of the leaderboard."""
    lines = [["estimator", "within", "covered", "largest", "median off", "CPU s"]]
    for row in board.itertuples():
        largest = "-" if np.isnan(row.largest_within) else f"{row.largest_within:.3g}"
        median = "-" if np.isnan(row.median_off) else in_per_cent(row.median_off)
        counts = [f"{row.within} of {row.asked}", f"{row.covered} of {row.with_error}"]
        lines.append([in_markdown(str(row.estimator)), *counts, largest, median, f"{row.cpu_seconds:.0f}"])
    return lines


def in_per_cent(share: float) -> str:
    """Return a share in per cent, without more digits than are read.

    >>> in_per_cent(0.043), in_per_cent(439.57), in_per_cent(1e308), in_per_cent(float("inf"))
    ('4.3%', '43957%', '1e+308 times', 'inf times')
    """
    if share * 100 >= LONG:
        return f"{share:.2g} times"
    return f"{share:.1%}" if share < 10 else f"{share:.0%}"


def lead(board: pd.DataFrame) -> str:
    """Return a sentence about the first of the leaderboard."""
    first = board.iloc[0]
    said = f"`{first.estimator}` is within the tolerance on {first.within} of {first.asked} problems"
    if first.within:
        said += f", up to {first.largest_within:.0f} nats"
    return f"{said}, in {first.cpu_seconds:.0f} s of processor time in all."


def partly(board: pd.DataFrame, problems: int) -> str:
    """Return a sentence about estimators that were not asked about all problems, nothing if there are none."""
    few = board[board.asked < problems]
    names = ", ".join(f"`{row.estimator}` {row.asked}" for row in few.itertuples())
    return f" Not all were asked about all {problems} problems: {names}." if names else ""


def failure_sentences(scores: pd.DataFrame, tolerances: Tolerances) -> list[str]:
    """Return a line for every estimator about the rows at which it fails, the farthest first."""
    outside = failures(scores)
    lines = []
    for name in scores.estimator.unique():
        own = outside.get(name)
        if own is None:
            lines.append(f"- `{name}`: nowhere.")
            continue
        silent = own[own.value.isna()]
        wrong = own[own.value.notna()]
        said = [f"{row.problem} ({row.value:.3g} for {row.exact:.3g})" for row in wrong.head(NAMED).itertuples()]
        more = [f"{len(wrong) - NAMED} more"] if len(wrong) > NAMED else []
        quiet = [f"{NO_ANSWER} to {len(silent)}: {reasons(silent)}"] if len(silent) else []
        lines.append(f"- `{name}`: {in_markdown('; '.join([*said, *more, *quiet]))}.")
    return ["\n".join(lines)]


def reasons(silent: pd.DataFrame) -> str:
    """Return the reasons for which no answer was given, each once."""
    return ", ".join(dict.fromkeys(str(each) for each in silent.remark))


def answer_lines(scores: pd.DataFrame) -> list[list[str]]:
    """Return the lines of all answers: a line for a problem, a column for an estimator."""
    names = list(scores.estimator.unique())
    lines = [["problem", "quantity", "exact", *map(in_markdown, names)]]
    for problem, own in scores.groupby("problem", sort=False):
        first = own.iloc[0]
        found = {row["estimator"]: answer_text(row) for row in own.to_dict("records")}
        exact = "0" if first.exact < 1e-9 else f"{first.exact:.4g}"
        entries = [in_markdown(str(problem)), in_markdown(str(first.quantity)), exact]
        lines.append([*entries, *(found.get(name, "") for name in names)])
    return lines


def answer_text(row: dict[str, Any]) -> str:
    """Return an answer with its error, bold if it is within the tolerance.

    >>> answer_text({"value": 0.5, "error": 0.02, "within": True})
    '**0.500 ± 0.02**'
    """
    value, error = row["value"], row["error"]
    if np.isnan(value):
        return "-"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 0
    text = f"{value:.{digits}f}" if abs(value) < LONG else f"{value:.3g}"
    text += "" if np.isnan(error) else f" ± {error:.1g}"
    return f"**{text}**" if row["within"] else text
