"""A Sphinx extension for this project: formulas without scripts, and docstrings whose marks stay marks."""

import inspect
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

COLON = "\N{RATIO} "
"""Mark in the place of a colon that is no mark of a type."""
LITERAL = re.compile(r"(``.+?``|`[^`]+`)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what this file offers."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    app.connect("autodoc-process-docstring", escaped, priority=400)  # before the sections are read, at 500
    app.connect("autodoc-process-docstring", restored, priority=600)
    app.connect("autodoc-skip-member", foreign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline_formula(translator: HTML5Translator, node: nodes.math) -> None:
    """Set a formula in a line as MathML, which browsers draw by themselves."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Set a formula of its own as MathML."""
    translator.body.append(f"<div class='formula'>{convert(node.astext(), 'block')}</div>")
    raise nodes.SkipNode


def escaped(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Keep |S|, s_, *batch and the like from becoming marks of reStructuredText, but for literals and examples."""
    if lines and what in ("property", "attribute"):
        lines[0] = lines[0].replace(": ", COLON)
    example = False
    for number, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            lines[number] = "".join(mark if LITERAL.fullmatch(mark) else plain(mark) for mark in LITERAL.split(line))


def restored(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Give a property its colon back, before which its type would have been read."""
    lines[:] = [line.replace(COLON, ": ") for line in lines]


def foreign(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Leave out members that come from other packages, such as those of torch, which have pages of their own."""
    module = inspect.getmodule(member.fget if isinstance(member, property) else member)
    return True if module and not module.__name__.startswith("vae_mf") else None


def plain(text: str) -> str:
    """Text whose marks are escaped."""
    return re.sub(r"(?<=\w)_(?!\w)|[*|\\]", lambda match: "\\" + match[0], text)
