"""Critics: the logarithm of a density ratio between a law of configurations and its independent reference.

The chain of ratios. One ratio between p(x|z) and prod_i p(x_i|z) has to bridge tens of nats: where two samples never
overlap it saturates, whatever the loss (on the 2D Ising model it found 70 % of the divergence, on Curie-Weiss
7 nats of a total correlation of 150). Telescoping (Rhodes, Xu and Gutmann 2020) puts waypoints in between. Taken to its
end there is one waypoint per site: number k has the sites before k from p and the others from the reference, so that

    ln r(x; z, T) = sum_i f_i,   f_i = ln p(x_i | x_<i, z, T) / p(x_i|z),

and every ratio is that of one site. An exponential tilt of the reference, p(x_i|z) exp(γ·t(x_i)) / norm, γ a network of
(x_<i, z, T), is normalised exactly, so that for spins it can be any ratio at all, E_ref[r] = 1 holds by construction,
and on new samples <ln r> is a lower bound on the divergence: the critic can miss correlations but not invent them.

The relative ratio r_α = p / (α p + (1 - α) q) of every site is bounded by 1/α and minimises E_mix[r] - E_p[ln r],
mix = α p + (1 - α) q. With α = 0, where E_q[r] = 1 is known, that loss is the negative log-likelihood.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.site_families import SiteVectors, site_family
from vae_mf.models.temperature import temperature_features
from vae_mf.models.tensors import Condition, Latents, PerSample

Sites = Int64[torch.Tensor, " chosen"]
"""Numbers of some of the sites."""
Hidden = Float[torch.Tensor, "batch chosen width"]
"""Hidden layer of each chosen site of every configuration."""
Features = Float[torch.Tensor, "batch chosen features"]
"""Latents, temperature and η of each chosen site."""
Tilts = Float[torch.Tensor, "batch chosen components"]
"""γ of each chosen site of every configuration."""
SiteRatios = Float[torch.Tensor, "batch chosen"]
"""f_i of each chosen site of every configuration."""
OVERFITTING = 0.02
"""Nats that the couplings of pairs may cost by over-fitting, 1 / (2 rows) each."""
ROWS, CHOSEN = 64, 64
"""Configurations and sites that the full log-ratio is computed for at a time."""


class JointSamples(NamedTuple):
    """Configurations beside their independent reference."""

    statistics: Float[torch.Tensor, "batch sites components"]
    """t(x_i) of every site, see `site_families`."""
    parameters: Float[torch.Tensor, "batch sites components"]
    """η_i, natural parameters of the reference."""
    residuals: Float[torch.Tensor, "batch sites components"]
    """t(x_i) - <t(x_i)>, left unexplained by the reference."""
    latents: Latents
    """z, with no columns if the reference has none."""
    condition: Condition

    def select(self, rows: Int64[torch.Tensor, " rows"]) -> "JointSamples":
        """Return some of the configurations."""
        return JointSamples(
            self.statistics[rows],
            self.parameters[rows],
            self.residuals[rows],
            self.latents[rows],
            self.condition.select(rows),
        )


class SiteCritic(nn.Module, ABC):
    """A chain of site ratios, the sites in the order of their numbers; see the module's docstring.

    Args:
        latents: dimension of z; 0 for a reference without.
        part: sites whose own law the ratio is about, the others being out of sight; None for all.

    Raises:
        ValueError: if a count is out of range, or ``part`` names a site that is not there or no site at all.
    """

    visible: torch.Tensor
    gain: torch.Tensor
    part: torch.Tensor

    def __init__(
        self, sites: int, kind: str, latents: int, temperatures: int, hidden: int, part: Sequence[int] | None = None
    ):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.family = site_family(kind)
        components = self.family.components
        width = require_integer("hidden", hidden)
        self.latents = require_integer("latents", latents, minimum=0)
        known = torch.arange(sites) if part is None else torch.tensor(sorted(set(part)))
        if not len(known) or known[0] < 0 or known[-1] >= sites:
            raise ValueError(f"part: expected some of the sites 0 to {sites - 1}, got {part}")
        self.register_buffer("part", known)
        seen = torch.zeros(sites)
        seen[known] = 1
        self.register_buffer("visible", torch.ones(sites, sites).tril(-1) * seen)
        self.register_buffer("gain", torch.ones(require_integer("temperatures", temperatures)))
        self.scale = nn.BatchNorm1d(latents, affine=False) if latents else nn.Identity()
        self.context = nn.Linear(sites * components, width)
        self.features = self.latents + 2 + components
        self.condition = nn.Linear(self.features, width)
        self.middle = nn.Linear(width, width)

    @abstractmethod
    def projected(self, residuals: SiteVectors, sites: Sites) -> Hidden:
        """Return the part of every chosen site's hidden layer that comes from the sites before it."""

    @abstractmethod
    def place(self, sites: Sites) -> Float[torch.Tensor, "chosen width"]:
        """Return the embedding of the chosen sites."""

    @abstractmethod
    def output(self, hidden: Hidden, features: Features, residuals: SiteVectors, sites: Sites) -> Tilts:
        """Return γ of the chosen sites, zero at the start."""

    def screen(self, samples: JointSamples) -> None:
        """Choose from training samples which couplings are worth fitting, where a critic has such."""

    def forward(self, samples: JointSamples, sites: Sites) -> SiteVectors:
        """Return the tilt γ (batch, chosen, components) of the chosen sites."""
        condition = samples.condition
        thermal = temperature_features(condition.temperatures, samples.residuals)[condition.index]
        shared = torch.cat([self.scale(samples.latents), thermal], dim=-1)
        features = torch.cat([shared[:, None].expand(-1, len(sites), -1), samples.parameters[:, sites]], dim=-1)
        before = self.projected(samples.residuals, sites)
        hidden = F.gelu(before + self.condition(features) + self.place(sites))
        return self.output(hidden + F.gelu(self.middle(hidden)), features, samples.residuals, sites)

    def site_ratios(self, samples: JointSamples, sites: Sites) -> SiteRatios:
        """Return f_i of the chosen sites, the tilts scaled by the gain of each temperature."""
        tilt = self.gain[samples.condition.index, None, None] * self(samples, sites)
        return (tilt * samples.statistics[:, sites]).sum(-1) - self.log_norm(samples.parameters[:, sites], tilt)

    def log_norm(self, parameters: SiteVectors, tilt: SiteVectors) -> SiteRatios:
        """Return ln Z(η + γ) - ln Z(η), by which γ·t exceeds the log-ratio f."""
        return self.family.log_normaliser(parameters + tilt) - self.family.log_normaliser(parameters)

    @torch.no_grad()
    def log_ratio(self, samples: JointSamples, sites: Sites | None = None) -> PerSample:
        """Return ln r(x; z, T) of every configuration, in evaluation mode.

        Args:
            sites: numbers of the sites whose f_i are summed; None for all sites of the part.
        """
        self.eval()
        totals, sites = [], self.part if sites is None else sites
        for rows in torch.arange(len(samples.latents), device=self.part.device).split(ROWS):
            batch = samples.select(rows)
            totals.append(torch.stack([self.site_ratios(batch, s).sum(1) for s in sites.split(CHOSEN)]).sum(0))
        return torch.cat(totals)


