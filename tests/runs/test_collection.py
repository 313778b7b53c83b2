"""Runs side by side: what was varied is found, averages are those of the textbook, and nothing is dropped silently."""

import math

import numpy as np
import pandas as pd
import pytest

from vae_mf.runs.collection import (
    RunRecord,
    average_over_seeds,
    collect,
    metric_to_show,
    option_to_show,
    runs_by_line,
    varied_options,
)

OVERLAPS = {(3, 0): 1.0, (3, 1): 0.9, (3, 2): 0.7, (8, 0): 0.5, (8, 1): 0.25}


def hopfield(latents: int, seed: int, metrics: dict | None = None, **prior) -> RunRecord:
    settings = {
        "seed": seed,
        "system": {"_target_": "vae_mf.systems.hopfield.Hopfield.random", "patterns": 3, "seed": seed},
        "sampling": {"temperatures": [0.5, 1.0]},
        "model": {"latents": latents, "prior": {"_target_": "vae_mf.models.priors.spline.SplinePrior"} | prior},
    }
    return RunRecord(f"hopfield-{latents}-{seed}", "hopfield", f"{latents}{seed}", settings, metrics)


def sweep() -> list[RunRecord]:
    return [hopfield(latents, seed, {"pattern_overlap_min": value}) for (latents, seed), value in OVERLAPS.items()]


def curie_weiss(**metrics) -> RunRecord:
    settings = {"seed": 0, "system": {"_target_": "vae_mf.systems.curie_weiss.CurieWeiss"}, "model": {"latents": 1}}
    return RunRecord("curie_weiss", "curie_weiss", "c", settings, metrics)


def test_a_sweep_becomes_a_row_per_run_with_what_was_varied():
    collection = collect(sweep()[::-1])
    assert collection.varied == ["model.latents", "seed"]
    rows = collection.runs.itertuples(index=False, name=None)
    expected = [
        (f"hopfield-{latents}-{seed}", "hopfield", f"{latents}{seed}", True, latents, seed, value)
        for (latents, seed), value in OVERLAPS.items()
    ]
    assert list(rows) == expected


def test_a_seed_of_its_own_is_an_option_like_others():
    first, second = hopfield(3, 0), hopfield(3, 1)
    second.settings["system"]["seed"] = 7
    assert collect([first, second]).varied == ["system.seed", "seed"]


def test_an_option_that_some_lack_is_varied_only_if_the_others_differ():
    few, many, none = {"seed": 1, "bins": 8}, {"seed": 1, "bins": 16}, {"seed": 1}
    assert varied_options([few, few, none]) == []
    assert varied_options([few, many, none]) == ["bins"]


def test_runs_are_sorted_by_experiment_and_options_whatever_their_kind():
    bounds = (8.0, None, "wide", 4.0)
    records = [hopfield(3, 0, bound=bound) for bound in bounds] + [hopfield(3, 0), curie_weiss()]
    runs = collect(records).runs
    assert list(runs.experiment) == ["curie_weiss"] + ["hopfield"] * 5
    assert list(runs["model.prior.bound"])[1:5] == [4.0, 8.0, "null", "wide"]
    assert runs["model.prior.bound"].isna().tolist() == [True, False, False, False, False, True]


def test_null_differs_from_a_missing_option():
    collection = collect([hopfield(3, 0, bound=None), hopfield(4, 0, bound=8.0), curie_weiss()])
    assert list(collection.runs["model.prior.bound"].fillna("missing")) == ["missing", "null", 8.0]


def test_an_integer_that_some_runs_lack_stays_one():
    collection = collect([hopfield(3, 0, bins=8), hopfield(3, 1, bins=16), curie_weiss()])
    assert collection.runs["model.prior.bins"].to_csv(index=False).split() == ["model.prior.bins", '""', "8", "16"]


