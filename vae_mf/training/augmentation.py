"""Exact symmetries of a Hamiltonian, applied at random to every configuration of a training batch.

A symmetry leaves the density p(x|T) unchanged, so that augmented samples are samples. None is used where a field
or the disorder breaks it: each system names its own in ``symmetries``.
"""

from collections.abc import Callable, Sequence
from math import isqrt

import torch
import torch.nn.functional as F

from vae_mf.models.directors.rotations import rotation_matrices
from vae_mf.models.tensors import ConfigurationTensor, DirectorTensor, SpinTensor

Augmentation = Callable[[ConfigurationTensor, torch.Generator], ConfigurationTensor]
"""(configurations, generator) -> equally probable configurations."""


def flip_spins(spins: SpinTensor, generator: torch.Generator) -> SpinTensor:
    """Return every configuration or its mirror image -s, with probability 1/2 each.

    >>> flip_spins(torch.ones(500, 3), torch.Generator().manual_seed(0)).sum(1).unique()
    tensor([-3.,  3.])
    """
    coins = torch.randint(2, (len(spins), 1), generator=generator, device=spins.device)
    return spins * (2 * coins - 1)


def translate(spins: SpinTensor, generator: torch.Generator) -> SpinTensor:
    """Return every configuration of an L x L torus moved by a random lattice vector.

    >>> translate(torch.tensor([[1.0, -1.0, -1.0, -1.0]]), torch.Generator().manual_seed(0)).sum()
    tensor(-2.)
    """
    rows, sites = spins.shape
    side = isqrt(sites)
    place = torch.arange(sites, device=spins.device)
    step = torch.randint(side, (2, rows, 1), generator=generator, device=spins.device)
    moved = (place % side + step[0]) % side + side * ((place // side + step[1]) % side)
    return spins.gather(1, moved)


def rotate(directors: DirectorTensor, generator: torch.Generator) -> DirectorTensor:
    """Return every configuration turned as a whole by a rotation drawn from Haar measure."""
    quaternions = torch.empty(len(directors), 4, dtype=directors.dtype, device=directors.device)
    turns = rotation_matrices(F.normalize(quaternions.normal_(generator=generator), dim=-1))
    return directors @ turns


SYMMETRIES: dict[str, Augmentation] = {"spin_flip": flip_spins, "translation": translate, "rotation": rotate}


def augmentation(names: Sequence[str], allowed: Sequence[str]) -> Augmentation | None:
    """Return the augmentation by all named symmetries, None if there is none to apply.

    Args:
        names: names of symmetries.
        allowed: names of the system's symmetries; empty for a recording.

    Raises:
        ValueError: if the system has no such symmetry.
    """
    for name in names:
        if name not in allowed:
            known = ", ".join(allowed) or "none, as this data has no known symmetry"
            raise ValueError(f"symmetries: expected some of {known}, got {name!r}")
    chosen = [SYMMETRIES[name] for name in names]

    def apply(configurations: ConfigurationTensor, generator: torch.Generator) -> ConfigurationTensor:
        for symmetry in chosen:
            configurations = symmetry(configurations, generator)
        return configurations

    return apply if chosen else None
