"""The law p(s|z) of independent spins."""

import torch
import torch.nn.functional as F
from jaxtyping import Float

from vae_mf.models.tensors import PerSample, SiteParameters, SpinTensor, can_loop


class IndependentSpins:
    """Independent ±1 spins, P(s_i) = sigmoid(s_i l_i), with log-odds l_i = ln P(s_i=+1) / P(s_i=-1).

    Args:
        log_odds: l, shape (batch, sites); reductions are done in float32 at least.

    >>> IndependentSpins(torch.zeros(1, 4)).log_prob(torch.ones(1, 4))
    tensor([-2.7726])
    """

    def __init__(self, log_odds: Float[torch.Tensor, "batch sites"]):
        self.log_odds = log_odds if log_odds.dtype == torch.float64 else log_odds.float()

    @property
    def mean(self) -> SpinTensor:
        """Expected spins tanh(l / 2)."""
        return torch.tanh(self.log_odds / 2)

    @property
    def natural_parameters(self) -> SiteParameters:
        """η = l / 2 of every site, so that P(s_i) = exp(η s_i) / 2cosh η."""
        return self.log_odds[..., None] / 2

    def log_prob(self, spins: SpinTensor) -> PerSample:
        """Return sum_i ln P(s_i) of each configuration, in nats."""
        alike = spins.shape == self.log_odds.shape and spins.dtype == self.log_odds.dtype == torch.float32
        if not (alike and can_loop(self.log_odds) and can_loop(spins)) or spins.requires_grad:
            return F.logsigmoid(spins * self.log_odds).sum(-1)
        from vae_mf.models.spin_loops import log_likelihood  # with Numba, which no loading and drawing needs

        return log_likelihood(self.log_odds, spins)

    def sample(self, generator: torch.Generator | None = None) -> SpinTensor:
        """Draw one configuration per row."""
        uniform = torch.rand(
            self.log_odds.shape, generator=generator, device=self.log_odds.device, dtype=self.log_odds.dtype
        )
        return torch.where(uniform < torch.sigmoid(self.log_odds), 1.0, -1.0).to(self.log_odds.dtype)