def test_runs_that_are_not_finished_are_listed_with_empty_metrics():
    runs = collect([*sweep(), hopfield(9, 0)]).runs
    assert list(runs.finished) == [True] * 5 + [False]
    assert runs.run.iloc[-1] == "hopfield-9-0"
    assert np.isnan(runs.pattern_overlap_min.iloc[-1])


def test_metrics_per_temperature_become_a_row_per_run_and_temperature():
    curves = {"kl_per_temperature": {"0.5": 0.1, "1.0": None}, "ensemble_per_temperature": {"0.5": "a", "1.0": "b"}}
    collection = collect([hopfield(3, 0, curves | {"test_elbo": -1.0}), hopfield(8, 0)])
    expected = pd.DataFrame(
        {"run": "hopfield-3-0", "temperature": [0.5, 1.0], "kl": [0.1, np.nan], "ensemble": ["a", "b"]}
    )
    found = collection.temperatures
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)
    assert list(found["model.latents"]) == [3, 3]
    assert "kl_per_temperature" not in collection.runs


def test_no_run_is_finished_yet():
    collection = collect([hopfield(3, 0), hopfield(8, 0)])
    assert collection.temperatures.empty
    assert not collection.runs.finished.any()


def test_the_average_is_over_seeds_alone_and_its_error_is_that_of_the_mean():
    collection = collect(sweep())
    runs = runs_by_line(collection, "pattern_overlap_min", "model.latents")
    table = average_over_seeds(runs, "pattern_overlap_min", "model.latents").set_index("model.latents")
    three, eight = ([value for (latents, _), value in OVERLAPS.items() if latents == chosen] for chosen in (3, 8))
    mean = sum(three) / 3
    assert table["mean"][3] == pytest.approx(mean)
    assert table.error[3] == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in three) / 2 / 3))
    assert table["mean"][8] == pytest.approx(0.375)
    assert table.error[8] == pytest.approx(abs(eight[0] - eight[1]) / 2)
    assert list(table.runs) == [3, 2]
    assert set(table.line) == {""}


def test_one_seed_has_no_error():
    runs = pd.DataFrame({"line": "", "x": [1, 2], "metric": [0.1, 0.2]})
    assert average_over_seeds(runs, "metric", "x").error.isna().all()


def test_lines_are_told_apart_by_all_that_is_varied_inside_an_experiment():
    records = [hopfield(latents, 0, {"test_elbo": -1.0}, bins=bins) for latents in (3, 8) for bins in (4, 8)]
    other = curie_weiss(test_elbo=-2.0)
    collection = collect([*records, other])
    alone = runs_by_line(collect(records), "test_elbo", "model.latents")
    assert list(alone.line) == ["model.prior.bins=4", "model.prior.bins=8"] * 2
    both = runs_by_line(collection, "test_elbo", "model.latents")
    assert list(both.line) == ["curie_weiss", *["hopfield model.prior.bins=4", "hopfield model.prior.bins=8"] * 2]
    across = runs_by_line(collection, "test_elbo", "experiment")
    assert list(across.line) == ["", *(f"model.latents={a} model.prior.bins={b}" for a in (3, 8) for b in (4, 8))]
    assert list(across.experiment) == ["curie_weiss"] + ["hopfield"] * 4


def test_runs_without_the_metric_or_the_option_are_not_drawn():
    records = [hopfield(3, 0, {"test_elbo": -1.0}, bins=4), hopfield(3, 1, {"test_elbo": None}, bins=8)]
    collection = collect([*records, hopfield(4, 0, bins=4), curie_weiss(test_elbo=-2.0)])
    assert list(runs_by_line(collection, "test_elbo", "model.prior.bins").run) == ["hopfield-3-0"]
    only = collect([hopfield(3, 0, {"a": 1.0}), hopfield(3, 1, {"b": 1.0}, bins=8), hopfield(3, 2, bins=4)])
    with pytest.raises(ValueError, match=r"runs: expected a finished one with both a and model.prior.bins, got none"):
        runs_by_line(only, "a", "model.prior.bins")


