"""Hubbard-Stratonovich block Gibbs for the Hopfield model in plain torch: three matrix products of exact integers.

The sweep is that of `vae_mf.samplers.hopfield`. phi is rounded to a multiple of 2^-22 of its range, and split in two
integers of 11 and 12 bits: products with signs are exact then, in float32 and whatever order a device sums in. All else
is elementwise in float64, so that two devices draw other spins where a uniform is within its rounding (one in 10^15).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_integer
from vae_mf.device_samplers.base import DeviceSampler, fused, placed
from vae_mf.device_samplers.words import normals, random_index, random_word, uniform
from vae_mf.models.devices import AUTO
from vae_mf.packing import packed_bytes
from vae_mf.samplers.base import Group
from vae_mf.samplers.hopfield import JUMP_PATTERNS
from vae_mf.systems.base import System
from vae_mf.systems.hopfield import Hopfield

PIECE = 2**12
"""Ratio of the two integers that make up phi."""
STEPS = 2**22
"""Multiples of the rounding of phi in its range."""
MOST_PATTERNS = 2**13 - 1
"""Sums of so many integers of 11 bits are exact in float32."""
BYTES_PER_SITE = 64
"""Bytes for each site, and each pattern, of a chain in a sweep: its field, random words and what they become."""
HALF_STEP = 2.0**-54
"""Added to a uniform on [0, 1), it keeps that off 0 and lets it reach 1."""
Signs = Float32[torch.Tensor, "chains sites"]
Fields = Float64[torch.Tensor, "chains patterns"]


class Chains(NamedTuple):
    """Tensors that do not change during sweeps: keys, and numbers that follow from the temperatures."""

    keys: Int64[torch.Tensor, "chains 1"]
    beta: Float64[torch.Tensor, "chains 1"]
    """J / T."""
    width: Float64[torch.Tensor, "chains 1"]
    """Standard deviation of phi given the spins."""
    step: Float64[torch.Tensor, "chains 1"]
    """Unit of phi."""


@dataclass
class HopfieldState:
    """Spins +-1 of every chain on the device."""

    temperatures: Float[np.ndarray, " chains"]
    keys: Int64[torch.Tensor, "chains 1"]
    spins: Signs
    jumps_accepted: Float64[torch.Tensor, " chains"]
    """Since the last record, as are those tried."""
    jumps_tried: int = 0
    sweeps: int = 0


class DeviceHopfieldGibbs(DeviceSampler):
    """Block Gibbs sampler of a `Hopfield` system on a device, in law that of `vae_mf.samplers.HopfieldGibbs`.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import Hopfield
    >>> sampler = DeviceHopfieldGibbs(Hopfield(np.ones((1, 8), np.int8)), device="cpu")
    >>> sample_chains(sampler, np.array([0.2]), chains=3, schedule=Schedule(2, 10, 1), seed=1).shape
    (1, 3, 2, 8)

    Args:
        system: Hopfield system.
        jump_every: sweeps between attempts to exchange the leading component of phi with a random one, a symmetric
            Metropolis move on p(phi) that hops between patterns; 0 never, None every second sweep for 2 to 16 patterns.
        device: "auto" for CUDA where there is one and else the processor, "cpu", "cuda", or one of several, "cuda:1".

    Raises:
        ValueError: if the system is no `Hopfield` one or has more than 8191 patterns, ``jump_every`` is neither None
            nor a non-negative integer, or there is no such device.
    """

    name = "hopfield_gibbs_device"
    serves = Hopfield

    def __init__(self, system: System, jump_every: int | None = None, device: str | torch.device = AUTO):
        super().__init__(system, device)
        count = len(self.system.patterns)
        if count > MOST_PATTERNS:
            raise ValueError(f"patterns: expected at most {MOST_PATTERNS} for {self.name}, got {count}")
        if jump_every is None:
            jump_every = 2 if 2 <= count <= JUMP_PATTERNS else 0
        self.jump_every = require_integer("jump_every", jump_every, minimum=0) if count > 1 else 0
        self._patterns = placed(self.system.patterns.astype(np.float32), self.device)
        self._sweep, self._jump = (fused(function, self.device) for function in (gibbs_sweep, jumping_sweep))

    def bytes_of(self, chains: int) -> int:
        """Return about the bytes that so many chains take of the device."""
        return BYTES_PER_SITE * chains * (self.sites + len(self._patterns)) + 4 * self._patterns.numel()

    def begin(self, group: Group, start: str) -> HopfieldState:
        """Start each chain at random, or (``start="pattern"``) chain c on pattern c mod P."""
        keys = placed(group.keys, self.device)[:, None]
        if start == "pattern":
            spins = self._patterns[placed(group.chains % len(self._patterns), self.device)]
        else:
            spins = signs(random_word(keys, torch.arange(self.sites, device=self.device)) < 0)
        accepted = torch.zeros(len(keys), dtype=torch.float64, device=self.device)
        return HopfieldState(np.array(group.temperatures, np.float64), keys, spins, accepted)

    def sweep(self, state: HopfieldState, count: int) -> None:
        """Advance every chain by ``count`` block updates of phi and s."""
        beta = (self.system.coupling / state.temperatures)[:, None]
        width = 1 / np.sqrt(beta * self.sites)
        numbers = (beta, width, (1 + 9 * width) / STEPS)
        chains = Chains(state.keys, *(placed(values, self.device) for values in numbers))
        for number in torch.arange(state.sweeps + 1, state.sweeps + count + 1, device=self.device):
            state.sweeps += 1
            if self.jump_every and state.sweeps % self.jump_every == 0:
                state.spins, accepted = self._jump(state.spins, self._patterns, chains, number)
                state.jumps_accepted += accepted
                state.jumps_tried += 1
            else:
                state.spins = self._sweep(state.spins, self._patterns, chains, number)

    def configurations(self, state: HopfieldState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        bits = torch.zeros(len(state.spins), 8 * packed_bytes(self.sites), dtype=torch.uint8, device=self.device)
        bits[:, : self.sites] = state.spins > 0
        weights = 2 ** torch.arange(8, dtype=torch.uint8, device=self.device)
        return (bits.view(len(bits), -1, 8) * weights).sum(-1, dtype=torch.uint8).cpu().numpy()

    def energies(self, state: HopfieldState) -> Float[np.ndarray, " chains"]:
        """Return the current energies, -(J N / 2) sum_mu m_mu^2."""
        squares = overlaps(state.spins, self._patterns).square().sum(1)
        return -0.5 * self.system.coupling / self.sites * squares.cpu().numpy()

    @property
    def record_names(self) -> tuple[str, ...]:
        """The acceptance of jumps, where there are any."""
        return ("jump_acceptance",) if self.jump_every else ()

    def records(self, state: HopfieldState) -> dict[str, Float[np.ndarray, " chains"]]:
        """Return the share of jumps that each chain accepted since the last call."""
        accepted = state.jumps_accepted.cpu().numpy()
        share = accepted / state.jumps_tried if state.jumps_tried else np.full(len(accepted), np.nan)
        state.jumps_accepted = torch.zeros_like(state.jumps_accepted)
        state.jumps_tried = 0
        return dict.fromkeys(self.record_names, share)


def gibbs_sweep(
    spins: Signs, patterns: Float32[torch.Tensor, "patterns sites"], chains: Chains, number: Int64[torch.Tensor, ""]
) -> Signs:
    """Return the spins after sweep ``number`` of every chain.

    The words of a sweep are N for the spins, 2 ceil(P / 2) for the normals, one for the global flip and two for a jump.
    """
    base = first_word(patterns, number)
    phi = draw_phi(spins, patterns, chains, base)
    return draw_spins(fields(phi, patterns, chains), chains, base)


def jumping_sweep(
    spins: Signs, patterns: Float32[torch.Tensor, "patterns sites"], chains: Chains, number: Int64[torch.Tensor, ""]
) -> tuple[Signs, Float64[torch.Tensor, " chains"]]:
    """Return the spins after a sweep in which phi may jump, and 1 for every chain that has, 0 for the others.

    |phi| is unchanged, so p(phi') / p(phi) = prod_i cosh(beta xi_i.phi') / cosh(beta xi_i.phi).
    """
    base = first_word(patterns, number)
    phi = draw_phi(spins, patterns, chains, base)
    after_normals = base + spins.shape[1] + 2 * half_up(len(patterns))
    before = fields(phi, patterns, chains)
    after = fields(exchanged(phi, random_word(chains.keys, after_normals + 1)), patterns, chains)
    gain = log_cosh_sum(chains.beta * after) - log_cosh_sum(chains.beta * before)
    accepted = uniform(random_word(chains.keys, after_normals + 2)) < torch.exp(gain.clamp(max=0))
    return draw_spins(torch.where(accepted, after, before), chains, base), accepted[:, 0].double()


def first_word(patterns: Float32[torch.Tensor, "patterns sites"], number: Int64[torch.Tensor, ""]):
    """Return the number of the first word of a sweep."""
    count, sites = patterns.shape
    return number * (sites + 2 * half_up(count) + 3)


def half_up(count: int) -> int:
    """Return half of a number, rounded up."""
    return (count + 1) // 2


def draw_phi(
    spins: Signs, patterns: Float32[torch.Tensor, "patterns sites"], chains: Chains, base: Int64[torch.Tensor, ""]
) -> Fields:
    """Draw phi ~ +-Normal(m(s), width^2) in units of its rounding, the sign being that of one fair coin per chain."""
    count, sites = patterns.shape
    half = half_up(count)
    place = base + sites + torch.arange(half, device=spins.device)
    pair = normals(random_word(chains.keys, place), random_word(chains.keys, place + half))
    noise = torch.cat(pair, 1)[:, :count]
    coin = 1 - 2 * (random_word(chains.keys, base + sites + 2 * half) & 1)
    phi = overlaps(spins, patterns) / sites + chains.width * noise
    return coin * torch.round(phi / chains.step)


def overlaps(spins: Signs, patterns: Float32[torch.Tensor, "patterns sites"]) -> Fields:
    """Return xi s, exact: sums of fewer than 2^24 signs."""
    return (spins @ patterns.T).double()


def fields(
    phi: Fields, patterns: Float32[torch.Tensor, "patterns sites"], chains: Chains
) -> Float64[torch.Tensor, "chains sites"]:
    """Return xi_i . phi from phi in units of its rounding, exact but for the unit."""
    high = torch.round(phi / PIECE)
    low = phi - PIECE * high
    whole = PIECE * (high.float() @ patterns).double() + (low.float() @ patterns).double()
    return chains.step * whole


def draw_spins(fields: Float64[torch.Tensor, "chains sites"], chains: Chains, base: Int64[torch.Tensor, ""]) -> Signs:
    """Draw every spin given its field, P(+1) = 1 / (1 + exp(-2 beta field))."""
    place = base + torch.arange(fields.shape[1], device=fields.device)
    drawn = uniform(random_word(chains.keys, place)) + HALF_STEP
    return signs(drawn * (1 + torch.exp(-2 * chains.beta * fields)) <= 1)


def signs(up: Bool[torch.Tensor, "chains sites"]) -> Signs:
    """Return +1 where true, else -1."""
    return 2.0 * up.float() - 1.0


def exchanged(phi: Fields, word: Int64[torch.Tensor, "chains 1"]) -> Fields:
    """Return phi with its leading component and a random one exchanged, both with a random sign.

    It may be the leading one itself, as `vae_mf.samplers.hopfield.propose_jumps` explains.
    """
    lead = phi.abs().argmax(1, keepdim=True)
    other = random_index(word, phi.shape[1])
    sign = 1 - 2 * (word & 1)
    given = phi.scatter(1, lead, sign * phi.gather(1, other))
    return given.scatter(1, other, sign * phi.gather(1, lead))


def log_cosh_sum(x: Float64[torch.Tensor, "chains sites"]) -> Float64[torch.Tensor, "chains 1"]:
    """Return sum_i ln 2cosh(x_i)."""
    return (x.abs() + torch.log1p(torch.exp(-2 * x.abs()))).sum(1, keepdim=True)
