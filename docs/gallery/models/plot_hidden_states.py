"""
States that rows alone do not show
==================================

Sixteen cells fire at rates that change with a hidden state, which stays for some 60 bins. No single row tells which of
the three it was, but rows before and after do: a hidden Markov model finds states, rates and times. Above the raster,
the state that was; below it, the probabilities that the model gives to the states it has found.
"""

import matplotlib.pyplot as plt
import numpy as np

import vae_mf
from vae_mf.density_models import BernoulliMixture, HiddenMarkov

random = np.random.default_rng(2)
rates = random.uniform(0.1, 0.45, (3, 16))
state = [0]
for _ in range(3_999):
    state.append(state[-1] if random.random() < 1 - 1 / 40 else int(random.integers(3)))
state = np.array(state)
rows = np.where(random.random((4_000, 16)) < rates[state], 1, -1)

model = HiddenMarkov(n_states=3).fit(rows, lengths=[4_000])
found = model.state_probabilities(rows, lengths=[4_000])
mixture = BernoulliMixture(n_components=3).fit(rows)
ahead = model.score_samples_given_past(rows, lengths=[4_000]).mean() - mixture.score(rows)
likeliest = np.zeros((3, 3))
np.add.at(likeliest, (found.argmax(1), state), 1)
agreement = likeliest.max(1).sum() / len(state)
order = likeliest.argmax(1).argsort()  # the same colours for the states that go with each other

with vae_mf.plotting.house_style():
    figure, axes = plt.subplots(3, 1, figsize=(6.4, 4.4), sharex=True, layout="constrained", height_ratios=[1, 5, 3])
    shown = slice(0, 400)
    axes[0].imshow(state[None, shown], aspect="auto", cmap="Set2", vmin=0, vmax=7, interpolation="none")
    axes[0].set(yticks=[], ylabel="state")
    axes[1].imshow(rows[shown].T, aspect="auto", cmap="Greys", interpolation="none")
    axes[1].set(ylabel="cell")
    axes[2].stackplot(np.arange(400), found[shown, order].T, colors=plt.cm.Set2([0, 1, 2]))
    axes[2].set(xlabel="bin", ylabel="probability", ylim=(0, 1))
    axes[0].set_title(
        f"{agreement:.0%} of the states found; rows known {ahead:.2f} nats better than without their past"
    )
plt.show()
