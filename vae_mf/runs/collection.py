"""Tables of many runs side by side: varied options, metrics, and averages over seeds."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from vae_mf.checks import require_choice

SEED = "seed"
EXPERIMENT = "experiment"
PER_TEMPERATURE = "_per_temperature"
TEMPERATURE = "temperature"
SHOWN = ("pattern_overlap_min", "test_elbo", "test_elbo_per_word", "kl")
"""The metric to show unless one is named: the first that any run has."""


class RunRecord(NamedTuple):
    """Contents of a run folder that are compared with those of others."""

    run: str
    experiment: str
    digest: str
    settings: Mapping[str, Any]
    """Nested options that the results depend on."""
    metrics: Mapping[str, Any] | None
    """None while the run is not finished."""


@dataclass(frozen=True)
class Collection:
    """Runs side by side.

    Args:
        runs: a row per run: run, experiment, digest, finished, the varied options, and every scalar metric.
        temperatures: a row per finished run and temperature: run, experiment, the varied options, temperature, and
            every metric that is known per temperature.
        varied: names of the options that differ between the runs.
    """

    runs: pd.DataFrame
    temperatures: pd.DataFrame
    varied: list[str]

    def against(self, option: str | None) -> pd.DataFrame:
        """Return the table with what is known against an option: that of the temperatures for "temperature"."""
        return self.temperatures if option == TEMPERATURE else self.runs


def collect(records: Sequence[RunRecord]) -> Collection:
    """Put runs side by side, sorted by what was varied; the metrics of a run that is not finished stay empty."""
    options = [flatten(record.settings) for record in records]
    varied = varied_options(options)
    pairs = list(zip(records, options, strict=True))
    rows = []
    levels = []
    for record, option in sorted(pairs, key=lambda pair: (pair[0].experiment, sort_key(pair[1], varied))):
        names = {"run": record.run, EXPERIMENT: record.experiment}
        chosen = {name: option.get(name) for name in varied}
        scalars, curves = split_metrics(record.metrics or {})
        rows.append(names | {"digest": record.digest, "finished": record.metrics is not None} | chosen | scalars)
        levels += [names | chosen | {TEMPERATURE: level} | values for level, values in curves.items()]
    return Collection(to_table(rows, varied), to_table(levels, varied), varied)


def sort_key(option: Mapping[str, Any], varied: Iterable[str]) -> list[tuple[int, Any]]:
    """Return what sorts runs by their varied options in turn: numbers, then texts, then what an option lacks."""
    known = ((option[name], isinstance(option[name], str)) if name in option else (0, 2) for name in varied)
    return [(kind, value) for value, kind in known]


def to_table(rows: list[dict[str, Any]], varied: list[str]) -> pd.DataFrame:
    """Return rows as a table, in which an integer option that some runs lack stays an integer."""
    table = pd.DataFrame(rows, columns=None if rows else ["run", EXPERIMENT, *varied])
    table[varied] = table[varied].convert_dtypes()
    return table


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested options by dotted name; a target counts by its class, a list by its text.

    >>> flatten({"seed": 1, "prior": {"_target_": "models.priors.SplinePrior", "bins": None}, "t": [0.5, 1.0]})
    {'seed': 1, 'prior': 'SplinePrior', 'prior.bins': 'null', 't': '[0.5, 1.0]'}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif key == "_target_":
            flat[prefix.rstrip(".")] = class_name(value)
        else:
            # Null is a value of an option, unlike an option that a run does not have.
            flat[name] = "null" if value is None else str(value) if isinstance(value, list) else value
    return flat


def class_name(target: str) -> str:
    """Return a target without its module.

    >>> [class_name(target) for target in ("vae_mf.systems.hopfield.Hopfield.random", "numpy.load")]
    ['Hopfield.random', 'load']
    """
    parts = target.split(".")
    first = next((index for index, part in enumerate(parts) if part[0].isupper()), len(parts) - 1)
    return ".".join(parts[first:])


def varied_options(options: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the options with several values, the seed last, and no seed that only repeats the seed of the run.

    An option that some runs lack, such as the bins of a spline, is varied only if those that have it differ, and an
    option of a part, such as a prior, only if it differs between runs with the same kind of that part.

    >>> varied_options([{"sites": 64, "seed": 1}, {"sites": 64, "seed": 2}, {"sites": 128, "seed": 1}])
    ['sites', 'seed']
    """
    names = dict.fromkeys(name for option in options for name in option)
    owners = {name: [option for option in options if name in option] for name in names}
    varied = [
        name
        for name, those in owners.items()
        if any(len(values) > 1 for values in values_by_part(name, those).values())
        and not (name.endswith(f".{SEED}") and all(option[name] == option.get(SEED) for option in those))
    ]
    return sorted(varied, key=SEED.__eq__)


def values_by_part(name: str, options: Iterable[Mapping[str, Any]]) -> dict[Any, set[Any]]:
    """Return the values of an option for every kind of the part that it belongs to, None for what is no part."""
    values: dict[Any, set[Any]] = {}
    for option in options:
        values.setdefault(option.get(name.rpartition(".")[0]), set()).add(option[name])
    return values