class DenseCritic(SiteCritic):
    """Dense projections of the residuals before each site, with a read-out of its own, and couplings of pairs.

    A few projections cannot hold correlations of many separate pairs, and a coupling for each of N² / 2 would cost more
    by over-fitting than it finds: there is one for the pairs whose residuals are most correlated beyond chance
    (`screen`). Correlations that no pair shows are left to the projections, which hold few of them.

    >>> from vae_mf.models.critic import JointSamples
    >>> from vae_mf.models.tensors import Condition
    >>> spins, condition = torch.ones(3, 9, 1), Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))
    >>> samples = JointSamples(spins, 0 * spins, spins, torch.zeros(3, 2), condition)
    >>> DenseCritic(sites=9, kind="spins", latents=2, temperatures=1).eval().log_ratio(samples)  # 0 untrained
    tensor([0., 0., 0.])

    Args:
        sites: number N of sites.
        kind: "spins" or "directors".
        latents: dimension of z; 0 for a reference without.
        temperatures: number of distinct temperatures.
        hidden: number of projections, and width of the network.
        part: sites whose own law the ratio is about; None for all.
    """

    pairs: torch.Tensor

    def __init__(self, sites: int, kind: str, latents: int, temperatures: int, hidden: int = 32, part=None):
        super().__init__(sites, kind, latents, temperatures, hidden, part)
        self.embedding = nn.Embedding(sites, hidden)
        self.read_out = nn.Embedding(sites, self.family.components * (hidden + self.features + 1))
        self.coupling = nn.Parameter(torch.zeros(sites, sites))
        self.register_buffer("pairs", torch.zeros(sites, sites))
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.read_out.weight)

    def projected(self, residuals: SiteVectors, sites: Sites) -> Hidden:
        """Return projections of the residuals of the sites before each chosen one."""
        # The weights are masked, not the residuals, of which there would be a copy for every chosen site.
        weights = self.context.weight.unflatten(1, (self.sites, -1)) * self.visible[sites][:, None, :, None]
        rows = residuals.flatten(1) @ weights.flatten(2).flatten(0, 1).T
        return rows.unflatten(1, (len(sites), -1)) + self.context.bias

    def place(self, sites: Sites) -> Float[torch.Tensor, "chosen width"]:
        """Return the embedding of each site."""
        return self.embedding(sites)

    def output(self, hidden: Hidden, features: Features, residuals: SiteVectors, sites: Sites) -> Tilts:
        """Return a linear function of hidden layer and features, one for every site, plus the coupled residuals."""
        inputs = torch.cat([hidden, features, torch.ones_like(hidden[..., :1])], dim=-1)
        weights = self.read_out(sites).unflatten(-1, (self.family.components, -1))
        couplings = (self.coupling * self.pairs * self.visible)[sites]
        return torch.einsum("bsw,skw->bsk", inputs, weights) + torch.einsum("bnk,sn->bsk", residuals, couplings)

    @torch.no_grad()
    def screen(self, samples: JointSamples) -> None:
        """Couple the strongest pairs, as many as over-fitting allows for.

        They have |sum_rows r_i·r_j| above what one pair of all would reach by chance; the variance of that sum for
        uncorrelated sites is sum_rows (r_i·r_j)².
        """
        components = samples.residuals.unbind(-1)
        total = torch.stack([one.T @ one for one in components]).sum(0)
        squares = torch.stack([(one * other).T @ (one * other) for one in components for other in components]).sum(0)
        chance = torch.tensor(1 - 1 / max(self.sites * (self.sites - 1), 2), dtype=torch.float64)
        scores = (total.abs() / squares.sqrt().clamp(min=torch.finfo(squares.dtype).tiny) * self.visible).flatten()
        affordable = min(int(2 * OVERFITTING * len(samples.latents)), len(scores))
        strongest = scores.topk(affordable)
        kept = (strongest.values > float(torch.special.ndtri(chance))).to(self.pairs)
        self.pairs.copy_(torch.zeros_like(scores).scatter(0, strongest.indices, kept).view_as(self.pairs))


