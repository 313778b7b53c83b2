"""Curves of the information that theory knows of a system, beside which the readings of a model stand."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from vae_mf.analysis.total_correlation import exact_total_correlation
from vae_mf.statistics.exact_curves import Theory, exact_curve
from vae_mf.systems.base import HasCutCurve, HasFieldInformation, System

COLUMNS = ("quantity", "temperature", "value")


def information_curves(system: System, temperatures: Iterable[float]) -> pd.DataFrame:
    """Return exact information in nats at so many temperatures that lines through them are the curves.

    Quantities: "total_correlation", the Hubbard-Stratonovich "field", and of the cuts those that follow from the
    temperature alone, "half" and "area_law_half". Columns quantity, temperature and value; none where theory is not
    known.
    """
    levels = list(temperatures)
    theories: dict[str, Theory] = {
        "total_correlation": partial(known_total_correlation, system),
        "field": partial(known_field, system),
    }
    if isinstance(system, HasCutCurve):
        theories |= {name: partial(cut_of, system, name) for name in names_of_cuts(system, levels)}
    lines = [
        (quantity, temperature, value)
        for quantity, theory in theories.items()
        for temperature, (value,) in exact_curve(levels, theory).items()
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def known_total_correlation(system: System, temperature: float) -> tuple[float] | None:
    """Return the exact total correlation, None where it is not known."""
    value = exact_total_correlation(system, temperature)
    return None if np.isnan(value) else (value,)


def known_field(system: System, temperature: float) -> tuple[float] | None:
    """Return the exact information of the Hubbard-Stratonovich field, None where no sum is feasible."""
    if not isinstance(system, HasFieldInformation):
        return None
    try:
        return (system.field_information(temperature).value,)
    except ValueError:
        return None


def names_of_cuts(system: HasCutCurve, temperatures: list[float]) -> list[str]:
    """Return the names of the cuts at the first of the temperatures where one is known."""
    return next((list(cuts) for temperature in temperatures if (cuts := system.quick_cuts(temperature))), [])


def cut_of(system: HasCutCurve, name: str, temperature: float) -> tuple[float] | None:
    """Return the information of the cut of a name, None where it is not known."""
    value = system.quick_cuts(temperature).get(name)
    return None if value is None else (value,)
