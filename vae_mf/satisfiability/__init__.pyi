"""Public names of the room, read by `__init__.py` and by editors."""

from .focused_metropolis import focused_metropolis
from .local_search import Search
from .prob_sat import prob_sat
from .walk_sat import walk_sat

__all__ = ["Search", "focused_metropolis", "prob_sat", "walk_sat"]
