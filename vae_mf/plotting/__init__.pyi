"""Public names of the room, read by `__init__.py` and by editors."""

from .discovery import draw_discovery
from .runs import draw_retrieval, draw_run, draw_sampling
from .style import house_style, save_figure
from .sweeps import draw_collection
from .verdict import draw_verdict

__all__ = [
    "draw_collection",
    "draw_discovery",
    "draw_retrieval",
    "draw_run",
    "draw_sampling",
    "draw_verdict",
    "house_style",
    "save_figure",
]
