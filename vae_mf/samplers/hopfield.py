"""Hubbard-Stratonovich block Gibbs for the Hopfield model, many chains at once, with jumps between patterns.

One sweep alternates (theory: H = -(J / 2N) sum_mu (xi^mu . s)^2, m = xi s / N)
    phi | s ~ Normal(m(s), I / (beta J N)),      P(s_i = +1 | phi) = 1 / (1 + exp(-2 beta J xi_i . phi)),
and phi -> -phi with probability 1/2, an exact symmetry. Spins are 64 to a word, so overlaps are XOR and popcount; the
fields xi_i . phi of 16 chains at a time are a product with signs (`vae_mf.samplers.kernels.sign_products`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_integer
from vae_mf.elementary import F32, exp32, log32
from vae_mf.kernels import FAST, LANES, kernel
from vae_mf.packing import pack_spins, packed_bytes
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import (
    U64,
    count_bits,
    double_uniform,
    fill_normals,
    fill_random_words,
    high_uniform,
    is_up,
    last_word_mask,
    low_uniform,
    random_index,
    random_word,
    word_count,
)
from vae_mf.samplers.kernels.sign_products import WORD, add_sign_products, aligned_rows, pack_signs, sign_words
from vae_mf.systems.base import System
from vae_mf.systems.hopfield import Hopfield

JUMP_PATTERNS = 16
"""Jumps are tried by default up to this many patterns; beyond, crosstalk makes their acceptance negligible."""


@dataclass
class HopfieldState:
    """Spins (as words) and random stream of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    words: UInt64[np.ndarray, "chains words"]
    jumps_accepted: Float[np.ndarray, " chains"]
    """Since the last record, as are those tried."""
    jumps_tried: int = 0
    sweeps: int = 0


