"""Hidden Markov models of rows in the order of time: their law without memory, and given the rows before.

Source: Baum, Petrie, Soules and Weiss, Annals of Mathematical Statistics 41 (1970) 164; Rabiner, Proceedings of the
IEEE 77 (1989) 257, eqs. (19) to (40).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int8
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive, shown
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.density_models.expectation_maximisation import Step, climb
from vae_mf.density_models.hidden_chain import (
    Chain,
    drawn_states,
    expected_counts,
    filtered,
    likeliest_chain,
    log_prior,
    mean_law,
)
from vae_mf.density_models.hidden_states import BernoulliStates, CountedRows, States, fitted_states
from vae_mf.density_models.mixture import TILT
from vae_mf.density_models.sequences import SequenceModel, Sequences, Starts
from vae_mf.inverse_ising.base import new_generator
from vae_mf.statistics.distinct import numbered_spins
from vae_mf.statistics.independent import probabilities_up

PERSISTENCE = 0.7
"""Probability that a state follows itself at the start of a fit, beside that of an even draw."""


@dataclass(eq=False, repr=False)
class HiddenMarkov(SequenceModel):
    """p(s_1 ... s_T) = sum over k_1 ... k_T of π(k_1) p(s_1|k_1) prod_t A(k_t-1, k_t) p(s_t|k_t), by Baum and Welch.

    As a law of single rows it is p(s) = sum_k w_k p(s|k), w the law of the state at a random place of sequences as long
    as those of the fit: the stationary law, where these are long. Of rows without an order it is a mixture.

    Every state gets, beside its share of the data, ``pseudocount`` rows at the mean rates, and as many starts and
    transitions spread evenly over the states. The objective, log-likelihood and log-prior, never falls.

    Source: Baum, Petrie, Soules and Weiss 1970; Rabiner, Proceedings of the IEEE 77 (1989) 257, eqs. 19 to 40.

    >>> rows = np.repeat(np.tile([1, -1], 40), 5)[:, None].repeat(3, axis=1)
    >>> model = HiddenMarkov(2).fit(rows, lengths=[400])
    >>> past = model.score_samples_given_past(rows, lengths=[400])
    >>> round(model.score(rows), 1), round(float(past.mean()), 1)
    (-0.7, -0.5)

    Args:
        n_states: number of hidden states K.
        emission: density model of the rows given the state, such as a tree, which is fitted for every state; None for
            independent variables.
        pseudocount: number of rows, of starts and of transitions added to each state.
        n_init: number of starts, of which the best after a few iterations is continued.
        tolerance: gain per iteration, in nats per row, below which the fit has converged.
        max_iter: largest number of iterations.
        random_state: seed or generator of the starts.

    Attributes:
        weights_: w_k, shape (K,), falling.
        start_: π, shape (K,).
        transitions_: A, shape (K, K), from the state of the line to that of the column.
        states_: laws of rows given the state: ``states_.probabilities``, shape (K, N), or ``states_.models``.
        objective_: log-likelihood and log-prior before every iteration, in nats per row.
        n_iter_, converged_: iterations used, and whether they were enough.
    """

    n_states: Any = 8
    emission: Any = None
    pseudocount: Any = 1.0
    n_init: Any = 4
    tolerance: Any = 1e-5
    max_iter: Any = 500
    random_state: Any = 0

    def _fit_sequences(self, sequences: Sequences) -> None:
        if not isinstance(self.emission, DensityModel | None):
            raise ValueError(f"emission: expected a density model or None, got {shown(self.emission)}")
        count = require_few_states(require_integer("n_states", self.n_states), sequences)
        self._climb(MarkovProblem(sequences, count, require_positive("pseudocount", self.pseudocount)))

    def _climb(self, problem: "MarkovProblem") -> None:
        """Set the fitted attributes by expectation-maximisation."""
        last = climb(self, problem, self._laws(problem, new_generator(self.random_state)))
        if self.emission is not None:
            last = climb(self, problem, [problem.with_models(last.components, self.emission)])
        law, self.objective_, self.converged_ = last
        self._store(law, problem.sequences)
        self.n_iter_ = len(self.objective_)

    def _laws(self, problem: "MarkovProblem", random: np.random.Generator) -> Iterator["HiddenLaw"]:
        """Yield the first parameters of every trial."""
        for _ in range(require_integer("n_init", self.n_init) if problem.count > 1 else 1):
            yield problem.start(random)

    def _store(self, law: "HiddenLaw", sequences: Sequences) -> None:
        """Set the parameters, the most frequent state first."""
        weights = mean_law(law.chain, sequences)
        order = np.argsort(-weights, kind="stable")
        count = len(order)
        self.weights_ = weights[order]
        self.start_ = law.chain.start[order]
        self.transitions_ = law.chain.transitions[np.ix_(order, order)]
        self.states_ = law.states.ordered(order)
        of_chain = count**2 - 1 if sequences.transitions else count - 1
        self.n_parameters_ = self.states_.n_parameters + of_chain

    def _log_density_given_past(self, rows: Spins, starts: Starts) -> LogLikelihoods:
        distinct = numbered_spins(rows)
        return filtered(self.states_.logs(distinct.spins), distinct.numbers, starts, self._chain)

    def state_probabilities(self, rows: Any, lengths: Any) -> Float[np.ndarray, "rows states"]:
        """Return p(k_t | s_1 ... s_T) of each row (M, N), given its whole sequence.

        Args:
            lengths: numbers of rows of the sequences, whose sum is M.
        """
        spins, starts = self._placed(rows, lengths)
        once = np.ones(len(starts) - 1)
        return expected_counts(self.states_.logs(spins), np.arange(len(spins)), starts, once, self._chain).rows

    @property
    def _chain(self) -> Chain:
        return Chain(self.start_, self.transitions_)

    def sample_sequences(
        self, n_sequences: int = 1, length: int = 100, random_state: Any = None
    ) -> Int8[np.ndarray, "sequences length variables"]:
        """Return sequences drawn from the model, entries -1 and +1."""
        check_is_fitted(self)
        count = require_integer("n_sequences", n_sequences)
        steps = require_integer("length", length)
        random = new_generator(random_state)
        states = drawn_states(self._chain, random.random((count, steps)))
        return self.states_.drawn(states.ravel(), random).reshape(count, steps, -1)

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        return logsumexp(self.states_.logs(rows) + np.log(self.weights_), axis=1)

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        states = random.choice(len(self.weights_), count, p=self.weights_ / self.weights_.sum())
        return self.states_.drawn(states, random)


class HiddenLaw(NamedTuple):
    """Parameters of a hidden Markov model."""

    chain: Chain
    states: States


class MarkovProblem:
    """Expectation-maximisation on sequences.

    Args:
        sequences: data.
        count: number of states.
        pseudocount: number of rows, of starts and of transitions added to each state.
    """

    def __init__(self, sequences: Sequences, count: int, pseudocount: float):
        self.sequences, self.count, self.pseudocount = sequences, count, pseudocount
        counts = sequences.counts
        self._total = counts.sum()
        self._rows = CountedRows(sequences.spins, counts, probabilities_up(sequences.spins, counts))

    def start(self, random: np.random.Generator) -> HiddenLaw:
        """Return states between the mean row and rows of the data, which persist."""
        count, rates = self.count, self._rows.rates
        even = np.full(count, 1 / count)
        chain = Chain(even, PERSISTENCE * np.eye(count) + (1 - PERSISTENCE) * even)
        chosen = random.choice(len(self._rows.spins), count, p=self._rows.counts / self._total)
        away = TILT * ((self._rows.spins[chosen] > 0) - rates)
        return HiddenLaw(chain, BernoulliStates(rates + (away if count > 1 else 0 * away)))

    def step(self, old: HiddenLaw) -> Step:
        """Return the objective of the old parameters, and new ones of a higher objective."""
        seen = self._expected(old)
        prior = log_prior(old.chain) + old.states.log_prior(self._rows)
        states = old.states.refitted(self._rows, seen.rows, self.pseudocount)
        objective = (seen.log_likelihood + self.pseudocount * prior) / self._total
        return Step(float(objective), HiddenLaw(likeliest_chain(seen, self.pseudocount), states))

    def with_models(self, law: HiddenLaw, model: DensityModel) -> HiddenLaw:
        """Return the parameters with a density model for every state, fitted to the rows that are expected from it."""
        seen = self._expected(law)
        return HiddenLaw(law.chain, fitted_states((model,) * self.count, self._rows, seen.rows, self.pseudocount))

    def _expected(self, law: HiddenLaw):
        logs = law.states.logs(self.sequences.spins)
        return expected_counts(logs, self.sequences.numbers, self.sequences.starts, self.sequences.weights, law.chain)


def require_few_states(count: int, sequences: Sequences) -> int:
    """Return the number of states, or raise ValueError if rows or transitions are too few for it."""
    transitions = sequences.transitions
    rows = len(sequences.numbers)
    most = min(rows, int(transitions**0.5)) if transitions else rows
    if count > most:
        raise ValueError(
            f"n_states: expected at most {most} for {rows} rows with {transitions} transitions between them, one for "
            f"each pair of states, got {count}; take fewer states or more rows"
        )
    return count
