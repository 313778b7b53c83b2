"""Fitting a critic: it finds an enumerated total correlation, invents none, and repeats itself."""

import logging

import numpy as np
import pytest
import torch
from pytorch_lightning.utilities import rank_zero_info

from vae_mf.analysis.joint_samples import marginal_samples
from vae_mf.models.critic import DenseCritic, JointSamples, LatticeCritic
from vae_mf.systems.enumeration import Enumeration, enumerate_system
from vae_mf.systems.ising2d import Ising2D
from vae_mf.training.critic_module import calibrate, fit_critic, quiet_lightning

SYSTEM, TEMPERATURES = Ising2D(3), (2.0, 4.0)
UNIFORM = torch.zeros(2, 9, 1)
SETTINGS = {
    "alpha": 0.0,
    "epochs": 6,
    "batch_size": 256,
    "sites_per_step": 9,
    "learning_rate": 1e-2,
    "weight_decay": 1e-2,
    "seed": 1,
    "trainer": {"accelerator": "cpu"},
}


def states(temperature: float) -> Enumeration:
    return enumerate_system(SYSTEM, temperature)


def draws(rows: int, seed: int) -> JointSamples:
    """Equilibrium samples of both temperatures beside independent unbiased spins."""
    generator, found = np.random.default_rng(seed), {}
    for temperature in TEMPERATURES:
        every = states(temperature)
        found[temperature] = every.spins[generator.choice(512, rows, p=every.probabilities)]
    return marginal_samples(found, UNIFORM)


def critic(kind=LatticeCritic):
    torch.manual_seed(1)
    return kind(9, "spins", 0, 2, 32)


@pytest.mark.parametrize(("kind", "alpha"), [(LatticeCritic, 0.0), (DenseCritic, 0.3)], ids=["lattice", "dense"])
def test_it_finds_an_enumerated_total_correlation(kind, alpha):
    """The mean of ln r over all states is a lower bound on TC = 9 ln 2 - S, tight within 4 %."""
    fitted = fit_critic(critic(kind), draws(5000, 1), draws(500, 2), **{**SETTINGS, "alpha": alpha})
    every = marginal_samples({t: states(t).spins for t in TEMPERATURES}, UNIFORM)
    log_ratio = fitted.log_ratio(every).double().numpy()
    for level, temperature in enumerate(TEMPERATURES):
        exact = 9 * np.log(2) - states(temperature).thermodynamics.entropy
        found = states(temperature).mean(log_ratio[512 * level : 512 * (level + 1)])
        assert found < exact
        assert found > exact - max(0.04 * exact, 0.02)


def test_a_fit_repeats_itself():
    first, again = (
        fit_critic(critic(), draws(500, 1), draws(100, 2), **{**SETTINGS, "epochs": 1, "alpha": 0.2}) for _ in range(2)
    )
    other = fit_critic(critic(), draws(500, 1), draws(100, 2), **{**SETTINGS, "epochs": 1, "alpha": 0.2, "seed": 2})
    sample = draws(50, 3)
    assert torch.equal(first.log_ratio(sample), again.log_ratio(sample))
    assert not torch.equal(first.log_ratio(sample), other.log_ratio(sample))


def test_the_gain_is_set_on_samples_that_the_weights_have_not_seen():
    samples, generator = draws(400, 2), torch.Generator().manual_seed(3)
    noise = torch.randint(2, samples.statistics.shape, generator=generator).float() * 2 - 1
    unlike = samples._replace(statistics=noise, residuals=noise)
    assert not fit_critic(critic(), draws(2000, 1), unlike, **{**SETTINGS, "epochs": 2}).gain.any()


def test_a_critic_of_noise_is_silenced_and_a_good_one_kept():
    fitted = fit_critic(critic(), draws(2000, 1), draws(400, 2), **{**SETTINGS, "epochs": 4})
    assert (fitted.gain >= 0.5).all()
    generator = torch.Generator().manual_seed(3)
    samples = draws(400, 4)
    noise = torch.randint(2, samples.statistics.shape, generator=generator).float() * 2 - 1
    calibrate(fitted, samples._replace(statistics=noise, residuals=noise))
    assert not fitted.gain.any()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("alpha", 1.0, "alpha: expected a number below 1"),
        ("alpha", -0.1, "alpha: expected zero or a finite|alpha: expected a finite"),
        ("epochs", 0, "epochs: expected an integer >= 1"),
        ("batch_size", 0, "batch_size: expected an integer >= 1"),
        ("sites_per_step", 0, "sites_per_step: expected an integer >= 1"),
        ("learning_rate", 0.0, "learning_rate: expected a finite number > 0"),
    ],
)
def test_settings_out_of_range_are_refused(setting, value, told):
    with pytest.raises(ValueError, match=told):
        fit_critic(critic(), draws(50, 1), draws(50, 2), **{**SETTINGS, setting: value})


def test_lightning_says_nothing_of_a_critic_and_talks_again_afterwards(caplog, monkeypatch):
    log = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    # A command that another test has run in this process has disabled every logger, as its configuration says.
    monkeypatch.setattr(log, "disabled", False)
    with caplog.at_level(logging.INFO, logger=log.name):
        with quiet_lightning():
            rank_zero_info("devices")
            assert not logging.getLogger("lightning_fabric.utilities.distributed").isEnabledFor(logging.INFO)
        rank_zero_info("afterwards")
        assert [record.message for record in caplog.records] == ["afterwards"]


@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize("epochs", [1, 10])
def test_few_samples_are_enough_to_fit(rows, epochs):
    train, validation = draws(rows, 1), draws(rows, 2)
    fitted = fit_critic(critic(DenseCritic), train, validation, **SETTINGS | {"epochs": epochs})
    assert torch.isfinite(fitted.log_ratio(validation)).all()
