"""Belief and survey propagation on a formula: numbers of solutions and of their clusters, and biases of variables.

Clause a sends variable i the probability eta that it needs i, variable j sends clause a the probability q that it
violates a, in the notation of `vae_mf.satisfiability.population_dynamics`:

    eta = prod_{j in a, not i} q_j,    q = (1 - rho P_u) P_s / (P_u + P_s - rho P_u P_s),    P = prod (1 - eta),

P_s over the other clauses that j satisfies by the sign it has in a, P_u over those of the opposite sign. rho = 0 is
belief propagation, exact on trees; rho = 1 is survey propagation. All messages of one kind are renewed at once.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int32, Int64

from vae_mf.checks import require_integer, require_kind, require_non_negative, require_positive
from vae_mf.kernels import kernel
from vae_mf.rng import generator
from vae_mf.satisfiability.population_dynamics import BELIEFS, SURVEYS
from vae_mf.systems.k_sat import KSat, require_formula

SMALLEST = 1e-250
"""Product of messages below which its logarithm is taken, for it may underflow."""
CONTRADICTION = np.inf
"""Change of a sweep in which clauses that are certain need both values of a variable."""


class Schedule(NamedTuple):
    """Rules of the iteration of messages."""

    sweeps: int = 1000
    """Sweeps over all messages, at most."""
    tolerance: float = 1e-6
    """Largest change of a message in a sweep with which the iteration ends."""
    damping: float = 0.0
    """Share of the old message in the new one, at least 0 and below 1."""


DEFAULT = Schedule()


class Marginals(NamedTuple):
    """Fixed point of messages, or the messages that a budget ended with.

    >>> from vae_mf.satisfiability import belief_propagation
    >>> found = belief_propagation(KSat.from_clauses([[1, 2]], sites=2), seed=1)
    >>> found.biases.round(3), round(float(np.exp(found.log_number)), 6)  # three solutions
    (array([0.333, 0.333]), 3.0)
    """

    converged: bool
    """False where the numbers below are those of no fixed point: on formulas with loops messages may have none."""
    sweeps: int
    """Sweeps that were made."""
    change: float
    """Largest change of a message in the last sweep; infinite if a variable is needed with both values."""
    log_number: float
    """Bethe estimate of ln(number of solutions), or of clusters of them; minus infinity in a contradiction of messages
    that are certain, nan where messages that have not converged have none."""
    biases: Float[np.ndarray, " sites"]
    """P(s_i = +1) - P(s_i = -1); of survey propagation, the shares of clusters that freeze the variable so; nan for a
    variable that is needed with both values."""
    free: Float[np.ndarray, " sites"]
    """Share of clusters in which the variable is not frozen; zero in belief propagation, nan as the bias is."""


class FactorGraph(NamedTuple):
    """Edges of a formula in two orders: by clauses, as in its literals, and by variables."""

    literals: Int32[np.ndarray, " edges"]
    offsets: Int64[np.ndarray, " clauses_plus_one"]
    """Bounds of the clauses among the literals."""
    bounds: Int64[np.ndarray, " sites_plus_one"]
    """Bounds of the variables in the other order."""
    positions: Int64[np.ndarray, " edges"]
    """Place among the literals of every edge in the order of variables."""
    places: Int64[np.ndarray, " edges"]
    """Place in the order of variables of every literal."""


class EdgeMessages(NamedTuple):
    """Messages on all edges."""

    needs: Float[np.ndarray, " edges"]
    """eta, in the order of variables."""
    violations: Float[np.ndarray, " edges"]
    """q, in the order of clauses."""


def belief_propagation(formula: KSat, seed: int, schedule: Schedule = DEFAULT) -> Marginals:
    """Return marginals of the solutions and the Bethe estimate of their number, both exact if the formula is a tree.

    >>> found = belief_propagation(KSat.from_clauses([[1, -2], [2, 3]], sites=3), seed=1)
    >>> found.converged, round(float(np.exp(found.log_number)), 6)
    (True, 4.0)

    Args:
        formula: formula with clauses of any lengths.
        seed: seed of the first messages.
        schedule: rules of the iteration.
    """
    return message_passing(formula, BELIEFS, seed, schedule)


def survey_propagation(formula: KSat, seed: int, schedule: Schedule = DEFAULT) -> Marginals:
    """Return the shares of clusters that freeze each variable, and the Bethe estimate of the number of clusters.

    Source: Mezard and Zecchina 2002; Braunstein, Mezard and Zecchina 2005.

    >>> survey_propagation(KSat.from_clauses([[1], [-1, 2], [2, 3]], sites=3), seed=1).biases.tolist()
    [1.0, 1.0, 0.0]

    Args:
        formula: formula with clauses of any lengths.
        seed: seed of the first messages.
        schedule: rules of the iteration.
    """
    return message_passing(formula, SURVEYS, seed, schedule)


def message_passing(formula: Any, joker: float, seed: int, schedule: Any) -> Marginals:
    """Return the marginals of messages of one rho, ``joker``."""
    require_formula(formula)
    require_schedule(schedule)
    graph = factor_graph(formula)
    messages = first_messages(graph, generator(require_integer("seed", seed, minimum=0), "messages"))
    variables = np.arange(formula.sites)
    clauses = np.arange(formula.clauses)
    sweeps, change = iterate(graph, messages, variables, clauses, joker, *schedule)
    biases, free = np.empty((2, formula.sites))
    possible = change != CONTRADICTION
    log_number = bethe_logarithm(graph, messages, variables, clauses, joker) if possible else -np.inf
    read_biases(biases, free, graph, messages.needs, variables, joker)
    finite = bool(np.isfinite(log_number))
    number = float(log_number) if finite or not possible else np.nan
    return Marginals(finite and change < schedule.tolerance, sweeps, change, number, biases, free)


def require_schedule(schedule: Any) -> None:
    """Raise ValueError unless the rules of an iteration can be followed."""
    require_kind("schedule", schedule, Schedule)
    require_integer("sweeps", schedule.sweeps)
    require_positive("tolerance", schedule.tolerance)
    if require_non_negative("damping", schedule.damping) >= 1:
        raise ValueError(f"damping: expected a number from 0 to below 1, got {schedule.damping!r}")


def factor_graph(formula: KSat) -> FactorGraph:
    """Return the edges of a formula in both orders."""
    bounds, positions = formula.occurrences
    places = np.empty_like(positions)
    places[positions] = np.arange(positions.size)
    return FactorGraph(formula.literals, formula.offsets, bounds, positions, places)


def clause_owners(formula: KSat) -> Int64[np.ndarray, " edges"]:
    """Return the clause of every literal."""
    return np.repeat(np.arange(formula.clauses), np.diff(formula.offsets))


def first_messages(graph: FactorGraph, random: np.random.Generator) -> EdgeMessages:
    """Return random messages from clauses, and from variables none yet."""
    return EdgeMessages(random.random(graph.literals.size), np.empty(graph.literals.size))


@kernel(error_model="numpy")
def iterate(graph, messages, variables, clauses, joker, sweeps, tolerance, damping):
    """Sweep over the messages of some variables and clauses; return the number of sweeps and the last change."""
    change = np.inf
    for sweep in range(sweeps):
        if not update_variables(graph, messages, variables, joker):
            return sweep + 1, CONTRADICTION
        change = update_clauses(graph, messages, clauses, damping)
        if change < tolerance:
            return sweep + 1, change
    return sweeps, change


@kernel(error_model="numpy")
def update_variables(graph, messages, variables, joker):
    """Set q of all edges of some variables; return False if a variable is needed with both values."""
    running = np.empty(2)
    rest = np.empty(2)
    for variable in variables:
        first, last = graph.bounds[variable], graph.bounds[variable + 1]
        running[:] = 1.0
        for edge in range(first, last):
            position = graph.positions[edge]
            side = np.int64(graph.literals[position] > 0)
            messages.violations[position] = running[side]
            running[side] *= 1.0 - messages.needs[edge]
        if running[0] < SMALLEST or running[1] < SMALLEST:
            if not update_in_logarithms(graph, messages, first, last, joker):
                return False
            continue
        rest[:] = 1.0
        for edge in range(last - 1, first - 1, -1):
            position = graph.positions[edge]
            side = np.int64(graph.literals[position] > 0)
            same = messages.violations[position] * rest[side]
            opposite = running[1 - side]
            weight = (1.0 - joker * opposite) * same
            messages.violations[position] = weight / (weight + opposite)
            rest[side] *= 1.0 - messages.needs[edge]
    return True


@kernel(error_model="numpy")
def update_in_logarithms(graph, messages, first, last, joker):
    """Set q of all edges of one variable whose products underflow; return False if it is needed with both values."""
    logs = np.zeros(2)
    certain = np.zeros(2, np.int64)
    for edge in range(first, last):
        side = np.int64(graph.literals[graph.positions[edge]] > 0)
        if messages.needs[edge] == 1.0:
            certain[side] += 1
        else:
            logs[side] += np.log1p(-messages.needs[edge])
    if certain[0] and certain[1]:
        return False
    for edge in range(first, last):
        position = graph.positions[edge]
        side = np.int64(graph.literals[position] > 0)
        own = messages.needs[edge] == 1.0
        same = logs[side] - (0.0 if own else np.log1p(-messages.needs[edge]))
        if certain[side] > own:
            messages.violations[position] = 0.0
        elif certain[1 - side]:
            messages.violations[position] = 1.0
        else:
            opposite = logs[1 - side]
            messages.violations[position] = 1.0 / (1.0 + np.exp(opposite - same) / (1.0 - joker * np.exp(opposite)))
    return True


@kernel(error_model="numpy")
def update_clauses(graph, messages, clauses, damping):
    """Set eta of all edges of some clauses, and return the largest change."""
    largest = 0.0
    for clause in clauses:
        for position in range(graph.offsets[clause], graph.offsets[clause + 1]):
            product = 1.0
            for other in range(graph.offsets[clause], graph.offsets[clause + 1]):
                if other != position:
                    product *= messages.violations[other]
            place = graph.places[position]
            old = messages.needs[place]
            largest = max(largest, abs(product - old))
            # Certain messages come from clauses of one literal: damped, they would hide that two contradict each other.
            messages.needs[place] = product if product == 1.0 else product + damping * (old - product)
    return largest


@kernel(error_model="numpy")
def weigh(graph, needs, variable):
    """Return prod (1 - eta) over the clauses that want the variable false, and over those that want it true.

    Both are in units of the larger one, whose logarithm comes third; nan if both are zero.
    """
    products = np.ones(2)
    logs = np.zeros(2)
    for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
        side = np.int64(graph.literals[graph.positions[edge]] > 0)
        products[side] *= 1.0 - needs[edge]
        if products[side] < SMALLEST:
            logs[side] += np.log(products[side])
            products[side] = 1.0
    logs += np.log(products)
    largest = logs.max()
    return np.exp(logs[0] - largest), np.exp(logs[1] - largest), largest


@kernel(error_model="numpy")
def read_biases(biases, free, graph, needs, variables, joker):
    """Set the biases of some variables, and the probabilities that nothing freezes them."""
    for variable in variables:
        against, towards, unit = weigh(graph, needs, variable)
        both = joker * against * towards * np.exp(unit)
        total = against + towards - both
        biases[variable] = (against - towards) / total
        free[variable] = both / total


@kernel(error_model="numpy")
def bethe_logarithm(graph, messages, variables, clauses, joker):
    """Return the Bethe estimate of the logarithm of the number that the messages count, of some variables."""
    total = 0.0
    for variable in variables:
        against, towards, unit = weigh(graph, messages.needs, variable)
        total += unit + np.log(against + towards - joker * against * towards * np.exp(unit))
    for clause in clauses:
        product = 1.0
        for position in range(graph.offsets[clause], graph.offsets[clause + 1]):
            product *= messages.violations[position]
            need = messages.needs[graph.places[position]]
            total -= np.log(1.0 - need * messages.violations[position])
        total += np.log(1.0 - product)
    return total
