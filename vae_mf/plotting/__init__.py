"""Figures, in matplotlib."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "discovery": ["draw_discovery"],
        "runs": ["draw_retrieval", "draw_run", "draw_sampling"],
        "style": ["house_style", "save_figure"],
        "sweeps": ["draw_collection"],
        "verdict": ["draw_verdict"],
    },
)
