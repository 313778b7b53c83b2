"""Requests for samples: an option that was typed has an effect, or is refused."""

import pytest

from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.sampling import build_sampler, build_sampling

DIRECT = ["system=curie_weiss", "system.sites=16"]
TEMPERED = ["system=sherrington_kirkpatrick", "system.sites=16", "tempering=parallel"]
CHAINS = ["system=hopfield", "system.sites=16"]


def requested(config):
    return build_sampling(config, build_sampler(config, instantiate(config.system)))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ([*DIRECT, "sampling.opposite_starts=3"], "opposite_starts: expected no such option, as draws of curie_weiss_"),
        ([*DIRECT, "sampling.burn_in=5"], "sampling.burn_in: expected no such option, .* got 5"),
        ([*DIRECT, "sampling.thinning=2"], "sampling.thinning: expected no such option"),
        ([*DIRECT, "sampling.anneal=2"], "sampling.anneal: expected no such option"),
        ([*DIRECT, "sampling.anneal_from=2.5"], "sampling.anneal_from: expected no such option, as draws"),
        ([*DIRECT, "sampling.start=pattern"], "sampling.start: expected no such option"),
        ([*DIRECT, "sampling.swap_acceptance=0.3"], "swap_acceptance: expected no such option, as it takes tempering"),
        (
            [*TEMPERED, "sampling.anneal=9"],
            "sampling.anneal: expected no such option, as tempered chains are not cooled",
        ),
        ([*TEMPERED, "sampling.anneal_from=3.5"], "sampling.anneal_from: expected no such option, as tempered"),
        ([*CHAINS, "sampling.swap_acceptance=0.3"], "swap_acceptance: expected no such option, as it takes tempering"),
        ([*CHAINS, "sampling.anneal=0", "sampling.anneal_from=3.5"], "nothing is cooled with anneal=0, got 3.5"),
        ([*CHAINS, "sampling.effective=50", "sampling.samples=300"], "their number follows from effective, got 300"),
    ],
)
def test_an_option_without_effect_on_the_sampler_is_refused(options, match, compose_config):
    with pytest.raises(ValueError, match=match):
        requested(compose_config("sample", *options))


@pytest.mark.parametrize(
    "options",
    [
        DIRECT,
        [*DIRECT, "sampling.opposite_starts=0", "sampling.thinning=1", "sampling.burn_in=null", "sampling.chains=50"],
        [*DIRECT, "sampling.effective=200"],
        [*TEMPERED, "sampling.swap_acceptance=0.3", "sampling.anneal=0", "sampling.opposite_starts=3"],
        [
            *CHAINS,
            "sampling.anneal=9",
            "sampling.anneal_from=3.5",
            "sampling.opposite_starts=3",
            "sampling.start=pattern",
        ],
    ],
)
def test_what_has_an_effect_or_asks_for_nothing_is_taken(options, compose_config):
    config = compose_config("sample", *options)
    assert requested(config) == instantiate(config.sampling)
