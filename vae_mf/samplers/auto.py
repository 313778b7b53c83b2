"""The sampler that suits a system."""

from vae_mf.samplers.base import Sampler
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.ising2d import Ising2DAuto
from vae_mf.samplers.maier_saupe import MaierSaupeDirect
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.systems.base import System
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.systems.spin_glass import Ising

SAMPLERS = {
    CurieWeiss: CurieWeissDirect,
    Hopfield: HopfieldGibbs,
    Ising2D: Ising2DAuto,
    MaierSaupe: MaierSaupeDirect,
    Ising: IsingMetropolis,
}


def automatic_sampler(system: System) -> Sampler:
    """Return the fastest sampler of ``system``, with default settings.

    Raises:
        ValueError: if there is none for such a system.
    """
    for kind, sampler in SAMPLERS.items():
        if isinstance(system, kind):
            return sampler(system)
    names = ", ".join(kind.__name__ for kind in SAMPLERS)
    raise ValueError(f"system: expected one of {names}, got {type(system).__name__}")
