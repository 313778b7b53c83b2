"""
A VAE learns a mean-field theory
================================

Can a variational autoencoder with one latent variable hold a Curie-Weiss ferromagnet below its transition? With a
linear decoder the model has a Hamiltonian of its own, H(s) = -K(w.s): Hopfield's square is replaced by the function K
that the prior gives. After a second of training it lies on the exact one, and the law of the magnetisation follows.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import vae_mf
from vae_mf.analysis import TrainedModel
from vae_mf.models import VAE, Condition, LinearDecoder, LinearEncoder, MixturePrior
from vae_mf.systems import CurieWeiss

temperature, sites = 0.9, 32
system = CurieWeiss(sites)
spins = torch.tensor(vae_mf.sample(system, temperature, count=8_000, seed=1)[0], dtype=torch.float32)

torch.manual_seed(1)
vae = VAE(LinearEncoder(sites, 1), LinearDecoder(sites, 1, bias=False), MixturePrior(1, components=2))
optimiser = torch.optim.Adam(vae.parameters(), lr=0.02)
schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.02, total_iters=600)
condition = Condition(torch.tensor([temperature]), torch.zeros(500, dtype=torch.int64))
for _ in range(600):
    batch = spins[torch.randint(len(spins), (500,))]
    batch = batch * (2.0 * torch.randint(2, (500, 1)) - 1)  # the flip of all spins costs nothing
    loss = -vae.elbo(batch, condition).elbo.mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()

model = TrainedModel(vae.eval(), temperatures=(temperature,))
z = torch.linspace(-6, 6, 1_001)[:, None]
at_nodes = Condition(torch.tensor([temperature]), torch.zeros(len(z), dtype=torch.int64))
prior = vae.prior(at_nodes).log_prob(z).detach().double().numpy()
weights = vae.decoder.weights.double().numpy()[:, 0]
fields = np.outer(z[:, 0].numpy(), weights)
log_measure = prior - np.logaddexp(fields, -fields).sum(1)

up = np.arange(sites + 1)
magnetisation = 2 * up - sites
tilt = weights.mean() * magnetisation  # all sites alike
potential = np.logaddexp.reduce(log_measure + np.outer(tilt, z[:, 0].numpy()), axis=1)
exact = magnetisation**2 / (2 * sites * temperature)

with vae_mf.plotting.house_style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
    left.plot(magnetisation / sites, exact, color="#1a1a1a", label="exact, M² / 2NT")
    left.plot(magnetisation / sites, potential - potential[sites // 2], "--", color="#b81c08", label="K of the VAE")
    left.set(xlabel="magnetisation m", ylabel="-H / T  [nats]")
    left.legend()
    law = system.order_parameter_law(temperature)
    drawn = np.rint((model.sample(count=8_000, seed=1).mean(1) + 1) / 2 * sites).astype(int)
    share = np.bincount(drawn, minlength=sites + 1) / 8_000
    error = np.sqrt(share * (1 - share) / 8_000)
    right.fill_between(law.values, law.probabilities, color="#66b3ea", alpha=0.5, label="exact")
    right.errorbar(law.values, share, error, fmt="o", ms=3, color="#b81c08", label="samples of the VAE")
    right.set(xlabel="magnetisation m", ylabel="probability", ylim=(0, 1.4 * law.probabilities.max()))
    right.legend(loc="upper center")
plt.show()
