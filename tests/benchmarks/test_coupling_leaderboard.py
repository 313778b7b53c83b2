"""The benchmark of couplings as a command: parts that are kept, and sentences that are those of the table."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from vae_mf.benchmarks.couplings import comparisons
from vae_mf.benchmarks.couplings.ising_models import Truth
from vae_mf.benchmarks.couplings.rows import Row, section
from vae_mf.commands import benchmark_couplings
from vae_mf.commands.options import compose
from vae_mf.runs.terminal import Terminal

ROWS = [
    Row("pseudo-likelihood, time", "sk20", 0.5, "regressions", 1.0, 2.0, 5.0, "s"),
    Row("slope", "sk20", 0.01, target=0.02, at_most=True),
    Row("mean field, RMSE", "sk20", 0.4, "regressions", 0.1, 0.25),
]


def test_sentences_are_those_of_the_table():
    text = section(ROWS, "vae-mf benchmark inverse-ising", "a machine")
    assert "1 of 2 targets are met, all but pseudo-likelihood, time of sk20." in text
    assert "| pseudo-likelihood, time | sk20 | 0.5 s | regressions | 1 s | 2 | ≥ 5 | no |" in text


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The command on tmp_path, whose parts are instant and counted."""
    asked = []

    def instant(model, betas, sizes):
        asked.append(model)
        yield from ROWS

    monkeypatch.setattr(benchmark_couplings.comparisons, "equilibrium_of", instant)
    monkeypatch.setattr(benchmark_couplings.comparisons, "compile_all", lambda: None)

    def run(**options):
        asked.clear()
        plain = compose("benchmark", ("benchmark=inverse-ising",)).plain | {"folder": str(tmp_path / "out")} | options
        cfg = OmegaConf.create({key: value for key, value in plain.items() if key not in ("hydra", "paths")})
        benchmark_couplings.run(cfg, Terminal(), "vae-mf benchmark inverse-ising")
        return list(asked), (tmp_path / "out" / "leaderboard.md").read_text()

    return run


def test_parts_that_are_done_are_not_measured_again(bench):
    asked, text = bench(models=["sk20"])
    assert asked == ["sk20"]
    assert text == section(ROWS, *text.split("`")[1:2], text.partition(" on ")[2].partition(".\n")[0])
    assert bench(models=["sk20", "er50"])[0] == ["er50"]
    assert bench(models=["sk20"], again=True)[0] == ["sk20"]
    assert bench(models="sk20", subjects="equilibrium", samples=300)[0] == ["sk20"]
    assert bench(models=["sk20"], samples=[300])[0] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subjects": ["none"]}, "subjects: expected"),
        ({"subjects": []}, "subjects: expected .* got none"),
        ({"subjects": None}, "subjects: expected .* got None"),
        ({"subjects": "kinetics"}, "did you mean subjects=kinetic?"),
        ({"models": ["none"]}, "models: expected"),
        ({"models": []}, "models: expected .* got none"),
        ({"models": 3}, "models: expected .* got 3"),
        ({"samples": [1]}, "samples: expected"),
        ({"samples": []}, "samples: expected .* got none"),
        ({"samples": None}, "samples: expected .* got None"),
        ({"samples": "abc"}, "samples: expected .* got 'abc'"),
    ],
)
def test_options_that_say_nothing_are_refused(bench, options, said):
    with pytest.raises(ValueError, match=said):
        bench(**options)


def test_a_case_has_the_same_rows_whatever_other_numbers_are_asked_for(monkeypatch):
    """Two pages had different errors of one case: rows of one number were drawn among as many as the largest."""

    def drawn(name, betas, samples, seed):
        for beta in betas:
            yield Truth(
                name, beta, np.zeros((2, 2)), np.random.default_rng([samples, seed]).integers(0, 2, (samples, 2))
            )

    asked = {}
    monkeypatch.setattr(comparisons, "truths", drawn)
    monkeypatch.setattr(comparisons, "DRAWN", 50)
    monkeypatch.setattr(
        comparisons, "case", lambda models, size: iter([(size, [each.spins[:size] for each in models])])
    )
    for sizes in ((10,), (10, 50), (70, 10), (50, 70)):
        for size, rows in comparisons.equilibrium_of("er50", (1.0,), sizes):
            np.testing.assert_array_equal(rows, asked.setdefault(size, rows))
    assert sorted(asked) == [10, 50, 70]
