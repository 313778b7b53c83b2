"""Entropy and complexity of infinite random K-SAT formulas, by population dynamics of their messages.

With m = ratio of clauses to variables, every variable has Poisson(K m / 2) clauses of either sign. Clause a sends a
variable eta, the probability that it needs it; variable j violates clause a with probability

    q = (1 - rho P_u) P_s / (P_u + P_s - rho P_u P_s),    eta = q_1 ... q_{K-1},    P = prod over clauses of (1 - eta),

P_s over the other clauses that j satisfies with the sign it has in a, P_u over those of the opposite sign. Belief
propagation has rho = 0 and counts solutions, survey propagation has rho = 1 and counts clusters of solutions (Mezard
and Zecchina 2002; one family by Maneva, Mossel and Wainwright 2007). The logarithm of the number, over N, is

    E ln(P_+ + P_- - rho P_+ P_-) + m E ln(1 - q_1 ... q_K) - K m E ln(1 - eta q).

It is stationary in the laws of q and of eta, so that a population errs in second order. Noise of the averages
themselves is taken out: the last two are exact sums over powers as far as `POWERS`, the first has control variates.
Arrays hold 1 - eta and 1 - q, which keep their digits where a message is all but certain.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import sem, ttest_1samp

from vae_mf.checks import require_integer, require_kind, require_positive
from vae_mf.kernels import kernel
from vae_mf.rng import generator

POWERS = 30
"""Powers of messages whose averages enter exactly; pairs of messages give the remainder."""
LARGEST_SWEEP = 1e9
"""Messages that a sweep draws at most, which takes some ten seconds."""
SURVEYS = 1.0
BELIEFS = 0.0
Complements = Float[np.ndarray, " members"]
"""1 - eta or 1 - q."""


class Sizes(NamedTuple):
    """Sizes of a population dynamics."""

    members: int
    """Messages in a population."""
    discarded: int
    """Sweeps before the first that counts."""
    kept: int
    """Sweeps that are averaged."""
    populations: int
    """Independent populations, at least two, whose spread gives the error."""


class Density(NamedTuple):
    """Logarithm of a number over the number of variables, of an infinite random formula."""

    value: float
    error: float
    """Standard error, from independent populations."""
    stationary: float
    """p-value of Student's test that the halves of the averaged sweeps agree; tiny if the populations still move."""
    message: float
    """Mean of eta; zero where survey propagation forces no variable, and the complexity vanishes."""


def complexity(length: int, ratio: float, sizes: Sizes, seed: int) -> Density:
    """Return ln(number of clusters of solutions) / N of random K-SAT, by survey propagation (one-step RSB at y = inf).

    It is negative beyond the satisfiability threshold, where no clusters are left.

    Source: Mezard and Zecchina 2002.

    >>> complexity(3, 4.2, Sizes(members=500, discarded=40, kept=20, populations=2), seed=1).message > 0.1
    True

    Args:
        length: literals K in a clause, at least two.
        ratio: clauses per variable.
        sizes: sizes of the population dynamics.
        seed: seed of the populations.
    """
    return message_density(length, ratio, SURVEYS, sizes, seed)


def replica_symmetric_entropy(length: int, ratio: float, sizes: Sizes, seed: int) -> Density:
    """Return ln(number of solutions) / N of random K-SAT, by belief propagation.

    It is exact below the condensation threshold (K = 2: up to the threshold 1; K = 3: 3.86; K = 4: 9.547).

    >>> sizes = Sizes(members=500, discarded=20, kept=20, populations=2)
    >>> round(replica_symmetric_entropy(3, 1.0, sizes, seed=1).value, 2)
    0.56

    Args:
        length: literals K in a clause, at least two.
        ratio: clauses per variable.
        sizes: sizes of the population dynamics.
        seed: seed of the populations.

    Raises:
        ValueError: if a number is out of range, or the ratio so large that messages contradict each other.
    """
    return message_density(length, ratio, BELIEFS, sizes, seed)


def first_moment_entropy(length: int, ratio: float) -> float:
    """Return ln <number of solutions> / N = ln 2 + m ln(1 - 2^-K), the bound of the mean logarithm from above.

    >>> round(first_moment_entropy(3, 5.0), 4)
    0.0255
    """
    require_integer("length", length)
    return float(np.log(2) + require_positive("ratio", ratio) * np.log1p(-(2.0**-length)))


