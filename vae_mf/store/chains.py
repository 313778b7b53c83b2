"""The record of the Markov chains in a store: how many there are, and what was found of them at each temperature."""

from typing import Any, NamedTuple

from vae_mf.store.sample_store import SampleStore
from vae_mf.store.schema import StoreError


class Chains(NamedTuple):
    """Markov chains of a store, the same number at every temperature."""

    count: int
    draws: int
    """Rows of each chain."""
    reports: list[dict[str, Any]]
    """Diagnostics at every temperature, the ensemble and the autocorrelation time in draws among them."""


def chains_of(store: SampleStore) -> Chains:
    """Return the record of the chains of a sealed store.

    Raises:
        StoreError: if it has none, as a store of other samples than those of `simulate` and `from_arrays` may.
    """
    reports = store.diagnostics.get("temperatures")
    found = Chains(store.attrs.get("chains", 0), store.attrs.get("draws", 0), reports or [])
    known = isinstance(reports, list) and len(reports) == len(store.temperatures) and all(map(is_report, reports))
    if not known or not is_count(found.count) or not is_count(found.draws) or found.count * found.draws != store.rows:
        raise StoreError(
            f"{store.path}: expected samples with a record of their Markov chains, as sample and from_arrays write it, "
            "got none, or one of other chains"
        )
    return found


def is_report(report: Any) -> bool:
    """Return whether an entry of the diagnostics says what is known of the chains at a temperature."""
    return (
        isinstance(report, dict)
        and isinstance(report.get("ensemble"), str)
        and isinstance(report.get("autocorrelation_time"), int | float)
    )


def is_count(value: Any) -> bool:
    """Return whether a value of JSON counts something."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
