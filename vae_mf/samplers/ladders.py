"""Ladders of temperatures on which replicas travel fast from end to end.

A replica is marked by the end of the ladder that it visited last. The share f of replicas at a temperature that were
last at the cold end falls from 1 to 0 along the ladder, steeply where replicas are held up. The number of round trips
is largest where f falls by equal steps: temperatures move to where it falls most (Katzgraber, Trebst, Huse and Troyer
2006), the new ones cutting the integral of sqrt(df/dT / dT) equally.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from vae_mf.checks import require_integer, require_temperatures
from vae_mf.rng import integer, keys
from vae_mf.samplers.tempering import EnergySampler, ParallelTempering, equal_ladders

FLATTEST = 0.1
"""Share of an equal step by which f is taken to fall at least between neighbours, so that noise empties no region."""


class Traffic(NamedTuple):
    """Travel of replicas on a ladder."""

    from_cold: Float[np.ndarray, " levels"]
    """Share of replicas at each temperature that were at the cold end last; nan where none has been at an end."""
    acceptance: Float[np.ndarray, " pairs"]
    """Acceptance of swaps between neighbours."""
    round_trip_rate: float
    """Round trips per ladder and sweep."""


class FeedbackLadder(NamedTuple):
    """Ladder of the most round trips among those that were tried."""

    temperatures: Float[np.ndarray, " levels"]
    traffic: Traffic
    tried: list[float]
    """Round-trip rates of all ladders tried, the given one first."""


def feedback_ladder(
    sampler: EnergySampler,
    temperatures: Float[np.ndarray, " levels"],
    sweeps: int,
    ladders: int,
    seed: int,
    rounds: int = 3,
) -> FeedbackLadder:
    """Return a ladder of as many temperatures between the same ends on which replicas make more round trips.

    Source: Katzgraber, Trebst, Huse and Troyer 2006.

    >>> from vae_mf.samplers import IsingMetropolis
    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> glass = IsingMetropolis(SherringtonKirkpatrick.random(sites=10, seed=1))
    >>> ladder = feedback_ladder(glass, np.array([0.5, 0.6, 2.0]), sweeps=200, ladders=8, seed=1, rounds=1)
    >>> ladder.temperatures.shape, ladder.temperatures[[0, -1]], len(ladder.tried)
    ((3,), array([0.5, 2. ]), 2)

    Args:
        sampler: sampler of the replicas.
        temperatures: ladder to start from, three temperatures or more.
        sweeps: sweeps of a trial after as many to equilibrate; replicas must make round trips in them.
        ladders: independent ladders of a trial.
        seed: seed of the trials.
        rounds: times that temperatures are moved; the best ladder of all is returned.

    Raises:
        ValueError: if there are fewer than three temperatures, a number is out of range, or no replica has made a trip
            in a trial.
    """
    levels = np.sort(require_temperatures(temperatures))
    if len(levels) < 3:
        raise ValueError(f"temperatures: expected three or more, of which the inner ones move, got {len(levels)}")
    require_integer("sweeps", sweeps)
    require_integer("ladders", ladders)
    require_integer("seed", seed, minimum=0)
    tempering = ParallelTempering(sampler)
    tried = []
    for round_ in range(require_integer("rounds", rounds, minimum=0) + 1):
        traffic = measure_traffic(tempering, levels, sweeps, ladders, integer(seed, "ladder", round_))
        tried.append((levels, traffic))
        if traffic.round_trip_rate == 0:
            raise ValueError(f"sweeps: expected enough for round trips between the ends, got {sweeps} with none")
        levels = moved_temperatures(levels, traffic.from_cold)
    levels, traffic = max(tried, key=lambda pair: pair[1].round_trip_rate)
    return FeedbackLadder(levels, traffic, [one.round_trip_rate for _, one in tried])


def measure_traffic(
    tempering: ParallelTempering, levels: Float[np.ndarray, " levels"], sweeps: int, ladders: int, seed: int
) -> Traffic:
    """Return the travel of replicas on equal ladders, after as many sweeps to equilibrate."""
    marked = np.zeros((3, levels.size))
    records = []
    for group in equal_ladders(levels, keys(seed, "feedback", count=levels.size * ladders), tempering.group):
        state = tempering.initial(group, "random")
        tempering.sweep(state, sweeps)
        tempering.records(state)
        for _ in range(sweeps):
            tempering.sweep(state, 1)
            marks = state.end_visited[state.holder[state.rungs]]
            for mark in (1, 2):
                marked[mark] += (marks == mark).sum(0)
        records.append(tempering.records(state))
    with np.errstate(invalid="ignore"):
        from_cold = marked[1] / (marked[1] + marked[2])
    acceptance, rates = (
        np.concatenate([record[name] for record in records]) for name in ("swap_acceptance", "round_trip_rate")
    )
    return Traffic(from_cold, acceptance.reshape(-1, levels.size)[:, :-1].mean(0), float(rates.mean()))


def moved_temperatures(
    levels: Float[np.ndarray, " levels"], from_cold: Float[np.ndarray, " levels"]
) -> Float[np.ndarray, " levels"]:
    """Return as many temperatures that cut the integral of sqrt(df/dT / dT) equally, the ends being kept.

    >>> moved_temperatures(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.5, 0.0])).tolist()
    [1.0, 2.0, 4.0]
    >>> moved_temperatures(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.8, 0.0])).round(2).tolist()
    [1.0, 2.25, 3.0]
    """
    falling = isotonic_regression(np.nan_to_num(from_cold, nan=0.5), increasing=False).x
    steps = np.maximum(-np.diff(falling), FLATTEST / (len(levels) - 1))
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(steps))])
    inner = np.interp(np.linspace(0, along[-1], len(levels))[1:-1], along, levels)
    return np.concatenate([levels[:1], inner, levels[-1:]])
