"""Ising models on a known graph, with one coupling and one field, or some, or one per bond and site.

The pseudo-likelihood sum_i ln p(s_i | all other spins) is maximised over couplings J_g of groups of bonds and fields
h_g of groups of sites. Standard errors are those of an M-estimator, (H^-1 V H^-1)_gg with H the curvature and V the
covariance of the configurations' gradients and of the prior's pull: they are right although the factors of a
pseudo-likelihood depend on each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.optimize import OptimizeResult, minimize
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from vae_mf.arrays import Spins
from vae_mf.checks import plain_array, require_choice, require_integer, require_non_negative, require_positive
from vae_mf.inverse_ising.base import (
    Estimate,
    InverseIsing,
    Weights,
    checked_spins,
    refuse_constant_spins,
    require_sites,
    store_estimate,
    warn_convergence,
    weighted_rows,
)
from vae_mf.inverse_ising.solvers.information import inverted
from vae_mf.inverse_ising.solvers.interaction_graph import Graph, checked_bonds, lattice_bonds, numbered
from vae_mf.inverse_ising.solvers.local_regression import LOGISTIC, Loss

FEWEST_FOR_ERRORS = 10
"""Configurations below which the covariance of their gradients is not estimated."""
ROWS = 2**10


@dataclass(eq=False, repr=False)
class GraphPseudoLikelihood(InverseIsing):
    """Couplings on the bonds of a given graph and fields, any of them tied together, by pseudo-likelihood.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> ring = 100 * np.exp(0.2 * (spins * np.roll(spins, 1, axis=1)).sum(axis=1))
    >>> fit = GraphPseudoLikelihood([[0, 1], [1, 2], [2, 0]], couplings="shared", fields="none", l2=0.0)
    >>> fit.fit(spins, sample_weight=ring).group_couplings_.round(3)
    array([0.2])

    Args:
        bonds: pairs of sites, shape (bonds, 2), each once in either order.
        couplings: "bonds" for one per bond, "shared" for one in all, or a number from 0 on per bond, the same for
            bonds of the same coupling.
        fields: "sites", "shared", "none", or a number per site likewise.
        l2: penalty l2 / 2 sum_g J_g^2, which keeps couplings finite where neighbours never differ. Without it couplings
            and fields that the data do not bound are named, have infinite errors, and the couplings get l2 = 1.
        tolerance: largest gradient per configuration at which the fit has converged.
        max_iter: largest number of iterations.

    Attributes:
        group_couplings_, group_fields_: J_g and h_g.
        group_couplings_error_, group_fields_error_: standard errors, with 10 configurations or more.
    """

    bonds: Any
    couplings: Any = "bonds"
    fields: Any = "sites"
    l2: Any = 1.0
    tolerance: Any = 1e-5
    max_iter: Any = 500
    encoding: Any = "spin"

    _without_errors = f"give {FEWEST_FOR_ERRORS} or more configurations"

    def _accepts_constant_spins(self) -> bool:
        return not (isinstance(self.fields, str) and self.fields == "sites")

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        bonds = checked_bonds(self.bonds, spins.shape[1])
        bond_groups = numbered("couplings", self.couplings, len(bonds), {"bonds": "each", "shared": "one"})
        choices = {"sites": "each", "shared": "one", "none": "no"}
        site_groups = numbered("fields", self.fields, spins.shape[1], choices)
        return self._fit_graph(spins, weights, Graph(bonds, bond_groups, site_groups))

    def _fit_graph(self, spins: Spins, weights: Weights, graph: Graph) -> Estimate:
        """Return the estimate on a graph and set the attributes of its groups."""
        l2 = require_non_negative("l2", self.l2)
        tolerance = require_positive("tolerance", self.tolerance)
        # Couplings as a matrix, and for errors curvature, scatter and inverse over all parameters.
        require_sites(self, graph.sites, 8 * (4 * graph.sites**2 + 9 * graph.parameters**2))
        refuse_constant_fields(spins, graph)
        task = TiedPseudoLikelihood(spins, weights, graph, l2)
        found = minimised(task, tolerance, self.max_iter)
        bounded = np.ones(graph.parameters, dtype=bool) if l2 else task.bounded(found.x)
        if not bounded.all():
            warn_unbounded(bounded, graph)
            task = TiedPseudoLikelihood(spins, weights, graph, (~bounded[: graph.couplings]).astype(float))
            found = minimised(task, tolerance, self.max_iter)
        couplings, fields = task.expand(found.x)
        self.group_couplings_, self.group_fields_ = np.split(found.x, [graph.couplings])
        estimate = Estimate(
            graph.matrix(couplings), fields, found.nit, bool(np.abs(found.jac).max() <= 10 * tolerance),
            determined=graph.couplings,
        )  # fmt: skip
        for name in ("group_couplings_error_", "group_fields_error_"):
            self.__dict__.pop(name, None)
        if len(spins) < FEWEST_FOR_ERRORS:
            return estimate
        errors = np.where(bounded, task.standard_errors(found.x), np.inf)
        self.group_couplings_error_, self.group_fields_error_ = np.split(errors, [graph.couplings])
        bond_errors, field_errors = task.expand(errors)
        return estimate._replace(couplings_error=graph.matrix(bond_errors), fields_error=field_errors)


class LatticeIsing(GraphPseudoLikelihood):
    """One coupling J between neighbouring pixels and one field h, or a few, from binary images.

    >>> from vae_mf.packing import all_configurations
    >>> images = all_configurations(4).reshape(16, 2, 2)
    >>> bonds = (images[:, 0] * images[:, 1]).sum(axis=1) + (images[:, :, 0] * images[:, :, 1]).sum(axis=1)
    >>> fit = LatticeIsing(fields="none", l2=0.0).fit(images, sample_weight=100 * np.exp(0.3 * bonds))
    >>> fit.group_couplings_.round(3), fit.couplings_.shape
    (array([0.3]), (4, 4))

    Args:
        couplings: "shared" for one J, "axes" for one along columns and one along rows, "bonds" for one per bond.
        fields: "shared" for one h, "none", or "sites" for one per pixel.
        periodic: True if the last row and column touch the first.
        l2, tolerance, max_iter, encoding: as for `GraphPseudoLikelihood`.
    """

    def __init__(
        self,
        couplings: Any = "shared",
        fields: Any = "shared",
        periodic: Any = False,
        l2: Any = 1.0,
        tolerance: Any = 1e-5,
        max_iter: Any = 500,
        encoding: Any = "spin",
    ):
        super().__init__(None, couplings, fields, l2, tolerance, max_iter, encoding)
        self.periodic = periodic

    def fit(self, spins: Any, y: Any = None, sample_weight: Any = None) -> "LatticeIsing":
        """Infer J and h from images, shape (rows, columns) or (images, rows, columns), and a weight for each image."""
        images = check_array(plain_array(spins), dtype="numeric", allow_nd=True, input_name="images")
        if images.ndim not in (2, 3) or min(images.shape[-2:]) < 2:
            raise ValueError(f"images: expected (rows, columns) or (images, rows, columns), got {images.shape}")
        shape = images.shape[-2:]
        rows = checked_spins(images, self.encoding).reshape(-1, shape[0] * shape[1])
        rows, weights = weighted_rows(rows, sample_weight)
        if not self._accepts_constant_spins():
            refuse_constant_spins(rows)
        along = require_choice("couplings", self.couplings, ("shared", "axes", "bonds"))
        bonds, axes = lattice_bonds(*shape, periodic=self.periodic)
        bond_groups = {"shared": 0 * axes, "axes": axes, "bonds": np.arange(len(axes))}[along]
        choices = {"sites": "each", "shared": "one", "none": "no"}
        site_groups = numbered("fields", self.fields, rows.shape[1], choices)
        self.n_features_in_ = rows.shape[1]
        return store_estimate(self, self._fit_graph(rows, weights, Graph(bonds, bond_groups, site_groups)))

    def _rows(self, spins: Any) -> Spins:
        check_is_fitted(self)
        values = np.asarray(spins)
        pixels = self.n_features_in_
        if values.shape[1:] != (pixels,) and np.prod(values.shape[-2:]) != pixels:
            raise ValueError(f"images: expected {pixels} pixels as in fit, got shape {values.shape}")
        return super()._rows(values.reshape(-1, pixels))


def minimised(task: "TiedPseudoLikelihood", tolerance: float, limit: Any) -> OptimizeResult:
    """Return about the minimum of an objective."""
    options = {"maxiter": require_integer("max_iter", limit), "gtol": tolerance, "ftol": 1e-15}
    return minimize(task.evaluate, np.zeros(task.graph.parameters), jac=True, method="L-BFGS-B", options=options)


def refuse_constant_fields(spins: Spins, graph: Graph) -> None:
    """Raise ValueError if all spins of one field have one value in all configurations, for it is then infinite."""
    sums = spins.sum(axis=0, dtype=np.int64)
    for group in range(graph.parameters - graph.couplings):
        sites = graph.site_groups == group
        if abs(sums[sites].sum()) == sites.sum() * len(spins):
            raise ValueError(
                f'spins: expected both values at sites of field {group}, got one; set fields="none" or leave them out'
            )


def warn_unbounded(bounded: Bool[np.ndarray, " parameters"], graph: Graph) -> None:
    """Warn of couplings and fields that have no finite estimate without a penalty."""
    named = []
    for kind, part in zip(("couplings", "fields"), np.split(bounded, [graph.couplings]), strict=True):
        numbers = np.flatnonzero(~part)
        named.append(f"{numbers.size} {kind}, {numbers[:5].tolist()}{' and more' if numbers.size > 5 else ''},")
    warn_convergence(
        f"the data do not bound {' and '.join(named)} without a penalty: their errors are infinite, and their values "
        "those of l2 = 1; set l2 > 0"
    )


class TiedPseudoLikelihood:
    """Sum over sites of a loss per unit weight, of parameters shared by groups of bonds and sites.

    Args:
        l2: penalty l2 / 2 sum_g J_g^2, one weight or one per coupling.
        loss: loss of the margin s_i theta_i; the logistic one makes the sum minus the log pseudo-likelihood.
    """

    def __init__(
        self,
        spins: Spins,
        weights: Weights,
        graph: Graph,
        l2: float | Float[np.ndarray, " couplings"],
        loss: Loss = LOGISTIC,
    ):
        self.spins, self.weights, self.graph, self.loss = spins, weights, graph, loss
        self.total = float(weights.sum())
        self.bond_design, self.site_design = graph.design()
        self.decay = np.zeros(graph.parameters)
        self.decay[: graph.couplings] = l2

    def expand(self, parameters: Float[np.ndarray, " parameters"]) -> tuple[np.ndarray, np.ndarray]:
        """Return the value of every bond and of every site."""
        return self.bond_design.T @ parameters, self.site_design.T @ parameters

    def parts(self, parameters: Float[np.ndarray, " parameters"]):
        """Yield spins (N, rows), weights and local fields (N, rows) of some configurations at a time."""
        couplings, fields = self.expand(parameters)
        first, second = self.graph.bonds.T
        upper = sparse.coo_array((couplings, (first, second)), shape=(self.graph.sites, self.graph.sites))
        matrix = sparse.csr_array(upper + upper.T)
        for begin in range(0, len(self.spins), ROWS):
            columns = np.ascontiguousarray(self.spins[begin : begin + ROWS].T, dtype=np.float64)
            yield columns, self.weights[begin : begin + ROWS], matrix @ columns + fields[:, None]

    def gradients(self, residual: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, "parameters rows"]:
        """Return minus the gradient of every configuration from minus the derivatives by its local fields."""
        first, second = self.graph.bonds.T
        bonds = residual[first] * columns[second] + residual[second] * columns[first]
        return self.bond_design @ bonds + self.site_design @ residual

    def evaluate(self, parameters: Float[np.ndarray, " parameters"]) -> tuple[float, np.ndarray]:
        """Return the objective and its gradient."""
        value = float(self.decay @ parameters**2) / 2
        slope = self.decay * parameters
        for columns, weights, local in self.parts(parameters):
            losses, slopes = self.loss.evaluate(columns * local)
            value += float(losses.sum(axis=0) @ weights)
            slope -= self.gradients(-slopes * columns, columns) @ weights
        return value / self.total, slope / self.total

    def bounded(self, parameters: Float[np.ndarray, " parameters"]) -> Bool[np.ndarray, " parameters"]:
        """Return True for parameters that the data bound, judged by Newton's method from about the minimum.

        Along a unit vector v no margin changes by more than n, the bonds of a site and one, and the curvature falls by
        at most e^-2nt over a length t. There is a minimum if the Newton step d has |d|_H < |v|_H / 2n for all v. Where
        there is none the steps go on until no curvature is left.
        """
        flat = inverted(self.curvature(np.zeros_like(parameters)), self.total).untold.shape[1]
        reach = 1 + np.bincount(self.graph.bonds.ravel()).max()
        while True:
            inverse = inverted(self.curvature(parameters), self.total)
            if inverse.untold.shape[1] > flat:
                return inverse.known
            gradient = self.total * self.evaluate(parameters)[1]
            step = inverse.matrix @ gradient
            # The largest singular value of R is the root of 1 / the least curvature.
            if 4 * reach**2 * float(gradient @ step) * np.linalg.norm(inverse.roots, 2) ** 2 < 1:
                return inverse.known
            change = max(np.abs(local).max() for _, _, local in self.parts(step))
            parameters = parameters - step / max(1.0, float(change))

    def standard_errors(self, parameters: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " parameters"]:
        """Return the root of the diagonal of H^-1 (V + 2 l2) H^-1, and at least that of H^-1.

        A pair stands in two factors, so that l2 is twice the precision of the prior, and 2 l2 the variance of its pull.
        Events that did not happen are missing in V. Errors are infinite in directions of no curvature.
        """
        spread = np.diag(2 * self.decay)
        for columns, weights, local in self.parts(parameters):
            _, slopes = self.loss.evaluate(columns * local)
            gradients = self.gradients(-slopes * columns, columns)
            spread += (gradients * weights) @ gradients.T
        inverse = inverted(self.curvature(parameters), self.total)
        variances = np.einsum("ij,jk,ik->i", inverse.matrix, spread, inverse.matrix, optimize=True)
        return np.sqrt(np.maximum(variances, inverse.variances()))

    def curvature(self, parameters: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, "parameters parameters"]:
        """Return the second derivatives of the objective times the total weight."""
        curvature = np.diag(self.decay)
        for columns, weights, local in self.parts(parameters):
            _, slopes = self.loss.evaluate(columns * local)
            self.add_curvature(curvature, columns, weights * self.loss.curvature(slopes))
        return curvature

    def add_curvature(self, curvature: np.ndarray, columns: np.ndarray, weights: np.ndarray) -> None:
        """Add sum w_i f_i f_i' over sites i and rows, f_i being the factors of the parameters in its field."""
        ends = self.graph.bonds.T.ravel()
        others = self.graph.bonds[:, ::-1].T.ravel()
        groups = np.tile(self.graph.bond_groups, 2)
        order = np.argsort(ends, kind="stable")
        starts = np.searchsorted(ends[order], np.arange(self.graph.sites + 1))
        for site in range(self.graph.sites):
            here = order[starts[site] : starts[site + 1]]
            features, numbers = columns[others[here]], groups[here]
            if self.graph.site_groups[site] >= 0:
                features = np.vstack([features, np.ones(columns.shape[1])])
                numbers = np.append(numbers, self.graph.couplings + self.graph.site_groups[site])
            np.add.at(curvature, np.ix_(numbers, numbers), (features * weights[site]) @ features.T)
