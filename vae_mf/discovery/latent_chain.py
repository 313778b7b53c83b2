"""A trained model in time: its latent variables on points of a free law that follow each other as a Markov chain."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from vae_mf.analysis.free_prior import FreePrior, log_likelihoods
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.arrays import Rows, Spins
from vae_mf.density_models.base import bernoulli
from vae_mf.density_models.hidden_chain import Chain
from vae_mf.density_models.hidden_markov import PERSISTENCE, HiddenLaw, HiddenMarkov, MarkovProblem
from vae_mf.density_models.hidden_states import CountedRows, StateCounts, StateLogs
from vae_mf.models.base import free_parameters


@dataclass(frozen=True, eq=False)
class PointStates:
    """Laws of rows at points of the latent variables, which stay as they are.

    Args:
        prior: decoder with its points.
        order: numbers of the points that the states stand for.
    """

    prior: FreePrior
    order: Rows

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of the decoder."""
        return free_parameters(self.prior.vae.decoder)

    def logs(self, spins: Spins) -> StateLogs:
        """Return ln p(s|z_k) of rows."""
        return log_likelihoods(self.prior.vae, spins, self.prior.z[self.order], self.prior.temperature)

    def log_prior(self, rows: CountedRows) -> float:
        """Return 0: there is no prior of what stays as it is."""
        return 0.0

    def refitted(self, rows: CountedRows, counts: StateCounts, pseudocount: float) -> "PointStates":
        """Return the same laws."""
        return self

    def ordered(self, order: Rows) -> "PointStates":
        """Return the laws in another order."""
        return PointStates(self.prior, self.order[order])

    def drawn(self, states: Int[np.ndarray, " rows"], random: np.random.Generator) -> Spins:
        """Return a row for every state."""
        model = TrainedModel(self.prior.vae, (self.prior.temperature,))
        return bernoulli((1 + model.decode(self.prior.z[self.order])[states]) / 2, random)


@dataclass(eq=False, repr=False)
class LatentChain(HiddenMarkov):
    """A hidden Markov model whose states are points of latent variables: their transitions alone are fitted.

    It is the trained model with memory: rows given z stay as they are, and z follows z by a law that is free on the
    points. The forward algorithm sums over all paths of these exactly.

    Args:
        prior: decoder with points for a prior, as many as there are states.
    """

    prior: Any = None

    def _laws(self, problem: MarkovProblem, random: np.random.Generator) -> Iterator[HiddenLaw]:
        weights = np.maximum(self.prior.weights, np.finfo(float).eps)
        chain = Chain(weights / weights.sum(), PERSISTENCE * np.eye(len(weights)) + (1 - PERSISTENCE) * weights)
        yield HiddenLaw(chain, PointStates(self.prior, np.arange(len(weights))))


def latent_chain(prior: FreePrior, **options: Any) -> LatentChain:
    """Return the chain of the points of a decoder, not fitted yet, with options of `HiddenMarkov`."""
    return LatentChain(len(prior.weights), prior=prior, **options)
