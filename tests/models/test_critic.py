"""Chains of site ratios: normalised, causal, bounded, and minimised by the truth."""

import itertools

import numpy as np
import pytest
import torch
from helpers.exact_models import all_states

from vae_mf.models.critic import DenseCritic, JointSamples, LatticeCritic, log_relative_ratio, relative_ratio_loss
from vae_mf.models.site_families import FAMILIES
from vae_mf.models.tensors import Condition

SITES, LATENTS, TEMPERATURES = 9, 2, (0.7, 1.6)
CRITICS = {"dense": DenseCritic, "lattice": LatticeCritic}


def joint(spins: torch.Tensor, seed: int = 1) -> JointSamples:
    """The same reference and latents for every configuration, at the second temperature."""
    generator = torch.Generator().manual_seed(seed)
    family = FAMILIES["spins"]
    parameters = torch.randn(1, spins.shape[1], 1, generator=generator, dtype=torch.float64).expand(len(spins), -1, -1)
    latents = torch.randn(1, LATENTS, generator=generator, dtype=torch.float64).expand(len(spins), -1)
    condition = Condition(torch.tensor(TEMPERATURES, dtype=torch.float64), torch.ones(len(spins), dtype=torch.int64))
    statistics = family.statistics(spins)
    return JointSamples(statistics, parameters, statistics - family.mean(parameters), latents, condition)


def rough(kind: str, part=None, sites: int = SITES):
    """A critic with random weights everywhere."""
    torch.manual_seed(3)
    critic = CRITICS[kind](sites, "spins", LATENTS, len(TEMPERATURES), 8, part).double().eval()
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(0.5 * torch.randn_like(weight))
        critic.gain.copy_(torch.tensor([1.0, 0.6]))
        if kind == "dense":
            critic.pairs.copy_(critic.visible)
    return critic


def log_reference(samples: JointSamples) -> torch.Tensor:
    eta = samples.parameters
    return ((eta * samples.statistics).sum(-1) - FAMILIES["spins"].log_normaliser(eta)).sum(1)


@pytest.mark.parametrize("kind", CRITICS)
def test_any_weights_make_a_normalised_law(kind):
    """sum_x prod_i p(x_i|z) r(x) = 1 over all configurations."""
    samples = joint(all_states(SITES))
    log_ratio = rough(kind).log_ratio(samples)
    assert log_ratio.std() > 0.5
    assert torch.logsumexp(log_reference(samples) + log_ratio, 0).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("kind", CRITICS)
def test_the_law_of_a_part_is_normalised_and_blind_to_the_rest(kind):
    part = [0, 4, 5, 7]
    critic, samples = rough(kind, part), joint(all_states(SITES))
    log_ratio = critic.log_ratio(samples)
    rest = [site for site in range(SITES) if site not in part]
    labels = ((samples.statistics[:, part, 0] > 0).double() @ torch.tensor([1.0, 2, 4, 8], dtype=torch.float64)).long()
    for label in range(16):
        torch.testing.assert_close(log_ratio[labels == label].std(), torch.tensor(0.0, dtype=torch.float64))
    aligned = (samples.statistics[:, rest, 0] > 0).all(1)
    few = samples.select(aligned.nonzero()[:, 0])
    eta = few.parameters[:, part]
    reference = (eta * few.statistics[:, part]).sum((1, 2)) - FAMILIES["spins"].log_normaliser(eta).sum(1)
    assert torch.logsumexp(reference + log_ratio[aligned], 0).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("kind", CRITICS)
def test_a_site_knows_only_those_before_it(kind):
    critic, spins = rough(kind), torch.ones(1, SITES, dtype=torch.float64)
    tilt = critic(joint(spins), torch.arange(SITES))[0, :, 0]
    for site in range(SITES):
        flipped = spins.clone()
        flipped[0, site] = -1
        moved = (critic(joint(flipped), torch.arange(SITES))[0, :, 0] - tilt).abs() > 1e-9
        assert not moved[: site + 1].any()
        assert moved[site + 1 :].all()


@pytest.mark.parametrize("kind", CRITICS)
def test_a_new_critic_reads_zero(kind):
    critic = CRITICS[kind](SITES, "spins", LATENTS, 2, 8).double()
    assert not critic.log_ratio(joint(all_states(SITES))).any()


def test_sums_over_some_sites_add_up():
    critic, samples = rough("dense"), joint(all_states(SITES))
    parts = [critic.log_ratio(samples, sites) for sites in torch.arange(SITES).split(4)]
    torch.testing.assert_close(torch.stack(parts).sum(0), critic.log_ratio(samples))


