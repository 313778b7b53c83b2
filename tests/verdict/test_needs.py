"""Memory that a verdict is said to take, against the arrays that it makes."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from helpers.live_memory import LiveMemory

from vae_mf.analysis.generation import BATCH
from vae_mf.analysis.joint_samples import marginal_parameters, marginal_samples, plant
from vae_mf.models.site_families import site_family
from vae_mf.runs.instantiate import instantiate
from vae_mf.verdict.evidence import Evidence, EvidenceGroup, recorded
from vae_mf.verdict.needs import (
    DRAWING,
    JOINT,
    PLANTING,
    SINGLE,
    bytes_of_critics,
    bytes_of_discovery,
    bytes_of_verdict,
)

ROWS, VARIABLES = 4000, 30


@pytest.fixture
def settings(compose_config):
    return instantiate(compose_config("evaluate", "run=none").evaluation)


def evidence(held_out: int):
    """Rows of a recording of which the last are held out."""
    rows = np.ones((ROWS, VARIABLES), np.int8)
    order = np.arange(ROWS)
    return recorded(rows, order, order[:-held_out], order[-held_out:], blocks=20)


def test_joint_samples_take_the_bytes_that_are_said():
    spins = np.random.default_rng(1).choice([-1, 1], (ROWS, VARIABLES)).astype(np.int8)
    directors = np.random.default_rng(1).normal(size=(ROWS, 8, 3)).astype(np.float32)
    for configurations in (spins, directors / np.linalg.norm(directors, axis=-1, keepdims=True)):
        found = marginal_samples({1.0: configurations}, marginal_parameters({1.0: configurations}, torch.zeros(())))
        held = sum(part.numel() * part.element_size() for part in found[:3])
        assert held == JOINT * ROWS * found.statistics[0].numel()


def test_a_critic_takes_more_the_more_it_learns_from(settings):
    few = replace(settings.critic, training_samples=1000)
    sizes = [bytes_of_critics(100_000, 20_000, 1, 100, critic) for critic in (None, few, settings.critic)]
    assert sizes[0] == 0
    # Two sets of joint samples, of 39,000 rows more.
    assert sizes[2] - sizes[1] >= 2 * JOINT * 39_000 * 100


def test_a_verdict_with_a_critic_is_said_to_take_more(settings):
    without = replace(settings, critic=None)
    many = replace(settings, critic=replace(settings.critic, training_samples=10**6, generated=10**6))
    data = evidence(2000)
    assert bytes_of_verdict(data, VARIABLES, many) > bytes_of_verdict(data, VARIABLES, without)
    quick, thorough = (bytes_of_discovery(300_000, 150, 30_000, each) for each in (without, many))
    assert thorough > quick


def test_no_rows_are_read_for_it_but_those_of_one_temperature_once(settings):
    read = []

    def source(level):
        read.append(level)
        return np.ones((ROWS, VARIABLES), np.int8)

    parts = slice(0, 3000), slice(3000, 3600)
    groups = [EvidenceGroup(partial(source, level), *parts, blocks=20, condition=1.0 + level) for level in range(4)]
    without = replace(settings, critic=None)
    assert bytes_of_verdict(Evidence(groups), VARIABLES, settings) > bytes_of_verdict(
        Evidence(groups[:1]), VARIABLES, without
    )
    assert read == [0, 0]


@pytest.mark.parametrize("kind", ["spins", "directors"])
def test_planting_correlations_takes_the_bytes_that_are_said(kind):
    rows, sites = 3 * BATCH, 16
    random = np.random.default_rng(1)
    directors = random.normal(size=(rows, sites, 3)).astype(np.float32)
    directors /= np.linalg.norm(directors, axis=-1, keepdims=True)
    found = {"spins": random.choice([-1, 1], (rows, sites)).astype(np.int8), "directors": directors}[kind]
    samples = marginal_samples({1.0: found}, marginal_parameters({1.0: found}, torch.zeros(())))
    columns = samples.statistics[0].numel()
    with LiveMemory() as memory:
        plant(samples, site_family(kind), order=2, size=0.2, generator=torch.Generator().manual_seed(1))
    # Statistics and residuals of the planted samples stay; directors take more while a batch of them is drawn.
    assert memory.peak <= columns * ((2 * SINGLE + PLANTING) * rows + DRAWING * BATCH) + 100_000
    assert memory.peak >= columns * (2 * SINGLE + PLANTING) * rows
