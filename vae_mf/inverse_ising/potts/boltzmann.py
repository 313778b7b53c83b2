"""Boltzmann learning of Potts models, maximum likelihood by enumeration or from annealed populations of chains."""

from dataclasses import dataclass
from typing import Any

from scipy.special import softmax

from vae_mf.checks import require_choice, require_integer, require_non_negative, require_positive
from vae_mf.inverse_ising.base import new_generator
from vae_mf.inverse_ising.potts.ascent import PottsAscent, PottsNewton
from vae_mf.inverse_ising.potts.base import PottsEstimate, PottsModel
from vae_mf.inverse_ising.potts.chains import enumerable
from vae_mf.inverse_ising.potts.coordinates import Vector
from vae_mf.inverse_ising.potts.likelihood import EnumeratedLikelihood, Penalised, SampledLikelihood
from vae_mf.inverse_ising.potts.pseudolikelihood import minimise_potts
from vae_mf.inverse_ising.potts.regression import PottsRegression, smoothed
from vae_mf.inverse_ising.potts.rows import PottsRows, all_rows, picked
from vae_mf.inverse_ising.potts.standard_errors import bytes_of_all, likelihood_errors
from vae_mf.inverse_ising.solvers.lbfgs import Stopping, minimise

EXACT = Stopping(1e-9, 1000)
ROUGH = Stopping(1e-4, 500)
"""Stopping of the pseudo-likelihood estimate from which the learning starts."""
ROWS_OF_ERRORS = 2**15
"""Number of the model's own rows behind standard errors, about."""


@dataclass(eq=False, repr=False)
class PottsBoltzmannLearning(PottsModel):
    """Maximise <ln p(x)> less the penalty, after which the model has the frequencies of pairs of states of the data.

    By enumeration the maximum is exact. Otherwise Newton's method ascends from the best model on the line between
    independent sites and the pseudo-likelihood estimate, every model annealed anew; the fit has converged when the
    Monte Carlo error of the moments, their distance from the maximum and the next step are below ``precision`` in units
    of the statistical errors, and a second population says so too.

    >>> import numpy as np
    >>> from vae_mf.inverse_ising.potts.rows import all_rows
    >>> rows = all_rows(2, 3)
    >>> weights = 100 * np.exp(3.0 * (rows[:, 0] == rows[:, 1]))
    >>> fit = PottsBoltzmannLearning(l2=0.0, fields_l2=0.0).fit(rows, sample_weight=weights)
    >>> fit.couplings_[0, 1].round(3) + 0.0
    array([[ 2., -1., -1.],
           [-1.,  2., -1.],
           [-1., -1.,  2.]])

    Args:
        states, fields_l2, standard_errors: as for `PottsModel`.
        method: "enumeration" (q^N <= 2^20), "chains", or "auto" for enumeration where it is possible.
        l2: weight of the squared couplings, or "auto" for those of the pseudo-likelihood estimate.
        chains: number of chains in a population.
        sweeps: number of sweeps between the rows that a chain contributes.
        precision: largest error of the optimisation in units of the statistical error.
        max_iter: largest number of Newton's steps; enumeration has a limit of its own.
        random_state: seed or generator of all randomness.
    """

    states: Any = None
    method: Any = "auto"
    l2: Any = "auto"
    fields_l2: Any = 1.0
    chains: Any = 4096
    sweeps: Any = 3
    precision: Any = 0.3
    max_iter: Any = 40
    standard_errors: Any = False
    random_state: Any = 0

    def _required_bytes(self, sites: int, states: int) -> int:
        errors = bytes_of_all(sites, states) if self.standard_errors else 0
        return super()._required_bytes(sites, states) + errors

    def _estimate(self, data: PottsRows) -> PottsEstimate:
        exact = self._enumerates(data)
        regression = PottsRegression(data, require_non_negative("fields_l2", self.fields_l2))
        coordinates = regression.coordinates
        first = coordinates.vector(regression.model(minimise_potts(regression, self.l2, ROUGH).points))
        penalised = Penalised(data, coordinates, regression.ridges)
        if exact:
            best = minimise(EnumeratedLikelihood(penalised), first[:, None], EXACT)
            vector = best.points[:, 0]
            picks = picked(all_rows(data.sites, data.states), data.states)
            weights = softmax(penalised.exponents(picks, vector))
            found = PottsEstimate(coordinates.model(vector), regression.l2, best.n_iter, best.converged)
        else:
            independent = coordinates.independent(smoothed(regression.frequencies, data))
            last, steps, converged = self._ascent(penalised, independent, first)
            every = max(1, len(last.picks) // ROWS_OF_ERRORS)
            picks = last.picks[::every]
            weights = last.weights[::every] / last.weights[::every].sum()
            found = PottsEstimate(coordinates.model(last.vector), regression.l2, steps, converged)
        if not self.standard_errors:
            return found
        errors = likelihood_errors(coordinates, picks, weights, data.samples, penalised.ridges)
        return found._replace(errors=errors.doubted(regression, found.model))

    def _enumerates(self, data: PottsRows) -> bool:
        """Return True if the method is enumeration."""
        possible = enumerable(data.sites, data.states)
        method = require_choice("method", self.method, ("auto", "enumeration", "chains"))
        if method == "enumeration" and not possible:
            raise ValueError(
                f"method: expected chains for {data.sites} sites of {data.states} states, got enumeration, which is "
                "possible up to 2^20 rows"
            )
        return possible and method != "chains"

    def _ascent(self, penalised: Penalised, independent: Vector, first: Vector) -> PottsAscent:
        """Return the end of Newton's method with sampled moments."""
        random = new_generator(self.random_state)
        chains = require_integer("chains", self.chains)
        likelihood = SampledLikelihood(penalised, chains, require_integer("sweeps", self.sweeps), random)
        newton = PottsNewton(likelihood, require_positive("precision", self.precision), random)
        return newton.ascent(independent, first, require_integer("max_iter", self.max_iter))
