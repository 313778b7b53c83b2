"""Pages of the site that are made from the package, and links of documents led to its pages."""

import inspect
import itertools
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import vae_mf

ROOT = Path(__file__).resolve().parents[2]
COPIED = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Documents of the top level that are pages, with their addresses in the site."""
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
NAME = re.compile(r"(?<!\[)(`vae_mf\.(\w+)\.(\w+)`)")


def led(text: str, path: Path, pages: set[Path]) -> str:
    """Lead links of a document to pages of the site; of those to other files of the project keep the words alone.

    Public names of the package in a line become links to their pages.
    """
    here = posixpath.dirname(COPIED.get(path.name) or path.relative_to(ROOT / "docs").as_posix())

    def target(match: re.Match[str]) -> str:
        words, anchor = match[1], match[3] or ""
        found = posixpath.relpath((path.parent / match[2]).resolve(), ROOT)
        address = COPIED.get(found) or found.removeprefix("docs/")
        if address.endswith(".html"):
            return f'<a href="{posixpath.relpath(address, here or ".")}">{words}</a>'
        if Path(address) in pages:
            return f"[{words}]({posixpath.relpath(address, here or '.')}{anchor})"
        return words if (ROOT / found).exists() else match[0]

    def named(match: re.Match[str]) -> str:
        page = f"api/{match[2]}/{match[3]}.md"
        return f"[{match[1]}]({posixpath.relpath(page, here or '.')})" if public(match[2], match[3]) else match[0]

    return NAME.sub(named, LINK.sub(target, text))


def public(room: str, name: str) -> bool:
    """True if a room offers a name, which then has a page."""
    return room in vae_mf.__all__ and name in members(getattr(vae_mf, room))


def interface() -> Iterator[tuple[str, str]]:
    """Addresses and texts of the pages of the interface: all rooms, a room, a public name."""
    rooms = {name: getattr(vae_mf, name) for name in rooms_of_the_door()}
    door = [name for name in members(vae_mf) if not home(name, rooms)]
    yield "api/index.md", front_door(rooms)
    yield from ((f"api/vae_mf/{name}.md", entry(vae_mf, name)) for name in door)
    for title, room in rooms.items():
        yield f"api/{title}/index.md", listing(title, room)
        yield from ((f"api/{title}/{name}.md", entry(room, name)) for name in members(room))


def rooms_of_the_door() -> list[str]:
    """Names of the rooms that `import vae_mf` offers."""
    return [name for name in vae_mf.__all__ if inspect.ismodule(getattr(vae_mf, name))]


def members(room: ModuleType) -> list[str]:
    """Public names of a room that are no rooms themselves."""
    return [name for name in vars(room).get("__all__", []) if not inspect.ismodule(getattr(room, name))]


def home(name: str, rooms: dict[str, ModuleType]) -> str | None:
    """Room that also offers a name of the door, whose page is there."""
    found = getattr(vae_mf, name)
    return next(
        (title for title, room in rooms.items() if name in members(room) and getattr(room, name) is found), None
    )


def front_door(rooms: dict[str, ModuleType]) -> str:
    """Page that lists the names at the door and the rooms."""
    doors = {name: f"{home(name, rooms) or 'vae_mf'}/{name}" for name in members(vae_mf)}
    names = [row(f"vae_mf.{name}", f"{place}.md", getattr(vae_mf, name)) for name, place in doors.items()]
    lines = [row(f"vae_mf.{title}", f"{title}/index.md", room) for title, room in rooms.items()]
    head = "# Interface\n\nEvery public name, with shapes, units, errors, source and an example.\n\n"
    toc = contents(
        [f"vae_mf/{name}" for name in doors if not home(name, rooms)] + [f"{title}/index" for title in rooms]
    )
    return head + table("name", names) + "\n" + table("room", lines) + "\n" + toc


def listing(title: str, room: ModuleType) -> str:
    """Page of a room, with the first sentence of each of its public names."""
    rows = [row(name, f"{name}.md", getattr(room, name)) for name in members(room)]
    head = f"# vae_mf.{title}\n\n{markdown(inspect.getdoc(room) or '')}\n\n"
    return f"{head}{table('name', rows)}\n{contents(members(room))}"


def entry(room: ModuleType, name: str) -> str:
    """Page of a public name: the line that imports it, and its docstring."""
    found = getattr(room, name)
    kind = "autoclass" if inspect.isclass(found) else "autofunction" if callable(found) else "autodata"
    options = "   :members:\n   :inherited-members:\n" if kind == "autoclass" else ""
    place = f"{room.__name__}.{name}"
    return f"# {name}\n\n```{{eval-rst}}\n.. {kind}:: {place}\n{options}```\n"


def row(name: str, page: str, thing: object) -> str:
    """Row of a table: a name that leads to its page, and the first sentence of its docstring."""
    sentence = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return f"| [`{name}`]({page}) | {markdown(sentence)} |"


def markdown(text: str) -> str:
    """Prose of a docstring as Markdown."""
    parts = re.split(r"``?([^`]+)``?", text)  # prose and literals in turn
    prose = [re.sub(r"([|*_<\[\]])", r"\\\1", part) for part in parts[::2]]
    literals = [f"`{part}`" for part in parts[1::2]] + [""]
    return "".join(itertools.chain.from_iterable(zip(prose, literals, strict=True)))


def table(head: str, rows: list[str]) -> str:
    """Table of names and sentences, or nothing."""
    return "\n".join([f"| {head} | |", "|---|---|", *rows, ""]) if rows else ""


def contents(pages: list[str]) -> str:
    """Pages below this one, for the navigation alone."""
    return "\n".join(["```{toctree}", ":hidden:", "", *pages, "```", ""]) if pages else ""
