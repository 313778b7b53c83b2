"""The log-likelihood of independent spins and its gradient on a processor, from one exponential of every site."""

from typing import Any

import torch
from jaxtyping import Float

from vae_mf.elementary import F32, exp32, log32
from vae_mf.kernels import FAST, kernel
from vae_mf.models.tensors import PerSample, SpinTensor

BLOCK = 4096
"""Sites that one loop hands to the next, in the cache; a single loop runs out of registers."""


def log_likelihood(log_odds: Float[torch.Tensor, "*batch sites"], spins: SpinTensor) -> PerSample:
    """Return Σ_i ln sigmoid(s_i l_i) of every row, in single precision."""
    return LogLikelihood.apply(log_odds.contiguous(), spins.contiguous())


class LogLikelihood(torch.autograd.Function):
    """Sums over sites, with the gradient s_i sigmoid(-s_i l_i) by log-odds."""

    @staticmethod
    def forward(ctx: Any, log_odds, spins) -> torch.Tensor:
        """Return the sum of every row."""
        logs = torch.empty_like(log_odds)
        gradient = torch.empty_like(log_odds) if ctx.needs_input_grad[0] else log_odds.new_empty(0)
        write_logs(*(each.detach().numpy().reshape(-1) for each in (log_odds, spins, logs, gradient)))
        ctx.save_for_backward(log_odds, spins, gradient)
        return logs.sum(-1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient by log-odds; one that shall be derived again comes without loops."""
        log_odds, spins, by_sites = ctx.saved_tensors
        if torch.is_grad_enabled():
            by_sites = spins * torch.sigmoid(-spins * log_odds)
        return gradient[..., None] * by_sites, None


@kernel(fastmath=FAST, error_model="numpy")
def write_logs(log_odds, spins, logs, gradient):
    """Write ln sigmoid(s l) = min(s l, 0) - ln(1 + e), e = exp(-|s l|), and its derivative by l where there is room.

    Of NaN both are NaN, which exponentials and logarithms of bits would not see.
    """
    for first in range(0, len(log_odds), BLOCK):
        size = min(BLOCK, len(log_odds) - first)
        odds, own, out = log_odds[first : first + size], spins[first : first + size], logs[first : first + size]
        if len(gradient):
            by_odds = gradient[first : first + size]
            for i in range(size):
                exponent = own[i] * odds[i]
                power = exp32(-abs(exponent))
                out[i] = F32(1) + power if exponent == exponent else exponent
                by_odds[i] = own[i] * (power if exponent > F32(0) else F32(1)) / out[i]
        else:
            for i in range(size):
                out[i] = F32(1) + exp32(-abs(own[i] * odds[i]))
        for i in range(size):
            exponent = own[i] * odds[i]
            out[i] = (F32(0) if exponent >= F32(0) else exponent) - log32(out[i])
