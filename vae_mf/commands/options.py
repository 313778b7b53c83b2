"""Options of the commands: names, defaults and comments, as the YAML files of the configuration give them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_mf.paths import configurations
from vae_mf.runs.composition import Composer

HYDRA_VERSION = "1.3"
Folders = tuple[Path, ...]
COMMENT = re.compile(r"[\s{\[]*#\s*(.*)")
WIRE = re.compile(r"\$\{[\w.]+\}")
"""Default of an option that only hands on what another option says."""
INTERNAL = ("_target_", "_partial_", "defaults", "hydra")


class Option(NamedTuple):
    """One option: its dotted name, its default as YAML has it, and what the YAML file says of it."""

    name: str
    default: str
    comment: str

    @property
    def required(self) -> bool:
        """True if there is no default."""
        return self.default == "???"


class File(NamedTuple):
    """Comments of a YAML file."""

    package: str | None
    """Node that its options belong to, None for that of its group."""
    options: list[Option]
    nodes: dict[str, str]
    """Comment behind the key of every node that has one and holds others."""
    groups: dict[str, str]
    """Comment of every group in its list of defaults."""

    def names(self, group: str) -> list[str]:
        """Return the names of its options in the configuration of a command, as a choice of a group."""
        place = group.replace("/", ".") if self.package is None else self.package
        return [f"{place}.{option.name}" for option in self.options]


@dataclass(frozen=True)
class Composition:
    """Configuration of a command, as composed from the choices of its groups."""

    config: DictConfig
    """Every option, and those of Hydra under ``hydra``; nothing is resolved."""
    files: list[tuple[str, str]]
    """Files that it is composed of, in their order, each with the node that its options belong to."""
    choices: dict[str, Any]
    """Choice of every group, None for no choice, a list for several."""
    root: str
    """Name of the root file."""
    search: Folders = ()
    """Further folders of files, of one's own."""

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The configuration in plain containers, not resolved."""
        return OmegaConf.to_container(self.config, resolve=False)  # pyright: ignore

    @property
    def groups(self) -> list[str]:
        """Groups that the command chooses from, without those of Hydra."""
        return [group for group in self.choices if not group.startswith("hydra/")]

    def choices_of(self, group: str) -> list[str]:
        """Return the choices of a group, those of inner folders last; of a group of Hydra the installed ones."""
        if group.startswith("hydra/"):
            with loader_of_hydra() as loader:
                return loader.get_group_options(group)
        folders = [root / group.partition("@")[0] for root in (configurations(), *self.search)]
        names = {path.relative_to(root).with_suffix("").as_posix() for root in folders for path in root.rglob("*.yaml")}
        return sorted(names, key=lambda name: (name.count("/"), name))

    def comments(self, name: str) -> File:
        """Return the comments of one of its files, or of another choice."""
        return read_comments(name, self.search)

    def options(self) -> list[Option]:
        """Return every option with its default and its comment, in the order of the files."""
        found: dict[str, Option] = {}
        for name, node in self.files:
            for option in self.comments(name).options:
                full = f"{node}.{option.name}" if node else option.name
                before = found.get(full)
                comment = option.comment or (before.comment if before else "")
                found[full] = Option(full, option.default, comment)
        # What an experiment says of a class that another choice has replaced is no option any more.
        known = set(names_in(self.plain))
        said = [option for option in found.values() if option.name in known]
        return [option for option in said if option.comment or not WIRE.fullmatch(option.default)]


def names_in(node: dict[Any, Any], before: str = "") -> Iterator[str]:
    """Yield the dotted names of everything in plain containers."""
    for key, value in node.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from names_in(value, f"{before}{key}.")


@contextmanager
def loader_of_hydra() -> Iterator[Composer]:
    """Give what Hydra reads configurations by."""
    with initialize_config_dir(str(configurations()), version_base=HYDRA_VERSION):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, Composer)
        yield loader


def compose(root: str, choices: Iterable[str] = (), search: Folders = ()) -> Composition:
    """Compose the configuration of a root file and of choices such as "experiment=retina"; what was asked is kept.

    Args:
        root: name of the root file.
        choices: assignments of groups, in the grammar of Hydra.
        search: further folders in which files of choices may be.
    """
    return composition(root, tuple(choices), search)


@cache
def composition(root: str, choices: tuple[str, ...], search: Folders) -> Composition:
    """Return the configuration of a root file and of choices."""
    own_folders = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in search)}]"] if search else []
    overrides = [*own_folders, *choices]
    with loader_of_hydra() as loader:
        config = loader.load_configuration(root, overrides, RunMode.MULTIRUN)
        defaults = loader.compute_defaults_list(root, overrides, RunMode.MULTIRUN)
    files = [(str(entry.config_path), entry.package or "") for entry in defaults.defaults if entry.config_path]
    own = [(name, node) for name, node in files if not node.startswith("hydra")]
    # Hydra knows no choice of a group that has several.
    several = {
        group: [name.removeprefix(f"{group}/") for name, _ in own if name.startswith(f"{group}/")]
        for group in read_comments(root, search).groups
    }
    return Composition(config, own, several | dict(defaults.overrides.known_choices), root, search)


@cache
def read_comments(name: str, search: Folders = ()) -> File:
    """Return what a YAML file of the configuration says in its comments."""
    paths = (folder / f"{name}.yaml" for folder in (configurations(), *search))
    text = next(path for path in paths if path.exists()).read_text(encoding="utf-8")
    lines = text.splitlines()
    package = re.match(r"# @package (\S+)", text)
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return File(package and package[1], [], {}, {})
    defaults = next((value for key, value in root.value if key.value == "defaults"), None)
    entries = defaults.value if defaults else []
    pairs = [entry.value[0] for entry in entries if isinstance(entry, yaml.MappingNode)]
    groups = {str(key.value): remark(lines, value) for key, value in pairs if " " not in str(key.value)}
    return File(package and package[1], list(leaves(root, lines, text)), dict(nodes(root, lines)), groups)


def leading(lines: list[str]) -> int:
    """Return the number of comment lines at the top of a file."""
    return next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))


def leaves(node: yaml.MappingNode, lines: list[str], text: str, parents: str = "") -> Iterator[Option]:
    """Yield the options below a node; an empty mapping is one option."""
    for key, value in node.value:
        if key.value in INTERNAL:
            continue
        name = f"{parents}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from leaves(value, lines, text, f"{name}.")
        else:
            yield Option(name, text[value.start_mark.index : value.end_mark.index], remark(lines, value, key))


def nodes(node: yaml.MappingNode, lines: list[str], parents: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name of every node with nodes inside and the comment behind its key."""
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode) and value.value and key.value not in INTERNAL:
            name = f"{parents}{key.value}"
            behind = COMMENT.fullmatch(lines[key.end_mark.line][key.end_mark.column + 1 :])
            if behind:
                yield name, behind[1]
            yield from nodes(value, lines, f"{name}.")


def remark(lines: list[str], value: yaml.Node, key: yaml.Node | None = None) -> str:
    """Return the comment behind a value, or, if there is none, that in the lines above its key."""
    end = value.end_mark
    behind = COMMENT.fullmatch(lines[end.line][end.column :]) if end.line < len(lines) else None
    if behind:
        return behind[1]
    if key is None:
        return ""
    above = []
    for line in reversed(lines[leading(lines) : key.start_mark.line]):
        if not line.lstrip().startswith("#"):
            break
        above.append(line.lstrip("# "))
    return " ".join(reversed(above))
