"""Hubbard-Stratonovich block Gibbs for the Hopfield model, many chains at once, with jumps between patterns.

One sweep alternates (theory: H = -(J / 2N) sum_mu (xi^mu . s)^2, m = xi s / N)
    phi | s ~ Normal(m(s), I / (beta J N)),      P(s_i = +1 | phi) = 1 / (1 + exp(-2 beta J xi_i . phi)),
and phi -> -phi with probability 1/2, an exact symmetry. Spins are 64 to a word, so overlaps are XOR and popcount.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_choice, require_integer
from vae_mf.packing import pack_spins, packed_bytes
from vae_mf.samplers.base import GROUP
from vae_mf.samplers.kernels import kernel
from vae_mf.samplers.random_bits import (
    F32,
    FAST,
    U64,
    count_bits,
    double_uniform,
    exp32,
    fill_normals,
    fill_spin_words,
    last_word_mask,
    log32,
    random_word,
    word_count,
)
from vae_mf.systems.hopfield import Hopfield

MANY_PATTERNS, LARGE_GROUP = 64, 256
"""From this many patterns on, the matrix product rules the time and gains a sixth from this many chains at once."""
JUMP_PATTERNS = 16
"""Jumps are tried by default up to this many patterns; beyond, crosstalk makes their acceptance negligible."""


@dataclass
class HopfieldState:
    """Spins (as words), field and random stream of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    words: UInt64[np.ndarray, "chains words"]
    phi: Float32[np.ndarray, "chains patterns"]
    log_odds: Float32[np.ndarray, "chains padded_sites"]
    jumps_accepted: Float[np.ndarray, " chains"]
    """Since the last record, as are those tried."""
    jumps_tried: int = 0
    sweeps: int = 0


