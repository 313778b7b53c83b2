"""
Couplings of a spin glass by six estimators
===========================================

Configurations of a Sherrington-Kirkpatrick glass whose couplings are known, at T = 0.9: which estimator finds them?
Formulas of mean-field theory take a matrix inversion and are biased where couplings are strong; pseudo-likelihood and
the maximum of the likelihood are not. Beside each name, the root mean square error over the spread of the couplings.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf import inverse_ising
from vae_mf.systems import SherringtonKirkpatrick

glass = SherringtonKirkpatrick.random(sites=16, seed=2)
temperature = 0.9
spins = vae_mf.sample(glass, temperature, count=10_000, seed=1)[0]
pairs = np.triu_indices(glass.sites, 1)
truth = glass.couplings[pairs] / temperature  # estimators return J / T
estimators = {
    "independent pairs": inverse_ising.IndependentPair(),
    "naive mean field": inverse_ising.NaiveMeanField(),
    "Sessak-Monasson": inverse_ising.SessakMonasson(),
    "Bethe": inverse_ising.Bethe(),
    "pseudo-likelihood": inverse_ising.PseudoLikelihood(),
    "maximum likelihood": inverse_ising.BoltzmannLearning(),
}

with vae_mf.plotting.house_style():
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.8), sharex=True, sharey=True, layout="constrained")
    for axis, (name, estimator) in zip(axes.flat, estimators.items(), strict=True):
        found = estimator.fit(spins).couplings_[pairs]
        error = np.sqrt(np.mean((found - truth) ** 2)) / truth.std()
        axis.axline((0, 0), slope=1, color="#1a1a1a", lw=0.8)
        axis.scatter(truth, found, s=9, c=np.abs(found - truth), cmap="plasma", vmin=0, vmax=0.3)
        axis.set_title(f"{name}: {error:.2f}", loc="left")
    figure.supxlabel("coupling J / T")
    figure.supylabel("estimate")
plt.show()