def message_density(length: int, ratio: float, joker: float, sizes: Sizes, seed: int) -> Density:
    """Return the logarithm of the number that messages of one rho, ``joker``, count, from independent populations."""
    require_integer("length", length, minimum=2)
    require_positive("ratio", ratio)
    require_sizes(sizes)
    if sizes.members * length * ratio > LARGEST_SWEEP:
        raise ValueError(
            f"ratio: expected at most {LARGEST_SWEEP / sizes.members / length:.3g} for {sizes.members} members of "
            f"{length} literals, whose sweeps end in good time, got {ratio:g}"
        )
    require_integer("seed", seed, minimum=0)

    def run(number: int) -> Float[np.ndarray, "kept two"]:
        random = generator(seed, "population", number)
        return run_population(length, ratio, joker, sizes, random)

    with ThreadPoolExecutor() as pool:
        runs = np.array(list(pool.map(run, range(sizes.populations))))
    values, messages = runs[..., 0], runs[..., 1]
    half = sizes.kept // 2
    change = values[:, -half:].mean(1) - values[:, :half].mean(1)
    return Density(
        value=float(values.mean()),
        error=float(sem(values.mean(1))),
        stationary=float(ttest_1samp(change, 0.0).pvalue) if change.any() else 1.0,
        message=float(messages.mean()),
    )


def require_sizes(sizes: Sizes) -> None:
    """Raise ValueError unless all sizes are whole numbers that are large enough."""
    require_kind("sizes", sizes, Sizes)
    for name, least in (("members", 2), ("discarded", 0), ("kept", 2), ("populations", 2)):
        require_integer(name, getattr(sizes, name), minimum=least)


def run_population(
    length: int, ratio: float, joker: float, sizes: Sizes, random: np.random.Generator
) -> Float[np.ndarray, "kept two"]:
    """Return the density and the mean of eta in every sweep of a population that counts."""
    free = random.uniform(0.1, 0.6, sizes.members)
    satisfying = np.empty(sizes.members)
    products = np.empty((2, sizes.members))
    rows = []
    for sweep in range(sizes.discarded + sizes.kept):
        update_variables(satisfying, products, free, length * ratio / 2, joker, random)
        if not products.min() > 0:
            raise ValueError(
                f"ratio: expected one at which formulas have solutions, got {ratio:g}: after {sweep + 1} sweeps "
                "messages are certain, and variables are forced both ways"
            )
        if sweep >= sizes.discarded:
            value = variable_term(products, free, length * ratio / 2, joker)
            value += ratio * mean_log_complement([satisfying] * length, random)
            value -= length * ratio * mean_log_complement([free, satisfying], random)
            rows.append((value, 1 - free.mean()))
        free = complement_of_product([random.permutation(satisfying) for _ in range(length - 1)])
    return np.array(rows)


@kernel(error_model="numpy")
def update_variables(satisfying, products, free, clauses, joker, random):
    """Draw variables with Poisson(``clauses``) clauses of either sign: their 1 - q, and their P of either sign."""
    members = free.shape[0]
    for variable in range(members):
        for side in range(2):
            product = 1.0
            for _ in range(random.poisson(clauses)):
                product *= free[random.integers(0, members)]
            products[side, variable] = product
        opposite, same = products[0, variable], products[1, variable]
        satisfying[variable] = opposite / (opposite + same - joker * opposite * same)


def complement_of_product(complements: list[Complements]) -> Complements:
    """Return 1 - x_1 x_2 ... from all 1 - x_i, to the last digit."""
    return reduce(lambda one, other: one + other * (1 - one), complements)


def variable_term(products: Float[np.ndarray, "2 members"], free: Complements, clauses: float, joker: float) -> float:
    """Return E ln(P_+ + P_- - rho P_+ P_-), with control variates whose averages over Poisson numbers are known."""
    either = products.sum(0)
    both = products.prod(0)
    controls = np.stack([np.log(products).sum(0), either, both])
    message = 1 - free.mean()
    known = [2 * clauses * np.log(free).mean(), 2 * np.exp(-clauses * message), np.exp(-2 * clauses * message)]
    values = np.log(either - joker * both)
    centred = controls - controls.mean(1, keepdims=True)
    coefficients = np.linalg.lstsq(centred.T, values - values.mean())[0]
    return float(values.mean() - coefficients @ (controls.mean(1) - known))


def mean_log_complement(complements: list[Complements], random: np.random.Generator) -> float:
    """Return E ln(1 - x_1 x_2 ...) of independent factors, each drawn from one array of 1 - x.

    Of ln(1 - x) = -sum_k x^k / k the first powers have the averages E[x_1^k] E[x_2^k] ..., and what is left is small.
    """
    complement = complement_of_product([random.permutation(values) for values in complements])
    remainder = np.log(complement)
    factors = {id(values): 1 - values for values in complements}
    powers = {key: np.ones_like(factor) for key, factor in factors.items()}
    power = np.ones_like(complement)
    exact = 0.0
    for k in range(1, POWERS + 1):
        power *= 1 - complement
        remainder += power / k
        for key, factor in factors.items():
            powers[key] *= factor
        exact -= np.prod([powers[id(values)].mean() for values in complements]) / k
    return float(exact + remainder.mean())
