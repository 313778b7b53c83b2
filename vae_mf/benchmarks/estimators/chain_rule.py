"""Chain rule: TC = sum_i <ln p(x_i | x_<i) / p(x_i)>, one logistic regression a variable on those before it.

The log-odds of a variable are those of its reference and a sum of inputs, chosen on the fitted rows alone:

- summaries, principal components of the variables before it that stand out of chance, with z where it is given and
  random units that are functions of them: they hold what an order parameter says, exactly so for mean-field laws;
- neighbours, variables that a linear regression still wants beside the summaries;
- products of variables before it that what is left by the fit shows: of sets of three to seven variables as far as all
  of them can be looked through (`set_screen`), and of two and three of the first neighbours.

Of the sum a row of the fit says too much by k / 2n nats, k effective inputs and n rows, and a row held out says too
little by as much: their mean is right to first order. The error holds the spread of rows, the bias of at most
`Fit.doubt` that a penalty leaves, and the nats of a single pair that is too weak to be seen. In no error, and not seen:
functions of more than a few summaries, weak correlations of very many sets (which `residual_orders` adds), and sets
beyond those that are looked through. Among 60 variables of 6000 rows a noisy parity of seven of 0.11 nats is found.
"""

from collections.abc import Iterable
from itertools import combinations
from math import log
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped
from scipy.special import expit

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.chain_inputs import Chain, least_score
from vae_mf.benchmarks.estimators.director_chain import director_ratios
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.reference import Reference, in_units_of_spread, reference, training_rows
from vae_mf.benchmarks.estimators.regression import fitted, log_likelihoods, predicted
from vae_mf.benchmarks.estimators.set_screen import BEYOND_CHANCE, Candidate, candidates, products_of
from vae_mf.statistics.averages import Average

PRODUCTS, PRODUCT_NEIGHBOURS = 24, 10
"""Products that are chosen between two looks, and first neighbours whose products are looked at."""
LOOKS = 3
"""Looks at what is left, at most."""
CHUNK = 256
"""Products at a time."""


class Product(NamedTuple):
    """Product of some variables before another one."""

    members: tuple[int, ...]
    centred: bool
    """True for signs less their means, False for signs."""


class Ratios(NamedTuple):
    """ln p(x_i | x_<i) / p(x_i) of every variable of every row."""

    values: Float32[np.ndarray, "rows variables"]
    residuals: Float32[np.ndarray, "rows columns"]
    """Rest of every variable given those before it, in units of its spread."""
    variables: Int[np.ndarray, " columns"]
    """Variable of every column of the residuals, of which a director has five."""
    training: int
    """Number of the first rows, which were fitted to."""
    doubt: float
    """Bias of the mean in nats that penalties may leave, and what a single pair may hold that is not seen."""

    def mean(self, sums: Float[np.ndarray, " rows"]) -> Average:
        """Return the mean of the averages over fitted and held-out rows of some sums of ratios, with its error."""
        parts = np.split(sums, [self.training])
        errors = [part.std(ddof=1) / np.sqrt(len(part)) for part in parts]
        return Average(
            float(sum(part.mean() for part in parts) / 2), float(np.hypot(np.hypot(*errors) / 2, self.doubt))
        )


def chain_rule(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    cut: Bool[np.ndarray, " variables"] | None = None,
) -> Average:
    """Return TC(x), C(x|z) given z, or the information I(A; B) of a cut, in nats.

    The information of a cut is the total correlation of B with A before it in the chain, less that of B alone. Rows
    count as independent and in random order: the first two thirds are fitted to, the others held out.

    Raises:
        ValueError: if directors come with latent variables or a cut, or rows, z or the cut are not as they should be.
    """
    require_question(rows, given, cut)
    if cut is None:
        ratios = ratios_of(rows, given)
        return ratios.mean(ratios.values.sum(1, dtype=np.float64))
    if rows.ndim > 2:
        raise ValueError("cut: expected none with directors, got one")
    order = np.argsort(~cut, kind="stable")
    later = slice(int(cut.sum()), None)
    together = chain(rows[:, order], given, first=int(cut.sum()))
    alone = chain(rows[:, ~cut], given)
    return together.mean((together.values[:, later] - alone.values).sum(1, dtype=np.float64))


def ratios_of(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None
) -> Ratios:
    """Return the log-ratios of signs, given z or not, or of directors.

    Raises:
        ValueError: if directors come with latent variables.
    """
    if rows.ndim == 2:
        return chain(rows, given)
    if given is not None:
        raise ValueError("given: expected none with directors, whose law given z is not fitted, got some")
    values, left = director_ratios(rows)
    variables = np.repeat(np.arange(rows.shape[1]), left.shape[2])
    return Ratios(values, left.reshape(len(rows), -1), variables, training_rows(rows), 0.0)


