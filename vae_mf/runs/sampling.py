"""Samplers of configurations, and requests for samples."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vae_mf.runs.instantiate import instantiate
from vae_mf.samplers.base import Sampler
from vae_mf.samplers.plan import Sampling
from vae_mf.systems.base import System


def build_sampler(config: DictConfig, system: System) -> Sampler:
    """Build the sampler of a configuration, inside parallel tempering if that is asked for."""
    sampler = instantiate(config.sampler)(system)
    wrapper = config.get("tempering")
    return sampler if wrapper is None else instantiate(wrapper)(sampler)


def build_sampling(config: DictConfig, sampler: Sampler) -> Sampling:
    """Build the request for samples of a configuration.

    Raises:
        ValueError: if a number is out of range, or an option that was typed has no effect on the sampler.
    """
    sampling = instantiate(config.sampling)
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    typed = [word.lstrip("+").partition("=")[0] for word in words]
    for name, reason in sampling.unused(sampler).items():
        if f"sampling.{name}" in typed:
            raise ValueError(f"sampling.{name}: expected no such option, as {reason}, got {getattr(sampling, name)}")
    return sampling
