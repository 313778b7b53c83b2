"""Scaling of the rate and of the required information with sites and latent variables."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vae_mf.tables import VERDICT, read_tables

COLUMNS = (
    "sites",
    "latents",
    "temperature",
    "rate",
    "rate_error",
    "information",
    "information_error",
    "cut",
    "shortfall",
    "satisfied",
    "identity",
    "identity_error",
    "bracket",
    "identity_per_site",
    "posterior_variance",
    "variance_exponent",
)
"""Columns of the scaling study."""


def scaling_tables(folder: str, systems: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the scaling study of every system from the verdicts on its runs.

    Raises:
        FileNotFoundError: if a system has no run with a verdict.
    """
    tables = {}
    for system in systems:
        runs = sorted(Path(folder).glob(f"{system}_*"))
        if not runs:
            raise FileNotFoundError(f"systems: expected run folders {folder}/{system}_*, found none")
        tables[f"scaling_{system}"] = scaling_table(read_tables(run / VERDICT)["capacity"] for run in runs)
    return tables


def scaling_table(runs: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the capacity against sites and latents, a line per run and temperature.

    Returns:
        sites, latents, temperature, rate and information with errors, ``shortfall`` = information - rate,
        ``satisfied``, ``identity`` (C(x|z), NaN where ln Z is not known) and ``identity_per_site``,
        posterior_variance, and ``variance_exponent``, the slope of its logarithm against ln N over the sizes with the
        same latents and temperature, NaN for a single size: of a mean-field system -1 below T_c, -1/2 at T_c, where the
        prior narrows as N^-1/2, and 0 above, where it narrows as 1/N.
    """
    table = pd.concat(list(runs), ignore_index=True).sort_values(["temperature", "latents", "sites"])
    table["shortfall"] = table.information - table.rate
    table["identity_per_site"] = table.identity / table.sites
    groups = table.groupby(["latents", "temperature"], group_keys=False)
    table["variance_exponent"] = groups[["sites", "posterior_variance"]].apply(
        lambda group: pd.Series(log_slope(group.sites, group.posterior_variance), index=group.index)
    )
    return table[list(COLUMNS)].reset_index(drop=True)


def log_slope(sizes: pd.Series, values: pd.Series) -> float:
    """Return the slope of ln value against ln size, NaN for a single size.

    >>> round(log_slope(pd.Series([1.0, 2.0, 4.0]), pd.Series([1.0, 4.0, 16.0])), 6)
    2.0
    """
    if sizes.nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
