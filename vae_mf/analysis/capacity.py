"""The capacity criterion: a model must carry at least the information that any cut through the data has to carry.

Given z the sites are independent, so that I(x_A; x_B) <= I_q(x; z) <= rate for every bipartition (paper, eqs. 52-54):
a rate below the mutual information of a single cut rules out a faithful description. The cut into halves is exact for
Curie-Weiss and 2D Ising; the two sublattices of a lattice share far more, exact but for an average over samples. The
information in the Hubbard-Stratonovich field of a mean-field system bounds every cut from above.
"""

import numpy as np
import pandas as pd
import torch

from vae_mf.analysis.elbo_surgery import draw_latents
from vae_mf.analysis.joint_samples import Configurations
from vae_mf.analysis.latent_potential import prior_draws
from vae_mf.analysis.log_likelihood import EQUILIBRIUM, UNKNOWN
from vae_mf.analysis.total_correlation import CriticResult, CriticSettings, evaluate_critic
from vae_mf.arrays import States
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average, average
from vae_mf.systems.base import HasFieldInformation, System
from vae_mf.systems.enumeration import feasible_cuts

PRIOR_DRAWS = 10_000
"""Draws of z that give the covariance of the prior."""
CUTS = ("half", "area_law_half", "sublattice", "sampled_half")
"""Ways to a lower bound on the information of the worst cut."""


def capacity_table(
    vae: VAE,
    system: System | None,
    held_out: Configurations,
    chains: int,
    ensembles: dict[float, str],
    surgery: pd.DataFrame,
    seed: int,
    sampled: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return per temperature the rate of the model and the information that the data demand, in nats.

    Columns beside those of ``surgery``: ``posterior_variance`` and ``sphere_packing`` (see there); with errors, the
    information between two halves as an exact ``half``, an ``area_law_half`` or, by the critic, a ``sampled_half``, and
    that between the two sublattices, ``sublattice``; ``information``, the largest of them, with error and its ``cut``;
    ``satisfied``, true if rate >= information within two errors, which must be known; ``field``, the upper bound of the
    Hubbard-Stratonovich field, with ``field_source`` "exact" or "sampled". Unknown values are NaN or empty.

    Args:
        held_out: configurations at each temperature, rows of one chain next to each other.
        ensembles: ensemble of the samples at each temperature; theory is exact for "equilibrium" only.
        sampled: table of `sampled_half_information` at the same temperatures, None if that was not run.
    """
    rows = []
    by_temperature = None if sampled is None else sampled.set_index("temperature")
    for t, (temperature, configurations) in enumerate(held_out.items()):
        known = system if ensembles[temperature] == EQUILIBRIUM else None
        cuts = theoretical_cuts(known, configurations, temperature, chains)
        if by_temperature is not None:
            cuts["sampled_half"] = Average(*by_temperature.loc[temperature])
        rows.append(
            {"temperature": temperature}
            | sphere_packing(vae, configurations, temperature, integer(seed, "capacity", t))
            | cut_columns(cuts)
            | field_columns(known, configurations, temperature)
        )
    table = surgery.merge(pd.DataFrame(rows), on="temperature")
    margin = table.rate - table.information + 2 * np.hypot(table.rate_error, table.information_error)
    table["satisfied"] = (margin >= 0).where(margin.notna())
    return table


def theoretical_cuts(
    system: System | None, configurations: States, temperature: float, chains: int
) -> dict[str, Average]:
    """Return the information of the cuts that theory knows, by name, with the errors of averages over samples."""
    known = {} if system is None else feasible_cuts(system, configurations, temperature)
    return {
        name: average(found, chains) if isinstance(found, np.ndarray) else Average(found, 0.0)
        for name, found in known.items()
    }


def cut_columns(cuts: dict[str, Average]) -> dict[str, float | str | None]:
    """Return the information of every cut with its error, and the largest of them with its error and name.

    The estimate of a critic does not count for a cut that theory knows.
    """
    columns = {}
    for name in CUTS:
        columns |= dict(zip((name, f"{name}_error"), cuts.get(name, UNKNOWN), strict=True))
    known = {name for name, found in cuts.items() if not np.isnan(found.value)}
    counted = known - {"sampled_half"} or known
    cut = max(sorted(counted), key=lambda name: cuts[name].value, default=None)
    largest = cuts[cut] if cut else UNKNOWN
    return columns | {"information": largest.value, "information_error": largest.error, "cut": cut}


def field_columns(system: System | None, configurations: States, temperature: float) -> dict[str, float | str | None]:
    """Return the upper bound on any cut by the Hubbard-Stratonovich field, exact or from sampled overlaps."""
    if not isinstance(system, HasFieldInformation):
        return {"field": float("nan"), "field_source": None}
    found = system.field_information(temperature, configurations)
    return {"field": found.value, "field_source": found.source}


@torch.no_grad()
def sphere_packing(vae: VAE, configurations: States, temperature: float, seed: int) -> dict[str, float]:
    """Return the mean posterior variance in units of the prior, v = <Tr(Cov_p^-1 diag(σ²))> / d, and (d / 2) ln(1 / v).

    The latter is the rate of a nearly deterministic Gaussian encoder, in nats (paper, eq. 55).
    """
    deviation = draw_latents(vae, configurations, temperature, seed).deviation
    prior = prior_draws(vae, temperature, PRIOR_DRAWS, integer(seed, "prior"))
    precision = np.linalg.inv(np.atleast_2d(np.cov(prior, rowvar=False)))
    variance = float((deviation**2).mean(0) @ np.diag(precision)) / deviation.shape[1]
    return {"posterior_variance": variance, "sphere_packing": -0.5 * deviation.shape[1] * float(np.log(variance))}


def sampled_half_information(whole: CriticResult, settings: CriticSettings) -> pd.DataFrame:
    """Return I(x_A; x_B) of the first and the second half of the sites per temperature, from data alone.

    By the chain rule it is <sum_{i in B} ln p(x_i|x_<i) / p(x_i|x_<i in B)>: the critic of the whole, whose sites
    in B have seen all of A, against one of B alone. Both miss a little; the difference is an estimate, not a bound. It
    is not known where it is negative beyond two errors: the first critic has over-fitted.

    Returns:
        columns temperature, sampled_half and sampled_half_error.
    """
    samples = whole.samples
    sites = samples.test.statistics.shape[1]
    half = list(range(sites // 2, sites))
    alone = evaluate_critic(samples, settings, part=half).log_ratios
    together = whole.critic.log_ratio(samples.test, torch.tensor(half, device=whole.critic.part.device))
    gain = together.double().numpy(force=True) - alone
    index = samples.test.condition.index.numpy(force=True)
    rows = [
        (temperature, *plausible(average(gain[index == level], samples.chains)))
        for level, temperature in enumerate(samples.temperatures)
    ]
    return pd.DataFrame(rows, columns=["temperature", "sampled_half", "sampled_half_error"])


def plausible(information: Average) -> Average:
    """Return an estimate of information, unknown if it is negative beyond two errors.

    >>> plausible(Average(-0.3, 0.1))
    Average(value=nan, error=nan)
    """
    return UNKNOWN if information.value < -2 * information.error else information
