"""Composition of configurations, in which a value goes with the class that it was written for."""

from hydra._internal import hydra as maker
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.default_element import GroupDefault, ResultDefault
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from vae_mf.runs.names import TARGET

REPLACED = "replaced"
"""Entry beside the choices that Hydra keeps: groups of which an experiment had chosen something else, or nothing."""
SUBJECTS = ("system", "dataset")
"""Groups that say what a run is about."""


class Composer(ConfigLoaderImpl):
    """Hydra's composition, less the values of an experiment for a class that another choice has replaced."""

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        packages = {str(default.config_path): default.package for default in defaults}
        made_for: dict[str, str] = {}
        for file in sorted(packages, key=lambda file: "/" in file):  # the root file first, then in their order
            found = repo.load_config(file)
            if found and ("/" not in file or found.header["package"] == "_global_"):
                made_for |= choices_of(found)
                replaced = {group: choice for group, choice in made_for.items() if choice not in packages}
                for group, choice in replaced.items() if "/" in file else ():
                    node = group.replace("/", ".")
                    own = [name for name, package in packages.items() if package == node]
                    if not own or target_of(own, repo) != target_of([choice], repo):
                        leave_out(node, found)
        config = super()._compose_config_from_defaults_list(defaults, repo)
        replaced = [group for group, choice in made_for.items() if choice not in packages]
        added = {file.partition("/")[0] for file in packages}.intersection(SUBJECTS) - made_for.keys()
        config.hydra.runtime.choices[REPLACED] = [*replaced, *sorted(added)]
        return config


def choices_of(found: ConfigResult) -> dict[str, str]:
    """Return the files that the root file or an experiment chooses, by their groups."""
    entries = [entry for entry in found.defaults_list or () if isinstance(entry, GroupDefault)]
    named = {str(entry.group).removeprefix("/"): entry.value for entry in entries}
    return {group: f"{group}/{name}" for group, name in named.items() if isinstance(name, str) and "$" not in name}


def target_of(files: list[str], repo: IConfigRepository) -> str | None:
    """Return the class that the last of these files names, None if none does."""
    found = [repo.load_config(file) for file in files]
    return next((result.config[TARGET] for result in reversed(found) if result and TARGET in result.config), None)


def leave_out(node: str, found: ConfigResult) -> None:
    """Take a node out of what a file says in this composition."""
    parent, _, name = node.rpartition(".")
    place = OmegaConf.select(found.config, parent) if parent else found.config
    if isinstance(place, DictConfig):
        place.pop(name, None)


maker.ConfigLoaderImpl = Composer  # pyright: ignore[reportPrivateImportUsage]: Hydra has no other place to say so
