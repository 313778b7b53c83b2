"""Public names of the room, read by `__init__.py` and by editors."""

from .complete import Decision, decide
from .decimation import Decimation, belief_decimation, survey_decimation
from .focused_metropolis import focused_metropolis
from .local_search import Search
from .look_ahead import look_ahead
from .message_passing import Marginals, belief_propagation, survey_propagation
from .population_dynamics import complexity, replica_symmetric_entropy
from .prob_sat import prob_sat
from .solution_walk import walk_overlaps
from .walk_sat import walk_sat
from .whitening import frozen_share

__all__ = [
    "Decimation",
    "Decision",
    "Marginals",
    "Search",
    "belief_decimation",
    "belief_propagation",
    "complexity",
    "decide",
    "focused_metropolis",
    "frozen_share",
    "look_ahead",
    "prob_sat",
    "replica_symmetric_entropy",
    "survey_decimation",
    "survey_propagation",
    "walk_overlaps",
    "walk_sat",
]