class HopfieldGibbs(SystemSampler):
    """Block Gibbs sampler of a `Hopfield` system.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import Hopfield
    >>> system = Hopfield.random(patterns=2, sites=50, seed=1)
    >>> spins = sample_chains(HopfieldGibbs(system), np.array([0.1]), chains=8, schedule=Schedule(1, 50, 1), seed=1)
    >>> np.abs(spins[0, :, 0] @ system.patterns.T).max(axis=1)  # each chain retrieves a pattern
    array([50, 50, 50, 50, 50, 50, 50, 50], dtype=int8)

    Args:
        system: Hopfield system.
        jump_every: sweeps between attempts to exchange the leading component of phi with a random one, a symmetric
            Metropolis move on p(phi) that hops between patterns; 0 never, None every second sweep for 2 to 16 patterns.

    Raises:
        ValueError: if the system is no `Hopfield` one, or ``jump_every`` neither None nor a non-negative integer.
    """

    name = "hopfield_gibbs"
    serves = Hopfield

    def __init__(self, system: System, jump_every: int | None = None):
        super().__init__(system)
        patterns = self.system.patterns
        count = len(patterns)
        if jump_every is None:
            jump_every = 2 if 2 <= count <= JUMP_PATTERNS else 0
        self.jump_every = require_integer("jump_every", jump_every, minimum=0) if count > 1 else 0
        self._words = as_words(patterns)
        self._pattern_words = np.ascontiguousarray(self._words.T)
        spins = np.ones((self.sites, WORD * sign_words(count)), np.int8)
        spins[:, :count] = patterns.T
        self._signs = np.empty((self.sites, sign_words(count)), np.uint32)
        pack_signs(self._signs, spins)

    def begin(self, group: Group, start: str) -> HopfieldState:
        """Start each chain at random, or (``start="pattern"``) chain c on pattern c mod P."""
        counters = np.zeros(len(group.keys), np.uint64)
        width = self._words.shape[1]
        if start == "pattern":
            words = self._words[group.chains % len(self._words)].copy()
        else:
            words = np.empty((len(group.keys), width), np.uint64)
            fill_random_words(words, self.sites, group.keys, counters)
        levels = np.array(group.temperatures, np.float64)
        return HopfieldState(levels, group.keys.copy(), counters, words, np.zeros(len(counters)))

    def sweep(self, state: HopfieldState, count: int) -> None:
        """Advance every chain by ``count`` block updates of phi and s."""
        beta = self.system.coupling / state.temperatures
        gibbs_sweeps(
            state.words, self._pattern_words, self._signs, beta, state.sweeps, count, self.jump_every,
            state.keys, state.counters, state.jumps_accepted,
        )  # fmt: skip
        if self.jump_every:
            state.jumps_tried += (state.sweeps + count) // self.jump_every - state.sweeps // self.jump_every
        state.sweeps += count

    def configurations(self, state: HopfieldState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return state.words.view(np.uint8)[:, : packed_bytes(self.sites)]

    def energies(self, state: HopfieldState) -> Float[np.ndarray, " chains"]:
        """Return the current energies, -(J N / 2) sum_mu m_mu^2."""
        squares = np.empty(len(state.words))
        sum_squared_overlaps(squares, state.words, self._pattern_words, self.sites)
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


def as_words(spins: np.ndarray) -> UInt64[np.ndarray, "batch words"]:
    """Return spins (batch, N) as 64-spin words (batch, ceil(N / 64)), padding bits zero."""
    packed = pack_spins(spins.astype(np.int8))
    padded = np.zeros((len(packed), 8 * word_count(spins.shape[1])), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64)


@kernel()
def gibbs_sweeps(words, pattern_words, signs, beta, done, count, jump_every, keys, counters, accepted):
    """Advance all chains of ``words`` (chains, W) by ``count`` sweeps after the ``done`` first, 16 chains at a time.

    ``pattern_words`` (W, P) are the words of the patterns, ``signs`` (N, ...) their signs packed site by site, and
    beta = J / T. Adds to ``accepted`` the jumps that each chain accepts.
    """
    sites = signs.shape[0]
    width = (1 / np.sqrt(beta * sites)).astype(np.float32)
    scale = (2 * beta).astype(np.float32)
    phi = aligned_rows(WORD * signs.shape[1], LANES)
    proposal = aligned_rows(WORD * signs.shape[1], LANES)
    fields = aligned_rows(64 * pattern_words.shape[0], LANES)
    proposed = aligned_rows(64 * pattern_words.shape[0], LANES)
    phi[:] = F32(0.0)
    fields[:] = F32(0.0)
    for first in range(0, words.shape[0], LANES):
        part = slice(first, first + LANES)
        for sweep in range(done + 1, done + count + 1):
            draw_fields(phi, words[part], pattern_words, sites, width[part], keys[part], counters[part])
            multiply(fields, phi, signs)
            if jump_every and sweep % jump_every == 0:
                propose_jumps(proposal, phi, pattern_words.shape[1], keys[part], counters[part])
                multiply(proposed, proposal, signs)
                accept_jumps(fields, proposed, sites, beta[part], keys[part], counters[part], accepted[part])
            draw_spins(words[part], fields, sites, scale[part], keys[part], counters[part])


@kernel(error_model="numpy")
def multiply(fields, phi, signs):
    """Set the first N rows of fields (64 W, 16) to xi_i . phi, with phi (patterns and zeros, 16)."""
    fields[: signs.shape[0]] = F32(0.0)
    add_sign_products(fields[: signs.shape[0]], 0, phi, signs)


@kernel(fastmath=FAST, error_model="numpy")
def count_differences(differing, words, pattern_words):
    """Write the number of spins of one chain (W,) that differ from each pattern into ``differing`` (P,)."""
    differing[:] = U64(0)
    for w in range(U64(words.shape[0])):
        word = words[w]
        for mu in range(U64(differing.shape[0])):
            differing[mu] += count_bits(word ^ pattern_words[w, mu])


@kernel(fastmath=FAST, error_model="numpy")
def draw_fields(phi, words, pattern_words, sites, width, keys, counters):
    """Draw phi (P or more, 16) ~ +-Normal(m(s), width^2), the sign being that of one fair coin per chain."""
    count = pattern_words.shape[1]
    noise = np.empty(count + (count & 1), F32)
    differing = np.empty(count, U64)
    for b in range(words.shape[0]):
        fill_normals(noise, width[b], keys[b], counters, b)
        sign = F32(1.0) - F32(2.0) * F32(random_word(keys[b], counters[b]) & U64(1))
        counters[b] += U64(1)
        count_differences(differing, words[b], pattern_words)
        for mu in range(count):
            phi[mu, b] = sign * (F32(sites - 2 * np.int64(differing[mu])) / F32(sites) + noise[mu])


@kernel()
def sum_squared_overlaps(squares, words, pattern_words, sites):
    """Write sum_mu m_mu^2 of every chain."""
    differing = np.empty(pattern_words.shape[1], U64)
    for b in range(words.shape[0]):
        count_differences(differing, words[b], pattern_words)
        total = 0.0
        for mu in range(differing.shape[0]):
            total += (1.0 - 2.0 * np.float64(differing[mu]) / sites) ** 2
        squares[b] = total


@kernel(fastmath=FAST, error_model="numpy")
def draw_spins(words, fields, sites, scale, keys, counters):
    """Draw every spin given its field xi_i . phi (64 W, 16), with scale = 2 beta, two from a random word."""
    chains, length = words.shape
    drawn = np.empty(chains, U64)
    for w in range(U64(length)):
        drawn[:] = U64(0)
        for i in range(U64(32)):
            first = U64(64) * w + i
            second = U64(64) * w + U64(32) + i
            for b in range(U64(chains)):
                word = random_word(keys[b], counters[b] + U64(32) * w + i)
                bit = U64(is_up(high_uniform(word), scale[b] * fields[first, b])) << i
                other = U64(is_up(low_uniform(word), scale[b] * fields[second, b])) << (U64(32) + i)
                drawn[b] |= bit | other
        for b in range(U64(chains)):
            words[b, w] = drawn[b]
    for b in range(chains):
        words[b, -1] &= last_word_mask(sites)
        counters[b] += U64(32 * length)


@kernel()
def propose_jumps(proposal, phi, count, keys, counters):
    """Exchange the leading phi_mu of every chain with a random phi_nu, both with a random sign.

    The proposal is symmetric: from the new field the leading component is nu, and mu is drawn back with the same odds.
    It may be that nu = mu: were every jump a true one, two patterns, whose exchange is always accepted, would alternate
    in step with the thinning.
    """
    proposal[:] = phi
    for b in range(keys.shape[0]):
        lead = np.argmax(np.abs(phi[:count, b]))
        word = random_word(keys[b], counters[b])
        counters[b] += U64(1)
        other = random_index(word, U64(count))
        sign = F32(1.0) - F32(2.0) * F32(word & U64(1))
        proposal[lead, b] = sign * phi[other, b]
        proposal[other, b] = sign * phi[lead, b]


@kernel()
def accept_jumps(fields, proposed, sites, beta, keys, counters, accepted):
    """Accept each proposal with probability min(1, p(phi') / p(phi)): its fields replace the old; count it.

    |phi| is unchanged, so p(phi')/p(phi) = prod_i cosh(beta xi_i.phi') / cosh(beta xi_i.phi). From here on phi itself
    is of no use, only the fields.
    """
    before = np.empty_like(beta)
    after = np.empty_like(beta)
    log_cosh_sums(before, fields, sites, beta)
    log_cosh_sums(after, proposed, sites, beta)
    for b in range(keys.shape[0]):
        uniform = double_uniform(random_word(keys[b], counters[b]))
        counters[b] += U64(1)
        if uniform < np.exp(min(after[b] - before[b], 0.0)):
            fields[:sites, b] = proposed[:sites, b]
            accepted[b] += 1.0


@kernel(fastmath=FAST, error_model="numpy")
def log_cosh_sums(sums, fields, sites, beta):
    """Write sum_i ln 2cosh(beta * fields_i) over the first ``sites`` rows for every chain."""
    sums[:] = 0.0
    for i in range(U64(sites)):
        for b in range(U64(sums.shape[0])):
            x = abs(F32(beta[b]) * fields[i, b])
            sums[b] += np.float64(x + log32(F32(1.0) + exp32(F32(-2.0) * x)))