def test_the_overlap_is_shown_where_it_is_known_else_the_bound():
    both = {"test_elbo": -1.0, "pattern_overlap_min": 0.5, "kl_per_temperature": {"0.5": 0.1}}
    assert metric_to_show(collect([hopfield(3, 0, both)])) == "pattern_overlap_min"
    assert metric_to_show(collect([hopfield(3, 0, both | {"pattern_overlap_min": None})])) == "test_elbo"
    assert metric_to_show(collect([hopfield(3, 0, {"test_elbo_per_word": -3.0})])) == "test_elbo_per_word"
    assert metric_to_show(collect([hopfield(3, 0, both)]), "test_elbo") == "test_elbo"


def test_the_first_varied_number_is_shown_the_seed_last():
    done = {"test_elbo": -1.0}
    latents = [hopfield(latents, seed, done) for latents in (3, 8) for seed in (0, 1)]
    assert option_to_show(collect(latents), "test_elbo") == "model.latents"
    assert option_to_show(collect(latents), "test_elbo", "seed") == "seed"
    seeds = [hopfield(3, 0, done, kind="a"), hopfield(3, 1, done, kind="b")]
    assert option_to_show(collect(seeds), "test_elbo") == "model.prior.kind"
    assert option_to_show(collect([hopfield(3, 0, done), hopfield(3, 1, done)]), "test_elbo") == "seed"
    assert option_to_show(collect([hopfield(3, 0, done), curie_weiss(**done)]), "test_elbo") == "experiment"


def test_an_option_that_only_unfinished_runs_differ_in_is_not_chosen():
    done = {"test_elbo": -1.0}
    records = [hopfield(3, 0, done), hopfield(3, 1, done), hopfield(8, 1)]
    assert option_to_show(collect(records), "test_elbo") == "seed"


def test_what_is_not_known_is_refused_by_name():
    collection = collect(sweep())
    with pytest.raises(ValueError, match=r"metric: expected one of pattern_overlap_min, got 'loss'"):
        metric_to_show(collection, "loss")
    with pytest.raises(
        ValueError, match=r"against: expected one of model.latents, seed, experiment, temperature, got 'patterns'"
    ):
        option_to_show(collection, "pattern_overlap_min", "patterns")


def test_an_option_that_only_follows_the_kind_of_its_part_is_not_varied():
    spline = {"prior": "Spline", "prior.bins": 16, "prior.layers": 3}
    mixture = {"prior": "Mixture", "prior.bins": 8, "prior.layers": 0}
    assert varied_options([spline, mixture]) == ["prior"]
    assert varied_options([spline, mixture, mixture | {"prior.layers": 1}]) == ["prior", "prior.layers"]


def test_a_metric_known_per_temperature_is_drawn_against_it():
    records = [
        hopfield(latents, seed, {"kl_per_temperature": {"0.5": 0.1 * latents + seed, "1.0": 0.2}})
        for latents in (3, 8)
        for seed in (0, 1)
    ]
    collection = collect(records)
    metric = metric_to_show(collection, None, "temperature")
    assert (metric, option_to_show(collection, metric, "temperature")) == ("kl", "temperature")
    averages = average_over_seeds(runs_by_line(collection, metric, "temperature"), metric, "temperature")
    expected = [
        (f"model.latents={latents}", t, value, runs)
        for latents in (3, 8)
        for t, value, runs in ((0.5, 0.1 * latents + 0.5, 2), (1.0, 0.2, 2))
    ]
    found = averages[["line", "temperature", "mean", "runs"]].itertuples(index=False, name=None)
    assert list(found) == [(line, t, pytest.approx(value), runs) for line, t, value, runs in expected]


def test_a_metric_known_per_run_only_cannot_be_drawn_against_the_temperature():
    with pytest.raises(ValueError, match="metric: expected one of"):
        metric_to_show(collect(sweep()), "pattern_overlap_min", "temperature")