def chain(
    rows: Spins,
    given: Float[np.ndarray, "rows latents"] | None = None,
    first: int = 0,
    base: Reference | None = None,
) -> Ratios:
    """Return the log-ratios of all variables from number ``first`` on, and zeros before.

    Args:
        rows: signs.
        given: latent variables of every row.
        first: number of the first variable that is asked for.
        base: law of independent variables that the ratios are to; None for that of `reference`.
    """
    base = reference(rows, given) if base is None else base
    latents = np.zeros((len(rows), 0), np.float32) if given is None else in_units_of_spread(given, base.training)
    fits = ChainFits(Chain(rows, latents, base))
    changed = list(range(max(first, 1), rows.shape[1]))
    fits.fit(changed)
    for _ in range(LOOKS):
        changed = fits.look(changed)
        fits.fit(changed)
    values = log_likelihoods(rows > 0, fits.log_odds) - log_likelihoods(rows > 0, base.log_odds)
    means = np.tanh(fits.log_odds / 2)
    spread = np.sqrt((1 - means**2).mean(0)).clip(min=np.finfo(np.float32).tiny)
    unseen = least_score(rows.shape[1]) / (2 * base.training)
    return Ratios(
        values, (rows - means) / spread, np.arange(rows.shape[1]), base.training, float(fits.doubts.sum()) + unseen
    )


class ChainFits:
    """Regressions of the variables of a chain, and the products that they have been given.

    Args:
        parts: what their inputs are made of.
    """

    def __init__(self, parts: Chain):
        self.parts = parts
        self.training = parts.base.training
        self.log_odds = parts.base.log_odds.copy()
        self.doubts = np.zeros(self.log_odds.shape[1])
        self.neighbours: dict[int, Int[np.ndarray, " chosen"]] = {}
        self.products: dict[int, list[Product]] = {}

    def fit(self, variables: Iterable[int]) -> None:
        """Fit some variables to the first rows."""
        for i in variables:
            inputs, self.neighbours[i] = self.parts.inputs(i)
            columns = np.hstack([inputs, *(self.column(each) for each in self.products.setdefault(i, []))])
            if not columns.shape[1]:
                continue
            offset = np.ascontiguousarray(self.parts.base.log_odds[:, i])
            up = np.ascontiguousarray(self.parts.ups[: self.training, i])
            found = fitted(columns[: self.training], up, offset[: self.training])
            self.log_odds[:, i] = offset + predicted(columns, found.coefficients)
            self.doubts[i] = found.doubt

    def column(self, product: Product) -> Float32[np.ndarray, "rows 1"]:
        """Return the values of a product."""
        factors = self.parts.centred if product.centred else self.parts.signs
        return products_of(factors, np.array([product.members]))

    def look(self, known: list[int]) -> list[int]:
        """Choose products that what is left of some variables in the fitted rows shows, and return those with any."""
        if not known:
            return []
        left = np.zeros((self.training, len(self.doubts)), np.float32)
        left[:, known] = self.parts.ups[: self.training, known] - expit(self.log_odds[: self.training, known])
        found = candidates(self.parts.centred[: self.training], left)
        changed = []
        for i in known:
            had = {each.members for each in self.products[i]}
            sets = [each for each in near(self.neighbours[i]) + found.get(i, []) if each.members not in had]
            if new := self.significant(np.ascontiguousarray(left[:, i]), sets):
                self.products[i] += new
                changed.append(i)
        return changed

    def significant(self, left: Float32[np.ndarray, " fitted"], sets: list[Candidate]) -> list[Product]:
        """Return the products that resemble what is left of a variable beyond chance, best first.

        Of signs and of signs less their means the products that resemble it more are taken.
        """
        centred = scores(left, self.parts.centred[: self.training], sets)
        beyond = np.array([score > each.least for score, each in zip(centred, sets, strict=True)], bool)
        best = [number for number in np.argsort(-centred, kind="stable") if beyond[number]][:PRODUCTS]
        signs = scores(left, self.parts.signs[: self.training], [sets[number] for number in best])
        return [
            Product(sets[number].members, bool(centred[number] >= other))
            for number, other in zip(best, signs, strict=True)
        ]


def near(neighbours: Int[np.ndarray, " chosen"]) -> list[Candidate]:
    """Return the pairs and triples of the first neighbours.

    >>> [each.members for each in near(np.array([2, 0, 5]))]
    [(0, 2), (0, 5), (2, 5), (0, 2, 5)]
    """
    pool = sorted(neighbours[:PRODUCT_NEIGHBOURS].tolist())
    sets = [each for size in (2, 3) for each in combinations(pool, size)]
    least = 2 * log(max(len(sets), 1)) + BEYOND_CHANCE
    return [Candidate(each, least) for each in sets]


def scores(
    left: Float32[np.ndarray, " fitted"], factors: Float32[np.ndarray, "fitted variables"], sets: list[Candidate]
) -> Float32[np.ndarray, " sets"]:
    """Return the squared scores of products: of their sum times what is left, over its variance."""
    found = np.zeros(len(sets), np.float32)
    sizes = np.array([len(each.members) for each in sets], np.int64)
    squares = left**2
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        for chosen in np.split(same, range(CHUNK, len(same), CHUNK)):
            products = products_of(factors, np.array([sets[number].members for number in chosen]))
            noise = squares @ products**2
            found[chosen] = (left @ products) ** 2 / np.where(noise > 0, noise, 1)
    return found
