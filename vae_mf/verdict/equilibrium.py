"""Evaluation of a model of an equilibrium system: every number and table that its run reports."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vae_mf.analysis.generation import generate
from vae_mf.analysis.log_likelihood import likelihood_table
from vae_mf.analysis.stored_patterns import (
    classical_patterns,
    coupling_error,
    decoder_patterns,
    match_patterns,
    overlap_table,
)
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.averages import thin
from vae_mf.statistics.correlations import compare_correlations
from vae_mf.statistics.observables import (
    BySource,
    Laws,
    compare_energies,
    compare_observables,
    exact_laws,
    largest_error,
    order_parameter_histogram,
)
from vae_mf.statistics.overlaps import overlap_law_table
from vae_mf.systems.base import HasOrderParameter, HasOverlapLaw, HasPatterns, HasRowCorrelations, System
from vae_mf.systems.hopfield import hebbian_couplings
from vae_mf.tables import Evaluation
from vae_mf.verdict.evidence import Evidence, GroupRows, TrainRows
from vae_mf.verdict.settings import EquilibriumSettings

PAIR_ROWS = 4000
"""Draws from the model at each temperature for correlations between sites and between configurations."""


def evaluate_equilibrium(
    vae: VAE, system: HasOrderParameter, data: Evidence, settings: EquilibriumSettings
) -> Evaluation:
    """Evaluate a model of an equilibrium system against its samples and, if its energy is known, exact theory.

    Returns:
        metrics and the tables "observables", "order_parameter", "likelihood", "overlap_distribution", of spins
        "configurations", for lattices "correlation_function" and for Hopfield systems "overlaps".
    """
    vae.eval()
    laws = exact_laws(system, data.samples)
    theory = system if isinstance(system, System) else None
    orders, energies, configurations = observe(vae, system, data, settings)
    chains = {"samples": data.chains, "model": settings.generated}
    observables = [compare_observables(system, laws, orders, chains)]
    observables += [] if theory is None else [compare_energies(theory, energies, chains)]
    pairs = compare_pairs(system, laws, configurations, data.chains)
    observables = pd.concat([*observables, *pairs.pop("observables")], ignore_index=True)
    if system.kind == "spins":
        pairs["configurations"] = shown_configurations(configurations)
    likelihood = evaluate_likelihood(vae, theory, data, settings)
    evaluation = Evaluation(
        {
            **{
                f"{column}_per_temperature": dict(
                    zip(map(str, likelihood.temperature), likelihood[column], strict=True)
                )
                for column in ("ensemble", "kl", "kl_error")
            },
            "order_parameter_max_error": largest_error(observables, "order_parameter"),
            **({} if theory is None else {"energy_max_error": largest_error(observables, "energy")}),
            "test_elbo": float(likelihood.elbo.mean()),
            "test_log_likelihood": float(likelihood.log_likelihood.mean()),
        },
        {
            "observables": observables,
            "order_parameter": order_parameter_histogram(system, laws, orders),
            "likelihood": likelihood,
            **pairs,
        },
    )
    if isinstance(system, HasPatterns):
        add_patterns(evaluation, vae, system, data.train, settings)
    return evaluation


class Observations(NamedTuple):
    """Observables of every configuration, sampled and generated."""

    order_parameters: BySource
    """Signed order parameters."""
    energies: BySource
    """None of samples of which nothing else is known."""
    configurations: dict[str, Mapping[float, GroupRows]]
    """All samples and `PAIR_ROWS` draws from the model."""


def observe(vae: VAE, system: HasOrderParameter, data: Evidence, settings: EquilibriumSettings) -> Observations:
    """Return order parameter and energy of all samples and of draws from the model."""
    draws: dict[float, GroupRows] = {}
    orders: BySource = {"samples": {}, "model": {}}
    energies: BySource = {"samples": {}, "model": {}}
    for t, group in enumerate(data.groups):
        temperature = group.temperature
        drawn = generate(vae, temperature, settings.generated, integer(settings.seed, "generate", t))
        for source, configurations in (("samples", group.rows), ("model", drawn)):
            orders[source][temperature] = system.order_parameter(configurations)
            if isinstance(system, System):
                energies[source][temperature] = system.energy(configurations)
        draws[temperature] = drawn[:PAIR_ROWS].copy()
    return Observations(orders, energies, {"samples": data.samples, "model": draws})


def compare_pairs(
    system: HasOrderParameter, laws: Laws, configurations: dict[str, Mapping[float, GroupRows]], sampled_chains: int
) -> dict[str, Any]:
    """Return the tables "overlap_distribution" and, on a lattice, "correlation_function", and more "observables"."""
    drawn = len(next(iter(configurations["model"].values())))
    chains = {"samples": sampled_chains, "model": drawn}
    exact = {t: system.overlap_law(t) for t in laws} if isinstance(system, HasOverlapLaw) else None
    tables: dict[str, Any] = {"overlap_distribution": overlap_law_table(configurations, chains, exact)}
    if not isinstance(system, HasRowCorrelations):
        return tables | {"observables": []}
    functions, lengths = compare_correlations(system, configurations, chains)
    lengths = lengths.assign(order_name=system.order_name)
    return tables | {"correlation_function": functions, "observables": [lengths]}


def shown_configurations(configurations: dict[str, Mapping[float, GroupRows]]) -> pd.DataFrame:
    """Return one configuration of every source at the lowest, the middle and the highest temperature, to be shown.

    Columns source, temperature, site and value.
    """
    parts = []
    for source, by_temperature in configurations.items():
        levels = list(by_temperature)
        for temperature in dict.fromkeys((levels[0], levels[len(levels) // 2], levels[-1])):
            row = by_temperature[temperature][0]
            place = {"source": source, "temperature": temperature, "site": np.arange(len(row))}
            parts.append(pd.DataFrame(place | {"value": row}))
    return pd.concat(parts, ignore_index=True)


def evaluate_likelihood(vae: VAE, system: System | None, data: Evidence, settings: EquilibriumSettings) -> pd.DataFrame:
    """Return the likelihood table of the held-out configurations, with what is needed to read the KL."""
    scored = {t: thin(rows, settings.likelihood_samples, data.blocks) for t, rows in data.held_out.items()}
    table = likelihood_table(vae, system, scored, data.blocks, data.ensembles, settings.likelihood_draws, settings.seed)
    # One latent is a product of one factor, which restricts nothing.
    table["factorised_prior"] = vae.prior.factorised and vae.latents > 1
    table["tolerable_kl"] = settings.tolerable_kl
    return table


def add_patterns(
    evaluation: Evaluation,
    vae: VAE,
    system: HasPatterns,
    train: Mapping[float, TrainRows],
    settings: EquilibriumSettings,
) -> None:
    """Add the recovery of the stored patterns, by the decoder and by the classical route on the same samples.

    The couplings are those of all recovered patterns, of which no truth has chosen the best.
    """
    temperatures = list(train)
    temperature = settings.pattern_temperature or temperatures[len(temperatures) // 2]
    seed = integer(settings.seed, "patterns") % 2**31
    count = len(system.patterns)
    routes = {
        "vae": decoder_patterns(vae, temperature, settings.pattern_draws, settings.restarts, seed),
        "classical": classical_patterns(np.concatenate(list(train.values())), count, settings.restarts, seed),
    }
    matches = {route: match_patterns(found, system.patterns) for route, found in routes.items()}
    couplings = hebbian_couplings(routes["vae"], system.coupling)
    evaluation.tables["overlaps"] = overlap_table(matches)
    evaluation.metrics |= {
        "pattern_temperature": float(temperature),
        "pattern_overlap_min": float(matches["vae"].matched.min()),
        "pattern_overlap_mean": float(matches["vae"].matched.mean()),
        "pattern_overlap_min_classical": float(matches["classical"].matched.min()),
        "coupling_relative_error": coupling_error(couplings, system.couplings),
    }
