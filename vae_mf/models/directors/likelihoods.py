"""Laws p(n|z) of independent directors, n and -n being the same state."""

import torch
from jaxtyping import Float

from vae_mf.models.directors.bingham import Bingham, matrix_log_normaliser
from vae_mf.models.directors.bingham_normaliser import at_least_single
from vae_mf.models.directors.symmetric_tensors import (
    Components,
    director_components,
    tensor_components,
    traceless_matrix,
)
from vae_mf.models.tensors import DirectorTensor, PerSample, SiteParameters

SecondMoments = Float[torch.Tensor, "batch sites 3 3"]
"""<n nᵀ> of every site."""


class IndependentDirectors:
    """Independent directors, each with a Bingham distribution of its own."""

    def __init__(self, bingham: Bingham):
        self.bingham = bingham

    @property
    def mean(self) -> SecondMoments:
        """Expected n nᵀ: the mean of n itself is zero."""
        return self.bingham.second_moment

    @property
    def natural_parameters(self) -> SiteParameters:
        """Components of the traceless part of every Bingham matrix."""
        return tensor_components(self.bingham.matrix)

    def log_prob(self, directors: DirectorTensor) -> PerSample:
        """Return sum_i ln p_i(n_i) of each configuration, in nats, densities being with respect to the area."""
        return self.bingham.log_prob(directors).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> DirectorTensor:
        """Draw one configuration per row."""
        return self.bingham.sample(generator=generator)


class ExchangeableDirectors:
    """Independent directors of one Bingham distribution, p(n) = exp(b . q(n)) / c, q the components of n nᵀ - I/3."""

    def __init__(self, components: Components, sites: int):
        self.components = at_least_single(components)
        self.sites = sites

    @property
    def mean(self) -> SecondMoments:
        """Expected n nᵀ: the mean of n itself is zero."""
        return self._bingham().second_moment[:, None].expand(-1, self.sites, 3, 3)

    @property
    def natural_parameters(self) -> SiteParameters:
        """Components of B, the same at every site."""
        return self.components[:, None].expand(-1, self.sites, -1)

    def log_prob(self, directors: DirectorTensor) -> PerSample:
        """Return b . sum_i q(n_i) - N ln c of each configuration, in nats: one normaliser for all sites."""
        exponents = (self.components * director_components(directors).sum(1)).sum(-1)
        return exponents - self.sites * matrix_log_normaliser(traceless_matrix(self.components))

    def sample(self, generator: torch.Generator | None = None) -> DirectorTensor:
        """Draw one configuration per row."""
        return self._bingham().sample((self.sites,), generator).transpose(0, 1)

    def _bingham(self) -> Bingham:
        return Bingham(matrix=traceless_matrix(self.components))
