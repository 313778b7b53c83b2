"""Assignments of a formula from the biases of its messages: decimation with unit propagation and backtracking.

Messages are iterated, the variables of the largest biases are fixed and clauses with one literal left are obeyed, until
no clause is left, no message biases a variable any more, or a clause cannot be satisfied. Variables that nothing biases
are left to WalkSAT (Braunstein, Mezard and Zecchina 2005), all of them after a contradiction. Backtracking frees the
fixed variables that their neighbours no longer want so (Marino, Parisi and Ricci-Tersenghi 2016). A fixed variable
violates a clause with q = 0 or 1, and a satisfied clause needs nobody, eta = 0: so all equations stay as they are.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int8, Int32, Int64

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_kind, require_non_negative, require_positive
from vae_mf.kernels import kernel
from vae_mf.rng import generator, integer
from vae_mf.satisfiability.message_passing import (
    CONTRADICTION,
    EdgeMessages,
    FactorGraph,
    Schedule,
    clause_owners,
    factor_graph,
    first_messages,
    iterate,
    read_biases,
    require_schedule,
)
from vae_mf.satisfiability.population_dynamics import BELIEFS, SURVEYS
from vae_mf.satisfiability.walk_sat import walk_sat
from vae_mf.systems.k_sat import KSat, require_formula

DECIMATED = "all clauses were satisfied by decimation"
UNBIASED = "no message biased a variable any more"
CONTRADICTED = "a clause could not be satisfied any more"
SPENT = "the rounds were spent"
UNBIASED_BELOW = 0.01
"""Largest bias of survey propagation with which its messages say nothing."""


@dataclass(frozen=True)
class Rules:
    """Rules of a decimation.

    Args:
        fraction: share of the variables not yet fixed that a round fixes.
        backtracking: rounds that free variables per round that fixes some, from 0 to below 1.
        rounds: number of rounds at most.
        schedule: rules of the iteration of messages in a round.
        steps: moves of WalkSAT at most for every variable that is left.
    """

    fraction: float = 0.01
    backtracking: float = 0.0
    rounds: int = 10_000
    schedule: Schedule = field(default_factory=lambda: Schedule(sweeps=200, tolerance=0.01))
    steps: int = 1000

    def __post_init__(self) -> None:
        if require_positive("fraction", self.fraction) > 1:
            raise ValueError(f"fraction: expected a number above 0 and at most 1, got {self.fraction!r}")
        if require_non_negative("backtracking", self.backtracking) >= 1:
            raise ValueError(f"backtracking: expected a number from 0 to below 1, got {self.backtracking!r}")
        require_integer("rounds", self.rounds)
        require_schedule(self.schedule)
        require_integer("steps", self.steps, minimum=0)


DEFAULT = Rules()


class Decimation(NamedTuple):
    """Best assignment of a decimation.

    >>> from vae_mf.satisfiability import survey_decimation
    >>> found = survey_decimation(KSat.random(sites=200, length=3, seed=1, clauses_per_site=3.0), seed=1)
    >>> found.solved, found.violated, found.assignment.shape
    (True, 0, (200,))
    """

    assignment: Spins
    """Spins, shape (N,)."""
    violated: int
    """Number of clauses that it violates."""
    solved: bool
    """True if it violates no clause; False says that the decimation gave up, not that the formula has no solution."""
    ending: str
    """Reason for which the decimation ended, in words."""
    fixed: int
    """Variables that messages and unit propagation fixed; WalkSAT has chosen the others."""
    rounds: int
    """Rounds of messages, each of which fixes or frees variables."""
    unconverged: int
    """Rounds that took biases from messages which had not converged."""


class Assigned(NamedTuple):
    """Variables fixed so far, and the clauses in their light."""

    spins: Int8[np.ndarray, " sites"]
    """Fixed values, 0 where a variable is free."""
    satisfied: Int32[np.ndarray, " clauses"]
    """Number of literals that fixed variables make true."""
    open: Int32[np.ndarray, " clauses"]
    """Number of literals whose variables are free."""


def belief_decimation(formula: KSat, seed: int, rules: Rules = DEFAULT) -> Decimation:
    """Return the assignment that decimation by belief propagation finds; arguments as in `survey_decimation`.

    >>> found = belief_decimation(KSat.random(sites=200, length=3, seed=1, clauses_per_site=3.0), seed=1)
    >>> found.solved, found.ending
    (True, 'all clauses were satisfied by decimation')

    Args:
        formula: formula with clauses of any lengths.
        seed: seed of messages, of the choice between rounds and of WalkSAT.
        rules: rules of the decimation.
    """
    return decimate(formula, BELIEFS, seed, rules)


def survey_decimation(formula: KSat, seed: int, rules: Rules = DEFAULT) -> Decimation:
    """Return the assignment that decimation by survey propagation finds.

    Source: Braunstein, Mezard and Zecchina 2005; Marino, Parisi and Ricci-Tersenghi 2016, for backtracking.

    >>> found = survey_decimation(KSat.random(sites=2000, length=3, seed=1, clauses_per_site=4.0), seed=1)
    >>> found.solved, found.ending
    (True, 'no message biased a variable any more')

    Args:
        formula: formula with clauses of any lengths.
        seed: seed of messages, of the choice between rounds and of WalkSAT.
        rules: rules of the decimation.
    """
    return decimate(formula, SURVEYS, seed, rules)


def decimate(formula: Any, joker: float, seed: int, rules: Any) -> Decimation:
    """Return the assignment that messages of one rho, ``joker``, find."""
    require_formula(formula)
    require_kind("rules", rules, Rules)
    graph = factor_graph(formula)
    random = generator(require_integer("seed", seed, minimum=0), "decimation")
    messages = first_messages(graph, random)
    state = nothing_assigned(formula)
    owners = clause_owners(formula)
    units = np.flatnonzero(state.open == 1)
    consistent = fix(graph, messages, state, owners, np.empty(0, np.int64), np.empty(0, np.int8), units)
    number = unconverged = 0
    ending = "" if consistent else CONTRADICTED
    while not ending and number < rules.rounds:
        number += 1
        ending, converged = play_round(graph, messages, state, owners, joker, rules, random)
        unconverged += not converged
    assignment = completed(formula, state.spins, integer(seed, "rest"), rules.steps, ending == CONTRADICTED)
    violated = int(formula.energy(assignment))
    fixed = int(np.count_nonzero(state.spins))
    return Decimation(assignment, violated, violated == 0, ending or SPENT, fixed, number, unconverged)


def nothing_assigned(formula: KSat) -> Assigned:
    """Return the state in which all variables are free."""
    lengths = np.diff(formula.offsets).astype(np.int32)
    return Assigned(np.zeros(formula.sites, np.int8), np.zeros(formula.clauses, np.int32), lengths)


class Round(NamedTuple):
    """End of a round."""

    ending: str
    """Reason to stop, empty if there is none."""
    converged: bool


def play_round(
    graph: FactorGraph,
    messages: EdgeMessages,
    state: Assigned,
    owners: Int64[np.ndarray, " edges"],
    joker: float,
    rules: Rules,
    random: np.random.Generator,
) -> Round:
    """Iterate the messages and fix the most biased variables, or free those that are fixed against their bias."""
    clauses = np.flatnonzero(state.satisfied == 0)
    if not clauses.size:
        return Round(DECIMATED, True)
    variables = np.flatnonzero(state.spins == 0)
    _, change = iterate(graph, messages, variables, clauses, joker, *rules.schedule)
    if change == CONTRADICTION:
        return Round(CONTRADICTED, True)
    converged = change < rules.schedule.tolerance
    biases, free = np.zeros((2, state.spins.size))
    read_biases(biases, free, graph, messages.needs, variables, joker)
    if joker and np.abs(biases).max() < UNBIASED_BELOW:
        return Round(UNBIASED, converged)
    count = max(1, round(rules.fraction * variables.size))
    if random.random() < rules.backtracking / (1 + rules.backtracking):
        release(graph, messages, state, owners, joker, count)
        return Round("", converged)
    chosen = largest(np.abs(biases[variables]), count)
    values = np.where(biases[variables[chosen]] >= 0, 1, -1).astype(np.int8)
    none = np.empty(0, np.int64)
    consistent = fix(graph, messages, state, owners, variables[chosen], values, none)
    return Round("" if consistent else CONTRADICTED, converged)


def largest(values: np.ndarray, count: int) -> Int64[np.ndarray, " count"]:
    """Return the places of the largest values, the largest first."""
    found = np.argpartition(-values, count - 1)[:count]
    return found[np.argsort(-values[found], kind="stable")]


def release(
    graph: FactorGraph,
    messages: EdgeMessages,
    state: Assigned,
    owners: Int64[np.ndarray, " edges"],
    joker: float,
    count: int,
) -> None:
    """Free the fixed variables whose neighbours least want them as they are, in place."""
    fixed = np.flatnonzero(state.spins)
    if fixed.size < 2 * count:
        return
    needs = messages.needs.copy()
    need_of_fixed(needs, graph, messages.violations, owners, fixed)
    biases, free = np.zeros((2, state.spins.size))
    read_biases(biases, free, graph, needs, fixed, joker)
    wanted = np.nan_to_num(biases[fixed], nan=-1.0) * state.spins[fixed]
    unfix(graph, messages, state, owners, fixed[largest(-wanted, count)])


def completed(formula: KSat, spins: Spins, seed: int, steps: int, contradicted: bool) -> Spins:
    """Return the best assignment that WalkSAT meets in so many moves for every variable that it may turn.

    These are the free ones, or all of them where the fixed ones contradict a clause.
    """
    free = np.flatnonzero(spins == 0)
    if contradicted:
        random = generator(seed, "start").choice(np.array([-1, 1], np.int8), spins.size)
        start = np.where(spins == 0, random, spins)
        return walk_sat(formula, seed, steps * formula.sites, start=start).assignment
    whole = spins.copy()
    if free.size:
        whole[free] = walk_sat(remainder(formula, spins, free), seed, steps * free.size).assignment
    return whole


def remainder(formula: KSat, spins: Spins, free: Int64[np.ndarray, " free"]) -> KSat:
    """Return the formula of the clauses that fixed variables leave to the free ones."""
    owners = clause_owners(formula)
    variables = np.abs(formula.literals) - 1
    values = spins[variables] * np.sign(formula.literals)
    unsatisfied = ~np.bincount(owners, values == 1, minlength=formula.clauses).astype(bool)
    kept = (values == 0) & unsatisfied[owners]
    numbers = np.zeros(formula.sites, np.int64)
    numbers[free] = np.arange(free.size)
    literals = np.sign(formula.literals[kept]) * (numbers[variables[kept]] + 1)
    counts = np.bincount(owners[kept], minlength=formula.clauses)
    return KSat(literals, np.cumsum([0, *counts[counts > 0]]), free.size)


@kernel(error_model="numpy")
def fix(graph, messages, state, owners, variables, values, units):
    """Give variables their values, those of them that are free, and obey every clause with one literal left.

    Returns False at a clause that cannot be satisfied any more.
    """
    waiting = np.empty(state.open.shape[0], np.int64)
    count = units.shape[0]
    waiting[:count] = units
    taken = 0
    following = 0
    while taken < count or following < variables.shape[0]:
        if taken < count:
            clause = waiting[taken]
            taken += 1
            variable = -1
            value = np.int8(0)
            if state.satisfied[clause] == 0:
                for position in range(graph.offsets[clause], graph.offsets[clause + 1]):
                    literal = graph.literals[position]
                    if state.spins[abs(literal) - 1] == 0:
                        variable = abs(literal) - 1
                        value = np.int8(1 if literal > 0 else -1)
                if variable < 0:
                    return False
        else:
            variable = variables[following]
            value = values[following]
            following += 1
        if variable >= 0 and state.spins[variable] == 0:
            count = assign(graph, messages, state, owners, variable, value, waiting, count)
            if count < 0:
                return False
    return True


@kernel(error_model="numpy")
def assign(graph, messages, state, owners, variable, value, waiting, count):
    """Fix one variable; return the number of clauses waiting with one literal left, -1 if one has none left."""
    state.spins[variable] = value
    violated = False
    for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
        position = graph.positions[edge]
        clause = owners[position]
        state.open[clause] -= 1
        if (graph.literals[position] > 0) == (value > 0):
            messages.violations[position] = 0.0
            state.satisfied[clause] += 1
            for other in range(graph.offsets[clause], graph.offsets[clause + 1]):
                messages.needs[graph.places[other]] = 0.0
        else:
            messages.violations[position] = 1.0
            if state.satisfied[clause] == 0 and state.open[clause] == 1:
                waiting[count] = clause
                count += 1
            violated |= state.satisfied[clause] == 0 and state.open[clause] == 0
    return -1 if violated else count


@kernel(error_model="numpy")
def need_of_fixed(needs, graph, violations, owners, fixed):
    """Set the messages eta to fixed variables to those of clauses that they leave to their neighbours."""
    for variable in fixed:
        for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
            position = graph.positions[edge]
            clause = owners[position]
            product = 1.0
            for other in range(graph.offsets[clause], graph.offsets[clause + 1]):
                if other != position:
                    product *= violations[other]
            needs[edge] = product


@kernel(error_model="numpy")
def unfix(graph, messages, state, owners, variables):
    """Free variables; the messages of their clauses follow in the next sweep."""
    for variable in variables:
        value = state.spins[variable]
        state.spins[variable] = 0
        for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
            position = graph.positions[edge]
            clause = owners[position]
            state.open[clause] += 1
            if (graph.literals[position] > 0) == (value > 0):
                state.satisfied[clause] -= 1
