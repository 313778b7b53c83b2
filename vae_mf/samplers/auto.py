"""Default sampler of a system, named in the system's own file."""

from pkgutil import resolve_name

from vae_mf.checks import shown
from vae_mf.samplers.base import Sampler
from vae_mf.systems.base import HasSampler, System


def automatic_sampler(system: System) -> Sampler:
    """Return the sampler that a system names as its fastest, with default settings.

    >>> from vae_mf.systems import CurieWeiss
    >>> automatic_sampler(CurieWeiss(64)).name
    'curie_weiss_direct'

    Args:
        system: system to sample.

    Raises:
        ValueError: if the system names none.
    """
    if isinstance(system, type) or not isinstance(system, HasSampler):
        expected = "one with a default_sampler, such as vae_mf.systems.CurieWeiss(64)"
        raise ValueError(f"system: expected {expected}, got {shown(system)}; choose a sampler")
    return resolve_name(system.default_sampler)(system)
