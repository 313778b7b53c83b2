"""What is done with a trained model, on a CUDA device without values: see `helpers.device_cases`, which runs it."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
import torch

from helpers.device_record import DEVICE, recorded
from vae_mf.analysis import posterior_draws
from vae_mf.analysis.elbo_surgery import draw_latents, surgery_terms
from vae_mf.analysis.found_patterns import explained_variance, scaled_directions
from vae_mf.analysis.free_prior import log_likelihoods
from vae_mf.analysis.generalized_hopfield import generalized_hopfield
from vae_mf.analysis.generation import generate, score
from vae_mf.analysis.joint_samples import decoded_samples, marginal_parameters, marginal_samples, plant
from vae_mf.analysis.latent_density import prior_density
from vae_mf.analysis.latent_potential import linear_mean_field, prior_draws
from vae_mf.analysis.posterior_draws import LatentVAE
from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.datamodule import EpochBatches, ResidentSet
from vae_mf.models.critic import DenseCritic, JointSamples, LatticeCritic
from vae_mf.models.site_families import site_family
from vae_mf.models.tensors import Condition
from vae_mf.models.vae import VAE
from vae_mf.training import encoder_refit, prior_refit
from vae_mf.training.critic_module import CriticModule, JointBatches, calibrate
from vae_mf.training.encoder_refit import refit_encoder
from vae_mf.training.prior_refit import refit_prior

TEMPERATURE = 0.8


def readings(vae: VAE, data: ResidentSet) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what a model is read by, each with a name, on data that lie on its device."""
    with recorded():
        rows = data.states()[:100]
    if vae.kind == "directors":
        rows = rows / np.linalg.norm(rows, axis=2, keepdims=True)
    at = {0.5: rows, TEMPERATURE: rows}
    yield "generate", lambda: generate(vae, TEMPERATURE, 100, 1)
    yield "score", lambda: score(vae, rows, TEMPERATURE, 4, 1)
    yield "encode", lambda: TrainedModel(vae).encode(rows, TEMPERATURE)
    yield "decode", lambda: TrainedModel(vae).decode(np.zeros((7, vae.latents)))
    yield "elbo surgery", lambda: surgery_terms(vae, draw_latents(vae, rows, TEMPERATURE, 1), rows, TEMPERATURE, 2)
    yield "prior draws", lambda: prior_draws(vae, TEMPERATURE, 100, 1)
    yield "residuals", lambda: residuals(vae, rows)
    yield "pairs", lambda: decoded_samples(vae, at, 1)
    yield "marginals", lambda: marginal_samples(at, marginal_parameters(at, next(vae.parameters())))
    batches, held_out = EpochBatches(data, 64, 1), EpochBatches(data, 64)
    yield "refit of the prior", lambda: refit_of_prior(vae, held_out)
    yield "refit of the encoder", lambda: refit_of_encoder(vae, batches, held_out)
    if vae.latents == 1:
        yield "density of the prior", lambda: prior_density(vae, np.linspace(-1, 1, 9), TEMPERATURE)
    if vae.kind == "spins":
        yield "Jacobian", lambda: logit_jacobian(vae, TEMPERATURE, 50, 1)
        yield "directions", lambda: scaled_directions(vae, 1)
        yield "explained variance", lambda: explained_variance(vae, 1)
        yield "likelihoods at points", lambda: log_likelihoods(vae, rows, np.zeros((5, vae.latents)), TEMPERATURE)


def refit_of_prior(vae: VAE, data: EpochBatches) -> None:
    """Fit the prior of a model again, and compare it by a single draw of each row."""
    with patch.object(prior_refit, "VALIDATION_DRAWS", 1):
        refit_prior(vae, data, data, steps=2, batch_size=32, seed=1)


def refit_of_encoder(vae: VAE, batches: EpochBatches, data: EpochBatches) -> None:
    """Fit the encoder of a model again, and compare it by a single draw of each row."""
    with patch.object(encoder_refit, "VALIDATION_DRAWS", 1):
        refit_encoder(vae, batches, data, steps=2, learning_rate=1e-3, seed=1)


def residuals(vae: VAE, rows: np.ndarray) -> None:
    """Read what a model leaves of some rows."""
    with patch.object(posterior_draws, "PRIOR_DRAWS", posterior_draws.FEW):
        model = LatentVAE(vae, TEMPERATURE, proposals=2)
        list(model.residuals(rows, 2, 1))
        model.latents(rows, 1)
        model.variance_products()


def hamiltonian(vae: VAE, data: ResidentSet) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what a linear decoder is read by."""
    rows = np.ones((9, vae.sites), np.int8)
    yield "mean field", lambda: linear_mean_field(vae, TEMPERATURE).log_prior(np.zeros((9, vae.latents)))
    yield "Hamiltonian", lambda: generalized_hopfield(vae, TEMPERATURE, 64, 0).energy(rows)


def critics(vae: VAE, data: ResidentSet) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is done with a critic of each form."""
    family = site_family(vae.kind)
    with recorded():
        part = torch.zeros(128, vae.sites, family.components, device=DEVICE)
        temperatures, level = torch.ones(2, device=DEVICE), torch.zeros(128, dtype=torch.long, device=DEVICE)
        latents = torch.zeros(128, vae.latents, device=DEVICE)
        samples = JointSamples(part, part.clone(), part.clone(), latents, Condition(temperatures, level))
        generator = torch.Generator(DEVICE)
    for kind in (DenseCritic, LatticeCritic):
        critic = kind(vae.sites, vae.kind, vae.latents, 2)
        with recorded():
            critic.to(DEVICE)
        for alpha in (0.0, 0.1):
            yield f"{kind.__name__} alpha={alpha} step", lambda c=critic, a=alpha: critic_step(c, samples, a)
        yield f"{kind.__name__} gain", lambda c=critic: calibrate(c.eval(), samples)
        yield f"{kind.__name__} ratios", lambda c=critic: c.log_ratio(samples)
        yield f"{kind.__name__} ratios of a part", lambda c=critic: c.log_ratio(samples, c.part[: vae.sites // 2])
    yield "planted", lambda: plant(samples, family, 2, 0.2, generator)


def critic_step(critic, samples: JointSamples, alpha: float) -> None:
    """Take a training step of a critic."""
    critic.screen(samples)
    module = CriticModule(critic, alpha, 5e-3, 1e-2, 8, 10, 1).to(DEVICE)
    chosen = module.configure_optimizers()
    module.on_train_epoch_start()
    loss = module.training_step(next(iter(JointBatches(samples, 64, 1))), 0)
    loss.backward()
    chosen["optimizer"].step()
    chosen["lr_scheduler"]["scheduler"].step()
