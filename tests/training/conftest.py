"""Rows that the tests of training share."""

import pytest
from helpers.trainings import small_split

from vae_mf.datamodule import DataSplit


@pytest.fixture(scope="session")
def data() -> DataSplit:
    """Return exact draws, which nothing changes."""
    return small_split()
