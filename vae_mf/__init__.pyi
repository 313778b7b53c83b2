"""The public names, read by `__init__.py` and by editors: a line here is all that a new one needs."""

from . import (
    analysis,
    benchmarks,
    datasets,
    density_models,
    device_samplers,
    discovery,
    inverse_ising,
    models,
    plotting,
    runs,
    samplers,
    satisfiability,
    statistics,
    store,
    studies,
    systems,
    training,
    verdict,
)
from .analysis.trained_model import TrainedModel
from .discovery.report import Report, discover
from .runs.models import load
from .samplers.draw import sample
from .simulation import simulate
from .store.sample_store import open_store

__version__: str

__all__ = [
    "Report",
    "TrainedModel",
    "analysis",
    "benchmarks",
    "datasets",
    "density_models",
    "device_samplers",
    "discover",
    "discovery",
    "inverse_ising",
    "load",
    "models",
    "open_store",
    "plotting",
    "runs",
    "sample",
    "samplers",
    "satisfiability",
    "simulate",
    "statistics",
    "store",
    "studies",
    "systems",
    "training",
    "verdict",
]
