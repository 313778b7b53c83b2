"""Rows that are repeated are told from rows that repeat by nature."""

import numpy as np
import pytest

from vae_mf.density_models import BernoulliMixture, Independent
from vae_mf.density_models.comparison import score_density_model
from vae_mf.discovery.copies import Copies, copies_of
from vae_mf.discovery.decision import decide
from vae_mf.discovery.findings import Findings
from vae_mf.discovery.model_selection import Description
from vae_mf.discovery.sentences import headline, summary
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.statistics.averages import Average
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.decision import NOT_DECIDED
from vae_mf.verdict.independence import Independence

SETTINGS = discovery_settings(*discovery_config())


def up(random, probabilities):
    return np.where(random.random(probabilities.shape) < probabilities, 1, -1).astype(np.int8)


def counted(rows, model=None) -> Copies:
    train, validation, test = np.split(rows, [int(0.8 * len(rows)), int(0.9 * len(rows))])
    scores = score_density_model("a model", model or Independent(), train, validation, test)
    return copies_of(
        train, np.concatenate([validation, test]), scores, SETTINGS.rows.copies, SETTINGS.rows.copies_errors
    )


def rates(random, rows, variables):
    return np.broadcast_to(random.uniform(0.2, 0.8, variables), (rows, variables))


@pytest.mark.parametrize(("variables", "rows"), [(4, 2000), (12, 20_000), (24, 4000)])
def test_the_expected_number_of_copies_is_that_of_independent_draws(variables, rows):
    random = np.random.default_rng(variables)
    found = counted(up(random, rates(random, rows, variables)))
    assert abs(found.found - found.expected) < 4 * found.error + 2
    assert found.rows == rows // 5
    assert not found.repeated


def test_rows_that_repeat_by_nature_are_not_accused():
    """Rows that are mostly silent, and few patterns with hardly any noise, which a mixture knows of."""
    random = np.random.default_rng(1)
    silent = counted(up(random, np.full((6000, 20), 0.004)))
    assert silent.found > 0.9 * silent.rows
    assert not silent.repeated
    patterns = up(random, np.full((6, 30), 0.5))[random.integers(6, size=4000)]
    noisy = np.where(random.random(patterns.shape) < 0.01, -patterns, patterns)
    known = counted(noisy, BernoulliMixture(6, n_init=4, random_state=1))
    assert known.found > 0.8 * known.rows
    assert not known.repeated


@pytest.mark.parametrize("resampled", [False, True], ids=["repeated", "resampled"])
def test_independent_rows_that_are_repeated_are_noticed(resampled):
    random = np.random.default_rng(2)
    once = up(random, rates(random, 1000, 24))
    number = random.integers(1000, size=4000) if resampled else random.permutation(np.repeat(np.arange(1000), 4))
    found = counted(once[number])
    assert found.found > 0.9 * found.rows
    assert found.expected < 0.1 * found.rows
    assert found.repeated


def test_nothing_is_decided_about_rows_that_are_repeated():
    one = Estimate(100.0, 1.0, 1.0)
    test = Independence(one, one, {}, 1.0, 1.0, 10_000, SETTINGS.independence)
    repeated = Copies(found=980, expected=12.0, error=3.0, rows=1000, limit=0.5, errors=5.0)
    decision = decide(test, [Average(1.0, 0.1)], Description(0, 0), None, copies=repeated)
    assert (decision.answer, decision.repeated) == (NOT_DECIDED, True)
    assert "98% of the held-out rows are exact copies of training rows" in decision.remarks[0]
    assert "the likeliest model expects 1.2%" in decision.remarks[0]
    found = object.__new__(Findings)
    found.__dict__.update(decision=decision, description=Description(0, 0), independence=test, assessment=None)
    assert headline(found) == "Rows are repeated, and nothing is decided"
    assert "depend on each other" not in " ".join(summary(found))
    few = repeated._replace(found=400)
    assert not decide(test, [Average(1.0, 0.1)], Description(0, 0), None, copies=few).repeated
