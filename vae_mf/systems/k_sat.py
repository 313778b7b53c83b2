"""Boolean satisfiability as a spin glass: the energy of an assignment is the number of clauses that it violates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from vae_mf.arrays import Spins
from vae_mf.checks import plain_array, require_integer, require_memory, require_non_negative, shown, spin_array
from vae_mf.kernels import kernel
from vae_mf.rng import generator
from vae_mf.systems.base import HasClauses, Magnet, OrderParameterLaw, Thermodynamics
from vae_mf.systems.clause_counts import (
    count_configurations,
    law_of_counts,
    require_countable,
    thermodynamics_of_counts,
)
from vae_mf.systems.dimacs import read_dimacs, write_dimacs

LARGEST = 2**31 - 1
"""Largest number of a variable in 32 bits."""
BYTES = 32
"""Bytes for each variable that whatever is done with a formula takes at least, whether or not it occurs."""


class Occurrences(NamedTuple):
    """Places of every variable in `KSat.literals`, in compressed form and in the order of the clauses."""

    offsets: Int64[np.ndarray, " sites_plus_one"]
    """Place i of `positions` is one of variable v if offsets[v] <= i < offsets[v + 1]."""
    positions: Int64[np.ndarray, " literals"]


@dataclass(frozen=True, eq=False)
class KSat(Magnet):
    """Formula in conjunctive normal form, E = number of violated clauses; a spin +1 is a variable that is true.

    Clauses may have any lengths. The literal +(1 + i) is satisfied by s_i = +1 and -(1 + i) by s_i = -1, as in DIMACS
    files. The order parameter is the magnetisation per site: a formula has no symmetry, and no known valleys.

    >>> formula = KSat.from_clauses([[1, -2], [2, 3]], sites=3)
    >>> formula.energy(np.array([[-1, 1, 1], [1, 1, -1]], np.int8)).tolist()
    [1.0, 0.0]

    Args:
        literals: literals of all clauses, one clause after the other.
        offsets: bounds of the clauses: clause c holds literals[offsets[c] : offsets[c + 1]].
        sites: number of variables N, whether or not they occur.

    Raises:
        ValueError: if a clause is empty, a literal is out of range, or a clause names a variable twice.
    """

    literals: Int[np.ndarray, " literals"]
    offsets: Int[np.ndarray, " clauses_plus_one"]
    sites: int
    name = "k_sat"
    symmetries = ()
    default_sampler = "vae_mf.samplers.KSatMetropolis"

    def __post_init__(self) -> None:
        sites = require_integer("sites", self.sites)
        if sites > LARGEST:
            raise ValueError(f"sites: expected at most {LARGEST}, got {sites}")
        require_memory("sites", BYTES * sites, "give fewer variables")
        literals = integer_array("literals", self.literals)
        offsets = integer_array("offsets", self.offsets)
        require_offsets(offsets, literals.size)
        require_literals(literals, offsets, sites)
        object.__setattr__(self, "sites", sites)
        object.__setattr__(self, "literals", literals.astype(np.int32))
        object.__setattr__(self, "offsets", offsets.astype(np.int64))

    @classmethod
    def random(
        cls, sites: int, length: int, seed: int, clauses_per_site: float | None = None, clauses: int | None = None
    ) -> "KSat":
        """Return a random formula: independent clauses of ``length`` distinct variables, each negated on a fair coin.

        >>> formula = KSat.random(sites=1000, length=3, seed=1, clauses_per_site=4.2)
        >>> formula.clauses, formula.literals.size
        (4200, 12600)

        Args:
            sites: number of variables N.
            length: number of literals K in a clause.
            seed: seed of the formula.
            clauses_per_site: number of clauses over N, rounded to whole clauses.
            clauses: number of clauses itself, in its place.

        Raises:
            ValueError: if a number is out of range, K > N, or not exactly one of the two numbers of clauses is given.
        """
        sites = require_integer("sites", sites)
        require_memory("sites", BYTES * sites, "ask for fewer variables")
        if require_integer("length", length) > sites:
            raise ValueError(f"length: expected at most the number of variables, {sites}, got {length}")
        count = number_of_clauses(sites, clauses_per_site, clauses)
        # Rows, the 64-bit numbers of one check, and the copies of a sort.
        require_memory("clauses", 24 * count * length, "ask for fewer clauses")
        random = generator(require_integer("seed", seed, minimum=0), "clauses")
        variables = distinct_rows(random, sites, count, length)
        signs = random.integers(0, 2, variables.shape, np.int8)
        literals = np.where(signs == 1, variables + 1, -1 - variables).astype(np.int32)
        return cls(literals.ravel(), np.arange(0, count * length + 1, length, dtype=np.int64), sites)

    @classmethod
    def from_clauses(cls, clauses: Iterable[Sequence[int]], sites: int) -> "KSat":
        """Return the formula of a list of clauses, each a list of literals +-(1 + i)."""
        try:
            lists = [list(clause) for clause in clauses]
        except TypeError as error:
            raise ValueError(f"clauses: expected a list of lists of literals, got {shown(clauses)}") from error
        flat = np.array([literal for clause in lists for literal in clause] or np.empty(0, np.int32))
        return cls(flat, np.cumsum([0, *map(len, lists)]), sites)

    @classmethod
    def from_file(cls, path: str | Path) -> "KSat":
        """Return the formula in a DIMACS file, which may be compressed (.gz, .bz2, .xz).

        Raises:
            ValueError: if the file is no such formula, with the reason.
        """
        sites, literals, offsets = read_dimacs(path)
        try:
            return cls(literals, offsets, sites)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_file(self, path: str | Path) -> None:
        """Write the formula as a DIMACS file, compressed if its name ends in .gz, .bz2 or .xz."""
        write_dimacs(path, self.sites, self.literals, self.offsets)

    @property
    def clauses(self) -> int:
        """Number of clauses M."""
        return self.offsets.size - 1

    @cached_property
    def occurrences(self) -> Occurrences:
        """Places of every variable among the literals."""
        variables = np.abs(self.literals) - 1
        offsets = np.zeros(self.sites + 1, np.int64)
        np.cumsum(np.bincount(variables, minlength=self.sites), out=offsets[1:])
        positions = np.empty(variables.size, np.int64)
        fill_positions(positions, offsets[:-1].copy(), variables)
        return Occurrences(offsets, positions)

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the number of violated clauses of each configuration (..., N).

        Raises:
            ValueError: if the last axis has another length, or a value is neither -1 nor +1.
        """
        array = spin_array("spins", spins)
        if array.ndim == 0 or array.shape[-1] != self.sites:
            raise ValueError(f"spins: expected {self.sites} in the last axis, got shape {array.shape}")
        rows = np.ascontiguousarray(array.reshape(-1, self.sites))
        energies = np.empty(len(rows))
        count_violated(energies, rows, self.literals, self.offsets)
        return energies.reshape(array.shape[:-1])

    @cached_property
    def configuration_counts(self) -> Int64[np.ndarray, "energies ups"]:
        """Number of the configurations with E violated clauses and so many variables true, E = 0 ... M by 0 ... N.

        Raises:
            ValueError: above 24 variables.
        """
        require_countable(self.sites)
        return count_configurations(self.literals, self.offsets, self.sites)

    @property
    def solutions(self) -> int:
        """Exact number of configurations that satisfy every clause; raises ValueError above 24 variables."""
        return int(self.configuration_counts[0].sum())

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S by counting all configurations.

        Raises:
            ValueError: above 24 variables.
        """
        return thermodynamics_of_counts(self.configuration_counts.sum(1), temperature)

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the law of the magnetisation by counting all configurations; raises ValueError above 24 variables."""
        return law_of_counts(self.configuration_counts, temperature)


