"""Sources of the package as syntax trees, and their measurable shape."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.ClassDef, *FUNCTIONS)


@dataclass(frozen=True)
class Source:
    """Text of a module and its path, seen from the root of the project."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree."""
        return list(ast.walk(self.tree))

    @property
    def room(self) -> str:
        """The folder of the package that the module is in, or the module itself on the ground floor."""
        return "/".join(self.path.split("/")[:2])


@cache
def sources(folder: Path) -> list[Source]:
    """All modules below a folder, read and parsed once."""
    root = folder.parent
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in sorted(folder.rglob("*.py"))]


def imported(tree: ast.Module) -> set[str]:
    """Names of all modules that a module imports, at any depth."""
    nodes = list(ast.walk(tree))
    direct = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return direct | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, methods and inner ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]


def called(call: ast.Call) -> str:
    """The last name of what is called, as in ``module.name()``."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def unreachable(tree: ast.Module, start: str) -> set[str]:
    """Functions and classes of a module that neither ``start`` nor a statement of the module leads to."""
    definitions = {node.name: node for node in tree.body if isinstance(node, DEFINITIONS)}
    statements = [node for node in tree.body if not isinstance(node, DEFINITIONS)]
    pending, found = {start, *names(statements)}, set()
    while pending := (pending & definitions.keys()) - found:
        found |= pending
        pending = set(names([definitions[name] for name in pending]))
    return definitions.keys() - found


def names(nodes: list[ast.AST]) -> Iterator[str]:
    """Names that are read or written somewhere in syntax trees."""
    return (node.id for tree in nodes for node in ast.walk(tree) if isinstance(node, ast.Name))


def examples(tree: ast.Module) -> list[str]:
    """Public functions, classes and methods whose docstring shows an example that runs."""
    found = [node for node in ast.walk(tree) if isinstance(node, DEFINITIONS) and not node.name.startswith("_")]
    return [node.name for node in found if runs_an_example(ast.get_docstring(node) or "")]


def runs_an_example(text: str) -> bool:
    """True if a docstring holds an example that is not skipped."""
    return any(line.lstrip().startswith(">>>") and "+SKIP" not in line for line in text.splitlines())
