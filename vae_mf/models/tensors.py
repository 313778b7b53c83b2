"""Names for the torch tensors that the models exchange."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64

SpinTensor = Float[torch.Tensor, "batch sites"]
"""Configurations of spins in {-1, +1}, as floats."""
DirectorTensor = Float[torch.Tensor, "batch sites 3"]
"""Configurations of unit vectors, n and -n being the same state."""
ConfigurationTensor = SpinTensor | DirectorTensor
"""Configurations x of either kind."""
Latents = Float[torch.Tensor, "batch latents"]
"""Latent vectors z."""
ImportanceNoise = Float[torch.Tensor, "draws batch latents"]
"""Standard normal noise for several draws of every latent vector."""
SiteParameters = Float[torch.Tensor, "batch sites components"]
"""Natural parameters of every site of every configuration."""
PerSample = Float[torch.Tensor, " batch"]
"""One number for every configuration."""


class Condition(NamedTuple):
    """The temperature of every configuration, as an index into the few distinct temperatures of the data.

    The distinct ones let a prior compute its parameters once per temperature instead of once per row.

    >>> condition = Condition(temperatures=torch.tensor([0.5, 2.0]), index=torch.tensor([1, 0, 0]))
    >>> condition.temperature
    tensor([2.0000, 0.5000, 0.5000])
    """

    temperatures: Float[torch.Tensor, " levels"]
    """Distinct temperatures T (k_B = 1); a single 1 for data without a temperature."""
    index: Int64[torch.Tensor, " batch"]
    """Level of each configuration."""

    @property
    def temperature(self) -> PerSample:
        """Temperature of each configuration, shape (batch,)."""
        return self.temperatures[self.index]

    def select(self, rows: Int64[torch.Tensor, " rows"]) -> "Condition":
        """Return the condition of some of the configurations."""
        return Condition(self.temperatures, self.index[rows])

    def repeat(self, copies: int) -> "Condition":
        """Return all rows ``copies`` times, one copy after the other."""
        return Condition(self.temperatures, self.index.repeat(copies))


class Batch(NamedTuple):
    """Configurations with their temperatures."""

    configurations: ConfigurationTensor
    condition: Condition


def can_loop(tensor: torch.Tensor) -> bool:
    """Return True if compiled loops serve a tensor: of a processor, and not followed by a compiler or `torch.func`.

    >>> can_loop(torch.zeros(1)), can_loop(torch.zeros(1, device="meta"))
    (True, False)
    """
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    followed = traced or torch._C._len_torch_dispatch_stack() > 0 or torch.autograd.forward_ad._current_level >= 0
    return tensor.device.type == "cpu" and type(tensor) is torch.Tensor and not followed


def constant_condition(temperature: float, count: int, like: torch.Tensor) -> Condition:
    """Return the condition of ``count`` configurations at one temperature, on the device and dtype of ``like``.

    >>> constant_condition(0.5, 3, like=torch.zeros(1)).temperature
    tensor([0.5000, 0.5000, 0.5000])
    """
    temperatures = torch.full((1,), temperature, dtype=like.dtype, device=like.device)
    return Condition(temperatures, torch.zeros(count, dtype=torch.int64, device=like.device))