def require_formula(formula: Any) -> None:
    """Raise ValueError unless something has clauses."""
    if not isinstance(formula, HasClauses):
        raise ValueError(f"formula: expected one with clauses, such as KSat, got {shown(formula)}")


def number_of_clauses(sites: int, clauses_per_site: float | None, clauses: int | None) -> int:
    """Return the number of clauses that one of two arguments gives, or raise ValueError unless it is exactly one."""
    if (clauses_per_site is None) == (clauses is None):
        raise ValueError(
            "clauses: expected exactly one of clauses_per_site and clauses, "
            f"got {shown(clauses_per_site)} and {shown(clauses)}"
        )
    if clauses_per_site is None:
        return require_integer("clauses", clauses, minimum=0)
    count = require_non_negative("clauses_per_site", clauses_per_site) * sites
    if not count < np.inf:
        raise ValueError(f"clauses_per_site: expected a smaller number, got {clauses_per_site:g} for {sites} variables")
    return round(count)


def distinct_rows(random: np.random.Generator, sites: int, rows: int, length: int) -> Int[np.ndarray, "rows length"]:
    """Return rows of ``length`` distinct numbers below ``sites``, uniform among such sets, each sorted."""
    drawn = np.sort(random.integers(0, sites, (rows, length), np.int32), axis=1)
    again = np.flatnonzero((drawn[:, 1:] == drawn[:, :-1]).any(1))
    while again.size:
        # Rows with a repetition are drawn anew as a whole, which leaves the others uniform.
        drawn[again] = np.sort(random.integers(0, sites, (again.size, length), np.int32), axis=1)
        again = again[(drawn[again, 1:] == drawn[again, :-1]).any(1)]
    return drawn


