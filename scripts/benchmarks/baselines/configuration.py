"""Configurations of the commands, for benchmarks that take their numbers from conf."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from vae_mf.paths import configurations
from vae_mf.runs.resolvers import register


def composed(command: str, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of a command under some options."""
    register()
    with initialize_config_dir(str(configurations()), version_base="1.3"):
        return compose(command, list(overrides))
