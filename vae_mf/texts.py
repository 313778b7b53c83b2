r"""Texts from data, such as names of variables and files, in every medium that shows them.

Each medium has one function: a terminal, HTML, Markdown and CSV here, figures in `plotting.style.in_figure`. JSON and
YAML escape by themselves. In all but CSV, which holds the text itself, characters that would act instead of being seen
are written as escapes, a line break as \n.
"""

import re
from html import escape
from itertools import groupby
from unicodedata import bidirectional

HIDDEN = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters but line break and tab, marks that turn the direction of writing, and bytes that are no text."""
ACTING = re.compile(f"[{HIDDEN}\n\t]")
ACTING_IN_CODE = re.compile(f"[{HIDDEN}]")
UNDECODED = re.compile("[\udc80-\udcff]+")
"""Bytes of a file name that Python could not decode, for the locale may be another than that of the name."""
ISOLATE, POP = "\u2068", "\u2069"
RIGHT_TO_LEFT = ("R", "AL")
MARKUP = re.compile(r"[\\`*\[\]<>|&$~]|(?<![^\W_])_|_(?![^\W_])")
"""Punctuation that Markdown may read; an underscore inside a word it leaves alone."""
EXECUTED = "(?:^|(?<=[;\t\r\n])){}(?='*[=+\\-@\t\r\n＝＋－＠])"
"""Beginning of what a spreadsheet may execute, behind any mark that parts entries somewhere, and any apostrophes."""
TO_QUOTE = re.compile(EXECUTED.format(""))
TO_UNQUOTE = re.compile(EXECUTED.format("'"))


def visible(text: str) -> str:
    r"""Return a text on one line, in which characters that act are escapes.

    >>> print(visible("a\nb\x1b[31m\u202e"))
    a\nb\x1b[31m\u202e
    """
    return ACTING.sub(_escaped, UNDECODED.sub(_decoded, text))


def has_undecoded(name: str) -> bool:
    r"""Return whether the name of a file holds bytes that are no text in the encoding of file names.

    >>> has_undecoded("gr\udcf6sse.csv"), has_undecoded("größe.csv")
    (True, False)
    """
    return UNDECODED.search(name) is not None


def _decoded(match: re.Match[str]) -> str:
    return match[0].encode(errors="surrogateescape").decode(errors="surrogateescape")


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def isolated(text: str) -> str:
    """Return a text whose words from right to left do not turn what follows them, as numbers would be.

    >>> isolated("אב: 12") == f"{ISOLATE}אב{POP}: 12"
    True
    """
    if text.isascii():
        return text
    strong = [(place, kind) for place, kind in enumerate(map(bidirectional, text)) if kind in ("L", *RIGHT_TO_LEFT)]
    parts, end = [], 0
    for turned, letters in groupby(strong, lambda letter: letter[1] in RIGHT_TO_LEFT):
        places = [place for place, _ in letters]
        if turned:
            first, past = places[0], places[-1] + 1
            while past < len(text) and bidirectional(text[past]) == "NSM":  # accents belong to the letter before them
                past += 1
            parts += [text[end:first], ISOLATE, text[first:past], POP]
            end = past
    return "".join([*parts, text[end:]])


def on_terminal(text: str) -> str:
    r"""Return a text as one line for a terminal, which would obey control characters.

    >>> print(on_terminal("cell\r\x1b]0;owned\x07"))
    cell\r\x1b]0;owned\x07
    """
    return isolated(visible(text))


def in_html(text: str) -> str:
    """Return a text for an element or an attribute of HTML.

    >>> in_html('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(isolated(visible(text)))


def code_in_html(text: str) -> str:
    r"""Return lines that somebody may copy for an element of HTML: line breaks and tabs stay, no mark is added.

    >>> code_in_html("cat 'a\nb' <c")
    'cat &#x27;a\nb&#x27; &lt;c'
    """
    return escape(ACTING_IN_CODE.sub(_escaped, text))


def in_markdown(text: str) -> str:
    r"""Return a text for a line or the entry of a table of Markdown, with or without HTML and formulas in it.

    >>> print(in_markdown("|m| of [a](b) in sign_vectors, _c_"))
    \|m\| of \[a\](b) in sign_vectors, \_c\_
    """
    return MARKUP.sub(r"\\\g<0>", on_terminal(text))


def in_csv(text: str) -> str:
    """Return a text as the entry of a CSV file, with an apostrophe before what a spreadsheet would execute.

    >>> in_csv("=1+1"), in_csv("'=1+1"), in_csv("a;=1+1"), in_csv("'s")
    ("'=1+1", "''=1+1", "a;'=1+1", "'s")
    """
    return TO_QUOTE.sub("'", text)


def from_csv(entry: str) -> str:
    """Return the text that `in_csv` has made an entry of.

    >>> from_csv("'=1+1"), from_csv("''=1+1"), from_csv("a;'=1+1"), from_csv("'s")
    ('=1+1', "'=1+1", 'a;=1+1', "'s")
    """
    return TO_UNQUOTE.sub("", entry)


def shortened(text: str, length: int) -> str:
    """Return a text of at most so many characters, from the middle of which the rest is left out.

    >>> shortened("Homo sapiens isolate 17", 12)
    'Homo s…te 17'
    """
    kept = length - 1
    return text if len(text) <= length else f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"
