"""Tables for every figure of the package, made up of awkward sizes and names."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_mf.plotting import (
    attractors,
    complexity,
    contacts,
    correlations,
    couplings,
    decoding,
    density_models,
    discovery,
    inverse_ising,
    k_sat_clusters,
    kinetic_moments,
    leaderboards,
    paper,
    recordings,
    runs,
    satisfiability,
    solution_walks,
    spin_glasses,
    stability,
    sweeps,
    total_correlation,
    verdict,
)
from vae_mf.plotting.attractors import PHASE_LINES
from vae_mf.plotting.total_correlation import CUTS

Tables = dict[str, pd.DataFrame]
LONG = "a_very_long_name_of_a_variable_in_a_file_of_somebody_{}"


def crossed(**columns) -> pd.DataFrame:
    return pd.DataFrame(list(product(*columns.values())), columns=list(columns))


def random(table: pd.DataFrame, *names: str, low: float = 0.1, high: float = 1.0) -> pd.DataFrame:
    """Add columns of random numbers, and of their errors."""
    generator = np.random.default_rng(1)
    for name in names:
        table[name] = generator.uniform(low, high, len(table))
        table[f"{name}_error"] = 0.05 * (high - low)
    return table


def long_names(count: int) -> list[str]:
    return [LONG.format(k) for k in range(count)]


def temperatures(count: int) -> list[float]:
    return np.round(np.linspace(0.2, 2.2, count), 4).tolist()


def observables(count: int, names: tuple[str, ...]) -> pd.DataFrame:
    levels = temperatures(count)
    parts = [random(crossed(source=["samples", "model"], temperature=levels, observable=names), "value")]
    for source, points in (("exact", 50), ("infinite", 60)):
        parts.append(random(crossed(source=[source], temperature=temperatures(points), observable=names), "value"))
    table = pd.concat(parts, ignore_index=True).rename(columns={"value_error": "error"})
    return table.assign(order_name="leading overlap m")


OBSERVABLES = ("order_parameter", "susceptibility", "binder", "energy", "heat_capacity", "correlation_length")


def overlap_laws(sources: list[str], levels: list[float]) -> pd.DataFrame:
    table = random(crossed(source=sources, temperature=levels, q=np.linspace(-1, 1, 21)), "density")
    return table.rename(columns={"density_error": "error"})


def run_tables(count: int) -> Tables:
    levels = temperatures(count)
    likelihood = random(pd.DataFrame({"temperature": levels}), "kl")
    order = crossed(source=["samples", "model", "exact"], temperature=levels, m=np.linspace(-1, 1, 21))
    tables = {
        "observables": observables(count, OBSERVABLES),
        "likelihood": likelihood.assign(factorised_prior=True, tolerable_kl=0.4),
        "order_parameter": random(order, "density").assign(order_name="leading overlap m"),
        "overlap_distribution": overlap_laws(["samples", "model", "exact"], levels),
        "overlaps": overlaps(count),
    }
    functions = crossed(source=["samples", "model", "exact", "infinite"], temperature=levels, distance=range(9))
    functions = random(functions, "value").rename(columns={"value_error": "error"})
    shown = crossed(source=["samples", "model"], temperature=sorted({*levels[:2], levels[-1]}), site=range(16))
    return tables | {"correlation_function": functions, "configurations": shown.assign(value=1)}


def overlaps(count: int) -> pd.DataFrame:
    return random(crossed(route=["vae", "classical"], recovered=range(count), true=range(count)), "overlap", low=-1)


def chain_tables(count: int) -> Tables:
    chains = pd.DataFrame({"temperature": temperatures(count), "samples": 1000})
    chains = random(chains, "autocorrelation_time", "split_rhat", "agreement", "swap_acceptance", "jump_acceptance")
    ensembles = np.where(np.arange(count) % 2, "equilibrium", "basin:1")
    return {
        "chains": chains.assign(effective_size=500.0, ensemble=ensembles),
        "observables": observables(count, OBSERVABLES),
    }


def cells(variables: int, patterns: int) -> pd.DataFrame:
    names = ["field", *(f"pattern_{k + 1}" for k in range(patterns))]
    return random(pd.DataFrame({"cell": long_names(variables)}), *names, low=-1).filter(regex="cell|field$|pattern_.$")


def recording_tables(variables: int, patterns: int = 3) -> Tables:
    sources = ["test", "model", "independent", "train"]
    counts = random(crossed(source=sources, count=range(12)), "probability", low=0.01)
    words = random(pd.DataFrame({"word": range(64)}), "test", "model", "independent", low=1e-4)
    moments = random(crossed(order=[1, 2, 3], number=range(30)), "test", "model", "independent", low=-0.01, high=0.03)
    return {
        "spike_counts": counts,
        "cells": cells(variables, patterns),
        "overlap_distribution": overlap_laws(sources[:3], [1.0]),
        "words": words,
        "moments": moments,
        "cumulants": cumulants(),
    }


def cumulants() -> pd.DataFrame:
    table = random(crossed(axis=[1, 2, 3], tilt=np.linspace(-3.0, 3.0, 15)), "cumulant")
    return table.rename(columns={"cumulant_error": "error"}).assign(gaussian=lambda t: t.tilt**2 / 2)


def verdict_tables(count: int, variables: int = 12) -> Tables:
    levels = temperatures(count)
    by_temperature = pd.DataFrame({"temperature": levels})
    left = random(by_temperature.copy(), "test", "identity", "correlation", "divergence")
    names = ("rate", "excess_kl", "field", "information", *CUTS)
    capacity = random(by_temperature.copy(), *names).assign(satisfied=np.arange(count) % 2 == 0)
    pairs = crossed(first=range(variables), second=range(variables)).query("first < second")
    curve = crossed(quantity=["total_correlation", "field", "half"], temperature=temperatures(40))
    return {
        "conditional_correlation": left.assign(train=0.4, floor=0.2, decided=np.arange(count) % 2 == 0),
        "total_correlation": random(crossed(source=["samples", "model"], temperature=levels), "test", "exact"),
        "capacity": capacity,
        "surgery": random(by_temperature.copy(), "excess_kl").assign(bracket=0.02),
        "information": random(curve, "value"),
        "residual_pairs": random(pairs, "significance", low=-9, high=9).assign(temperature=levels[0]),
        "residual_fields": pd.DataFrame({"site": range(variables)}),
        "cells": cells(variables, 1),
        **decoded_tables(count),
    }


def decoded_tables(count: int) -> Tables:
    levels = temperatures(count)
    density = crossed(temperature=levels, z=np.linspace(-2, 2, 21))
    density = random(density, "prior", "aggregated", "exact", "mean_field")
    scores = crossed(
        regressor=["mlp", "linear"], target=["expected", "sampled"], temperature=["pooled"], component=range(1, 6)
    )
    potential = random(pd.DataFrame({"temperature": levels, "exact": 1 / np.array(levels)}), "beta_j")
    return {
        "overlaps": overlaps(count),
        "latent_density": density,
        "nematic": random(scores, "r2").assign(ceiling=0.99),
        "latent_potential": potential,
        "cumulants": cumulants(),
    }


def prefixed(**parts: Tables) -> Tables:
    return {f"{name}_{key}": table for name, tables in parts.items() for key, table in tables.items()}


def systems(count: int) -> Tables:
    whole = {name: run_tables(count) | verdict_tables(count) for name in paper.SYSTEMS}
    return prefixed(**whole)


def stability_tables(count: int) -> Tables:
    names = [f"{kind}_{k}" for k in range(count) for kind in ("seed", "bootstrap", "half")][:count]
    verdicts = random(pd.DataFrame({"repetition": names}), "correlation", "gain")
    answers = ["found", "not found", "not decided"]
    patterns = min(count, 4)
    profile = {f"{name}_{k + 1}": np.linspace(0.1, 1, 30) for name in ("pattern", "spread") for k in range(patterns)}
    summary = {"pattern": range(1, patterns + 1), "recovered": [k % 2 == 0 for k in range(patterns)], "threshold": 0.8}
    return {
        "verdicts": verdicts.assign(answer=[answers[k % 3] for k in range(count)], bound=0.3, floor=0.2),
        "patterns": pd.DataFrame({"cell": long_names(30)} | profile),
        "pattern_summary": pd.DataFrame(summary),
        "stability": random(crossed(repetition=names, pattern=range(1, patterns + 1)), "share"),
    }


def models(count: int) -> pd.DataFrame:
    families = list(density_models.FAMILIES)
    table = pd.DataFrame({"model": long_names(count), "family": [families[k % len(families)] for k in range(count)]})
    return random(table, "gain_over_independent", low=-0.5)


def comparison(count: int) -> pd.DataFrame:
    splits = pd.DataFrame({"split": ["random", "repeat", LONG.format("split")]})
    rows = pd.DataFrame({"training_rows": [100, 1000, 10_000]})
    table = models(count).merge(splits, how="cross").merge(rows, how="cross")
    return table.assign(validation_log_likelihood=-1.0)


def sweep_tables(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = random(crossed(line=long_names(count), option=["spline", LONG.format("prior"), "gaussian"]), "mean")
    averages = table.rename(columns={"mean_error": "error"}).assign(runs=3)
    return averages.rename(columns={"mean": "test_elbo"}), averages


def estimators(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = long_names(count)
    table = pd.DataFrame({"estimator": names, "converged": [k % 2 == 0 for k in range(count)], "runaway": False})
    table = random(table, "gain_over_independent", "pseudo_gain_over_independent", "seconds", "rmse")
    return table, random(crossed(first=names, second=names), "correlation")


def coupling_arguments(count: int) -> tuple:
    variables = max(count, 2)
    matrix = np.random.default_rng(1).normal(size=(variables, variables))
    matrix = matrix + matrix.T
    first, second = np.triu_indices(variables, 1)
    table = pd.DataFrame({"coupling": matrix[first, second], "error": 0.1, "truth": matrix[first, second] + 0.1})
    return matrix, table, LONG.format("estimator"), long_names(variables), "$k_B T$"


def discovery_tables(count: int) -> Tables:
    sweep = random(pd.DataFrame({"latents": range(count + 1)}), "gain", "behind")
    summary = pd.DataFrame({"pattern": range(1, count + 1), "recovered": [k % 2 == 0 for k in range(count)]})
    profile = {f"pattern_{k + 1}": np.linspace(-1, 1, 30) for k in range(count)}
    readings = random(pd.DataFrame({"reading": long_names(count), "kind": "pairs"}), "value")
    readings = readings.rename(columns={"value_error": "error"})
    left = {"least": "", "most": "", "centre": np.inf, "lower": 0.1, "upper_best": 0.5, "upper": 0.7, "tolerance": 0.3}
    rows = {f"z_{k + 1}": np.sin(np.arange(50.0) + k) for k in range(count)}
    return {
        "sweep": sweep.assign(chosen=sweep.latents == 1),
        "models": models(count),
        "patterns": pd.DataFrame({"variable": long_names(30)} | profile),
        "pattern_summary": summary,
        "readings": readings,
        "left": pd.DataFrame([left]),
        "latents": pd.DataFrame({"repeat": 0, "time": range(50)} | rows),
        "stability": stability_tables(count)["stability"],
    }


def class_tables(count: int, pixels: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"{k // 6},{k % 6}" for k in range(30)] if pixels else long_names(30)
    shifts = {"variable": names} | {f"class_{k + 1}": np.linspace(-1, 1, 30) for k in range(count)}
    return pd.DataFrame(shifts), pd.DataFrame({"class": range(1, count + 1), "weight": 1 / count})


def class_rows(count: int) -> pd.DataFrame:
    return pd.DataFrame({"repeat": 0, "time": range(50)} | {f"class_{k + 1}": 1 / count for k in range(count)})


def learning_tables(count: int) -> Tables:
    numbers = {"samples": [50, 90], "iteration": range(5), "epsilon": np.linspace(0.1, 0.9, count)}
    table = random(crossed(generator=["equilibrium", "resampled"], **numbers), "error", "energy")
    final = table[table.iteration == 4]
    return {"learning": table, "epsilons": final.assign(chosen=final.epsilon == final.epsilon.iloc[0])}


METHODS = ["erasure machine", "pseudo-likelihood", "Hebb"]


def accuracy_tables(count: int) -> Tables:
    samples = [50 * (k + 1) for k in range(count)]
    where = {"generator": ["equilibrium", "resampled"], "strength": [0.5], "disorder": [0, 1], "samples": samples}
    table = random(crossed(**where, method=METHODS), "error")
    return {"accuracy": table, "couplings": random(table.copy(), "true", "inferred", low=-1)}


def digits(count: int) -> Tables:
    stages = ["original", "torn", "erasure machine", "pseudo-likelihood"]
    pixels = crossed(image=range(min(count, 6)), stage=stages, pixel=range(16)).assign(value=1)
    completion = pd.DataFrame({"method": stages[2:], "wrong": [3, 4], "images": 100, "missing": 90})
    return {"pixels": pixels, "completion": completion}


def kinetic_errors(count: int) -> Tables:
    methods = ["maximum likelihood", "exact mean field", "TAP", "naive mean field"]
    strengths = [0.1 * (k + 1) for k in range(count)]
    table = random(crossed(strength=strengths, disorder=[0, 1], length=[100, 1000], method=methods), "error")
    return {"kinetic_errors": table.assign(predicted=0.2)}


def times(count: int) -> Tables:
    sizes = [10 * 2 ** min(k, 12) for k in range(min(count, 10))]
    return {"times": random(crossed(sites=sizes, samples=[1000], method=METHODS), "seconds")}


def ferromagnet(count: int) -> Tables:
    methods = ["one state", "two states", "pseudo-likelihood"]
    samples = [100 * (k + 1) for k in range(count)]
    return {
        "ferromagnet": random(crossed(beta=[0.5, 1.0, 1.5], run=[0, 1], samples=samples, method=methods), "deviation")
    }


def glass(count: int) -> Tables:
    table = crossed(disorder=[0, 1, 2], beta=[0.5, 1.5], clusters=range(1, count + 1), method=["naive", "TAP"])
    reference = crossed(disorder=[0, 1, 2], beta=[0.5, 1.5], clusters=[1], method=["pseudo-likelihood"])
    table = pd.concat([table, reference], ignore_index=True).assign(samples=1000)
    return {"glass": random(table, "one_minus_r", "slope")}


def threshold(count: int) -> Tables:
    sizes = [20 * (k + 1) for k in range(count)]
    curves = random(crossed(length=[2, 3], sites=sizes, ratio=[3.5, 4.0, 4.5]), "probability", "decisions")
    curves = curves.rename(columns={"probability_error": "error"}).assign(threshold=4.267)
    curves = curves.assign(decisions_low=curves.decisions / 2, decisions_high=2 * curves.decisions)
    return {
        "threshold": curves,
        "crossings": pd.DataFrame({"length": [2, 3], "ratio": 4.2, "error": 0.1, "nu": 2.0, "nu_error": 0.2}),
        "limits": pd.DataFrame({"length": [2, 3], "ratio": 4.2, "error": 0.1}),
        "halves": pd.DataFrame({"length": [2, 3], "sites": 100, "ratio": 4.2, "error": 0.1}),
    }


def search(count: int) -> Tables:
    sizes = [10 ** (3 + min(k, 5)) + k for k in range(count)]
    algorithms = ["WalkSAT", "focused Metropolis", "survey propagation", "belief propagation"]
    table = random(crossed(sites=sizes, algorithm=algorithms, ratio=[3.8, 4.0, 4.2]), "seconds_per_variable")
    return {"search": table.assign(threshold=4.267, formulas=3, solved=np.arange(len(table)) % 4)}


def energy(count: int) -> Tables:
    ratios = [1 + 0.2 * k for k in range(count)]
    table = random(crossed(ratio=ratios, temperature=[0.2, 0.5, 1.0, 2.0]), "energy", "entropy")
    annealed = crossed(ratio=ratios, temperature=np.geomspace(0.2, 2, 20)).assign(energy=0.3, entropy=0.4)
    return {"energy": table, "annealed": annealed, "solutions": pd.DataFrame({"ratio": ratios, "value": 0.3})}


def complexities(count: int) -> Tables:
    lengths = [3 + k for k in range(min(count, 4))]
    points = random(crossed(length=lengths, ratio=np.linspace(4, 4.3, max(count, 3))), "value", "first_moment")
    points = points.rename(columns={"value_error": "error"})
    names = ["clustering", "condensation", "satisfiability", "freezing"]
    zero = pd.DataFrame({"length": lengths, "place": 4.2667, "error": 0.0003})
    thresholds = crossed(length=lengths, name=names).assign(ratio=lambda t: 4 + 0.02 * np.arange(len(t)) % 4)
    return {"complexity": points, "zero": zero, "entropy": points, "thresholds": thresholds}


def walks(count: int) -> Tables:
    sites = [1000 * (k + 1) for k in range(count)]
    ratios = [3.0 + 0.1 * k for k in range(count)]
    along = random(crossed(sites=sites[-1:], ratio=ratios, sweeps=[1, 10, 100]), "overlap")
    ends = random(crossed(sites=sites, ratio=[3.0, 3.5, 4.0]), "end", "beliefs", "independent").assign(converged=True)
    names = pd.DataFrame({"name": ["clustering", "condensation", "satisfiability"], "ratio": [3.86, 3.9, 4.267]})
    return {"walks": along, "solutions": ends, "thresholds": names}


def clusters(count: int) -> Tables:
    ratios = [7.5 + 0.1 * k for k in range(count)]
    laws = crossed(ratio=ratios, law=["mixture", "vae", "tree"], size=[1, 2, 4], formula=[0, 1])
    return {
        "overlaps": random(crossed(ratio=ratios, overlap=np.linspace(-0.5, 1, 30)), "density"),
        "frozen": random(crossed(ratio=ratios, formula=[0, 1]), "frozen").assign(solved=True),
        "gains": random(laws, "gain"),
    }


def transition(count: int) -> Tables:
    sides = [4 + 2 * k for k in range(count)]
    crossings = pd.DataFrame({"smaller": sides, "larger": sides, "temperature": 1.1, "error": 0.1})
    samples = random(pd.DataFrame({"sites": [64 * 2 ** min(k, 10) for k in range(count)]}), "energy")
    approach = samples.rename(columns={"energy_error": "error"}).assign(source="samples")
    theory = pd.DataFrame(
        {"source": ["line", "parisi", "replica symmetric"], "energy": [-0.7, -0.76, -0.8], "slope": 0.7}
    )
    return {
        "transition": random(crossed(side=sides, temperature=[0.9, 1.1, 1.3]), "length", "binder"),
        "crossings": crossings,
        "approach": pd.concat([approach, theory], ignore_index=True).assign(temperature=0.3),
    }


def disorder(count: int) -> Tables:
    table = random(pd.DataFrame({"temperature": temperatures(count)}), *spin_glasses.DISORDER_LABELS)
    return {"disorder": table.assign(samples=10)}


def phases(count: int) -> Tables:
    lines = crossed(line=list(PHASE_LINES), temperature=np.linspace(0.05, 1, 20)).assign(load=0.1)
    overlaps = random(crossed(load=np.linspace(0.01, 0.2, count), temperature=[0.1, 0.5]), "overlap")
    return {"phase_lines": lines, "phase_overlaps": overlaps.assign(sites=1000)}


def basins(count: int) -> Tables:
    sizes = [100 * (k + 1) for k in range(min(count, 7))]
    table = random(crossed(sites=sizes, load=np.linspace(0.01, 0.2, count), start=[0.2, 0.6, 1.0]), "overlap")
    return {"basins": table.rename(columns={"overlap_error": "error"})}


def retrieval(count: int) -> Tables:
    theory = crossed(
        source=["infinite"], temperature=temperatures(min(count, 7)), load=np.linspace(0.01, 0.2, 30), sites=[0]
    )
    samples = crossed(
        source=["samples"], temperature=temperatures(min(count, 7)), load=[0.05, 0.1], sites=range(100, 100 + count)
    )
    table = random(pd.concat([theory, samples], ignore_index=True), "overlap")
    return {"retrieval": table.rename(columns={"overlap_error": "error"})}


def scaling(count: int) -> Tables:
    levels = temperatures(min(count, 5))
    table = crossed(temperature=levels, sites=[64, 256, 1024], latents=range(1, min(count, 9) + 1))
    table = random(table, "rate", "information", "identity").assign(bracket=0.01)
    return {
        name: table.assign(identity_per_site=table.identity / table.sites)
        for name in ("scaling_ising2d", LONG.format("system"))
    }


def recoveries(count: int) -> pd.DataFrame:
    spaces = crossed(
        space=list(decoding.SPACES),
        unmixing=list(decoding.UNMIXINGS),
        sites=[64 * (k + 1) for k in range(min(count, 7))],
    )
    table = random(spaces.merge(pd.DataFrame({"patterns": [4, 12, 40]}), how="cross"), "recovered")
    return table.rename(columns={"recovered_error": "error"})


def moments(count: int) -> Tables:
    betas = np.linspace(0.1, 2, count)
    table = crossed(moment=list(kinetic_moments.TITLES), expansion=list(kinetic_moments.NAMES), beta=betas)
    return {"kinetic_moments": random(table, "error", "sampling")}


def found_contacts(count: int) -> pd.DataFrame:
    table = crossed(first=range(count + 2), second=range(count + 2)).query("first < second")
    table = random(table, "score")
    return table.assign(planted=table.score > 0.7, found=table.score > 0.5)


def board(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = long_names(count)
    table = pd.DataFrame(
        {"estimator": names, "median_off": 0.1, "answered": 10, "cpu_seconds": np.linspace(1, 100, count)}
    )
    return random(crossed(estimator=names, exact=[0.1, 10.0]), "value"), table


Drawing = Callable[[int], Figure]
DRAWINGS: dict[str, Drawing] = {
    "attractors.draw_phases": lambda n: attractors.draw_phases(phases(n)),
    "attractors.draw_basins": lambda n: attractors.draw_basins(basins(n)),
    "complexity.draw_complexity": lambda n: complexity.draw_complexity(complexities(n)),
    "contacts.draw_contacts": lambda n: contacts.draw_contacts(found_contacts(n)),
    "correlations.correlations_figure": lambda n: correlations.correlations_figure(run_tables(n)),
    "couplings.couplings_figure": lambda n: couplings.couplings_figure(*coupling_arguments(n)),
    "couplings.comparison_figure": lambda n: couplings.comparison_figure(*estimators(n)),
    "decoding.draw_unmixing": lambda n: decoding.draw_unmixing(recoveries(n)),
    "density_models.draw_comparison": lambda n: density_models.draw_comparison(comparison(n)),
    "density_models.draw_learning_curves": lambda n: density_models.draw_learning_curves(comparison(n + 1)),
    "discovery.gains_figure": lambda n: discovery.gains_figure(discovery_tables(n)["sweep"], models(n)),
    "discovery.patterns_figure": lambda n: discovery.patterns_figure(
        *(discovery_tables(n)[name] for name in ("patterns", "pattern_summary"))
    ),
    "discovery.stability_figure": lambda n: discovery.stability_figure(stability_tables(n)["stability"], 0.8),
    "discovery.left_figure": lambda n: discovery.left_figure(
        *(discovery_tables(n)[name] for name in ("readings", "left"))
    ),
    "discovery.latents_figure": lambda n: discovery.latents_figure(discovery_tables(n)["latents"]),
    "discovery.planes_figure": lambda n: discovery.planes_figure(discovery_tables(n + 1)["latents"]),
    "discovery.truth_figure": lambda n: discovery.truth_figure(overlaps(n)),
    "discovery.classes_figure": lambda n: discovery.classes_figure(*class_tables(n)),
    "discovery.class_pictures": lambda n: discovery.classes_figure(*class_tables(n, pixels=True)),
    "discovery.class_areas_figure": lambda n: discovery.class_areas_figure(class_rows(n)),
    "discovery.predictive_figure": lambda n: discovery.predictive_figure(recording_tables(n)),
    "inverse_ising.draw_glass": lambda n: inverse_ising.draw_glass(glass(n)),
    "inverse_ising.draw_ferromagnet": lambda n: inverse_ising.draw_ferromagnet(ferromagnet(n)),
    "inverse_ising.draw_digits": lambda n: inverse_ising.draw_digits(digits(n)),
    "inverse_ising.draw_times": lambda n: inverse_ising.draw_times(times(n)),
    "inverse_ising.draw_accuracy": lambda n: inverse_ising.draw_accuracy(accuracy_tables(n)),
    "inverse_ising.draw_learning": lambda n: inverse_ising.draw_learning(learning_tables(n)),
    "inverse_ising.draw_kinetic_errors": lambda n: inverse_ising.draw_kinetic_errors(kinetic_errors(min(n, 7))),
    "k_sat_clusters.draw_clusters": lambda n: k_sat_clusters.draw_clusters(clusters(n)),
    "kinetic_moments.draw_kinetic_moments": lambda n: kinetic_moments.draw_kinetic_moments(moments(n)),
    "leaderboards.leaderboard_figure": lambda n: leaderboards.leaderboard_figure(*board(n)),
    "paper.draw_systems": lambda n: paper.draw_systems(systems(n)),
    "paper.draw_latent_variable": lambda n: paper.draw_latent_variable(systems(n)),
    "paper.draw_decodings": lambda n: paper.draw_decodings(systems(n)),
    "recordings.draw_retina": lambda n: recordings.draw_retina(
        prefixed(**{name: recording_tables(n) for name in ("retina_40", "retina_160")[:n]})
    ),
    "recordings.recording_figure": lambda n: recordings.recording_figure(recording_tables(n)),
    "runs.observables_figure": lambda n: runs.observables_figure(run_tables(n)),
    "runs.patterns_figure": lambda n: runs.patterns_figure(run_tables(n)),
    "runs.draw_sampling": lambda n: runs.draw_sampling(chain_tables(n)),
    "runs.draw_retrieval": lambda n: runs.draw_retrieval(retrieval(n)),
    "satisfiability.draw_threshold": lambda n: satisfiability.draw_threshold(threshold(n)),
    "satisfiability.draw_search": lambda n: satisfiability.draw_search(search(min(n, 7))),
    "satisfiability.draw_energy": lambda n: satisfiability.draw_energy(energy(n)),
    "solution_walks.draw_solution_walks": lambda n: solution_walks.draw_solution_walks(walks(n)),
    "spin_glasses.draw_transition": lambda n: spin_glasses.draw_transition(transition(n)),
    "spin_glasses.draw_disorder": lambda n: spin_glasses.draw_disorder(disorder(n)),
    "stability.draw_stability_study": lambda n: stability.draw_stability_study(stability_tables(n)),
    "sweeps.draw_collection": lambda n: sweeps.draw_collection(*sweep_tables(n), "test_elbo", "option"),
    "total_correlation.draw_scaling_study": lambda n: total_correlation.draw_scaling_study(scaling(n)),
    "verdict.draw_verdict": lambda n: verdict.draw_verdict(verdict_tables(n)),
}
"""Every function that draws a figure, by module and name, with the number of things that it is to show."""
