"""Judge a model of an equilibrium system: every number and table that its run reports."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Shaped

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
from vae_mf.statistics.averages import draws_per_chain, thin
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
from vae_mf.systems.base import System
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings
from vae_mf.systems.ising2d import Ising2D
from vae_mf.tables import Judgement
from vae_mf.verdict.settings import EvaluationSettings

PAIR_ROWS = 4000
"""Draws from the model at each temperature for correlations between sites and between configurations."""

Sampled = Shaped[np.ndarray, "rows *site"]
Training = Shaped[np.ndarray, "training_rows *site"]
HeldOut = Shaped[np.ndarray, "held_out_rows *site"]
"""Spins (rows, sites) or directors (rows, sites, 3)."""


@dataclass(frozen=True, eq=False)
class EquilibriumData:
    """Configurations (spins or directors) at each temperature, rows of one Markov chain next to each other.

    Args:
        samples: all sampled configurations.
        chains: Markov chains among them, per temperature.
        train: those that the model was fitted to.
        held_out: those that it is judged on.
        held_out_chains: Markov chains among the held-out configurations, per temperature.
        ensembles: what the samples may be taken for: "equilibrium" or other, see `samplers.diagnostics.start_ensemble`.

    Raises:
        ValueError: unless all have the same temperatures and the chains of one temperature are equally long.
    """

    samples: dict[float, Sampled]
    chains: int
    train: dict[float, Training]
    held_out: dict[float, HeldOut]
    held_out_chains: int
    ensembles: dict[float, str]

    def __post_init__(self) -> None:
        for name in ("train", "held_out", "ensembles"):
            found = getattr(self, name)
            if found.keys() != self.samples.keys():
                raise ValueError(f"{name}: expected the temperatures {list(self.samples)}, got {list(found)}")
        for parts, chains in ((self.samples, self.chains), (self.held_out, self.held_out_chains)):
            for configurations in parts.values():
                draws_per_chain(len(configurations), chains)


def judge_equilibrium(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> Judgement:
    """Judge a model of an equilibrium system against its samples and exact theory.

    Returns:
        metrics and the tables "observables", "order_parameter", "likelihood", "overlap_distribution", for lattices
        "correlation_function" and for Hopfield systems "overlaps".
    """
    vae.eval()
    laws = exact_laws(system, data.samples)
    orders, energies, configurations = observe(vae, system, data, settings)
    chains = {"samples": data.chains, "model": settings.generated}
    observables = [compare_observables(system, laws, orders, chains), compare_energies(system, energies, chains)]
    pairs = compare_pairs(system, laws, configurations, data.chains)
    observables = pd.concat([*observables, *pairs.pop("observables")], ignore_index=True)
    likelihood = judge_likelihood(vae, system, data, settings)
    judgement = Judgement(
        {
            **{
                f"{column}_per_temperature": dict(
                    zip(map(str, likelihood.temperature), likelihood[column], strict=True)
                )
                for column in ("ensemble", "kl", "kl_error")
            },
            "order_parameter_max_error": largest_error(observables, "order_parameter"),
            "energy_max_error": largest_error(observables, "energy"),
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
    if isinstance(system, Hopfield):
        add_patterns(judgement, vae, system, data.train, settings)
    return judgement


class Observations(NamedTuple):
    """What is observed of every configuration, sampled and generated."""

    order_parameters: BySource
    """Signed order parameters."""
    energies: BySource
    configurations: dict[str, dict[float, Sampled]]
    """All samples and `PAIR_ROWS` draws from the model."""


def observe(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> Observations:
    """Return order parameter and energy of all samples and of draws from the model."""
    found = Observations(*({"samples": {}, "model": {}} for _ in Observations._fields))
    for t, (temperature, sampled) in enumerate(data.samples.items()):
        drawn = generate(vae, temperature, settings.generated, integer(settings.seed, "generate", t))
        for source, configurations in (("samples", sampled), ("model", drawn)):
            found.order_parameters[source][temperature] = system.order_parameter(configurations)
            found.energies[source][temperature] = system.energy(configurations)
        found.configurations["samples"][temperature] = sampled
        found.configurations["model"][temperature] = drawn[:PAIR_ROWS].copy()
    return found


def compare_pairs(
    system: System, laws: Laws, configurations: dict[str, dict[float, Sampled]], sampled_chains: int
) -> dict[str, Any]:
    """Return the tables "overlap_distribution" and, on a lattice, "correlation_function", and more "observables"."""
    drawn = len(next(iter(configurations["model"].values())))
    chains = {"samples": sampled_chains, "model": drawn}
    exchangeable = laws if isinstance(system, CurieWeiss) else None
    tables: dict[str, Any] = {"overlap_distribution": overlap_law_table(configurations, chains, exchangeable)}
    if not isinstance(system, Ising2D):
        return tables | {"observables": []}
    functions, lengths = compare_correlations(system, configurations, chains)
    lengths = lengths.assign(order_name=system.order_name)
    return tables | {"correlation_function": functions, "observables": [lengths]}


def judge_likelihood(vae: VAE, system: System, data: EquilibriumData, settings: EvaluationSettings) -> pd.DataFrame:
    """Return the likelihood table of the held-out configurations, with what is needed to read the KL."""
    scored = {t: thin(data.held_out[t], settings.likelihood_samples, data.held_out_chains) for t in data.samples}
    table = likelihood_table(
        vae, system, scored, data.held_out_chains, data.ensembles, settings.likelihood_draws, settings.seed
    )
    # One latent is a product of one factor, which restricts nothing.
    table["factorised_prior"] = vae.prior.factorised and vae.latents > 1
    table["tolerable_kl"] = settings.tolerable_kl
    return table


def add_patterns(
    judgement: Judgement, vae: VAE, system: Hopfield, train: dict[float, Training], settings: EvaluationSettings
) -> None:
    """Add the recovery of the stored patterns, by the decoder and by the classical route on the same samples.

    The couplings are those of all recovered patterns, of which no truth has chosen the best.

    Args:
        train: configurations at each temperature that the decoder was fitted to.
    """
    temperatures = list(train)
    temperature = settings.pattern_temperature or temperatures[len(temperatures) // 2]
    seed, count = integer(settings.seed, "patterns") % 2**31, len(system.patterns)
    routes = {
        "vae": decoder_patterns(vae, temperature, settings.pattern_draws, settings.restarts, seed),
        "classical": classical_patterns(np.concatenate(list(train.values())), count, settings.restarts, seed),
    }
    matches = {route: match_patterns(found, system.patterns) for route, found in routes.items()}
    couplings = hebbian_couplings(routes["vae"], system.coupling)
    judgement.tables["overlaps"] = overlap_table(matches)
    judgement.metrics |= {
        "pattern_temperature": float(temperature),
        "pattern_overlap_min": float(matches["vae"].matched.min()),
        "pattern_overlap_mean": float(matches["vae"].matched.mean()),
        "pattern_overlap_min_classical": float(matches["classical"].matched.min()),
        "coupling_relative_error": coupling_error(couplings, system.couplings),
    }
