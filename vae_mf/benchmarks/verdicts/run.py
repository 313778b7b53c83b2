"""Run of a discovery on one draw of a case, as a line of JSON."""

import resource
import sys
from typing import Any

import numpy as np

import vae_mf
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.arrays import Spins
from vae_mf.datasets.recording import Recording, make_recording
from vae_mf.discovery.report import Report
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.discovery.split import prepare
from vae_mf.provenance import git_revision
from vae_mf.statistics.averages import Average, evenly_spaced

from .case import Data
from .cases import draw_of
from .laws import Law, total_correlation

METRICS = (
    "share_lower",
    "share_upper",
    "left_lower",
    "left_upper",
    "total_correlation",
    "gain_over_independent",
    "gain_over_independent_error",
    "test_log_likelihood",
    "classes",
    "drift",
    "circular",
)
"""Key numbers that are kept, those that the report has."""
TABLES = ("readings", "gains", "controls")
"""Tables that the decision follows from, kept for decisions by other thresholds."""
ONCE = {"seeds": 0, "halves": False}
"""No repetitions: patterns are not asked for, and answers do not depend on them."""
DRAWS, SCORED = 1000, 1500
"""Importance draws of z, and rows, for the ln p of a model with continuous latent variables."""
LEAST_ERROR = 1e-3
"""Nats: Monte Carlo bias of a model's ln p, below which no KL divergence is told from zero."""


def run(name: str, draw: int) -> dict[str, Any]:
    """Return what a quick discovery says about a draw of a case, what it costs, and the exact values beside it."""
    data = draw_of(name, draw)
    recording = make_recording(data.rows, drop_unusable=True)
    before = cpu_seconds()
    report = vae_mf.discover(recording, quick=True, seed=draw, stability=ONCE)
    spent = cpu_seconds() - before
    return {
        "case": name,
        "draw": draw,
        "answer": report.answer,
        "headline": report.headline,
        "latents": report.latents,
        "metrics": {key: plain(report.metrics[key]) for key in METRICS if key in report.metrics},
        "tables": {name: report.tables[name].to_dict("list") for name in TABLES if name in report.tables},
        "exact": exact_values(data, recording, draw, report),
        "rows": list(data.rows.shape),
        "cpu_seconds": spent,
        "megabytes": peak_megabytes(),
        "revision": git_revision(),
    }


def plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_megabytes() -> float:
    """Return the largest memory that this process has held; the unit of the system is bytes on a Mac, else KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def exact_values(data: Data, recording: Recording, seed: int, report: Report) -> dict[str, list[float]]:
    """Return total correlation and what the chosen model leaves, value and error in nats; nothing without a law."""
    if data.law is None:
        return {}
    exact = {"total_correlation": list(total_correlation(data.rows, data.law))}
    left = left_by_model(data.rows, data.law, recording, seed, report)
    return exact if left is None else exact | {"left": list(left)}


def left_by_model(rows: Spins, law: Law, recording: Recording, seed: int, report: Report) -> Average | None:
    """Return the KL divergence of the law from the chosen model, on the test rows that discovery held out.

    It is the mean of ln p(x) less the model's, whose spread over rows is the square root of twice the divergence to
    leading order. Of continuous latent variables it is taken anew with many importance draws, whose bias would count as
    something left. None if discovery left out a variable that varies: the model has no ln p of the whole row then.
    """
    split = prepare(recording, "auto", discovery_settings(*discovery_config(quick=True, seed=seed)))
    left_out = np.setdiff1d(np.arange(rows.shape[1]), split.recording.variables)
    if np.ptp(rows[:, left_out], axis=0).any():
        return None
    test = split.rows.test
    own = report.metrics["test_log_likelihood"]
    if isinstance(report.model, TrainedModel):
        test = test[evenly_spaced(len(test), SCORED)]
        own = report.model.log_likelihood(split.recording.rows[test], draws=DRAWS, seed=seed).mean()
    divergence = float(law.log_probability(rows[test]).mean() - own)
    return Average(divergence, LEAST_ERROR + float(np.sqrt(2 * max(divergence, 0.0) / len(test))))
