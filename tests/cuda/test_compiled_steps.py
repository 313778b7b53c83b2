"""The bound of every family of models is one graph, without a break, and is compiled once for each size of batch."""

import pytest
from helpers.device_cases import FAMILIES, asked_of_device

SIZES = 3
"""Sizes of batches: those of training, of validation, and the last one of validation."""


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Numbers of graphs, counted without the checks of types that tests run under: these would break them."""
    return asked_of_device(tmp_path_factory.mktemp("graphs"), "graphs")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bound_is_one_graph_for_every_size_of_batch(graphs, family):
    assert graphs[family] == [SIZES, SIZES]