def integer_array(name: str, values: Any) -> Int[np.ndarray, " values"]:
    """Return a list of integers as an array, or raise ValueError unless it is one."""
    array = np.asarray(plain_array(values))
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name}: expected a list of integers, got {array.dtype} of shape {array.shape}")
    return array


def require_offsets(offsets: Int[np.ndarray, " bounds"], literals: int) -> None:
    """Raise ValueError unless the bounds rise from 0 to the number of literals without an empty clause."""
    if offsets.size == 0 or offsets[0] != 0 or offsets[-1] != literals or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets: expected numbers that rise from 0 to {literals}, got {shown(offsets)}")
    if (empty := np.flatnonzero(np.diff(offsets) == 0)).size:
        raise ValueError(f"clause {empty[0] + 1}: expected at least one literal, got none, which nothing satisfies")


def require_literals(literals: Int[np.ndarray, " literals"], offsets: Int[np.ndarray, " bounds"], sites: int) -> None:
    """Raise ValueError unless every literal is one of N variables and no clause names a variable twice."""
    wrong = (literals == 0) | (literals > sites) | (literals < -sites)
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            f"clause {clause_at(offsets, place)}: expected literals from 1 to {sites} or their negatives, "
            f"got {literals[place]}"
        )
    place = repeated_place(literals.astype(np.int32), offsets.astype(np.int64), np.zeros(sites + 1, np.int64))
    if place >= 0:
        raise ValueError(
            f"clause {clause_at(offsets, place)}: expected each variable once, got variable {abs(literals[place])} "
            "again: leave out a repeated literal, and a clause with a variable and its negation as a whole"
        )


def clause_at(offsets: Int[np.ndarray, " bounds"], place: int) -> int:
    """Return the number, from 1, of the clause that holds a place among the literals."""
    return int(np.searchsorted(offsets, place, "right"))


@kernel()
def repeated_place(literals, offsets, last_clause):
    """Return the place of the first literal whose variable its clause has named before, -1 if there is none."""
    for clause in range(offsets.shape[0] - 1):
        for place in range(offsets[clause], offsets[clause + 1]):
            variable = abs(literals[place])
            if last_clause[variable] == clause + 1:
                return place
            last_clause[variable] = clause + 1
    return -1


@kernel()
def fill_positions(positions, following, variables):
    """Set the places of every variable, ``following`` being the first free entry of each, in place."""
    for place in range(variables.shape[0]):
        variable = variables[place]
        positions[following[variable]] = place
        following[variable] += 1


@kernel()
def count_violated(energies, rows, literals, offsets):
    """Set the energies to the numbers of clauses without a satisfied literal."""
    for row in range(rows.shape[0]):
        violated = 0
        for clause in range(offsets.shape[0] - 1):
            satisfied = False
            for place in range(offsets[clause], offsets[clause + 1]):
                literal = literals[place]
                satisfied |= (rows[row, abs(literal) - 1] > 0) == (literal > 0)
            violated += not satisfied
        energies[row] = violated
