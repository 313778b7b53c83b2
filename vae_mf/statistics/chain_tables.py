"""Tables of equilibrium samples: mixing of their chains, and their observables beside exact theory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.statistics.observables import compare_energies, compare_observables, exact_laws
from vae_mf.systems.base import System

Series = dict[float, Float[np.ndarray, " rows"]]
"""One number per row at each temperature, rows of one chain next to each other."""


def sampling_tables(
    system: System, energies: Series, orders: Series, chains: int, reports: Sequence[dict[str, Any]]
) -> dict[str, pd.DataFrame]:
    """Return the tables "chains" and "observables".

    "chains" has one row per temperature: samples, diagnostics (times in draws) and the sampler's records of its
    moves. "observables" has energy, heat capacity and order statistics, of the samples and of exact theory.
    """
    table = pd.DataFrame(list(reports))
    table.insert(0, "temperature", list(energies))
    table.insert(1, "samples", [len(rows) for rows in energies.values()])
    laws = exact_laws(system, orders)
    observables = [
        compare_energies(system, {"samples": energies}, {"samples": chains}),
        compare_observables(system, laws, {"samples": orders}, {"samples": chains}),
    ]
    return {"chains": table, "observables": pd.concat(observables, ignore_index=True)}
