"""Resolvers of OmegaConf that the configurations use."""

from functools import partial
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from vae_mf.paths import workplace
from vae_mf.runs.composition import REPLACED, SUBJECTS
from vae_mf.runs.identity import IDENTITY, config_digest
from vae_mf.runs.names import put
from vae_mf.samplers.plan import temperature_grid


def node_digest(*paths: str, _root_: DictConfig) -> str:
    """Return the digest of options and groups, by default of everything that the results of a run depend on."""
    config: dict[str, Any] = {}
    for path in paths or IDENTITY:
        value = OmegaConf.select(_root_, path, throw_on_missing=True)
        if value is not None:
            put(config, path, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value)
    return config_digest(config, paths or IDENTITY)


def name_of_run() -> str:
    """Return the name of the experiment, or, where that is another's system or data, the name of these."""
    choices = HydraConfig.get().runtime.choices
    subject = [choices[group] for group in SUBJECTS if choices.get(group) is not None]
    experiment = choices.get("experiment")
    own = experiment is not None and set(SUBJECTS).isdisjoint(choices[REPLACED])
    return str(experiment if own else next(iter(subject), "run"))


def register() -> None:
    """Make the resolvers known to OmegaConf."""
    OmegaConf.register_new_resolver("digest", node_digest, replace=True)
    OmegaConf.register_new_resolver("linear_grid", temperature_grid, replace=True)
    OmegaConf.register_new_resolver("log_grid", partial(temperature_grid, spacing="log"), replace=True)
    OmegaConf.register_new_resolver("name_of_run", name_of_run, replace=True)
    OmegaConf.register_new_resolver("workplace", lambda: str(workplace()), replace=True)