def split_metrics(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[float, dict[str, Any]]]:
    """Return the scalar metrics, and by temperature the others.

    >>> split_metrics({"kl": 0.5, "energy_per_temperature": {"0.8": -1.0, "1.2": -0.25}})
    ({'kl': 0.5}, {0.8: {'energy': -1.0}, 1.2: {'energy': -0.25}})
    """
    scalars = {name: value for name, value in metrics.items() if not isinstance(value, Mapping)}
    curves: dict[float, dict[str, Any]] = {}
    for name, values in metrics.items():
        if isinstance(values, Mapping):
            for temperature, value in values.items():
                curves.setdefault(float(temperature), {})[name.removesuffix(PER_TEMPERATURE)] = value
    return scalars, curves


def metric_to_show(collection: Collection, name: str | None = None, against: str | None = None) -> str:
    """Return the named metric, or by default the first of `SHOWN` that a run has, at each temperature if against that.

    Raises:
        ValueError: if no run has it.
    """
    table = collection.against(against)
    columns = table.drop(columns=["finished", TEMPERATURE, *collection.varied], errors="ignore")
    metrics = list(columns.select_dtypes("number").dropna(axis=1, how="all"))
    return require_choice("metric", name or next((metric for metric in SHOWN if metric in metrics), None), metrics)


def varied_inside(runs: pd.DataFrame, varied: list[str]) -> dict[str, list[str]]:
    """Return per experiment those of the varied options that its own runs differ in."""
    groups = runs.groupby(EXPERIMENT, sort=False)
    return {str(name): [option for option in varied if group[option].nunique() > 1] for name, group in groups}


def option_to_show(collection: Collection, metric: str, name: str | None = None) -> str:
    """Return the named option, or by default the first that is varied inside an experiment, among runs with a metric.

    Numbers come before texts and these before the seed. The name of the experiment counts as an option, and so does the
    temperature where it is asked for.

    Raises:
        ValueError: if the option is not varied.
    """
    if name == TEMPERATURE:
        return name
    numbers = set(collection.runs[collection.varied].select_dtypes("number"))
    known = collection.runs.dropna(subset=[metric])
    inside = [option for options in varied_inside(known, collection.varied).values() for option in options]
    order = [*sorted(inside, key=lambda option: (option == SEED, option not in numbers)), EXPERIMENT]
    return require_choice("against", name or order[0], [*collection.varied, EXPERIMENT, TEMPERATURE])


def runs_by_line(collection: Collection, metric: str, against: str) -> pd.DataFrame:
    """Return the runs that can be drawn, each with the line that it belongs to.

    Runs of one line differ in nothing but ``against`` and the seed. Its name is that of the experiment, if there are
    several, and the other options that are varied inside the experiment.

    Returns:
        columns run, line, ``against`` (as text if it is no number) and ``metric``.

    Raises:
        ValueError: if there are none.
    """
    known = collection.against(against).dropna(subset=[metric, against])
    if known.empty:
        raise ValueError(f"runs: expected a finished one with both {metric} and {against}, got none")
    inside = varied_inside(known, collection.varied)
    shared = {SEED, against} | ({EXPERIMENT} if known.experiment.nunique() == 1 else set())
    lines = [describe(row, [EXPERIMENT, *inside[row.experiment]], shared) for _, row in known.iterrows()]
    values = known[against] if pd.api.types.is_numeric_dtype(known[against]) else known[against].astype(str)
    return pd.DataFrame({"run": known.run, "line": lines, against: values, metric: known[metric]})


def describe(run: pd.Series, options: Iterable[str], without: Container[str] = ()) -> str:
    """Return the options of a run in words, as far as it has them.

    >>> describe(pd.Series({"sites": 64, "seed": 1}), ["sites", "seed"], without=["seed"])
    'sites=64'
    """
    chosen = [name for name in options if name not in without and not pd.isna(run[name])]
    return " ".join(str(run[name]) if name == EXPERIMENT else f"{name}={run[name]}" for name in chosen)


def average_over_seeds(runs: pd.DataFrame, metric: str, against: str) -> pd.DataFrame:
    """Return mean and standard error of a metric over the runs of a line with the same value of ``against``.

    The standard error is s / sqrt(n) with s^2 = sum (x - mean)^2 / (n - 1) over n runs; nan for one run.

    >>> runs = pd.DataFrame({"line": "", "sites": [64, 64, 128], "kl": [1.0, 3.0, 5.0]})
    >>> average_over_seeds(runs, "kl", "sites")[["sites", "mean", "error"]].values.tolist()
    [[64.0, 2.0, 1.0], [128.0, 5.0, nan]]

    Args:
        runs: table of `runs_by_line`.
        metric: column to average.
        against: column that tells the points of a line apart.

    Returns:
        columns line, ``against``, mean, error, runs.
    """
    groups = runs.groupby(["line", against], sort=False)[metric]
    return groups.agg(mean="mean", error="sem", runs="count").reset_index()
