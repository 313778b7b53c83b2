"""Default sampler of a system, named in the system's own file."""

from pkgutil import resolve_name

from vae_mf.samplers.base import Sampler
from vae_mf.systems.base import HasSampler, System


def automatic_sampler(system: System) -> Sampler:
    """Return the sampler that a system names as its fastest, with default settings.

    >>> from vae_mf.systems import CurieWeiss
    >>> automatic_sampler(CurieWeiss(64)).name
    'curie_weiss_direct'

    Raises:
        ValueError: if the system names none.
    """
    if not isinstance(system, HasSampler):
        raise ValueError(f"system: expected one with a default_sampler, got {type(system).__name__}; choose a sampler")
    return resolve_name(system.default_sampler)(system)
