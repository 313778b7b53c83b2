"""Sites as exponential families, p(x_i) = exp(η·t(x_i)) / Z(η): one vocabulary for spins and directors.

Spins have t = s and η half the log-odds, directors the five components t of n nᵀ - I/3 and η those of the Bingham
matrix.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float

from vae_mf.checks import require_choice
from vae_mf.models.directors.bingham import Bingham, matrix_log_normaliser
from vae_mf.models.directors.symmetric_tensors import director_components, traceless_matrix
from vae_mf.models.tensors import ConfigurationTensor

SiteVectors = Float[torch.Tensor, "*rows components"]
"""Natural parameters η, statistics t or their means, the last axis being that of the components."""


class SiteFamily(ABC):
    """An exponential family of one site."""

    components: int
    """Length of t and η."""

    @abstractmethod
    def statistics(self, configurations: ConfigurationTensor) -> SiteVectors:
        """Return t(x_i) of every site, shape (rows, sites, components)."""

    @abstractmethod
    def log_normaliser(self, parameters: SiteVectors) -> Float[torch.Tensor, "*rows"]:
        """Return ln Z(η), up to a constant."""

    @abstractmethod
    def sample(self, parameters: SiteVectors, generator: torch.Generator | None = None) -> SiteVectors:
        """Return t(x_i) of one draw for every η."""

    def mean(self, parameters: SiteVectors) -> SiteVectors:
        """Return <t>, the gradient of ln Z."""
        with torch.enable_grad():
            point = parameters.detach().clone().requires_grad_()
            return torch.autograd.grad(self.log_normaliser(point).sum(), point)[0]

    def covariance(self, parameters: SiteVectors) -> Float[torch.Tensor, "*rows components components"]:
        """Return <t tᵀ> - <t> <t>ᵀ, the second derivatives of ln Z; for directors, of distinct eigenvalues."""
        with torch.enable_grad():
            point = parameters.detach().clone().requires_grad_()
            (mean,) = torch.autograd.grad(self.log_normaliser(point).sum(), point, create_graph=True)
            means = mean.unbind(-1)
            rows = [torch.autograd.grad(part.sum(), point, retain_graph=True)[0] for part in means]
        return torch.stack(rows, -2)

    def match(self, means: SiteVectors) -> SiteVectors:
        """Return the η with <t> = ``means``, where ln Z(η) - η·means is smallest."""
        parameters = torch.zeros_like(means).requires_grad_()
        optimiser = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimiser.zero_grad()
            value = (self.log_normaliser(parameters) - (parameters * means).sum(-1)).sum()
            value.backward()
            return value

        with torch.enable_grad():
            optimiser.step(loss)  # pyright: ignore[reportArgumentType]
        return parameters.detach()


class SpinSites(SiteFamily):
    """Spins, P(s) = exp(η s) / 2cosh η."""

    components = 1

    def statistics(self, configurations: ConfigurationTensor) -> SiteVectors:
        """Return the spins, with an axis of length 1."""
        return configurations[..., None]

    def log_normaliser(self, parameters: SiteVectors) -> Float[torch.Tensor, "*rows"]:
        """Return ln 2cosh η."""
        return torch.logaddexp(parameters, -parameters)[..., 0]

    def sample(self, parameters: SiteVectors, generator: torch.Generator | None = None) -> SiteVectors:
        """Return spins."""
        uniform = torch.empty_like(parameters).uniform_(generator=generator)
        return torch.where(uniform < torch.sigmoid(2 * parameters), 1.0, -1.0).to(parameters.dtype)

    def mean(self, parameters: SiteVectors) -> SiteVectors:
        """Return tanh η."""
        return torch.tanh(parameters)

    def match(self, means: SiteVectors) -> SiteVectors:
        """Return artanh <s>."""
        return torch.atanh(means)


class DirectorSites(SiteFamily):
    """Directors with a Bingham distribution, p(n) = exp(nᵀ B n) / c(B), B symmetric and traceless."""

    components = 5

    def statistics(self, configurations: ConfigurationTensor) -> SiteVectors:
        """Return the components of n nᵀ - I/3."""
        return director_components(configurations)

    def log_normaliser(self, parameters: SiteVectors) -> Float[torch.Tensor, "*rows"]:
        """Return ln c(B)."""
        return matrix_log_normaliser(traceless_matrix(parameters))

    def sample(self, parameters: SiteVectors, generator: torch.Generator | None = None) -> SiteVectors:
        """Return the components of n nᵀ - I/3 of drawn directors."""
        bingham = Bingham(matrix=traceless_matrix(parameters))
        return director_components(bingham.sample(generator=generator))


FAMILIES: dict[str, SiteFamily] = {"spins": SpinSites(), "directors": DirectorSites()}
"""The family of each kind."""


def site_family(kind: str) -> SiteFamily:
    """Return the family of "spins" or "directors".

    >>> site_family("spins").mean(torch.tensor([[0.0], [0.5]]))
    tensor([[0.0000],
            [0.4621]])
    """
    return FAMILIES[require_choice("kind", kind, FAMILIES)]