class HopfieldGibbs:
    """Block Gibbs sampler of a `Hopfield` system.

    Args:
        system: the network.
        jump_every: sweeps between attempts to exchange the leading component of phi with a random one, a symmetric
            Metropolis move on p(phi) that hops between patterns; 0 never, None every second sweep for 2 to 16 patterns.

    Raises:
        ValueError: if ``jump_every`` is neither None nor a non-negative integer.
    """

    name = "hopfield_gibbs"
    exact = False

    def __init__(self, system: Hopfield, jump_every: int | None = None):
        self.system = system
        self.sites = system.sites
        count = len(system.patterns)
        if jump_every is None:
            jump_every = 2 if 2 <= count <= JUMP_PATTERNS else 0
        self.jump_every = require_integer("jump_every", jump_every, minimum=0) if count > 1 else 0
        self.group = LARGE_GROUP if count >= MANY_PATTERNS else GROUP
        self._words = as_words(system.patterns)
        self._xi = np.zeros((count, 64 * word_count(self.sites)), np.float32)
        self._xi[:, : self.sites] = system.patterns

    def initial(
        self,
        temperatures: Float[np.ndarray, " chains"],
        keys: UInt64[np.ndarray, " chains"],
        chains: Int64[np.ndarray, " chains"],
        start: str,
    ) -> HopfieldState:
        """Start each chain at random, or (``start="pattern"``) chain c on pattern c mod P.

        Raises:
            ValueError: if ``start`` is neither "random" nor "pattern".
        """
        require_choice("start", start, ("random", "pattern"))
        counters, width = np.zeros(len(keys), np.uint64), self._words.shape[1]
        if start == "pattern":
            words = self._words[chains % len(self._words)].copy()
        else:
            words = np.empty((len(keys), width), np.uint64)
            fill_random_words(words, keys, counters, last_word_mask(self.sites))
        phi = np.zeros((len(keys), len(self._words)), np.float32)
        log_odds, accepted = np.zeros((len(keys), 64 * width), np.float32), np.zeros(len(keys))
        return HopfieldState(np.array(temperatures, np.float64), keys.copy(), counters, words, phi, log_odds, accepted)

    def sweep(self, state: HopfieldState, count: int) -> None:
        """Advance every chain by ``count`` block updates of phi and s."""
        beta = self.system.coupling / state.temperatures
        width = (1 / np.sqrt(beta * self.sites)).astype(np.float32)
        scale = (2 * beta).astype(np.float32)
        mask = last_word_mask(self.sites)
        for _ in range(count):
            state.sweeps += 1
            draw_fields(state.phi, state.words, self._words, self.sites, width, state.keys, state.counters)
            np.matmul(state.phi, self._xi, out=state.log_odds)
            if self.jump_every and state.sweeps % self.jump_every == 0:
                self._jump(state, beta)
            draw_spins(state.words, state.log_odds, scale, mask, state.keys, state.counters)

    def configurations(self, state: HopfieldState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return state.words.view(np.uint8)[:, : packed_bytes(self.sites)]

    def energies(self, state: HopfieldState) -> Float[np.ndarray, " chains"]:
        """Return the current energies, -(J N / 2) sum_mu m_mu^2."""
        squares = np.empty(len(state.words))
        sum_squared_overlaps(squares, state.words, self._words, self.sites)
        return -0.5 * self.system.coupling * self.sites * squares

    @property
    def record_names(self) -> tuple[str, ...]:
        """The acceptance of jumps, where there are any."""
        return ("jump_acceptance",) if self.jump_every else ()

    def records(self, state: HopfieldState) -> dict[str, Float[np.ndarray, " chains"]]:
        """Return the share of jumps that each chain accepted since the last call."""
        share = state.jumps_accepted / state.jumps_tried if state.jumps_tried else np.full(len(state.words), np.nan)
        state.jumps_accepted = np.zeros(len(state.words))
        state.jumps_tried = 0
        return dict.fromkeys(self.record_names, share)

    def _jump(self, state: HopfieldState, beta: Float[np.ndarray, " chains"]) -> None:
        proposal = np.empty_like(state.phi)
        propose_jumps(proposal, state.phi, state.keys, state.counters)
        log_odds = proposal @ self._xi
        accepted = accept_jumps(
            state.phi, state.log_odds, proposal, log_odds, beta, self.sites, state.keys, state.counters
        )
        state.jumps_tried += 1
        state.jumps_accepted += accepted


def as_words(spins: np.ndarray) -> UInt64[np.ndarray, "batch words"]:
    """Return spins (batch, N) as 64-spin words (batch, ceil(N / 64)), padding bits zero."""
    packed = pack_spins(spins.astype(np.int8))
    padded = np.zeros((len(packed), 8 * word_count(spins.shape[1])), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64)


@kernel()
def fill_random_words(words, keys, counters, mask):
    """Fill words (chains, words) with unbiased spins."""
    for b in range(words.shape[0]):
        for w in range(words.shape[1]):
            words[b, w] = random_word(keys[b], counters[b] + U64(w))
        words[b, -1] &= mask
        counters[b] += U64(words.shape[1])


@kernel(fastmath=FAST, error_model="numpy")
def draw_fields(phi, words, pattern_words, sites, width, keys, counters):
    """Draw phi (chains, P) ~ +-Normal(m(s), width^2), the sign being that of one fair coin per chain."""
    count, length = pattern_words.shape
    noise = np.empty(count + (count & 1), F32)
    for b in range(words.shape[0]):
        fill_normals(noise, width[b], keys[b], counters, b)
        sign = F32(1.0) - F32(2.0) * F32(random_word(keys[b], counters[b]) & U64(1))
        counters[b] += U64(1)
        for mu in range(count):
            differing = U64(0)
            for w in range(length):
                differing += count_bits(words[b, w] ^ pattern_words[mu, w])
            overlap = F32(sites - 2 * np.int64(differing)) / F32(sites)
            phi[b, mu] = sign * (overlap + noise[mu])


@kernel()
def sum_squared_overlaps(squares, words, pattern_words, sites):
    """Write sum_mu m_mu^2 of every chain."""
    for b in range(words.shape[0]):
        total = 0.0
        for mu in range(pattern_words.shape[0]):
            differing = U64(0)
            for w in range(words.shape[1]):
                differing += count_bits(words[b, w] ^ pattern_words[mu, w])
            total += (1.0 - 2.0 * np.float64(differing) / sites) ** 2
        squares[b] = total


@kernel()
def draw_spins(words, log_odds, scale, mask, keys, counters):
    """Draw every spin given its field ``log_odds`` (xi_i . phi), with scale = 2 beta J."""
    for b in range(words.shape[0]):
        fill_spin_words(words[b], log_odds[b], scale[b], keys[b], counters, b)
        words[b, -1] &= mask


@kernel()
def propose_jumps(proposal, phi, keys, counters):
    """Exchange the leading phi_mu with a random phi_nu, both with a random sign.

    The proposal is symmetric: from the new field the leading component is nu, and mu is drawn back with the same odds.
    It may be that nu = mu: were every jump a true one, two patterns, whose exchange is always accepted, would alternate
    in step with the thinning.
    """
    chains, count = phi.shape
    for b in range(chains):
        lead = np.argmax(np.abs(phi[b]))
        word = random_word(keys[b], counters[b])
        counters[b] += U64(1)
        other = np.int64(((word >> U64(33)) * U64(count)) >> U64(31))
        sign = F32(1.0) - F32(2.0) * F32(word & U64(1))
        for mu in range(count):
            proposal[b, mu] = phi[b, mu]
        proposal[b, lead] = sign * phi[b, other]
        proposal[b, other] = sign * phi[b, lead]


@kernel()
def accept_jumps(phi, log_odds, proposal, proposal_log_odds, beta, sites, keys, counters):
    """Accept each proposal with probability min(1, p(phi') / p(phi)), in place; return which were accepted.

    |phi| is unchanged, so p(phi')/p(phi) = prod_i cosh(beta xi_i.phi') / cosh(beta xi_i.phi).
    """
    accepted = np.empty(phi.shape[0], np.bool_)
    for b in range(phi.shape[0]):
        gain = log_cosh_sum(proposal_log_odds[b], beta[b], sites) - log_cosh_sum(log_odds[b], beta[b], sites)
        uniform = double_uniform(random_word(keys[b], counters[b]))
        counters[b] += U64(1)
        accepted[b] = uniform < np.exp(min(gain, 0.0))
        if accepted[b]:
            phi[b] = proposal[b]
            log_odds[b] = proposal_log_odds[b]
    return accepted


@kernel(fastmath=FAST)
def log_cosh_sum(fields, beta, sites):
    """Return sum_i ln 2cosh(beta * fields_i) over the first ``sites`` entries."""
    scale = F32(beta)
    terms = np.empty(sites, F32)
    # Two loops: the first is SIMD; summing inside it would need reassociation, which breaks the rounding inside exp32.
    for i in range(sites):
        x = abs(scale * fields[i])
        terms[i] = x + log32(F32(1.0) + exp32(F32(-2.0) * x))
    total = 0.0
    for i in range(sites):
        total += np.float64(terms[i])
    return total
