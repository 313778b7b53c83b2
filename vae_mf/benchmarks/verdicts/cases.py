"""All cases of the battery with their right answers, written down before any run, and independent sets without end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from vae_mf.rng import generator

from . import correlations, independents, latents
from .case import (
    FRESH,
    MENDED,
    NOT,
    NOTHING_AT_ALL,
    NOTHING_BUT_DRIFT,
    NOTHING_IN_REPEATS,
    ONLY_GROUPS,
    TRIED,
    Answer,
    Case,
    Data,
    classes,
    found,
)

SEED = 15
NULL = "null"
RARE_RISE = float(np.log(0.06 / 0.94) - np.log(0.0044 / 0.9956))


def case(
    name: str,
    right: Answer | tuple[Answer, ...],
    draw: Callable[..., Data],
    *sizes: Any,
    origin: str = TRIED,
    **options,
) -> Case:
    """Return a case of a generator with its sizes."""
    answers = (right,) if isinstance(right, Answer) else right
    return Case(name, lambda random: draw(random, *sizes, **options), answers, origin)


mended = partial(case, origin=MENDED)
"""Case of a kind on which an answer or its interval was once at fault."""
new = partial(case, origin=FRESH)
"""Case of which neither kind nor size was seen when thresholds were set."""

TRIED_CASES = (
    case("indep_het", NOTHING_AT_ALL, independents.heterogeneous, 12_000, 24),
    case("indep_autocorr", NOTHING_AT_ALL, independents.autocorrelated, 20_000, 24, times=(300.0, 300.0)),
    case("indep_drift", NOTHING_BUT_DRIFT, independents.drifting, 12_000, 24),
    case("xor", NOT, correlations.products, 12_000, 24, order=3),
    case("parity4", NOT, correlations.products, 12_000, 24, order=4),
    case("ring", found(2), latents.ring, 12_000, 24, baseline=-1.5, height=3.0),
    case("graded", found(1), latents.graded, 12_000, 24),
    case("biased", found(1), latents.one, 12_000, 24, strength=1.2, mean=-1.0, spread=0.7),
    case("big_latent", found(1), latents.one, 40_000, 60, strength=0.6, mean=-1.0, spread=0.7),
    case("tiny", found(1), latents.one, 12_000, 12, strength=0.8, spread=0.3),
    case("dg3", found(3), latents.thresholded, 12_000, 24),
    case("cw1.0", found(1), latents.curie_weiss, 12_000, 24, temperature=1.0),
    # TC = 0.0047 nats, seen at 40 errors of the largest eigenvalue.
    case("cw_weak", found(1), latents.curie_weiss, 60_000, 24, temperature=7.5),
    case("hopmix2", (found(2), classes(4)), latents.noisy_patterns, 12_000, 24, shares=(0.7, 0.3), flips=0.15),
    case("few", (found(2), classes(4)), latents.noisy_patterns, 3_000, 200, shares=(0.6, 0.4), flips=0.3),
    case(
        "mixture6",
        (classes(6), found(5)),
        latents.mixture,
        12_000,
        24,
        shares=(0.3, 0.22, 0.18, 0.13, 0.1, 0.07),
        spread=1.2,
    ),
    case("mixture2_weak", (found(1), classes(2)), latents.mixture, 12_000, 12, shares=(0.5, 0.5), spread=0.6),
    case(
        "synchrony", (found(1), classes(2)), latents.switching, 20_000, 30, rates=(0.02, 0.1), off=(-3.0, 0.6), rise=1.8
    ),
    case("onehot", (classes(5), found(4), NOT), correlations.one_hot, 12_000, 20, choices=5),
    case("chain1d", NOT, correlations.chain, 12_000, 24, coupling=0.5),
    case("sk0.7", NOT, correlations.spin_glass, 12_000, 18, temperature=0.7),
    case("ising2.3", NOT, correlations.lattice, 12_000, 6, temperature=2.3),
    case("sparse_er", NOT, correlations.sparse, 12_000, 24, strength=0.6),
    case("kinetic", NOT, correlations.kinetic, 20_000, 20),
    case("near_dup", ONLY_GROUPS, correlations.duplicates, 12_000, 24, pairs=((0, 1), (7, 15))),
    case("rare_pairs", ONLY_GROUPS, correlations.rare_pairs, 40_000, 24, pairs=12),
    case("latent_pairs", NOT, correlations.latent_and_pairs, 12_000, 24, strength=0.8, coupling=0.4, pairs=6),
    case("few_pairs", NOT, correlations.latent_and_pairs, 3_000, 200, strength=0.8, coupling=0.16, pairs=100),
    case("weak_half", NOT, correlations.latent_and_pairs, 40_000, 24, strength=0.184, coupling=0.065, pairs=12),
    case("weak_half60", NOT, correlations.latent_and_pairs, 40_000, 60, strength=0.16, coupling=0.065, pairs=30),
)
"""Cases that the thresholds of the verdict were set on."""

MENDED_CASES = (
    mended("indep_slow", NOTHING_AT_ALL, independents.slow, 12_000, 30, dwell=600.0),
    mended("indep_repeated", NOTHING_IN_REPEATS, independents.repeated, 12_000, 24, times=4),
    mended(
        "sorted_latent",
        (found(1, named="drift"), *NOTHING_BUT_DRIFT),
        latents.one,
        12_000,
        24,
        strength=0.8,
        mean=-0.5,
        ordered=True,
    ),
    mended(
        "latent_product4",
        NOT,
        correlations.latent_and_products,
        12_000,
        20,
        strength=1.0,
        groups=1,
        order=4,
        share=0.8,
    ),
    mended(
        "latent_triple",
        NOT,
        correlations.latent_and_products,
        12_000,
        21,
        strength=1.0,
        groups=1,
        order=3,
        share=0.75,
    ),
    mended("single_product4", NOT, correlations.one_product, 12_000, 24, order=4, share=0.7),
    mended(
        "latent_near_copy",
        (found(2, named="groups"), NOT),
        correlations.latent_and_pairs,
        12_000,
        24,
        strength=1.0,
        coupling=1.74,
        pairs=1,
    ),
    mended("class_and_latent", found(3), latents.classes_and_latent, 15_000, 30, shares=(0.5, 0.3, 0.2), strength=0.9),
    mended("narrow_latent", found(2, 1), latents.broad_and_narrow, 20_000, 30, strengths=(1.6, 0.75), carriers=6),
    mended("two_fours", found(2), latents.factors, 10_000, groups=2, size=4, strength=1.5),
    mended("six_factors", found(6), latents.factors, 12_000, groups=6, size=8, strength=1.0),
    mended("few_rows", found(1), latents.factors, 3_000, groups=1, size=8, strength=1.5),
    mended("latent_copies", (found(5, named="groups"), NOT), correlations.latent_and_copies, 15_000, 20, 4, flips=0.05),
)
"""Cases of kinds on which an answer or its interval was once at fault, added when that was mended."""

FRESH_CASES = (
    new("indep_large", NOTHING_AT_ALL, independents.heterogeneous, 6_000, 60, mean=-1.5),
    new("het_autocorr", NOTHING_AT_ALL, independents.autocorrelated, 20_000, 30, times=(3.0, 60.0)),
    new("mixture3", (classes(3), found(2)), latents.mixture, 8_000, 30, shares=(0.5, 0.3, 0.2), spread=0.9),
    new("mixture10", classes(10), latents.mixture, 20_000, 40, shares=(0.1,) * 10, spread=1.5),
    new(
        "constant_columns",
        (classes(4), found(3)),
        latents.mixture,
        10_000,
        48,
        shares=(0.4, 0.3, 0.2, 0.1),
        spread=1.2,
        constant=16,
    ),
    new("rare_latent", (found(1), classes(2)), latents.switching, 40_000, 24, (0.1, 0.9), (-5.42, 0), RARE_RISE),
    new("ring_wide", found(2), latents.ring, 15_000, 36, baseline=-1.0, height=1.8),
    # A narrow bump has no small linear dimension: any number is right that explains everything.
    new("ring_narrow", found(), latents.ring, 12_000, 24, baseline=-3.5, height=6.0, width=0.41),
    new("unequal_latents", found(2), latents.graded, 20_000, 30, strengths=(1.2, 0.4)),
    new("ar1_latent", found(1), latents.one, 20_000, 24, strength=1.0, mean=-0.5, spread=0.5, memory=20.0),
    new("hopfield3", found(3), latents.hopfield, 15_000, 40, patterns=3, temperature=0.6),
    new("blocks4", found(4), latents.blocks, 15_000, groups=4, size=8, temperature=0.9),
    new("stimulus_repeats", found(2), latents.stimulus, 40, 30, times=500),
    new("drift_latent", found(1, 2, named="drift"), correlations.latent_and_drift, 15_000, 24, strength=1.0, slope=0.5),
    new("chain_field", NOT, correlations.chain, 15_000, 30, coupling=0.4, field=0.15),
    new("sk1.2", NOT, correlations.spin_glass, 15_000, 20, temperature=1.2),
    new("ising3.5", NOT, correlations.lattice, 15_000, 8, temperature=3.5),
    new("sparse_pm", NOT, correlations.sparse, 15_000, 22, strength=0.4, degree=3.0),
    new("product4", NOT, correlations.products, 12_000, 20, order=4, share=0.9),
    new("product5", NOT, correlations.products, 12_000, 20, order=5, share=0.9),
    new(
        "latent_triples",
        NOT,
        correlations.latent_and_products,
        20_000,
        20,
        strength=1.2,
        groups=6,
        order=3,
        share=0.85,
    ),
    new("rare_few_pairs", ONLY_GROUPS, correlations.rare_pairs, 30_000, 36, pairs=6, rate=0.02, both=0.004),
    new("many_latent_pairs", NOT, correlations.latent_and_pairs, 20_000, 40, strength=0.6, coupling=0.25, pairs=20),
)
"""Cases of the same kinds that nobody has tuned anything to."""

CASES: Mapping[str, Case] = {each.name: each for each in (*TRIED_CASES, *MENDED_CASES, *FRESH_CASES)}

NULLS = {
    "rare": (independents.rare, NOTHING_AT_ALL),
    "heterogeneous": (independents.heterogeneous, NOTHING_AT_ALL),
    "autocorrelated": (partial(independents.autocorrelated, times=(2.0, 50.0)), NOTHING_AT_ALL),
    "drifting": (independents.drifting, NOTHING_BUT_DRIFT),
    "shifted": (independents.shifted, NOTHING_AT_ALL),
}
"""Kinds of independent variables, in turn, with their right answers."""


def null(number: int) -> Case:
    """Return an independent data set, its size drawn: 10 to 60 variables and 3,000 to 20,000 rows.

    >>> null(3).name
    'null-drifting-3'
    """
    kind = list(NULLS)[number % len(NULLS)]
    draw, right = NULLS[kind]
    sizes = generator(SEED, NULL, number)
    rows = int(np.exp(sizes.uniform(*np.log((3_000, 20_000)))))
    return case(f"{NULL}-{kind}-{number}", right, draw, rows, int(sizes.integers(10, 61)), origin=FRESH)


def case_of(name: str) -> Case:
    """Return the case of a name, one of `CASES` or of `null`."""
    return null(int(name.rpartition("-")[2])) if name.startswith(NULL) else CASES[name]


def draw_of(name: str, draw: int) -> Data:
    """Return the rows of a case; every draw has its own."""
    return case_of(name).draw(generator(SEED, name, draw))
