"""Resolvers of OmegaConf that the configurations use; importing this module registers them."""

from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_mf.runs.identity import IDENTITY, digest
from vae_mf.samplers.plan import temperature_grid

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def node_digest(*parts: Any) -> str:
    """Return the digest of configuration nodes."""
    return digest(
        *(OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part for part in parts)
    )


def run_digest(*, _root_: DictConfig) -> str:
    """Return the digest of everything in a configuration that its results depend on."""
    return node_digest(*(_root_.get(group) for group in IDENTITY))


OmegaConf.register_new_resolver("digest", node_digest, replace=True)
OmegaConf.register_new_resolver("run_digest", run_digest, replace=True)
OmegaConf.register_new_resolver("linear_grid", temperature_grid, replace=True)
OmegaConf.register_new_resolver("log_grid", partial(temperature_grid, spacing="log"), replace=True)
OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
