"""Paths, links, commands and code blocks that the documents promise."""

import ast
import pkgutil
import re
from importlib import import_module
from inspect import ismodule

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from helpers import PROJECT_ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md")
    for path in PROJECT_ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
"""Everything in Markdown; the history names files that are gone."""
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"(?<![\w/.-])(?:vae_mf|scripts|tests|conf|docs)/[\w/.{},-]*\w")
COMMAND = re.compile(r"^(?:python3? (?P<script>scripts/[\w/]+\.py)|vae-mf (?P<command>[a-z][a-z-]*))\b(?P<rest>.*)$")
DOTTED = re.compile(r"(?<![\w/.])vae_mf(?:\.[A-Za-z]\w*)+")
OPTION = re.compile(r"\+?(?:(?P<set>[a-z]\w*(?:[./][a-z]\w*)*)=\S|(?P<dotted>[a-z]\w*(?:\.[a-z]\w*)+)$)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"# ([\w/]+\.(?:py|yaml))\n")
"""First line of a block that is a file of its own."""
CODE = re.compile(r"`([^`\n]+)`")


def links(text: str) -> list[str]:
    """Targets of the links of a document that are files."""
    return [target for target in LINK.findall(text) if "://" not in target]


def paths(text: str) -> list[str]:
    """Files and folders of the project that a document names; patterns and files of its own are none."""
    own = FILE.findall(text)
    return [path for path in PATH.findall(text) if not re.search(r"NAME|[{}]", path) and path not in own]


def dotted_names(text: str) -> list[str]:
    """Names of the package that a document mentions; a file that is named after the package is none."""
    return [name for name in DOTTED.findall(text) if not name.endswith((".samples", ".md", ".py"))]


def resolves(name: str) -> bool:
    """True if a dotted name leads to something."""
    try:
        return pkgutil.resolve_name(name) is not None
    except (ImportError, AttributeError):
        return False


def commands(text: str) -> list[tuple[str, str]]:
    """Names and arguments of the commands of the project that a document shows, inline or in a block."""
    blocks = [line for _, block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    shown = [COMMAND.match(line.strip()) for line in blocks + CODE.findall(FENCE.sub("", text))]
    return [(match["script"] or match["command"], match["rest"].strip()) for match in shown if match]


def options(text: str) -> list[str]:
    """Names of the options that a document mentions in its prose, with a value or with a dot."""
    words = [word for code in CODE.findall(FENCE.sub("", text)) if not COMMAND.match(code) for word in code.split()]
    return [match["set"] or match["dotted"] for word in words if (match := OPTION.match(word))]


def hidden_names(code: str) -> list[str]:
    """Names that code imports or takes from the package and that no room shows."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "vae_mf":
            found += [f"{node.module}.{name.name}" for name in node.names]
        if isinstance(node, ast.Attribute):
            found += [name for name in [ast.unparse(node)] if DOTTED.fullmatch(name)]
    return [name for name in dict.fromkeys(found) if not is_shown(name)]


def is_shown(name: str) -> bool:
    """True if a dotted name leads through public names of rooms, to one of them or to what a public thing has."""
    room = import_module("vae_mf")
    for part in name.split(".")[1:]:
        if part not in room.__all__:
            return False
        room = getattr(room, part)
        if not ismodule(room):
            return True
    return True


def blocks(text: str, language: str) -> list[str]:
    """Code blocks of a language."""
    return [block for name, block in FENCE.findall(text) if name == language]


def single(override: Override) -> str:
    """One override of a command, the first of those of a sweep."""
    if not override.is_sweep_override():
        return override.input_line
    return f"{override.input_line.split('=', 1)[0]}={next(override.sweep_string_iterator())}"


def overrides(arguments: list[str]) -> list[str]:
    """Options of a command as one job has them."""
    given = [argument for argument in arguments if argument != "-m"]
    return [single(override) for override in OverridesParser.create().parse_overrides(given)]