def test_a_lattice_critic_sees_neighbours_in_the_same_place_everywhere():
    critic = rough("lattice", sites=16)
    marked = torch.zeros(1, 16, 1, dtype=torch.float64)
    marked[0, 5] = 1
    seen = critic.seen(marked, torch.arange(16))[0, :, :, 0]
    # Site (1, 1) is at displacement (-1, 0) of site (2, 1), which is (3, 0) on the torus of side 4.
    assert seen[9].nonzero().tolist() == [[12]]
    assert not seen[:6].any()


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5])
def test_the_loss_is_smallest_at_the_true_ratio(alpha):
    """With exact expectations over ten states, its gradient vanishes there and it rises in every direction."""
    p, q = (torch.tensor(law) for law in np.random.default_rng(1).dirichlet(np.ones(10), 2))
    counts = [(law * 2000).round().long() + 1 for law in (p, q)]
    p, q = (count.double() / count.sum() for count in counts)

    def loss(log_ratio: torch.Tensor) -> torch.Tensor:
        joint, reference = (log_ratio.repeat_interleave(count) for count in counts)
        return relative_ratio_loss(joint, reference, alpha)

    truth = (p / q).log().requires_grad_()
    smallest = loss(truth)
    torch.testing.assert_close(torch.autograd.grad(smallest, truth)[0], torch.zeros_like(truth), atol=1e-12, rtol=0)
    for direction in torch.randn(20, 10, generator=torch.Generator().manual_seed(1)).double():
        assert loss(truth.detach() + 0.3 * direction) > smallest.detach()


def test_the_relative_ratio_is_bounded():
    extreme = torch.tensor([-800.0, 0.0, 800.0], dtype=torch.float64)
    torch.testing.assert_close(
        log_relative_ratio(extreme, 0.1)[1:], torch.tensor([0.0, np.log(10.0)], dtype=torch.float64)
    )
    assert torch.isfinite(log_relative_ratio(extreme, 0.1)).all()


def spin_rows(rows: int, coupled: list[tuple[int, int]], seed: int, strong: tuple[int, ...] = ()) -> torch.Tensor:
    """Independent spins but for pairs that agree with probability 0.6, those that end in a strong site with 0.9."""
    generator = torch.Generator().manual_seed(seed)
    spins = torch.randint(2, (rows, 64), generator=generator).double() * 2 - 1
    for first, second in coupled:
        agree = torch.rand(rows, generator=generator) < (0.9 if second in strong else 0.6)
        spins[:, second] = spins[:, first] * torch.where(agree, 1, -1)
    return spins


@pytest.mark.parametrize("coupled", [[], [(3, 40), (10, 11)]], ids=["none", "two"])
def test_correlated_pairs_are_coupled(coupled):
    critic = DenseCritic(64, "spins", LATENTS, 2, 8).double()
    samples = joint(spin_rows(4000, coupled, 5))
    parameters = torch.zeros_like(samples.parameters)
    critic.screen(samples._replace(parameters=parameters, residuals=samples.statistics))
    found = {tuple(pair) for pair in critic.pairs.T.nonzero().tolist()}
    assert found >= set(coupled)
    # One pair of all is expected to pass by chance.
    assert len(found - set(coupled)) <= 5


@pytest.mark.parametrize(("rows", "affordable"), [(500, 20), (20, 0)])
def test_of_more_pairs_than_are_affordable_the_strongest_are_coupled(rows, affordable):
    """63 pairs of neighbours are correlated, a few strongly."""
    critic, strong = DenseCritic(64, "spins", LATENTS, 2, 8).double(), (5, 17, 40)
    samples = joint(spin_rows(rows, list(itertools.pairwise(range(64))), 6, strong))
    critic.screen(samples._replace(residuals=samples.statistics))
    found = {tuple(pair) for pair in critic.pairs.T.nonzero().tolist()}
    assert len(found) == affordable
    assert not affordable or found >= {(site - 1, site) for site in strong}


def test_sites_that_never_change_are_coupled_to_none():
    spins = spin_rows(4000, [(3, 40)], 5)
    samples = joint(spins)
    residuals = samples.statistics.clone()
    residuals[:, 7] = 0
    critic = DenseCritic(64, "spins", LATENTS, 2, 8).double()
    critic.screen(samples._replace(residuals=residuals))
    assert critic.pairs[40, 3]
    assert not critic.pairs[7].any()
    assert not critic.pairs[:, 7].any()


@pytest.mark.parametrize("part", [[], [9], [-1, 2]])
def test_a_part_of_other_sites_is_refused(part):
    with pytest.raises(ValueError, match="expected some of the sites 0 to 8"):
        DenseCritic(SITES, "spins", 0, 1, part=part)


def test_sites_that_make_no_square_lattice_are_refused():
    with pytest.raises(ValueError, match="expected a square L x L for a lattice, got 8"):
        LatticeCritic(8, "spins", 0, 1)