class LatticeCritic(SiteCritic):
    """Each site sees the lattice from its own place, with the same weights everywhere but for edges of the order.

    The site y L + x of the torus comes to the origin of the window, so that neighbours keep their place in it.

    >>> from vae_mf.models.critic import JointSamples
    >>> from vae_mf.models.tensors import Condition
    >>> spins, condition = torch.ones(3, 9, 1), Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))
    >>> samples = JointSamples(spins, 0 * spins, spins, torch.zeros(3, 2), condition)
    >>> LatticeCritic(sites=9, kind="spins", latents=2, temperatures=1).eval().log_ratio(samples)  # 0 untrained
    tensor([0., 0., 0.])

    Args:
        sites: number N of sites.
        kind: "spins" or "directors".
        latents: dimension of z; 0 for a reference without.
        temperatures: number of distinct temperatures.
        hidden: number of projections, and width of the network.
        part: sites whose own law the ratio is about; None for all.

    Raises:
        ValueError: unless the number of sites is a square.
    """

    window: torch.Tensor

    def __init__(self, sites: int, kind: str, latents: int, temperatures: int, hidden: int = 64, part=None):
        super().__init__(sites, kind, latents, temperatures, hidden, part)
        self.side = math.isqrt(sites)
        if self.side**2 != sites:
            raise ValueError(f"sites: expected a square L x L for a lattice, got {sites}")
        number = torch.arange(sites)
        row, column = number // self.side, number % self.side
        below, beside = row[:, None] + row, column[:, None] + column
        self.register_buffer("window", below % self.side * self.side + beside % self.side)
        # The order has a first and a last row and column, where the window ends.
        self.rows = nn.Embedding(self.side, hidden)
        self.columns = nn.Embedding(self.side, hidden)
        self.last = nn.Linear(hidden, self.family.components)
        for embedding in (self.rows, self.columns):
            nn.init.normal_(embedding.weight, std=0.1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def seen(self, residuals: SiteVectors, sites: Sites) -> Float[torch.Tensor, "batch chosen sites components"]:
        """Return the residuals before each chosen site at their displacement from it."""
        window = self.window[sites]
        return residuals[:, window] * self.visible[sites].gather(1, window)[..., None]

    def projected(self, residuals: SiteVectors, sites: Sites) -> Hidden:
        """Return projections of the window of each chosen site."""
        return self.context(self.seen(residuals, sites).flatten(2))

    def place(self, sites: Sites) -> Float[torch.Tensor, "chosen width"]:
        """Return the embeddings of row and column."""
        return self.rows(sites // self.side) + self.columns(sites % self.side)

    def output(self, hidden: Hidden, features: Features, residuals: SiteVectors, sites: Sites) -> Tilts:
        """Return a linear function of the hidden layer."""
        return self.last(hidden)


def log_relative_ratio(log_ratio: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return ln r_α = f - ln(α e^f + 1 - α) of the log-ratio f.

    >>> log_relative_ratio(torch.tensor([50.0]), alpha=0.1)
    tensor([2.3026])
    """
    if alpha == 0:
        return log_ratio
    return log_ratio - torch.logaddexp(log_ratio + math.log(alpha), torch.full_like(log_ratio, math.log1p(-alpha)))


def relative_ratio_loss(joint: torch.Tensor, reference: torch.Tensor | None, alpha: float) -> Float[torch.Tensor, ""]:
    """Return E_mix[r] - E_p[ln r], mix = α p + (1 - α) q, which r_α = p / mix minimises (paper, eq. 45).

    Args:
        joint: log-ratios f = ln p/q at samples of p.
        reference: log-ratios f at samples of q; None for α = 0 and a normalised ratio, where E_q[r] = 1.
        alpha: weight α of p in the mixture, below 1.
    """
    relative = log_relative_ratio(joint, alpha)
    outside = 1.0 if reference is None else log_relative_ratio(reference, alpha).exp().mean()
    return alpha * relative.exp().mean() + (1 - alpha) * outside - relative.mean()
